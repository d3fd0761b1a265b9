"""What a narrowed member sees, as it is stored, and the lock under which members change.

Asked by the guard for every request, by exports and pages.
"""

from collections.abc import Callable

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from webapp.tenancy.lock import LockedSession, kept
from webapp.tenancy.models import MembershipParty, Organization
from webapp.tenancy.narrowing import Narrowing, narrowing_of

_PARTIES = kept(select(MembershipParty).where(MembershipParty.user_account_id == bindparam("person")))

_when_gone: dict[str, Callable[[LockedSession, int], None]] = {}


def when_member_goes(name: str, hook: Callable[[LockedSession, int], None]) -> None:
    """Call `hook` with the person's id in the transaction in which they leave the bound organization or are removed.

    For what is theirs and stays here: later packages register it in create_app().
    """
    _when_gone[name] = hook


def let_go(session: LockedSession, user_account_id: int) -> None:
    """Told by whoever takes a membership away, before it is gone."""
    for hook in _when_gone.values():
        hook(session, user_account_id)


def load_narrowing(session: Session, user_account_id: int) -> Narrowing:
    """Of a member of the bound organization who is narrowed."""
    return narrowing_of(session.scalars(_PARTIES, {"person": user_account_id}))


def hold_organization(session: LockedSession) -> None:
    """Until the transaction ends nobody else changes members: two owners cannot remove each other at once."""
    session.scalars(
        select(Organization).where(Organization.id == session.organization_id).with_for_update(key_share=True)
    ).one()
