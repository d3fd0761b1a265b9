"""Counts that are kept in memory and written down once a minute, in one statement: no request pays for being counted.

Used by rate_limits.py (networks that were turned away) and staff/ (use of features, refused pushes). What a process
has not written when it is killed is lost: these are figures, and nobody's record.
"""

import threading
import time
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from sqlalchemy import BigInteger, Connection, bindparam, column, select, table, text

from webapp.clock import now, now_ms
from webapp.database.engine import Database
from webapp.database.types import Instant

EVERY_SECONDS = 60.0
_KEYS_AT_MOST = 10_000  #: of one process and minute: more networks at once tell no more
_DAY_MS = 24 * 60 * 60 * 1000

_ORGANIZATION = table("organization", column("id", BigInteger)).c.id

Key = tuple[int | str, ...]


@dataclass(frozen=True)
class Tally:
    """A table that sums `number` for each key. `has_last`: it has `last_at`, when that was. Names come from code."""

    table: str
    key: tuple[str, ...]
    number: str
    has_last: bool = False

    @property
    def upsert(self) -> str:
        names = (*self.key, self.number, *(("last_at",) if self.has_last else ()))
        also = ", last_at = excluded.last_at" if self.has_last else ""
        into = f"INSERT INTO {self.table} ({', '.join(names)}) VALUES ({', '.join(f':{name}' for name in names)})"  # noqa: S608
        sums = f"SET {self.number} = {self.table}.{self.number} + excluded.{self.number}{also}"
        return f"{into} ON CONFLICT ({', '.join(self.key)}) DO UPDATE {sums}"


@dataclass
class _Waiting:
    """What is counted and not written, of one database."""

    counts: dict[tuple[Tally, Key], int] = field(default_factory=dict)
    since: float = field(default_factory=time.monotonic)
    lock: threading.Lock = field(default_factory=threading.Lock)


_waiting: WeakKeyDictionary[Database, _Waiting] = WeakKeyDictionary()
_making = threading.Lock()


def today() -> int:
    """Days since 1970, UTC."""
    return now_ms() // _DAY_MS


def add(database: Database, tally: Tally, *key: int | str, times: int = 1) -> None:
    """Count it, in memory."""
    with _making:
        waiting = _waiting.setdefault(database, _Waiting())
    with waiting.lock:
        known = waiting.counts.get((tally, key))
        if known is not None or len(waiting.counts) < _KEYS_AT_MOST:
            waiting.counts[tally, key] = (known or 0) + times


def is_due(database: Database) -> bool:
    """Whether something waits for a minute. Costs nothing."""
    waiting = _waiting.get(database)
    return waiting is not None and bool(waiting.counts) and time.monotonic() - waiting.since >= EVERY_SECONDS


def write_down(database: Database) -> None:
    """Write what waits, whoever asks first; in a short transaction of its own, and no other may be open."""
    waiting = _waiting.get(database)
    if waiting is None:
        return
    with waiting.lock:
        counts, waiting.counts, waiting.since = waiting.counts, {}, time.monotonic()
    if not counts:
        return
    by_tally: dict[Tally, list[tuple[Key, int]]] = {}
    for (tally, key), count in counts.items():
        by_tally.setdefault(tally, []).append((key, count))
    with database.writing.begin() as connection:
        _leave_out_erased(connection, by_tally)
        for tally, rows in sorted(by_tally.items(), key=lambda item: item[0].table):
            last_at = {"last_at": now()} if tally.has_last else {}
            statement = text(tally.upsert)
            if tally.has_last:
                statement = statement.bindparams(bindparam("last_at", type_=Instant))
            if "organization_id" in tally.key:
                statement = statement.bindparams(bindparam("organization_id", type_=BigInteger))
            # In order: two processes that write the same keys wait for each other, and never both at once.
            values = [
                {**dict(zip(tally.key, key, strict=True)), tally.number: count, **last_at}
                for key, count in sorted(rows)
            ]
            if values:
                connection.execute(statement, values)


def _leave_out_erased(connection: Connection, by_tally: dict[Tally, list[tuple[Key, int]]]) -> None:
    """Of an organization that was erased since it was counted nothing is written; one that is there stays meanwhile."""
    places = {tally: tally.key.index("organization_id") for tally in by_tally if "organization_id" in tally.key}
    ids = {key[place] for tally, place in places.items() for key, _count in by_tally[tally]}
    held = select(_ORGANIZATION).where(_ORGANIZATION.in_(ids)).with_for_update(read=True, key_share=True)
    there = set(connection.scalars(held)) if ids else set()
    for tally, place in places.items():
        by_tally[tally] = [(key, count) for key, count in by_tally[tally] if key[place] in there]
