"""What is wrong with a plan of routes, in sentences. Pure, like routing.py. Called before one is stored and by pages.

A plan that leads in a circle, answers no call or leads to an archived destination is refused; the rest is only said.
"""

from collections.abc import Collection, Mapping
from typing import NamedTuple

from webapp.destinations.route_models import RouteCondition
from webapp.destinations.routing import Hours, Plan, RouteLine, Schedule, Target


class Problem(NamedTuple):
    """`route`: of which route (0 is the first); None of the plan as a whole. `refuses`: it cannot be stored so."""

    sentence: str
    route: int | None = None
    refuses: bool = False


class Surroundings(NamedTuple):
    """What a plan is checked against. Numbers and destinations by id.

    `names` of destinations; `archived` ones; `own_numbers`: which of our numbers each destination may ring, more than
    one where it is dialled by several; `plans` and `number_names` of all our numbers.
    """

    names: Mapping[int, Target]
    archived: Collection[int]
    own_numbers: Mapping[int, Collection[int]]
    plans: Mapping[int, Plan]
    number_names: Mapping[int, str]


def check_plan(
    number_id: int, plan: Plan, schedules: Mapping[int, Schedule], surroundings: Surroundings
) -> list[Problem]:
    """Those of single routes in their order, then those of the plan as a whole."""
    return [
        *_archived(plan, surroundings),
        *_circles(number_id, plan, surroundings),
        *_never_fits(plan, schedules),
        *_never_reached(plan),
        *_never_answers(plan, schedules),
    ]


def _archived(plan: Plan, surroundings: Surroundings) -> list[Problem]:
    return [
        Problem(
            f"{surroundings.names[line.destination_id].name} is archived. Choose another one, or bring it back.",
            place,
            refuses=True,
        )
        for place, line in enumerate(plan.lines)
        if line.destination_id in surroundings.archived
    ]


def _circles(number_id: int, plan: Plan, surroundings: Surroundings) -> list[Problem]:
    found = []
    for place, line in enumerate(plan.lines):
        circle = find_circle(number_id, line, surroundings) if line.enabled else ()
        if circle:
            way = " → ".join(surroundings.number_names[each] for each in (number_id, *circle))
            name = surroundings.names[line.destination_id].name
            sentence = f"{name} leads back here, so a call would go round: {way}."
            found.append(Problem(f"{sentence} Choose another one, or give {name} an extension.", place, refuses=True))
    return found


def find_circle(number_id: int, line: RouteLine, surroundings: Surroundings) -> tuple[int, ...]:
    """The own numbers that a call may pass from this route until it is back at `number_id`, which is the last; () for
    none. Conditions are not weighed: a circle on holidays is one.
    """
    ways: list[tuple[int, ...]] = [(start,) for start in sorted(surroundings.own_numbers.get(line.destination_id, ()))]
    seen = {way[-1] for way in ways}
    for way in ways:  # grows as it is walked: the shortest way comes first
        if way[-1] == number_id:
            return way
        for onward in surroundings.plans.get(way[-1], Plan()).lines:
            following = surroundings.own_numbers.get(onward.destination_id, ()) if onward.enabled else ()
            for number in sorted({*following} - seen):
                seen.add(number)
                ways.append((*way, number))
    return ()


def _never_fits(plan: Plan, schedules: Mapping[int, Schedule]) -> list[Problem]:
    """Routes whose time never comes."""
    found = []
    for place, line in enumerate(plan.lines):
        schedule = None if line.schedule_id is None else schedules.get(line.schedule_id)
        if line.from_at is not None and line.until_at is not None and line.until_at <= line.from_at:
            found.append(Problem("It ends before it begins, so it never applies.", place, refuses=True))
        elif line.condition == RouteCondition.OPEN and isinstance(schedule, Hours) and never_open(schedule):
            found.append(Problem("These opening hours never open, so it never applies.", place))
        elif line.condition == RouteCondition.HOLIDAY and schedule is not None and not _has_days(schedule):
            found.append(Problem("There is no day in this holiday calendar, so it never applies.", place))
    return found


def never_open(hours: Hours) -> bool:
    return not any(span.from_minute < span.until_minute for span in hours.spans)


def _has_days(schedule: Schedule) -> bool:
    return isinstance(schedule, Hours) or bool(schedule.days)


def _never_reached(plan: Plan) -> list[Problem]:
    """Routes that an earlier one takes every call from, while both are valid."""
    found = []
    for place, line in enumerate(plan.lines):
        for earlier, other in enumerate(plan.lines[:place]):
            if line.enabled and other.enabled and _takes_all_from(other, line) and _outlasts(other, line):
                why = "decides always" if other.decides else "is for the same"
                found.append(Problem(f"It is never reached: route {earlier + 1} before it {why}.", place))
                break
    return found


def _takes_all_from(other: RouteLine, line: RouteLine) -> bool:
    if other.condition == RouteCondition.ALWAYS:
        return line.decides
    return (other.condition, other.schedule_id) == (line.condition, line.schedule_id)


def _outlasts(other: RouteLine, line: RouteLine) -> bool:
    """Whether `other` is valid whenever `line` is."""
    begins = other.from_at is None or (line.from_at is not None and other.from_at <= line.from_at)
    ends = other.until_at is None or (line.until_at is not None and line.until_at <= other.until_at)
    return begins and ends


def _never_answers(plan: Plan, schedules: Mapping[int, Schedule]) -> list[Problem]:
    """A plan without routes says nothing, which is a choice; one that has some must lead somewhere."""
    deciding = [line for line in plan.lines if line.decides and line.enabled]
    if plan.lines and not deciding:
        sentence = "No route says where a call rings first. Add one for always, or for opening hours."
        return [Problem(sentence, refuses=True)]
    if deciding and not covers_always(deciding, schedules):
        return [Problem("At times no route fits. A last one for always would take the calls that are left.")]
    return []


def covers_always(deciding: Collection[RouteLine], schedules: Mapping[int, Schedule]) -> bool:
    """Whether some of these, which have no end and have begun, fit at every time: always, or open and closed of one."""
    endless = [line for line in deciding if line.from_at is None and line.until_at is None]
    kinds = {(line.condition, line.schedule_id) for line in endless if line.schedule_id in {None, *schedules}}
    return any(condition == RouteCondition.ALWAYS for condition, _id in kinds) or any(
        condition == RouteCondition.OPEN and (RouteCondition.CLOSED, schedule_id) in kinds
        for condition, schedule_id in kinds
    )
