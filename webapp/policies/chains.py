"""Verifies the chains of the audit in steps, so that an hour's check is bounded however much was recorded.

What was recorded since the last look is always looked at first. Beside it a pass over everything goes on, chain after
chain from its beginning, and begins anew when it is through: at each look, as long as all of it fits into one, and
within a day or so where it does not. A chain that is found broken is looked at each time until it is whole again.
Kept in the process: after a start everything is looked at once more. Called by the check of `audit-whole`.
"""

from collections import deque
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from webapp.audit.actions import NOTHING_BEFORE, THE_SERVICE
from webapp.audit.checkpoints import Head
from webapp.audit.verify import verify_rows
from webapp.database.engine import Database

ROWS_AT_LEAST = 100_000  #: of a look, of all chains together: some seconds
LOOKS_OF_A_PASS = 20  #: at most, where more was recorded: so many hours
START = Head(0, NOTHING_BEFORE)


@dataclass
class Watch:
    """How far this process has verified the chains of a database."""

    ends: dict[int, Head] = field(default_factory=dict)
    broken: set[int] = field(default_factory=set)
    waiting: deque[tuple[int, Head]] = field(default_factory=deque)
    passes: int = 0  #: over everything
    left: int = 0  #: rows that this look may still read


_watches: WeakKeyDictionary[Database, Watch] = WeakKeyDictionary()


def look(database: Database, organization_ids: list[int], at_least: int | None = None) -> Watch:
    """One check's share of the work."""
    watch = _watches.setdefault(database, Watch())
    there = [THE_SERVICE, *organization_ids]
    known = set(there)
    watch.broken &= known
    watch.ends = {organization_id: end for organization_id, end in watch.ends.items() if organization_id in known}
    watch.left = max(at_least or ROWS_AT_LEAST, sum(end.position for end in watch.ends.values()) // LOOKS_OF_A_PASS)
    for organization_id in sorted(watch.broken):
        _verify(database, watch, organization_id, START)
    for organization_id, end in list(watch.ends.items()):
        if organization_id not in watch.broken:
            _verify(database, watch, organization_id, end)
    if not watch.waiting:
        watch.waiting.extend((organization_id, START) for organization_id in there)
    while watch.waiting and watch.left > 0:
        organization_id, since = watch.waiting.popleft()
        head = _verify(database, watch, organization_id, since) if organization_id in known else None
        if head is not None:
            watch.waiting.appendleft((organization_id, head))
        elif not watch.waiting:
            watch.passes += 1
    return watch


def _verify(database: Database, watch: Watch, organization_id: int, since: Head) -> Head | None:
    """Go on after `since`. Gives where to go on the next time; None: the end was reached, or a break was found."""
    if watch.left <= 0:
        return since
    found = verify_rows(database, organization_id, since, watch.left)
    count = max(0, found.head.position - since.position)
    is_through = count < watch.left
    watch.left -= count
    if found.wrong is not None:
        watch.broken.add(organization_id)
        return None
    if is_through and since == START:
        watch.broken.discard(organization_id)
    end = watch.ends.get(organization_id, START)
    watch.ends[organization_id] = found.head if found.head.position >= end.position else end
    return None if is_through else found.head
