"""Words that people search for: kept under a key for a day, and turned into a condition on the party directory.

Digits that somebody searches for stand in no address and no log: the form posts them, the address carries the key.
Used by the call log and its export.
"""

import json
import re
import unicodedata
from dataclasses import asdict, dataclass
from datetime import timedelta

import phonenumbers
from sqlalchemy import ColumnElement, and_, delete, false, or_, select

from webapp.calls.models import CallSearch
from webapp.clock import now
from webapp.database.ids import new_id
from webapp.destinations.masking import DOTS, visible_digits
from webapp.destinations.models import Party
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.reader import Reader

KEPT_FOR = timedelta(days=1)
LONGEST_WORDS = 100
_LIKE_SPECIAL = re.compile(r"([\\%_])")
_NUMBER_ONLY = re.compile(r"[0-9\s()+\-./*#]*[0-9][0-9\s()+\-./*#]*")
_SHORTEST_PIECE = 3  # fewer digits than these are looked for at the beginning only


@dataclass(frozen=True)
class SearchWords:
    """What was typed: `search` is looked for in whoever took part, the others in that role only. "" for nothing."""

    search: str = ""
    caller: str = ""
    callee: str = ""

    def __bool__(self) -> bool:
        return bool(self.search or self.caller or self.callee)


def clean_words(text: str) -> str:
    """Words as typed, without control characters and spaces around, cut to LONGEST_WORDS characters."""
    kept = "".join(" " if unicodedata.category(letter) in ("Cc", "Cs", "Cn") else letter for letter in text[:1000])
    return " ".join(kept.split())[:LONGEST_WORDS]


def keep_words(session: LockedSession, user_account_id: int, words: SearchWords) -> int:
    """Store words under a new key, which only this person can open; sweeps those that are too old. Returns the key."""
    session.execute(delete(CallSearch).where(CallSearch.created_at < now() - KEPT_FOR))
    row = CallSearch(id=new_id(), user_account_id=user_account_id, words=json.dumps(asdict(words)), created_at=now())
    session.add(row)
    return row.id


def find_words(session: LockedSession, user_account_id: int, search_id: int) -> SearchWords | None:
    """The words of a key, or None when there are none of this person, or no longer."""
    text = session.scalar(
        select(CallSearch.words).where(
            CallSearch.id == search_id,
            CallSearch.user_account_id == user_account_id,
            CallSearch.created_at >= now() - KEPT_FOR,
        )
    )
    return None if text is None else SearchWords(**json.loads(text))


def party_condition(words: str, region: str, reader: Reader) -> ColumnElement[bool]:
    """Which parties the words mean: a name that holds each of them, or a number by any piece in any spelling.

    `region` is the ISO 3166 country in which national numbers are read. For a masked reader the digits that are dots
    match nothing, or ten searches a digit would tell them; nor do digits match names, which may be numbers.
    """
    digits: ColumnElement[str] = Party.digits.expression
    if reader.is_masked:
        words, digits = words.replace(DOTS[0], " ").strip() or DOTS, visible_digits()
    names = and_(*(_name_holds(word, reader) for word in words.split()))
    patterns = _number_patterns(words, region)
    return or_(names, *(digits.like(pattern, escape="\\") for pattern in patterns))


def _name_holds(word: str, reader: Reader) -> ColumnElement[bool]:
    if reader.is_masked and any(letter.isnumeric() for letter in word):
        return false()
    # SQLite folds the case of ASCII letters only; three spellings of the others meet nearly every name.
    spellings = {word} if word.isascii() else {word.lower(), word.upper(), word.title()}
    return or_(*(Party.name.ilike(f"%{_escaped(spelling)}%", escape="\\") for spelling in sorted(spellings)))


def _escaped(text: str) -> str:
    return _LIKE_SPECIAL.sub(r"\\\1", text)


def _number_patterns(words: str, region: str) -> list[str]:
    """LIKE patterns on party.digits (E.164 without its plus, or digits as written); none if the words are no number."""
    if _NUMBER_ONLY.fullmatch(words) is None:
        return []
    digits = re.sub(r"[^0-9]", "", words.replace("(0)", "") if "+" in words else words)
    if words.lstrip(" (").startswith("+"):
        return [f"{digits}%"]
    patterns = [f"{digits}%" if len(digits) < _SHORTEST_PIECE else f"%{digits}%"]
    if "*" in words or "#" in words:  # a service code is stored as it is dialled
        patterns.append(f"{_escaped(re.sub(r'[^0-9*#]', '', words))}%")
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(region)
    if metadata is None:
        return patterns
    abroad = re.match(metadata.international_prefix, digits) if metadata.international_prefix else None
    if abroad and len(digits) > abroad.end():
        patterns.append(f"{digits[abroad.end() :]}%")
    home = metadata.national_prefix or ""
    if home and digits.startswith(home) and len(digits) > len(home):
        patterns.append(f"{metadata.country_code}{digits[len(home) :]}%")
    elif digits.startswith("0"):  # countries whose numbers keep their zero, as Italy's do
        patterns.append(f"{metadata.country_code}{digits}%")
    return patterns
