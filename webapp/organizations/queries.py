"""Finds organizations. Called by the commands and the first page; other pages have theirs from tenancy/request.py."""

from dataclasses import dataclass
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from webapp.clock import now
from webapp.errors import NotFound
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.models import Membership, Organization, OrganizationState, Role


@dataclass(frozen=True)
class Ended:
    """An organization that was open to a person until and on this day."""

    name: str
    last_day: date


def get_organization(session: Session, slug: str) -> Organization:
    """By its name in addresses. Raises NotFound."""
    found = session.scalars(select(Organization).where(Organization.slug == slug)).one_or_none()
    if found is None:
        raise NotFound(f"There is no organization {slug!r}.")
    return found


def list_suspended(session: LockedSession) -> list[tuple[Organization, Role]]:
    """The organizations of the bound person that are suspended, by name, and what the person is in each."""
    rows = session.execute(
        select(Organization, Membership.role)
        .join(Membership, Membership.organization_id == Organization.id)
        .where(
            Membership.user_account_id == session.user_account_id,
            Organization.state == OrganizationState.SUSPENDED,
            or_(Membership.ends_at.is_(None), Membership.ends_at > now()),
        )
        .order_by(Organization.name, Organization.id)
    )
    return [(organization, role) for organization, role in rows]


def list_closed(session: LockedSession) -> list[Organization]:
    """Those that were closed and are not erased yet, by name."""
    return list(
        session.scalars(
            select(Organization)
            .join(Membership, Membership.organization_id == Organization.id)
            .where(
                Membership.user_account_id == session.user_account_id,
                Organization.state == OrganizationState.CLOSED,
                Organization.closing_ms.is_not(None),
                or_(Membership.ends_at.is_(None), Membership.ends_at > now()),
            )
            .order_by(Organization.name, Organization.id)
        )
    )


def list_ended(session: LockedSession) -> list[Ended]:
    """The organizations in which the bound person's end date is over, the last one first."""
    rows = session.execute(
        select(Membership, Organization)
        .join(Organization, Organization.id == Membership.organization_id)
        .where(
            Membership.user_account_id == session.user_account_id,
            Membership.ends_at <= now(),
            Organization.state == OrganizationState.OPEN,
        )
        .order_by(Membership.ends_at.desc())
    )
    return [
        Ended(
            organization.name,
            (membership.ends_at - timedelta(milliseconds=1)).astimezone(ZoneInfo(organization.time_zone)).date(),
        )
        for membership, organization in rows
        if membership.ends_at is not None
    ]
