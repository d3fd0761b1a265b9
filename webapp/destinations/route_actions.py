"""Stores plans of routes. A plan is never changed: each storing appends one, an undo appends one that repeats another.

Called by route_views.py, route_history_views.py and the demo.
"""

from zoneinfo import ZoneInfo

from webapp import clock
from webapp.audit.actions import record
from webapp.database.ids import new_id
from webapp.destinations.number_actions import ChangedMeanwhile
from webapp.destinations.route_checks import Problem, check_plan
from webapp.destinations.route_models import Number, Route, RoutePlan
from webapp.destinations.route_queries import find_plan, look_around, read_plan
from webapp.destinations.route_words import tell_changes, tell_instant
from webapp.destinations.routing import Plan
from webapp.destinations.schedule_queries import list_schedules, name_schedules, rules_of
from webapp.errors import Refused
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.members import hold_organization

MOST_ROUTES = 20
_LONGEST_CHANGES = 600


class PlanRefused(Refused):
    """`problems`: what is wrong with it, by route."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(problems[0].sentence)
        self.problems = problems


def store_plan(
    session: LockedSession,
    number: Number,
    plan: Plan,
    began_with: int | None,
    zone: ZoneInfo,
    *,
    actor_id: int | None,
) -> RoutePlan | None:
    """The plan that is in force from now on; None where it says what the last one did.

    `began_with`: id of the plan that was in force when the form was opened. Raises ChangedMeanwhile where another one
    is by now that says something else, PlanRefused for one that makes no sense.
    """
    hold_organization(session)
    last = find_plan(session, number.id)
    before = read_plan(session, last)
    if (None if last is None else last.id) != began_with and before != plan:
        raise ChangedMeanwhile("Somebody stored other routes while you were writing.")
    changes = _check(session, number, before, plan, zone)
    if not changes:
        return None
    stored = _append(session, number, plan, actor_id, None)
    told = "; ".join(changes)[:_LONGEST_CHANGES]
    record(session, "routes.stored", actor_id=actor_id, object_id=number.id, number=number.e164, changes=told)
    return stored


def repeat_plan(
    session: LockedSession, number: Number, earlier: RoutePlan, zone: ZoneInfo, *, actor_id: int
) -> RoutePlan | None:
    """Let the number ring as it did by an earlier plan; None where it does already. Raises PlanRefused."""
    hold_organization(session)
    plan = read_plan(session, earlier)
    if not _check(session, number, read_plan(session, find_plan(session, number.id)), plan, zone):
        return None
    stored = _append(session, number, plan, actor_id, earlier.id)
    words = {"number": number.e164, "since": tell_instant(earlier.at, zone)}
    record(session, "routes.undone", actor_id=actor_id, object_id=number.id, at=None, **words)
    return stored


def _check(session: LockedSession, number: Number, before: Plan, plan: Plan, zone: ZoneInfo) -> list[str]:
    """What it changes, in words. Raises PlanRefused."""
    around = look_around(session, before, plan, masked=False)
    problems = check_plan(number.id, plan, rules_of(list_schedules(session)), around)
    refusing = [problem for problem in problems if problem.refuses]
    if refusing:
        raise PlanRefused(refusing)
    return [] if before == plan else tell_changes(before, plan, around.names, name_schedules(session), zone)


def _append(
    session: LockedSession, number: Number, plan: Plan, actor_id: int | None, repeats_id: int | None
) -> RoutePlan:
    stored = RoutePlan(
        id=new_id(), number_id=number.id, at=clock.now(), user_account_id=actor_id, repeats_id=repeats_id
    )
    session.add(stored)
    session.flush()
    for position, line in enumerate(plan.lines, 1):
        session.add(
            Route(
                route_plan_id=stored.id,
                position=position,
                condition=line.condition,
                schedule_id=line.schedule_id,
                ring_seconds=line.ring_seconds,
                destination_id=line.destination_id,
                enabled=line.enabled,
                from_at=line.from_at,
                until_at=line.until_at,
            )
        )
    session.flush()
    return stored
