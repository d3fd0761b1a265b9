"""The table that a run prints: what was measured, its limit in the same run, their ratio, and what is allowed."""

import os
import platform
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True)
class Result:
    """One line. `at_least`: the ratio must reach what is allowed, else it may not go beyond it."""

    what: str
    figure: str
    limit: str
    ratio: float
    allowed: float
    at_least: bool = False
    note: str = ""

    @property
    def holds(self) -> bool:
        return self.ratio >= self.allowed if self.at_least else self.ratio <= self.allowed

    @property
    def cells(self) -> tuple[str, ...]:
        sign = "≥" if self.at_least else "≤"
        verdict = "ok" if self.holds else "**over**"
        return self.what, self.figure, self.limit, f"{self.ratio:.2f}", f"{sign} {self.allowed:g}", verdict, self.note


_HEADER = ("What", "Figure", "Limit", "Ratio", "Allowed", "", "Beside it")


def in_time(what: str, measured: float, most: float, note: str = "") -> Result:
    """A limit that is a time: both in seconds."""
    return Result(what, milliseconds(measured), milliseconds(most), measured / most, 1.0, note=note)


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms" if seconds < 10 else f"{seconds:.1f} s"


def rate(count: int, seconds: float) -> str:
    return f"{count / seconds:,.0f}/s"


def table(results: list[Result]) -> str:
    """The results as a table in Markdown, which reads well on a terminal too."""
    rows = [_HEADER, *(result.cells for result in results)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(_HEADER))]
    rows.insert(1, tuple("-" * width for width in widths))
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    )


def machine() -> str:
    """Where and when this was measured."""
    when = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return (
        f"{when}, {os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()}, "
        f"load {os.getloadavg()[0]:.1f} at the end"
    )
