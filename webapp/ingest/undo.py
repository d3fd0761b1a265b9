"""Takes an import back: only what it alone brought. What another kept file also holds stays, or comes back from it.

Called by the job `sources.undo`. Works in short transactions; when it is interrupted, running it again finishes it.
"""

from collections.abc import Callable
from typing import NamedTuple

from sqlalchemy import func, select

from webapp.calls.models import ImportFile, ImportState, Pbx
from webapp.clock import now_ms
from webapp.database.bulk import BulkTransaction, bulk_transaction
from webapp.database.engine import Database
from webapp.ingest.call_writer import CallWriter, unpack_ids
from webapp.ingest.import_plan import ENDED
from webapp.ingest.importer import refill
from webapp.ingest.normalize import Normalizer
from webapp.ingest.numbers import NumberPlan
from webapp.ingest.regroup import regroup
from webapp.ingest.reparse import FileForm, RawRow, reparse
from webapp.ingest.settings import PbxSettings
from webapp.ingest.stored_records import write_facts
from webapp.jobs.stored_files import delete_stored_file
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.sessions import reading_session

_CHUNK = 150  # records a transaction: each may rebuild a call
_SCANNED = 5000  # records looked at to find them
_REFUSED_AT_ONCE = 2000


class Loss(NamedTuple):
    """What an undo would take, for the page that asks before it."""

    records: int
    shared_files: int  #: other kept files that held rows of it: those rows come back from them
    lost_files: int  #: other files that held rows of it and are no longer kept: those rows go


def loss_of(session: LockedSession, import_file: ImportFile) -> Loss:
    others = session.execute(
        select(func.count(ImportFile.id), func.count(ImportFile.stored_file_id)).where(
            ImportFile.pbx_id == import_file.pbx_id,
            ImportFile.id != import_file.id,
            ImportFile.duplicate_count > 0,
            ImportFile.state.in_(ENDED),
        )
    ).one()
    return Loss(import_file.stored_count, others[1], others[0] - others[1])


class _Undo:
    def __init__(self, database: Database, number_key: bytes, organization_id: int, import_file_id: int) -> None:
        self.database = database
        self.organization_id = organization_id
        self.import_file_id = import_file_id
        with reading_session(database, organization_id) as session:
            row = session.get_one(ImportFile, (organization_id, import_file_id))
            self.state = row.state
            self.pbx_id = row.pbx_id
            self.stored_file_id = row.stored_file_id
            settings = PbxSettings.of(session.get_one(Pbx, (organization_id, row.pbx_id)))
        self.plan = NumberPlan(settings)
        self._settings, self._number_key = settings, number_key
        self.calls = CallWriter()

    def normalizer(self, time_zone: str) -> Normalizer:
        return Normalizer(self._settings.with_zone(time_zone), self._number_key, self.plan)


def undo_import(
    database: Database,
    number_key: bytes,
    organization_id: int,
    import_file_id: int,
    keep_going: Callable[[], bool] = lambda: True,
) -> None:
    """Undo an import in state UNDOING, to state UNDONE. Stops between two transactions when `keep_going` says so."""
    undo = _Undo(database, number_key, organization_id, import_file_id)
    if undo.state != ImportState.UNDOING:
        return
    cursor: int | None = -1
    while cursor is not None:
        with bulk_transaction(database, organization_id) as transaction:
            cursor = _take_back(undo, transaction, cursor)
        if not keep_going():
            return
    _forget_refused(undo)
    for other in _files_that_shared(undo):
        if not refill(database, number_key, organization_id, other, keep_going):
            return
    _finish(undo)


def _take_back(undo: _Undo, transaction: BulkTransaction, cursor: int) -> int | None:
    """Take back some records of the import behind `cursor`; gives the next cursor, None at the end."""
    scanned = transaction.rows(
        "SELECT record_key, import_file_id FROM call_record WHERE organization_id = ? AND record_key > ?"
        " ORDER BY record_key LIMIT ?",
        undo.organization_id,
        cursor,
        _SCANNED,
    )
    mine = [key for key, import_file_id in scanned if import_file_id == undo.import_file_id]
    keys = mine[:_CHUNK]
    rows = transaction.rows_in(
        "SELECT record_key, call_key, version, link_keys FROM call_record"
        " WHERE organization_id = ? AND record_key IN ({keys})",
        keys,
        undo.organization_id,
    )
    removed_links: dict[int, set[int]] = {}
    for record_key, call_key, version, link_keys in rows:
        removed_links.setdefault(call_key, set()).update(unpack_ids(link_keys))
        if version == 1 or not _restore(undo, transaction, record_key):
            transaction.execute(
                "DELETE FROM call_record WHERE organization_id = ? AND record_key = ?", undo.organization_id, record_key
            )
    regroup(transaction, undo.calls, undo.plan, sorted(removed_links), removed_links)
    if len(mine) > len(keys):
        return int(keys[-1])
    return int(scanned[-1][0]) if len(scanned) == _SCANNED else None


