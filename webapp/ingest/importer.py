"""Runs an import: reader -> normalize -> assembly -> writer, in batches, from a stored file.

Called by the job `sources.import`, by `flask import-calls` and by the demo. An import can be stopped at any moment,
by its person, by a crash or by a full disk: each batch commits its records together with the counts, and whoever
takes the import up again goes on behind the last row that was counted.
"""

import gc
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice

from psycopg import Error as PostgresqlError
from sqlalchemy import and_, or_, select
from sqlalchemy.exc import DBAPIError

from webapp.calls.models import ImportFile, ImportState
from webapp.clock import now_ms
from webapp.database.bulk import BulkTransaction, bulk_transaction, optimize
from webapp.database.engine import Database
from webapp.ingest.batches import Batch, read_keeps_from, store_batch, try_again
from webapp.ingest.call_writer import CallWriter
from webapp.ingest.import_plan import ENDED, UNENDED, ImportPlan, load_plan
from webapp.ingest.normalize import Normalizer
from webapp.ingest.numbers import NumberPlan
from webapp.ingest.readers import READERS
from webapp.ingest.records import Item, ReadOptions
from webapp.ingest.source import UnreadableFile, open_text
from webapp.ingest.writer import Group, RecordWriter, Stored
from webapp.jobs.stored_files import is_disk_full, open_stored_file
from webapp.tenancy.sessions import reading_session

_USUAL_THRESHOLDS = gc.get_threshold()
_TUPLES_OF_A_BATCH = 100_000
_FIRST_BATCH = 200
_LARGEST_BATCH = 1200
_HOLD_SECONDS = 0.06  #: of the write lock, aimed at; a page's write comes in between two batches
_PAUSE_SECONDS = 0.002  #: between two batches at least, so that writers of other processes come in too
_BATCH_BYTES = 8 * 1024 * 1024  #: of raw rows; a row may have 1 MiB
_PASSED_OVER = 5000  #: rows counted before, between two signs of life
#: A driver's own error comes bare from a statement of a bulk transaction, in SQLAlchemy's from its BEGIN and COMMIT.
_FAILURES = (DBAPIError, sqlite3.Error, PostgresqlError, OSError)

_DISK_FULL = (
    "The server's disk is full. The rows counted here are stored, nothing is lost. Tell the person who runs Callbook; "
    "once there is space, choose Go on."
)
_CLOSED = (
    "The phone system was closed while its file was being read. The rows counted here are stored. Open the phone "
    "system again and choose Go on, or undo this import."
)
_NO_FILE = (
    "The file is no longer kept, so it cannot be read. Upload it again; rows that are stored already stay as they are."
)
_KEPT = "Rows counted here are stored; undo this import to take them back."
_NO_FORMAT = "No format was chosen for this file. Choose one and import it again."


class _LeftOff(Exception):
    """This run ends here and the import does not: it was told to stop, or another run has taken the import over."""


class _KeepsLess(Exception):
    """Retention has moved on since the file was begun: `keeps_from_ms` is where it stands now."""

    def __init__(self, keeps_from_ms: int | None) -> None:
        super().__init__()
        self.keeps_from_ms = keeps_from_ms


class _Stopped(Exception):
    """The import ends here; `state` says how, `error` is for the person."""

    def __init__(self, state: ImportState, error: str | None = None) -> None:
        super().__init__(state.name)
        self.state = state
        self.error = error


def run_import(
    database: Database,
    number_key: bytes,
    organization_id: int,
    import_file_id: int,
    keep_going: Callable[[], bool] = lambda: True,
) -> None:
    """Run or take up an import until it ends, in state DONE, CANCELLED or FAILED.

    Asks `keep_going` between two batches; when it says no, the import stays RUNNING for whoever takes it up. Raises
    nothing for what a file holds; database errors other than a full disk are raised, and trying again is safe.
    """
    plan = load_plan(database, organization_id, import_file_id)
    # Without a plan the import has ended; the process that ended it may have died before it looked for an undo.
    ended = plan is None or _run_to_its_end(database, number_key, plan, keep_going)
    if ended and _undone_meanwhile(database, organization_id, import_file_id):
        refill(database, number_key, organization_id, import_file_id, keep_going)


def _run_to_its_end(database: Database, number_key: bytes, plan: ImportPlan, keep_going: Callable[[], bool]) -> bool:
    """False when it was left off for whoever takes it up."""
    try:
        _start(database, plan)
        with _rare_garbage_collection():
            _Import(database, number_key, plan, keep_going).run()
        _end(database, plan, ImportState.DONE, None)
    except _LeftOff:
        return False
    except _Stopped as stop:
        _end(database, plan, stop.state, stop.error)
    except UnreadableFile as refusal:
        _end(database, plan, ImportState.FAILED, f"{refusal} {_KEPT}")
    except FileNotFoundError:
        _end(database, plan, ImportState.FAILED, _NO_FILE)
    except _FAILURES as error:
        if not is_disk_full(error):
            raise
        _end(database, plan, ImportState.FAILED, _DISK_FULL)
    return True


