"""Erases words of the service's own chain that name whoever is erased: what was done stays, and about which id.

Called at the beginning of an erasure, while what the organization has still says which events were about it, and at its
end (erasing.py, erasing_end.py); of a person in the transaction in which they go (erasures.py).
"""

import json
from collections.abc import Collection

from sqlalchemy import select, update

from webapp.accounts.models import FactorRemoval
from webapp.audit.models import AuditDetail, AuditEvent
from webapp.audit.service_chain import SERVICE_ID
from webapp.database.engine import Database
from webapp.privacy.catalogue import TABLES, mapped_class
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.models import Organization
from webapp.tenancy.sessions import reading_session, writing_session

_EVENTS_AT_ONCE = 500
#: Of the things of an organization that events of the service's chain are about.
_TOLD_OF = ("disclosure", "announcement")


def forget_organization(database: Database, organization_id: int) -> None:
    """Of events about it or what is its own, whatever it was called then, and of those that say its name of today."""
    ids = {organization_id}
    with reading_session(database, organization_id) as session:
        organization = session.get(Organization, organization_id)
        names = {organization.slug, organization.name} if organization else set()
        for mapped in (mapped_class(TABLES[name]) for name in _TOLD_OF):
            ids.update(session.scalars(select(mapped.id).where(mapped.organization_id == organization_id)))
    after: int | None = 0
    while after is not None:
        with writing_session(database, SERVICE_ID) as session:
            after = _forget_some(session, after, ids, names)
            session.commit()


def _forget_some(session: LockedSession, after: int, ids: Collection[int], names: Collection[str]) -> int | None:
    """Gives where to go on; None at the end."""
    rows = session.execute(
        select(AuditDetail, AuditEvent.object_id)
        .join(
            AuditEvent,
            (AuditEvent.organization_id == AuditDetail.organization_id) & (AuditEvent.position == AuditDetail.position),
        )
        .where(AuditDetail.position > after)
        .order_by(AuditDetail.position)
        .limit(_EVENTS_AT_ONCE)
    ).all()
    for detail, object_id in rows:
        if detail.words is not None and (object_id in ids or _names(detail.words, names)):
            detail.words, detail.salt = None, b""
    return rows[-1][0].position if len(rows) == _EVENTS_AT_ONCE else None


def _names(words: str, names: Collection[str]) -> bool:
    return any(value in names for value in json.loads(words).values() if isinstance(value, str))


def forget_person(session: LockedSession, user_account_id: int) -> None:
    """Of events about them, and about what helped them to be let in again: they hold the address."""
    removals = session.scalars(select(FactorRemoval.id).where(FactorRemoval.user_account_id == user_account_id))
    ids = [user_account_id, *removals]
    with session.beside(SERVICE_ID) as service:
        positions = service.scalars(select(AuditEvent.position).where(AuditEvent.object_id.in_(ids))).all()
        service.execute(
            update(AuditDetail)
            .where(AuditDetail.position.in_(positions))
            .values(words=None, salt=b"")
            .execution_options(synchronize_session=False)
        )
