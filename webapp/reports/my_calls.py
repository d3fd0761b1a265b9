"""My calls: the first page of somebody who sees the calls of some extensions only. Called by reports/views.py.

No total may tell of these calls: they are counted, each once, up to 10,000, and a figure that is not the whole says so;
of more there is no chart.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask import url_for

from webapp.calls.browse import CallRow, page_of_calls
from webapp.calls.filters import CallFilter
from webapp.calls.log_page import FigureItem, tell_calls
from webapp.calls.own_days import count_own_days
from webapp.calls.periods import local_day, named_period
from webapp.calls.return_page import tell_count
from webapp.calls.return_queries import count_waiting
from webapp.calls.selection import select_calls
from webapp.calls.totals import Totals, total_calls
from webapp.calls.words import DIRECTION_LABELS, MISSED_MEANING
from webapp.formatting import format_count, format_span
from webapp.invitations.extensions import tell_opened
from webapp.reports.charts import draw_days
from webapp.reports.queries import sum_figures
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.reader import Reader

NEWEST_CALLS = 8


@dataclass(frozen=True)
class Stretch:
    """A heading with the figures of its calls."""

    title: str
    figures: Sequence[FigureItem]


def my_calls(session: LockedSession, zone: ZoneInfo, region: str, present: datetime, reader: Reader) -> dict[str, Any]:
    """What templates/reports/my_calls.html needs."""
    assert reader.narrowing is not None
    today, month = local_day(present, zone), named_period("30d", zone, present)
    days = count_own_days(session, select_calls(session, CallFilter(month), None, zone, region, reader))
    chart = None
    if days is None:
        stretches = [_stretch(session, name, zone, region, present, reader) for name in ("today", "30d")]
    else:
        whole = sum_figures(days.values())
        chart = draw_days(dict(days), today, _day_href) if whole.calls else None
        told = {"today": days[today], "30d": whole}
        stretches = [_tell(name, Totals(each), zone, present) for name, each in told.items()]
    stretches[0] = replace(stretches[0], figures=[*stretches[0].figures, to_return_item(session, present)])
    return {
        "opened": tell_opened(session, reader, zone.key),
        "stretches": stretches,
        "day_chart": chart,
        "newest_calls": list_newest(session, zone, region, present, reader),
        "missed_meaning": MISSED_MEANING,
        "direction_labels": DIRECTION_LABELS,
        "zone": zone,
        "today": today,
    }


def to_return_item(session: LockedSession, present: datetime) -> FigureItem:
    """How many callers wait to be called back, of whatever day."""
    count = count_waiting(session, present)
    return FigureItem("To return", tell_count(count), href=url_for("returns.index") if count else "")


def _day_href(day: date) -> str:
    values: dict[str, Any] = {"from": day.isoformat(), "to": day.isoformat()}  # "from" is no name for an argument
    return url_for("calls.index", **values)


def list_newest(
    session: LockedSession, zone: ZoneInfo, region: str, present: datetime, reader: Reader
) -> Sequence[CallRow]:
    """The newest calls that the reader may see."""
    everything = select_calls(session, CallFilter(named_period("all", zone, present)), None, zone, region, reader)
    return page_of_calls(session, everything, region, limit=NEWEST_CALLS).rows


def _stretch(
    session: LockedSession, name: str, zone: ZoneInfo, region: str, present: datetime, reader: Reader
) -> Stretch:
    period = named_period(name, zone, present)
    totals = total_calls(session, select_calls(session, CallFilter(period), None, zone, region, reader))
    return _tell(name, totals, zone, present)


def _tell(name: str, totals: Totals, zone: ZoneInfo, present: datetime) -> Stretch:
    """`name` is that of the period."""
    words = named_period(name, zone, present).words
    return Stretch(words, _figures(totals, url_for("calls.index", period=name)))


def _figures(totals: Totals, href: str) -> list[FigureItem]:
    """In the words of the call log, which counts the same calls."""
    figures, more = totals.figures, "" if totals.exact else "+"
    note = "" if totals.exact else "counted so far"
    return [
        FigureItem("Calls", tell_calls(totals), note, href if figures.calls else ""),
        FigureItem("Answered", f"{format_count(figures.answered_anyway)}{more}", "by a person, in any direction"),
        FigureItem(
            "Missed",
            f"{format_count(figures.missed)}{more}",
            href=f"{href}&outcome=missed" if figures.missed else "",
        ),
        FigureItem("Talk time", f"{format_span(figures.talk_seconds)}{more}"),
    ]
