"""A CallFilter made ready to be asked: its words resolved to parties, its conditions as SQL.

Made once a request (an export: once a chunk) by select_calls(); read by windows.py, browse.py and totals.py.
"""

import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from sqlalchemy import BigInteger, ColumnElement, Dialect, Row, SmallInteger, bindparam, func, select, type_coerce
from sqlalchemy.orm import InstrumentedAttribute

from webapp.calls.filters import CallFilter
from webapp.calls.models import Call, CallDay, CallMonth, CallTotal
from webapp.calls.own_talk import own_talk
from webapp.calls.periods import Period
from webapp.calls.searches import SearchWords, party_condition
from webapp.clock import to_ms
from webapp.database.types import Instant
from webapp.destinations.models import Party
from webapp.tenancy.lock import LockedSession, kept
from webapp.tenancy.models import Organization
from webapp.tenancy.narrowing import Narrowing, PartyDays
from webapp.tenancy.reader import Reader

#: Words that mean more parties than these are tested call by call; fewer, and the calls of each party are read.
MOST_PARTIES = 1000
_MOVED_TO = kept(
    select(Organization.moved_party_id).where(Organization.id == bindparam("organization", type_=BigInteger))
)

Value = TypeVar("Value", int, datetime)


class Milliseconds(Instant):
    """An instant as SQLite stores it, on both engines, without the cost of a datetime for each."""

    cache_ok = True

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any] | None:
        return None if dialect.name == "sqlite" else to_ms


CallLine = Row[*tuple[Any, ...]]  #: a row of columns_of_calls()
#: What is read of each call. Plain numbers, since an export reads a million of them: `ms` is milliseconds since 1970.
LINE_COLUMNS = (
    type_coerce(Call.started_at, Milliseconds()).label("ms"),
    Call.call_key,
    Call.pbx_id,
    type_coerce(Call.direction, SmallInteger).label("direction"),
    type_coerce(Call.outcome, SmallInteger).label("outcome"),
    Call.caller_id,
    type_coerce(Call.caller_reason, SmallInteger).label("caller_reason"),
    func.coalesce(Call.callee_id, Call.dialed_id).label("reached_id"),  # the party that a row shows as reached
    Call.ring_seconds,
    Call.talk_seconds,
)
_TESTED_COLUMNS = (Call.dialed_id, Call.callee_id, Call.answered_by_id, Call.did_id, Call.party_ids)


Talk = ColumnElement[int] | InstrumentedAttribute[int]


def columns_of_calls(tested: bool, talk: ColumnElement[int] | None = None) -> tuple[Any, ...]:
    """What is read of each call; more where its parties are tested. `talk` stands for its talk time."""
    columns = LINE_COLUMNS if talk is None else (*LINE_COLUMNS[:-1], talk.label("talk_seconds"))
    return (*columns, *_TESTED_COLUMNS) if tested else columns


class Part(Enum):
    """In which part of a call a party is looked for."""

    ANYONE = "anyone"
    CALLER = "caller"
    CALLEE = "callee"


@dataclass(frozen=True)
class PartyTest:
    """Calls in which one of these parties took that part. `ids` is None where the words mean too many to list."""

    part: Part
    ids: frozenset[int] | None
    condition: ColumnElement[bool] | None = None

    def members(self, line: CallLine) -> Iterable[int]:
        """The parties of a call that count for this test."""
        if self.part is Part.CALLER:
            return () if line.caller_id is None else (line.caller_id,)
        packed = bytes(line.party_ids)  # written by ingest/call_writer.py: everybody who has a call_party row
        everyone: tuple[int, ...] = struct.unpack(f">{len(packed) // 8}q", packed)
        if self.part is Part.ANYONE:
            return everyone
        reached = {line.dialed_id, line.callee_id, line.answered_by_id} - {None}
        return reached | (set(everyone) - {line.caller_id, line.did_id})


@dataclass(frozen=True)
class Selection:
    """What to read. `driver`: the parties whose calls are walked, None for all calls; `tests` then hold per call.

    `walks`: for a narrowed reader, the days of the parties whose calls are walked instead; None otherwise, and where a
    party that is not theirs drives.
    `talk`: the talk time of a call that its reader sees; None is the whole.
    """

    call_filter: CallFilter
    zone: ZoneInfo
    conditions: tuple[ColumnElement[bool], ...]
    reader: Reader
    driver: tuple[int, ...] | None = None
    tests: tuple[PartyTest, ...] = ()
    walks: tuple[PartyDays, ...] | None = None
    talk: ColumnElement[int] | None = None

    @property
    def narrowing(self) -> Narrowing | None:
        return self.reader.narrowing

    @property
    def is_tested(self) -> bool:
        """Whether the parties of each call are read."""
        return bool(self.tests) or self.narrowing is not None

    @property
    def is_summed(self) -> bool:
        """Whether the totals tell its counts. To a narrowed reader they tell nothing."""
        return self.call_filter.is_summed and self.narrowing is None

    @property
    def period(self) -> Period:
        return self.call_filter.period

    @property
    def newest_first(self) -> bool:
        return self.call_filter.newest_first

    @property
    def is_empty(self) -> bool:
        """Whether nothing can match: the words mean nobody, or missed calls out were asked for."""
        return self.driver == () or self.walks == () or self.call_filter.directions == frozenset()

    @property
    def is_direct(self) -> bool:
        """Whether an index has exactly its calls in the order of the page."""
        alone = self.driver is None or len(self.driver) == 1
        return not self.conditions and not self.tests and alone and self.narrowing is None


