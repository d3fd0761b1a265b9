"""Who of the bound organization has lost every second factor and waits for an owner's word. Read by its pages."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, select

from webapp.accounts.lost_factor import is_alive
from webapp.accounts.models import FactorRemoval, RemovalState, UserAccount
from webapp.errors import NotFound
from webapp.tenancy.consent_models import FactorConsent
from webapp.tenancy.lock import LockedSession


@dataclass(frozen=True)
class Asked:
    """`alive`: it can still be confirmed or stopped."""

    removal: FactorRemoval
    person: UserAccount
    consent: FactorConsent

    @property
    def alive(self) -> bool:
        return is_alive(self.removal)


def list_asked(session: LockedSession) -> list[Asked]:
    """What waits for an owner of the bound organization."""
    found = session.execute(_wanted().where(FactorRemoval.state == RemovalState.WAITS).order_by(FactorRemoval.id))
    asked = [Asked(*row) for row in found]
    return [each for each in asked if each.alive and each.consent.confirmed_by is None]


def get_asked(session: LockedSession, removal_id: int) -> Asked:
    """Raises NotFound where this organization was not asked."""
    found = session.execute(_wanted().where(FactorRemoval.id == removal_id)).one_or_none()
    if found is None:
        raise NotFound
    return Asked(*found)


def _wanted() -> Select[*tuple[Any, ...]]:
    return (
        select(FactorRemoval, UserAccount, FactorConsent)
        .join(FactorConsent, FactorConsent.removal_id == FactorRemoval.id)
        .join(UserAccount, UserAccount.id == FactorRemoval.user_account_id)
    )
