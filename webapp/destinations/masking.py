"""Masking: the last digits of an outside number become dots, wherever one can stand. The one place that does it.

Of a number that is known to be one, the last four. Of what only may hold one (a dialled code such as *67 before a
number, digits that could not be made out, a name), all but the first three: there nobody can say which are the last.
Used by pages, exports and previews for readers who see numbers masked. Search compares with visible_digits().
"""

import re

from sqlalchemy import ColumnElement, case, func

from webapp.destinations.models import Party, PartyKind

HIDDEN_DIGITS = 4
DOTS = "•" * HIDDEN_DIGITS
_KEPT_OF_A_RUN = 3
_SHORTEST_IN_A_CODE = 5  #: digits: a code such as *97 or 700 holds no number
_NUMBER_IN_TEXT = re.compile(r"\+?\(?\d(?:[\s().\-/]{0,3}\d){4,}")  # five digits: fewer are a year, an extension


def mask_number(text: str) -> str:
    """A number in any spelling with its last four digits as dots: "020 7946 ••••". The rest stays."""
    places = _digit_places(text)
    return text[: places[-HIDDEN_DIGITS:][0]] + DOTS + text[places[-1] + 1 :] if places else text


def mask_digits(kind: int, text: str) -> str:
    """The number or code of a party as a masked reader sees it."""
    return mask_number(text) if kind == PartyKind.OUTSIDE else _mask_run(text)


def _mask_run(text: str) -> str:
    """The first three digits, with what stands before them, then dots for all that follows."""
    places = _digit_places(text)
    if len(places) <= HIDDEN_DIGITS:
        return text[: places[0]] + DOTS if places else text
    return text[: places[_KEPT_OF_A_RUN - 1] + 1] + DOTS


def _digit_places(text: str) -> list[int]:
    return [place for place, letter in enumerate(text) if letter.isdecimal()]


def mask_text(text: str) -> str:
    """Words that somebody or a phone system wrote, with every number in them masked."""
    return _NUMBER_IN_TEXT.sub(lambda found: _mask_run(found[0]), text)


def mask_name(name: str, digits: str) -> str:
    """A caller's name, which some lines fill with the number; `digits` are those of the number it stands beside."""
    masked = mask_text(name) if any(letter.isalpha() for letter in name) else _mask_run(name)
    hidden = digits[-HIDDEN_DIGITS:]
    return masked.replace(hidden, DOTS) if hidden else masked


def masked_party(kind: int, digits: str) -> bool:
    """Whether the digits of such a party are masked; `kind` is the member or its number."""
    if kind == PartyKind.SERVICE:
        return len(_digit_places(digits)) >= _SHORTEST_IN_A_CODE
    return kind in (PartyKind.OUTSIDE, PartyKind.OTHER)


def visible_digits() -> ColumnElement[str]:
    """party.digits as a masked reader may search them: without those that are dots, or may be."""
    length = func.length(Party.digits)
    shown = case((length > HIDDEN_DIGITS, length - HIDDEN_DIGITS), else_=0)
    kept = case((length > HIDDEN_DIGITS, _KEPT_OF_A_RUN), else_=0)
    may_hold_one = (Party.kind == PartyKind.OTHER) | (
        (Party.kind == PartyKind.SERVICE) & (length >= _SHORTEST_IN_A_CODE)
    )
    return case(
        (Party.kind == PartyKind.OUTSIDE, func.substr(Party.digits, 1, shown)),
        (may_hold_one, func.substr(Party.digits, 1, kept)),
        else_=Party.digits,
    )