@contextmanager
def _rare_garbage_collection() -> Iterator[None]:
    """A batch is a hundred thousand tuples without a cycle: the collector took a sixth of the time, in vain."""
    gc.set_threshold(_TUPLES_OF_A_BATCH, *_USUAL_THRESHOLDS[1:])
    try:
        yield
    finally:
        gc.set_threshold(*_USUAL_THRESHOLDS)


def refill(
    database: Database,
    number_key: bytes,
    organization_id: int,
    import_file_id: int,
    keep_going: Callable[[], bool] = lambda: True,
) -> bool:
    """Read an ended import's file again and store the rows that were already there then and are gone now.

    After an undo: what the undone import and this file both held comes back from this one. May be run again; False
    when `keep_going` said no before the end.
    """
    plan = load_plan(database, organization_id, import_file_id, ended=True)
    if plan is None or plan.stored_file_id is None:
        return True
    # As far as the import itself had read it, the file could be read; behind that nothing is asked.
    with suppress(UnreadableFile, FileNotFoundError):
        try:
            _Import(database, number_key, plan, keep_going, refilling=True).run()
        except _LeftOff:
            return False
    return True


def _undone_meanwhile(database: Database, organization_id: int, import_file_id: int) -> bool:
    """Whether another import of the phone system was undone while this one counted its rows as already there."""
    with reading_session(database, organization_id) as session:
        mine = session.get(ImportFile, (organization_id, import_file_id))
        if mine is None or mine.state not in ENDED or not mine.duplicate_count or mine.started_at is None:
            return False
        undone = select(ImportFile.id).where(
            ImportFile.pbx_id == mine.pbx_id,
            or_(
                ImportFile.state == ImportState.UNDOING,
                and_(ImportFile.state == ImportState.UNDONE, ImportFile.ended_at >= mine.started_at),
            ),
        )
        return session.scalars(undone.limit(1)).first() is not None


