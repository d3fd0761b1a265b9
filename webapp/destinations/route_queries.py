"""Reads of plans of routes: as they are, as they were, of all our numbers; and the names in them."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, select

from webapp import clock
from webapp.destinations.masking import mask_text
from webapp.destinations.models import Destination, DestinationKind, DestinationPattern, PatternKind
from webapp.destinations.number_queries import find_asked, find_newest_plans, list_numbers, newest_plan
from webapp.destinations.route_checks import Problem, Surroundings, check_plan
from webapp.destinations.route_models import Number, Route, RoutePlan
from webapp.destinations.route_words import tell_number
from webapp.destinations.routing import Plan, RouteLine, Schedule, Target
from webapp.destinations.schedule_queries import list_schedules, rules_of
from webapp.errors import NotFound
from webapp.formatting import format_number
from webapp.tenancy.lock import LockedSession

#: Kinds that nobody picks up at: they take the call.
_TAKES_CALLS = frozenset({DestinationKind.VOICEMAIL, DestinationKind.MENU, DestinationKind.CONFERENCE})
#: Outside destinations that a plan can be led to from the list; an address book may hold 100,000.
MOST_OUTSIDE = 300


@dataclass(frozen=True)
class NumberPath:
    """Where a number rings now. `sentences`: none where it has no plan. `asked_at`: as in number_queries."""

    number: Number
    sentences: list[str]
    problems: list[Problem]
    asked_at: datetime | None


def find_plan(session: LockedSession, number_id: int, at: datetime | None = None) -> RoutePlan | None:
    """The one in force at that instant; now, unless told."""
    query = select(RoutePlan).where(RoutePlan.number_id == number_id)
    if at is not None:
        query = query.where(RoutePlan.at <= at)
    return session.scalars(query.order_by(RoutePlan.at.desc(), RoutePlan.id.desc()).limit(1)).one_or_none()


def get_plan(session: LockedSession, number_id: int, plan_id: int) -> RoutePlan:
    """One of the number's. Raises NotFound."""
    plan = session.scalars(
        select(RoutePlan).where(RoutePlan.id == plan_id, RoutePlan.number_id == number_id)
    ).one_or_none()
    if plan is None:
        raise NotFound
    return plan


def list_plans(session: LockedSession, number_id: int) -> list[RoutePlan]:
    """The newest first."""
    return list(
        session.scalars(
            select(RoutePlan).where(RoutePlan.number_id == number_id).order_by(RoutePlan.at.desc(), RoutePlan.id.desc())
        )
    )


def read_plans(session: LockedSession, plan_ids: Collection[int]) -> dict[int, Plan]:
    """What each of these says, by its id; every one of them is there. As phone systems are told: plans are never
    changed, so where a destination was merged away since, they lead to the other one.
    """
    lines: dict[int, list[RouteLine]] = {plan_id: [] for plan_id in plan_ids}
    routes = (
        select(Route, func.coalesce(Destination.merged_into_id, Destination.id))
        .join(
            Destination,
            (Destination.organization_id == Route.organization_id) & (Destination.id == Route.destination_id),
        )
        .where(Route.route_plan_id.in_(plan_ids))
        .order_by(Route.route_plan_id, Route.position)
    )
    for route, leads_to in session.execute(routes):
        lines[route.route_plan_id].append(_line_of(route, leads_to))
    return {plan_id: Plan(tuple(found)) for plan_id, found in lines.items()}


def read_plan(session: LockedSession, plan: RoutePlan | None) -> Plan:
    """Without one: no routes."""
    return Plan() if plan is None else read_plans(session, [plan.id])[plan.id]


def _line_of(route: Route, leads_to: int) -> RouteLine:
    return RouteLine(
        condition=route.condition,
        destination_id=leads_to,
        schedule_id=route.schedule_id,
        ring_seconds=route.ring_seconds,
        enabled=route.enabled,
        from_at=route.from_at,
        until_at=route.until_at,
    )


def read_plans_in_force(session: LockedSession) -> dict[int, Plan]:
    """Of every number that has one, by the number's id."""
    numbers = find_newest_plans(session)
    return {numbers[plan_id]: plan for plan_id, plan in read_plans(session, numbers).items()}


def list_destinations(session: LockedSession, ids: Collection[int]) -> list[Destination]:
    return list(session.scalars(select(Destination).where(Destination.id.in_(ids))))


