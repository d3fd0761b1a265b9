"""Stores what phone systems brought by themselves, by the path of imports: reader -> normalize -> assembly -> writer.

Called by the errand of sources/storing.py. A phone system has one import_file a local day and format for it, without a
stored file. Spooled rows are deleted in the transaction that stores their records, so a crash loses and doubles
nothing; several workers may do this at a time, and whoever comes second finds the rows gone.
"""

import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import NamedTuple
from zoneinfo import ZoneInfo

from psycopg import OperationalError as PostgresqlOperationalError
from sqlalchemy import bindparam, func, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from webapp import logs
from webapp.calls.models import ImportFile, ImportState, Pbx
from webapp.calls.periods import day_number
from webapp.clock import now_ms, to_ms
from webapp.database.bulk import BulkTransaction, bulk_transaction
from webapp.database.engine import Database
from webapp.database.ids import new_id
from webapp.ingest.batches import Batch, read_keeps_from, store_batch, try_again
from webapp.ingest.call_writer import CallWriter
from webapp.ingest.models import SpooledDelivery
from webapp.ingest.normalize import Normalizer
from webapp.ingest.numbers import NumberPlan
from webapp.ingest.readers import READERS
from webapp.ingest.records import ReadOptions, SourceLine
from webapp.ingest.settings import PbxSettings
from webapp.ingest.source_lines import decode
from webapp.ingest.writer import Group, RecordWriter
from webapp.tenancy.lock import LockedSession, kept
from webapp.tenancy.models import Organization
from webapp.tenancy.sessions import reading_session

_ROWS_AT_ONCE = 400
_FIRST_BYTES, _LEAST_BYTES, _MOST_BYTES = 16 * 1024, 4 * 1024, 4 * 1024 * 1024
#: Aimed at, of the write lock and of Python: pushes wait for both, and are to be answered within 100 ms.
_ROUND_SECONDS = 0.02
#: The database is down or busy, the disk is full: bare from a statement, in SQLAlchemy's from BEGIN and COMMIT.
_NO_FAULT_OF_ROWS = (OSError, sqlite3.OperationalError, PostgresqlOperationalError, OperationalError, PoolTimeout)
_NOT_UNDERSTOOD = "This could not be read, for a reason that is in the server's log. Tell the person who runs Callbook."

_NEWEST = kept(select(func.max(SpooledDelivery.id)))
_WAITING = kept(
    select(
        SpooledDelivery.id,
        SpooledDelivery.pbx_id,
        SpooledDelivery.format,
        SpooledDelivery.received_at,
        func.length(SpooledDelivery.body),
    )
    .where(SpooledDelivery.id <= bindparam("newest"))
    .order_by(SpooledDelivery.id)
    .limit(_ROWS_AT_ONCE)
)
_BODY = kept(select(SpooledDelivery.body).where(SpooledDelivery.id == bindparam("id")))
_WHOSE = kept(
    select(Organization, Pbx)
    .join(Pbx, Pbx.organization_id == Organization.id)
    .where(Organization.id == bindparam("organization"), Pbx.id == bindparam("pbx"))
)
_IMPORT = kept(
    select(ImportFile).where(
        ImportFile.pbx_id == bindparam("pbx"),
        ImportFile.delivered_on == bindparam("day"),
        ImportFile.format == bindparam("format"),
    )
)


class _TakenMeanwhile(Exception):
    """Another worker stored some of these rows: nothing was written, what is left is looked up anew."""


class _Day(NamedTuple):
    """What has an import of its own."""

    pbx_id: int
    format: str
    delivered_on: date


@dataclass(frozen=True)
class _Round:
    """Some spooled rows of one day, and all that is needed to store them. `received_at`: of the first one,
    in ms. `is_new`: its import is not there yet.
    """

    organization_id: int
    day: _Day
    ids: Sequence[int]
    bodies: Sequence[bytes]
    received_at: int
    settings: PbxSettings
    keeps_from_ms: int | None
    import_file_id: int
    is_new: bool
    read_count: int


def has_spooled(session: LockedSession) -> bool:
    """Whether anything waits to be stored in the bound organization."""
    return _find_newest(session) is not None


