"""Dates, times of day and lengths of time in the many spellings that CSV exports have.

Called by `generic_csv.py` and `column_guess.py`. Day and month cannot be told apart from one value: the caller says
the order. Nothing here raises on content: what cannot be read is None.
"""

import re
from datetime import UTC, date, datetime, time, timedelta

_CLOCK = (
    r"(?P<hour>\d{1,2})[:.h](?P<minute>\d{2})(?:[:.](?P<second>\d{2})(?:[.,]\d+)?)?"
    r"\s*(?:(?P<half>[AaPp])\.?\s?[Mm]\.?)?"
)
_CLOCK_ONLY = re.compile(rf"\s*{_CLOCK}\s*")
_NUMERIC = re.compile(
    rf"\s*(?:[^\W\d]{{2,12}}\.?,?\s+)?(\d{{1,4}})([./-])(\d{{1,2}})\2(\d{{1,4}})"
    rf"(?:[T\s,]+{_CLOCK})?\s*(?P<zone>Z|UTC|GMT|[+-]\d\d:?\d\d)?\s*"
)
_NAMED = re.compile(
    r"\s*(?:[^\W\d]{2,12}\.?,?\s+)??(?:(?P<day1>\d{1,2})\.?[\s-]+(?P<month1>[^\W\d]{3,})\.?|"
    rf"(?P<month2>[^\W\d]{{3,}})\.?\s+(?P<day2>\d{{1,2}})),?[\s-]+(?P<year>\d{{4}})(?:[T\s,]+{_CLOCK})?\s*"
)
_EPOCH_BEGAN = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH = re.compile(r"\d{9,10}(?:\.\d+)?|\d{13}|\d{16}")
_COMPACT = re.compile(r"(\d{4})(\d\d)(\d\d)(?:[T_ -]?(\d\d)(\d\d)(\d\d)?)?")
#: First letters of the months in English, German, French, Spanish, Dutch and Italian.
_MONTHS = (
    ("jan", "jän", "ene", "gen"),
    ("feb", "fév", "fev"),
    ("mar", "mär", "mrt", "maa"),
    ("apr", "avr", "abr"),
    ("may", "mai", "mei", "mag"),
    ("jun", "juin", "giu"),
    ("jul", "juil", "lug"),
    ("aug", "aoû", "aou", "ago"),
    ("sep", "set"),
    ("oct", "okt", "ott"),
    ("nov",),
    ("dec", "dez", "déc", "dic"),
)
_COLONS = re.compile(r"(-?)(?:(\d+):)?(\d+):(\d{1,2})(?:[.,]\d+)?")
_UNITS = re.compile(
    r"(?:(\d+)\s*(?:h|hrs?|hours?|std)\.?)?\s*(?:(\d+)\s*(?:m|min|mins|minutes?|')\.?)?\s*"
    r"(?:(\d+)(?:[.,]\d+)?\s*(?:s|secs?|seconds?|sek|\")\.?)?",
    re.IGNORECASE,
)
_DECIMAL = re.compile(r"-?\d+(?:[.,]\d+)?")
_INT32 = 2**31 - 1


def parse_moment(text: str, date_order: str) -> datetime | None:
    """A date with or without a time of day. Naive, unless the text is an epoch (s, ms, µs) or writes a zone.

    `date_order`: "dmy" or "mdy" for dates that do not begin with a year of four digits; "ymd" also for 26-11-22.
    """
    text = text.strip()
    try:
        if text[4:5] == "-":
            return datetime.fromisoformat(text)
    except ValueError:
        pass
    try:
        if _EPOCH.fullmatch(text):
            return _from_epoch(text)
        if (match := _COMPACT.fullmatch(text)) is not None:
            return datetime(*(int(part or 0) for part in match.groups()))  # type: ignore[arg-type]  # noqa: DTZ001
        if (match := _NUMERIC.fullmatch(text)) is not None:
            return _from_numbers(match, date_order)
        return _from_names(text)
    except (ValueError, OverflowError):
        return None


