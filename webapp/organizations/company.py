"""Changes the settings of the bound organization, each recorded with before and after. Called by settings_views.py.

Whoever sums something by the days of the time zone registers itself with `sum_by_days` (create_app() does). Where there
is such a thing, another zone is only noted here; the job COUNT_DAYS, whose code is ingest/zone_change.py, brings it.
Whoever goes by its clock registers itself with `when_zone_moved`.
"""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import select

from webapp.audit.actions import record
from webapp.errors import Refused
from webapp.jobs.queue import enqueue, list_open_jobs
from webapp.organizations.actions import checked_name, checked_region, checked_time_zone
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.models import Organization

CONTACT_AT_MOST = 200
COUNT_DAYS = "organizations.count_days"
_summed_by_days: dict[str, Callable[[LockedSession], bool]] = {}
_when_zone_moved: dict[str, Callable[[LockedSession, Organization], None]] = {}


@dataclass(frozen=True)
class Company:
    name: str
    time_zone: str
    region: str
    contact: str


def sum_by_days(name: str, has_any: Callable[[LockedSession], bool]) -> None:
    """In organizations for which `has_any` is true, another zone takes a job to come."""
    _summed_by_days[name] = has_any


def when_zone_moved(name: str, hook: Callable[[LockedSession, Organization], None]) -> None:
    """Call `hook` once an organization is in another zone; perhaps more than once."""
    _when_zone_moved[name] = hook


def tell_zone_moved(session: LockedSession, organization: Organization) -> None:
    """Called by whoever has brought the zone, the bound organization being in it."""
    for hook in _when_zone_moved.values():
        hook(session, organization)


def has_stopped(session: LockedSession, organization: Organization) -> bool:
    """Whether a change of zone is under way, and nobody at it any more."""
    return organization.is_moving and not list_open_jobs(session, COUNT_DAYS, organization.id)


def change_company(session: LockedSession, actor_id: int, company: Company) -> Organization:
    """Raises Refused with the field that is wrong."""
    organization = _hold(session)
    if company.time_zone != organization.chosen_time_zone:
        checked_time_zone(company.time_zone)
    if company.region != organization.region:
        checked_region(company.region)
    if len(company.contact) > CONTACT_AT_MOST:
        raise Refused(f"Use at most {CONTACT_AT_MOST} characters.", "contact")
    _change(session, actor_id, organization, "name", "The name", checked_name(company.name))
    _change_zone(session, actor_id, organization, company.time_zone)
    _change(session, actor_id, organization, "region", "The country", company.region)
    _change(session, actor_id, organization, "contact", "Whom to ask", company.contact.strip())
    return organization


def change_signing_in(
    session: LockedSession, actor_id: int, idle_minutes: int, second_factor_required: bool
) -> Organization:
    """How long a quiet screen stays signed in, and whether a password alone is enough."""
    organization = _hold(session)
    quiet, second = "Minutes until a quiet screen is signed out", "A second factor of everyone"
    _change(session, actor_id, organization, "idle_minutes", quiet, idle_minutes)
    _change(session, actor_id, organization, "second_factor_required", second, second_factor_required)
    return organization


def _hold(session: LockedSession) -> Organization:
    return session.scalars(
        select(Organization)
        .where(Organization.id == session.organization_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)  # as it is under the lock: the job may just have changed the zone
    ).one()


def _change_zone(session: LockedSession, actor_id: int, organization: Organization, zone: str) -> None:
    """Where nothing is summed yet, at once; else by a job. The same zone again takes up what has stopped."""
    before = organization.chosen_time_zone
    if before == zone:
        if has_stopped(session, organization):
            enqueue(session, COUNT_DAYS, {}, organization.id)
        return
    if not any(has_any(session) for has_any in _summed_by_days.values()):
        organization.time_zone, organization.next_time_zone = zone, None
        tell_zone_moved(session, organization)
    else:
        organization.next_time_zone = None if zone == organization.time_zone else zone
        # Always: a job that is running may have looked for the last time.
        enqueue(session, COUNT_DAYS, {}, organization.id)
    session.flush()
    _note_change(session, actor_id, "The time zone", before, zone)


def _change(
    session: LockedSession,
    actor_id: int,
    organization: Organization,
    column: str,
    setting: str,
    after: str | int | bool,
) -> None:
    before = getattr(organization, column)
    if before == after:
        return
    setattr(organization, column, after)
    session.flush()
    _note_change(session, actor_id, setting, before, after)


def _note_change(
    session: LockedSession, actor_id: int, setting: str, before: str | int | bool, after: str | int | bool
) -> None:
    record(session, "settings.changed", actor_id=actor_id, setting=setting, before=before, after=after)
