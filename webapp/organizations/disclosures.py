"""Disclosures that the organization may be told about. Called by disclosure_views.py and the console's page of it.

Of one that it may not be told about yet nothing is read here, so no figure moves by it.
"""

from sqlalchemy import func, select

from webapp.tenancy.consent_models import Disclosure
from webapp.tenancy.lock import LockedSession


def count_told(session: LockedSession) -> int:
    """How many the bound organization was told of."""
    told = select(func.count()).select_from(Disclosure).where(Disclosure.told_at.is_not(None))
    return session.scalar(told) or 0


def list_told(session: LockedSession) -> list[Disclosure]:
    """The one told last first."""
    told = select(Disclosure).where(Disclosure.told_at.is_not(None))
    return list(session.scalars(told.order_by(Disclosure.told_at.desc(), Disclosure.id.desc())))