def _find_newest(session: LockedSession) -> int | None:
    [(newest,)] = session.rows(_NEWEST)
    return newest


def store_delivered(
    database: Database, number_key: bytes, organization_id: int, keep_going: Callable[[], bool] = lambda: True
) -> bool:
    """Store what is spooled of one organization, the oldest first, in short transactions. False: more may wait.

    What comes meanwhile is left for the next time: a round costs as much as twenty records, and would be of three.
    """
    with reading_session(database, organization_id) as session:
        newest = _find_newest(session)
    most_bytes = _FIRST_BYTES
    while keep_going():
        began, worked = time.monotonic(), time.thread_time()
        with reading_session(database, organization_id) as session:
            found = None if newest is None else _next_round(session, organization_id, newest, most_bytes)
        if found is None:
            return True
        try:
            held = _store_or_refuse(database, number_key, found)
        except _TakenMeanwhile:
            continue
        took = max(0.001, held, time.thread_time() - worked)
        most_bytes = int(most_bytes * min(2.0, _ROUND_SECONDS / took))
        most_bytes = max(_LEAST_BYTES, min(_MOST_BYTES, most_bytes))
        time.sleep(time.monotonic() - began)  # as long as others had to share with it, they have to themselves
    return False


def _next_round(session: LockedSession, organization_id: int, newest: int, most_bytes: int) -> _Round | None:
    """The oldest row and others of its day, up to so many bytes; None when none up to the newest waits."""
    waiting = session.rows(_WAITING, {"newest": newest})
    if not waiting:
        return None
    [(organization, pbx)] = session.rows(_WHOSE, {"organization": organization_id, "pbx": waiting[0].pbx_id})
    zone = ZoneInfo(organization.time_zone)
    day: _Day | None = None
    ids: list[int] = []
    size = 0
    for row_id, pbx_id, reader_name, received_at, length in waiting:
        of_row = _Day(pbx_id, reader_name, received_at.astimezone(zone).date())
        day = day or of_row
        if of_row == day:
            if ids and size + length > most_bytes:
                break
            ids.append(row_id)
            size += length
    assert day is not None
    # Read one by one: a list of ids in the statement would have SQLAlchemy make it anew each time.
    bodies = [bytes(row.body) for row_id in ids for row in session.rows(_BODY, {"id": row_id})]
    of_day = {"pbx": pbx.id, "day": day_number(day.delivered_on), "format": day.format}
    file = next((file for (file,) in session.rows(_IMPORT, of_day)), None)
    return _Round(
        organization_id,
        day,
        ids,
        bodies,
        to_ms(waiting[0].received_at),
        PbxSettings.of(pbx, file.time_zone if file else None),
        to_ms(organization.keeps_from) if organization.keeps_from else None,
        file.id if file else new_id(),
        file is None,
        file.read_count if file else 0,
    )


def _store_or_refuse(database: Database, number_key: bytes, found: _Round) -> float:
    """As _store(). What nobody foresaw in one row holds up no other: the rows are tried one by one, and the one that
    it is in becomes a refused line. A database that is down or a full disk is no fault of theirs, and is raised.
    """
    try:
        return _store(database, number_key, found)
    except (_TakenMeanwhile, *_NO_FAULT_OF_ROWS):
        raise
    except Exception as error:  # noqa: BLE001 - what nobody foresaw, whatever it is
        logs.event("delivery.not_understood", error=type(error).__name__, rows=len(found.ids))
    if len(found.ids) > 1:
        found = replace(found, ids=found.ids[:1], bodies=found.bodies[:1])
        return _store_or_refuse(database, number_key, found)
    return _store(database, number_key, found, refusing=True)


def _store(database: Database, number_key: bytes, found: _Round, *, refusing: bool = False) -> float:
    """Seconds for which others had to wait. Raises _TakenMeanwhile. `refusing`: as lines that could not be read."""
    numbers, calls = NumberPlan(found.settings), CallWriter()
    writer = RecordWriter(calls, numbers, found.settings.pbx_id, found.import_file_id)
    batches = _refuse(found) if refusing else _read(found, Normalizer(found.settings, number_key, numbers))
    prepared = [(batch, writer.prepare(batch.records)) for batch in batches]

    def store() -> float:
        with bulk_transaction(database, found.organization_id) as transaction:
            _write(transaction, writer, found, prepared)
        return transaction.held_seconds

    return try_again(calls, store)


