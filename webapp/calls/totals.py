"""The figures of exactly one selection: calls, how outside calls in ended, talk time.

From call_month and call_day for whole local months and days and call_total for the edges where these know the
answer, from party_total for one single party; else found in bounded slices and labelled so. Read by the call log and
its export.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import date, datetime
from enum import IntEnum
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    FunctionElement,
    Select,
    and_,
    bindparam,
    func,
    literal_column,
    null,
    select,
    union_all,
)
from sqlalchemy.orm import InstrumentedAttribute

from webapp.calls.browse import CallPage, page_of_lines, walk_theirs
from webapp.calls.filters import CallFilter
from webapp.calls.models import Call, CallDay, CallMonth, CallParty, CallTotal, PartyTotal
from webapp.calls.outcomes import MISSED_OUTCOMES, Direction, Outcome
from webapp.calls.periods import day_number, day_of_number, day_start, local_day, month_number, month_start
from webapp.calls.selection import CallLine, Selection, summed_conditions
from webapp.calls.windows import Budget, Window, list_windows
from webapp.clock import from_ms, to_ms
from webapp.pagination import Cursor
from webapp.tenancy.lock import LockedSession, kept
from webapp.tenancy.narrowing import PartyDays

COUNTED_AT_MOST = 10_000  #: where no total knows the answer
COUNT_MS = 15.0
COUNT_NARROWED_MS = 40.0  #: no total may tell a narrowed reader anything
_SLOT_MS = 900_000
_MONTHS_WORTH_IT = 3
_CHUNK = 500


@dataclass(frozen=True)
class Figures:
    """Sums over calls. answered + voicemail + missed + unknown = inbound, always."""

    calls: int = 0
    talk_seconds: int = 0
    answered_anyway: int = 0  #: by a person, in any direction
    inbound: int = 0
    answered: int = 0  #: inbound, by a person
    voicemail: int = 0
    missed: int = 0
    unknown: int = 0

    def plus(self, row: Iterable[Any]) -> "Figures":
        """With the row of another sum over other calls; NULL counts as nothing."""
        return Figures(*(here + int(more or 0) for here, more in zip(astuple(self), row, strict=True)))


@dataclass(frozen=True)
class Totals:
    """The figures of a selection.

    `counted_to`: they reach only so far (the budget was spent, or COUNTED_AT_MOST met: `more`). `sides_known` is
    False where only calls, answered, missed and talk time are known (one single party).
    """

    figures: Figures
    counted_to: datetime | None = None
    more: bool = False
    sides_known: bool = True

    @property
    def exact(self) -> bool:
        return self.counted_to is None and not self.more


Summed = type[CallMonth] | type[CallDay] | type[CallTotal]
Sums = Select[*tuple[Any, ...]]
_WHEN: Mapping[type, InstrumentedAttribute[int]] = {
    CallMonth: CallMonth.month,
    CallDay: CallDay.day,
    CallTotal: CallTotal.slot,
}


class _Stretch(NamedTuple):
    """The months, days or slots from `first` to `last`, both included, None for no bound: in one sum, or each day."""

    entity: Summed
    first: int | None
    last: int | None
    by_day: bool = False

    @property
    def bounds(self) -> dict[str, int]:
        """Those that are given, by the names of their parameters."""
        return {name: value for name, value in (("first", self.first), ("last", self.last)) if value is not None}


def has_calls(session: LockedSession) -> bool:
    """Whether any call is summed by the days of the organization."""
    return session.scalars(select(CallDay.day).limit(1)).first() is not None


def total_calls(session: LockedSession, selection: Selection, budget: Budget | None = None) -> Totals:
    """The totals of a selection, from the cheapest place that knows them."""
    if selection.is_empty:
        return Totals(Figures())
    if selection.is_summed:
        return Totals(_read_sums(session, selection, list(_stretches(selection)))[0])
    if selection.is_direct and selection.call_filter.party_id is not None and not selection.period.has_edges:
        return Totals(_of_party(session, selection), sides_known=False)
    if selection.narrowing is not None:
        if selection.walks and not selection.tests and not selection.conditions:
            return _counted_at_once(session, selection)
        return _counted_by_chunks(session, selection, budget or Budget(COUNT_NARROWED_MS))
    budget = budget or Budget(COUNT_MS)
    if selection.driver is None and not selection.tests:
        return _counted_by_windows(session, selection, budget)
    return _counted_by_chunks(session, selection, budget)


def total_page(session: LockedSession, selection: Selection, page: CallPage) -> tuple[Totals, Mapping[int, Figures]]:
    """The totals beside the first page of a selection, and of the days on it as count_by_day() has them.

    What this page has found anyway is not looked for again.
    """
    if selection.is_summed and not selection.is_empty:
        days = _days_apart(selection, {row.day for row in page.rows})
        whole, by_day = _read_sums(session, selection, [*_stretches(selection), *days])
        return Totals(whole), by_day
    if page.next_cursor is not None and page.searched_to is None:
        return total_calls(session, selection), {}
    return Totals(_figures_of_lines(page.lines), counted_to=page.searched_to), {}


def count_by_day(session: LockedSession, selection: Selection, days: Iterable[int]) -> Mapping[int, Figures]:
    """The figures of single local days of the selection; empty where call_day cannot tell them."""
    stretches = _days_apart(selection, set(days))
    return _read_sums(session, selection, stretches)[1] if stretches else {}


def _days_apart(selection: Selection, days: Collection[int]) -> list[_Stretch]:
    """From the first to the last of these days, each by itself; none where call_day cannot tell them."""
    if not days or not selection.is_summed or selection.period.has_edges:
        return []
    return [_Stretch(CallDay, min(days), max(days), by_day=True)]


def find_nearest_day(session: LockedSession, selection: Selection) -> date | None:
    """The last local day with matching calls before an empty period, else the first one after it.

    Looked up in the totals; conditions that these do not know are left out.
    """
    if selection.narrowing is not None:
        return _find_nearest_call(session, selection)
    period, zone = selection.period, selection.zone
    entity: type[CallDay] | type[PartyTotal]
    if selection.driver is None:
        entity, conditions = CallDay, summed_conditions(selection.call_filter, CallDay)
    else:
        entity, conditions = PartyTotal, (PartyTotal.party_id.in_(selection.driver),)
    found: int | None = None
    if period.start is not None:
        before = entity.day < day_number(local_day(period.start, zone))
        found = session.scalar(select(func.max(entity.day)).where(before, *conditions))
    if found is None and period.end is not None:
        after = entity.day >= day_number(local_day(period.end, zone))
        found = session.scalar(select(func.min(entity.day)).where(after, *conditions))
    return None if found is None else day_of_number(found)


def _windows_of(selection: Selection) -> Iterable[PartyDays]:
    """The parties whose calls are asked for; those of the reader in their days only."""
    assert selection.narrowing is not None
    if selection.driver is None:
        return selection.walks or ()
    theirs = selection.narrowing.windows
    own = {party_id: [each for each in theirs if each.party_id == party_id] for party_id in selection.driver}
    return [each for party_id, windows in own.items() for each in windows or [PartyDays(party_id)]]


def _calls_within(window: PartyDays) -> Select[datetime]:
    """When the calls of a party start, in its days: one of them."""
    statement = select(CallParty.started_at).where(CallParty.party_id == window.party_id).limit(1)
    if window.start is not None:
        statement = statement.where(CallParty.started_at >= window.start)
    return statement if window.end is None else statement.where(CallParty.started_at < window.end)


def _find_nearest_call(session: LockedSession, selection: Selection) -> date | None:
    """The same for a narrowed reader, among the calls themselves."""
    period = selection.period
    theirs = [_calls_within(each) for each in _windows_of(selection)]
    found: list[datetime] = []
    if period.start is not None:
        for own in theirs:
            before = own.where(CallParty.started_at < period.start)
            found += session.scalars(before.order_by(CallParty.started_at.desc()))
    if not found and period.end is not None:
        for own in theirs:
            after = own.where(CallParty.started_at >= period.end)
            found += session.scalars(after.order_by(CallParty.started_at))
        return local_day(min(found), selection.zone) if found else None
    return local_day(max(found), selection.zone) if found else None


def _figure_columns(
    entity: "Summed | type[Call]", calls: Callable[[], FunctionElement[int]]
) -> tuple[ColumnElement[Any], ...]:
    """The columns of Figures, in its order. FILTER, not GROUP BY: nothing is sorted, which halves the time."""
    inbound = entity.direction == _written(Direction.INBOUND)
    return (
        calls(),
        func.sum(entity.talk_seconds),
        calls().filter(entity.outcome == _written(Outcome.ANSWERED)),
        calls().filter(inbound),
        calls().filter(inbound, entity.outcome == _written(Outcome.ANSWERED)),
        calls().filter(inbound, entity.outcome == _written(Outcome.VOICEMAIL)),
        calls().filter(inbound, entity.outcome.in_([_written(each) for each in sorted(MISSED_OUTCOMES)])),
        calls().filter(inbound, entity.outcome == _written(Outcome.UNKNOWN)),
    )


def _written(constant: IntEnum) -> ColumnElement[int]:
    """Into the statement itself: eighteen parameters that never change cost more than the sums."""
    return literal_column(str(int(constant)))


_SUMS: Mapping[type, tuple[ColumnElement[Any], ...]] = {
    CallMonth: _figure_columns(CallMonth, lambda: func.sum(CallMonth.calls)),
    CallDay: _figure_columns(CallDay, lambda: func.sum(CallDay.calls)),
    CallTotal: _figure_columns(CallTotal, lambda: func.sum(CallTotal.calls)),
    Call: _figure_columns(Call, func.count),
}
SUMS_OF_CALLS = _SUMS[Call]


def _figures_of_lines(lines: Iterable[CallLine]) -> Figures:
    sums = [0] * len(astuple(Figures()))
    for line in lines:
        sums = [one + more for one, more in zip(sums, _as_figures(line), strict=True)]
    return Figures(*sums)


def _as_figures(line: CallLine) -> tuple[int, ...]:
    """One call as Figures, in its order."""
    inbound = line.direction == Direction.INBOUND
    answered = line.outcome == Outcome.ANSWERED
    return (
        1,
        line.talk_seconds,
        answered,
        inbound,
        inbound and answered,
        inbound and line.outcome == Outcome.VOICEMAIL,
        inbound and line.outcome in MISSED_OUTCOMES,
        inbound and line.outcome == Outcome.UNKNOWN,
    )


def _read_sums(
    session: LockedSession, selection: Selection, stretches: Sequence[_Stretch]
) -> tuple[Figures, dict[int, Figures]]:
    """The figures of all stretches together, and of each day of those that are asked for by day. One statement."""
    shape = tuple((each.entity, frozenset(each.bounds), each.by_day) for each in stretches)
    is_bare = not summed_conditions(selection.call_filter, CallDay)
    statement = _kept_sums(shape) if is_bare else _sums(shape, selection.call_filter)
    values = {f"{name}{place}": value for place, each in enumerate(stretches) for name, value in each.bounds.items()}
    whole, days = Figures(), {}
    for day, *sums in session.rows(statement, values):
        if day is None:
            whole = whole.plus(sums)
        else:
            days[day] = Figures(*(int(each or 0) for each in sums))  # PostgreSQL sums to Decimal
    return whole, days


_Shape = tuple[tuple[Summed, frozenset[str], bool], ...]  #: of each stretch its entity, its bounds, and by_day


def _sums(shape: _Shape, call_filter: CallFilter | None = None) -> Sums:
    """Rows of a day, or NULL, and the columns of Figures; `first0`, `last1`, ... are the bounds of the stretches."""
    parts = []
    for place, (entity, bounds, by_day) in enumerate(shape):
        statement = select(entity.day if by_day else null(), *_SUMS[entity])  # type: ignore[union-attr]
        if "first" in bounds:
            statement = statement.where(_WHEN[entity] >= bindparam(f"first{place}"))
        if "last" in bounds:
            statement = statement.where(_WHEN[entity] <= bindparam(f"last{place}"))
        if call_filter is not None:
            statement = statement.where(*summed_conditions(call_filter, entity))
        parts.append(statement.group_by(entity.day) if by_day else statement)  # type: ignore[union-attr]
    if len(parts) == 1:
        return parts[0]
    return select(*union_all(*parts).subquery().c)


@cache
def _kept_sums(shape: _Shape) -> Sums:
    return kept(_sums(shape))


def _stretches(selection: Selection) -> Iterator[_Stretch]:
    """The whole months and days of the period, and from call_total what it has before and after them."""
    period, zone = selection.period, selection.zone
    first, last = period.first_day, period.last_day
    if first is not None and last is not None and first > last:
        yield _Stretch(CallTotal, *_slots(period.start, period.end))
        return
    yield from _months_and_days(first, last)
    if period.start is not None and first is not None:
        begins = day_start(day_of_number(first), zone)
        if period.start < begins:
            yield _Stretch(CallTotal, *_slots(period.start, begins))
    if period.end is not None and last is not None:
        ends = day_start(day_of_number(last + 1), zone)
        if ends < period.end:
            yield _Stretch(CallTotal, *_slots(ends, period.end))


def _months_and_days(first: int | None, last: int | None) -> Iterator[_Stretch]:
    """The days from `first` to `last`: by the month where that saves many rows."""
    first_month = None if first is None else month_number(first - 1) + 1
    last_month = None if last is None else month_number(last + 1) - 1
    if first_month is not None and last_month is not None and last_month - first_month < _MONTHS_WORTH_IT:
        yield _Stretch(CallDay, first, last)
        return
    yield _Stretch(CallMonth, first_month, last_month)
    if first is not None and first_month is not None and first < month_start(first_month):
        yield _Stretch(CallDay, first, month_start(first_month) - 1)
    if last is not None and last_month is not None and month_start(last_month + 1) <= last:
        yield _Stretch(CallDay, month_start(last_month + 1), last)


def _slots(start: datetime | None, end: datetime | None) -> tuple[int | None, int | None]:
    """The first and the last slot of start <= instant < end."""
    return (
        None if start is None else to_ms(start) // _SLOT_MS,
        None if end is None else to_ms(end) // _SLOT_MS - 1,
    )


def _of_party(session: LockedSession, selection: Selection) -> Figures:
    period = selection.period
    statement = select(
        func.sum(PartyTotal.calls),
        func.sum(PartyTotal.answered),
        func.sum(PartyTotal.missed),
        func.sum(PartyTotal.talk_seconds),
    ).where(PartyTotal.party_id == selection.call_filter.party_id)
    if period.first_day is not None:
        statement = statement.where(PartyTotal.day >= period.first_day)
    if period.last_day is not None:
        statement = statement.where(PartyTotal.day <= period.last_day)
    calls, answered, missed, talk_seconds = (int(value or 0) for value in session.execute(statement).one())
    return Figures(calls=calls, answered_anyway=answered, missed=missed, talk_seconds=talk_seconds)


def _counted_by_windows(session: LockedSession, selection: Selection, budget: Budget) -> Totals:
    """Talk time asked for: counted by the database in windows of bounded work."""
    figures = Figures()
    edge: datetime | None = None
    for window in list_windows(session, selection, None):
        if edge is not None and (budget.spent or figures.calls > COUNTED_AT_MOST):
            return Totals(figures, counted_to=edge, more=figures.calls > COUNTED_AT_MOST)
        conditions = (*_within(window), *selection.conditions)
        figures = figures.plus(session.execute(select(*_SUMS[Call]).where(*conditions)).one())
        edge = window.start if selection.newest_first else window.end
    return Totals(figures)


def _within(window: Window) -> Iterator[ColumnElement[bool]]:
    if window.start is not None:
        yield Call.started_at >= window.start
    if window.end is not None:
        yield Call.started_at < window.end


def _counted_at_once(session: LockedSession, selection: Selection) -> Totals:
    """The calls of a narrowed reader, each once, by the database; no more than COUNTED_AT_MOST and one."""
    period = Window(selection.period.start, selection.period.end)
    statement, values = walk_theirs(selection, period, None, COUNTED_AT_MOST + 1)
    theirs = statement.subquery()
    own = and_(Call.started_at == theirs.c.started_at, Call.call_key == theirs.c.call_key)
    sums = select(*_SUMS[Call]).select_from(theirs).join(Call, own)
    figures = Figures().plus(session.execute(sums, values).one())
    return Totals(figures, more=figures.calls > COUNTED_AT_MOST)


def _counted_by_chunks(session: LockedSession, selection: Selection, budget: Budget) -> Totals:
    """Parties asked for: counted call by call."""
    figures = Figures()
    cursor: Cursor | None = None
    while True:
        page = page_of_lines(session, selection, cursor, min(_CHUNK, COUNTED_AT_MOST + 1 - figures.calls), budget)
        figures = figures.plus(astuple(_figures_of_lines(page.lines)))
        cursor = page.next_cursor
        if cursor is None:
            return Totals(figures)
        if budget.spent or figures.calls > COUNTED_AT_MOST:
            return Totals(figures, counted_to=from_ms(cursor.ms), more=figures.calls > COUNTED_AT_MOST)
