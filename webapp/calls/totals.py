"""The figures of exactly one selection: calls, how outside calls in ended, talk time.

From call_day for whole local days and call_total for the edges where these know the answer, from party_total for one
single party; else found in bounded slices and labelled so. Read by the call log and its export.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from sqlalchemy import ColumnElement, func, select

from webapp.calls.browse import CallPage, page_of_lines
from webapp.calls.models import Call, CallDay, CallTotal, PartyTotal
from webapp.calls.outcomes import MISSED_OUTCOMES, Direction, Outcome
from webapp.calls.periods import day_number, day_of_number, day_start, local_day
from webapp.calls.selection import CallLine, Selection, summed_conditions
from webapp.calls.windows import Budget, Window, list_windows
from webapp.clock import from_ms, to_ms
from webapp.pagination import Cursor
from webapp.tenancy.lock import LockedSession

COUNTED_AT_MOST = 10_000  #: where no total knows the answer
COUNT_MS = 15.0
_SLOT_MS = 900_000
_CHUNK = 500


@dataclass(frozen=True)
class Figures:
    """Sums over calls. answered + voicemail + missed + unknown = inbound, always."""

    calls: int = 0
    inbound: int = 0
    answered: int = 0  #: inbound, by a person
    voicemail: int = 0
    missed: int = 0
    unknown: int = 0
    answered_anyway: int = 0  #: by a person, in any direction
    talk_seconds: int = 0


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


@dataclass
class _Sums:
    """Calls and talk seconds by direction and outcome."""

    rows: dict[tuple[Direction, Outcome], list[int]] = field(default_factory=dict)

    def add(self, direction: Direction, outcome: Outcome, calls: int, talk_seconds: int) -> None:
        row = self.rows.setdefault((direction, outcome), [0, 0])
        row[0] += calls
        row[1] += talk_seconds

    @property
    def calls(self) -> int:
        return sum(row[0] for row in self.rows.values())

    def figures(self) -> Figures:
        inbound = {outcome: row[0] for (way, outcome), row in self.rows.items() if way == Direction.INBOUND}
        return Figures(
            calls=self.calls,
            inbound=sum(inbound.values()),
            answered=inbound.get(Outcome.ANSWERED, 0),
            voicemail=inbound.get(Outcome.VOICEMAIL, 0),
            missed=sum(calls for outcome, calls in inbound.items() if outcome in MISSED_OUTCOMES),
            unknown=inbound.get(Outcome.UNKNOWN, 0),
            answered_anyway=sum(row[0] for (_way, outcome), row in self.rows.items() if outcome == Outcome.ANSWERED),
            talk_seconds=sum(row[1] for row in self.rows.values()),
        )


def total_calls(session: LockedSession, selection: Selection, budget: Budget | None = None) -> Totals:
    """The totals of a selection, from the cheapest place that knows them."""
    if selection.is_empty:
        return Totals(Figures())
    if selection.call_filter.is_summed:
        return Totals(_summed(session, selection))
    if selection.is_direct and selection.call_filter.party_id is not None and not selection.period.has_edges:
        return Totals(_of_party(session, selection), sides_known=False)
    budget = budget or Budget(COUNT_MS)
    if selection.driver is None and not selection.tests:
        return _counted_by_windows(session, selection, budget)
    return _counted_by_chunks(session, selection, budget)


def total_page(session: LockedSession, selection: Selection, page: CallPage) -> Totals:
    """The totals beside the first page of a selection. What this page has found anyway is not looked for again."""
    if selection.call_filter.is_summed or (page.next_cursor is not None and page.searched_to is None):
        return total_calls(session, selection)
    sums = _Sums()
    for line in page.lines:
        sums.add(line.direction, line.outcome, 1, line.talk_seconds)
    return Totals(sums.figures(), counted_to=page.searched_to)


def count_by_day(session: LockedSession, selection: Selection, days: Iterable[int]) -> Mapping[int, Figures]:
    """The figures of single local days of the selection; empty where call_day cannot tell them."""
    if not selection.call_filter.is_summed or selection.period.has_edges or selection.is_empty:
        return {}
    by_day: dict[int, _Sums] = {}
    conditions = (CallDay.day.in_(sorted(set(days))), *summed_conditions(selection.call_filter, CallDay))
    columns = (CallDay.direction, CallDay.outcome, func.sum(CallDay.calls), func.sum(CallDay.talk_seconds))
    keys = (CallDay.day, CallDay.direction, CallDay.outcome)
    for day, direction, outcome, calls, talk_seconds in session.execute(
        select(CallDay.day, *columns).where(*conditions).group_by(*keys)
    ):
        by_day.setdefault(day, _Sums()).add(direction, outcome, int(calls), int(talk_seconds))
    return {day: sums.figures() for day, sums in by_day.items()}


def find_nearest_day(session: LockedSession, selection: Selection) -> date | None:
    """The last local day with matching calls before an empty period, else the first one after it.

    Looked up in the totals; conditions that these do not know are left out.
    """
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


def _summed(session: LockedSession, selection: Selection) -> Figures:
    sums = _Sums()
    for entity, bounds in _stretches(selection):
        columns = (entity.direction, entity.outcome, func.sum(entity.calls), func.sum(entity.talk_seconds))
        conditions = (*bounds, *summed_conditions(selection.call_filter, entity))
        for direction, outcome, calls, talk_seconds in session.execute(
            select(*columns).where(*conditions).group_by(entity.direction, entity.outcome)
        ):
            sums.add(direction, outcome, int(calls), int(talk_seconds))
    return sums.figures()


Stretch = tuple[type[CallDay] | type[CallTotal], list[ColumnElement[bool]]]


def _stretches(selection: Selection) -> Iterator[Stretch]:
    """The whole days of the period from call_day, and what it has before and after them from call_total."""
    period, zone = selection.period, selection.zone
    first, last = period.first_day, period.last_day
    if first is not None and last is not None and first > last:
        yield CallTotal, _slots(period.start, period.end)
        return
    days = [CallDay.day >= first] if first is not None else []
    days += [CallDay.day <= last] if last is not None else []
    yield CallDay, days
    if period.start is not None and first is not None:
        begins = day_start(day_of_number(first), zone)
        if period.start < begins:
            yield CallTotal, _slots(period.start, begins)
    if period.end is not None and last is not None:
        ends = day_start(day_of_number(last + 1), zone)
        if ends < period.end:
            yield CallTotal, _slots(ends, period.end)


def _slots(start: datetime | None, end: datetime | None) -> list[ColumnElement[bool]]:
    bounds = [CallTotal.slot >= to_ms(start) // _SLOT_MS] if start is not None else []
    return bounds + ([CallTotal.slot < to_ms(end) // _SLOT_MS] if end is not None else [])


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
    sums = _Sums()
    edge: datetime | None = None
    for window in list_windows(session, selection, None):
        if edge is not None and (budget.spent or sums.calls > COUNTED_AT_MOST):
            return Totals(sums.figures(), counted_to=edge, more=sums.calls > COUNTED_AT_MOST)
        statement = (
            select(Call.direction, Call.outcome, func.count(), func.sum(Call.talk_seconds))
            .where(*_within(window), *selection.conditions)
            .group_by(Call.direction, Call.outcome)
        )
        for direction, outcome, calls, talk_seconds in session.execute(statement):
            sums.add(direction, outcome, calls, int(talk_seconds))
        edge = window.start if selection.newest_first else window.end
    return Totals(sums.figures())


def _within(window: Window) -> Iterator[ColumnElement[bool]]:
    if window.start is not None:
        yield Call.started_at >= window.start
    if window.end is not None:
        yield Call.started_at < window.end


def _counted_by_chunks(session: LockedSession, selection: Selection, budget: Budget) -> Totals:
    """Parties asked for: counted call by call."""
    sums = _Sums()
    cursor: Cursor | None = None
    while True:
        page = page_of_lines(session, selection, cursor, _CHUNK, budget)
        for line in page.lines:
            sums.add(line.direction, line.outcome, 1, line.talk_seconds)
        cursor = page.next_cursor
        if cursor is None:
            return Totals(sums.figures())
        if budget.spent or sums.calls > COUNTED_AT_MOST:
            return Totals(sums.figures(), counted_to=from_ms(cursor.ms), more=sums.calls > COUNTED_AT_MOST)
