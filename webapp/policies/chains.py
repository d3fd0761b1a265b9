"""Verifies the chains of the audit in steps, so that an hour's check is bounded however much was recorded.

What was recorded since the last look is always looked at first: a chain whose head has not moved costs one short read.
Beside it a pass over everything goes on, chain after chain, and begins anew when it is through: at each look, as long
as all of it fits into one, and within a day or so where it does not. Kept in the process is how far it has come; what
was found is kept with the promise, so that several processes agree: it counts until a pass that began after it was
seen last has come to its end. Called by the check of `audit-whole`.
"""

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from weakref import WeakKeyDictionary

from sqlalchemy import select

from webapp.audit.actions import NOTHING_BEFORE, THE_SERVICE
from webapp.audit.checkpoints import Head
from webapp.audit.models import AuditHead
from webapp.audit.verify import verify_rows
from webapp.database.engine import Database
from webapp.tenancy.lock import kept
from webapp.tenancy.sessions import reading_session

ROWS_AT_LEAST = 100_000  #: of a look, of all chains together: some seconds
ROWS_OF_A_CHAIN = 50  #: what beginning with a chain costs, as rows
LOOKS_OF_A_PASS = 20  #: at most, where more was recorded: so many hours
START = Head(0, NOTHING_BEFORE)
_HEAD = kept(select(AuditHead.position, AuditHead.row_hash))


@dataclass
class Watch:
    """How far this process has verified the chains of a database."""

    ends: dict[int, Head] = field(default_factory=dict)
    waiting: deque[tuple[int, Head]] = field(default_factory=deque)
    began_at: datetime | None = None  #: the pass that goes on
    whole_since: datetime | None = None  #: when the last pass began that has come to its end
    broken: set[int] = field(default_factory=set)  #: seen at this look
    left: int = 0  #: rows that this look may still read


_watches: WeakKeyDictionary[Database, Watch] = WeakKeyDictionary()


def look(database: Database, organization_ids: list[int], moment: datetime, at_least: int | None = None) -> Watch:
    """One check's share of the work. `moment`: when it began."""
    watch = _watches.setdefault(database, Watch())
    there = [THE_SERVICE, *organization_ids]
    known = set(there)
    watch.broken = set()
    watch.ends = {organization_id: end for organization_id, end in watch.ends.items() if organization_id in known}
    everything = sum(end.position + ROWS_OF_A_CHAIN for end in watch.ends.values())
    watch.left = max(at_least or ROWS_AT_LEAST, everything // LOOKS_OF_A_PASS)
    for organization_id, end in list(watch.ends.items()):
        if _has_moved(database, organization_id, end):
            _verify(database, watch, organization_id, end)
    if not watch.waiting:
        watch.waiting.extend((organization_id, START) for organization_id in there)
        watch.began_at = moment
    while watch.waiting and watch.left > 0:
        organization_id, since = watch.waiting[0]
        head = _verify(database, watch, organization_id, since) if organization_id in known else None
        if head is not None:
            watch.waiting[0] = (organization_id, head)
            continue
        watch.waiting.popleft()
        if not watch.waiting:
            watch.whole_since = watch.began_at
    return watch


def _has_moved(database: Database, organization_id: int, end: Head) -> bool:
    with reading_session(database, organization_id) as session:
        rows = session.rows(_HEAD)
    return [Head(position, bytes(row_hash)) for position, row_hash in rows] != [end]


def _verify(database: Database, watch: Watch, organization_id: int, since: Head) -> Head | None:
    """Go on after `since`. Gives where to go on the next time; None: the end was reached, or a break was found."""
    if watch.left <= 0:
        return since
    found = verify_rows(database, organization_id, since, watch.left)
    count = max(0, found.head.position - since.position)
    is_through = count < watch.left
    watch.left -= max(count, ROWS_OF_A_CHAIN)
    end = watch.ends.get(organization_id, START)
    watch.ends[organization_id] = found.head if found.head.position >= end.position else end
    if found.wrong is not None:
        watch.broken.add(organization_id)
    return None if is_through or found.wrong is not None else found.head
