"""Makes, sends, changes, confirms and revokes invitations. Called by the People page and the commands.

Each action queues its mail and records itself in the transaction of the caller, who commits.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from webapp.accounts.models import UserAccount
from webapp.accounts.people import checked_email
from webapp.accounts.queries import find_person
from webapp.audit.actions import record
from webapp.clock import now
from webapp.database.ids import new_id
from webapp.errors import Refused
from webapp.formatting import format_date
from webapp.invitations.tokens import digest_token, make_token
from webapp.invitations.words import last_day, spell_for_audit, tell_offer
from webapp.organizations.models import Invitation, InvitationState
from webapp.organizations.offers import Offer, offer_of_invitation, replace_spans, write_offer
from webapp.organizations.room import check_room_for_one
from webapp.outbox.actions import queue_mail
from webapp.sealing import seal
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.models import Membership, Numbers, Organization, Role

LIVES = timedelta(days=7)
ADDRESSES_AT_MOST = 50
WORDS_AT_MOST = 500
_NO_LINK = b""
#: Neither used nor revoked yet.
_WAITING = (InvitationState.OPEN, InvitationState.UNCONFIRMED)


def whole_offer(role: Role) -> Offer:
    """All there is, in this role."""
    return Offer(role, Numbers.FULL, may_export=True, narrowed=False, spans=(), ends_at=None)


@dataclass(frozen=True)
class Invited:
    """What became of one line of the form: the invitation, or why there is none."""

    address: str
    invitation: Invitation | None
    problem: str = ""


@dataclass(frozen=True)
class Inviter:
    """Who invites to what. `person` None: the operator. `secret_key` seals the token in the waiting mail."""

    organization: Organization
    person: UserAccount | None
    secret_key: str

    @property
    def name(self) -> str:
        return (self.person.name or self.person.email) if self.person else ""

    @property
    def person_id(self) -> int | None:
        return self.person.id if self.person else None


def invite_all(
    session: LockedSession, inviter: Inviter, addresses: Iterable[str], offer: Offer, words: str
) -> list[Invited]:
    """Invite each address with the same offer; each has its own result. Raises Refused when there are too many."""
    lines = list_addresses(addresses)
    if not lines:
        raise Refused("Give at least one e-mail address.", "emails")
    if len(lines) > ADDRESSES_AT_MOST:
        raise Refused(f"Invite at most {ADDRESSES_AT_MOST} people at once.", "emails")
    results = []
    for line in lines:
        try:
            invitation = invite(session, inviter, line, offer, words)
            results.append(Invited(invitation.email, invitation))
        except Refused as refusal:
            results.append(Invited(line, None, refusal.sentence))
    return results


def list_addresses(lines: Iterable[str]) -> list[str]:
    """Each address that somebody wrote, once."""
    return list(dict.fromkeys(line.strip() for line in lines if line.strip()))


def invite(session: LockedSession, inviter: Inviter, address: str, offer: Offer, words: str = "") -> Invitation:
    """An open invitation, and its mail. Raises Refused: no address, a member already, an invitation already."""
    invitation = _make(session, inviter, address, offer, words, InvitationState.OPEN)
    _send(session, inviter, invitation)
    told = spell_for_audit(tell_offer(session, offer, inviter.organization.time_zone))
    record(
        session,
        "invitation.made",
        actor_id=inviter.person_id,
        object_id=invitation.id,
        email=invitation.email,
        offer=told,
    )
    return invitation


def file_unconfirmed(session: LockedSession, inviter: Inviter, address: str, role: Role) -> Invitation:
    """What the operator asks for, where there are owners: nothing is mailed until one of them confirms it."""
    invitation = _make(session, inviter, address, whole_offer(role), "", InvitationState.UNCONFIRMED)
    record(session, "invitation.filed", actor_id=None, object_id=invitation.id, email=invitation.email, offer=role.word)
    return invitation


def confirm(session: LockedSession, inviter: Inviter, invitation: Invitation) -> None:
    """An owner agrees to what the operator filed: from now on it is the owner's invitation, and mailed."""
    _check_state(invitation, InvitationState.UNCONFIRMED)
    invitation.state, invitation.invited_by = InvitationState.OPEN, inviter.person_id
    _send(session, inviter, invitation)
    record(session, "invitation.confirmed", **_about(inviter, invitation))


def resend(session: LockedSession, inviter: Inviter, invitation: Invitation) -> None:
    """A new link, for another seven days; the one before is dead."""
    _check_state(invitation, InvitationState.OPEN)
    if invitation.expires_at <= now():  # it counts as somebody again
        check_room_for_one(session, inviter.organization)
    _send(session, inviter, invitation)
    record(session, "invitation.resent", **_about(inviter, invitation))


