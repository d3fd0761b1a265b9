"""Makes organizations and their members. Called by the commands."""

import zoneinfo

import phonenumbers
from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.accounts.models import UserAccount
from webapp.addresses import SLUG, SLUG_AT_MOST
from webapp.clock import now
from webapp.database.ids import new_id
from webapp.errors import Refused
from webapp.tenancy.models import Membership, Organization, OrganizationState, Role

_NAME_AT_MOST = 100


def create_organization(session: Session, slug: str, name: str, time_zone: str, region: str) -> Organization:
    """A new customer. Raises Refused with the field that is wrong."""
    if not SLUG.fullmatch(slug) or len(slug) > SLUG_AT_MOST:
        raise Refused(
            f"{slug!r} cannot stand in an address. Use small letters and digits, with single hyphens between them, "
            f"at most {SLUG_AT_MOST} in all.",
            "slug",
        )
    if session.scalars(select(Organization.id).where(Organization.slug == slug)).first() is not None:
        raise Refused(f"There is an organization {slug!r} already.", "slug")
    if not name.strip() or len(name.strip()) > _NAME_AT_MOST:
        raise Refused(f"Give it a name of at most {_NAME_AT_MOST} characters.", "name")
    organization = Organization(
        id=new_id(),
        slug=slug,
        name=name.strip(),
        time_zone=checked_time_zone(time_zone),
        region=checked_region(region),
        state=OrganizationState.OPEN,
        keeps_from=None,
        created_at=now(),
    )
    session.add(organization)
    session.flush()
    return organization


def add_member(session: Session, person: UserAccount, role: Role) -> Membership:
    """Let the person into the organization that the session is bound to. Raises Refused when they are in."""
    if session.scalars(select(Membership).where(Membership.user_account_id == person.id)).first() is not None:
        raise Refused(f"{person.email} is a member already.", "email")
    # The tenancy lock fills in organization_id.
    membership = Membership(user_account_id=person.id, role=role, created_at=now())
    session.add(membership)
    session.flush()
    return membership


def checked_time_zone(name: str) -> str:
    """An IANA zone. Raises Refused."""
    if name not in zoneinfo.available_timezones() or name in ("localtime", "Factory"):
        raise Refused(f"{name!r} is no time zone. Give an IANA name such as Europe/London.", "time_zone")
    return name


def checked_region(code: str) -> str:
    """An ISO 3166 country code. Raises Refused."""
    if code not in phonenumbers.SUPPORTED_REGIONS:
        raise Refused(f"{code!r} is no country. Give the two capital letters of ISO 3166, such as GB.", "region")
    return code
