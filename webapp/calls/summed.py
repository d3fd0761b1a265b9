"""Sums over a selection that the totals know: from call_month and call_day for whole local months and days, from
call_total for the edges. One statement, whatever stretches of time it takes. Called by totals.py.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Integer, Select, bindparam, cast, null, select, union_all
from sqlalchemy.orm import InstrumentedAttribute

from webapp.calls.figures import SUMS, Figures, Summed
from webapp.calls.filters import CallFilter
from webapp.calls.models import CallDay, CallMonth, CallTotal
from webapp.calls.periods import day_of_number, day_start, month_number, month_start
from webapp.calls.selection import Selection, summed_conditions
from webapp.clock import to_ms
from webapp.tenancy.lock import LockedSession, kept

_SLOT_MS = 900_000
_MONTHS_WORTH_IT = 3
Sums = Select[*tuple[Any, ...]]
_WHEN: Mapping[type, InstrumentedAttribute[int]] = {
    CallMonth: CallMonth.month,
    CallDay: CallDay.day,
    CallTotal: CallTotal.slot,
}


class Stretch(NamedTuple):
    """The months, days or slots from `first` to `last`, both included, None for no bound: in one sum, or each day."""

    entity: Summed
    first: int | None
    last: int | None
    by_day: bool = False

    @property
    def bounds(self) -> dict[str, int]:
        """Those that are given, by the names of their parameters."""
        return {name: value for name, value in (("first", self.first), ("last", self.last)) if value is not None}


def read_sums(
    session: LockedSession, selection: Selection, stretches: Sequence[Stretch]
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
        # With a type: PostgreSQL takes a NULL without one for text, and matches no number with it.
        statement = select(CallDay.day if by_day else cast(null(), Integer), *SUMS[entity])
        if "first" in bounds:
            statement = statement.where(_WHEN[entity] >= bindparam(f"first{place}"))
        if "last" in bounds:
            statement = statement.where(_WHEN[entity] <= bindparam(f"last{place}"))
        if call_filter is not None:
            statement = statement.where(*summed_conditions(call_filter, entity))
        parts.append(statement.group_by(CallDay.day) if by_day else statement)
    if len(parts) == 1:
        return parts[0]
    return select(*union_all(*parts).subquery().c)


@cache
def _kept_sums(shape: _Shape) -> Sums:
    return kept(_sums(shape))


def stretches_of(selection: Selection) -> Iterator[Stretch]:
    """The whole months and days of the period, and from call_total what it has before and after them."""
    period, zone = selection.period, selection.zone
    first, last = period.first_day, period.last_day
    if first is not None and last is not None and first > last:
        yield Stretch(CallTotal, *_slots(period.start, period.end))
        return
    yield from _months_and_days(first, last)
    if period.start is not None and first is not None:
        begins = day_start(day_of_number(first), zone)
        if period.start < begins:
            yield Stretch(CallTotal, *_slots(period.start, begins))
    if period.end is not None and last is not None:
        ends = day_start(day_of_number(last + 1), zone)
        if ends < period.end:
            yield Stretch(CallTotal, *_slots(ends, period.end))


def _months_and_days(first: int | None, last: int | None) -> Iterator[Stretch]:
    """The days from `first` to `last`: by the month where that saves many rows."""
    first_month = None if first is None else month_number(first - 1) + 1
    last_month = None if last is None else month_number(last + 1) - 1
    if first_month is not None and last_month is not None and last_month - first_month < _MONTHS_WORTH_IT:
        yield Stretch(CallDay, first, last)
        return
    yield Stretch(CallMonth, first_month, last_month)
    if first is not None and first_month is not None and first < month_start(first_month):
        yield Stretch(CallDay, first, month_start(first_month) - 1)
    if last is not None and last_month is not None and month_start(last_month + 1) <= last:
        yield Stretch(CallDay, month_start(last_month + 1), last)


def _slots(start: datetime | None, end: datetime | None) -> tuple[int | None, int | None]:
    """The first and the last slot of start <= instant < end."""
    return (
        None if start is None else to_ms(start) // _SLOT_MS,
        None if end is None else to_ms(end) // _SLOT_MS - 1,
    )


def days_apart(selection: Selection, days: Collection[int]) -> list[Stretch]:
    """From the first to the last of these days, each by itself; none where call_day cannot tell them."""
    if not days or not selection.is_summed or selection.period.has_edges:
        return []
    return [Stretch(CallDay, min(days), max(days), by_day=True)]
