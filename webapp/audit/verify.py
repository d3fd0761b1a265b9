"""Recomputes the chains of the audit and names the first row of each that is not as it was written.

Called by `flask verify-audit` and by policies/chains.py. A whole chain proves that nothing was changed in it; that
nothing was cut off its end together with its head, only a head that was kept elsewhere proves (check_kept). What was
purged ends in a checkpoint, and the chain begins there; an event behind it says so, else the checkpoint was put in.
"""

from collections.abc import Collection
from dataclasses import dataclass, field

from sqlalchemy import func, or_, select

from webapp.audit.actions import THE_SERVICE, digest_words, hash_event, spell_words
from webapp.audit.checkpoints import Head, read_beginning
from webapp.audit.models import AuditDetail, AuditEvent, AuditHead
from webapp.clock import now
from webapp.database.engine import Database
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.models import Organization, OrganizationState
from webapp.tenancy.sessions import reading_session

_ROWS_AT_ONCE = 2000


@dataclass(frozen=True)
class Wrong:
    """The first thing that is wrong in a chain."""

    position: int
    what: str


@dataclass
class Verified:
    """What came of a chain. `head`: where its right rows end; `at_kept`: their hashes where a head was kept; `begins`:
    the position up to which it was purged.
    """

    head: Head
    begins: int = 0
    wrong: Wrong | None = None
    at_kept: dict[int, bytes] = field(default_factory=dict)


def verify_chain(database: Database, organization_id: int, kept_positions: Collection[int] = ()) -> Verified:
    """Read one chain from its beginning, some rows at a time. What is appended meanwhile is left to the next time, and
    what is purged meanwhile is passed over.
    """
    with reading_session(database, organization_id) as session:
        found = Verified(read_beginning(session))
        stored, last = _read_end(session, found.head)
        _begin(session, found, found.head, kept_positions)
    while found.wrong is None and found.head.position < last:
        with reading_session(database, organization_id) as session:
            begins = read_beginning(session)
            if begins.position > found.head.position:
                _begin(session, found, begins, kept_positions)
            rows = read_chain_rows(session, found.head.position, last)
        if not rows:
            break
        for event, detail in rows:
            found.wrong = found.wrong or _wrong_of(organization_id, found.head, event, detail)
            if found.wrong is not None:
                break
            found.head = Head(event.position, bytes(event.row_hash))
            if event.position in kept_positions:
                found.at_kept[event.position] = found.head.row_hash
    if found.wrong is None and found.begins <= last:
        found.wrong = _wrong_end(found.head, stored)
    return found


def verify_rows(database: Database, organization_id: int, since: Head, at_most: int) -> Verified:
    """Go on after a head that was found right, for so many rows; what is purged is passed over.

    The end is compared once it is reached. `head` of what is returned is where to go on.
    """
    found, left = Verified(since), at_most
    stored, last = None, since.position + 1
    while found.head.position < last and left > 0:
        with reading_session(database, organization_id) as session:
            begins = read_beginning(session)
            stored, last = _read_end(session, begins)
            if begins.position > found.head.position:
                _begin(session, found, begins, ())
            rows = read_chain_rows(session, found.head.position, min(last, found.head.position + left))
        for event, detail in rows:
            found.wrong = found.wrong or _wrong_of(organization_id, found.head, event, detail)
            if found.wrong is not None:
                return found
            found.head = Head(event.position, bytes(event.row_hash))
        left -= len(rows)
        if not rows and found.head.position < last:
            found.wrong = Wrong(found.head.position + 1, "it is missing")
            return found
    if found.begins <= last <= found.head.position:
        found.wrong = found.wrong or _wrong_end(found.head, stored)
    return found


def _begin(session: LockedSession, found: Verified, begins: Head, kept_positions: Collection[int]) -> None:
    found.head, found.begins, found.wrong = begins, begins.position, _wrong_beginning(session, begins)
    if begins.position in kept_positions:
        found.at_kept[begins.position] = begins.row_hash


def check_kept(found: Verified, kept: Head) -> Wrong | None:
    """Compare a chain with a head of it that was printed earlier; its position was given to verify_chain()."""
    if kept.position == 0 or found.at_kept.get(kept.position) == kept.row_hash or kept.position < found.begins:
        return None
    if kept.position in found.at_kept:
        return Wrong(kept.position, "it is another row than when the head was kept: the chain was written anew")
    return Wrong(kept.position, f"it was there when the head was kept; the chain ends at {found.head.position}")


