"""The rows of the call log, read by key: a page of calls from a place on, in bounded work.

Never an OFFSET, never a COUNT over calls. What no index serves is looked for window by window (windows.py) until the
rows are enough or the budget is spent; then the page says how far back it has looked and goes on from there.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Select,
    SmallInteger,
    Subquery,
    and_,
    bindparam,
    case,
    func,
    select,
    tuple_,
    type_coerce,
    union,
    union_all,
)

from webapp.calls.colleagues import party_ids_shown, sides_shown
from webapp.calls.models import Call, CallParty
from webapp.calls.outcomes import Direction
from webapp.calls.periods import day_number, local_day
from webapp.calls.selection import CallLine, Selection, columns_of_calls, keep_matching
from webapp.calls.spans import Dated, evened, select_held
from webapp.calls.windows import Budget, Window, list_windows
from webapp.calls.words import (
    COLLEAGUE,
    NOBODY,
    SHOWN_NO_CALLER,
    SHOWN_OUTCOMES,
    ShownOutcome,
    ShownParty,
    show_known_party,
)
from webapp.clock import from_ms, to_ms
from webapp.database.types import Instant
from webapp.destinations.models import Party
from webapp.pagination import NO_KEY, Cursor
from webapp.tenancy.lock import LockedSession, kept
from webapp.tenancy.narrowing import Narrowing

PAGE_ROWS = 50
SEARCH_MS = 50.0  #: after this a page shows what was found so far
PARTY_COLUMNS = (  # of PartyFacts
    Party.id,
    type_coerce(Party.kind, SmallInteger),  # plain numbers: an enum for each costs more than the rest
    Party.e164,
    Party.digits,
    Party.region,
    type_coerce(Party.line_type, SmallInteger),
    Party.name,
    Party.place,
)
_CHUNK = 500  #: calls that are tested at once
_SIZE = bindparam("size", type_=Integer)
Walk = tuple[Select[*tuple[Any, ...]], dict[str, Any]]  #: a statement and the values of its bindparams


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
    walks_parties = selection.driver is not None or selection.walks is not None
    size = _CHUNK if selection.tests or (walks_parties and selection.conditions) else wanted + 1
    place = cursor
    while True:
        if not walks_parties:
            lines = session.rows(*_walk(selection, window, place, size))
            last = _after(lines[-1]) if len(lines) == size else None
        else:
            walk = _walk_parties if selection.walks is None else walk_theirs
            keys = session.execute(*walk(selection, window, place, size)).all()
            last = Cursor(to_ms(keys[-1].started_at), keys[-1].call_key) if len(keys) == size else None
            lines = _lines_of(session, selection, {(to_ms(key.started_at), key.call_key) for key in keys})
        yield _Chunk(keep_matching(session, selection, lines), last)
        if last is None:
            return
        place = last


def _walk(selection: Selection, window: Window, place: Cursor | None, size: int) -> Walk:
    bounds = _bounds(selection, window, place)
    statement = _walk_calls(selection.is_tested, selection.newest_first, frozenset(bounds))
    if selection.conditions:
        statement = statement.where(*selection.conditions)
    return statement, {**bounds, "size": size}


def _walk_parties(selection: Selection, window: Window, place: Cursor | None, size: int) -> Walk:
    assert selection.driver
    bounds = _bounds(selection, window, place)
    statement = select(CallParty.started_at, CallParty.call_key).where(
        *_within(CallParty, selection.newest_first, bounds)
    )
    if len(selection.driver) == 1:
        statement = statement.where(CallParty.party_id == selection.driver[0])
    else:
        statement = statement.where(CallParty.party_id.in_(selection.driver)).distinct()
    return statement.order_by(*_order(CallParty, selection.newest_first)).limit(_SIZE), {**bounds, "size": size}


def walk_theirs(selection: Selection, window: Window, place: Cursor | None, size: int) -> Walk:
    """The calls of `selection.walks`: the first ones of each by its key, put in one order, each call once.

    With the seconds in which these parties talked.
    """
    parts: list[Subquery] = []
    values: dict[str, Any] = {"size": size}
    for number, each in enumerate(selection.walks or ()):
        bounds = _bounds(selection, window.within(each.start, each.end), place)
        values |= {f"{name}{number}": value for name, value in bounds.items()}
        own = select(CallParty.started_at, CallParty.call_key, CallParty.party_id, CallParty.talk_seconds).where(
            CallParty.party_id == each.party_id, *_within(CallParty, selection.newest_first, bounds, str(number))
        )
        parts.append(own.order_by(*_order(CallParty, selection.newest_first)).limit(_SIZE).subquery())
    is_once = len({each.party_id for each in selection.walks or ()}) == len(parts)
    joined = union_all if is_once else union  # days of one party that overlap hold the same row twice
    theirs = joined(*(select(*part.c) for part in parts)).subquery()
    columns = theirs.c.started_at, theirs.c.call_key
    order = (column.desc() if selection.newest_first else column.asc() for column in columns)
    talked = func.sum(theirs.c.talk_seconds).label("talk_seconds")
    return select(*columns, talked).group_by(*columns).order_by(*order).limit(_SIZE), values


def is_call_of(theirs: Subquery) -> ColumnElement[bool]:
    """A Call that walk_theirs() has found."""
    return and_(Call.started_at == theirs.c.started_at, Call.call_key == theirs.c.call_key)


def talk_of_walked(selection: Selection, theirs: Subquery) -> ColumnElement[int] | None:
    """The same as `selection.talk` for a Call joined to its row of walk_theirs(): where all that is a narrowed reader's
    is walked, that row tells it, and call_party is asked no second time.
    """
    if selection.narrowing is None or selection.walks != selection.narrowing.windows:
        return selection.talk
    return case((theirs.c.talk_seconds < Call.talk_seconds, theirs.c.talk_seconds), else_=Call.talk_seconds)


@cache
def _walk_calls(tested: bool, newest_first: bool, bounds: frozenset[str]) -> Select[*tuple[Any, ...]]:
    """Calls in the order of the page, within these bounds."""
    statement = select(*columns_of_calls(tested)).where(*_within(Call, newest_first, bounds))
    return kept(statement.order_by(*_order(Call, newest_first)).limit(_SIZE))


def _lines_of(session: LockedSession, selection: Selection, keys: set[tuple[int, int]]) -> Sequence[CallLine]:
    """The calls with these keys that meet the conditions, in the order of the page.

    Asked by their instants: for a list of call_key, or of pairs, SQLite reads all calls as long as nothing is analysed.
    """
    if not keys:
        return []
    at_once = Call.started_at.in_(evened({from_ms(ms) for ms, _key in keys}))
    columns = columns_of_calls(selection.is_tested, selection.talk)
    rows = session.execute(select(*columns).where(at_once, *selection.conditions)).all()
    found = [line for line in rows if (line.ms, line.call_key) in keys]
    return sorted(found, key=lambda line: (line.ms, line.call_key), reverse=selection.newest_first)


def _bounds(selection: Selection, window: Window, place: Cursor | None) -> dict[str, Any]:
    """The window from the place on, by the names in _within.

    One bound a side: of two, SQLite may walk by the farther one.
    """
    start, end = window
    bounds: dict[str, Any] = {}
    if place is not None:
        at = from_ms(place.ms)
        if selection.newest_first and (end is None or at < end):
            bounds, end = {"at": at, "key": place.key}, None
        elif not selection.newest_first and (start is None or at >= start):
            bounds, start = {"at": at, "key": place.key}, None
    if start is not None:
        bounds["start"] = start
    if end is not None:
        bounds["end"] = end
    return bounds


def _within(
    entity: type[Call] | type[CallParty], newest_first: bool, bounds: Collection[str], number: str = ""
) -> Iterator[ColumnElement[bool]]:
    """The conditions on the bounds that are given; `at` and `key` are those of the row before.

    `number` tells the values of several walks in one statement apart.
    """
    if "at" in bounds:
        key = tuple_(entity.started_at, entity.call_key)
        edge = tuple_(bindparam(f"at{number}", type_=Instant), bindparam(f"key{number}", type_=BigInteger))
        yield key < edge if newest_first else key > edge
    if "start" in bounds:
        yield entity.started_at >= bindparam(f"start{number}", type_=Instant)
    if "end" in bounds:
        yield entity.started_at < bindparam(f"end{number}", type_=Instant)


def _order(entity: type[Call] | type[CallParty], newest_first: bool) -> tuple[ColumnElement[Any], ...]:
    if newest_first:
        return entity.started_at.desc(), entity.call_key.desc()
    return entity.started_at.asc(), entity.call_key.asc()


def show_lines(session: LockedSession, selection: Selection, region: str, lines: Sequence[CallLine]) -> list[CallRow]:
    """The calls as pages show them; their parties are read in one statement."""
    parties = find_parties(session, selection, region, lines)
    return [_row(selection, selection.narrowing, line, parties) for line in lines]


def show_keys(
    session: LockedSession, selection: Selection, region: str, keys: set[tuple[int, int]]
) -> dict[int, CallRow]:
    """The calls with these keys (ms, call_key) that the reader may see, by call_key."""
    lines = _lines_of(session, selection, keys)
    return {row.call_key: row for row in show_lines(session, selection, region, lines)}


def _row(selection: Selection, narrowing: Narrowing | None, line: CallLine, parties: Dated[ShownParty]) -> CallRow:
    # Taken apart at once: each look at a column by its name costs as much as a column.
    ms, call_key, pbx_id, direction, outcome, caller_id, _reason, reached_id, ring_seconds, talk_seconds, *_tested = (
        line
    )
    started_at = from_ms(ms)
    unknown = NOBODY
    if narrowing is not None:
        caller_id, reached_id = sides_shown(line, narrowing, parties)
        unknown = NOBODY if reached_id is None else COLLEAGUE
    return CallRow(
        call_key,
        started_at,
        day_number(local_day(started_at, selection.zone)),
        pbx_id,
        *SHOWN_OUTCOMES[direction, outcome],
        parties.at(caller_id, ms) or _no_caller(selection, line),
        parties.at(reached_id, ms) or unknown,
        ring_seconds,
        talk_seconds,
    )


def _no_caller(selection: Selection, line: CallLine) -> ShownParty:
    if selection.narrowing is not None and line.caller_id is not None:
        return COLLEAGUE
    return SHOWN_NO_CALLER[line.caller_reason]


def find_parties(
    session: LockedSession, selection: Selection, region: str, lines: Sequence[CallLine]
) -> Dated[ShownParty]:
    """The parties that the rows of these calls show, by id; to a narrowed reader none of their colleagues."""
    found: Dated[ShownParty] = Dated()
    ids = party_ids_shown(lines, selection.narrowing)
    if ids:
        listed, masked = evened(ids), selection.reader.is_masked
        rows = session.rows(_parties_of(len(listed)), dict(zip(_id_names(len(listed)), listed, strict=True)))
        found.learn(rows, lambda facts: show_known_party(facts, region, masked))
    return found


@cache
def _parties_of(count: int) -> Select[*tuple[Any, ...]]:
    """So many parties by their ids; evened() sees to it that there are few such statements."""
    ids = [bindparam(name, type_=BigInteger) for name in _id_names(count)]
    return kept(select_held(*PARTY_COLUMNS).where(Party.id.in_(ids)))


@cache
def _id_names(count: int) -> tuple[str, ...]:
    return tuple(f"id{place}" for place in range(count))
