"""Changes the settings of the bound organization, each recorded with before and after. Called by settings_views.py.

Whoever keeps something that hangs on the time zone registers itself with `keep_zone_while` (create_app() does).
"""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import select

from webapp.audit.actions import record
from webapp.errors import Refused
from webapp.organizations.actions import checked_name, checked_region, checked_time_zone
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.models import Organization

CONTACT_AT_MOST = 200
_ZONE_STAYS = (
    "The time zone cannot be changed any more: calls are summed by the days of {zone}, and other days would need other "
    "sums. Phone systems have zones of their own; set those instead."
)
_zone_keepers: dict[str, Callable[[LockedSession], bool]] = {}


@dataclass(frozen=True)
class Company:
    name: str
    time_zone: str
    region: str
    contact: str


def keep_zone_while(name: str, depends: Callable[[LockedSession], bool]) -> None:
    """The zone stays as it is in organizations for which `depends` is true."""
    _zone_keepers[name] = depends


def zone_may_change(session: LockedSession) -> bool:
    return not any(depends(session) for depends in _zone_keepers.values())


def change_company(session: LockedSession, actor_id: int, company: Company) -> Organization:
    """Raises Refused with the field that is wrong."""
    organization = _hold(session)
    if company.time_zone != organization.time_zone:
        checked_time_zone(company.time_zone)
        if not zone_may_change(session):
            raise Refused(_ZONE_STAYS.format(zone=organization.time_zone), "time_zone")
    if company.region != organization.region:
        checked_region(company.region)
    if len(company.contact) > CONTACT_AT_MOST:
        raise Refused(f"Use at most {CONTACT_AT_MOST} characters.", "contact")
    _change(session, actor_id, organization, "name", "The name", checked_name(company.name))
    _change(session, actor_id, organization, "time_zone", "The time zone", company.time_zone)
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
        select(Organization).where(Organization.id == session.organization_id).with_for_update(key_share=True)
    ).one()


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
    record(session, "settings.changed", actor_id=actor_id, setting=setting, before=before, after=after)
