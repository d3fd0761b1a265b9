"""Removes the calls that are older than what an organization keeps, with their records and all that was made of them.

Called by privacy/retention_jobs.py, in short transactions with pauses between them. A call goes as a whole, once each
of its records that came is old: one that began before midnight and went on after it stays another day. So no call that
stays loses a record. What comes late is taken by its own start alone: a record of a purged call that starts after the
edge makes a call of its own, half of the old one; one that starts before it, of a call that stays, is too old.
"""

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from webapp.calls.models import ImportState
from webapp.clock import to_ms
from webapp.database.bulk import BulkTransaction, bulk_transaction
from webapp.database.engine import Database
from webapp.ingest.call_writer import CallWriter, StoredCall, unpack_ids
from webapp.tenancy.models import Organization
from webapp.tenancy.sessions import reading_session

_FIRST_BATCH, _LARGEST_BATCH = 20, 400
_HOLD_SECONDS = 0.02  #: of the write lock, aimed at
_PAUSES = 1.0  #: as long again as a batch took: the others have half of the time
_LEAST_PAUSE = 0.005
_LINES_AT_ONCE = 500
_UNDOING = int(ImportState.UNDOING)
_LONG_AGO_MS = -2_000_000_000_000  #: 1906

_OLD_CALLS = (
    "SELECT call_key, started_at, pbx_id, direction, outcome, ring_seconds, wait_seconds, talk_seconds, price,"
    " record_count, party_ids FROM call WHERE organization_id = ? AND started_at >= ? AND started_at < ?"
    " AND (ended_at < ? OR NOT EXISTS (SELECT 1 FROM call_record AS its WHERE its.organization_id = ?"
    " AND its.call_key = call.call_key AND its.started_at >= ?)) ORDER BY started_at, call_key LIMIT ?"
)
_OLD_LINES = (
    "SELECT line.import_file_id, line.line_number FROM import_file AS file"
    " JOIN rejected_line AS line ON line.organization_id = ? AND line.import_file_id = file.id"
    " WHERE file.organization_id = ? AND file.created_at < ? AND file.state <> ? LIMIT ?"
)


class Purged(NamedTuple):
    """What a batch removed."""

    calls: int
    records: int
    parties: int


def move_watermark(database: Database, organization_id: int, keeps_from_ms: int | None) -> None:
    """From now on rows that start before it are passed over: first of all, so that nothing purged comes back."""
    with bulk_transaction(database, organization_id) as transaction:
        transaction.execute(
            "UPDATE organization SET keeps_from = ? WHERE id = ?", transaction.instant(keeps_from_ms), organization_id
        )


def purge_calls(
    database: Database, organization_id: int, run_id: int, keep_going: Callable[[], bool] = lambda: True
) -> bool:
    """Remove what is older than the watermark. The retention_run counts each batch in its transaction. False: stopped
    before the end by `keep_going`; what is left goes the next time.
    """
    with reading_session(database) as session:
        keeps_from = session.get_one(Organization, organization_id).keeps_from
    if keeps_from is None:
        return True
    calls, size, since_ms, until_ms = CallWriter(), _FIRST_BATCH, _LONG_AGO_MS, to_ms(keeps_from)
    while True:
        with bulk_transaction(database, organization_id) as transaction:
            old = _list_old(transaction, since_ms, until_ms, size)
            if old:
                _count(transaction, run_id, _remove(transaction, calls, old))
        if len(old) < size:
            return True
        since_ms = old[-1].started_at
        size = max(_FIRST_BATCH, min(_LARGEST_BATCH, int(size * min(2.0, _HOLD_SECONDS / transaction.held_seconds))))
        if not keep_going():
            return False
        time.sleep(max(_LEAST_PAUSE, _PAUSES * transaction.held_seconds))


def _list_old(transaction: BulkTransaction, since_ms: int, until_ms: int, limit: int) -> list[StoredCall]:
    organization_id, until = transaction.organization_id, transaction.instant(until_ms)
    since = transaction.instant(since_ms)
    rows = transaction.rows(_OLD_CALLS, organization_id, since, until, until, organization_id, until, limit)
    return [StoredCall(*row) for row in rows]


def _remove(transaction: BulkTransaction, calls: CallWriter, old: Sequence[StoredCall]) -> Purged:
    organization_id, call_keys = transaction.organization_id, [call.call_key for call in old]
    records = transaction.rows_in(
        "SELECT record_key, call_key, link_keys FROM call_record WHERE organization_id = ? AND call_key IN ({keys})",
        call_keys,
        organization_id,
    )
    links = {(key, call_key) for _record, call_key, link_keys in records for key in unpack_ids(link_keys)}
    transaction.execute_many(
        "DELETE FROM call_link WHERE organization_id = ? AND link_key = ? AND call_key = ?",
        [(organization_id, *link) for link in sorted(links)],
    )
    for table in ("call_record_version", "call_record"):
        transaction.execute_many(
            f"DELETE FROM {table} WHERE organization_id = ? AND record_key = ?",  # noqa: S608 - names from above
            [(organization_id, record_key) for record_key, _call_key, _links in records],
        )
    parties = calls.replace(transaction, old, ())
    return Purged(len(old), len(records), parties)


def _count(transaction: BulkTransaction, run_id: int, purged: Purged) -> None:
    transaction.execute(
        "UPDATE retention_run SET calls = calls + ?, records = records + ?, parties = parties + ?"
        " WHERE organization_id = ? AND id = ?",
        *purged,
        transaction.organization_id,
        run_id,
    )


def purge_refused_lines(
    database: Database, organization_id: int, until_ms: int, keep_going: Callable[[], bool] = lambda: True
) -> bool:
    """Remove the lines that could not be read of files that came before this: when they were of, nobody knows."""
    while True:
        with bulk_transaction(database, organization_id) as transaction:
            lines = transaction.rows(
                _OLD_LINES, organization_id, organization_id, transaction.instant(until_ms), _UNDOING, _LINES_AT_ONCE
            )
            transaction.execute_many(
                "DELETE FROM rejected_line WHERE organization_id = ? AND import_file_id = ? AND line_number = ?",
                [(organization_id, *line) for line in lines],
            )
        if len(lines) < _LINES_AT_ONCE:
            return True
        if not keep_going():
            return False
        time.sleep(max(_LEAST_PAUSE, _PAUSES * transaction.held_seconds))
