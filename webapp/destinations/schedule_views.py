"""Opening hours and holidays: the tab with the numbers and where they ring, writing, changing, putting away."""

from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

from flask import Response, flash, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from webapp import access, clock, htmx
from webapp.database.staff_rights import Area
from webapp.destinations import schedule_queries as queries
from webapp.destinations import tabs
from webapp.destinations.blueprint import bp
from webapp.destinations.number_actions import ChangedMeanwhile
from webapp.destinations.route_authors import name_authors
from webapp.destinations.route_models import Schedule, ScheduleKind
from webapp.destinations.route_queries import list_paths
from webapp.destinations.routing import Hours, next_change
from webapp.destinations.routing import Schedule as Rule
from webapp.destinations.schedule_actions import (
    KIND_WORDS,
    archive_schedule,
    change_schedule,
    make_schedule,
    tell_change,
    version_mark,
)
from webapp.destinations.schedule_forms import AnyScheduleForm, HolidaysForm, HoursForm
from webapp.destinations.schedule_text import read_content, spell_minute, tell_schedule
from webapp.errors import Refused
from webapp.tenancy.guard import hold_and_check
from webapp.tenancy.models import Role
from webapp.tenancy.request import current_membership, current_organization, current_reader, db

tabs.add_tab("Opening hours and routes", "destinations.routes", 30)
_FORMS: dict[ScheduleKind, type[HoursForm] | type[HolidaysForm]] = {
    ScheduleKind.OPENING_HOURS: HoursForm,
    ScheduleKind.HOLIDAYS: HolidaysForm,
}


@dataclass(frozen=True)
class Shown:
    """A schedule on the tab: `lines` of what it says, `state` for now ("Open now, closes at 17:00")."""

    schedule: Schedule
    lines: list[str]
    state: str


@dataclass(frozen=True)
class PastVersion:
    """A line of the history: from when on it said so, by whom, and what it changed."""

    from_at: datetime
    who: str
    change: str


@bp.get("/routes")
@access.member(Role.VIEWER)
@access.sees_every_call
@access.open_to_staff(Area.DESTINATIONS, "opening hours and routes")
def routes() -> ResponseReturnValue:
    zone, now = ZoneInfo(current_organization().time_zone), clock.now()
    dated = [each for each in queries.list_schedules(db()) if each.schedule.archived_at is None]
    return htmx.render(
        "destinations/routes.html",
        "destinations/routes.html",
        tabs=tabs.list_tabs(),
        current_tab=tabs.current_tab(),
        paths=list_paths(db(), now, masked=current_reader().is_masked),
        hours=[_show(each.schedule, each.rule, now) for each in dated if each.is_hours],
        holidays=[_show(each.schedule, each.rule, now) for each in dated if not each.is_hours],
        may_change=current_membership().role >= Role.MANAGER,
        zone=zone,
        now=now,
        today=now.astimezone(zone).date(),
    )


def _show(schedule: Schedule, rule: Rule, now: datetime) -> Shown:
    if isinstance(rule, Hours):
        return Shown(schedule, tell_schedule(rule), tell_state(rule, now))
    today = now.astimezone(ZoneInfo(rule.time_zone)).date()
    ahead = [day for day in rule.days if day[0] >= today]
    lines = tell_schedule(type(rule)(rule.time_zone, tuple(ahead[:5]))) if ahead else ["No day ahead"]
    more = [f"and {len(ahead) - 5} more"] if len(ahead) > 5 else []
    return Shown(schedule, [*lines, *more], "Holiday today" if rule.hold(now) else "")


def tell_state(hours: Hours, now: datetime) -> str:
    """ "Open now, closes at 17:30", "Closed now, opens Monday at 9:00"."""
    is_open, change = hours.hold(now), next_change(hours, now)
    if change is None:
        return "Always open" if is_open else "Never open"
    zone = ZoneInfo(hours.time_zone)
    local, today = change.astimezone(zone), now.astimezone(zone).date()
    day = "" if local.date() == today else f" {local:%A}"
    words = "Open now, closes" if is_open else "Closed now, opens"
    return f"{words}{day} at {spell_minute(local.hour * 60 + local.minute)}"


@bp.route("/schedules/new/<any(hours,holidays):what>", methods=["GET", "POST"])
@access.member(Role.MANAGER)
@access.sees_every_call
def add_schedule(what: str) -> ResponseReturnValue:
    if request.method == "POST":
        hold_and_check()
    kind = ScheduleKind.OPENING_HOURS if what == "hours" else ScheduleKind.HOLIDAYS
    form = _FORMS[kind](data={"time_zone": current_organization().time_zone})
    if not form.validate_on_submit():
        return _page(form, kind)
    try:
        make_schedule(db(), kind, form.name.data or "", form.rule(), actor_id=current_user.id)
    except Refused as refusal:
        form[refusal.field].errors = [refusal.sentence]
        return _page(form, kind)
    db().commit()
    flash(f"The {KIND_WORDS[kind]} can be chosen for routes now.", "ok")
    return htmx.go_to(url_for("destinations.routes"))