def _read_end(session: LockedSession, begins: Head) -> tuple[Head | None, int]:
    """The stored head and the last position, of one moment; of an organization that was erased, where it begins."""
    last = select(func.coalesce(func.max(AuditEvent.position), begins.position)).scalar_subquery()
    row = session.execute(select(AuditHead.position, AuditHead.row_hash, last)).first()
    if row is None and _is_erased(session):
        return begins, begins.position
    if row is None:
        return None, session.scalar(select(func.coalesce(func.max(AuditEvent.position), begins.position))) or 0
    return Head(row[0], bytes(row[1])), row[2]


def _wrong_beginning(session: LockedSession, begins: Head) -> Wrong | None:
    """Whoever removes the beginning of a chain writes so behind it. One that goes as a whole is in nobody's way."""
    if begins.position == 0:
        return None
    if session.organization_id == THE_SERVICE:
        return Wrong(begins.position, "what stands before it was cut off: of this chain nothing is ever removed")
    organization = session.get(Organization, session.organization_id)
    is_closed = organization is not None and organization.state == OrganizationState.CLOSED
    if organization is None or (is_closed and organization.is_to_be_erased(now())):
        return None
    words = spell_words({"position": begins.position, "hash": begins.row_hash.hex()})
    told = (
        select(AuditEvent.position)
        .join(
            AuditDetail,
            (AuditDetail.organization_id == AuditEvent.organization_id) & (AuditDetail.position == AuditEvent.position),
        )
        .where(AuditEvent.position > begins.position, AuditEvent.kind == "retention.audit_removed")
        .where(or_(AuditDetail.words == words, AuditDetail.words.is_(None) & (AuditEvent.object_id == begins.position)))
        .order_by(AuditEvent.position.desc())
        .limit(1)
    )
    if session.scalars(told).first() is None:
        return Wrong(begins.position, "what stands before it was cut off: no event says that it was removed")
    return None


def _is_erased(session: LockedSession) -> bool:
    """Its head goes with its own row, in one transaction: a head that is gone alone was taken."""
    return session.organization_id != THE_SERVICE and session.get(Organization, session.organization_id) is None


def read_chain_rows(session: LockedSession, after: int, last: int) -> list[tuple[AuditEvent, AuditDetail | None]]:
    """The next events of the session's chain with their words, up to 2,000; no words where they were erased."""
    rows = session.execute(
        select(AuditEvent, AuditDetail)
        .outerjoin(
            AuditDetail,
            (AuditDetail.organization_id == AuditEvent.organization_id) & (AuditDetail.position == AuditEvent.position),
        )
        .where(AuditEvent.position > after, AuditEvent.position <= last)
        .order_by(AuditEvent.position)
        .limit(_ROWS_AT_ONCE)
    )
    return [(event, detail) for event, detail in rows]


def _wrong_of(organization_id: int, before: Head, event: AuditEvent, detail: AuditDetail | None) -> Wrong | None:
    position = before.position + 1
    if event.position != position:
        return Wrong(position, f"it is missing: {event.position} comes after {before.position}")
    is_next = bytes(event.previous_hash) == before.row_hash
    if hash_event(organization_id, event) != bytes(event.row_hash):
        return Wrong(position, "its row was changed" if is_next else "another row stands in its place (reordered)")
    if not is_next:
        return Wrong(position, "it does not follow the row before it (reordered, or put in)")
    if detail is None:
        return Wrong(position, "the row of its words is gone")
    if detail.words is not None and digest_words(bytes(detail.salt), detail.words) != bytes(event.words_digest):
        return Wrong(position, "its words were changed")
    return None


def _wrong_end(end: Head, stored: Head | None) -> Wrong | None:
    if stored is None:
        return Wrong(end.position, "the chain has no head any more")
    if end.position < stored.position:
        return Wrong(
            end.position + 1, f"it is missing: the chain is shorter than its head, which stands at {stored.position}"
        )
    if end.position > stored.position:
        return Wrong(stored.position + 1, "the chain is longer than its head says")
    if end.row_hash != stored.row_hash:
        return Wrong(end.position, "the head was changed: it has another hash than the last row")
    return None
