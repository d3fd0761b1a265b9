"""Where a call goes now, for a phone system that asks: number, plan, and the way with what to dial at each step.

find_answer() is asked for every call, so it takes three kept statements, each led by an index. It knows no HTTP.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import BigInteger, Text, bindparam, func, or_, select
from sqlalchemy.orm import aliased

from webapp.database.types import Instant
from webapp.destinations.models import Destination, DestinationPattern, PatternKind
from webapp.destinations.route_models import (
    LookupAnswer,
    Number,
    Route,
    RouteCondition,
    RoutePlan,
    Schedule,
    ScheduleVersion,
)
from webapp.destinations.routing import Plan, RouteLine, Step, route_at
from webapp.destinations.routing import Schedule as Rule
from webapp.destinations.schedule_text import read_content
from webapp.tenancy.lock import LockedSession, kept

_AT = bindparam("at", type_=Instant)
_PLAN_ID = bindparam("plan_id", type_=BigInteger)

#: The number, ours at that instant, with its newest plan that had begun.
_NUMBER = kept(
    select(Number.id, RoutePlan.id.label("plan_id"))
    .outerjoin(
        RoutePlan,
        (RoutePlan.organization_id == Number.organization_id)
        & (RoutePlan.number_id == Number.id)
        & (RoutePlan.at <= _AT),
    )
    .where(
        Number.e164 == bindparam("e164", type_=Text),
        or_(Number.since_at.is_(None), Number.since_at <= _AT),
        or_(Number.until_at.is_(None), Number.until_at > _AT),
    )
    .order_by(RoutePlan.at.desc(), RoutePlan.id.desc())
    .limit(1)
)
#: What a route leads to by now: plans are never changed, so one that was merged away since stands for the other.
_LEADS_TO = func.coalesce(Destination.merged_into_id, Destination.id)
_later = aliased(ScheduleVersion)
_in_force = (
    select(func.max(_later.from_at))
    .where(_later.schedule_id == Route.schedule_id, _later.from_at <= _AT)
    .correlate(Route)
    .scalar_subquery()
)
#: Its routes, each with its schedule as it was in force.
_ROUTES = kept(
    select(
        Route.condition,
        _LEADS_TO,
        Route.schedule_id,
        Route.ring_seconds,
        Route.enabled,
        Route.from_at,
        Route.until_at,
        Schedule.kind,
        ScheduleVersion.time_zone,
        ScheduleVersion.content,
    )
    .join(
        Destination,
        (Destination.organization_id == Route.organization_id) & (Destination.id == Route.destination_id),
    )
    .outerjoin(Schedule, (Schedule.organization_id == Route.organization_id) & (Schedule.id == Route.schedule_id))
    .outerjoin(
        ScheduleVersion,
        (ScheduleVersion.organization_id == Route.organization_id)
        & (ScheduleVersion.schedule_id == Route.schedule_id)
        & (ScheduleVersion.from_at == _in_force),
    )
    .where(Route.route_plan_id == _PLAN_ID)
    .order_by(Route.position)
)
_newer = aliased(DestinationPattern)
#: What its destinations are dialled by: exact patterns in force.
_DIALLED = kept(
    select(
        DestinationPattern.destination_id, DestinationPattern.kind, DestinationPattern.digits, DestinationPattern.pbx_id
    )
    .join(
        Destination,
        (Destination.organization_id == DestinationPattern.organization_id)
        & (DestinationPattern.destination_id == _LEADS_TO),
    )
    .join(
        Route,
        (Route.organization_id == Destination.organization_id) & (Route.destination_id == Destination.id),
    )
    .where(
        Route.route_plan_id == _PLAN_ID,
        or_(DestinationPattern.kind == PatternKind.EXTENSION, DestinationPattern.kind == PatternKind.NUMBER),
        DestinationPattern.from_at <= _AT,
        ~select(_newer.from_at)
        .where(
            _newer.pattern_key == DestinationPattern.pattern_key,
            _newer.from_at > DestinationPattern.from_at,
            _newer.from_at <= _AT,
        )
        .correlate(DestinationPattern)
        .exists(),
    )
    .distinct()
    .order_by(DestinationPattern.kind, DestinationPattern.digits, DestinationPattern.pbx_id)
)


class DialString(NamedTuple):
    """`digits`: an extension or code as it is dialled inside, or an outside number's E.164 with its plus.

    `pbx_id`: the one phone system whose extension it is; None where it is that of all.
    """

    digits: str
    pbx_id: int | None
    is_extension: bool


@dataclass(frozen=True)
class AnswerStep:
    """A place on the way of the call. `on` and `ring_seconds`: as in routing.Step. `dial`: extensions first."""

    destination_id: int
    on: RouteCondition
    ring_seconds: int | None
    dial: tuple[DialString, ...]


@dataclass(frozen=True)
class Answer:
    """`steps`: where it rings first, then where it goes on; () for all answers but LookupAnswer.ROUTE."""

    answer: LookupAnswer
    number_id: int | None = None
    route_plan_id: int | None = None
    steps: tuple[AnswerStep, ...] = ()


def find_answer(session: LockedSession, e164: str, at: datetime) -> Answer:
    """What stands here for a call to one of our numbers at an instant."""
    numbers = session.rows(_NUMBER, {"e164": e164, "at": at})
    if not numbers:
        return Answer(LookupAnswer.NOT_LISTED)
    number_id, plan_id = numbers[0]
    if plan_id is None:
        return Answer(LookupAnswer.NO_PLAN, number_id)
    values = {"plan_id": plan_id, "at": at}
    lines: list[RouteLine] = []
    schedules: dict[int, Rule] = {}
    for row in session.rows(_ROUTES, values):
        *line, kind, time_zone, content = row
        lines.append(RouteLine(*line))
        if row.schedule_id is not None and content is not None:
            schedules[row.schedule_id] = read_content(kind, time_zone, content)
    if not lines:
        return Answer(LookupAnswer.NO_PLAN, number_id, plan_id)
    decision = route_at(Plan(tuple(lines)), schedules, at)
    if decision.first is None:
        return Answer(LookupAnswer.NOTHING_FITS, number_id, plan_id)
    dialled = _find_dialled(session, values)
    steps = tuple(_to_answer(step, dialled.get(step.destination_id, [])) for step in decision.steps)
    return Answer(LookupAnswer.ROUTE, number_id, plan_id, steps)


def _find_dialled(session: LockedSession, values: dict[str, object]) -> dict[int, list[DialString]]:
    found: dict[int, list[DialString]] = {}
    for destination_id, kind, digits, pbx_id in session.rows(_DIALLED, values):
        inside = kind == PatternKind.EXTENSION
        assert destination_id is not None
        found.setdefault(destination_id, []).append(DialString(digits if inside else f"+{digits}", pbx_id, inside))
    return found


def _to_answer(step: Step, dial: list[DialString]) -> AnswerStep:
    return AnswerStep(step.destination_id, step.on, step.ring_seconds, tuple(dial))
