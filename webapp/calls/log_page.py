"""What the page of the call log says around its rows: figures, chips, days, the way on, and what an empty page offers.

Called by views.py; templates/calls/ shows it. Everything is a finished text or a link.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import groupby

from webapp.calls.asked import Asked
from webapp.calls.browse import CallPage, CallRow
from webapp.calls.figures import Figures
from webapp.calls.filters import NEWEST, OLDEST, CallFilter
from webapp.calls.periods import DEFAULT_PERIOD, day_number, day_of_number, days_period, local_day, named_period
from webapp.calls.searches import SearchWords
from webapp.calls.totals import Totals
from webapp.calls.words import DIRECTION_LABELS, OUTCOME_LABELS
from webapp.formatting import (
    format_calls,
    format_count,
    format_date,
    format_day,
    format_span,
    format_talk,
    format_weekday,
)
from webapp.pagination import Cursor

Address = Callable[[CallFilter, Cursor | None], str]
_OFFERED_DAYS = 30


@dataclass(frozen=True)
class FigureItem:
    label: str
    value: str
    note: str = ""
    href: str = ""


@dataclass(frozen=True)
class Chip:
    name: str
    value: str
    href: str


@dataclass(frozen=True)
class DayRows:
    """The rows of one local day; `heading` is "" where the day began on the page before."""

    heading: str
    note: str
    rows: Sequence[CallRow]


@dataclass(frozen=True)
class Offer:
    """An empty page: what it says, and the one next step (`href` is "" for none)."""

    title: str
    sentence: str
    action: str = ""
    href: str = ""


def figure_items(asked: Asked, totals: Totals, address: Address) -> list[FigureItem]:
    """The totals in words. Where they are not known to the end, each says so."""
    figures = totals.figures
    so_far = "" if totals.exact else _so_far(asked, totals)

    def value(text: str) -> str:
        return text if totals.exact else f"{text}+"

    to_missed = address(replace(asked.call_filter, outcome="missed"), None) if figures.missed else ""
    items = [
        FigureItem("Calls", tell_calls(totals), so_far),
        FigureItem("Answered", value(format_count(figures.answered_anyway)), "by a person, in any direction"),
        FigureItem("Missed", value(format_count(figures.missed)), href=to_missed),
        FigureItem("Talk time", value(format_span(figures.talk_seconds))),
    ]
    if totals.sides_known:
        items.append(FigureItem("Outside calls in", value(format_count(figures.inbound)), _sides(figures)))
    return items


def tell_calls(totals: Totals) -> str:
    """How many: "84", "84+" where that is not all of them, "more than 10,000"."""
    calls = totals.figures.calls
    if totals.more:
        return f"more than {format_count(calls - 1)}"
    return format_count(calls) if totals.exact else f"{format_count(calls)}+"


def _so_far(asked: Asked, totals: Totals) -> str:
    assert totals.counted_to is not None or totals.more
    if totals.counted_to is None:
        return "counted so far"
    day = format_date(local_day(totals.counted_to, asked.zone), local_day(asked.present, asked.zone))
    return f"counted so far, back to {day}" if asked.call_filter.newest_first else f"counted so far, up to {day}"


def _sides(figures: Figures) -> str:
    """How outside calls in ended; the parts add up to their number."""
    parts = ((figures.answered, "answered"), (figures.missed, "missed"), (figures.voicemail, "voicemail"))
    told = [f"{format_count(number)} {word}" for number, word in parts]
    if figures.unknown:
        told.append(f"{format_count(figures.unknown)} unknown")
    return " + ".join(told)


def chips(asked: Asked, address: Address) -> list[Chip]:
    """Each filter that is on, with the address without it."""
    chosen = asked.call_filter

    def without(**changes: object) -> str:
        return address(replace(chosen, **changes), None)  # type: ignore[arg-type]

    found = []
    if chosen.period.name != DEFAULT_PERIOD:
        default = named_period(DEFAULT_PERIOD, asked.zone, asked.present)
        found.append(Chip("Period", chosen.period.words, without(period=default)))
    if chosen.direction is not None:
        found.append(Chip("Direction", DIRECTION_LABELS[chosen.direction], without(direction=None)))
    if chosen.outcome:
        found.append(Chip("Outcome", OUTCOME_LABELS[chosen.outcome], without(outcome=None)))
    if chosen.pbx_ids:
        names = ", ".join(pbx.name for pbx in asked.pbxes if pbx.id in chosen.pbx_ids)
        found.append(Chip("Phone system", names, without(pbx_ids=())))
    if chosen.talk_min is not None:
        found.append(Chip("Talked at least", format_talk(chosen.talk_min) or "0:00", without(talk_min=None)))
    if chosen.talk_max is not None:
        found.append(Chip("Talked at most", format_talk(chosen.talk_max) or "0:00", without(talk_max=None)))
    named = (
        ("With", asked.party.title if asked.party else "", "party_id"),
        ("Destination", asked.destination, "destination_id"),
        ("Search", tell_words(asked.words) if asked.words else "", "search_id"),
    )
    found += [Chip(name, value, without(**{field: None})) for name, value, field in named if value]
    return found


def tell_selection(asked: Asked) -> str:
    """The period and every filter that is on, in words, for the audit."""
    told = [f"{chip.name} {chip.value}" for chip in chips(asked, lambda _filter, _cursor: "") if chip.name != "Period"]
    return "; ".join([asked.call_filter.period.words, *told])


def tell_words(words: SearchWords) -> str:
    """What was typed, each with where it is looked for."""
    typed = (("", words.search), ("caller ", words.caller), ("reached ", words.callee))
    return ", ".join(f"{role}“{text}”" for role, text in typed if text)


def days_of_rows(
    asked: Asked, rows: Sequence[CallRow], counts: Mapping[int, Figures], *, continued: bool
) -> list[DayRows]:
    """Rows by local day. `continued`: they follow rows of a page that is still shown above."""
    today = local_day(asked.present, asked.zone)
    shown = asked.cursor.day if continued and asked.cursor is not None else None
    days = []
    for day, group in groupby(rows, key=lambda row: row.day):
        heading = "" if day == shown else format_day(day_of_number(day), today)
        days.append(DayRows(heading, _day_note(day_of_number(day), today, counts.get(day)), list(group)))
    return days


def _day_note(day: date, today: date, figures: Figures | None) -> str:
    parts = [format_weekday(day, today)] if format_day(day, today) in ("Today", "Yesterday") else []
    if figures is not None:
        missed = f", {format_count(figures.missed)} missed" if figures.missed else ""
        parts.append(f"{format_calls(figures.calls)}{missed}")
    return " · ".join(parts)


def way_on(asked: Asked, page: CallPage) -> tuple[str, str]:
    """The words of the link to the next rows, and those while they come."""
    if page.searched_to is None:
        return "Show more calls", "Looking further back…" if asked.call_filter.newest_first else "Looking further on…"
    day = format_date(local_day(page.searched_to, asked.zone), local_day(asked.present, asked.zone))
    done = f"Searched back to {day}" if asked.call_filter.newest_first else f"Searched up to {day}"
    return f"{done}. Go on", f"{done}, going on…"


def end_of_rows(totals: Totals | None) -> str:
    """Where the rows end."""
    if totals is not None and totals.exact and totals.figures.calls:
        return f"That is all: {format_calls(totals.figures.calls)}."
    return "That is all. There are no more calls in this selection."


def other_order(asked: Asked, address: Address) -> tuple[str, str]:
    """The label and address of the same selection the other way round."""
    newest = asked.call_filter.newest_first
    label = "Oldest first" if newest else "Newest first"
    return label, address(replace(asked.call_filter, order=OLDEST if newest else NEWEST), None)


def offer_nearest(asked: Asked, nearest: date | None, address: Address) -> Offer:
    """What a page without calls says: the nearest period that has some, if any has."""
    chosen, today = asked.call_filter, local_day(asked.present, asked.zone)
    what = "No calls match" if chosen.has_conditions else "No calls"
    title = f"{what} {_in_period(chosen)}."
    if nearest is None:
        if chosen.has_conditions:
            action, href = "Take all filters off", address(CallFilter(chosen.period), None)
            return Offer(title, "Take a filter off, or choose a longer period.", action, href)
        return Offer("No calls yet.", "Calls appear here once a file of a phone system has been imported.")
    later = chosen.period.start is None or day_number(nearest) >= (chosen.period.first_day or 0)
    if later:
        period = days_period(nearest, nearest + timedelta(days=_OFFERED_DAYS - 1), asked.zone, today)
        sentence, action = "The next is of", f"Show the {_OFFERED_DAYS} days from it"
    else:
        period = days_period(nearest - timedelta(days=_OFFERED_DAYS - 1), nearest, asked.zone, today)
        sentence, action = "The newest is of", f"Show the {_OFFERED_DAYS} days up to it"
    return Offer(title, f"{sentence} {format_date(nearest)}.", action, address(replace(chosen, period=period), None))


def _in_period(chosen: CallFilter) -> str:
    if chosen.period.name == "all":
        return "at all"
    words = chosen.period.words.split(",")[0]
    if chosen.period.name in ("7d", "30d", "90d"):
        return f"in the {words[0].lower()}{words[1:]}"
    if chosen.period.name in ("today", "yesterday", "week"):
        return words.lower()
    return f"in this period ({chosen.period.words})"
