"""The routes of a number: the ordered list, tried in words before it is stored. Its buttons need no JavaScript."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask import Response, flash, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from webapp import access, clock, htmx
from webapp.database.ids import read_id, spell_id
from webapp.destinations import route_queries as queries
from webapp.destinations.blueprint import bp
from webapp.destinations.moments import list_moments, read_moment
from webapp.destinations.number_actions import ChangedMeanwhile
from webapp.destinations.number_queries import find_asked, get_number
from webapp.destinations.route_actions import MOST_ROUTES, PlanRefused, store_plan
from webapp.destinations.route_authors import name_authors
from webapp.destinations.route_checks import Problem, check_plan
from webapp.destinations.route_forms import RoutesForm, arrange, find_focus, spell_plan
from webapp.destinations.route_models import Number
from webapp.destinations.route_words import tell_changes, tell_number
from webapp.destinations.routing import Plan
from webapp.destinations.schedule_queries import list_schedules, rules_of
from webapp.tenancy.guard import hold_and_check
from webapp.tenancy.models import Role
from webapp.tenancy.request import current_organization, current_reader, db


@dataclass(frozen=True)
class Trial:
    """What would happen by the form as it stands: in words for some moments, and what is wrong with it.

    `wrong`: what cannot be read of it; nothing else is said then.
    """

    paths: list[list[str]]
    problems: list[Problem]
    wrong: list[str]


@dataclass(frozen=True)
class Meanwhile:
    """What somebody else stored while the form was open. `changes`: from what stands in the form to theirs."""

    who: str
    at: datetime
    changes: list[str]


def _zone() -> ZoneInfo:
    return ZoneInfo(current_organization().time_zone)


@bp.route("/numbers/<id:number_id>/routes", methods=["GET", "POST"])
@access.member(Role.MANAGER)
@access.sees_every_call
def edit_routes(number_id: int) -> ResponseReturnValue:
    if request.method == "POST":
        hold_and_check()
    number = get_number(db(), number_id)
    if request.method != "POST":
        return _stored_page(number)
    form = _typed_form()
    if not form.validate():
        return _page(number, form, status=422)
    plan = form.plan(_zone())
    try:
        stored = store_plan(db(), number, plan, form.started_with, _zone(), actor_id=current_user.id)
    except ChangedMeanwhile:
        meanwhile = _meanwhile(number, plan)
        last = queries.find_plan(db(), number.id)
        form.began_with.data = spell_id(last.id) if last else ""
        return _page(number, form, status=422, meanwhile=meanwhile)
    except PlanRefused as refusal:
        _mark(form, refusal.problems)
        return _page(number, form, status=422)
    db().commit()
    flash("The routes are stored." if stored else "The routes are as they were: nothing was changed.", "ok")
    return htmx.go_to(url_for("destinations.route_history", number_id=number_id))


@bp.post("/numbers/<id:number_id>/routes/arrange")
@access.member(Role.MANAGER)
@access.sees_every_call
def arrange_routes(number_id: int) -> ResponseReturnValue:
    """Another row, one less, or another order. Stores nothing."""
    number, typed = get_number(db(), number_id), RoutesForm()
    kept = {"began_with": typed.began_with.data, "try_at": typed.try_at.data}
    asked = request.form.get("do", "")
    rows = arrange(typed.typed_rows(), asked)
    form = _offered(RoutesForm(formdata=None, data={**kept, "rows": rows}))
    return _page(number, form, focused=find_focus(asked, len(rows)))


@bp.post("/numbers/<id:number_id>/routes/try")
@access.member(Role.MANAGER)
@access.sees_every_call
def try_routes(number_id: int) -> ResponseReturnValue:
    """What would happen by the form as it stands. Stores nothing."""
    number, form = get_number(db(), number_id), _typed_form()
    if htmx.wants_part():
        return htmx.render("destinations/_route_try.html", "destinations/_route_try.html", trial=_trial(number, form))
    form.validate()  # marks what is missing
    return _page(number, form)


def _stored_page(number: Number) -> Response:
    last = queries.find_plan(db(), number.id)
    rows = spell_plan(queries.read_plan(db(), last), _zone()) or [{"when": "always", "destination": ""}]
    data: dict[str, Any] = {"began_with": spell_id(last.id) if last else "", "try_at": "", "rows": rows}
    return _page(number, _offered(RoutesForm(data=data)))


def _typed_form() -> RoutesForm:
    return _offered(RoutesForm())


def _offered(form: RoutesForm) -> RoutesForm:
    chosen = {_read(row.form.destination.data) for row in form.rows}
    form.offer(queries.list_choices(db(), chosen), list_schedules(db()))
    return form


def _read(text: str | None) -> int:
    """An id as a form has it; 0, which nothing has, for anything else."""
    try:
        return read_id(text or "")
    except ValueError:
        return 0


def _page(
    number: Number, form: RoutesForm, *, status: int = 200, meanwhile: Meanwhile | None = None, focused: str = ""
) -> Response:
    return htmx.render(
        "destinations/number_routes.html",
        "destinations/_route_form.html",
        status=status,
        number=number,
        form=form,
        trial=_trial(number, form),
        meanwhile=meanwhile,
        focused=focused,
        asked_at=find_asked(db()).get(number.id),
        most=MOST_ROUTES,
        refused=status == 422,
        zone=_zone(),
        now=clock.now(),
        today=clock.now().astimezone(_zone()).date(),
    )


def _trial(number: Number, form: RoutesForm) -> Trial:
    wrong = form.find_wrong()
    if wrong:
        return Trial([], [], wrong)
    plan, dated, now = form.plan(_zone()), list_schedules(db()), clock.now()
    around = queries.look_around(db(), plan, masked=current_reader().is_masked)
    moments = list_moments(now, read_moment(form.try_at.data, _zone()), _zone())
    return Trial(
        [tell_number(number, plan, rules_of(dated), around.names, when, at) for when, at in moments],
        check_plan(number.id, plan, rules_of(dated), around),
        [],
    )


def _mark(form: RoutesForm, problems: list[Problem]) -> None:
    """Put each beside its route; those of the plan as a whole above the form."""
    for problem in problems:
        if problem.route is None:
            form.form_errors.append(problem.sentence)
        else:
            row = form.rows[problem.route].form
            row.destination.errors = [*row.destination.errors, problem.sentence]


def _meanwhile(number: Number, typed: Plan) -> Meanwhile | None:
    last = queries.find_plan(db(), number.id)
    if last is None:
        return None
    theirs = queries.read_plan(db(), last)
    around = queries.look_around(db(), typed, theirs, masked=current_reader().is_masked)
    schedules = {each.schedule.id: each.schedule.name for each in list_schedules(db())}
    changes = tell_changes(typed, theirs, around.names, schedules, _zone())
    return Meanwhile(name_authors(db(), [last.user_account_id])[last.user_account_id], last.at, changes)
