"""Verifies the chains of the audit in steps, so that an hour's check is bounded however much was recorded.

What was recorded since the last look is always looked at first; beside it a whole pass goes on, chain after chain from
its beginning, and begins anew every day. A chain that is found broken is looked at each time until it is whole again.
Kept in the process: after a start everything is looked at once more. Called by the check of `audit-whole`.
"""

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from weakref import WeakKeyDictionary

from webapp.audit.actions import NOTHING_BEFORE, THE_SERVICE
from webapp.audit.verify import Head, verify_rows
from webapp.database.engine import Database

ROWS_AT_ONCE = 100_000  #: of a check, of all chains together: some seconds
PASS_EVERY = timedelta(days=1)
START = Head(0, NOTHING_BEFORE)


@dataclass
class Watch:
    """How far this process has verified the chains of a database. `rows`: verified by it in the pass that is done."""

    ends: dict[int, Head] = field(default_factory=dict)
    broken: set[int] = field(default_factory=set)
    waiting: deque[tuple[int, Head]] = field(default_factory=deque)
    began_at: datetime | None = None
    passed_at: datetime | None = None


_watches: WeakKeyDictionary[Database, Watch] = WeakKeyDictionary()


def watch_of(database: Database) -> Watch:
    return _watches.setdefault(database, Watch())


def look(database: Database, organization_ids: list[int], moment: datetime, at_most: int = ROWS_AT_ONCE) -> Watch:
    """One check's share of the work."""
    watch = watch_of(database)
    there = [THE_SERVICE, *organization_ids]
    watch.broken &= set(there)
    left = at_most
    for organization_id in sorted(watch.broken):
        left -= _verify(database, watch, organization_id, START, left)[0]
    for organization_id in there:
        if organization_id in watch.ends and organization_id not in watch.broken:
            left -= _verify(database, watch, organization_id, watch.ends[organization_id], left)[0]
    if not watch.waiting and (watch.began_at is None or moment - watch.began_at >= PASS_EVERY):
        watch.began_at = moment
        watch.waiting.extend((organization_id, START) for organization_id in there)
    while watch.waiting and left > 0:
        organization_id, since = watch.waiting.popleft()
        if organization_id not in there:
            continue
        count, head, is_done = _verify(database, watch, organization_id, since, left)
        left -= max(count, 1)
        if not is_done:
            watch.waiting.appendleft((organization_id, head))
        elif not watch.waiting:
            watch.passed_at = moment
    return watch


def _verify(database: Database, watch: Watch, organization_id: int, since: Head, left: int) -> tuple[int, Head, bool]:
    """How many rows were read, where to go on, and whether that is the end (or the place where it is broken)."""
    if left <= 0:
        return 0, since, False
    found = verify_rows(database, organization_id, since, left)
    count = max(0, found.head.position - since.position)
    if found.wrong is not None:
        watch.broken.add(organization_id)
        return count, found.head, True
    is_done = count < left
    if is_done and since == START:
        watch.broken.discard(organization_id)
    watch.ends[organization_id] = max(
        watch.ends.get(organization_id, START), found.head, key=lambda head: head.position
    )
    return count, found.head, is_done
