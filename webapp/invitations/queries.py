"""Reads the people and invitations of the bound organization, for the People page."""

from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import select

from webapp.accounts.models import UserAccount
from webapp.clock import now
from webapp.errors import Forbidden, NotFound
from webapp.invitations.actions import cause_of_mail
from webapp.invitations.words import OfferWords, tell_offer
from webapp.organizations.models import Invitation, InvitationState
from webapp.organizations.offers import Offer, is_within, offer_of_invitation, offer_of_membership
from webapp.outbox.models import MailState, OutboxMessage
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.models import Membership, Numbers

_LISTED = (InvitationState.OPEN, InvitationState.UNCONFIRMED)


class Person(NamedTuple):
    id: int
    name: str
    email: str


@dataclass(frozen=True)
class Listed:
    """One person of the list. `may_change`: the reader has at least as much, and is not of support."""

    person: Person
    membership: Membership
    offer: Offer
    words: OfferWords
    ended: bool
    may_change: bool


@dataclass(frozen=True)
class ListedInvitation:
    invitation: Invitation
    offer: Offer
    words: OfferWords
    expired: bool
    inviter: str  #: "" for the operator
    mail: str  #: what became of its newest mail, in words
    may_change: bool


def list_people(session: LockedSession, reader: Membership, time_zone: str) -> list[Listed]:
    """Every member, by name or address."""
    limit = offer_of_membership(session, reader)
    rows = session.execute(
        select(Membership, UserAccount.id, UserAccount.name, UserAccount.email)
        .join(UserAccount, UserAccount.id == Membership.user_account_id)
        .where(Membership.organization_id == session.organization_id)
    )
    people = []
    for membership, person_id, name, email in rows:
        offer = offer_of_membership(session, membership)
        ended = membership.ends_at is not None and membership.ends_at <= now()
        words = tell_offer(session, offer, time_zone, masked=reader.numbers != Numbers.FULL)
        may_change = session.staff_id is None and is_within(offer, limit)
        people.append(Listed(Person(person_id, name, email), membership, offer, words, ended, may_change))
    return sorted(people, key=lambda each: (each.person.name or each.person.email).casefold())


def list_invitations(
    session: LockedSession, reader: Membership, time_zone: str, *, sends_mail: bool
) -> list[ListedInvitation]:
    """Those that wait: for their people, or for an owner. Newest first."""
    limit = offer_of_membership(session, reader)
    waiting = select(Invitation).where(Invitation.state.in_(_LISTED)).order_by(Invitation.id.desc())
    invitations = list(session.scalars(waiting))
    mails = _mails_of(session, invitations)
    inviters = _names_of(session, {each.invited_by for each in invitations if each.invited_by is not None})
    listed = []
    for invitation in invitations:
        offer = offer_of_invitation(session, invitation)
        listed.append(
            ListedInvitation(
                invitation,
                offer,
                tell_offer(session, offer, time_zone, masked=reader.numbers != Numbers.FULL),
                invitation.state == InvitationState.OPEN and invitation.expires_at <= now(),
                "" if invitation.invited_by is None else inviters.get(invitation.invited_by, "somebody"),
                _tell_mail(mails.get(_whole_cause(invitation)), sends_mail),
                session.staff_id is None and is_within(offer, limit),
            )
        )
    return listed


def get_invitation(session: LockedSession, invitation_id: int) -> Invitation:
    """Of the bound organization, while it waits. Raises NotFound."""
    found = session.scalars(
        select(Invitation).where(Invitation.id == invitation_id, Invitation.state.in_(_LISTED))
    ).one_or_none()
    if found is None:
        raise NotFound
    return found


def get_changeable_invitation(session: LockedSession, actor: Membership, invitation_id: int) -> Invitation:
    """One that offers no more than the actor has. Raises NotFound, Forbidden."""
    invitation = get_invitation(session, invitation_id)
    if not is_within(offer_of_invitation(session, invitation), offer_of_membership(session, actor)):
        raise Forbidden("This invitation offers more than you have here: an owner can change it.")
    return invitation


def _whole_cause(invitation: Invitation) -> str:
    return f"{cause_of_mail(invitation)}:{invitation.email}"


def _mails_of(session: LockedSession, invitations: list[Invitation]) -> dict[str, OutboxMessage]:
    """By cause. Support is not told whom mails went to."""
    if session.staff_id is not None:
        return {}
    causes = [_whole_cause(invitation) for invitation in invitations]
    found = session.scalars(select(OutboxMessage).where(OutboxMessage.cause.in_(causes)))
    return {message.cause: message for message in found}


def _names_of(session: LockedSession, ids: set[int]) -> dict[int, str]:
    found = session.execute(select(UserAccount.id, UserAccount.name, UserAccount.email).where(UserAccount.id.in_(ids)))
    return {row.id: row.name or row.email for row in found}


def _tell_mail(message: OutboxMessage | None, sends_mail: bool) -> str:
    if message is None:
        return ""
    if message.state == MailState.HANDED_OVER:
        return "its mail was handed over"
    if message.state == MailState.REFUSED:
        return f"its mail was refused ({message.error})" if message.error else "its mail was refused"
    if not sends_mail:
        return "this service has no mail set up: its mail waits"
    return f"its mail waits (last try: {message.error})" if message.error else "its mail waits to be sent"
