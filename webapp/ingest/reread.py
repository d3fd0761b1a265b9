"""Reads a phone system's records again from their raw rows, after its settings changed; keys and names stay.

`read_again` is called by the job `sources.read_again`; `compare` by the page that shows 20 calls before and after.
"""

from collections.abc import Callable
from typing import NamedTuple

from sqlalchemy import select

from webapp.calls.models import Call, CallRecord, ImportFile, Pbx
from webapp.clock import to_ms
from webapp.database.bulk import BulkTransaction, bulk_transaction
from webapp.database.engine import Database
from webapp.ingest.assembly import assemble
from webapp.ingest.call_writer import CallWriter, unpack_ids
from webapp.ingest.normalize import Normalizer
from webapp.ingest.numbers import NumberPlan
from webapp.ingest.preview import PreviewCall, preview_call
from webapp.ingest.regroup import regroup
from webapp.ingest.reparse import FileForm, RawRow, reparse
from webapp.ingest.settings import PbxSettings
from webapp.ingest.stored_records import write_facts
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.sessions import reading_session

_CHUNK = 200
_SCANNED = 5000  # records looked at to find them, for a phone system that has few among many
_SELECT_ROWS = (
    "SELECT record_key, id_hash, content_hash, link_keys, line_number, raw, started_at, call_key, import_file_id"
    " FROM call_record WHERE organization_id = ? AND record_key IN ({keys})"
)


class Change(NamedTuple):
    """One call as it is stored, and as the new settings would have it."""

    before: PreviewCall
    after: PreviewCall


def read_again(
    database: Database,
    number_key: bytes,
    organization_id: int,
    pbx_id: int,
    keep_going: Callable[[], bool] = lambda: True,
) -> None:
    """Read every record of a phone system again with the settings it has now. May be interrupted and run again."""
    with reading_session(database, organization_id) as session:
        settings = PbxSettings.of(session.get_one(Pbx, (organization_id, pbx_id)))
        forms = {
            row.id: FileForm(row.format or "", row.column_map, row.header, row.time_zone)
            for row in session.scalars(select(ImportFile).where(ImportFile.pbx_id == pbx_id))
        }
    plan = NumberPlan(settings)
    # One for each zone of the files: each remembers the order of times of its own.
    normalizers = {
        form.time_zone: Normalizer(settings.with_zone(form.time_zone), number_key, plan) for form in forms.values()
    }
    calls = CallWriter()
    cursor: int | None = -1
    while cursor is not None:
        with bulk_transaction(database, organization_id) as transaction:
            cursor = _read_chunk(transaction, calls, plan, normalizers, forms, pbx_id, cursor)
        if not keep_going():
            return


def _read_chunk(
    transaction: BulkTransaction,
    calls: CallWriter,
    plan: NumberPlan,
    normalizers: dict[str, Normalizer],
    forms: dict[int, FileForm],
    pbx_id: int,
    cursor: int,
) -> int | None:
    scanned = transaction.rows(
        "SELECT record_key, pbx_id FROM call_record WHERE organization_id = ? AND record_key > ?"
        " ORDER BY record_key LIMIT ?",
        transaction.organization_id,
        cursor,
        _SCANNED,
    )
    mine = [key for key, of_pbx in scanned if of_pbx == pbx_id]
    keys = mine[:_CHUNK]
    rows = sorted(transaction.rows_in(_SELECT_ROWS, keys, transaction.organization_id))
    by_import: dict[int, list[RawRow]] = {}
    for record_key, id_hash, content_hash, link_keys, line_number, raw, started_at, _call_key, import_file_id in rows:
        row = RawRow(record_key, id_hash, content_hash, unpack_ids(link_keys), line_number, bytes(raw), started_at)
        by_import.setdefault(import_file_id, []).append(row)
    for import_file_id, raw_rows in by_import.items():
        form = forms.get(import_file_id)
        if form is not None:
            write_facts(transaction, reparse(raw_rows, form, normalizers[form.time_zone]))
    regroup(transaction, calls, plan, sorted({row[7] for row in rows}), {})
    if len(mine) > len(keys):
        return int(keys[-1])
    return int(scanned[-1][0]) if len(scanned) == _SCANNED else None


def compare(session: LockedSession, number_key: bytes, settings: PbxSettings, most: int = 20) -> list[Change]:
    """The newest calls of a phone system as stored and as `settings` would have them, without writing anything."""
    keys = session.scalars(
        select(Call.call_key)
        .where(Call.pbx_id == settings.pbx_id)
        .order_by(Call.started_at.desc(), Call.call_key.desc())
        .limit(most)
    ).all()
    records = session.scalars(
        select(CallRecord).where(CallRecord.call_key.in_(keys)).order_by(CallRecord.record_key)
    ).all()
    forms = {
        row.id: FileForm(row.format or "", row.column_map, row.header, row.time_zone)
        for row in session.scalars(
            select(ImportFile).where(ImportFile.id.in_({record.import_file_id for record in records}))
        )
    }
    pbx = session.get_one(Pbx, (session.organization_id, settings.pbx_id))
    changes = []
    for call_key in keys:
        own = [record for record in records if record.call_key == call_key]
        zone = forms[own[0].import_file_id].time_zone
        before = _assembled(own, forms, PbxSettings.of(pbx, zone), number_key)
        # A file whose zone was chosen for itself keeps it when that of the phone system changes.
        after = _assembled(own, forms, settings if zone == pbx.time_zone else settings.with_zone(zone), number_key)
        if before and after:
            changes.append(Change(before, after))
    return changes


def _assembled(
    records: list[CallRecord], forms: dict[int, FileForm], settings: PbxSettings, number_key: bytes
) -> PreviewCall | None:
    plan = NumberPlan(settings)
    normalizer = Normalizer(settings, number_key, plan)
    read = []
    for record in records:
        row = RawRow(
            record.record_key,
            record.id_hash,
            record.content_hash,
            unpack_ids(record.link_keys),
            record.line_number,
            record.raw,
            to_ms(record.started_at),
        )
        read += reparse([row], forms[record.import_file_id], normalizer)
    return preview_call(assemble(read, plan)) if read else None