class _Import:
    """One run over the file."""

    def __init__(
        self,
        database: Database,
        number_key: bytes,
        plan: ImportPlan,
        keep_going: Callable[[], bool],
        *,
        refilling: bool = False,
    ) -> None:
        self._database = database
        self._refilling = refilling
        self._plan = plan
        self._keep_going = keep_going
        numbers = NumberPlan(plan.settings)
        self._normalizer = Normalizer(plan.settings, number_key, numbers)
        self._calls = CallWriter()
        self._writer = RecordWriter(
            self._calls, numbers, plan.settings.pbx_id, plan.import_file_id, only_missing=refilling
        )
        self._batch_size = _FIRST_BATCH
        self._counted = plan.read_count  #: rows, in the database as this run knows it
        self._began = self._free_since = time.monotonic()  #: this run; the write lock, as far as it holds that

    def run(self) -> None:
        """Read the file to its end. Raises _LeftOff when told to stop, _Stopped when the import ends before that."""
        plan = self._plan
        if plan.stored_file_id is None:
            raise _Stopped(ImportState.FAILED, _NO_FILE)
        reader = READERS.get(plan.format or "")
        if reader is None:
            raise _Stopped(ImportState.FAILED, _NO_FORMAT)
        with open_stored_file(self._database, plan.organization_id, plan.stored_file_id) as stream:
            source = open_text(stream)
            items = reader.read(source.lines(), ReadOptions(plan.columns))
            if self._refilling:
                items = islice(items, plan.read_count)
                plan.read_count = 0
            for batch in self._batches(items):
                self._store(batch, source.position)
                self._go_on()

    def _go_on(self) -> None:
        if not self._keep_going():
            raise _LeftOff

    def _batches(self, items: Iterator[Item]) -> Iterator[Batch]:
        """Batches of rows behind those that were counted before; record keys are distinct within a batch."""
        batch = Batch()
        normalizer, read_before = self._normalizer, self._plan.read_count
        for done, item in enumerate(items, start=1):
            # Rows counted before are taken in too: their order tells the two hours of a DST night apart.
            if not batch.put(item, normalizer, self._plan.keeps_from_ms, first=done == 1):
                yield batch
                batch = Batch()
                batch.put(item, normalizer, self._plan.keeps_from_ms)
            if done <= read_before:
                batch = Batch()
                if not done % _PASSED_OVER:
                    self._go_on()
            elif batch.read >= self._batch_size or batch.raw_bytes >= _BATCH_BYTES:
                yield batch
                batch = Batch()
        if batch.read:
            yield batch

    def _store(self, batch: Batch, position: int) -> None:
        try:
            self._store_kept(batch, position)
        except _KeepsLess as moved:
            self._plan.keeps_from_ms = moved.keeps_from_ms
            batch.keep_from(moved.keeps_from_ms)
            self._store(batch, position)

    def _store_kept(self, batch: Batch, position: int) -> None:
        groups = self._writer.prepare(batch.records)
        time.sleep(max(0.0, self._free_since + _PAUSE_SECONDS - time.monotonic()))  # of a large batch none is left

        def store() -> float:
            with bulk_transaction(self._database, self._plan.organization_id) as transaction:
                self._write(transaction, batch, groups, position)
            return transaction.held_seconds

        held = try_again(self._calls, store)
        self._free_since = time.monotonic()
        self._counted += batch.read
        self._batch_size = max(20, min(_LARGEST_BATCH, int(batch.read * min(2.0, _HOLD_SECONDS / max(held, 0.001)))))

    def _write(self, transaction: BulkTransaction, batch: Batch, groups: list[Group], position: int) -> None:
        keeps_from_ms = read_keeps_from(transaction)
        if keeps_from_ms != self._plan.keeps_from_ms:
            raise _KeepsLess(keeps_from_ms)
        if self._refilling:
            self._write_missing(transaction, groups)
            return
        self._check(transaction)
        plan = self._plan
        store_batch(transaction, self._writer, plan.import_file_id, batch, groups)
        transaction.execute(
            "UPDATE import_file SET bytes_read = ?, work_seconds = ? WHERE organization_id = ? AND id = ?",
            position,
            plan.work_seconds + int(time.monotonic() - self._began),
            plan.organization_id,
            plan.import_file_id,
        )

    def _write_missing(self, transaction: BulkTransaction, groups: list[Group]) -> None:
        stored = self._writer.write(transaction, groups) if groups else Stored()
        if stored.stored:
            transaction.execute(
                "UPDATE import_file SET stored_count = stored_count + ?, duplicate_count = duplicate_count - ?,"
                " call_count = call_count + ? WHERE organization_id = ? AND id = ?",
                stored.stored,
                stored.stored,
                stored.calls,
                self._plan.organization_id,
                self._plan.import_file_id,
            )

    def _check(self, transaction: BulkTransaction) -> None:
        """Under the lock: whether the import may still go on."""
        plan = self._plan
        [(state, cancel_asked, read_count, closed_at)] = transaction.rows(
            "SELECT import_file.state, import_file.cancel_asked, import_file.read_count, pbx.closed_at FROM import_file"
            " JOIN pbx ON pbx.organization_id = import_file.organization_id AND pbx.id = import_file.pbx_id"
            " WHERE import_file.organization_id = ? AND import_file.id = ?",
            plan.organization_id,
            plan.import_file_id,
        )
        if state != ImportState.RUNNING or read_count != self._counted:
            raise _LeftOff  # ended by somebody, or another worker goes on with it: this one was taken for dead
        if cancel_asked:
            raise _Stopped(ImportState.CANCELLED)
        if closed_at is not None:
            raise _Stopped(ImportState.FAILED, _CLOSED)


def _start(database: Database, plan: ImportPlan) -> None:
    """Raises _LeftOff where somebody cancelled it since the plan was read."""
    with bulk_transaction(database, plan.organization_id) as transaction:
        started = transaction.execute(
            "UPDATE import_file SET state = ?, error = NULL, ended_at = NULL, started_at = coalesce(started_at, ?)"
            " WHERE organization_id = ? AND id = ? AND state IN (?, ?, ?, ?)",
            int(ImportState.RUNNING),
            transaction.instant(now_ms()),
            plan.organization_id,
            plan.import_file_id,
            *map(int, UNENDED),
        )
    if not started:
        raise _LeftOff


def _end(database: Database, plan: ImportPlan, state: ImportState, error: str | None) -> None:
    with bulk_transaction(database, plan.organization_id) as transaction:
        transaction.execute(
            "UPDATE import_file SET state = ?, error = ?, ended_at = ?"
            " WHERE organization_id = ? AND id = ? AND state IN (?, ?)",
            int(state),
            error,
            transaction.instant(now_ms()),
            plan.organization_id,
            plan.import_file_id,
            int(ImportState.QUEUED),
            int(ImportState.RUNNING),
        )
    with suppress(*_FAILURES):  # of a database that is busy for long: the planner's figures can wait
        optimize(database)
