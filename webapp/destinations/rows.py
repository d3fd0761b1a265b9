"""A destination as the pages show it: its words, its patterns as its reader may see them, its figures and their line.

Called by the views of this package. Nothing here writes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from webapp.destinations.figures import FIGURE_DAYS, LiveFigures, read_destination_figures
from webapp.destinations.kind_words import COLOUR_NAMES, KIND_LABELS
from webapp.destinations.listing import list_patterns
from webapp.destinations.masking import mask_text
from webapp.destinations.models import Destination
from webapp.destinations.patterns import Plan, spell_pattern
from webapp.formatting import format_calls, format_count, format_span
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.reader import Reader

_PATTERNS_SHOWN = 3
SPARK_WIDTH, SPARK_HEIGHT = 120, 28
_GAP = 0.25  # of a bar's room
_LEAST = 2.0  # units: one call is still to be seen


@dataclass(frozen=True)
class Bar:
    """One day of the line, as components/chart.html draws it."""

    x: float
    y: float
    width: float
    height: float
    kind: str = "answered"
    title: str = ""
    href: str = ""


@dataclass(frozen=True)
class ShownFigures:
    """Of the last 30 days, in words. `answered` is "" where no outside call came in."""

    figures: LiveFigures
    calls: str
    answered: str
    talk: str
    bars: list[Bar]
    told: str  #: what the line says, for those who do not see it


@dataclass(frozen=True)
class Row:
    """`patterns`: the first few, spelt; none for a masked reader. `figures` None: not asked for yet."""

    destination: Destination
    name: str
    note: str
    kind: str
    colour: str
    patterns: tuple[str, ...]
    more_patterns: int
    figures: ShownFigures | None = None


def show_rows(
    session: LockedSession,
    destinations: Sequence[Destination],
    plan: Plan,
    reader: Reader,
    zone: ZoneInfo | None = None,
) -> list[Row]:
    """In the order given; with figures where a zone is given, whose days they are of."""
    ids = [each.id for each in destinations]
    patterns = {} if reader.is_masked else list_patterns(session, ids)
    figures = {} if zone is None else read_destination_figures(session, ids, zone)
    return [
        Row(
            destination=each,
            name=show_text(each.name, reader),
            note=show_text(each.note, reader),
            kind=KIND_LABELS[each.kind],
            colour=COLOUR_NAMES[each.colour],
            patterns=tuple(spell_pattern(pattern, plan) for pattern in patterns.get(each.id, ())[:_PATTERNS_SHOWN]),
            more_patterns=max(0, len(patterns.get(each.id, ())) - _PATTERNS_SHOWN),
            figures=show_figures(figures[each.id]) if each.id in figures else None,
        )
        for each in destinations
    ]


def show_text(text: str, reader: Reader) -> str:
    """What people wrote, as the reader may see it."""
    return mask_text(text) if reader.is_masked else text


def show_figures(figures: LiveFigures) -> ShownFigures:
    percent = figures.answered_percent
    more = "more than " if figures.more else ""
    return ShownFigures(
        figures=figures,
        calls=f"{more}{format_calls(figures.calls)}",
        answered="" if percent is None else f"{percent} % answered",
        talk=format_span(figures.talk_seconds) if figures.talk_seconds else "",
        bars=_draw(figures.days),
        told=_tell(figures.days),
    )


def _draw(days: Sequence[int]) -> list[Bar]:
    """A bar a day, the highest as high as there is room."""
    top, room = max(days, default=0), SPARK_WIDTH / FIGURE_DAYS
    heights = [max(_LEAST, SPARK_HEIGHT * calls / top) if calls else 0 for calls in days]
    return [
        Bar(round(room * place, 2), round(SPARK_HEIGHT - height, 2), round(room * (1 - _GAP), 2), round(height, 2))
        for place, height in enumerate(heights)
        if height
    ]


def _tell(days: Sequence[int]) -> str:
    if not any(days):
        return f"No call in {FIGURE_DAYS} days."
    busy = sum(1 for calls in days if calls)
    most, today = format_count(max(days)), format_count(days[-1])
    return f"Calls on {busy} of {FIGURE_DAYS} days, at most {most} a day, {today} today."
