"""What staff do to an organization without looking into it. Called by organization_views.py, which commits.

Each is held against others that act on the same organization, has a reason, and stands in two chains in one
transaction: the customer's, where its owners read it, and the service's own.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from webapp.accounts.models import UserAccount
from webapp.accounts.people import checked_email, end_all_sessions, end_sessions_of_members
from webapp.accounts.queries import find_person
from webapp.audit.actions import record
from webapp.audit.service_chain import note_for_service
from webapp.clock import now
from webapp.errors import NotFound, Refused
from webapp.formatting import format_size
from webapp.invitations.actions import Inviter, invite, is_member, resend, whole_offer
from webapp.jobs.stored_files import QUOTA_BYTES
from webapp.organizations.actions import create_organization
from webapp.organizations.models import Invitation, InvitationState
from webapp.privacy.closing import reopen_organization
from webapp.privacy.takeouts import start_takeout
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.models import Organization, OrganizationState, Role

REASON_AT_LEAST, REASON_AT_MOST = 3, 300


class Nobody(Refused):
    """The address that staff gave is nobody's here. That they asked is recorded: the caller commits."""


@dataclass(frozen=True)
class Act:
    """Who of staff acts, and why, as the customer reads it."""

    staff: UserAccount
    reason: str

    @property
    def told(self) -> dict[str, Any]:
        """Who and why, as record() takes them."""
        return {"actor_id": self.staff.id, "staff": self.staff.name or "Somebody", "reason": self.reason}

    def about(self, organization: Organization) -> dict[str, Any]:
        """The same of an organization, as note_for_service() takes them."""
        return {**self.told, "object_id": organization.id, "organization": organization.slug}


@dataclass(frozen=True)
class NewOrganization:
    slug: str
    name: str
    time_zone: str
    region: str
    owner: str  #: the address that is invited to own it


def checked_reason(text: str) -> str:
    """One line. Raises Refused."""
    reason = " ".join(text.split())
    if not REASON_AT_LEAST <= len(reason) <= REASON_AT_MOST or not reason.isprintable():
        raise Refused(
            f"Say why, in {REASON_AT_LEAST} to {REASON_AT_MOST} characters that can be read: it is recorded.", "reason"
        )
    return reason


