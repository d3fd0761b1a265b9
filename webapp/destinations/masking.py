"""Masking: the last four digits of an outside number become dots, wherever one can stand. The one place that does it.

Used by pages, exports and previews for readers who see numbers masked. Search compares with visible_digits().
"""

import re

from sqlalchemy import ColumnElement, case, func

from webapp.destinations.models import Party, PartyKind

HIDDEN_DIGITS = 4
DOTS = "•" * HIDDEN_DIGITS
#: Whose digits are masked: numbers from outside, and what could not be made out, which may be one.
MASKED_KINDS = (PartyKind.OUTSIDE, PartyKind.OTHER)
_NUMBER_IN_TEXT = re.compile(r"\+?\(?\d(?:[\s().\-/]{0,3}\d){4,}")  # five digits: fewer are a year, an extension


def mask_number(text: str) -> str:
    """A number in any spelling with its last four digits as dots: "020 7946 ••••". The rest stays."""
    return _mask_digits(text) if any(letter.isdecimal() for letter in text) else text


def _mask_digits(text: str) -> str:
    """The last four digits, with what stands between them, as four dots."""
    places = [place for place, letter in enumerate(text) if letter.isdecimal()]
    return text[: places[-HIDDEN_DIGITS:][0]] + DOTS + text[places[-1] + 1 :]


def mask_text(text: str) -> str:
    """Words that somebody or a phone system wrote, with every number in them masked."""
    return _NUMBER_IN_TEXT.sub(lambda found: mask_number(found[0]), text)


def mask_name(name: str, digits: str) -> str:
    """A caller's name, which some lines fill with the number; `digits` are those of the number it stands beside."""
    if not any(letter.isalpha() for letter in name):
        return mask_number(name)
    hidden = digits[-HIDDEN_DIGITS:]
    masked = mask_text(name)
    return masked.replace(hidden, DOTS) if hidden else masked


def masked_party(kind: int) -> bool:
    """Whether the digits of such a party are masked; takes the member or its number."""
    return kind in MASKED_KINDS


def visible_digits() -> ColumnElement[str]:
    """party.digits as a masked reader may search them: without those that are dots."""
    length = func.length(Party.digits)
    shown = case((length > HIDDEN_DIGITS, length - HIDDEN_DIGITS), else_=0)
    return case((Party.kind.in_(MASKED_KINDS), func.substr(Party.digits, 1, shown)), else_=Party.digits)
