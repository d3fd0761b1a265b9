"""Opening hours and holidays as people type them, and as they are stored (JSON of schedule_version). Pure.

"9:00-12:30, 13:30-17:00" of a weekday; a holiday a line: "2026-12-25 Christmas Day". Called by the forms, actions and
pages of schedules.
"""

import json
import re
from collections.abc import Callable, Sequence
from datetime import date, datetime
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from webapp.destinations.route_models import ScheduleKind
from webapp.destinations.routing import MINUTES_OF_A_DAY, Holidays, Hours, Schedule, Span, next_change
from webapp.errors import Refused
from webapp.formatting import format_date

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MOST_HOLIDAYS = 500
LONGEST_HOLIDAY = 80
FIRST_YEAR, LAST_YEAR = 1990, 2199  #: of whatever is typed here
LONGEST_DAY, LONGEST_CALENDAR = 200, 60_000  #: characters
_LINES_TOLD = 5  #: of those that are wrong
_NO_DAY = "does not begin with a day of the calendar."
_CLOSED = frozenset({"", "closed", "-"})
_SPAN = re.compile(r"(\d{1,2})(?:[:.](\d{2}))?\s*(?:-|–|—|to|until)\s*(\d{1,2})(?:[:.](\d{2}))?", re.IGNORECASE)


def find_wrong_hours(texts: Sequence[str]) -> dict[str, str]:
    """What is wrong with each of the seven weekdays, by its field; with all of them, where they never open."""
    wrong: dict[str, str] = {}
    for weekday, text in enumerate(texts, 1):
        wrong |= _find_wrong(read_day, text, weekday)
    return wrong or _find_wrong(read_hours, texts)


def find_wrong_holidays(text: str) -> dict[str, str]:
    """As find_wrong_hours()."""
    return _find_wrong(read_holidays, text)


def _find_wrong(read: Callable[..., Any], *typed: Any) -> dict[str, str]:
    try:
        read(*typed)
    except Refused as refusal:
        return {refusal.field: refusal.sentence}
    return {}


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
    if len(text) > LONGEST_DAY:
        raise Refused(f"At most {LONGEST_DAY} characters fit. Write it as 9:00-12:30, 13:30-17:00.", f"day_{weekday}")
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
    """A day a line, in their order. Raises Refused, naming the lines that are wrong."""
    if len(text) > LONGEST_CALENDAR:
        raise Refused(f"At most {LONGEST_CALENDAR:,} characters fit.", "days")
    found: dict[date, str] = {}
    wrong = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                day, name = _read_holiday(number, line.strip())
            except Refused as refusal:
                wrong.append(refusal.sentence)
                continue
            if day in found:
                wrong.append(f"Line {number}: {format_date(day)} stands there twice.")
            found[day] = name
    if len(found) > MOST_HOLIDAYS:
        wrong.append(f"These are {len(found)} days. A calendar holds at most {MOST_HOLIDAYS}.")
    if wrong:
        raise Refused(_tell_lines(wrong), "days")
    return tuple(sorted(found.items()))


def _tell_lines(wrong: Sequence[str]) -> str:
    more = len(wrong) - _LINES_TOLD
    hint = ["Write it as 2026-12-25 Christmas Day."] if any(each.endswith(_NO_DAY) for each in wrong) else []
    return " ".join([*wrong[:_LINES_TOLD], *([f"And so on: {more} more."] if more > 0 else []), *hint])


def _read_holiday(number: int, line: str) -> tuple[date, str]:
    first, *rest = line.split(maxsplit=1)
    try:
        day = date.fromisoformat(first)
    except ValueError:
        raise Refused(f"Line {number} {_NO_DAY}", "days") from None
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise Refused(f"Line {number}: write a year from {FIRST_YEAR} to {LAST_YEAR}, not {day.year}.", "days")
    name = " ".join(" ".join(rest).split())
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


def tell_state(hours: Hours, now: datetime) -> str:
    """ "Open now, closes at 17:30", "Closed now, opens Monday at 9:00"."""
    is_open, change = hours.hold(now), next_change(hours, now)
    if change is None:
        return "Always open" if is_open else "Never open"
    zone = ZoneInfo(hours.time_zone)
    local, today = change.astimezone(zone), now.astimezone(zone).date()
    day = "" if local.date() == today else f" {local:%A}"
    words = "Open now, closes" if is_open else "Closed now, opens"
    return f"{words}{day} at {spell_minute(local.hour * 60 + local.minute)}"


def tell_at(schedule: Schedule, at: datetime, when: str) -> str:
    """ "On Sunday 29 November at 19:00 it is closed.", "Now it is a holiday: Christmas Day."."""
    if isinstance(schedule, Hours):
        return f"{when} it is {'open' if schedule.hold(at) else 'closed'}."
    name = schedule.name_at(at)
    if name is None:
        return f"{when} it is no holiday."
    return f"{when} it is a holiday: {name}." if name else f"{when} it is a holiday."
