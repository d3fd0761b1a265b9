"""Erases an organization for good: its rows table by table as the catalogue says, some at a time, its own row last.

Called by erasing_jobs.py and, on a restored backup, by erasures.py. May be killed at any moment and run again: what was
deleted is counted in the row of `erasure` in the same transaction, and what is left goes.
"""

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from webapp.clock import now_ms
from webapp.database.base import Base
from webapp.database.bulk import BulkTransaction, bulk_transaction
from webapp.database.engine import Database
from webapp.database.ids import new_id
from webapp.privacy.catalogue import list_erasable
from webapp.privacy.entries import How
from webapp.privacy.models import ErasureKind

#: They go last, in one transaction with the organization's own row: until then it is known whom to tell.
AT_THE_END = ("membership", "invitation", "organization")
_AT_ONCE, _LARGEST = 100, 4000
_LARGE_ROWS = {"stored_chunk": 4, "takeout_chunk": 4, "disclosure_chunk": 4, "spooled_delivery": 50}  # up to a MiB each
_HOLD_SECONDS = 0.03
_PAUSE_SECONDS = 0.01
_KIND = int(ErasureKind.ORGANIZATION)


@dataclass(frozen=True)
class Receipt:
    """What was deleted: rows by table. `digest` is of all that the service keeps of it."""

    organization_id: int
    erased_at_ms: int
    rows: Mapping[str, int]

    @property
    def total(self) -> int:
        return sum(self.rows.values())

    @property
    def digest(self) -> str:
        words = {
            "kind": _KIND,
            "subject_id": self.organization_id,
            "erased_at_ms": self.erased_at_ms,
            "rows": self.rows,
        }
        return hashlib.sha256(json.dumps(words, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def begin_erasure(database: Database, organization_id: int) -> None:
    """Note that it is erased from now on. Once begun, it is gone on with whoever dies."""
    with bulk_transaction(database, organization_id) as transaction:
        transaction.execute(
            "INSERT INTO erasure (id, kind, subject_id, erased_at, row_count, receipt) VALUES (?, ?, ?, ?, 0, ?)"
            " ON CONFLICT DO NOTHING",
            new_id(),
            _KIND,
            organization_id,
            transaction.instant(now_ms()),
            "{}",
        )


def erase_rows(database: Database, organization_id: int, keep_going: Callable[[], bool] = lambda: True) -> bool:
    """Delete everything but AT_THE_END. False: stopped before that by `keep_going`."""
    _cover_audit(database, organization_id)
    for table in list_erasable():
        if table.name in AT_THE_END or table.erased.how is How.WITH_PERSON:
            continue  # people go by a rule of their own, once they belong nowhere
        condition = "organization_id = ?"
        if table.erased.how is How.WITH_ANNOUNCEMENT:
            condition = "announcement_id IN (SELECT id FROM announcement WHERE organization_id = ?)"
        if not _erase_table(database, organization_id, table.name, condition, keep_going):
            return False
    return True


def _erase_table(
    database: Database, organization_id: int, name: str, condition: str, keep_going: Callable[[], bool]
) -> bool:
    keys = ", ".join(column.name for column in Base.metadata.tables[name].primary_key.columns)
    chosen = f"SELECT {keys} FROM {name} WHERE {condition} LIMIT ?"  # noqa: S608 - names of the schema
    delete = f"DELETE FROM {name} WHERE ({keys}) IN ({chosen})"  # noqa: S608
    most = _LARGE_ROWS.get(name, _LARGEST)
    size = min(most, _AT_ONCE)
    while True:
        with bulk_transaction(database, organization_id) as transaction:
            removed = transaction.execute(delete, organization_id, size)
            if removed:
                _count(transaction, name, removed)
        if removed < size:
            return True
        if not keep_going():
            return False
        size = max(1, min(most, int(size * min(2.0, _HOLD_SECONDS / max(transaction.held_seconds, 0.001)))))
        time.sleep(_PAUSE_SECONDS)


def _count(transaction: BulkTransaction, name: str, removed: int) -> None:
    rows = read_counts(transaction)
    rows[name] = rows.get(name, 0) + removed
    write_counts(transaction, rows)


def read_counts(transaction: BulkTransaction) -> dict[str, int]:
    """Rows deleted so far, by table."""
    [(receipt,)] = transaction.rows(
        "SELECT receipt FROM erasure WHERE kind = ? AND subject_id = ?", _KIND, transaction.organization_id
    )
    counts: dict[str, int] = json.loads(receipt)
    return counts


def write_counts(transaction: BulkTransaction, rows: Mapping[str, int]) -> None:
    transaction.execute(
        "UPDATE erasure SET receipt = ?, row_count = ?, erased_at = ? WHERE kind = ? AND subject_id = ?",
        json.dumps(rows, sort_keys=True),
        sum(rows.values()),
        transaction.instant(now_ms()),
        _KIND,
        transaction.organization_id,
    )


def _cover_audit(database: Database, organization_id: int) -> None:
    """A checkpoint over the whole chain: without one the database lets nothing of it go."""
    with bulk_transaction(database, organization_id) as transaction:
        transaction.execute(
            "INSERT INTO audit_checkpoint (organization_id, position, row_hash, purged_at)"
            " SELECT organization_id, position, row_hash, ? FROM audit_head WHERE organization_id = ? AND position > 0"
            " AND NOT EXISTS (SELECT 1 FROM audit_checkpoint AS its WHERE its.organization_id = ?"
            " AND its.position >= audit_head.position)",
            transaction.instant(now_ms()),
            organization_id,
            organization_id,
        )
