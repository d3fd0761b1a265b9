"""Leaving an organization, and deleting an account. Called by account_views.py and jobs.py.

A session is bound to one organization at most, so an account is deleted in steps, each a transaction of its own that
the caller commits: if one fails, the person is out of fewer organizations, and can do it again.
"""

from collections.abc import Callable, Iterable, Iterator

from sqlalchemy import delete, select

from webapp.accounts.models import UserAccount
from webapp.accounts.queries import is_only_owner
from webapp.audit.actions import record
from webapp.database.engine import Database
from webapp.errors import Refused
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.members import hold_organization, let_go
from webapp.tenancy.models import Membership, Organization
from webapp.tenancy.sessions import reading_session, writing_session

WhenDeleted = Callable[[Database, LockedSession, int], None]
_when_deleted: dict[str, WhenDeleted] = {}


def when_deleted(name: str, tell: WhenDeleted) -> None:
    """Have a later package told of each account that is deleted, in that transaction, while it is there."""
    _when_deleted[name] = tell


def refuse_only_owner(database: Database, user_account_id: int, organization_ids: Iterable[int]) -> None:
    """Raise Refused when one of the organizations would be left without an owner."""
    for organization_id in organization_ids:
        with reading_session(database, organization_id) as session:
            if is_only_owner(session, user_account_id):
                name = session.get_one(Organization, organization_id).name
                raise Refused(
                    f"You are the only owner of {name}. Make another person its owner first, on its People page, or "
                    "close it, in its settings."
                )


def leave(session: LockedSession, user_account_id: int) -> None:
    """End the person's membership in the bound organization. Raises Refused to the only owner."""
    hold_organization(session)
    found = session.scalars(
        select(Membership).where(
            Membership.organization_id == session.organization_id, Membership.user_account_id == user_account_id
        )
    ).one_or_none()
    if found is None:
        return
    if is_only_owner(session, user_account_id):
        raise Refused("You are the only owner of this organization. Make another person its owner first.")
    let_go(session, user_account_id)
    session.delete(found)
    session.flush()
    person = session.get_one(UserAccount, user_account_id)
    record(session, "member.left", actor_id=user_account_id, object_id=user_account_id, email=person.email)


def delete_account(
    database: Database, user_account_id: int, organization_ids: Iterable[int]
) -> Iterator[LockedSession]:
    """The steps, each to be committed: out of each organization, then the account and all that hangs on it."""
    for organization_id in organization_ids:
        with writing_session(database, organization_id) as session:
            leave(session, user_account_id)
            yield session
    with writing_session(database) as session:
        for tell in _when_deleted.values():
            tell(database, session, user_account_id)
        session.execute(delete(UserAccount).where(UserAccount.id == user_account_id))
        yield session
