"""How figures, times and telephone numbers read on every page, in exports and mails.

Pure functions of their arguments; create_app() calls register() so that templates have them as filters. Nothing here
knows an organization: zones and regions are given.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import phonenumbers
from flask import Flask

_MINUTE, _HOUR = 60, 3600


def format_count(number: int) -> str:
    """1284 -> "1,284"."""
    return f"{number:,}"


def format_calls(number: int) -> str:
    """1 -> "1 call", 1284 -> "1,284 calls"."""
    return f"{number:,} call" if number == 1 else f"{number:,} calls"


def format_seconds(seconds: int) -> str:
    """A short wait: "8 s", "1 min 5 s", "2 h 3 min"; "" for 0."""
    if seconds <= 0:
        return ""
    if seconds < _MINUTE:
        return f"{seconds} s"
    if seconds < _HOUR:
        minutes, rest = divmod(seconds, _MINUTE)
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    return format_span(seconds)


def format_talk(seconds: int) -> str:
    """Talk time as a clock shows it: "0:48", "3:12", "1:02:05"; "" for 0."""
    if seconds <= 0:
        return ""
    minutes, rest = divmod(seconds, _MINUTE)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def format_span(seconds: int) -> str:
    """A sum of durations: "61 h 20 min", "20 min", "48 s", "0 s"."""
    if seconds < _MINUTE:
        return f"{max(seconds, 0)} s"
    minutes = seconds // _MINUTE
    hours, minutes = divmod(minutes, 60)
    if not hours:
        return f"{minutes} min"
    return f"{hours:,} h {minutes} min" if minutes else f"{hours:,} h"


def format_date(day: date, today: date | None = None) -> str:
    """ "22 November", with the year unless it is today's: "27 June 2017"."""
    words = f"{day.day} {day:%B}"
    return words if today is not None and day.year == today.year else f"{words} {day.year}"


def format_weekday(day: date, today: date | None = None) -> str:
    """ "Sunday 22 November", with the year unless it is today's."""
    return f"{day:%A} {format_date(day, today)}"


def format_day(day: date, today: date) -> str:
    """A day as people say it: "Today", "Yesterday", else "Friday 20 November"."""
    if day == today:
        return "Today"
    if day == today - timedelta(days=1):
        return "Yesterday"
    return format_weekday(day, today)


def format_time(instant: datetime, zone: ZoneInfo) -> str:
    """The local time of an instant, to the minute: "11:42"."""
    return instant.astimezone(zone).strftime("%H:%M")


def format_moment(instant: datetime, zone: ZoneInfo, today: date) -> str:
    """An instant in a sentence: "today at 11:42", "yesterday at 16:12", "27 June 2017 at 09:00"."""
    local = instant.astimezone(zone)
    word = format_day(local.date(), today)
    day = word.lower() if word in ("Today", "Yesterday") else format_date(local.date(), today)
    return f"{day} at {local:%H:%M}"


def format_exactly(instant: datetime, zone: ZoneInfo) -> str:
    """An instant to the second with its zone, for titles and details: "22 November 2026, 11:42:07 GMT"."""
    local = instant.astimezone(zone)
    return f"{format_date(local.date())}, {local:%H:%M:%S} {local.tzname()}"


def format_size(count: int) -> str:
    """Bytes as people say them: "812 bytes", "48 kB", "2.3 MB", "1.9 GB"."""
    if count < 1000:
        return "1 byte" if count == 1 else f"{count} bytes"
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= size:
            amount = count / size
            return f"{amount:.1f} {unit}" if amount < 10 else f"{amount:,.0f} {unit}"
    raise AssertionError


def format_list(words: Sequence[str]) -> str:
    """As one enumeration: "", "one", "one and two", "one, two and three"."""
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


@lru_cache(maxsize=20_000)
def format_number(e164: str, region: str) -> str:
    """An E.164 number as people of `region` write it: "020 7946 0182" at home, "+33 1 99 00 12 34" from abroad.

    Give the E.164 in the title wherever this is shown. What is no number comes back as it is.
    """
    try:
        number = phonenumbers.parse(e164, None)
    except phonenumbers.NumberParseException:
        return e164
    at_home = phonenumbers.country_code_for_region(region) == number.country_code
    shape = phonenumbers.PhoneNumberFormat.NATIONAL if at_home else phonenumbers.PhoneNumberFormat.INTERNATIONAL
    return phonenumbers.format_number(number, shape)


def register(app: Flask) -> None:
    """Make the functions filters of the templates, under their names without `format_` (format_count is `figure`,
    format_size is `file_size`)."""
    app.jinja_env.filters.update(
        figure=format_count,  # not "count": that is Jinja's alias of length
        calls=format_calls,
        seconds=format_seconds,
        talk=format_talk,
        span=format_span,
        date=format_date,
        weekday=format_weekday,
        day=format_day,
        time=format_time,
        moment=format_moment,
        exactly=format_exactly,
        file_size=format_size,
        number=format_number,
    )
