"""Files of contacts: received, stored or thrown away. The work is done by contact_jobs.py, a batch at a time."""

import json

from sqlalchemy import select

from webapp.audit.actions import record
from webapp.clock import now
from webapp.database.ids import new_id
from webapp.destinations.contact_import import Tally
from webapp.destinations.contact_models import ContactImport, ContactState
from webapp.destinations.contact_rows import BadContact
from webapp.errors import NotFound, Refused
from webapp.jobs.queue import enqueue
from webapp.tenancy.lock import LockedSession

LOOK, STORE = "destinations.look_at_contacts", "destinations.store_contacts"
_LISTED = 10
_LONGEST_FILE_NAME = 200


def receive_contacts(session: LockedSession, stored_file_id: int, file_name: str, *, actor_id: int) -> ContactImport:
    """Note a file that was handed in, and have it looked at."""
    received = ContactImport(
        id=new_id(),
        stored_file_id=stored_file_id,
        file_name=file_name[:_LONGEST_FILE_NAME] or "contacts.csv",
        state=ContactState.LOOKING,
        user_account_id=actor_id,
        created_at=now(),
        **_NOTHING_COUNTED,
    )
    session.add(received)
    session.flush()
    enqueue(session, LOOK, {"contact_import_id": received.id}, session.organization_id)
    return received


_NOTHING_COUNTED: dict[str, int | str | None] = {
    **dict.fromkeys(("line_count", "added_count", "changed_count", "same_count", "refused_count", "bytes_read"), 0),
    "refused": "[]",
    "error": None,
}


def begin_storing(session: LockedSession, received: ContactImport, *, actor_id: int) -> None:
    """After somebody's yes. Raises Refused for one that does not wait for it, or was stopped on its way."""
    if received.state not in (ContactState.WAITING, ContactState.FAILED) or received.stored_file_id is None:
        raise Refused("This file does not wait to be stored any more.")
    if received.state == ContactState.WAITING:  # the counts are of what would change
        for name, value in _NOTHING_COUNTED.items():
            setattr(received, name, value)
    received.state, received.user_account_id, received.error = ContactState.STORING, actor_id, None
    enqueue(session, STORE, {"contact_import_id": received.id}, session.organization_id)


def throw_away(received: ContactImport) -> int | None:
    """Let go of a file that was not stored; gives the id of the stored file, which the caller deletes."""
    if received.state not in (ContactState.WAITING, ContactState.FAILED):
        raise Refused("This file is being worked on, or was stored already.")
    stored_file_id, received.stored_file_id = received.stored_file_id, None
    received.state = ContactState.THROWN_AWAY
    return stored_file_id


def end_storing(session: LockedSession, received: ContactImport) -> int | None:
    """All lines are through: it is told in the audit. Gives the id of the stored file, which the caller deletes."""
    stored_file_id, received.stored_file_id = received.stored_file_id, None
    received.state = ContactState.STORED
    record(
        session,
        "destination.imported",
        actor_id=received.user_account_id,
        object_id=received.id,
        file=received.file_name,
        added=received.added_count,
        changed=received.changed_count,
        refused=received.refused_count,
    )
    return stored_file_id


def note_tally(received: ContactImport, tally: Tally, bytes_read: int) -> None:
    """How far a pass over the file has come."""
    received.line_count, received.added_count, received.changed_count = tally.lines, tally.added, tally.changed
    received.same_count, received.refused_count, received.bytes_read = tally.same, tally.refused, bytes_read
    received.refused = json.dumps([[each.line, each.reason] for each in tally.bad], ensure_ascii=False)


def read_tally(received: ContactImport) -> Tally:
    """What note_tally() noted."""
    return Tally(
        received.added_count,
        received.changed_count,
        received.same_count,
        received.refused_count,
        [BadContact(*line) for line in json.loads(received.refused)],
    )


def get_contact_import(session: LockedSession, contact_import_id: int) -> ContactImport:
    """Raises NotFound."""
    found = session.get(ContactImport, (session.organization_id, contact_import_id), populate_existing=True)
    if found is None:
        raise NotFound
    return found


def list_contact_imports(session: LockedSession) -> list[ContactImport]:
    """The last few, the newest first."""
    return list(session.scalars(select(ContactImport).order_by(ContactImport.id.desc()).limit(_LISTED)))
