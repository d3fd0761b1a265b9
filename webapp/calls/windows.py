"""Stretches of time in which a selection is looked for, each of bounded work, in the order of the page.

call_day and call_total (party_total for single parties) tell how many calls a day or quarter hour holds: days without
a match are jumped over, busy ones are cut. Used by browse.py and totals.py.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Select, and_, case, func, select, true

from webapp.calls.models import CallDay, CallTotal, PartyTotal
from webapp.calls.periods import day_number, day_of_number, day_start, local_day
from webapp.calls.selection import Selection, knows_party_days, summed_conditions
from webapp.clock import from_ms, now, to_ms
from webapp.pagination import NO_KEY, Cursor
from webapp.tenancy.lock import LockedSession

MOST_CALLS = 20_000  #: looked at in one window
MOST_CALLS_OF_PARTIES = 2_000  #: where the calls of several parties are sorted into one order
_DAYS_AT_ONCE = 120
_FIRST_STRETCH_DAYS = 30  #: of which the days of several parties are summed first
_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
_FIRST_STRETCH = timedelta(days=30)
_OLDEST_STRETCH = timedelta(days=180)
_SLOT_MS = 900_000
_SLOT = timedelta(milliseconds=_SLOT_MS)


class Window(NamedTuple):
    """start <= instant < end. None: no bound there."""

    start: datetime | None
    end: datetime | None

    def within(self, start: datetime | None, end: datetime | None) -> "Window":
        """What of it lies between these."""
        starts = [each for each in (self.start, start) if each is not None]
        ends = [each for each in (self.end, end) if each is not None]
        return Window(max(starts, default=None), min(ends, default=None))


@dataclass
class Budget:
    """Time for a search; at least one step is always made, so that going on gets further."""

    milliseconds: float

    def __post_init__(self) -> None:
        self._until = time.monotonic() + self.milliseconds / 1000

    @property
    def spent(self) -> bool:
        return time.monotonic() >= self._until


class _Day(NamedTuple):
    day: int
    calls: int  #: to be looked at


def list_windows(session: LockedSession, selection: Selection, cursor: Cursor | None) -> Iterator[Window]:
    """The windows of a selection from the cursor on (None: from its beginning), lazily."""
    if selection.is_empty:
        return
    bounds = _bounds(selection, cursor)
    if selection.is_direct or selection.walks is not None:
        yield bounds  # the walk itself goes by keys
        return
    stretches = _newest_stretches if selection.newest_first else _oldest_stretches
    if selection.narrowing is not None:
        yield from stretches(bounds)
        return
    if selection.driver is not None and not knows_party_days(session):
        yield from stretches(_within_all_days(session, selection, bounds))
        return
    most = MOST_CALLS if selection.driver is None else MOST_CALLS_OF_PARTIES
    run: list[_Day] = []
    calls = 0  #: of the run; many quiet days make a long one
    for day in _days(session, selection, bounds):
        apart = bool(run) and abs(day.day - run[-1].day) != 1 and selection.driver is None
        if run and (apart or calls + day.calls > most):
            yield _of_days(run, bounds, selection)
            run, calls = [], 0
        if day.calls > MOST_CALLS and selection.driver is None:
            yield from _within_day(session, selection, day, bounds)
        else:
            run.append(day)
            calls += day.calls
    if run:
        yield _of_days(run, bounds, selection)


def _newest_stretches(bounds: Window) -> Iterator[Window]:
    """Backwards, each stretch twice as long as the one after it: where no total may tell what a day holds."""
    end, length = bounds.end, _FIRST_STRETCH
    start = (end or now()) - length
    while start > _LONG_AGO and (bounds.start is None or start > bounds.start):
        yield Window(start, end)
        end, length = start, length * 2
        start = end - length if end - _LONG_AGO > length else _LONG_AGO
    yield Window(bounds.start, end)


def _oldest_stretches(bounds: Window) -> Iterator[Window]:
    """Forwards, all of one length: nobody knows where the first call is."""
    start, last = bounds.start, min(bounds.end or now(), now())
    end = max(start or _LONG_AGO, _LONG_AGO) + _OLDEST_STRETCH
    while end < last:
        yield Window(start, end)
        start, end = end, end + _OLDEST_STRETCH
    yield Window(start, bounds.end)


def _within_all_days(session: LockedSession, selection: Selection, bounds: Window) -> Window:
    """What of it lies between the first and the last day with calls, whosesoever."""
    oldest, newest = _edges(session)
    if oldest is None or newest is None:
        return bounds
    first, after = (day_start(day_of_number(day), selection.zone) for day in (oldest, newest + 1))
    return bounds.within(first, after)


def _edges(session: LockedSession) -> tuple[int | None, int | None]:
    """The first and the last day with calls."""
    # Two statements: asked for both at once, SQLite reads every key.
    return session.scalar(select(func.min(CallDay.day))), session.scalar(select(func.max(CallDay.day)))


def _bounds(selection: Selection, cursor: Cursor | None) -> Window:
    """The period, from the cursor on. Its own instant stays inside, if it is a row's: the row's key decides there."""
    start, end = selection.period.start, selection.period.end
    if cursor is not None and selection.newest_first:
        edge = from_ms(cursor.ms if cursor.key == NO_KEY else cursor.ms + 1)
        end = edge if end is None else min(end, edge)
    elif cursor is not None:
        edge = from_ms(cursor.ms)
        start = edge if start is None else max(start, edge)
    if start is not None and end is not None and start > end:  # a cursor of another period
        end = start
    return Window(start, end)


def _days(session: LockedSession, selection: Selection, bounds: Window) -> Iterator[_Day]:
    """Local days with matches, in the order of the page, read some at a time."""
    first = None if bounds.start is None else day_number(local_day(bounds.start, selection.zone))
    last = None if bounds.end is None else day_number(local_day(bounds.end - timedelta(milliseconds=1), selection.zone))
    if selection.driver is not None and len(selection.driver) > 1:
        yield from _days_of_parties(session, selection, first, last)
        return
    while True:
        rows = session.execute(_day_statement(selection, first, last).limit(_DAYS_AT_ONCE)).all()
        yield from (_Day(row.day, int(row.calls)) for row in rows)
        if len(rows) < _DAYS_AT_ONCE:
            return
        if selection.newest_first:
            last = rows[-1].day - 1
        else:
            first = rows[-1].day + 1


def _days_of_parties(
    session: LockedSession, selection: Selection, first: int | None, last: int | None
) -> Iterator[_Day]:
    """The same where several parties are asked for, a stretch of days at a time, longer ones while these hold little.

    No key has their days in one order: a LIMIT alone would sum and sort all that these parties ever did.
    """
    oldest, newest = _edges(session)
    if oldest is None or newest is None:
        return
    first = oldest if first is None else max(first, oldest)
    last = newest if last is None else min(last, newest)
    stretch = _FIRST_STRETCH_DAYS
    while first <= last:
        if selection.newest_first:
            rows = session.execute(_day_statement(selection, max(first, last - stretch + 1), last)).all()
            last -= stretch
        else:
            rows = session.execute(_day_statement(selection, first, min(last, first + stretch - 1))).all()
            first += stretch
        yield from (_Day(row.day, int(row.calls)) for row in rows)
        if sum(int(row.calls) for row in rows) < MOST_CALLS_OF_PARTIES:
            stretch *= 2


def _day_statement(selection: Selection, first: int | None, last: int | None) -> Select[*tuple[Any, ...]]:
    entity = CallDay if selection.driver is None else PartyTotal
    statement = select(entity.day, func.sum(entity.calls).label("calls")).group_by(entity.day)
    if first is not None:
        statement = statement.where(entity.day >= first)
    if last is not None:
        statement = statement.where(entity.day <= last)
    if selection.driver is not None:
        statement = statement.where(PartyTotal.party_id.in_(selection.driver))
    else:
        matching = and_(true(), *summed_conditions(selection.call_filter, CallDay))
        statement = statement.having(func.sum(case((matching, CallDay.calls), else_=0)) > 0)
    return statement.order_by(entity.day.desc() if selection.newest_first else entity.day)


def _of_days(run: list[_Day], bounds: Window, selection: Selection) -> Window:
    first, last = sorted((run[0].day, run[-1].day))
    start = day_start(day_of_number(first), selection.zone)
    return _clipped(start, day_start(day_of_number(last + 1), selection.zone), bounds)


def _within_day(session: LockedSession, selection: Selection, day: _Day, bounds: Window) -> Iterator[Window]:
    """The windows of a day with very many calls: quarter hours, joined up to MOST_CALLS."""
    begins = day_start(day_of_number(day.day), selection.zone)
    whole = _clipped(begins, day_start(day_of_number(day.day + 1), selection.zone), bounds)
    assert whole.start is not None
    assert whole.end is not None
    first, last = to_ms(whole.start) // _SLOT_MS, (to_ms(whole.end) - 1) // _SLOT_MS
    matching = and_(true(), *summed_conditions(selection.call_filter, CallTotal))
    rows = session.execute(
        select(CallTotal.slot, func.sum(CallTotal.calls).label("calls"))
        .where(CallTotal.slot.between(first, last))
        .group_by(CallTotal.slot)
        .having(func.sum(case((matching, CallTotal.calls), else_=0)) > 0)
        .order_by(CallTotal.slot.desc() if selection.newest_first else CallTotal.slot)
    ).all()
    run: list[Any] = []
    for row in rows:
        if run and (abs(row.slot - run[-1].slot) != 1 or sum(other.calls for other in run) + row.calls > MOST_CALLS):
            yield _of_slots(run, bounds)
            run = []
        run.append(row)
    if run:
        yield _of_slots(run, bounds)


def _of_slots(run: list[Any], bounds: Window) -> Window:
    first, last = sorted((run[0].slot, run[-1].slot))
    return _clipped(from_ms(first * _SLOT_MS), from_ms(last * _SLOT_MS) + _SLOT, bounds)


def _clipped(start: datetime, end: datetime, bounds: Window) -> Window:
    return Window(
        start if bounds.start is None else max(start, bounds.start),
        end if bounds.end is None else min(end, bounds.end),
    )
