"""Opening hours and holidays: written, tried in words before they are stored, changed, put away."""

from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

from flask import Response, flash, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from webapp import access, clock, htmx
from webapp.destinations import schedule_queries as queries
from webapp.destinations.blueprint import bp
from webapp.destinations.moments import list_moments, read_moment
from webapp.destinations.number_actions import ChangedMeanwhile
from webapp.destinations.route_authors import name_authors
from webapp.destinations.route_models import Schedule, ScheduleKind
from webapp.destinations.schedule_actions import (
    KIND_WORDS,
    archive_schedule,
    change_schedule,
    make_schedule,
    tell_change,
    version_mark,
)
from webapp.destinations.schedule_forms import AnyScheduleForm, HolidaysForm, HoursForm
from webapp.destinations.schedule_text import read_content, tell_schedule
from webapp.destinations.schedule_trials import ScheduleTrial, try_rule
from webapp.errors import Refused
from webapp.tenancy.guard import hold_and_check
from webapp.tenancy.models import Role
from webapp.tenancy.request import current_organization, current_reader, db

_FORMS: dict[ScheduleKind, type[HoursForm] | type[HolidaysForm]] = {
    ScheduleKind.OPENING_HOURS: HoursForm,
    ScheduleKind.HOLIDAYS: HolidaysForm,
}


@dataclass(frozen=True)
class PastVersion:
    """A line of the history: from when on it said so, by whom, and what it changed."""

    from_at: datetime
    who: str
    change: str


@bp.route("/schedules/new/<any(hours,holidays):what>", methods=["GET", "POST"])
@access.member(Role.MANAGER)
@access.sees_every_call
def add_schedule(what: str) -> ResponseReturnValue:
    if request.method == "POST":
        hold_and_check()
    kind, form = _new_form(what)
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


def _new_form(what: str) -> tuple[ScheduleKind, AnyScheduleForm]:
    kind = ScheduleKind.OPENING_HOURS if what == "hours" else ScheduleKind.HOLIDAYS
    return kind, _FORMS[kind](data={"time_zone": current_organization().time_zone})


@bp.route("/schedules/<id:schedule_id>", methods=["GET", "POST"])
@access.member(Role.MANAGER)
@access.sees_every_call
def edit_schedule(schedule_id: int) -> ResponseReturnValue:
    if request.method == "POST":
        hold_and_check()
    schedule = queries.get_schedule(db(), schedule_id)
    form = _stored_form(schedule)
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


def _stored_form(schedule: Schedule) -> AnyScheduleForm:
    """With what is stored, or with what was typed where something was."""
    newest = queries.list_versions(db(), schedule.id)[0]
    stored = read_content(schedule.kind, newest.time_zone, newest.content)
    data = {"name": schedule.name, "time_zone": stored.time_zone, "began_with": version_mark(newest)}
    form = _FORMS[schedule.kind](data=data)
    if request.method != "POST":
        form.show(stored)
    return form


@bp.post("/schedules/new/<any(hours,holidays):what>/try")
@access.member(Role.MANAGER)
@access.sees_every_call
def try_new_schedule(what: str) -> ResponseReturnValue:
    """What they would say by the form as it stands. Stores nothing."""
    kind, form = _new_form(what)
    return _tried(form, kind)


@bp.post("/schedules/<id:schedule_id>/try")
@access.member(Role.MANAGER)
@access.sees_every_call
def try_schedule(schedule_id: int) -> ResponseReturnValue:
    """What would happen to calls by the form as it stands. Stores nothing."""
    schedule = queries.get_schedule(db(), schedule_id)
    return _tried(_stored_form(schedule), schedule.kind, schedule)


def _tried(form: AnyScheduleForm, kind: ScheduleKind, schedule: Schedule | None = None) -> Response:
    if htmx.wants_part():
        part = "destinations/_schedule_try.html"
        return htmx.render(part, part, trial=_trial(form, schedule), is_hours=kind == ScheduleKind.OPENING_HOURS)
    form.validate()  # marks what is wrong
    return _page(form, kind, schedule)


def _trial(form: AnyScheduleForm, schedule: Schedule | None) -> ScheduleTrial | None:
    """None where nothing was typed yet."""
    if schedule is None and request.method != "POST":
        return None
    wrong = form.find_wrong()
    if wrong:
        return ScheduleTrial([f"{form[name].label.text}: {sentence}" for name, sentence in wrong.items()])
    zone = ZoneInfo(current_organization().time_zone)
    moments = list_moments(clock.now(), read_moment(form.try_at.data, zone), zone)
    return try_rule(db(), schedule, form.rule(), moments, masked=current_reader().is_masked)


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
        happened=happened,
        theirs=theirs,
        trial=_trial(form, schedule),
        zone=zone,
        today=clock.now().astimezone(zone).date(),
    )


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