def parse_clock(text: str) -> time | None:
    """A time of day: 14:05, 14:05:09, 2:05 PM, 14.05."""
    match = _CLOCK_ONLY.fullmatch(text)
    try:
        return None if match is None else _clock(match)
    except ValueError:
        return None


def parse_seconds(text: str) -> int | None:
    """A length of time in seconds, cut to 32 bits: 125, 125.4, 2:05 (m:ss), 0:02:05, "2m 5s", "125 sec"."""
    text = text.strip()
    try:
        if _DECIMAL.fullmatch(text):
            seconds = int(float(text.replace(",", ".")))
        elif (match := _COLONS.fullmatch(text)) is not None:
            sign, hours, minutes, rest = match.groups()
            seconds = int(hours or 0) * 3600 + int(minutes) * 60 + int(rest)
            seconds = -seconds if sign else seconds
        elif text and (match := _UNITS.fullmatch(text)) is not None:
            seconds = sum(int(part or 0) * unit for part, unit in zip(match.groups(), (3600, 60, 1), strict=True))
        else:
            return None
    except (ValueError, OverflowError):
        return None
    return max(-_INT32 - 1, min(_INT32, seconds))


def at_clock(day: datetime, text: str) -> datetime | None:
    """The time of day on that day, or on the next where it would lie before (a call over midnight)."""
    clock = parse_clock(text)
    if clock is None:
        return None
    try:
        moment = datetime.combine(day.date(), clock, day.tzinfo)
        return moment if moment >= day else moment + timedelta(days=1)
    except OverflowError:
        return None


def combine(day: str, clock: str, date_order: str) -> datetime | None:
    """Date and time of two columns."""
    date_part, time_part = parse_moment(day, date_order), parse_clock(clock)
    if date_part is None or time_part is None:
        return None
    return datetime.combine(date_part.date(), time_part, date_part.tzinfo)


def day_and_month(text: str) -> tuple[int, int, str] | None:
    """The first two numbers of a numeric date that does not begin with its year, and its separator: 3, 4, "/"."""
    match = _NUMERIC.fullmatch(text)
    if match is None or len(match[1]) == 4:
        return None
    return int(match[1]), int(match[3]), match[2]


def _from_epoch(text: str) -> datetime:
    whole, _, fraction = text.partition(".")
    microseconds = int(whole) * 10 ** (16 - max(len(whole), 10)) + int(fraction[:6].ljust(6, "0"))
    return _EPOCH_BEGAN + timedelta(microseconds=microseconds)


def _from_numbers(match: re.Match[str], date_order: str) -> datetime:
    first, second, third = match[1], match[3], match[4]
    if len(first) == 4 or (date_order == "ymd" and len(third) < 4):
        year, month, day = first, second, third
    elif date_order == "mdy":
        month, day, year = first, second, third
    else:
        day, month, year = first, second, third
    return _with_zone(datetime.combine(date(_year(year), int(month), int(day)), _clock(match)), match["zone"])


def _from_names(text: str) -> datetime | None:
    match = _NAMED.fullmatch(text)
    if match is None:
        return None
    name = (match["month1"] or match["month2"]).casefold()
    for number, beginnings in enumerate(_MONTHS, start=1):
        if name.startswith(beginnings):
            day = date(int(match["year"]), number, int(match["day1"] or match["day2"]))
            return datetime.combine(day, _clock(match))
    return None


def _clock(match: re.Match[str]) -> time:
    hour, half = int(match["hour"] or 0), (match["half"] or "").lower()
    if half:
        if not 1 <= hour <= 12:
            raise ValueError("no hour of a 12-hour clock")
        hour = hour % 12 + (12 if half == "p" else 0)
    return time(hour, int(match["minute"] or 0), int(match["second"] or 0))


def _year(text: str) -> int:
    year = int(text)
    if len(text) > 2:
        return year
    return year + (1900 if year >= 70 else 2000)


def _with_zone(moment: datetime, zone: str | None) -> datetime:
    if not zone:
        return moment
    if zone in ("Z", "UTC", "GMT"):
        return moment.replace(tzinfo=UTC)
    return datetime.fromisoformat(f"{moment.isoformat()}{zone[:3]}:{zone[-2:]}")
