"""Opening hours and holidays as people type them, and as they are stored (JSON of schedule_version). Pure.

"9:00-12:30, 13:30-17:00" of a weekday; a holiday a line: "2026-12-25 Christmas Day". Called by schedule_actions.py.
"""

import json
import re
from collections.abc import Sequence
from datetime import date
from itertools import pairwise

from webapp.destinations.route_models import ScheduleKind
from webapp.destinations.routing import MINUTES_OF_A_DAY, Holidays, Hours, Schedule, Span
from webapp.errors import Refused
from webapp.formatting import format_date

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MOST_HOLIDAYS = 500
LONGEST_HOLIDAY = 80
_CLOSED = frozenset({"", "closed", "-"})
_SPAN = re.compile(r"(\d{1,2})(?:[:.](\d{2}))?\s*(?:-|–|—|to|until)\s*(\d{1,2})(?:[:.](\d{2}))?", re.IGNORECASE)
_FIRST_YEAR, _LAST_YEAR = 1990, 2199


def read_hours(texts: Sequence[str]) -> tuple[Span, ...]:
    """Of the seven weekdays, Monday first. Raises Refused, of field day_1 to day_7: also for hours that never open."""
    spans = tuple(span for place, text in enumerate(texts) for span in read_day(text, place + 1))
    if not spans:
        raise Refused("These hours never open. Give at least one day its hours, such as 9:00-17:00.", "day_1")
    return spans


def read_day(text: str, weekday: int) -> list[Span]:
    """Raises Refused for what is no time, ends before it begins, or overlaps."""
    if text.strip().lower() in _CLOSED:
        return []
    spans = sorted(_read_span(part.strip(), weekday) for part in re.split(r"[,;]", text))
    for before, after in pairwise(spans):
        if after.from_minute < before.until_minute:
            raise Refused(
                f"{spell_span(before)} and {spell_span(after)} overlap. Make them one, or let one end first.",
                f"day_{weekday}",
            )
    return spans


def _read_span(text: str, weekday: int) -> Span:
    found = _SPAN.fullmatch(text)
    field = f"day_{weekday}"
    if found is None:
        raise Refused(f"“{text[:40]}” is no time of the day. Write it as 9:00-12:30, 13:30-17:00.", field)
    hours, minutes = [int(found[1]), int(found[3])], [int(found[2] or 0), int(found[4] or 0)]
    start, end = (hour * 60 + minute for hour, minute in zip(hours, minutes, strict=True))
    if max(minutes) > 59 or max(start, end) > MINUTES_OF_A_DAY:
        raise Refused(f"“{text}” is no time of the day: it goes from 0:00 to 24:00.", field)
    if end <= start:
        raise Refused(
            f"“{text}” ends before it begins. For a night, end this day at 24:00 and begin the next at 0:00.", field
        )
    return Span(weekday, start, end)


def spell_span(span: Span) -> str:
    return f"{spell_minute(span.from_minute)}-{spell_minute(span.until_minute)}"


def spell_minute(minute: int) -> str:
    """750 -> "12:30"."""
    return f"{minute // 60}:{minute % 60:02}"


def spell_day(spans: Sequence[Span], weekday: int) -> str:
    """The hours of one weekday as they are typed, "" for closed."""
    return ", ".join(spell_span(span) for span in sorted(spans) if span.weekday == weekday)


def read_holidays(text: str) -> tuple[tuple[date, str], ...]:
    """A day a line, in their order. Raises Refused, naming the line."""
    found: dict[date, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            day, name = _read_holiday(number, line.strip())
            if day in found:
                raise Refused(f"Line {number}: {format_date(day)} stands there twice.", "days")
            found[day] = name
    if len(found) > MOST_HOLIDAYS:
        raise Refused(f"These are {len(found)} days. A calendar holds at most {MOST_HOLIDAYS}.", "days")
    return tuple(sorted(found.items()))


def _read_holiday(number: int, line: str) -> tuple[date, str]:
    first, _space, name = line.partition(" ")
    try:
        day = date.fromisoformat(first)
    except ValueError:
        raise Refused(
            f"Line {number} does not begin with a day of the calendar. Write it as 2026-12-25 Christmas Day.", "days"
        ) from None
    if not _FIRST_YEAR <= day.year <= _LAST_YEAR:
        raise Refused(f"Line {number}: the year {day.year} is out of reach.", "days")
    name = " ".join(name.split())
    if len(name) > LONGEST_HOLIDAY:
        raise Refused(f"Line {number}: a name has at most {LONGEST_HOLIDAY} characters.", "days")
    return day, name


def spell_holidays(days: Sequence[tuple[date, str]]) -> str:
    return "\n".join(f"{day.isoformat()} {name}".strip() for day, name in days)


def spell_content(schedule: Schedule) -> str:
    """As schedule_version keeps it."""
    if isinstance(schedule, Hours):
        return json.dumps([list(span) for span in schedule.spans])
    return json.dumps([[day.isoformat(), name] for day, name in schedule.days], ensure_ascii=False)


def read_content(kind: ScheduleKind, time_zone: str, content: str) -> Schedule:
    rows = json.loads(content)
    if kind == ScheduleKind.OPENING_HOURS:
        return Hours(time_zone, tuple(Span(*row) for row in rows))
    return Holidays(time_zone, tuple((date.fromisoformat(day), name) for day, name in rows))


def tell_schedule(schedule: Schedule) -> list[str]:
    """In lines to read: days with the same hours together."""
    if isinstance(schedule, Holidays):
        return [f"{format_date(day)} {name}".strip() for day, name in schedule.days] or ["No day"]
    lines, texts = [], [spell_day(schedule.spans, weekday) for weekday in range(1, 8)]
    first = 0
    for place in range(1, 8):
        if place == 7 or texts[place] != texts[first]:
            days = WEEKDAYS[first] if place - first == 1 else f"{WEEKDAYS[first]} to {WEEKDAYS[place - 1]}"
            lines.append(f"{days}: {texts[first] or 'closed'}")
            first = place
    return lines