def get_held(session: LockedSession, organization_id: int) -> Organization:
    """The organization, to which the session is bound, held until the transaction ends. Raises NotFound."""
    found = session.scalars(
        select(Organization)
        .where(Organization.id == organization_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).one_or_none()
    if found is None:
        raise NotFound
    session.bind_organization(found.id)
    return found


def set_up(session: LockedSession, act: Act, new: NewOrganization, secret_key: str) -> tuple[Organization, Invitation]:
    """A new customer, and the invitation of its first owner. Raises Refused with the field that is wrong."""
    checked_email(new.owner)  # before anything is made
    organization = create_organization(session, new.slug, new.name, new.time_zone, new.region)
    invitation = invite(session, Inviter(organization, None, secret_key), new.owner, whole_offer(Role.OWNER))
    record(session, "support.set_up", object_id=organization.id, email=invitation.email, **act.told)
    note_for_service(session, "service.set_up", **act.about(organization))
    return organization, invitation


def suspend(session: LockedSession, act: Act, organization: Organization) -> None:
    """Its people read the reason instead of its pages. What brings calls goes on. Raises Refused."""
    if organization.state != OrganizationState.OPEN:
        raise Refused("Somebody has suspended or closed it meanwhile.")
    organization.state, organization.suspended_for = OrganizationState.SUSPENDED, act.reason
    session.flush()
    record(session, "support.suspended", object_id=organization.id, **act.told)
    note_for_service(session, "service.suspended", **act.about(organization))


def resume(session: LockedSession, act: Act, organization: Organization) -> None:
    """Open to its people again. Raises Refused."""
    if organization.state != OrganizationState.SUSPENDED:
        raise Refused("It is not suspended any more.")
    organization.state, organization.suspended_for = OrganizationState.OPEN, None
    session.flush()
    record(session, "support.resumed", object_id=organization.id, **act.told)
    note_for_service(session, "service.resumed", **act.about(organization))


def bring_back(session: LockedSession, act: Act, organization: Organization) -> None:
    """What an owner closed is open again, within the days of grace. Raises Refused."""
    reopen_organization(session, f"{act.told['staff']} of support", act.reason)
    record(session, "support.reopened", object_id=organization.id, **act.told)
    note_for_service(session, "service.reopened", **act.about(organization))


def change_limits(
    session: LockedSession, act: Act, organization: Organization, file_limit: int | None, people_limit: int | None
) -> int:
    """Bytes of files and people, invited ones included; None: the usual for files, as many as they like of people.

    Returns how many of the two are others than before.
    """
    files = ("the room for files", _tell_bytes(organization.file_limit), _tell_bytes(file_limit))
    people = ("the number of people", _tell_people(organization.people_limit), _tell_people(people_limit))
    organization.file_limit, organization.people_limit = file_limit, people_limit
    session.flush()
    changed = [each for each in (files, people) if each[1] != each[2]]
    for limit, before, after in changed:
        record(
            session,
            "support.limit_changed",
            object_id=organization.id,
            limit=limit,
            before=before,
            after=after,
            **act.told,
        )
    for limit, before, after in changed:
        note_for_service(
            session, "service.limit_changed", limit=limit, before=before, after=after, **act.about(organization)
        )
    return len(changed)


def _tell_bytes(limit: int | None) -> str:
    return format_size(QUOTA_BYTES if limit is None else limit)


def _tell_people(limit: int | None) -> str:
    return "no limit" if limit is None else str(limit)


def resend_invitation(session: LockedSession, act: Act, organization: Organization, address: str, key: str) -> None:
    """A new link for an address that staff was told: there is no list for them to read. Raises Nobody, Refused."""
    email = checked_email(address)
    waiting = select(Invitation).where(Invitation.email == email, Invitation.state == InvitationState.OPEN)
    invitation = session.scalars(waiting).first()
    if invitation is None:
        _miss(session, act, organization, email)
        raise Nobody(f"No invitation to {email} waits here. That you asked is recorded.", "email")
    resend(session, Inviter(organization, None, key), invitation)
    record(session, "support.resent", object_id=invitation.id, email=email, **act.told)
    note_for_service(session, "service.resent", **act.about(organization))


def sign_out_person(session: LockedSession, act: Act, organization: Organization, address: str) -> None:
    """End every session of one of its people, in whatever browser. Raises Nobody, Refused."""
    email = checked_email(address)
    person = find_person(session, email)
    if person is None or not is_member(session, person):
        _miss(session, act, organization, email)
        raise Nobody(f"Nobody here has the address {email}. That you asked is recorded.", "email")
    end_all_sessions(session, person)
    record(session, "support.signed_out", object_id=person.id, whom=email, **act.told)
    note_for_service(session, "service.signed_out", whom="one person", **act.about(organization))


def sign_out_everybody(session: LockedSession, act: Act, organization: Organization) -> int:
    """End every session of all of its people; returns how many sessions that were."""
    ended = end_sessions_of_members(session)
    record(session, "support.signed_out", object_id=organization.id, whom="everybody", **act.told)
    note_for_service(session, "service.signed_out", whom="everybody", **act.about(organization))
    return ended


def prepare_takeout(session: LockedSession, act: Act, organization: Organization) -> None:
    """Have everything of it put into an archive, which its owners alone can fetch. Raises Refused."""
    if organization.state == OrganizationState.CLOSED and organization.is_to_be_erased(now()):
        raise Refused("Its days of grace are over: it is being erased, and its owners can fetch nothing any more.")
    takeout = start_takeout(session, act.staff.id, by_staff=True)
    record(session, "support.takeout_started", object_id=takeout.id, **act.told)
    note_for_service(session, "service.takeout_started", **act.about(organization))


def _miss(session: LockedSession, act: Act, organization: Organization, email: str) -> None:
    record(session, "support.missed", object_id=organization.id, email=email, **act.told)
    note_for_service(session, "service.missed", **act.about(organization))