def _read(found: _Round, normalizer: Normalizer) -> list[Batch]:
    """The rows as batches in which record keys are distinct. Rows are numbered through the day."""
    reader = READERS[found.day.format]
    batches = [Batch()]
    number = found.read_count
    for body in found.bodies:
        lines = (SourceLine(1, line, decode(line)) for line in body.split(b"\n") if line.strip())
        for item in reader.read(lines, ReadOptions()):
            number += 1
            numbered = item._replace(line_number=number)
            if not batches[-1].put(numbered, normalizer, found.keeps_from_ms):
                batches.append(Batch())
                batches[-1].put(numbered, normalizer, found.keeps_from_ms)
    return batches


def _refuse(found: _Round) -> list[Batch]:
    batch = Batch()
    for number, body in enumerate(found.bodies, start=found.read_count + 1):
        batch.refuse(number, body, _NOT_UNDERSTOOD)
    return [batch]


def _write(
    transaction: BulkTransaction, writer: RecordWriter, found: _Round, prepared: Sequence[tuple[Batch, list[Group]]]
) -> None:
    _take(transaction, found)
    if found.is_new:
        _make_import(transaction, found)
    for batch, groups in prepared:
        store_batch(transaction, writer, found.import_file_id, batch, groups)
    touched = transaction.execute(
        "UPDATE import_file SET ended_at = ?, bytes_read = bytes_read + ?"
        " WHERE organization_id = ? AND id = ? AND read_count = ?",
        transaction.instant(now_ms()),
        sum(map(len, found.bodies)),
        found.organization_id,
        found.import_file_id,
        found.read_count + sum(batch.read for batch, _groups in prepared),
    )
    if not touched:
        raise _TakenMeanwhile  # other rows of the day were stored first, and have the numbers that these were given


def _take(transaction: BulkTransaction, found: _Round) -> None:
    if read_keeps_from(transaction) != found.keeps_from_ms:
        raise _TakenMeanwhile  # retention has moved on: they are read anew
    there = transaction.rows_in(
        "SELECT id FROM spooled_delivery WHERE organization_id = ? AND id IN ({keys})",
        found.ids,
        found.organization_id,
    )
    if len(there) != len(found.ids):
        raise _TakenMeanwhile
    transaction.execute_many(
        "DELETE FROM spooled_delivery WHERE organization_id = ? AND id = ?",
        [(found.organization_id, row_id) for row_id in found.ids],
    )


def _make_import(transaction: BulkTransaction, found: _Round) -> None:
    """The day's import. The first of a phone system says in which format it writes."""
    day = found.day
    began = transaction.instant(found.received_at)
    made = transaction.execute(
        "INSERT INTO import_file (organization_id, id, pbx_id, file_name, format, confidence, time_zone, state,"
        " cancel_asked, read_count, stored_count, duplicate_count, skipped_count, refused_count, call_count,"
        " bytes_read, work_seconds, created_at, started_at, delivered_on)"
        " VALUES (?, ?, ?, ?, ?, 100, ?, ?, ?, 0, 0, 0, 0, 0, 0, 0, 0, ?, ?, ?) ON CONFLICT DO NOTHING",
        found.organization_id,
        found.import_file_id,
        day.pbx_id,
        f"Delivered on {day.delivered_on.day} {day.delivered_on:%B %Y}",
        day.format,
        found.settings.time_zone,
        int(ImportState.DONE),
        False,
        began,
        began,
        day_number(day.delivered_on),
    )
    if not made:
        raise _TakenMeanwhile
    transaction.execute(
        "UPDATE pbx SET format = ? WHERE organization_id = ? AND id = ? AND format IS NULL",
        day.format,
        found.organization_id,
        day.pbx_id,
    )
