"""From an invitation to a membership: the only way in. Called by views.py; knows no Flask, and its caller commits."""

from dataclasses import dataclass

from sqlalchemy import select

from webapp.accounts.models import UserAccount, UserEmail
from webapp.accounts.people import create_user, renew_all_sessions
from webapp.accounts.queries import find_person
from webapp.clock import now
from webapp.errors import NotFound, Refused
from webapp.invitations.actions import is_member
from webapp.invitations.tokens import digest_token, organization_in
from webapp.invitations.words import OfferWords, tell_offer
from webapp.names import clean_name
from webapp.organizations.actions import join
from webapp.organizations.models import Invitation, InvitationState
from webapp.organizations.offers import is_within, offer_of_invitation, offer_of_membership, replace_spans
from webapp.outbox.actions import queue_mail
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.members import hold_organization
from webapp.tenancy.models import Membership, Organization, OrganizationState

NAME_AT_MOST = 100
NOT_YOURS = (
    "This invitation went to another address than those of the account that you are signed in with. Nothing was "
    "changed. Sign out and open the link in the mail again, or ask for an invitation to your own address."
)


@dataclass(frozen=True)
class Held:
    """Which invitation a browser holds: what its session keeps, instead of the token."""

    organization_id: int
    digest: bytes


@dataclass(frozen=True)
class Opened:
    """An invitation that is good at this moment, and what it is to."""

    invitation: Invitation
    organization: Organization


def read_token(token: str) -> Held | None:
    """What a token would open, if it is one of ours. Asks nobody."""
    organization_id = organization_in(token)
    return None if organization_id is None else Held(organization_id, digest_token(token))


def open_invitation(session: LockedSession, held: Held | None, *, to_accept: bool = False) -> Opened:
    """Bind the session to the organization, then look the digest up inside. Raises NotFound, whatever is wrong with it.

    `to_accept`: hold the row, so that of two who accept at once one finds it used.
    """
    if held is None or not held.digest:
        raise NotFound
    session.bind_organization(held.organization_id)
    organization = session.get(Organization, held.organization_id)
    if organization is None or organization.state != OrganizationState.OPEN:
        raise NotFound
    if to_accept:
        hold_organization(session)
    wanted = select(Invitation).where(
        Invitation.token_digest == held.digest,
        Invitation.state == InvitationState.OPEN,
        Invitation.expires_at > now(),
    )
    invitation = session.scalars(wanted.with_for_update() if to_accept else wanted).one_or_none()
    if invitation is None or (invitation.ends_at is not None and invitation.ends_at <= now()):
        raise NotFound
    if not _could_still_give(session, invitation):
        raise NotFound
    return Opened(invitation, organization)


def _could_still_give(session: LockedSession, invitation: Invitation) -> bool:
    """Whether the inviter is still here and still has what they offered. The operator's offers need nobody.

    So nobody who is removed, narrowed or given a smaller role comes back through a link that they made before.
    """
    if invitation.invited_by is None:
        return True
    inviter = session.get(Membership, (session.organization_id, invitation.invited_by))
    if inviter is None or (inviter.ends_at is not None and inviter.ends_at <= now()):
        return False
    return is_within(offer_of_invitation(session, invitation), offer_of_membership(session, inviter))


def tell_what(session: LockedSession, opened: Opened) -> OfferWords:
    """What the invitation offers, in words."""
    return tell_offer(session, offer_of_invitation(session, opened.invitation), opened.organization.time_zone)


def find_inviter(session: LockedSession, opened: Opened) -> UserAccount | None:
    """Who invites; None for the operator."""
    invited_by = opened.invitation.invited_by
    return None if invited_by is None else session.get(UserAccount, invited_by)


def has_account(session: LockedSession, opened: Opened) -> bool:
    """Whether somebody signs in with the invited address: they join with that account, after signing in."""
    return find_person(session, opened.invitation.email) is not None


def is_for(session: LockedSession, opened: Opened, person: UserAccount) -> bool:
    """Whether the invited address is a confirmed one of the person's, who is not of staff."""
    found = session.get(UserEmail, opened.invitation.email)
    return found is not None and found.user_account_id == person.id and not person.is_staff


def accept_as_newcomer(session: LockedSession, opened: Opened, name: str, password: str) -> UserAccount:
    """An account for the invited address, and its membership. Raises Refused with the field that is wrong."""
    name = clean_name(name)  # it stands in the subject of mails
    if not 1 <= len(name) <= NAME_AT_MOST:
        raise Refused(f"Give your name, at most {NAME_AT_MOST} characters.", "name")
    organization = opened.organization
    person = create_user(session, opened.invitation.email, password, (organization.name, organization.slug, name))
    person.name = name
    _accept(session, opened, person)
    return person


def accept_as(session: LockedSession, opened: Opened, person_id: int) -> UserAccount:
    """The membership for a person who is signed in. Raises Refused if the invitation is not for them."""
    person = session.get_one(UserAccount, person_id)
    if not is_for(session, opened, person):
        raise Refused(NOT_YOURS)
    if is_member(session, person):
        raise Refused(f"You are a member of {opened.organization.name} already. Nothing was changed.")
    _accept(session, opened, person)
    renew_all_sessions(session, person)
    return person


def _accept(session: LockedSession, opened: Opened, person: UserAccount) -> None:
    invitation = opened.invitation
    ended = session.get(Membership, (opened.organization.id, person.id))
    if ended is not None:  # its end date is over: the new invitation takes its place
        session.delete(ended)
        session.flush()
    offer = offer_of_invitation(session, invitation)
    join(session, person, invitation)
    replace_spans(session, person, offer.spans)
    invitation.state, invitation.ended_at, invitation.token_digest = InvitationState.ACCEPTED, now(), b""
    session.flush()
    _tell_inviter(session, opened, person)


def _tell_inviter(session: LockedSession, opened: Opened, person: UserAccount) -> None:
    inviter = find_inviter(session, opened)
    if inviter is None or not is_member(session, inviter):
        return
    queue_mail(
        session,
        "invitation_accepted",
        inviter.email,
        cause=f"invitation-accepted:{opened.invitation.id}",
        words={
            "organization": opened.organization.name,
            "slug": opened.organization.slug,
            "name": person.name or person.email,
            "email": opened.invitation.email,
            "role": opened.invitation.role.word,
        },
    )
