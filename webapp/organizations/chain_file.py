"""The chain of an organization's audit as a file, from the first event kept to the last, with all its hashes are of.

A line of JSON an event, and one before them of what was purged, if anything was. static/check_audit.py, which owners
download beside it, recomputes the hashes. Called by who_looked_views.py and by takeouts.
"""

import json
from collections.abc import Iterator

from webapp.audit.checkpoints import Head, read_beginning
from webapp.audit.groups import Group, group_of
from webapp.audit.models import AuditDetail, AuditEvent
from webapp.audit.verify import read_chain_rows
from webapp.clock import to_ms
from webapp.database.engine import Database
from webapp.errors import Forbidden
from webapp.organizations.who_looked import check_owner, read_head
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.models import Numbers
from webapp.tenancy.sessions import reading_session


def chain_pieces(database: Database, organization_id: int, reader_id: int | None, *, masked: bool) -> Iterator[bytes]:
    """The file as far as the chain goes when it is begun. Raises Forbidden where the reader may no longer.

    `reader_id` None: the service itself writes it, into a takeout that asks its own reader.
    `masked`: numbers are hidden from the reader, so the words of searches are left out, as if they were erased.
    """
    after, last = 0, None
    with reading_session(database, organization_id) as session:
        begins = read_beginning(session)
    if begins.position:
        after = begins.position
        yield _spell_beginning(organization_id, begins).encode()
    while last is None or after < last:
        with reading_session(database, organization_id) as session:
            if reader_id is not None:
                _check(session, reader_id, masked)
            last = read_head(session).position if last is None else last
            rows = read_chain_rows(session, after, last)
        if not rows:
            return
        yield "".join(_spell(event, detail, masked) for event, detail in rows).encode()
        after = rows[-1][0].position


def _check(session: LockedSession, reader_id: int, masked: bool) -> None:
    owner = check_owner(session, reader_id)
    if not owner.may_export or (owner.numbers != Numbers.FULL) > masked:
        raise Forbidden


def _spell_beginning(organization_id: int, begins: Head) -> str:
    row = {"organization_id": organization_id, "purged_to": begins.position, "row_hash": begins.row_hash.hex()}
    return json.dumps(row) + "\n"


def _spell(event: AuditEvent, detail: AuditDetail | None, masked: bool) -> str:
    hidden = masked and group_of(event.kind) is Group.SEARCHES
    words = None if detail is None or hidden else detail.words
    row = {
        "organization_id": event.organization_id,
        "position": event.position,
        "kind": event.kind,
        "at": f"{event.at:%Y-%m-%dT%H:%M:%SZ}",
        "at_ms": to_ms(event.at),
        "actor_id": event.actor_id,
        "object_id": event.object_id,
        "words": words,
        "salt": None if detail is None or words is None else bytes(detail.salt).hex(),
        "words_digest": bytes(event.words_digest).hex(),
        "previous_hash": bytes(event.previous_hash).hex(),
        "row_hash": bytes(event.row_hash).hex(),
    }
    return json.dumps(row, ensure_ascii=False) + "\n"
