"""The geometry of the Overview's bars."""

from datetime import date, timedelta

import pytest

from webapp.calls.figures import Figures
from webapp.reports.charts import HEIGHT, WIDTH, draw_days, draw_hours, top_of_axis
from webapp.reports.queries import Hour

TODAY = date(2026, 11, 22)


def days(*figures: Figures) -> dict[date, Figures]:
    first = TODAY - timedelta(days=len(figures) - 1)
    return {first + timedelta(days=place): each for place, each in enumerate(figures)}


@pytest.mark.parametrize(
    ("largest", "top"),
    [(0, 2), (1, 2), (2, 2), (3, 4), (9, 10), (11, 12), (15, 16), (99, 100), (101, 120), (54_321, 60_000)],
)
def test_the_axis_ends_at_a_round_number(largest: int, top: int) -> None:
    assert top_of_axis(largest) == top


def test_every_axis_holds_its_bars_and_has_a_whole_half() -> None:
    for largest in range(1, 5000):
        top = top_of_axis(largest)
        assert largest <= top <= max(2 * largest, 2)
        assert top % 2 == 0


def test_a_bar_is_the_calls_with_the_missed_on_top() -> None:
    chart = draw_days(days(Figures(calls=10, missed=5)), TODAY, lambda _day: "/there")
    answered, missed, hit = chart.rects
    assert (answered.kind, missed.kind, hit.kind) == ("answered", "missed", "hit")
    assert answered.y + answered.height == HEIGHT
    assert missed.y + missed.height == answered.y
    assert missed.height == answered.height == HEIGHT / 2
    assert hit.title == "Sunday 22 November: 10 calls, 5 missed"
    assert hit.href == "/there"
    assert chart.scale == ["10", "5", "0"]


def test_one_missed_call_among_thousands_is_seen() -> None:
    chart = draw_days(days(Figures(calls=50_000, missed=1)), TODAY, lambda _day: "")
    missed = next(rect for rect in chart.rects if rect.kind == "missed")
    assert missed.height >= 2
    assert missed.y + missed.height <= HEIGHT


def test_a_day_without_calls_has_no_bar_but_a_row() -> None:
    chart = draw_days(days(Figures(), Figures(calls=3, answered=2)), TODAY, lambda day: f"/{day}")
    assert [rect.kind for rect in chart.rects] == ["hit", "answered", "hit"]
    assert [row.label for row in chart.rows] == ["Sun 22 Nov", "Sat 21 Nov"]
    assert chart.rows[0].cells == ("3", "2", "0", "0")
    assert chart.rows[1].href == "/2026-11-21"


def test_bars_stay_inside_the_drawing() -> None:
    chart = draw_days(days(*[Figures(calls=n, missed=n // 3) for n in range(30)]), TODAY, lambda _day: "")
    for rect in chart.rects:
        assert 0 <= rect.x <= rect.x + rect.width <= WIDTH + 0.01
        assert 0 <= rect.y <= rect.y + rect.height <= HEIGHT + 0.01
    assert chart.ticks[0] == "24 Oct"
    assert chart.ticks[-1] == "Today"


def test_hours_are_all_of_the_day() -> None:
    chart = draw_hours([Hour(hour, hour, 0) for hour in range(24)])
    assert len(chart.rows) == 24
    assert chart.rows[9].label == "09:00 to 10:00"
    assert chart.rows[9].cells == ("9", "0")
