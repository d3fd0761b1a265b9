"""The figures of the Overview. Called by reports/views.py and charts.py.

Everything is read from the totals (call_day, call_total), whose size does not follow the number of calls; nothing
here counts calls. Newest calls come from calls/.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, and_, case, func, literal, select

from webapp.calls.figures import Figures
from webapp.calls.filters import CallFilter
from webapp.calls.models import CallDay, CallTotal, ImportFile, ImportState, Pbx
from webapp.calls.outcomes import MISSED_OUTCOMES, Direction
from webapp.calls.periods import Period, day_number, day_of_number, day_start
from webapp.calls.selection import select_calls
from webapp.calls.totals import count_by_day
from webapp.clock import to_ms
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.reader import Reader

_QUARTER_MS = 900_000
_QUARTERS_A_DAY = 96
_DAYS_TIMED = 2  #: the last call of a phone system is told to the quarter of an hour when it is this young


@dataclass(frozen=True)
class DayFigures:
    """A stretch of local days: all of them together, and each, the empty ones too."""

    whole: Figures
    days: dict[date, Figures]


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


def sum_days(session: LockedSession, period: Period, zone: ZoneInfo, region: str, reader: Reader) -> DayFigures:
    """The figures of a period of whole days: the same sums that the call log shows above these calls."""
    assert period.first_day is not None
    assert period.last_day is not None
    numbers = range(period.first_day, period.last_day + 1)
    found = count_by_day(session, select_calls(session, CallFilter(period), None, zone, region, reader), numbers)
    return DayFigures(
        whole=sum_figures(found.values()),
        days={day_of_number(number): found.get(number, Figures()) for number in numbers},
    )


def sum_figures(parts: Iterable[Figures]) -> Figures:
    listed = list(parts)
    return Figures(**{each.name: sum(getattr(part, each.name) for part in listed) for each in fields(Figures)})


def answered_percent(figures: Figures) -> int | None:
    """answered / (answered + missed + voicemail) of the outside calls in; None when there are none."""
    known = figures.answered + figures.missed + figures.voicemail
    return (figures.answered * 200 + known) // (known * 2) if known else None


def sum_hours(session: LockedSession, period: Period, zone: ZoneInfo) -> list[Hour]:
    """Calls by the local hour in which they began, all days of the period together: 24 rows."""
    assert period.start is not None
    assert period.end is not None
    start, end = _slot(period.start), _slot(period.end)
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
        select(func.max(ImportFile.id))
        .where(ImportFile.pbx_id == Pbx.id, ImportFile.state != ImportState.UPLOADED)
        .correlate(Pbx)
        .scalar_subquery()
    )
    rows = session.execute(select(Pbx, ImportFile).outerjoin(ImportFile, ImportFile.id == newest)).all()
    pbxes = [pbx for pbx, _ in rows]
    days = _last_days(session, pbxes, today)
    quarters = _last_quarters(session, today, zone)
    health = [PbxHealth(pbx, days.get(pbx.id), quarters.get(pbx.id), last_import) for pbx, last_import in rows]
    return sorted(health, key=lambda each: (each.pbx.closed_at is not None, each.pbx.name.casefold()))


def _last_days(session: LockedSession, pbxes: Sequence[Pbx], today: date) -> dict[int, date]:
    """The last local day with calls of each phone system: found in a month, else among all days."""
    days = _newest_days(session, CallDay.day >= day_number(today) - 30)
    silent = [pbx.id for pbx in pbxes if pbx.id not in days]
    if silent:
        days |= _newest_days(session, CallDay.pbx_id.in_(silent))
    return days


def _newest_days(session: LockedSession, condition: ColumnElement[bool]) -> dict[int, date]:
    rows = session.execute(
        select(CallDay.pbx_id, func.max(CallDay.day)).where(condition, CallDay.calls > 0).group_by(CallDay.pbx_id)
    )
    return {pbx_id: day_of_number(day) for pbx_id, day in rows}


def _last_quarters(session: LockedSession, today: date, zone: ZoneInfo) -> dict[int, datetime]:
    since = _slot(day_start(today - timedelta(days=_DAYS_TIMED - 1), zone))
    rows = session.execute(
        select(CallTotal.pbx_id, func.max(CallTotal.slot))
        .where(CallTotal.slot >= since, CallTotal.calls > 0)
        .group_by(CallTotal.pbx_id)
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
    return case(*conditions, else_=earliest) if conditions else literal(earliest)


def _ahead(slot: int, zone: ZoneInfo) -> int:
    offset = _slot_start(slot, zone).utcoffset() or timedelta(0)
    # Never below zero: % of a negative number differs between the engines.
    return round(offset.total_seconds() * 1000 / _QUARTER_MS) % _QUARTERS_A_DAY


def _slot(instant: datetime) -> int:
    return to_ms(instant) // _QUARTER_MS


def _slot_start(slot: int, zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(slot * _QUARTER_MS // 1000, zone)
