"""Appends to the chain of the service itself (organization 0): what its own people and its operator do.

note_for_service(db(), "service.suspended", staff_id, organization.id, staff=..., organization=..., reason=...)

Called by the console's actions, last in their transaction: everybody then holds a customer's chain before this one.
"""

from webapp.audit.actions import Words, record
from webapp.database.engine import Database
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.sessions import writing_session

SERVICE_ID = 0  #: in the place of an organization's id


def note_for_service(
    where: LockedSession | Database,
    kind: str,
    actor_id: int | None,
    object_id: int | None = None,
    **words: str | int | bool | None,
) -> None:
    """Append an event. Into a session: in its transaction, whatever it is bound to. Into a database: committed here.

    `actor_id`: the user_account of staff, None for whoever has a shell. Raises ValueError for words that KINDS does not
    name.
    """
    if isinstance(where, LockedSession):
        with where.beside(SERVICE_ID) as session:
            _record(session, kind, actor_id, object_id, words)
        return
    with writing_session(where, SERVICE_ID) as session:
        _record(session, kind, actor_id, object_id, words)
        session.commit()


def _record(session: LockedSession, kind: str, actor_id: int | None, object_id: int | None, words: Words) -> None:
    record(session, kind, actor_id=actor_id, object_id=object_id, at=None, **words)
