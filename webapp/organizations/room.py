"""How much an organization may hold: files kept, and people. Called by invitations/, its settings and the console.

What stands in its row is what staff gave it; without, files have the usual limit and people none.
"""

from dataclasses import dataclass

from sqlalchemy import func, or_, select

from webapp.clock import now
from webapp.errors import Refused
from webapp.jobs.models import StoredFile
from webapp.jobs.stored_files import QUOTA_BYTES
from webapp.organizations.models import Invitation, InvitationState
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.models import Membership, Organization

_FULL = (
    "{name} may have {limit} people, invited ones included, and that many there are. Remove somebody or revoke an "
    "invitation first, or ask the person who runs Callbook for more."
)


@dataclass(frozen=True)
class Room:
    """Bytes are of files as they are stored, compressed. `people_limit`: None for as many as they like."""

    file_bytes: int
    file_limit: int
    people: int
    people_limit: int | None


def find_room(session: LockedSession, organization: Organization) -> Room:
    """Of the bound organization."""
    kept = session.scalar(select(func.coalesce(func.sum(StoredFile.stored_count), 0)))
    limit = QUOTA_BYTES if organization.file_limit is None else organization.file_limit
    return Room(int(kept or 0), limit, count_people(session), organization.people_limit)


def count_people(session: LockedSession) -> int:
    """Members whose time is not over, and addresses whose invitation waits."""
    members = select(func.count(Membership.user_account_id)).where(
        Membership.organization_id == session.organization_id,
        or_(Membership.ends_at.is_(None), Membership.ends_at > now()),
    )
    waiting = select(func.count(Invitation.id)).where(
        or_(
            Invitation.state == InvitationState.UNCONFIRMED,
            (Invitation.state == InvitationState.OPEN) & (Invitation.expires_at > now()),
        )
    )
    return (session.scalar(members) or 0) + (session.scalar(waiting) or 0)


def check_room_for_one(session: LockedSession, organization: Organization) -> None:
    """Raises Refused where nobody more can be invited to the bound organization.

    Whoever may not be one too many holds the organization.
    """
    limit = session.scalar(select(Organization.people_limit).where(Organization.id == organization.id))
    if limit is not None and count_people(session) >= limit:
        raise Refused(_FULL.format(name=organization.name, limit=limit), "email")
