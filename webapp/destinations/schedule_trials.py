"""What would happen by opening hours or holidays as they stand in a form: told before they are stored. Writes nothing.

Called by schedule_views.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from webapp.destinations.route_models import Schedule
from webapp.destinations.route_queries import look_around
from webapp.destinations.route_words import tell_number
from webapp.destinations.routing import Hours
from webapp.destinations.routing import Schedule as Rule
from webapp.destinations.schedule_queries import list_numbers_using, list_schedules, rules_of
from webapp.destinations.schedule_text import tell_at, tell_state
from webapp.tenancy.lock import LockedSession

_NUMBERS_TOLD = 20


@dataclass(frozen=True)
class NumberTrial:
    """A number whose routes go by them, and a call to it: `paths` are sentences for each moment."""

    name: str
    paths: list[list[str]]


@dataclass(frozen=True)
class ScheduleTrial:
    """`wrong`: what keeps them from being read; nothing else is told then. `states`: of themselves, for each moment.

    `more`: numbers beyond those that are told.
    """

    wrong: list[str] = field(default_factory=list)
    states: list[str] = field(default_factory=list)
    numbers: list[NumberTrial] = field(default_factory=list)
    more: int = 0


def try_rule(
    session: LockedSession,
    schedule: Schedule | None,
    rule: Rule,
    moments: Sequence[tuple[str, datetime]],
    *,
    masked: bool,
) -> ScheduleTrial:
    """By the plans in force, with `rule` in place of what is stored of the schedule. `moments`: of list_moments()."""
    states = [tell_at(rule, at, when) for when, at in moments]
    if isinstance(rule, Hours):
        states[0] = f"{tell_state(rule, moments[0][1])}."
    if schedule is None:
        return ScheduleTrial(states=states)
    using = list_numbers_using(session, schedule.id)
    around = look_around(session, masked=masked)
    rules = {**rules_of(list_schedules(session)), schedule.id: rule}
    numbers = [
        NumberTrial(
            around.number_names[number.id],
            [tell_number(number, around.plans[number.id], rules, around.names, when, at) for when, at in moments],
        )
        for number in using[:_NUMBERS_TOLD]
    ]
    return ScheduleTrial(states=states, numbers=numbers, more=max(0, len(using) - _NUMBERS_TOLD))
