"""Geometry of the Overview's bars: from figures to what templates/components/chart.html draws. Pure.

Axes begin at zero. A bar is the calls of a day or hour, the missed ones on top of it; a third, invisible rectangle
over its whole height catches the pointer.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

from webapp.calls.figures import Figures
from webapp.formatting import format_calls, format_count, format_weekday
from webapp.reports.queries import Hour

WIDTH, HEIGHT = 600, 160
_GAP = 0.28  # of a bar's room
_LEAST = 2.0  # units: one missed call among thousands is still to be seen
_TICKS = 5


@dataclass(frozen=True)
class Rect:
    x: float
    y: float
    width: float
    height: float
    kind: str
    title: str = ""
    href: str = ""


@dataclass(frozen=True)
class TableRow:
    label: str
    href: str
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Chart:
    title: str
    rects: list[Rect]
    scale: list[str]
    ticks: list[str]
    headings: tuple[str, ...]
    rows: list[TableRow]


@dataclass(frozen=True)
class _Bar:
    label: str
    href: str
    calls: int
    missed: int


def draw_days(days: dict[date, Figures], today: date, href: Callable[[date], str]) -> Chart:
    """Calls a day, missed on top; each bar leads to `href(day)`."""
    bars = [_Bar(format_weekday(day, today), href(day), each.calls, each.missed) for day, each in days.items()]
    shown = list(days)
    last = len(shown) - 1
    ticks = [shown[round(last * place / (_TICKS - 1))] for place in range(_TICKS)] if last >= _TICKS else shown
    rows = [
        TableRow(
            f"{day:%a} {day.day} {day:%b}",
            href(day),
            tuple(format_count(n) for n in (each.calls, each.answered, each.missed, each.voicemail)),
        )
        for day, each in reversed(days.items())
    ]
    return Chart(
        title="Calls a day, missed on top",
        rects=_rects(bars),
        scale=_scale(bars),
        ticks=[_tick(day, today) for day in ticks],
        headings=("Day", "Calls", "Answered", "Missed", "Voicemail"),
        rows=rows,
    )


def draw_hours(hours: Sequence[Hour]) -> Chart:
    """Calls by the hour of the day in which they began."""
    bars = [_Bar(_hour_words(each.hour), "", each.calls, each.missed) for each in hours]
    return Chart(
        title="Busiest hours, all days together, missed on top",
        rects=_rects(bars),
        scale=_scale(bars),
        ticks=["00:00", "06:00", "12:00", "18:00", "24:00"],
        headings=("Hour", "Calls", "Missed"),
        rows=[TableRow(bar.label, "", (format_count(bar.calls), format_count(bar.missed))) for bar in bars],
    )


def top_of_axis(largest: int) -> int:
    """The round number at or above `largest` at which an axis ends: an even number, so that its half is whole."""
    if largest <= 2:
        return 2
    power: int = 10 ** (len(str(largest)) - 1)
    for step in (1, 1.2, 1.6, 2, 3, 4, 6, 8, 10):
        top = round(step * power)
        if top >= largest and top % 2 == 0:
            return top
    raise AssertionError("ten times the power is larger than any number of as many digits")


def _rects(bars: Sequence[_Bar]) -> list[Rect]:
    top = top_of_axis(max((bar.calls for bar in bars), default=0))
    room = WIDTH / max(len(bars), 1)
    rects = []
    for place, bar in enumerate(bars):
        x, width = round(place * room + room * _GAP / 2, 2), round(room * (1 - _GAP), 2)
        height, missed = _height(bar.calls, top), min(_height(bar.missed, top), _height(bar.calls, top))
        if bar.calls > bar.missed:
            rects.append(Rect(x, round(HEIGHT - height + missed, 2), width, round(height - missed, 2), "answered"))
        if bar.missed:
            rects.append(Rect(x, round(HEIGHT - height, 2), width, missed, "missed"))
        title = f"{bar.label}: {format_calls(bar.calls)}, {format_count(bar.missed)} missed"
        rects.append(Rect(round(place * room, 2), 0, round(room, 2), HEIGHT, "hit", title, bar.href))
    return rects


def _height(calls: int, top: int) -> float:
    return max(round(calls / top * HEIGHT, 2), _LEAST) if calls else 0.0


def _scale(bars: Sequence[_Bar]) -> list[str]:
    top = top_of_axis(max((bar.calls for bar in bars), default=0))
    return [format_count(top), format_count(top // 2), "0"]


def _tick(day: date, today: date) -> str:
    return "Today" if day == today else f"{day.day} {day:%b}"


def _hour_words(hour: int) -> str:
    return f"{hour:02}:00 to {(hour + 1):02}:00"