@bp.route("/schedules/<id:schedule_id>", methods=["GET", "POST"])
@access.member(Role.MANAGER)
@access.sees_every_call
def edit_schedule(schedule_id: int) -> ResponseReturnValue:
    if request.method == "POST":
        hold_and_check()
    schedule = queries.get_schedule(db(), schedule_id)
    newest = queries.list_versions(db(), schedule.id)[0]
    stored = read_content(schedule.kind, newest.time_zone, newest.content)
    data = {"name": schedule.name, "time_zone": stored.time_zone, "began_with": version_mark(newest)}
    form = _FORMS[schedule.kind](data=data)
    if request.method != "POST":
        form.show(stored)
    if not form.validate_on_submit():
        return _page(form, schedule.kind, schedule)
    try:
        began_with = form.began_with.data or ""
        changed = change_schedule(
            db(), schedule, began_with, form.name.data or "", form.rule(), actor_id=current_user.id
        )
    except ChangedMeanwhile as refusal:
        return _changed_meanwhile(form, schedule, refusal)
    except Refused as refusal:
        form[refusal.field].errors = [refusal.sentence]
        return _page(form, schedule.kind, schedule)
    db().commit()
    flash("Stored. Routes go by it from now on." if changed else "It is as it was: nothing was changed.", "ok")
    return htmx.go_to(url_for("destinations.routes"))


def _changed_meanwhile(form: AnyScheduleForm, schedule: Schedule, refusal: ChangedMeanwhile) -> Response:
    """With what is typed in the fields, and what differs from it now; storing once more replaces that."""
    newest = queries.list_versions(db(), schedule.id)[0]
    theirs = tell_change(form.rule(), read_content(schedule.kind, newest.time_zone, newest.content))
    form.began_with.data = version_mark(newest)
    return _page(form, schedule.kind, schedule, status=422, happened=refusal.sentence, theirs=theirs)


def _page(
    form: AnyScheduleForm,
    kind: ScheduleKind,
    schedule: Schedule | None = None,
    *,
    status: int = 200,
    happened: str = "",
    theirs: str = "",
) -> Response:
    zone = ZoneInfo(current_organization().time_zone)
    return htmx.render(
        "destinations/schedule.html",
        "destinations/_schedule.html",
        status=422 if form.errors else status,
        form=form,
        is_hours=kind == ScheduleKind.OPENING_HOURS,
        schedule=schedule,
        history=_history(schedule) if schedule else [],
        state=_state(schedule) if schedule and schedule.kind == ScheduleKind.OPENING_HOURS else "",
        happened=happened,
        theirs=theirs,
        zone=zone,
        today=clock.now().astimezone(zone).date(),
    )


def _state(schedule: Schedule) -> str:
    """Of now, by the hours that are stored."""
    newest = queries.list_versions(db(), schedule.id)[0]
    rule = read_content(schedule.kind, newest.time_zone, newest.content)
    return tell_state(rule, clock.now()) if isinstance(rule, Hours) else ""


def _history(schedule: Schedule) -> list[PastVersion]:
    """The newest first."""
    versions = queries.list_versions(db(), schedule.id)
    who = name_authors(db(), (version.user_account_id for version in versions))
    rules = [read_content(schedule.kind, version.time_zone, version.content) for version in versions]
    changes = [tell_change(before, rule) for rule, before in pairwise(rules)]
    first = "; ".join(tell_schedule(rules[-1]))
    return [
        PastVersion(version.from_at, who[version.user_account_id], change)
        for version, change in zip(versions, [*changes, first], strict=True)
    ]


@bp.post("/schedules/<id:schedule_id>/archive")
@access.member(Role.MANAGER)
@access.sees_every_call
def put_away_schedule(schedule_id: int) -> ResponseReturnValue:
    hold_and_check()
    schedule = queries.get_schedule(db(), schedule_id)
    try:
        archive_schedule(db(), schedule, actor_id=current_user.id)
    except Refused as refusal:
        flash(refusal.sentence, "warn")
        return htmx.go_to(url_for("destinations.edit_schedule", schedule_id=schedule_id))
    name = schedule.name
    db().commit()
    flash(f"{name} is put away: routes can no longer choose it. Its history stays.", "ok")
    return htmx.go_to(url_for("destinations.routes"))
