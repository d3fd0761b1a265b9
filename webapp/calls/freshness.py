"""How far the calls reach that phone systems have told of: a page that says who waits must say up to when it knows.

Read by the page of calls to return, and by sources/ for the page of phone systems.
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import func, select

from webapp.calls.models import Call, CallDay, ImportFile, ImportState, Pbx
from webapp.calls.periods import day_number, day_of_number, day_start, local_day
from webapp.database.staff_rights import Area
from webapp.database.types import Instant
from webapp.formatting import format_date, format_moment, format_time
from webapp.tenancy.lock import LockedSession

#: A phone system that is so far behind the others is named: it may have stopped writing.
SILENT_AFTER = timedelta(hours=24)
_DAYS_OF_A_WEEK = 7
_READ_STATES = (ImportState.RUNNING, ImportState.DONE, ImportState.CANCELLED, ImportState.FAILED)


class Reach(NamedTuple):
    """An open phone system, and the instant up to which it has told; None for not at all."""

    name: str
    at: datetime | None


def last_call_at(
    session: LockedSession, pbx_id: int, time_zone: str, present: datetime | None = None
) -> datetime | None:
    """Start of the newest call of a phone system; with `present`, of none that is still to come. None, too, for support
    that may not see calls.

    The daily totals tell the day, so only that day's calls are read.
    """
    if not session.opens(Area.CALLS):
        return None
    days = select(CallDay.day).where(CallDay.pbx_id == pbx_id, CallDay.calls > 0)
    if present is not None:
        days = days.where(CallDay.day <= day_number(local_day(present, ZoneInfo(time_zone))))
    day = session.scalar(days.order_by(CallDay.day.desc()).limit(1))
    if day is None:
        return None
    begins = day_start(day_of_number(day), ZoneInfo(time_zone))
    return session.scalar(
        select(Call.started_at)
        .where(Call.started_at >= begins, Call.started_at < begins + timedelta(hours=26), Call.pbx_id == pbx_id)
        .order_by(Call.started_at.desc())
        .limit(1)
    )


def list_reach(session: LockedSession, time_zone: str, present: datetime) -> list[Reach]:
    """Of each open phone system, by name. A narrowed reader learns when its calls were last read, not when one was."""
    systems = session.execute(select(Pbx.id, Pbx.name).where(Pbx.closed_at.is_(None)).order_by(Pbx.name, Pbx.id)).all()
    if session.narrowing is not None:
        return [Reach(name, _last_read_at(session, pbx_id)) for pbx_id, name in systems]
    return [Reach(name, last_call_at(session, pbx_id, time_zone, present)) for pbx_id, name in systems]


def _last_read_at(session: LockedSession, pbx_id: int) -> datetime | None:
    """When a file of it was read last, or some of one that is being read. The import of a day's deliveries ends with
    each of them, so an older import may be the newest.
    """
    told_at = func.max(func.coalesce(ImportFile.ended_at, ImportFile.started_at), type_=Instant())
    return session.scalar(select(told_at).where(ImportFile.pbx_id == pbx_id, ImportFile.state.in_(_READ_STATES)))


def is_behind(systems: Iterable[Reach], present: datetime) -> bool:
    """Whether so much time has gone by since the newest call that callers may wait whom nobody knows of."""
    newest = max((each.at for each in systems if each.at is not None), default=None)
    return newest is not None and present - newest > SILENT_AFTER


def tell_reach(systems: Sequence[Reach], zone: ZoneInfo, present: datetime) -> str:
    """ "up to 11:42; Branch silent since Friday"; "" where no phone system has told of any call."""
    known = [each for each in systems if each.at is not None]
    newest = max((each.at for each in known if each.at is not None), default=None)
    if newest is None:
        return ""
    today = local_day(present, zone)
    told = format_time(newest, zone) if local_day(newest, zone) == today else format_moment(newest, zone, today)
    parts = [f"up to {told}"]
    for each in systems:
        if each.at is None:
            parts.append(f"{each.name} without any call yet")
        elif newest - each.at > SILENT_AFTER:
            parts.append(f"{each.name} silent since {_tell_day(local_day(each.at, zone), today)}")
    return "; ".join(parts)


def _tell_day(day: date, today: date) -> str:
    """ "yesterday", "Friday" within a week, else "20 October"."""
    days = (today - day).days
    return "yesterday" if days == 1 else (f"{day:%A}" if 1 < days < _DAYS_OF_A_WEEK else format_date(day, today))
