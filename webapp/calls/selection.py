"""A CallFilter made ready to be asked: its words resolved to parties, its conditions as SQL.

Made once a request (an export: once a chunk) by select_calls(); read by windows.py, browse.py and totals.py.
"""

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from sqlalchemy import BigInteger, ColumnElement, Row, SmallInteger, bindparam, func, select, type_coerce
from sqlalchemy.orm import InstrumentedAttribute

from webapp.calls.filters import CallFilter
from webapp.calls.models import Call, CallDay, CallMonth, CallTotal
from webapp.calls.own_talk import own_talk
from webapp.calls.periods import Period
from webapp.calls.searches import MeantBy, SearchWords
from webapp.calls.spans import MOST_PARTIES, HeldBy, Spans, find_spans
from webapp.database.types import Milliseconds
from webapp.tenancy.lock import LockedSession, kept
from webapp.tenancy.models import Organization
from webapp.tenancy.narrowing import Narrowing, PartyDays
from webapp.tenancy.reader import Reader

MOST_WALKS = 8  #: stretches of time of parties that are walked by their keys at once
_MOVED_TO = kept(
    select(Organization.moved_party_id).where(Organization.id == bindparam("organization", type_=BigInteger))
)

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


class Meaning(Protocol):
    """What somebody asked for, of some parties at a time."""

    def among(self, session: LockedSession, party_ids: Iterable[int]) -> Spans: ...


@dataclass(frozen=True)
class PartyTest:
    """Calls in which one of these parties took that part while it is meant. `spans`: None for too many to list."""

    part: Part
    spans: Spans | None
    meaning: Meaning | None = None

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

    `walks`: the stretches of time of some parties, whose calls are walked instead, each by its key: those of a narrowed
    reader (None where a party that is not theirs drives), else what is asked for, where it has a beginning or an end.
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
        is_bare = not self.conditions and not self.tests and self.walks is None
        return is_bare and alone and self.narrowing is None


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
        return _select_of_narrowed(session, call_filter, words, zone, region, reader)
    tests = []
    if call_filter.party_id is not None:
        tests.append(PartyTest(Part.ANYONE, Spans.always([call_filter.party_id])))
    if call_filter.destination_id is not None:
        tests.append(_of_destination(session, call_filter.destination_id))
    for part, meant in _meanings(words, region, reader):
        tests.append(PartyTest(part, meant.find(session, MOST_PARTIES), meant))
    listed = [(test.spans, test) for test in tests if test.spans is not None]
    spans, driver = min(listed, key=lambda each: len(each[0].party_ids), default=(None, None))
    walks = None
    if spans is not None and driver is not None and driver.part is Part.ANYONE:
        walks = spans.windows if spans.are_dated and len(spans.windows) <= MOST_WALKS else None
        if walks is not None or not spans.are_dated:
            tests.remove(driver)  # its call_party rows are the answer; nothing is left to test
    return Selection(
        call_filter=call_filter,
        zone=zone,
        conditions=_call_conditions(call_filter),
        reader=reader,
        driver=None if spans is None or walks is not None else tuple(sorted(spans.party_ids)),
        tests=tuple(tests),
        walks=walks,
    )


def _select_of_narrowed(
    session: LockedSession,
    call_filter: CallFilter,
    words: SearchWords | None,
    zone: ZoneInfo,
    region: str,
    reader: Reader,
) -> Selection:
    """The calls of their parties are walked. What is searched for is tested call by call: a list of parties would
    have to look through calls that are not theirs.
    """
    assert reader.narrowing is not None
    theirs = reader.narrowing.party_ids
    walks: tuple[PartyDays, ...] | None = reader.narrowing.windows
    driver: tuple[int, ...] | None = None
    tests = [PartyTest(part, None, meant) for part, meant in _meanings(words, region, reader)]
    if call_filter.party_id in theirs:
        walks = tuple(each for each in reader.narrowing.windows if each.party_id == call_filter.party_id)
    elif call_filter.party_id is not None:
        walks, driver = None, (call_filter.party_id,)
    if call_filter.destination_id is not None:
        test = _of_destination(session, call_filter.destination_id, reader.narrowing)
        if test.spans is not None and theirs.issuperset(test.spans.party_ids) and call_filter.party_id is None:
            walks = test.spans.windows
        else:
            tests.append(test)
    talk = own_talk(reader.narrowing)
    return Selection(
        call_filter=call_filter,
        zone=zone,
        conditions=_call_conditions(call_filter, talk),
        reader=reader,
        driver=driver,
        tests=tuple(tests),
        walks=walks,
        talk=talk,
    )


def _of_destination(session: LockedSession, destination_id: int, narrowing: Narrowing | None = None) -> PartyTest:
    """Its parties while they are its, in the days that a narrowed reader may ask for."""
    spans = find_spans(session, destination_id, MOST_PARTIES)
    return PartyTest(Part.ANYONE, None if spans is None else spans.opened_to(narrowing), HeldBy(destination_id))


def knows_party_days(session: LockedSession) -> bool:
    """Whether party_total is all of the organization's zone: not while a change of it is under way."""
    [(moved_to,)] = session.rows(_MOVED_TO, {"organization": session.organization_id})
    return moved_to is None


def _meanings(words: SearchWords | None, region: str, reader: Reader) -> list[tuple[Part, MeantBy]]:
    if words is None:
        return []
    parts = ((Part.ANYONE, words.search), (Part.CALLER, words.caller), (Part.CALLEE, words.callee))
    return [(part, MeantBy(text, region, reader)) for part, text in parts if text]


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


def keep_matching(session: LockedSession, selection: Selection, lines: Sequence[CallLine]) -> list[CallLine]:
    """The calls that pass every test. One statement for each test whose parties are too many to list."""
    kept = list(lines)
    for test in selection.tests:
        members = [tuple(_known_members(test, line, selection.narrowing)) for line in kept]
        spans = test.spans
        if spans is None:
            assert test.meaning is not None
            spans = test.meaning.among(session, {party_id for group in members for party_id in group})
        meant = spans.party_ids
        kept = [
            line
            for line, group in zip(kept, members, strict=True)
            if any(each in meant and spans.hold(each, line.ms) for each in group)
        ]
    return kept


def _known_members(test: PartyTest, line: CallLine, narrowing: Narrowing | None) -> Iterable[int]:
    """Without the colleagues of a narrowed reader: an extension that was not theirs on that day is one. (Parties that
    never were theirs the lock keeps from the reader.)
    """
    if narrowing is None:
        return test.members(line)
    theirs = narrowing.party_ids
    return (each for each in test.members(line) if each not in theirs or narrowing.opens(each, line.ms))
