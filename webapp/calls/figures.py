"""The figures of calls: what is counted of them, as columns of a sum and of single calls.

Used by summed.py, totals.py and own_days.py, which find them, and by the pages that show them.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import astuple, dataclass
from typing import Any

from sqlalchemy import ColumnElement, FunctionElement, func, literal

from webapp.calls.models import Call, CallDay, CallMonth, CallTotal
from webapp.calls.outcomes import MISSED_OUTCOMES, Direction, Outcome
from webapp.calls.selection import CallLine

Summed = type[CallMonth] | type[CallDay] | type[CallTotal]


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


def _figure_columns(
    entity: Summed | type[Call], calls: Callable[[], FunctionElement[int]], talk: ColumnElement[int] | None = None
) -> tuple[ColumnElement[Any], ...]:
    """The columns of Figures, in its order. FILTER, not GROUP BY: nothing is sorted, which halves the time."""
    missed = [literal(each, entity.outcome.type) for each in sorted(MISSED_OUTCOMES)]  # one parameter each
    inbound = entity.direction == Direction.INBOUND
    return (
        calls(),
        func.sum(entity.talk_seconds if talk is None else talk),
        calls().filter(entity.outcome == Outcome.ANSWERED),
        calls().filter(inbound),
        calls().filter(inbound, entity.outcome == Outcome.ANSWERED),
        calls().filter(inbound, entity.outcome == Outcome.VOICEMAIL),
        calls().filter(inbound, entity.outcome.in_(missed)),
        calls().filter(inbound, entity.outcome == Outcome.UNKNOWN),
    )


SUMS: Mapping[type, tuple[ColumnElement[Any], ...]] = {
    CallMonth: _figure_columns(CallMonth, lambda: func.sum(CallMonth.calls)),
    CallDay: _figure_columns(CallDay, lambda: func.sum(CallDay.calls)),
    CallTotal: _figure_columns(CallTotal, lambda: func.sum(CallTotal.calls)),
    Call: _figure_columns(Call, func.count),
}


def sums_with(talk: ColumnElement[int] | None) -> tuple[ColumnElement[Any], ...]:
    """SUMS[Call] for a reader who sees this of each call's talk time."""
    return SUMS[Call] if talk is None else _figure_columns(Call, func.count, talk)


def figures_of_lines(lines: Iterable[CallLine]) -> Figures:
    """The sum of single calls."""
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
