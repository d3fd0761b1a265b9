"""Notes what people look at, in short sessions of its own: the pages themselves only read. Called by views.

A page that somebody reads on and on is in the audit once a quarter of an hour: after the first time note_view() costs
nothing in this process, and one read in another. A page calls it before it sends what it shows, so that nothing is
seen that could not be noted.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from weakref import WeakKeyDictionary

from sqlalchemy import bindparam, delete, select

from webapp.audit.actions import THE_SERVICE, hold_head, record
from webapp.audit.kinds import KINDS
from webapp.audit.models import AuditViewing
from webapp.clock import now_ms, to_ms
from webapp.database.engine import Database
from webapp.tenancy.lock import kept
from webapp.tenancy.models import Organization
from webapp.tenancy.request import current_opening
from webapp.tenancy.sessions import reading_session, writing_session

SLOT = timedelta(minutes=15)
_SLOT_MS = int(SLOT.total_seconds() * 1000)
_SLOTS_KEPT = timedelta(days=1) // SLOT
_NOTED = kept(
    select(AuditViewing.slot).where(
        AuditViewing.user_account_id == bindparam("user_account_id"),
        AuditViewing.kind == bindparam("kind"),
        AuditViewing.object_id == bindparam("object_id"),
        AuditViewing.slot == bindparam("slot"),
    )
)
Word = str | int | bool | None
_REMEMBERED_AT_MOST = 10_000  #: views of one database; then the rows are asked again
#: What is committed, and the audit is never taken back: nobody needs to ask for it again.
_remembered: WeakKeyDictionary[Database, set[tuple[object, ...]]] = WeakKeyDictionary()


def note_view(
    database: Database,
    organization_id: int,
    user_account_id: int,
    kind: str,
    object_id: int | None = None,
    *,
    at: datetime | None = None,
    **words: Word,
) -> None:
    """Record that a person looked, unless that is recorded for this quarter of an hour already.

    `at`: when it was, if not just now. Of staff each request is recorded before its view runs:
    organizations/looks.py.
    """
    if current_opening() is not None:
        return
    key = {
        "user_account_id": user_account_id,
        "kind": kind,
        "object_id": (object_id or 0) if KINDS[kind].each else 0,
        "slot": (now_ms() if at is None else to_ms(at)) // _SLOT_MS,
    }
    remembered = _remembered.setdefault(database, set())
    view = (organization_id, *key.values())
    if view in remembered:
        return
    with reading_session(database, organization_id) as session:
        noted = session.scalar(_NOTED, key) is not None
    if not noted:
        with writing_session(database, organization_id) as session:
            hold_head(session)  # from here nobody else notes the same
            if session.scalar(_NOTED, key) is None:
                session.add(AuditViewing(**key))
                record(session, kind, actor_id=user_account_id, object_id=object_id, at=at, **words)
                session.commit()
    if len(remembered) >= _REMEMBERED_AT_MOST:
        remembered.clear()
    remembered.add(view)


def note(
    database: Database,
    organization_id: int,
    user_account_id: int,
    kind: str,
    object_id: int | None = None,
    **words: Word,
) -> None:
    """Record each time: what leaves the service as a file, and what changes nothing here, as signing in."""
    with writing_session(database, organization_id) as session:
        record(session, kind, actor_id=user_account_id, object_id=object_id, at=None, **words)
        session.commit()


def sweep_viewing(database: Database) -> None:
    """Forget what was noted in slots that are long over. An hourly chore."""
    before = now_ms() // _SLOT_MS - _SLOTS_KEPT
    with reading_session(database) as session:
        organizations: Iterable[int] = session.scalars(select(Organization.id)).all()
    for organization_id in (THE_SERVICE, *organizations):
        with writing_session(database, organization_id) as session:
            session.execute(delete(AuditViewing).where(AuditViewing.slot < before))
            session.commit()
