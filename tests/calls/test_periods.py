"""Periods: the organization's days as UTC instants and day numbers, and their words."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapp.calls.periods import PeriodError, day_number, day_of_number, local_day, named_period, period_between

LONDON = ZoneInfo("Europe/London")
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "first", "last", "words"),
    [
        ("today", "2026-11-22", "2026-11-22", "Today, Sunday 22 November"),
        ("yesterday", "2026-11-21", "2026-11-21", "Yesterday, Saturday 21 November"),
        ("week", "2026-11-16", "2026-11-22", "This week, 16 to 22 November"),
        ("7d", "2026-11-16", "2026-11-22", "Last 7 days, 16 to 22 November"),
        ("30d", "2026-10-24", "2026-11-22", "Last 30 days, 24 October to 22 November"),
        ("90d", "2026-08-25", "2026-11-22", "Last 90 days, 25 August to 22 November"),
        ("2026-02", "2026-02-01", "2026-02-28", "February 2026"),
        ("2025-12", "2025-12-01", "2025-12-31", "December 2025"),
    ],
)
def test_a_named_period_is_whole_local_days(name: str, first: str, last: str, words: str) -> None:
    period = named_period(name, LONDON, NOW)
    assert (period.first_day, period.last_day) == tuple(day_number(date.fromisoformat(day)) for day in (first, last))
    assert period.words == words
    assert period.name == name
    assert not period.has_edges


def test_instants_are_half_open_and_follow_the_clock_change() -> None:
    period = named_period("2026-10", LONDON, NOW)
    assert period.start == datetime(2026, 9, 30, 23, 0, tzinfo=UTC)  # summer time
    assert period.end == datetime(2026, 11, 1, 0, 0, tzinfo=UTC)


def test_a_day_begins_at_its_first_instant_where_midnight_is_skipped_or_comes_twice() -> None:
    santiago, azores = ZoneInfo("America/Santiago"), ZoneInfo("Atlantic/Azores")
    skipped = period_between("2026-09-06", "2026-09-06", santiago, NOW)
    assert skipped.start == datetime(2026, 9, 6, 4, 0, tzinfo=UTC)
    assert local_day(skipped.start, santiago) == date(2026, 9, 6)
    twice = period_between("2026-10-25", "2026-10-25", azores, NOW)
    assert twice.start == datetime(2026, 10, 25, 0, 0, tzinfo=UTC)


def test_everything_has_no_bounds() -> None:
    period = named_period("all", LONDON, NOW)
    assert (period.start, period.end, period.first_day, period.last_day) == (None, None, None, None)


def test_times_within_a_day_leave_whole_days_between_them() -> None:
    period = period_between("2026-11-20T14:30", "2026-11-22T09:15", LONDON, NOW)
    assert period.start == datetime(2026, 11, 20, 14, 30, tzinfo=UTC)
    assert period.end == datetime(2026, 11, 22, 9, 15, tzinfo=UTC)
    whole = day_number(date(2026, 11, 21))
    assert (period.first_day, period.last_day) == (whole, whole)
    assert period.has_edges
    assert period.words == "From 20 November at 14:30 to 22 November at 09:15"


@pytest.mark.parametrize(
    ("first", "last", "field"),
    [
        ("2026-13-01", "", "from"),
        ("", "soon", "to"),
        ("2026-11-22", "2026-11-21", "to"),
        ("1969-12-31", "", "from"),
        ("", "2200-01-01", "to"),
        ("2026-11-22T14:31", "", "from"),
        ("2026-11-22T14:30+01:00", "", "from"),
        ("", "", "from"),
    ],
)
def test_what_is_no_period_is_told_at_its_field(first: str, last: str, field: str) -> None:
    with pytest.raises(PeriodError) as told:
        period_between(first, last, LONDON, NOW)
    assert told.value.field == field
    assert str(told.value).endswith(".")


@pytest.mark.parametrize("name", ["", "31d", "2026-13", "2026-00", "1969-12", "9999-01", "today ", "2026-1", "٢٠٢٦-٠١"])
def test_an_unknown_name_is_refused(name: str) -> None:
    with pytest.raises(PeriodError):
        named_period(name, LONDON, NOW)


@given(
    st.dates(date(1971, 1, 1), date(2198, 12, 31)),
    st.integers(0, 800),
    st.sampled_from(["Europe/London", "Asia/Kathmandu", "America/Santiago", "Pacific/Apia"]),
)
def test_days_and_instants_say_the_same(first: date, length: int, zone_name: str) -> None:
    zone = ZoneInfo(zone_name)
    last = day_of_number(min(day_number(first) + length, day_number(date(2199, 12, 31))))
    period = period_between(first.isoformat(), last.isoformat(), zone, NOW)
    assert period.start is not None
    assert period.end is not None
    assert (period.first_day, period.last_day) == (day_number(first), day_number(last))
    if (first, zone_name) != (date(2011, 12, 30), "Pacific/Apia"):  # a day that Samoa did not have
        assert local_day(period.start, zone) == first
    assert local_day(period.end, zone) > last