def _restore(undo: _Undo, transaction: BulkTransaction, record_key: int) -> bool:
    """Give a record back what it said before this import brought a newer version. False when nothing else had it."""
    organization_id = undo.organization_id
    earlier = transaction.rows(
        "SELECT old.version, old.import_file_id, old.line_number, old.content_hash, old.raw, import_file.format,"
        " import_file.column_map, import_file.header, import_file.time_zone, record.id_hash, record.link_keys"
        " FROM call_record_version AS old"
        " JOIN call_record AS record ON record.organization_id = old.organization_id"
        " AND record.record_key = old.record_key"
        " JOIN import_file ON import_file.organization_id = old.organization_id AND import_file.id = old.import_file_id"
        " WHERE old.organization_id = ? AND old.record_key = ? AND old.import_file_id <> ?"
        " ORDER BY old.version DESC LIMIT 1",
        organization_id,
        record_key,
        undo.import_file_id,
    )
    if not earlier:
        return False
    version, import_file_id, line_number, content_hash, raw, reader, columns, header, zone, id_hash, link_keys = (
        earlier[0]
    )
    row = RawRow(record_key, id_hash, content_hash, unpack_ids(link_keys), line_number, bytes(raw))
    form = FileForm(reader or "", columns, header and bytes(header), zone)
    records = reparse([row], form, undo.normalizer(zone), keep_links=False)
    write_facts(transaction, records)
    transaction.execute(
        "UPDATE call_record SET version = ?, import_file_id = ?, line_number = ?, content_hash = ?, raw = ?"
        " WHERE organization_id = ? AND record_key = ?",
        version,
        import_file_id,
        line_number,
        content_hash,
        raw,
        organization_id,
        record_key,
    )
    transaction.execute(
        "DELETE FROM call_record_version WHERE organization_id = ? AND record_key = ? AND version >= ?",
        organization_id,
        record_key,
        version,
    )
    return True


def _forget_refused(undo: _Undo) -> None:
    """Remove the refused lines and the older versions that this import brought, some at a time."""
    for table, order in (("rejected_line", "line_number"), ("call_record_version", "record_key")):
        touched = _REFUSED_AT_ONCE
        while touched == _REFUSED_AT_ONCE:
            with bulk_transaction(undo.database, undo.organization_id) as transaction:
                keys = transaction.rows(
                    f"SELECT {order} FROM {table} WHERE organization_id = ? AND import_file_id = ?"  # noqa: S608 - names from above
                    f" ORDER BY {order} LIMIT ?",
                    undo.organization_id,
                    undo.import_file_id,
                    _REFUSED_AT_ONCE,
                )
                transaction.execute_many(
                    f"DELETE FROM {table} WHERE organization_id = ? AND import_file_id = ? AND {order} = ?",  # noqa: S608
                    [(undo.organization_id, undo.import_file_id, key) for (key,) in keys],
                )
                touched = len(keys)


def _finish(undo: _Undo) -> None:
    with bulk_transaction(undo.database, undo.organization_id) as transaction:
        transaction.execute(
            "UPDATE import_file SET state = ?, ended_at = ?, stored_file_id = NULL"
            " WHERE organization_id = ? AND id = ?",
            int(ImportState.UNDONE),
            transaction.instant(now_ms()),
            undo.organization_id,
            undo.import_file_id,
        )
    if undo.stored_file_id is not None:
        delete_stored_file(undo.database, undo.organization_id, undo.stored_file_id)


def _files_that_shared(undo: _Undo) -> list[int]:
    with reading_session(undo.database, undo.organization_id) as session:
        return list(
            session.scalars(
                select(ImportFile.id)
                .where(
                    ImportFile.pbx_id == undo.pbx_id,
                    ImportFile.id != undo.import_file_id,
                    ImportFile.duplicate_count > 0,
                    ImportFile.stored_file_id.is_not(None),
                    ImportFile.state.in_(ENDED),
                )
                .order_by(ImportFile.id)
            )
        )
