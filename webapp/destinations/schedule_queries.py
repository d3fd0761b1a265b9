"""Reads of opening hours and holidays: as they are, as they were at an instant, and every version."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from webapp import clock
from webapp.destinations.number_queries import newest_plan
from webapp.destinations.route_models import Number, Route, Schedule, ScheduleKind, ScheduleVersion
from webapp.destinations.routing import Schedule as Rule
from webapp.destinations.schedule_text import read_content
from webapp.errors import NotFound
from webapp.tenancy.lock import LockedSession


@dataclass(frozen=True)
class Dated:
    """A schedule with what it says: its version in force at some instant."""

    schedule: Schedule
    version: ScheduleVersion
    rule: Rule

    @property
    def is_hours(self) -> bool:
        return self.schedule.kind == ScheduleKind.OPENING_HOURS


def get_schedule(session: LockedSession, schedule_id: int) -> Schedule:
    """Raises NotFound."""
    schedule = session.scalars(select(Schedule).where(Schedule.id == schedule_id)).one_or_none()
    if schedule is None:
        raise NotFound
    return schedule


def list_versions(session: LockedSession, schedule_id: int) -> list[ScheduleVersion]:
    """The newest first."""
    return list(
        session.scalars(
            select(ScheduleVersion)
            .where(ScheduleVersion.schedule_id == schedule_id)
            .order_by(ScheduleVersion.from_at.desc())
        )
    )


def list_schedules(session: LockedSession, at: datetime | None = None) -> list[Dated]:
    """All as they were in force at that instant (now, unless told), by name; archived ones too. They are few."""
    at = at or clock.now()
    found: dict[int, Dated] = {}
    rows = session.execute(
        select(Schedule, ScheduleVersion)
        .join(
            ScheduleVersion,
            (ScheduleVersion.organization_id == Schedule.organization_id)
            & (ScheduleVersion.schedule_id == Schedule.id),
        )
        .where(ScheduleVersion.from_at <= at)
        .order_by(Schedule.name, Schedule.id, ScheduleVersion.from_at)
    )
    for schedule, version in rows:
        rule = read_content(schedule.kind, version.time_zone, version.content)
        found[schedule.id] = Dated(schedule, version, rule)
    return list(found.values())


def rules_of(dated: list[Dated]) -> Mapping[int, Rule]:
    """As routing.py takes them."""
    return {each.schedule.id: each.rule for each in dated}


def name_schedules(session: LockedSession) -> dict[int, str]:
    """Archived ones too, by id."""
    return dict(session.execute(select(Schedule.id, Schedule.name)).all())


def list_numbers_using(session: LockedSession, schedule_id: int) -> list[Number]:
    """Numbers whose plan in force has a route by this schedule."""
    uses = select(Route.position).where(Route.route_plan_id == newest_plan(), Route.schedule_id == schedule_id)
    return list(session.scalars(select(Number).where(uses.correlate(Number).exists()).order_by(Number.e164)))