def list_numbers_leading_to(session: LockedSession, destination_id: int) -> list[Number]:
    """Numbers whose plan in force has a route there that is switched on."""
    there = (
        select(Route.position)
        .join(
            Destination,
            (Destination.organization_id == Route.organization_id) & (Destination.id == Route.destination_id),
        )
        .where(Route.route_plan_id == newest_plan(), Route.enabled)
        .where(func.coalesce(Destination.merged_into_id, Destination.id) == destination_id)
    )
    return list(session.scalars(select(Number).where(there.correlate(Number).exists()).order_by(Number.e164)))


def list_choices(session: LockedSession, chosen: Collection[int]) -> list[Destination]:
    """Where a route can lead, by name: all that are inside, some outside, and those that are chosen already."""
    open_ones = select(Destination).where(Destination.archived_at.is_(None), Destination.merged_into_id.is_(None))
    inside = session.scalars(open_ones.where(Destination.kind < DestinationKind.CUSTOMER))
    contacts = (DestinationKind.CUSTOMER, DestinationKind.SUPPLIER, DestinationKind.CONTACT)
    outside = session.scalars(
        open_ones.where(Destination.kind.in_(contacts)).order_by(Destination.name).limit(MOST_OUTSIDE)
    )
    found = {each.id: each for each in (*inside, *outside, *list_destinations(session, chosen))}
    return sorted(found.values(), key=lambda each: (each.kind.is_outside, each.name.casefold(), each.id))


def name_targets(destinations: Iterable[Destination], *, masked: bool) -> dict[int, Target]:
    """By id. `masked`: for a reader who sees outside numbers masked, and names may hold one."""
    return {
        each.id: Target(mask_text(each.name) if masked else each.name, each.kind not in _TAKES_CALLS)
        for each in destinations
    }


def ids_of(plans: Iterable[Plan]) -> set[int]:
    """Of every destination in them."""
    return {line.destination_id for plan in plans for line in plan.lines}


def look_around(session: LockedSession, *plans: Plan, masked: bool) -> Surroundings:
    """What these plans are told and checked with, besides those in force of all our numbers."""
    numbers, in_force = list_numbers(session), read_plans_in_force(session)
    destinations = list_destinations(session, ids_of([*plans, *in_force.values()]))
    return Surroundings(
        names=name_targets(destinations, masked=masked),
        archived=frozenset(each.id for each in destinations if each.archived_at is not None),
        own_numbers=_own_numbers(session, numbers),
        plans=in_force,
        number_names={each.id: each.label or format_number(each.e164, each.region) for each in numbers},
    )


def _own_numbers(session: LockedSession, numbers: Sequence[Number]) -> dict[int, list[int]]:
    """From a destination to the numbers of ours that it is recognised by now, if there are any: ringing it, one may
    ring each of them. Not for one that has an extension everywhere, and is rung by it: a person with a direct number.
    """
    ours = {number.e164[1:]: number.id for number in numbers}
    direct = _in_force(session, DestinationPattern.kind == PatternKind.NUMBER, DestinationPattern.digits.in_(ours))
    found: dict[int, list[int]] = {}
    for pattern in direct:
        if pattern.destination_id is not None:
            found.setdefault(pattern.destination_id, []).append(ours[pattern.digits])
    if found:
        everywhere = DestinationPattern.pbx_id.is_(None)
        for pattern in _in_force(session, DestinationPattern.kind == PatternKind.EXTENSION, everywhere):
            found.pop(pattern.destination_id or 0, None)
    return found


def _in_force(session: LockedSession, *which: ColumnElement[bool]) -> Collection[DestinationPattern]:
    """The newest row of each pattern, of those that have begun."""
    begun = select(DestinationPattern).where(*which, DestinationPattern.from_at <= clock.now())
    rows = session.scalars(begun.order_by(DestinationPattern.from_at))
    return {pattern.pattern_key: pattern for pattern in rows}.values()


def list_paths(session: LockedSession, at: datetime, *, masked: bool) -> list[NumberPath]:
    """Where each of our numbers rings; those that were given up are left out."""
    around, asked = look_around(session, masked=masked), find_asked(session)
    rules: dict[int, Schedule] = dict(rules_of(list_schedules(session, at)))
    paths = []
    for number in list_numbers(session):
        if number.until_at is None or number.until_at > at:
            plan = around.plans.get(number.id, Plan())
            sentences = tell_number(number, plan, rules, around.names, "Now", at) if plan.lines else []
            problems = check_plan(number.id, plan, rules, around)
            paths.append(NumberPath(number, sentences, problems, asked.get(number.id)))
    return paths
