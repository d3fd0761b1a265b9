"""How many calls a day of Harbour Ltd has, and at which hours: weekday, bank holiday, season, trend.

Read by `day_plan.py`. All of it depends on the date alone, so that a day is the same whenever it is asked for.
"""

from datetime import date, timedelta
from functools import lru_cache

_WEEKDAY = (1.25, 1.05, 1.0, 0.97, 0.85, 0.09, 0.04)  #: Monday first
_MONTH = (0.95, 1.0, 1.05, 1.0, 1.02, 1.03, 0.95, 0.68, 1.05, 1.08, 1.08, 0.92)  #: January first; August is slow
_CALLS_ON_AN_AVERAGE_DAY = 73.0
_TREND_PER_YEAR, _TREND_FROM = 0.10, date(2026, 6, 1)

#: Weight of each hour after midnight.
WORKDAY_HOURS = (
    0.004, 0.002, 0.002, 0.002, 0.002, 0.006, 0.02, 0.09, 0.7, 1.35, 1.5, 1.4,
    0.75, 0.6, 1.2, 1.3, 1.15, 0.7, 0.14, 0.07, 0.04, 0.03, 0.015, 0.008,
)  # fmt: skip
DAY_OFF_HOURS = (
    0.1, 0.05, 0.05, 0.05, 0.05, 0.05, 0.1, 0.2, 0.6, 1.0, 1.4, 1.4,
    1.2, 1.0, 1.0, 1.0, 0.9, 0.8, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1,
)  # fmt: skip


def _easter(year: int) -> date:
    """Easter Sunday by the anonymous Gregorian computus (Meeus, Jones, Butcher)."""
    a, b, c = year % 19, year // 100, year % 100
    h = (19 * a + b - b // 4 - (b - (b + 8) // 25 + 1) // 3 + 15) % 30
    k = (32 + 2 * (b % 4) + 2 * (c // 4) - h - c % 4) % 7
    m = (a + 11 * h + 22 * k) // 451
    month, day = divmod(h + k - 7 * m + 114, 31)
    return date(year, month, day + 1)


def _last_monday(year: int, month: int) -> date:
    """May and August have 31 days."""
    last = date(year, month, 31)
    return last - timedelta(days=last.weekday())


@lru_cache(maxsize=8)
def bank_holidays(year: int) -> frozenset[date]:
    """England's bank holidays; a holiday on a weekend moves to the next free weekday (Banking Act 1971)."""
    first_of_may = date(year, 5, 1)
    days = {
        _easter(year) - timedelta(days=2),
        _easter(year) + timedelta(days=1),
        first_of_may + timedelta(days=-first_of_may.weekday() % 7),
        _last_monday(year, 5),
        _last_monday(year, 8),
    }
    for fixed in (date(year, 1, 1), date(year, 12, 25), date(year, 12, 26)):
        while fixed.weekday() >= 5 or fixed in days:
            fixed += timedelta(days=1)
        days.add(fixed)
    return frozenset(days)


def is_working_day(day: date) -> bool:
    return day.weekday() < 5 and day not in bank_holidays(day.year)


def calls_expected(day: date) -> float:
    """How many calls the head office has on this day, on average."""
    trend = min(1.3, max(0.8, 1 + _TREND_PER_YEAR * (day - _TREND_FROM).days / 365))
    calls = _CALLS_ON_AN_AVERAGE_DAY * _MONTH[day.month - 1] * trend
    if day in bank_holidays(day.year):
        return calls * 0.05
    if (day.month, day.day) >= (12, 24) or (day.month, day.day) <= (1, 2):
        return calls * _WEEKDAY[day.weekday()] * 0.3
    return calls * _WEEKDAY[day.weekday()]
