"""The history of where a number rings: every plan, what it changed, the answer for a moment of the past, and undo."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from flask import flash, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from webapp import access, clock, htmx
from webapp.database.staff_rights import Area
from webapp.destinations import route_queries as queries
from webapp.destinations.blueprint import bp
from webapp.destinations.moments import NO_MOMENT, read_moment, spell_moment
from webapp.destinations.number_queries import find_asked, get_number
from webapp.destinations.route_actions import PlanRefused, repeat_plan
from webapp.destinations.route_authors import name_authors
from webapp.destinations.route_checks import check_plan
from webapp.destinations.route_models import Number, RoutePlan
from webapp.destinations.route_words import tell_changes, tell_instant, tell_line, tell_not_ours, tell_number
from webapp.destinations.routing import Plan, Target, route_at, tell_path
from webapp.destinations.schedule_queries import list_schedules, name_schedules, rules_of
from webapp.tenancy.guard import hold_and_check
from webapp.tenancy.models import Role
from webapp.tenancy.request import current_membership, current_organization, current_reader, db


@dataclass(frozen=True)
class PastPlan:
    """A plan with who stored it and when; `repeats_at`: when the one was stored that it brought back."""

    plan: RoutePlan
    who: str
    changes: list[str]
    repeats_at: datetime | None


@dataclass(frozen=True)
class Asked:
    """The question "where did this ring on ...?" as typed, with its answer or what is wrong with it."""

    text: str
    sentences: list[str]
    error: str = ""


def _zone() -> ZoneInfo:
    return ZoneInfo(current_organization().time_zone)


@bp.get("/numbers/<id:number_id>/routes/history")
@access.member(Role.VIEWER)
@access.sees_every_call
@access.open_to_staff(Area.DESTINATIONS, "where a number rings and rang")
def route_history(number_id: int) -> ResponseReturnValue:
    number, now, zone = get_number(db(), number_id), clock.now(), _zone()
    stored = queries.list_plans(db(), number.id)
    plans = queries.read_plans(db(), [plan.id for plan in stored])
    around = queries.look_around(db(), *plans.values(), masked=current_reader().is_masked)
    names = name_schedules(db())
    present, rules = plans[stored[0].id] if stored else Plan(), rules_of(list_schedules(db(), now))
    asked = _ask(number, request.args.get("at", ""))
    return htmx.render(
        "destinations/route_history.html",
        "destinations/_where_rang.html",
        status=422 if asked.error else 200,
        number=number,
        present=[tell_line(line, around.names, names, zone) for line in present.lines],
        sentences=tell_number(number, present, rules, around.names, "Now", now),
        problems=check_plan(number.id, present, rules, around),
        history=_history(stored, plans, around.names, names),
        asked=asked,
        asked_at=find_asked(db()).get(number.id),
        may_change=current_membership().role >= Role.MANAGER,
        zone=zone,
        now=now,
        today=now.astimezone(zone).date(),
    )


def _history(
    stored: list[RoutePlan], plans: dict[int, Plan], names: Mapping[int, Target], schedules: dict[int, str]
) -> list[PastPlan]:
    """The newest first."""
    who = name_authors(db(), (plan.user_account_id for plan in stored))
    at = {plan.id: plan.at for plan in stored}
    before = [*(plans[plan.id] for plan in stored[1:]), Plan()]
    return [
        PastPlan(
            plan,
            who[plan.user_account_id],
            tell_changes(earlier, plans[plan.id], names, schedules, _zone()) or ["No route any more"],
            at.get(plan.repeats_id or 0),
        )
        for plan, earlier in zip(stored, before, strict=False)
    ]


def _ask(number: Number, text: str) -> Asked:
    """By the plan and the schedules that were in force then."""
    zone = _zone()
    try:
        at = read_moment(text, zone)
    except ValueError:
        return Asked(text, [], NO_MOMENT)
    if at is None:
        return Asked(spell_moment(clock.now(), zone), [])
    when = f"On {tell_instant(at, zone)}"
    closed = tell_not_ours(number, at, when, past=at < clock.now())
    if closed:
        return Asked(text, [closed])
    stored = queries.find_plan(db(), number.id, at)
    if stored is None:
        return Asked(text, [f"{when} nobody had said yet where it rings: your phone system decided."])
    plan = queries.read_plan(db(), stored)
    around = queries.look_around(db(), plan, masked=current_reader().is_masked)
    decision = route_at(plan, rules_of(list_schedules(db(), at)), at)
    return Asked(text, tell_path(decision, around.names, when, past=at < clock.now()))


@bp.post("/numbers/<id:number_id>/routes/<id:route_plan_id>/repeat")
@access.member(Role.MANAGER)
@access.sees_every_call
def undo_routes(number_id: int, route_plan_id: int) -> ResponseReturnValue:
    """Let it ring again as it did by that plan."""
    hold_and_check()
    number = get_number(db(), number_id)
    earlier = queries.get_plan(db(), number.id, route_plan_id)
    address = url_for("destinations.route_history", number_id=number_id)
    try:
        stored = repeat_plan(db(), number, earlier, _zone(), actor_id=current_user.id)
    except PlanRefused as refusal:
        flash(f"Nothing was changed. {refusal.sentence}", "warn")
        return htmx.go_to(address)
    db().commit()
    flash("It rings again as it did then." if stored else "It rings like that already: nothing was changed.", "ok")
    return htmx.go_to(address)
