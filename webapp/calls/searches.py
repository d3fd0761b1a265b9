"""Words that people search for: kept under a key for a day, and turned into the parties that they mean, and when.

Digits that somebody searches for stand in no address and no log: the form posts them, the address carries the key.
Used by the call log and its export.
"""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

import phonenumbers
from sqlalchemy import ColumnElement, Select, and_, delete, false, or_, select

from webapp.calls.models import CallSearch
from webapp.calls.spans import FROM_MS, OF_HOLDER, Spans, evened, spans_of, with_holders
from webapp.clock import now
from webapp.database.ids import new_id
from webapp.destinations.masking import DOTS, visible_digits
from webapp.destinations.models import Destination, Party, PartyHolder
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.reader import Reader

KEPT_FOR = timedelta(days=1)
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


@dataclass(frozen=True)
class MeantBy:
    """Whom words mean: a number by any piece in any spelling, at any time; a name that holds each of them, as long as
    it is what the party is called.

    `region` is the ISO 3166 country in which national numbers are read. For a masked reader the digits that are dots
    match nothing, or ten searches a digit would tell them; nor do digits match names, which may be numbers.
    """

    words: str
    region: str
    reader: Reader

    def find(self, session: LockedSession, at_most: int) -> Spans | None:
        """All of them; None where they are too many to list."""
        of_name = select(PartyHolder.party_id).join(Destination, OF_HOLDER).where(self._names(Destination.name))
        meant = or_(party_condition(self.words, self.region, self.reader), Party.id.in_(of_name))
        rows = session.execute(self._statement().where(meant).limit(at_most + 1)).all()
        return None if len(rows) > at_most else self._read(rows)

    def among(self, session: LockedSession, party_ids: Iterable[int]) -> Spans:
        """Those of some parties."""
        return self._read(session.execute(self._statement().where(Party.id.in_(evened(party_ids)))).all())

    def _statement(self) -> Select[*tuple[Any, ...]]:
        """For each holder that a party ever had: whether its number, its own name, that of the holder is meant."""
        meant = _number_holds(self.words, self.region, self.reader), self._names(Party.name)
        by_number, by_name, by_holder = (
            condition.label(f"by_{place}") for place, condition in enumerate((*meant, self._names(Destination.name)))
        )
        return with_holders(select(Party.id, by_number, by_name, FROM_MS, Destination.id, by_holder))

    def _read(self, rows: Sequence[Any]) -> Spans:
        changes: set[tuple[int, int, bool]] = set()
        for party_id, by_number, by_name, from_ms, holder_id, by_holder in rows:
            unheld = bool(by_number or by_name)
            if from_ms is None or from_ms > 0:
                changes.add((party_id, -1, unheld))
            if from_ms is not None:
                changes.add((party_id, from_ms, unheld if holder_id is None else bool(by_number or by_holder)))
        return spans_of(sorted(changes))

    def _names(self, name: Any) -> ColumnElement[bool]:
        return and_(*(_name_holds(word, name, self.reader) for word in _seen(self.words, self.reader).split()))


def party_condition(words: str, region: str, reader: Reader) -> ColumnElement[bool]:
    """Which parties words mean by their number, or by the name that phone systems give them: see MeantBy."""
    names = (_name_holds(word, Party.name, reader) for word in _seen(words, reader).split())
    return or_(and_(*names), _number_holds(words, region, reader))


def _seen(words: str, reader: Reader) -> str:
    """The words without the dots that a masked reader sees and may have copied."""
    return words.replace(DOTS[0], " ").strip() or DOTS if reader.is_masked else words


def _number_holds(words: str, region: str, reader: Reader) -> ColumnElement[bool]:
    digits: ColumnElement[str] = visible_digits() if reader.is_masked else Party.digits.expression
    patterns = _number_patterns(_seen(words, reader), region)
    return or_(false(), *(digits.like(pattern, escape="\\") for pattern in patterns))


def _name_holds(word: str, name: Any, reader: Reader) -> ColumnElement[bool]:
    if reader.is_masked and any(letter.isnumeric() for letter in word):
        return false()
    # SQLite folds the case of ASCII letters only; three spellings of the others meet nearly every name.
    spellings = {word} if word.isascii() else {word.lower(), word.upper(), word.title()}
    return or_(*(name.ilike(f"%{_escaped(spelling)}%", escape="\\") for spelling in sorted(spellings)))


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
