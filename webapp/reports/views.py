"""The Overview: the first page of an organization. Holds `bp`."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from webapp import access, navigation
from webapp.audit.viewing import note_view
from webapp.calls.figures import Figures
from webapp.calls.filters import MISSED
from webapp.calls.log_page import FigureItem
from webapp.calls.outcomes import Direction
from webapp.calls.periods import Period, local_day, named_period
from webapp.calls.words import DIRECTION_LABELS, MISSED_MEANING
from webapp.clock import now
from webapp.database.staff_rights import Area
from webapp.formatting import format_count, format_span
from webapp.reports.charts import draw_days, draw_hours
from webapp.reports.health import Health, Next, tell_health
from webapp.reports.my_calls import list_newest, my_calls, to_return_item
from webapp.reports.queries import PbxHealth, answered_percent, list_health, sum_days, sum_hours
from webapp.services import services
from webapp.tenancy.models import Role
from webapp.tenancy.request import current_membership, current_organization, current_reader, db

bp = Blueprint("reports", __name__)
navigation.add("Overview", "reports.overview", 10, Role.VIEWER, narrowed="My calls")


@dataclass(frozen=True)
class HealthRow:
    name: str
    health: Health
    href: str  #: of its next step, "" for none


@bp.route("/o/<slug:slug>/")
@access.member(Role.VIEWER)
@access.open_to_staff(Area.CALLS, "the overview")
def overview() -> ResponseReturnValue:
    organization = current_organization()
    zone, region = ZoneInfo(organization.time_zone), organization.region
    present, reader = now(), current_reader()
    today = local_day(present, zone)
    if reader.narrowing is not None:
        note_view(services().database, organization.id, current_user.id, "overview.viewed")
        return render_template("reports/my_calls.html", **my_calls(db(), zone, region, present, reader))
    systems = list_health(db(), today, zone)
    if all(each.last_day is None for each in systems):
        return _render_empty(systems, today, zone)
    note_view(services().database, organization.id, current_user.id, "overview.viewed")
    month, only_today = named_period("30d", zone, present), named_period("today", zone, present)
    newest_day = max(each.last_day for each in systems if each.last_day is not None)
    sums = sum_days(db(), month, zone, region, reader)
    return render_template(
        "reports/overview.html",
        today_figures=[*_figure_items(sums.days[today], only_today), to_return_item(db(), present)],
        month_figures=_figure_items(sums.whole, month),
        month=month,
        has_figures=sums.whole.calls > 0,
        newest_day=newest_day,
        newest_href=_days_href(newest_day - timedelta(days=29), newest_day),
        day_chart=draw_days(sums.days, today, lambda day: _days_href(day, day)),
        hour_chart=draw_hours(sum_hours(db(), month, zone)),
        newest_calls=list_newest(db(), zone, region, present, reader),
        systems=_health_rows(systems, today, zone),
        missed_meaning=MISSED_MEANING,
        direction_labels=DIRECTION_LABELS,
        zone=zone,
        today=today,
    )


def _render_empty(systems: list[PbxHealth], today: date, zone: ZoneInfo) -> ResponseReturnValue:
    """Before the first call: the one next step."""
    open_systems = [each for each in systems if each.pbx.closed_at is None]
    return render_template(
        "reports/empty.html",
        systems=_health_rows(systems, today, zone),
        first_pbx=open_systems[0].pbx if open_systems else None,
        first_import=next((each.last_import for each in open_systems if each.last_import is not None), None),
        may_change=current_membership().role >= Role.MANAGER,
    )


def _figure_items(figures: Figures, period: Period) -> list[FigureItem]:
    """In the words of the call log, which shows the same figures above these calls."""
    here, percent = dict(period.query), answered_percent(figures)
    inbound, missed = here | {"direction": Direction.INBOUND.word}, here | {"outcome": MISSED}
    return [
        FigureItem("Calls", format_count(figures.calls), href=_calls_href(here) if figures.calls else ""),
        FigureItem("Answered", format_count(figures.answered_anyway), "by a person, in any direction"),
        FigureItem("Missed", format_count(figures.missed), href=_calls_href(missed) if figures.missed else ""),
        FigureItem("Talk time", format_span(figures.talk_seconds)),
        FigureItem(
            "Outside calls in",
            format_count(figures.inbound),
            _sides(figures) if figures.inbound else "",
            _calls_href(inbound) if figures.inbound else "",
        ),
        FigureItem("Of these answered", "none yet" if percent is None else f"{percent} %"),
    ]


def _sides(figures: Figures) -> str:
    """How outside calls in ended; the parts add up to their number."""
    parts = [(figures.answered, "answered"), (figures.missed, "missed"), (figures.voicemail, "voicemail")]
    parts += [(figures.unknown, "unknown")] if figures.unknown else []
    return " + ".join(f"{format_count(number)} {word}" for number, word in parts)


def _days_href(first: date, last: date) -> str:
    return _calls_href({"from": first.isoformat(), "to": last.isoformat()})


def _calls_href(query: dict[str, str]) -> str:
    values: dict[str, Any] = dict(query)  # "from" is no name for an argument of Python
    return url_for("calls.index", **values)


def _health_rows(systems: list[PbxHealth], today: date, zone: ZoneInfo) -> list[HealthRow]:
    told = [(each, tell_health(each, today, zone)) for each in systems]
    return [HealthRow(each.pbx.name, health, _next_href(each, health)) for each, health in told]


def _next_href(found: PbxHealth, health: Health) -> str:
    may_change = current_membership().role >= Role.MANAGER
    if health.next_step is Next.SEE_IMPORT and found.last_import is not None:
        return url_for("sources.show_import", import_file_id=found.last_import.id)
    if health.next_step is Next.UPLOAD and may_change:
        return url_for("sources.upload", pbx_id=found.pbx.id)
    if health.next_step is Next.ANSWER and may_change:
        return url_for("sources.set_up", pbx_id=found.pbx.id)
    return ""
