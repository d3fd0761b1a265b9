"""Where the chain of an organization begins: its oldest events can be removed, once a checkpoint keeps the last hash.

Called by the nightly retention and by erasing (privacy/), by verify.py and by the chain as a file. The database lets
nothing be removed that no checkpoint covers.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import CursorResult, Delete, delete, func, select

from webapp.audit.actions import NOTHING_BEFORE, hold_head
from webapp.audit.models import AuditCheckpoint, AuditDetail, AuditEvent
from webapp.clock import now
from webapp.tenancy.lock import LockedSession


@dataclass(frozen=True)
class Head:
    """An end of a chain: so many events, and the hash of the last one."""

    position: int
    row_hash: bytes


def read_beginning(session: LockedSession) -> Head:
    """What the first event that is kept follows: the newest checkpoint, or nothing."""
    newest = session.execute(
        select(AuditCheckpoint.position, AuditCheckpoint.row_hash).order_by(AuditCheckpoint.position.desc()).limit(1)
    ).first()
    return Head(newest[0], bytes(newest[1])) if newest else Head(0, NOTHING_BEFORE)


def count_purgeable(session: LockedSession, edge: datetime | None) -> int:
    """How many events at the beginning of the chain are older than the edge."""
    return 0 if edge is None else _last_before(session, edge) - read_beginning(session).position


def set_checkpoint(session: LockedSession, edge: datetime) -> Head | None:
    """Let the events be removed that are older than the edge, from the beginning to the first that is not. None: there
    are no such.
    """
    last = _last_before(session, edge)
    if last <= read_beginning(session).position:
        return None
    row_hash = session.scalars(select(AuditEvent.row_hash).where(AuditEvent.position == last)).one()
    session.add(AuditCheckpoint(position=last, row_hash=row_hash, purged_at=now()))
    session.flush()
    return Head(last, bytes(row_hash))


def cover_chain(session: LockedSession) -> None:
    """Let every event be removed: the organization is erased."""
    head = hold_head(session)
    if head.position > read_beginning(session).position:
        session.add(AuditCheckpoint(position=head.position, row_hash=head.row_hash, purged_at=now()))
        session.flush()


def remove_covered(session: LockedSession, limit: int) -> int:
    """Remove some of the events that a checkpoint covers, with their words; returns how many. 0: none is left."""
    last = read_beginning(session).position
    first = session.scalar(select(func.min(AuditEvent.position)))
    if first is None or first > last:
        return 0
    until = min(last, first + limit - 1)
    _delete(session, delete(AuditDetail).where(AuditDetail.position <= until))
    return _delete(session, delete(AuditEvent).where(AuditEvent.position <= until))


def _delete(session: LockedSession, statement: Delete) -> int:
    result: Any = session.execute(statement.execution_options(synchronize_session=False))
    assert isinstance(result, CursorResult)
    return result.rowcount


def _last_before(session: LockedSession, edge: datetime) -> int:
    """The last event before the first that stays; the position of the beginning where that is the first of all."""
    begins = read_beginning(session).position
    stays = session.scalars(
        select(AuditEvent.position)
        .where(AuditEvent.position > begins, AuditEvent.at >= edge)
        .order_by(AuditEvent.position)
        .limit(1)
    ).first()
    if stays is not None:
        return stays - 1
    last = session.scalar(select(func.max(AuditEvent.position)))
    return max(begins, last or 0)