def select_calls(
    session: LockedSession,
    call_filter: CallFilter,
    words: SearchWords | None,
    zone: ZoneInfo,
    region: str,
    reader: Reader,
) -> Selection:
    """Resolve a filter. `words` are those of its search_id, None without one; zone and region: the organization's."""
    assert reader.narrowing == session.narrowing
    if reader.narrowing is not None:
        return _select_of_narrowed(call_filter, words, zone, region, reader)
    tests = []
    if call_filter.party_id is not None:
        tests.append(PartyTest(Part.ANYONE, frozenset({call_filter.party_id})))
    if words is not None:
        tests += [_resolve(session, part, text, region, reader) for part, text in _typed(words)]
    listed = [test for test in tests if test.ids is not None]
    driver = min(listed, key=lambda test: len(test.ids or ()), default=None)
    if driver is not None and driver.part is Part.ANYONE:
        tests.remove(driver)  # its call_party rows are the answer; nothing is left to test
    return Selection(
        call_filter=call_filter,
        zone=zone,
        conditions=_call_conditions(call_filter),
        reader=reader,
        driver=None if driver is None else tuple(sorted(driver.ids or ())),
        tests=tuple(tests),
    )


def _select_of_narrowed(
    call_filter: CallFilter, words: SearchWords | None, zone: ZoneInfo, region: str, reader: Reader
) -> Selection:
    """The calls of their parties are walked. What is searched for is tested call by call: a list of parties would
    have to look through calls that are not theirs.
    """
    assert reader.narrowing is not None
    walks: tuple[PartyDays, ...] | None = reader.narrowing.windows
    driver: tuple[int, ...] | None = None
    if call_filter.party_id in reader.narrowing.party_ids:
        walks = tuple(each for each in reader.narrowing.windows if each.party_id == call_filter.party_id)
    elif call_filter.party_id is not None:
        walks, driver = None, (call_filter.party_id,)
    typed, talk = () if words is None else _typed(words), own_talk(reader.narrowing)
    return Selection(
        call_filter=call_filter,
        zone=zone,
        conditions=_call_conditions(call_filter, talk),
        reader=reader,
        driver=driver,
        tests=tuple(PartyTest(part, None, party_condition(text, region, reader)) for part, text in typed),
        walks=walks,
        talk=talk,
    )


def knows_party_days(session: LockedSession) -> bool:
    """Whether party_total is all of the organization's zone: not while a change of it is under way."""
    [(moved_to,)] = session.rows(_MOVED_TO, {"organization": session.organization_id})
    return moved_to is None


def _typed(words: SearchWords) -> tuple[tuple[Part, str], ...]:
    parts = ((Part.ANYONE, words.search), (Part.CALLER, words.caller), (Part.CALLEE, words.callee))
    return tuple((part, text) for part, text in parts if text)


def _resolve(session: LockedSession, part: Part, text: str, region: str, reader: Reader) -> PartyTest:
    condition = party_condition(text, region, reader)
    found = session.scalars(select(Party.id).where(condition).limit(MOST_PARTIES + 1)).all()
    return PartyTest(part, None if len(found) > MOST_PARTIES else frozenset(found), condition)


def _call_conditions(call_filter: CallFilter, talk: Talk = Call.talk_seconds) -> tuple[ColumnElement[bool], ...]:
    conditions = list(summed_conditions(call_filter, Call))
    if call_filter.talk_min is not None:
        conditions.append(talk >= call_filter.talk_min)
    if call_filter.talk_max is not None:
        conditions.append(talk <= call_filter.talk_max)
    return tuple(conditions)


def summed_conditions(
    call_filter: CallFilter, entity: type[Call] | type[CallMonth] | type[CallDay] | type[CallTotal]
) -> tuple[ColumnElement[bool], ...]:
    """The conditions on direction, outcome and phone system, which calls and totals both have."""
    conditions: list[ColumnElement[bool]] = []
    if call_filter.directions is not None:
        conditions.append(entity.direction.in_(sorted(call_filter.directions)))
    if call_filter.outcomes is not None:
        conditions.append(entity.outcome.in_(sorted(call_filter.outcomes)))
    if call_filter.pbx_ids:
        conditions.append(entity.pbx_id.in_(call_filter.pbx_ids))
    return tuple(conditions)


def evened(values: Iterable[Value]) -> list[Value]:
    """Values for IN, the last one repeated up to a power of two; sorted.

    A list of each length would be a statement of its own, which sqlite3 keeps prepared: 256 of them took 30 MB.
    """
    listed = sorted(values)
    missing = (1 << max(len(listed) - 1, 0).bit_length()) - len(listed) if listed else 0
    return listed + listed[-1:] * missing


def keep_matching(session: LockedSession, selection: Selection, lines: Sequence[CallLine]) -> list[CallLine]:
    """The calls that pass every test. One statement for each test whose parties are too many to list."""
    kept = list(lines)
    for test in selection.tests:
        members = [tuple(_known_members(test, line, selection.narrowing)) for line in kept]
        ids = test.ids
        if ids is None:
            asked = {party_id for group in members for party_id in group}
            assert test.condition is not None
            ids = frozenset(session.scalars(select(Party.id).where(Party.id.in_(evened(asked)), test.condition)))
        kept = [line for line, group in zip(kept, members, strict=True) if not ids.isdisjoint(group)]
    return kept


def _known_members(test: PartyTest, line: CallLine, narrowing: Narrowing | None) -> Iterable[int]:
    """Without the colleagues of a narrowed reader: an extension that was not theirs on that day is one. (Parties that
    never were theirs the lock keeps from the reader.)
    """
    if narrowing is None:
        return test.members(line)
    theirs = narrowing.party_ids
    return (each for each in test.members(line) if each not in theirs or narrowing.opens(each, line.ms))
