"""The figures of the Overview. Called by reports/views.py.

Everything is read from the totals (call_day, call_total), whose size does not follow the number of calls; nothing
here counts calls. Newest calls come from calls/.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, and_, case, func, select

from webapp.calls.models import CallDay, CallTotal, ImportFile, Pbx
from webapp.calls.outcomes import MISSED_OUTCOMES, Direction, Outcome, is_missed
from webapp.calls.periods import day_number, day_of_number, day_start
from webapp.clock import to_ms
from webapp.tenancy.lock import LockedSession

_QUARTER_MS = 900_000
_QUARTERS_A_DAY = 96
_DAYS_TIMED = 2  #: the last call of a phone system is told to the quarter of an hour when it is this young


@dataclass
class Figures:
    """Calls of one day or more. answered + voicemail + missed + unknown = inbound, by calls/outcomes.py."""

    calls: int = 0
    inbound: int = 0
    outbound: int = 0
    internal: int = 0
    answered: int = 0  #: outside calls in that a person answered; so are the next three
    voicemail: int = 0
    missed: int = 0
    unknown: int = 0
    talk_seconds: int = 0

    @property
    def answered_percent(self) -> int | None:
        """Of the outside calls in whose end is known; None when there are none."""
        known = self.answered + self.missed + self.voicemail
        return None if not known else (self.answered * 200 + known) // (known * 2)

    @property
    def no_direction(self) -> int:
        """Calls of phone systems whose outside lines nobody has named yet."""
        return self.calls - self.inbound - self.outbound - self.internal

    def add(self, direction: Direction, outcome: Outcome, calls: int, talk_seconds: int) -> None:
        self.calls += calls
        self.talk_seconds += talk_seconds
        self.outbound += calls * (direction == Direction.OUTBOUND)
        self.internal += calls * (direction == Direction.INTERNAL)
        if direction != Direction.INBOUND:
            return
        self.inbound += calls
        self.answered += calls * (outcome == Outcome.ANSWERED)
        self.voicemail += calls * (outcome == Outcome.VOICEMAIL)
        self.missed += calls * is_missed(direction, outcome)
        self.unknown += calls * (outcome == Outcome.UNKNOWN)


@dataclass
class DayFigures:
    """A stretch of days: all of them together, and each."""

    whole: Figures = field(default_factory=Figures)
    days: dict[date, Figures] = field(default_factory=dict)


@dataclass(frozen=True)
class Hour:
    """An hour of the day, 0 to 23, over many days."""

    hour: int
    calls: int
    missed: int


@dataclass(frozen=True)
class PbxHealth:
    """A phone system, the last call it told of, and its newest import."""

    pbx: Pbx
    last_day: date | None
    last_quarter: datetime | None  #: the quarter of an hour in which that call began, where it is young
    last_import: ImportFile | None


def sum_days(session: LockedSession, first: date, last: date) -> DayFigures:
    """The figures of the local days from `first` to `last`, both included; every day has its own, be it empty."""
    rows = (
        select(
            CallDay.day, CallDay.direction, CallDay.outcome, func.sum(CallDay.calls), func.sum(CallDay.talk_seconds)
        )
        .where(CallDay.day >= day_number(first), CallDay.day <= day_number(last))
        .group_by(CallDay.day, CallDay.direction, CallDay.outcome)
    )
    found = DayFigures(days={first + timedelta(days=after): Figures() for after in range((last - first).days + 1)})
    for day, direction, outcome, calls, talk_seconds in session.execute(rows):
        for figures in (found.whole, found.days[day_of_number(day)]):
            figures.add(direction, outcome, int(calls), int(talk_seconds))
    return found


def sum_hours(session: LockedSession, first: date, last: date, zone: ZoneInfo) -> list[Hour]:
    """Calls by the local hour in which they began, all days from `first` to `last` together: 24 rows."""
    start, end = _slot(day_start(first, zone)), _slot(day_start(last + timedelta(days=1), zone))
    missed = case(
        (and_(CallTotal.direction == Direction.INBOUND, CallTotal.outcome.in_(MISSED_OUTCOMES)), CallTotal.calls),
        else_=0,
    )
    # Summed by slot first, which the key's order gives for nothing; an hour straight away would sort every row.
    slots = (
        select(CallTotal.slot, func.sum(CallTotal.calls).label("calls"), func.sum(missed).label("missed"))
        .where(CallTotal.slot >= start, CallTotal.slot < end)
        .group_by(CallTotal.slot)
        .subquery()
    )
    hour = ((slots.c.slot + _quarters_ahead(slots.c.slot, start, end, zone)) % _QUARTERS_A_DAY) // 4
    rows = session.execute(select(hour, func.sum(slots.c.calls), func.sum(slots.c.missed)).group_by(hour))
    found = {int(number): (int(calls), int(missed_calls)) for number, calls, missed_calls in rows}
    return [Hour(number, *found.get(number, (0, 0))) for number in range(24)]


def list_health(session: LockedSession, today: date, zone: ZoneInfo) -> list[PbxHealth]:
    """Every phone system by name, the closed ones last."""
    newest = (
        select(func.max(ImportFile.id)).where(ImportFile.pbx_id == Pbx.id).correlate(Pbx).scalar_subquery()
    )
    rows = session.execute(select(Pbx, ImportFile).outerjoin(ImportFile, ImportFile.id == newest)).all()
    pbxes = [pbx for pbx, _ in rows]
    days = _last_days(session, pbxes, today)
    quarters = _last_quarters(session, today, zone)
    health = [
        PbxHealth(pbx, days.get(pbx.id), quarters.get(pbx.id), last_import) for pbx, last_import in rows
    ]
    return sorted(health, key=lambda each: (each.pbx.closed_at is not None, each.pbx.name.casefold()))


def _last_days(session: LockedSession, pbxes: Sequence[Pbx], today: date) -> dict[int, date]:
    """The last local day with calls of each phone system: found in a month, else among all days."""
    days = _newest_days(session, CallDay.day >= day_number(today) - 30)
    silent = [pbx.id for pbx in pbxes if pbx.id not in days]
    if silent:
        days |= _newest_days(session, CallDay.pbx_id.in_(silent))
    return days


def _newest_days(session: LockedSession, condition: ColumnElement[bool]) -> dict[int, date]:
    rows = session.execute(select(CallDay.pbx_id, func.max(CallDay.day)).where(condition).group_by(CallDay.pbx_id))
    return {pbx_id: day_of_number(day) for pbx_id, day in rows}


def _last_quarters(session: LockedSession, today: date, zone: ZoneInfo) -> dict[int, datetime]:
    since = _slot(day_start(today - timedelta(days=_DAYS_TIMED - 1), zone))
    rows = session.execute(
        select(CallTotal.pbx_id, func.max(CallTotal.slot)).where(CallTotal.slot >= since).group_by(CallTotal.pbx_id)
    )
    return {pbx_id: _slot_start(slot, zone) for pbx_id, slot in rows}


def _quarters_ahead(slot: ColumnElement[int], start: int, end: int, zone: ZoneInfo) -> ColumnElement[int]:
    """How many quarters of an hour the local clock is ahead of UTC in a slot: it changes at most a few times."""
    changes: list[tuple[int, int]] = []
    for each in range(start, end, 4):
        ahead = _ahead(each, zone)
        if not changes or changes[-1][1] != ahead:
            changes.append((each, ahead))
    (_, earliest), *later = changes or [(start, 0)]
    conditions = [(slot >= since, ahead) for since, ahead in reversed(later)]
    return case(*conditions, else_=earliest) if conditions else _constant(slot, earliest)


def _constant(slot: ColumnElement[int], quarters: int) -> ColumnElement[int]:
    return slot - slot + quarters


def _ahead(slot: int, zone: ZoneInfo) -> int:
    offset = _slot_start(slot, zone).utcoffset() or timedelta(0)
    # Never below zero: % of a negative number differs between the engines.
    return round(offset.total_seconds() * 1000 / _QUARTER_MS) % _QUARTERS_A_DAY


def _slot(instant: datetime) -> int:
    return to_ms(instant) // _QUARTER_MS


def _slot_start(slot: int, zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(slot * _QUARTER_MS // 1000, zone)


def has_calls(days: Iterable[PbxHealth]) -> bool:
    """Whether the organization has any call at all."""
    return any(each.last_day is not None for each in days)
