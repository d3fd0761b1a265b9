"""Writes opening hours and holidays. A change appends a version; what was in force stays in the history.

Called by schedule_views.py and the demo. Broken rules raise Refused with the field's name.
"""

from datetime import timedelta

from sqlalchemy import select

from webapp import clock
from webapp.audit.actions import record
from webapp.database.ids import new_id
from webapp.destinations.number_actions import ChangedMeanwhile
from webapp.destinations.route_models import Schedule, ScheduleKind, ScheduleVersion
from webapp.destinations.routing import Schedule as Rule
from webapp.destinations.schedule_queries import list_numbers_using, list_versions
from webapp.destinations.schedule_text import read_content, spell_content, tell_schedule
from webapp.errors import Refused
from webapp.formatting import format_number
from webapp.names import clean_name
from webapp.places import is_time_zone
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.members import hold_organization

LONGEST_NAME = 60
KIND_WORDS = {ScheduleKind.OPENING_HOURS: "opening hours", ScheduleKind.HOLIDAYS: "holiday calendar"}
_LONGEST_CHANGE = 400
_TICK = timedelta(milliseconds=1)


def make_schedule(
    session: LockedSession, kind: ScheduleKind, name: str, rule: Rule, *, actor_id: int | None
) -> Schedule:
    """Raises Refused for a name that is taken and an unknown zone."""
    hold_organization(session)
    _check_zone(rule)
    schedule = Schedule(id=new_id(), kind=kind, name=_free_name(session, name, None), created_at=clock.now())
    session.add(schedule)
    session.flush()
    session.add(
        ScheduleVersion(
            schedule_id=schedule.id,
            from_at=schedule.created_at,
            time_zone=rule.time_zone,
            content=spell_content(rule),
            user_account_id=actor_id,
        )
    )
    what = KIND_WORDS[kind]
    record(session, "schedule.made", actor_id=actor_id, object_id=schedule.id, what=what, name=schedule.name)
    return schedule


def change_schedule(
    session: LockedSession, schedule: Schedule, began_with: str, name: str, rule: Rule, *, actor_id: int
) -> bool:
    """Whether anything changed. `began_with`: version_mark() of the version that the form was opened with.

    Raises ChangedMeanwhile where another one is in force by now that says something else.
    """
    hold_organization(session)
    session.refresh(schedule)
    _check_zone(rule)
    newest = list_versions(session, schedule.id)[0]
    before = read_content(schedule.kind, newest.time_zone, newest.content)
    if version_mark(newest) != began_with and before != rule:
        raise ChangedMeanwhile("Somebody stored these while you were writing.")
    name = _free_name(session, name, schedule.id)
    changes = [] if name == schedule.name else [f"named {name}"]
    schedule.name = name
    if before != rule:
        changes.append(tell_change(before, rule))
        session.add(
            ScheduleVersion(
                schedule_id=schedule.id,
                from_at=max(clock.now(), newest.from_at + _TICK),
                time_zone=rule.time_zone,
                content=spell_content(rule),
                user_account_id=actor_id,
            )
        )
    if changes:
        _record_change(session, schedule, "; ".join(changes)[:_LONGEST_CHANGE], actor_id)
    return bool(changes)


def _record_change(session: LockedSession, schedule: Schedule, changes: str, actor_id: int) -> None:
    record(
        session,
        "schedule.changed",
        actor_id=actor_id,
        object_id=schedule.id,
        what=KIND_WORDS[schedule.kind],
        name=schedule.name,
        changes=changes,
    )


def archive_schedule(session: LockedSession, schedule: Schedule, *, actor_id: int) -> None:
    """Offer it no longer. Raises Refused while a number's routes go by it, naming the numbers."""
    hold_organization(session)
    used = list_numbers_using(session, schedule.id)
    if used:
        names = ", ".join(number.label or format_number(number.e164, number.region) for number in used)
        raise Refused(f"{schedule.name} cannot be put away: routes of {names} go by it. Change them first.")
    if schedule.archived_at is None:
        schedule.archived_at = clock.now()
        what = KIND_WORDS[schedule.kind]
        record(session, "schedule.archived", actor_id=actor_id, object_id=schedule.id, what=what, name=schedule.name)


def version_mark(version: ScheduleVersion) -> str:
    """What a form carries of the version it was opened with."""
    return str(clock.to_ms(version.from_at))


def tell_change(before: Rule, after: Rule) -> str:
    """What the second says and the first does not, and the other way round."""
    told, tells = tell_schedule(before), tell_schedule(after)
    gone = [f"no longer {line}" for line in told if line not in tells]
    new = [line for line in tells if line not in told]
    zone = [] if before.time_zone == after.time_zone else [f"times of {after.time_zone}"]
    return "; ".join([*new, *gone, *zone])


def _free_name(session: LockedSession, name: str, own_id: int | None) -> str:
    name = clean_name(name)
    if not 1 <= len(name) <= LONGEST_NAME:
        raise Refused(f"Give it a name of at most {LONGEST_NAME} characters.", "name")
    namesakes = session.scalars(select(Schedule.id).where(Schedule.name == name, Schedule.archived_at.is_(None)))
    if any(each != own_id for each in namesakes):
        raise Refused(f"There are hours or holidays named {name} already. Give these another name.", "name")
    return name


def _check_zone(rule: Rule) -> None:
    if not is_time_zone(rule.time_zone):
        raise Refused("Choose one of the time zones.", "time_zone")
