"""Appends to the audit, in the transaction of what it records. Called by every action and view that is recorded.

    record(session, "invitation.made", actor_id=person.id, object_id=invitation.id, email=invitation.email)

The chain holds ids and digests; the words stand beside it and can be erased without breaking it.
"""

import hashlib
import json
import secrets
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import select

from webapp.audit.kinds import KINDS
from webapp.audit.models import AuditDetail, AuditEvent, AuditHead
from webapp.clock import now, to_ms
from webapp.tenancy.lock import LockedSession

THE_SERVICE = 0  #: in the place of an organization: the chain of the service itself
NOTHING_BEFORE = bytes(32)  #: previous_hash of the first event
Words = dict[str, str | int | bool | None]


def record(
    session: LockedSession,
    kind: str,
    *,
    actor_id: int | None,
    object_id: int | None = None,
    at: datetime | None = None,
    **words: str | int | bool | None,
) -> AuditEvent:
    """Append an event to the chain of the bound organization. Raises ValueError for words that KINDS does not name.

    `at`: when it was, where a worker records it later; the chain has the order in which it was told.
    """
    [event] = record_many(session, kind, [(object_id, words)], actor_id=actor_id, at=at)
    return event


def record_many(
    session: LockedSession,
    kind: str,
    told: Iterable[tuple[int | None, Words]],
    *,
    actor_id: int | None,
    at: datetime | None = None,
) -> list[AuditEvent]:
    """The same for many objects at once, each with its words: a few statements for all of them."""
    events: list[AuditEvent] = []
    details: list[AuditDetail] = []
    told = list(told)
    if not told:
        return events
    assert session.organization_id is not None
    head, moment = hold_head(session), at or now()
    for object_id, words in told:
        if set(words) != set(KINDS[kind].words):
            raise ValueError(f"{kind} is told by {sorted(KINDS[kind].words)}, not by {sorted(words)}")
        salt, text = secrets.token_bytes(16), spell_words(words)
        event = AuditEvent(
            position=head.position + 1,
            kind=kind,
            at=moment,
            actor_id=actor_id,
            object_id=object_id,
            words_digest=digest_words(salt, text),
            previous_hash=head.row_hash,
            row_hash=b"",
        )
        event.row_hash = hash_event(session.organization_id, event)
        head.position, head.row_hash = event.position, event.row_hash
        events.append(event)
        details.append(AuditDetail(position=event.position, salt=salt, words=text))
    session.add_all(events)
    session.flush()
    session.add_all(details)
    session.flush()
    return events


def hold_head(session: LockedSession) -> AuditHead:
    """The end of the chain, held until the transaction ends. begin_chain() has made it with the organization."""
    return session.scalars(select(AuditHead).with_for_update().execution_options(populate_existing=True)).one()


def begin_chain(session: LockedSession) -> None:
    """Make the empty chain of the bound organization. Called once, when it is made."""
    session.add(AuditHead(position=0, row_hash=NOTHING_BEFORE))
    session.flush()


def spell_words(words: Words) -> str:
    return json.dumps(words, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def digest_words(salt: bytes, text: str) -> bytes:
    return hashlib.sha256(salt + text.encode()).digest()


def hash_event(organization_id: int, event: AuditEvent) -> bytes:
    """SHA-256 over every column but the hash itself, each with its length, so that no two rows read alike."""
    parts = (
        organization_id,
        event.position,
        event.kind,
        to_ms(event.at),
        "" if event.actor_id is None else event.actor_id,
        "" if event.object_id is None else event.object_id,
        bytes(event.words_digest).hex(),
        bytes(event.previous_hash).hex(),
    )
    digest = hashlib.sha256()
    for part in parts:
        text = str(part).encode()
        digest.update(len(text).to_bytes(4, "big") + text)
    return digest.digest()
