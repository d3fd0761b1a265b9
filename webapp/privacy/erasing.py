"""Erases an organization for good: its rows table by table as the catalogue says, some at a time, its own row last.

Called by erasing_jobs.py and, on a restored backup, by erasures.py. May be killed at any moment and run again: what was
deleted is counted in the row of `erasure` in the same transaction, and what is left goes.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from webapp.audit.checkpoints import cover_chain
from webapp.clock import now, now_ms
from webapp.database.base import Base
from webapp.database.bulk import BulkTransaction, bulk_transaction
from webapp.database.engine import Database
from webapp.database.ids import new_id
from webapp.privacy.catalogue import list_erasable
from webapp.privacy.entries import How, Table
from webapp.privacy.forgetting import forget_organization
from webapp.privacy.models import Erasure, ErasureKind
from webapp.tenancy.lock import LockedSession

#: They go last, in one transaction with the organization's own row: until then its chain has its end, to be verified by
#: and appended to, and it is known whom to tell.
AT_THE_END = ("audit_head", "membership", "invitation", "organization")
#: Rows that are not counted, since the receipt may not tell of them: a disclosure whose order forbids that.
UNTOLD = {"disclosure": "told_at IS NULL", "disclosure_chunk": "position >= 0"}
_AT_ONCE, _LARGEST = 100, 4000
_LARGE_ROWS = {"stored_chunk": 4, "takeout_chunk": 4, "disclosure_chunk": 4, "spooled_delivery": 50}  # up to a MiB each
_HOLD_SECONDS = 0.03
_PAUSE_SECONDS = 0.01
_KIND = int(ErasureKind.ORGANIZATION)


@dataclass(frozen=True)
class Receipt:
    """What was deleted: rows by table, but UNTOLD. `digest` is of all that the service keeps of it."""

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


def find_erasure(session: LockedSession, kind: ErasureKind, subject_id: int) -> Erasure | None:
    """That it was erased, or is being erased."""
    return session.scalars(select(Erasure).filter_by(kind=kind, subject_id=subject_id)).first()


def note_erasure(
    session: LockedSession, kind: ErasureKind, subject_id: int, at: datetime | None = None, row_count: int = 0
) -> None:
    """Note it, once."""
    if find_erasure(session, kind, subject_id) is None:
        row = Erasure(
            id=new_id(), kind=kind, subject_id=subject_id, erased_at=at or now(), row_count=row_count, receipt="{}"
        )
        session.add(row)
        session.flush()


def begin_erasure(session: LockedSession, organization_id: int) -> None:
    """The bound organization is erased from now on, whoever dies. Each time that it is gone on with, too: something may
    have been recorded meanwhile, and without a checkpoint the database lets nothing of a chain go.
    """
    note_erasure(session, ErasureKind.ORGANIZATION, organization_id)
    cover_chain(session)


def erase_rows(database: Database, organization_id: int, keep_going: Callable[[], bool] = lambda: True) -> bool:
    """Delete everything but AT_THE_END, once begin_erasure() is committed. False: stopped by `keep_going`."""
    forget_organization(database, organization_id)
    for table in list_erasable():
        if table.name in AT_THE_END or table.erased.how is How.WITH_PERSON:
            continue  # people go by a rule of their own, once they belong nowhere
        for statement, is_counted in _statements(table):
            counted = table.name if is_counted else None
            if not _repeat(
                database, organization_id, statement, _LARGE_ROWS.get(table.name, _LARGEST), counted, keep_going
            ):
                return False
    return True


def _statements(table: Table) -> Iterator[tuple[str, bool]]:
    """What is done to some rows of it at a time, again and again, and whether these rows are counted."""
    name, own = table.name, table.names_its_own
    keys = ", ".join(column.name for column in Base.metadata.tables[name].primary_key.columns)
    condition = "organization_id = ?"
    if table.erased.how is How.WITH_ANNOUNCEMENT:
        condition = "announcement_id IN (SELECT id FROM announcement WHERE organization_id = ?)"

    def some(also: str = "") -> str:
        return f"WHERE ({keys}) IN (SELECT {keys} FROM {name} WHERE {condition}{also} LIMIT ?)"  # noqa: S608 - names of the schema

    if own:  # else a row would go before another that still names it
        yield f"UPDATE {name} SET {own} = NULL {some(f' AND {own} IS NOT NULL')}", False  # noqa: S608
    if name in UNTOLD:
        yield f"DELETE FROM {name} {some(f' AND {UNTOLD[name]}')}", False  # noqa: S608
    yield f"DELETE FROM {name} {some()}", True  # noqa: S608


def _repeat(
    database: Database,
    organization_id: int,
    statement: str,
    most: int,
    counted: str | None,
    keep_going: Callable[[], bool],
) -> bool:
    size = min(most, _AT_ONCE)
    while True:
        with bulk_transaction(database, organization_id) as transaction:
            touched = transaction.execute(statement, organization_id, size)
            if touched and counted:
                _count(transaction, counted, touched)
        if touched < size:
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
