"""Changes the members of the bound organization, and keeps it from losing its last owner. Called by invitations/."""

from sqlalchemy import select, update

from webapp.accounts.models import UserAccount, UserEmail
from webapp.accounts.people import end_all_sessions, renew_all_sessions
from webapp.accounts.queries import is_only_owner
from webapp.audit.actions import record
from webapp.clock import now
from webapp.database.engine import Database
from webapp.errors import Forbidden, NotFound, Refused
from webapp.organizations.actions import tell_joined
from webapp.organizations.models import Invitation, InvitationState
from webapp.organizations.offers import Offer, check_within, is_within, offer_of_membership, replace_spans, write_offer
from webapp.tenancy.guard import list_places
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.members import hold_organization, let_go
from webapp.tenancy.models import Membership, Role
from webapp.tenancy.sessions import reading_session

_LAST_OWNER = (
    "{name} is the last owner who sees everything. Make somebody else an owner first, with all calls and no end date."
)


def get_member(session: LockedSession, person_id: int) -> tuple[Membership, UserAccount]:
    """A member of the bound organization. Raises NotFound."""
    assert session.organization_id is not None
    membership = session.get(Membership, (session.organization_id, person_id), populate_existing=True)
    person = session.get(UserAccount, person_id) if membership is not None else None
    if membership is None or person is None:
        raise NotFound
    return membership, person


def get_changeable(session: LockedSession, actor: Membership, person_id: int) -> tuple[Membership, UserAccount]:
    """A member whom the actor may change or remove: one who has no more than the actor. Raises NotFound, Forbidden.

    To change something, ask with the actor as they are under the organization's lock (guard.hold_and_check).
    """
    membership, person = get_member(session, person_id)
    if not is_within(offer_of_membership(session, membership), offer_of_membership(session, actor)):
        raise Forbidden(f"{person.email} may do or see more than you here: an owner can change that.")
    return membership, person


def change_member(session: LockedSession, actor: Membership, person: UserAccount, offer: Offer) -> Membership:
    """Give the member this role and narrowing from the next request on. The caller records it. Raises Refused."""
    hold_organization(session)
    membership, _person = get_changeable(session, actor, person.id)
    check_within(offer, offer_of_membership(session, actor))
    _keep_an_owner(session, membership, person, offer)
    if offer != offer_of_membership(session, membership):
        renew_all_sessions(session, person)
    had_ended = membership.ends_at is not None and membership.ends_at <= now()
    write_offer(membership, offer)
    replace_spans(session, person, offer.spans)
    session.flush()
    if had_ended:
        tell_joined(session, person)
    return membership


def remove_member(session: LockedSession, actor: Membership, person_id: int, *, elsewhere: bool) -> UserAccount:
    """Take the membership away. `elsewhere`: they belong to another organization too; else they are signed out.

    Raises NotFound, Forbidden, and Refused for the last owner.
    """
    hold_organization(session)
    membership, person = get_changeable(session, actor, person_id)
    _take_away(session, membership, person, elsewhere=elsewhere)
    record(session, "member.removed", actor_id=actor.user_account_id, object_id=person.id, email=person.email)
    return person


def sign_out(session: LockedSession, actor: Membership, person_id: int) -> UserAccount:
    """End every session of the person, in whatever browser. Raises NotFound and Forbidden."""
    _membership, person = get_changeable(session, actor, person_id)
    end_all_sessions(session, person)
    record(session, "member.signed_out", actor_id=actor.user_account_id, object_id=person.id, email=person.email)
    return person


def leave(session: LockedSession, person_id: int, *, elsewhere: bool) -> UserAccount:
    """As remove_member, by the person. They stay signed in: their account is still theirs."""
    hold_organization(session)
    membership, person = get_member(session, person_id)
    _take_away(session, membership, person, elsewhere=True)
    if not elsewhere:
        person.alone_since = now()
    record(session, "member.left", actor_id=person.id, object_id=person.id, email=person.email)
    return person


def _take_away(session: LockedSession, membership: Membership, person: UserAccount, *, elsewhere: bool) -> None:
    _keep_an_owner(session, membership, person, None)
    _revoke_invitations(session, person)
    let_go(session, person.id)
    session.delete(membership)
    if not elsewhere:
        person.alone_since = now()
        end_all_sessions(session, person)
    session.flush()


def _revoke_invitations(session: LockedSession, person: UserAccount) -> None:
    """Those to any address of theirs: who is out does not come back by another link."""
    addresses = select(UserEmail.email).where(UserEmail.user_account_id == person.id)
    session.execute(
        update(Invitation)
        .where(
            Invitation.state.in_((InvitationState.OPEN, InvitationState.UNCONFIRMED)), Invitation.email.in_(addresses)
        )
        .values(state=InvitationState.REVOKED, ended_at=now(), token_digest=b"")
        .execution_options(synchronize_session=False)
    )


def has_owner(session: LockedSession) -> bool:
    """Whether anybody owns the bound organization."""
    found = session.scalars(
        select(Membership.user_account_id).where(
            Membership.organization_id == session.organization_id, Membership.role == Role.OWNER
        )
    )
    return found.first() is not None


def _keep_an_owner(session: LockedSession, membership: Membership, person: UserAccount, after: Offer | None) -> None:
    before = offer_of_membership(session, membership)
    if not before.is_whole or (after is not None and after.is_whole):
        return
    if is_only_owner(session, person.id):
        raise Refused(_LAST_OWNER.format(name=person.name or person.email), "role")


def belongs_elsewhere(database: Database, person_id: int, organization_id: int) -> bool:
    """Whether another organization is open to the person. In a session of its own, bound to that person."""
    with reading_session(database) as session:
        session.bind_person(person_id)
        return any(place.organization.id != organization_id for place in list_places(session))
