"""Finds people, and what belongs to a person. Called by signing in, the account pages, the commands, organizations/."""

from collections.abc import Collection

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from webapp.accounts.account_events import SHOWN_AT_MOST
from webapp.accounts.models import AccountEvent, AccountState, SessionState, UserAccount, UserEmail, WebSession
from webapp.clock import now
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.models import Membership, Numbers, Organization, OrganizationState, Role


def find_person(session: Session, email: str) -> UserAccount | None:
    """By any confirmed address of theirs, whatever its capitals."""
    return session.scalars(
        select(UserAccount)
        .join(UserEmail, UserEmail.user_account_id == UserAccount.id)
        .where(UserEmail.email == email.strip().lower())
    ).one_or_none()


def list_addresses(session: Session, user_account_id: int) -> list[UserEmail]:
    """The confirmed addresses of a person, by name."""
    mine = select(UserEmail).where(UserEmail.user_account_id == user_account_id).order_by(UserEmail.email)
    return list(session.scalars(mine))


def list_sessions(session: Session, user_account_id: int) -> list[WebSession]:
    """The browsers in which the person is signed in, the one used last first."""
    return list(
        session.scalars(
            select(WebSession)
            .where(WebSession.user_account_id == user_account_id, WebSession.state == SessionState.SIGNED_IN)
            .order_by(WebSession.last_seen_at.desc(), WebSession.id.desc())
        )
    )


def list_events(session: Session, user_account_id: int, at_most: int = SHOWN_AT_MOST) -> list[AccountEvent]:
    """What happened to the account, the newest first."""
    return list(
        session.scalars(
            select(AccountEvent)
            .where(AccountEvent.user_account_id == user_account_id)
            .order_by(AccountEvent.id.desc())
            .limit(at_most)
        )
    )


def list_memberships(session: LockedSession) -> list[tuple[Membership, Organization]]:
    """Those of the bound person, whatever has become of them, by the organization's name."""
    found = session.execute(
        select(Membership, Organization)
        .join(Organization, Organization.id == Membership.organization_id)
        .where(Membership.user_account_id == session.user_account_id)
        .order_by(Organization.name, Organization.id)
    )
    return [(membership, organization) for membership, organization in found]


def has_ended(membership: Membership) -> bool:
    """Whether its end date has come."""
    return membership.ends_at is not None and membership.ends_at <= now()


def find_shortest_idle(session: LockedSession) -> int | None:
    """The shortest idle limit, in minutes, of the bound person's open organizations."""
    return min(
        (
            organization.idle_minutes
            for membership, organization in list_memberships(session)
            if organization.state == OrganizationState.OPEN and not has_ended(membership)
        ),
        default=None,
    )


def is_only_owner(session: LockedSession, user_account_id: int) -> bool:
    """Whether the person is the one owner of the bound organization who has all of it, for ever, and can sign in."""
    owners = set(
        session.scalars(
            select(Membership.user_account_id)
            .join(UserAccount, UserAccount.id == Membership.user_account_id)
            .where(
                Membership.organization_id == session.organization_id,
                Membership.role == Role.OWNER,
                Membership.numbers == Numbers.FULL,
                Membership.may_export,
                ~Membership.narrowed,
                Membership.ends_at.is_(None),
                UserAccount.state == AccountState.ACTIVE,
            )
        )
    )
    return owners == {user_account_id}


def words_about(session: LockedSession, person: UserAccount) -> list[str]:
    """What somebody who knows the bound person would try first as their password."""
    names = [organization.name for _membership, organization in list_memberships(session)]
    return [person.name, *names, *(found.email for found in list_addresses(session, person.id))]


def list_owners(session: LockedSession) -> list[UserAccount]:
    """The owners of the bound organization who can sign in, by address: those whom mail about all of it goes to."""
    return list(
        session.scalars(
            select(UserAccount)
            .join(Membership, Membership.user_account_id == UserAccount.id)
            .where(
                Membership.organization_id == session.organization_id,
                Membership.role == Role.OWNER,
                or_(Membership.ends_at.is_(None), Membership.ends_at > now()),
                UserAccount.state == AccountState.ACTIVE,
            )
            .order_by(UserAccount.email)
        )
    )


def has_other_staff(session: Session, user_account_id: int) -> bool:
    """Whether somebody else of the operator's staff can sign in."""
    others = select(UserAccount.id).where(
        UserAccount.is_staff, UserAccount.state == AccountState.ACTIVE, UserAccount.id != user_account_id
    )
    return session.scalars(others.limit(1)).first() is not None


def name_staff_of(session: Session, ids: Collection[int]) -> dict[int, str]:
    """How members of the operator's staff are called, by id. Of nobody else: the console knows no customer's people."""
    found = session.scalars(select(UserAccount).where(UserAccount.id.in_(ids), UserAccount.is_staff))
    return {person.id: person.name or person.email for person in found}
