"""Moments of local time as they are typed, and those for which a path is told before anything is saved. Pure.

Used by the forms and pages of routes and of schedules.
"""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from webapp.destinations.route_words import tell_instant
from webapp.destinations.schedule_text import FIRST_YEAR, LAST_YEAR
from webapp.formatting import format_weekday

NO_MOMENT = f"This is no day and time from {FIRST_YEAR} to {LAST_YEAR}. Write it as 2026-12-24T18:00."
_SUNDAY, _EVENING = 6, time(19)


def read_moment(text: str | None, zone: ZoneInfo) -> datetime | None:
    """The instant of a local time such as 2026-05-03T19:00; None for "". Raises ValueError."""
    if not text or not text.strip():
        return None
    local = datetime.fromisoformat(text.strip())
    if local.tzinfo is not None or not FIRST_YEAR <= local.year <= LAST_YEAR:
        raise ValueError("no local time")
    return local.replace(tzinfo=zone).astimezone(UTC)


def spell_moment(at: datetime | None, zone: ZoneInfo) -> str:
    return "" if at is None else f"{at.astimezone(zone):%Y-%m-%dT%H:%M}"


def is_moment(text: str | None) -> bool:
    """Whether read_moment() reads it."""
    try:
        read_moment(text, ZoneInfo("UTC"))
    except ValueError:
        return False
    return True


def list_moments(now: datetime, chosen: datetime | None, zone: ZoneInfo) -> list[tuple[str, datetime]]:
    """Now, the next Sunday evening and the one that was chosen; each with its words, "On Sunday 19 July at 19:00"."""
    today = now.astimezone(zone).date()
    sunday = today + timedelta(days=(_SUNDAY - today.weekday()) % 7)
    evening = datetime.combine(sunday, _EVENING, zone).astimezone(UTC)
    if evening <= now:
        sunday += timedelta(days=7)
        evening = datetime.combine(sunday, _EVENING, zone).astimezone(UTC)
    found = [("Now", now), (f"On {format_weekday(sunday, today)} at 19:00", evening)]
    return [*found, (f"On {tell_instant(chosen, zone)}", chosen)] if chosen else found
