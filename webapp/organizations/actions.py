"""Makes organizations and their members. Called by the commands."""

import zoneinfo
from collections.abc import Callable
from functools import cache

import phonenumbers
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from webapp.accounts.models import UserAccount
from webapp.accounts.staff import refuse_staff
from webapp.addresses import SLUG, SLUG_AT_MOST
from webapp.audit.actions import begin_chain, record
from webapp.clock import now
from webapp.database.ids import new_id
from webapp.errors import Refused
from webapp.names import clean_name
from webapp.organizations.models import Invitation, InvitationState, OrganizationUsage
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.models import Membership, Numbers, Organization, OrganizationState, Role

NAME_AT_MOST = 100
USUAL_IDLE_MINUTES = 30
_when_joined: dict[str, Callable[[LockedSession, UserAccount], None]] = {}


def when_joined(name: str, hook: Callable[[LockedSession, UserAccount], None]) -> None:
    """Call `hook` with everybody who joins, or whose access has ended and begins again, in that transaction: later
    packages register it in create_app().
    """
    _when_joined[name] = hook


def tell_joined(session: LockedSession, person: UserAccount) -> None:
    """Call what when_joined() was given."""
    for hook in _when_joined.values():
        hook(session, person)


def create_organization(session: LockedSession, slug: str, name: str, time_zone: str, region: str) -> Organization:
    """A new customer, to which the session is bound from then on. Raises Refused with the field that is wrong."""
    if not SLUG.fullmatch(slug) or len(slug) > SLUG_AT_MOST:
        raise Refused(
            f"{slug!r} cannot stand in an address. Use small letters and digits, with single hyphens between them, "
            f"at most {SLUG_AT_MOST} in all.",
            "slug",
        )
    taken = Refused(f"There is an organization {slug!r} already.", "slug")
    if session.scalars(select(Organization.id).where(Organization.slug == slug)).first() is not None:
        raise taken
    organization = Organization(
        id=new_id(),
        slug=slug,
        name=checked_name(name),
        time_zone=checked_time_zone(time_zone),
        region=checked_region(region),
        state=OrganizationState.OPEN,
        keeps_from=None,
        contact="",
        idle_minutes=USUAL_IDLE_MINUTES,
        second_factor_required=False,
        created_at=now(),
    )
    try:
        with session.begin_nested():
            session.add(organization)
    except IntegrityError:  # on PostgreSQL somebody else has made it since we looked
        raise taken from None
    session.add(_not_counted(organization))
    session.bind_organization(organization.id)
    begin_chain(session)
    record(session, "organization.made", actor_id=None, name=organization.name)
    return organization


def _not_counted(organization: Organization) -> OrganizationUsage:
    """So that the console lists it at once."""
    counts = ("people", "calls", "recent_calls", "file_bytes", "waiting_bytes", "sources", "silent_sources")
    return OrganizationUsage(
        organization_id=organization.id,
        counted_at=organization.created_at,
        owners="",
        **dict.fromkeys((*counts, "failing_sources", "openings"), 0),
    )


def add_member(session: LockedSession, person: UserAccount, role: Role) -> Membership:
    """Let the person in, by the operator's word, as if they had accepted an invitation of the operator's.

    Into the organization that the session is bound to. Raises Refused when they are in, or are of staff.
    """
    refuse_staff(person)
    if session.scalars(select(Membership).where(Membership.user_account_id == person.id)).first() is not None:
        raise Refused(f"{person.email} is a member already.", "email")
    moment = now()
    invitation = Invitation(
        id=new_id(),
        email=person.email,
        role=role,
        numbers=Numbers.FULL,
        may_export=True,
        narrowed=False,
        ends_at=None,
        words="",
        token_digest=b"",
        state=InvitationState.ACCEPTED,
        mail_count=0,
        invited_by=None,
        created_at=moment,
        expires_at=moment,
        ended_at=moment,
    )
    session.add(invitation)
    session.flush()
    return join(session, person, invitation)


def join(session: LockedSession, person: UserAccount, invitation: Invitation) -> Membership:
    """Make the membership that an accepted invitation offers. Its parties, where it is narrowed, are the caller's.

    Raises Refused for staff, who are in no organization.
    """
    refuse_staff(person)
    # The tenancy lock fills in organization_id.
    membership = Membership(
        user_account_id=person.id,
        invitation_id=invitation.id,
        role=invitation.role,
        numbers=invitation.numbers,
        may_export=invitation.may_export,
        narrowed=invitation.narrowed,
        ends_at=invitation.ends_at,
        last_used_at=None,
        created_at=now(),
    )
    session.add(membership)
    person.alone_since = None
    session.flush()
    record(
        session,
        "member.joined",
        actor_id=person.id,
        object_id=invitation.id,
        email=person.email,
        role=invitation.role.word,
    )
    tell_joined(session, person)
    return membership


def checked_name(name: str) -> str:
    """An organization's name. Raises Refused."""
    name = clean_name(name)  # it stands in the subject of mails: a line end there is refused
    if not 1 <= len(name) <= NAME_AT_MOST:
        raise Refused(f"Give it a name of at most {NAME_AT_MOST} characters.", "name")
    return name


def checked_time_zone(name: str) -> str:
    """An IANA zone. Raises Refused."""
    if name not in _time_zones():
        raise Refused(f"{name!r} is no time zone. Give an IANA name such as Europe/London.", "time_zone")
    return name


@cache
def _time_zones() -> frozenset[str]:
    """All there are. Kept: to look through the files of all zones takes 10 ms."""
    return frozenset(zoneinfo.available_timezones()) - {"localtime", "Factory"}


def checked_region(code: str) -> str:
    """An ISO 3166 country code. Raises Refused."""
    if code not in phonenumbers.SUPPORTED_REGIONS:
        raise Refused(f"{code!r} is no country. Give the two capital letters of ISO 3166, such as GB.", "region")
    return code
