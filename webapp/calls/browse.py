"""The rows of the call log, read by key: a page of calls from a place on, in bounded work.

Never an OFFSET, never a COUNT over calls. What no index serves is looked for window by window (windows.py) until the
rows are enough or the budget is spent; then the page says how far back it has looked and goes on from there.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, ColumnElement, Select, literal, select, tuple_

from webapp.calls.models import Call, CallerReason, CallParty
from webapp.calls.outcomes import Direction, Outcome
from webapp.calls.periods import day_number, local_day
from webapp.calls.selection import CallLine, Selection, evened, keep_matching
from webapp.calls.windows import Budget, Window, list_windows
from webapp.calls.words import NOBODY, ShownOutcome, ShownParty, show_caller, show_outcome, show_party
from webapp.clock import from_ms, to_ms
from webapp.database.types import Instant
from webapp.destinations.models import Party
from webapp.pagination import NO_KEY, Cursor
from webapp.tenancy.lock import LockedSession

PAGE_ROWS = 50
SEARCH_MS = 50.0  #: after this a page shows what was found so far
_PARTY_COLUMNS = (Party.id, Party.kind, Party.e164, Party.digits, Party.region, Party.line_type, Party.name)
_CHUNK = 500  #: calls that are tested at once


class CallRow(NamedTuple):
    """One call as the log shows it."""

    call_key: int
    started_at: datetime
    day: int  #: local, days since 1970-01-01
    pbx_id: int
    direction: Direction
    outcome: ShownOutcome
    caller: ShownParty
    reached: ShownParty
    ring_seconds: int
    talk_seconds: int


@dataclass(frozen=True)
class LinePage:
    """Calls as they are stored, in the order of the page.

    `next_cursor`: where to go on, None when there is nothing more. `searched_to`: how far was looked when the budget
    was spent before the rows were enough.
    """

    lines: Sequence[CallLine]
    next_cursor: Cursor | None
    searched_to: datetime | None = None


@dataclass(frozen=True)
class CallPage:
    """A page of the call log; the rest as LinePage has it. `lines` are the rows as they are stored."""

    rows: Sequence[CallRow]
    next_cursor: Cursor | None
    searched_to: datetime | None = None
    lines: Sequence[CallLine] = ()


def page_of_calls(
    session: LockedSession,
    selection: Selection,
    region: str,
    cursor: Cursor | None = None,
    limit: int = PAGE_ROWS,
    budget: Budget | None = None,
) -> CallPage:
    """At most `limit` calls after the cursor, ready to be shown."""
    page = page_of_lines(session, selection, cursor, limit, budget or Budget(SEARCH_MS))
    return CallPage(show_lines(session, selection, region, page.lines), page.next_cursor, page.searched_to, page.lines)


def page_of_lines(
    session: LockedSession, selection: Selection, cursor: Cursor | None, limit: int, budget: Budget
) -> LinePage:
    """At most `limit` calls after the cursor."""
    found: list[CallLine] = []
    edge: datetime | None = None
    for window in list_windows(session, selection, cursor):
        if budget.spent and edge is not None:
            return _interrupted(found, limit, Cursor(to_ms(edge), NO_KEY))
        for chunk in _chunks(session, selection, window, cursor, limit - len(found)):
            found += chunk.lines
            if len(found) > limit:
                return LinePage(found[:limit], _after(found[limit - 1]))
            if budget.spent and chunk.last is not None:
                return _interrupted(found, limit, chunk.last)
        edge = window.start if selection.newest_first else window.end
    return LinePage(found, None)


def _interrupted(found: list[CallLine], limit: int, place: Cursor) -> LinePage:
    if len(found) >= limit:
        return LinePage(found, _after(found[-1]))
    return LinePage(found, place, searched_to=from_ms(place.ms))


def _after(line: CallLine) -> Cursor:
    return Cursor(line.ms, line.call_key)


@dataclass(frozen=True)
class _Chunk:
    lines: Sequence[CallLine]
    last: Cursor | None  #: of the last call looked at; None when the window has no more


def _chunks(
    session: LockedSession, selection: Selection, window: Window, cursor: Cursor | None, wanted: int
) -> Iterator[_Chunk]:
    """The matching calls of one window, as many at a time as are wanted or, where they must be tested, a chunk."""
    size = _CHUNK if selection.tests or (selection.driver is not None and selection.conditions) else wanted + 1
    place = cursor
    while True:
        if selection.driver is None:
            lines = session.execute(_walk(selection, window, place, size)).all()
            last = _after(lines[-1]) if len(lines) == size else None
        else:
            keys = session.execute(_walk_parties(selection, window, place, size)).all()
            last = Cursor(to_ms(keys[-1].started_at), keys[-1].call_key) if len(keys) == size else None
            lines = _lines_of(session, selection, {(to_ms(key.started_at), key.call_key) for key in keys})
        yield _Chunk(keep_matching(session, selection.tests, lines), last)
        if last is None:
            return
        place = last


def _walk(selection: Selection, window: Window, place: Cursor | None, size: int) -> Select[*tuple[Any, ...]]:
    statement = select(*selection.columns).where(*_bounds(Call, selection, window, place), *selection.conditions)
    return statement.order_by(*_order(Call, selection)).limit(size)


def _walk_parties(selection: Selection, window: Window, place: Cursor | None, size: int) -> Select[*tuple[Any, ...]]:
    assert selection.driver
    statement = select(CallParty.started_at, CallParty.call_key).where(*_bounds(CallParty, selection, window, place))
    if len(selection.driver) == 1:
        statement = statement.where(CallParty.party_id == selection.driver[0])
    else:
        statement = statement.where(CallParty.party_id.in_(selection.driver)).distinct()
    return statement.order_by(*_order(CallParty, selection)).limit(size)


def _lines_of(session: LockedSession, selection: Selection, keys: set[tuple[int, int]]) -> Sequence[CallLine]:
    """The calls with these keys that meet the conditions, in the order of the page.

    Asked by their instants: for a list of call_key, or of pairs, SQLite reads all calls as long as nothing is analysed.
    """
    if not keys:
        return []
    at_once = Call.started_at.in_(evened({from_ms(ms) for ms, _key in keys}))
    rows = session.execute(select(*selection.columns).where(at_once, *selection.conditions)).all()
    found = [line for line in rows if (line.ms, line.call_key) in keys]
    return sorted(found, key=lambda line: (line.ms, line.call_key), reverse=selection.newest_first)


def _bounds(
    entity: type[Call] | type[CallParty], selection: Selection, window: Window, place: Cursor | None
) -> Iterator[ColumnElement[bool]]:
    """The window from the place on. One bound a side: of two, SQLite may walk by the farther one."""
    start, end = window
    if place is not None:
        key = tuple_(entity.started_at, entity.call_key)
        at = from_ms(place.ms)
        edge = tuple_(literal(at, Instant), literal(place.key, BigInteger))
        if selection.newest_first and (end is None or at < end):
            yield key < edge
            end = None
        elif not selection.newest_first and (start is None or at >= start):
            yield key > edge
            start = None
    if start is not None:
        yield entity.started_at >= start
    if end is not None:
        yield entity.started_at < end


def _order(entity: type[Call] | type[CallParty], selection: Selection) -> tuple[ColumnElement[Any], ...]:
    if selection.newest_first:
        return entity.started_at.desc(), entity.call_key.desc()
    return entity.started_at.asc(), entity.call_key.asc()


def show_lines(session: LockedSession, selection: Selection, region: str, lines: Sequence[CallLine]) -> list[CallRow]:
    """The calls as pages show them; their parties are read in one statement."""
    parties = find_parties(session, region, lines)
    return [_row(selection, line, parties) for line in lines]


def _row(selection: Selection, line: CallLine, parties: Mapping[int | None, ShownParty]) -> CallRow:
    started_at = from_ms(line.ms)
    direction = Direction(line.direction)
    return CallRow(
        call_key=line.call_key,
        started_at=started_at,
        day=day_number(local_day(started_at, selection.zone)),
        pbx_id=line.pbx_id,
        direction=direction,
        outcome=show_outcome(direction, Outcome(line.outcome)),
        caller=show_caller(parties.get(line.caller_id), CallerReason(line.caller_reason)),
        reached=parties.get(line.reached_id, NOBODY),
        ring_seconds=line.ring_seconds,
        talk_seconds=line.talk_seconds,
    )


def find_parties(session: LockedSession, region: str, lines: Iterable[CallLine]) -> dict[int | None, ShownParty]:
    """The parties that the rows of these calls show, by id."""
    ids = {party_id for line in lines for party_id in (line.caller_id, line.reached_id) if party_id is not None}
    if not ids:
        return {}
    return {
        party.id: show_party(party, region)
        for party in session.execute(select(*_PARTY_COLUMNS).where(Party.id.in_(evened(ids))))
    }