def revoke(session: LockedSession, inviter: Inviter, invitation: Invitation) -> None:
    """Its link opens nothing from now on."""
    _check_state(invitation, *_WAITING)
    _end(invitation)
    record(session, "invitation.revoked", **_about(inviter, invitation))


def change(session: LockedSession, inviter: Inviter, invitation: Invitation, offer: Offer) -> None:
    """Another offer behind the same link."""
    _check_state(invitation, *_WAITING)
    zone = inviter.organization.time_zone
    before = spell_for_audit(tell_offer(session, offer_of_invitation(session, invitation), zone))
    write_offer(invitation, offer)
    replace_spans(session, invitation, offer.spans)
    after = spell_for_audit(tell_offer(session, offer, zone))
    if after != before:
        record(
            session,
            "invitation.changed",
            actor_id=inviter.person_id,
            object_id=invitation.id,
            email=invitation.email,
            before=before,
            after=after,
        )


def cause_of_mail(invitation: Invitation) -> str:
    """Of its newest mail, as outbox/ knows it but for the address."""
    return f"invitation:{invitation.id}:{invitation.mail_count}"


def is_member(session: LockedSession, person: UserAccount | None) -> bool:
    """Whether the person is in the bound organization, and their access has not ended."""
    assert session.organization_id is not None
    membership = session.get(Membership, (session.organization_id, person.id)) if person is not None else None
    return membership is not None and (membership.ends_at is None or membership.ends_at > now())


def _make(
    session: LockedSession, inviter: Inviter, address: str, offer: Offer, words: str, state: InvitationState
) -> Invitation:
    email = checked_email(address)
    if is_member(session, find_person(session, email)):
        raise Refused(f"{email} is a member already.", "email")
    _refuse_a_second(session, email)
    check_room_for_one(session, inviter.organization)
    moment = now()
    invitation = Invitation(
        id=new_id(),
        email=email,
        words=words.strip()[:WORDS_AT_MOST],
        token_digest=_NO_LINK,
        state=state,
        mail_count=0,
        invited_by=inviter.person_id,
        created_at=moment,
        expires_at=moment + LIVES,
        ended_at=None,
    )
    write_offer(invitation, offer)
    try:
        with session.begin_nested():  # writes first what gave way
            session.add(invitation)
            session.flush()
    except IntegrityError:  # on PostgreSQL a command has filed one meanwhile: the database keeps one that waits
        _refuse_a_second(session, email)
        raise
    replace_spans(session, invitation, offer.spans)
    return invitation


def _refuse_a_second(session: LockedSession, email: str) -> None:
    """One that has run out gives way to the new one."""
    waiting = select(Invitation).where(Invitation.email == email, Invitation.state.in_(_WAITING))
    for earlier in session.scalars(waiting):
        if earlier.state == InvitationState.UNCONFIRMED:
            raise Refused(f"{email} waits for an owner to confirm it already.", "email")
        if earlier.expires_at > now():
            raise Refused(f"{email} has an open invitation already.", "email")
        _end(earlier)


def _send(session: LockedSession, inviter: Inviter, invitation: Invitation) -> None:
    """A new token, of which the database keeps the digest, and the waiting mail the sealed text."""
    organization = inviter.organization
    token = make_token(organization.id)
    invitation.token_digest, invitation.expires_at = digest_token(token), now() + LIVES
    invitation.mail_count += 1
    told = tell_offer(session, offer_of_invitation(session, invitation), organization.time_zone)
    queue_mail(
        session,
        "invitation",
        invitation.email,
        cause=cause_of_mail(invitation),
        words={
            "organization": organization.name,
            "inviter": inviter.name,
            "role": told.role,
            "sees": told.sees,
            "ends": told.ends,
            "line": invitation.words,
            "expires": format_date(last_day(invitation.expires_at, organization.time_zone)),
        },
        secret=seal(inviter.secret_key, token.encode()),
    )


def _check_state(invitation: Invitation, *states: InvitationState) -> None:
    if invitation.state not in states:
        raise Refused("Somebody has accepted, changed or revoked this invitation meanwhile.")


def _end(invitation: Invitation) -> None:
    invitation.state, invitation.ended_at, invitation.token_digest = InvitationState.REVOKED, now(), _NO_LINK


def _about(inviter: Inviter, invitation: Invitation) -> dict[str, Any]:
    """Who did it to which invitation, as the audit wants it."""
    return {"actor_id": inviter.person_id, "object_id": invitation.id, "email": invitation.email}
