"""A batch of records on its way into the database: gathered, prepared outside the transaction, stored inside it.

Used by importer.py for files and by deliveries.py for what phone systems bring by themselves: both count alike.
"""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from psycopg import errors as postgresql_errors

from webapp.database.bulk import BulkTransaction
from webapp.ingest.call_writer import CallWriter
from webapp.ingest.normalize import Normalizer, NormalRecord, clean_text
from webapp.ingest.records import BadLine, Item, NotACall, ParsedRecord
from webapp.ingest.writer import Group, RecordWriter, Stored

_KEPT_OF_REFUSED = 64 * 1024
_TRIES = 3

Answer = TypeVar("Answer")


@dataclass
class Batch:
    """Rows read and not yet stored."""

    by_key: dict[int, NormalRecord] = field(default_factory=dict)
    rejected: list[BadLine] = field(default_factory=list)
    read: int = 0
    skipped: int = 0
    old: int = 0  #: of those skipped: they start before what is kept
    duplicates: int = 0
    raw_bytes: int = 0
    header: bytes | None = None

    @property
    def records(self) -> list[NormalRecord]:
        return list(self.by_key.values())

    def skip(self, item: NotACall, *, first: bool) -> None:
        if first and len(item.raw) <= _KEPT_OF_REFUSED:
            self.header = item.raw
        self.skipped += 1
        self.read += 1

    def refuse(self, line_number: int, raw: bytes, reason: str) -> None:
        line = BadLine(line_number, raw[:_KEPT_OF_REFUSED], clean_text(reason))
        self.rejected.append(line)
        self.raw_bytes += len(line.raw)
        self.read += 1

    def take(self, record: NormalRecord) -> bool:
        """False when the record's key is taken by another row: what is stored decides then, in the next batch."""
        known = self.by_key.setdefault(record[0], record)  # its record_key, and its raw row: a million times
        if known is record:
            self.raw_bytes += len(record[-1])
        elif known.content_hash == record.content_hash and known.id_hash == record.id_hash:
            self.duplicates += 1
        else:
            return False
        self.read += 1
        return True

    def _pass_over(self) -> None:
        """A row that is older than what is kept: counted, and nothing of it is stored, not even as a refused line."""
        self.old += 1
        self.skipped += 1
        self.read += 1

    def keep_from(self, keeps_from_ms: int | None) -> None:
        """Pass over what is older than this, where retention has moved on since the rows were read."""
        late = [key for key, record in self.by_key.items() if record.started_at < (keeps_from_ms or record.started_at)]
        for key in late:
            del self.by_key[key]
            self.read -= 1
            self._pass_over()

    def put(self, item: Item, normalizer: Normalizer, keeps_from_ms: int | None, *, first: bool = False) -> bool:
        """Take an item of a reader in. False, and nothing done, where it must wait for the next batch.

        `first`: of its file, so that what is no call may be its header. The normalizer remembers the order of times.
        """
        if isinstance(item, ParsedRecord):
            record = normalizer.normalize(item)
            if keeps_from_ms is None or record.started_at >= keeps_from_ms:
                return self.take(record)
            self._pass_over()
        elif isinstance(item, BadLine):
            self.refuse(item.line_number, item.raw, item.reason)
        else:
            self.skip(item, first=first)
        return True


def store_batch(
    transaction: BulkTransaction, writer: RecordWriter, import_file_id: int, batch: Batch, groups: list[Group]
) -> Stored:
    """Write the records and the refused rows of a batch, and count them. `groups`: as writer.prepare() made them."""
    stored = writer.write(transaction, groups) if groups else Stored()
    organization_id = transaction.organization_id
    transaction.insert(
        "rejected_line",
        ("organization_id", "import_file_id", "line_number", "reason", "raw"),
        [(organization_id, import_file_id, line.line_number, line.reason, line.raw) for line in batch.rejected],
        "ON CONFLICT DO NOTHING",
    )
    transaction.execute(
        "UPDATE import_file SET read_count = read_count + ?, stored_count = stored_count + ?,"
        " duplicate_count = duplicate_count + ?, skipped_count = skipped_count + ?, old_count = old_count + ?,"
        " refused_count = refused_count + ?, call_count = call_count + ?, header = coalesce(header, ?)"
        " WHERE organization_id = ? AND id = ?",
        batch.read,
        stored.stored,
        stored.duplicates + batch.duplicates,
        batch.skipped,
        batch.old,
        len(batch.rejected),
        stored.calls,
        batch.header,
        organization_id,
        import_file_id,
    )
    return stored


def read_keeps_from(transaction: BulkTransaction) -> int | None:
    """Where retention stands, under the lock: rows that start before it are passed over."""
    [(keeps_from_ms,)] = transaction.rows(
        "SELECT keeps_from FROM organization WHERE id = ?", transaction.organization_id
    )
    return None if keeps_from_ms is None else int(keeps_from_ms)


def try_again(calls: CallWriter, store: Callable[[], Answer]) -> Answer:
    """Store, and once more where a party that is remembered was removed by an undo, or made by somebody else, since."""
    for tries_left in reversed(range(_TRIES)):
        try:
            return store()
        except (sqlite3.IntegrityError, postgresql_errors.ForeignKeyViolation, postgresql_errors.UniqueViolation):
            calls.parties.forget()
            if not tries_left:
                raise
    raise AssertionError
