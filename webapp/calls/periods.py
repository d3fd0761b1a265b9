"""The periods that pages offer, in the organization's own days.

A period is a half-open stretch of UTC instants and the whole local days in it. Used by the call log, its export and
the overview.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from webapp.formatting import format_date, format_weekday

DEFAULT_PERIOD = "30d"
PERIOD_LABELS: Mapping[str, str] = {
    "today": "Today",
    "yesterday": "Yesterday",
    "week": "This week",
    "7d": "Last 7 days",
    "30d": "Last 30 days",
    "90d": "Last 90 days",
    "all": "Everything",
}
BETWEEN = "between"  #: the period that `from` and `to` make
_EPOCH_DAY = date(1970, 1, 1)
_FIRST_YEAR, _LAST_YEAR = 1970, 2199
_MONTH = re.compile(r"([0-9]{4})-([0-9]{2})")
_LAST_DAYS = {"7d": 7, "30d": 30, "90d": 90}


class PeriodError(ValueError):
    """A period that cannot be. `field` is period, from or to; the message is for the person."""

    def __init__(self, field: str, message: str) -> None:
        self.field = field
        super().__init__(message)


@dataclass(frozen=True)
class Period:
    """`start` <= instant < `end`, None for no bound. `words` tell it; `query` are its keys in an address.

    `first_day` and `last_day` are the whole local days inside (day numbers, both included; None for no bound).
    """

    words: str
    query: tuple[tuple[str, str], ...]
    start: datetime | None
    end: datetime | None
    first_day: int | None
    last_day: int | None

    @property
    def name(self) -> str:
        """The value of `period` that makes it: a key of PERIOD_LABELS, a month, or BETWEEN."""
        return dict(self.query).get("period", BETWEEN)

    @property
    def has_edges(self) -> bool:
        """Whether it begins or ends within a day."""
        return any("T" in value for _key, value in self.query)


def day_number(day: date) -> int:
    """Local days since 1970-01-01, as call_day counts them."""
    return (day - _EPOCH_DAY).days


def day_of_number(number: int) -> date:
    return _EPOCH_DAY + timedelta(days=number)


def month_number(day: int) -> int:
    """Months since January 1970 of a day number, as call_month counts them."""
    date_ = day_of_number(day)
    return (date_.year - 1970) * 12 + date_.month - 1


def month_start(month: int) -> int:
    """The number of the first day of a month."""
    return day_number(date(1970 + month // 12, month % 12 + 1, 1))


def day_start(day: date, zone: ZoneInfo) -> datetime:
    """The first instant of a local day, UTC. Where a clock change skips or repeats midnight: the first there is."""
    return datetime.combine(day, time.min, zone).astimezone(UTC)


def local_day(instant: datetime, zone: ZoneInfo) -> date:
    return instant.astimezone(zone).date()


def days_period(first: date, last: date, zone: ZoneInfo, today: date, name: str | None = None) -> Period:
    """The local days from `first` to `last`, both included; `name` is a key of PERIOD_LABELS or a month."""
    query = (("period", name),) if name else (("from", first.isoformat()), ("to", last.isoformat()))
    return Period(
        words=_words(first, last, today, name),
        query=query,
        start=day_start(first, zone),
        end=day_start(last + timedelta(days=1), zone),
        first_day=day_number(first),
        last_day=day_number(last),
    )


def named_period(name: str, zone: ZoneInfo, now: datetime) -> Period:
    """A period by its name: a key of PERIOD_LABELS or a month ("2026-11"). Raises PeriodError."""
    today = local_day(now, zone)
    if name == "all":
        return Period("Everything", (("period", "all"),), None, None, None, None)
    if name == "today":
        return days_period(today, today, zone, today, name)
    if name == "yesterday":
        return days_period(today - timedelta(days=1), today - timedelta(days=1), zone, today, name)
    if name == "week":
        return days_period(today - timedelta(days=today.weekday()), today, zone, today, name)
    if name in _LAST_DAYS:
        return days_period(today - timedelta(days=_LAST_DAYS[name] - 1), today, zone, today, name)
    month = _MONTH.fullmatch(name)
    if month and _FIRST_YEAR <= int(month[1]) <= _LAST_YEAR and 1 <= int(month[2]) <= 12:
        first = date(int(month[1]), int(month[2]), 1)
        after = date(first.year + first.month // 12, first.month % 12 + 1, 1)
        return days_period(first, after - timedelta(days=1), zone, today, name)
    raise PeriodError("period", "There is no such period. Choose one of the list, or give the first and the last day.")


def period_between(first_text: str, last_text: str, zone: ZoneInfo, now: datetime) -> Period:
    """From and to as they were typed: days, or times at a quarter of an hour ("2026-11-22T14:30").

    A day given as `to` is included; a time given as `to` is not. One may be empty. Raises PeriodError.
    """
    first, last = _read_moment("from", first_text), _read_moment("to", last_text)
    if first is None and last is None:
        raise PeriodError("from", "Give the first day, the last day, or both.")
    start = _instant(first, zone) if first else None
    end = _instant(last + timedelta(days=1) if type(last) is date else last, zone) if last else None
    if start and end and start >= end:
        raise PeriodError("to", "The last day lies before the first. Give a later one.")
    today = local_day(now, zone)
    return Period(
        words=_words_between(first, last, today),
        query=tuple((key, value.isoformat()[:16]) for key, value in (("from", first), ("to", last)) if value),
        start=start,
        end=end,
        first_day=_first_whole_day(start, zone),
        last_day=_last_whole_day(end, zone),
    )


def _read_moment(field: str, text: str) -> date | datetime | None:
    """A date, or a naive local datetime where a time is given."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text) if "T" in text else date.fromisoformat(text)
    except ValueError:
        raise PeriodError(field, "This is no day. Write it like 2026-11-22.") from None
    if not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
        raise PeriodError(field, f"Give a year from {_FIRST_YEAR} to {_LAST_YEAR}.")
    if isinstance(moment, datetime) and (moment.tzinfo or moment.minute % 15 or moment.second or moment.microsecond):
        raise PeriodError(field, "Give a local time at a quarter of an hour, like 2026-11-22T14:30.")
    return moment


