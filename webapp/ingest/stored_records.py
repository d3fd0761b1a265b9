"""Reads and changes call records that are stored already.

Used by writer.py, regroup.py and undo.py inside their transactions.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from webapp.database.bulk import BulkTransaction
from webapp.ingest.call_writer import pack_ids, unpack_ids
from webapp.ingest.normalize import NormalRecord

#: Columns of call_record in the order in which writer.py makes its rows: from record_key on that of NormalRecord.
RECORD_COLUMNS = (
    "organization_id", "pbx_id", "import_file_id", "version", "call_key", "record_key", "id_hash", "content_hash",
    "link_keys", "line_number", "started_at", "answered_at", "ended_at", "duration", "billsec", "kind", "result",
    "direction", "flags", "hangup_cause", "disposition", "caller", "caller_name", "dialed", "reached", "did", "leg_id",
    "peer_leg_id", "line", "peer_line", "context", "application", "queue_name", "account_code", "raw",
)  # fmt: skip
#: The part of them that makes a NormalRecord: started_at to account_code.
FACT_COLUMNS = RECORD_COLUMNS[10:34]
_SELECT_FACTS = (
    "SELECT call_key, record_key, id_hash, content_hash, link_keys, line_number, "  # noqa: S608 - names from above
    + ", ".join(FACT_COLUMNS)
    + " FROM call_record WHERE organization_id = ? AND call_key IN ({keys})"
)


class StoredRecord(NamedTuple):
    """What must be known of a stored record to tell whether a row is new."""

    record_key: int
    id_hash: int
    content_hash: int
    call_key: int
    import_file_id: int
    version: int


def stored_by_key(transaction: BulkTransaction, keys: Sequence[int]) -> dict[int, StoredRecord]:
    # Keys begin with the minute and most files are in order: behind the last stored one nothing need be asked.
    [(last,)] = transaction.rows(
        "SELECT max(record_key) FROM call_record WHERE organization_id = ?", transaction.organization_id
    )
    rows = transaction.rows_in(
        "SELECT record_key, id_hash, content_hash, call_key, import_file_id, version FROM call_record"
        " WHERE organization_id = ? AND record_key IN ({keys})",
        [] if last is None else [key for key in keys if key <= last],
        transaction.organization_id,
    )
    return {row[0]: StoredRecord(*row) for row in rows}


def records_of_calls(transaction: BulkTransaction, call_keys: Sequence[int]) -> dict[int, list[NormalRecord]]:
    """The records of some calls, by call, without their raw rows."""
    found: dict[int, list[NormalRecord]] = {}
    for call_key, record_key, id_hash, content_hash, link_keys, line_number, *facts in transaction.rows_in(
        _SELECT_FACTS, call_keys, transaction.organization_id
    ):
        record = NormalRecord._make(
            (record_key, id_hash, content_hash, unpack_ids(link_keys), line_number, *facts, b"")
        )
        found.setdefault(call_key, []).append(record)
    return found


def replace_record(transaction: BulkTransaction, record: NormalRecord, hit: StoredRecord, import_file_id: int) -> None:
    """Make a row that came again with other content the record's newest version, and keep what it said before."""
    organization_id = transaction.organization_id
    transaction.execute(
        "INSERT INTO call_record_version"
        " (organization_id, record_key, version, import_file_id, line_number, content_hash, raw)"
        " SELECT organization_id, record_key, version, import_file_id, line_number, content_hash, raw FROM call_record"
        " WHERE organization_id = ? AND record_key = ?",
        organization_id,
        record.record_key,
    )
    _drop_old_links(transaction, record, hit)
    write_facts(transaction, [record])
    transaction.insert(
        "call_link",
        ("organization_id", "link_key", "call_key"),
        [(organization_id, key, hit.call_key) for key in sorted(set(record.link_keys))],
        "ON CONFLICT DO NOTHING",
    )
    transaction.execute(
        "UPDATE call_record SET version = ?, import_file_id = ?, line_number = ?, content_hash = ?, raw = ?"
        " WHERE organization_id = ? AND record_key = ?",
        hit.version + 1,
        import_file_id,
        record.line_number,
        record.content_hash,
        record.raw,
        organization_id,
        record.record_key,
    )


def _drop_old_links(transaction: BulkTransaction, record: NormalRecord, hit: StoredRecord) -> None:
    """Links that only the older version of the record named; left there, they would lead to a call that may go."""
    links = {
        key: set(unpack_ids(packed))
        for key, packed in transaction.rows(
            "SELECT record_key, link_keys FROM call_record WHERE organization_id = ? AND call_key = ?",
            transaction.organization_id,
            hit.call_key,
        )
    }
    gone = links.pop(record.record_key) - set(record.link_keys)
    gone = gone.difference(*links.values()) if gone else gone
    transaction.execute_many(
        "DELETE FROM call_link WHERE organization_id = ? AND link_key = ? AND call_key = ?",
        [(transaction.organization_id, key, hit.call_key) for key in sorted(gone)],
    )


def write_facts(transaction: BulkTransaction, records: Iterable[NormalRecord]) -> None:
    """Overwrite the normalised columns of records, with the link keys; keys, call and raw row stay."""
    changes = ", ".join(f"{column} = ?" for column in FACT_COLUMNS)
    rows = []
    for record in records:
        instants = [transaction.instant(ms) for ms in (record.started_at, record.answered_at, record.ended_at)]
        rows.append(
            (*instants, *record[8:29], pack_ids(record.link_keys), transaction.organization_id, record.record_key)
        )
    transaction.execute_many(
        f"UPDATE call_record SET {changes}, link_keys = ? WHERE organization_id = ? AND record_key = ?",  # noqa: S608
        rows,
    )


def move_links(transaction: BulkTransaction, dissolved: int, survivor: int, records: Iterable[NormalRecord]) -> None:
    """Hand the records and links of a call that proved to be part of another over to it."""
    organization_id = transaction.organization_id
    transaction.execute(
        "UPDATE call_record SET call_key = ? WHERE organization_id = ? AND call_key = ?",
        survivor,
        organization_id,
        dissolved,
    )
    keys = sorted({key for record in records for key in record.link_keys})
    transaction.execute_many(
        "DELETE FROM call_link WHERE organization_id = ? AND link_key = ? AND call_key = ?",
        [(organization_id, key, dissolved) for key in keys],
    )
    transaction.insert(
        "call_link",
        ("organization_id", "link_key", "call_key"),
        [(organization_id, key, survivor) for key in keys],
        "ON CONFLICT DO NOTHING",
    )