def _instant(moment: date | datetime, zone: ZoneInfo) -> datetime:
    return moment.replace(tzinfo=zone).astimezone(UTC) if isinstance(moment, datetime) else day_start(moment, zone)


def _first_whole_day(start: datetime | None, zone: ZoneInfo) -> int | None:
    if start is None:
        return None
    day = local_day(start, zone)
    return day_number(day) + (day_start(day, zone) < start)


def _last_whole_day(end: datetime | None, zone: ZoneInfo) -> int | None:
    return None if end is None else day_number(local_day(end, zone)) - 1


def _words(first: date, last: date, today: date, name: str | None) -> str:
    if name and name in PERIOD_LABELS:
        days = format_weekday(first, today) if first == last else _from_to(first, last, today)
        return f"{PERIOD_LABELS[name]}, {days}"
    if name:
        return f"{first:%B %Y}"
    return format_weekday(first, today) if first == last else _from_to(first, last, today)


def _from_to(first: date, last: date, today: date) -> str:
    """ "24 October to 22 November", a year only where it differs from today's or between the two."""
    if first.year == last.year:
        same_month = first.month == last.month
        return f"{first.day if same_month else format_date(first, first)} to {format_date(last, today)}"
    return f"{format_date(first)} to {format_date(last)}"


def _words_between(first: date | datetime | None, last: date | datetime | None, today: date) -> str:
    if type(first) is date and type(last) is date:
        return _words(first, last, today, None)
    words = [
        f"{word} {format_date(moment, today)}" + (f" at {moment:%H:%M}" if isinstance(moment, datetime) else "")
        for word, moment in (("from", first), ("to", last))
        if moment
    ]
    text = " ".join(words)
    return text[:1].upper() + text[1:]
