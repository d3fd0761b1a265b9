"""Connections: one Database per process, reading and writing over one pool.

SQLite: a reading transaction is deferred and `query_only`; a writing one is BEGIN IMMEDIATE from its first moment,
never upgraded. PostgreSQL: a reading transaction is READ ONLY and, as one of SQLite is anyway, of one moment. Made by
create_app(), the commands and the tests.
"""

import math
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.pool import ConnectionPoolEntry

from webapp.database.staff_rights import CONSOLE, DETAIL, DETAIL_COLUMNS, NOTHING, Area

_DEADLINE = "callbook_deadline"
_QUERY_ONLY = "callbook_query_only"
_AUTHORIZER = "callbook_authorizer"
ACCESS = "callbook_access"  #: execution option: "read", "write" or "bulk"
_LONGEST_WAIT_SECONDS = 20.0
_POLL_SECONDS = 0.003
STATEMENT_MS = 15_000
_STEPS_BETWEEN_LOOKS = 100_000  # of SQLite's machine: a millisecond or so
_ROWS_OF_A_CHECKPOINT = 10_000  #: of bulk writers: a few batches, ten megabytes or two of the write-ahead log


class WriteGate:
    """Lets waiting pages write before the next batch of a bulk writer, within this process.

    A page would otherwise poll for SQLite's lock while batches take it again and again.
    """

    def __init__(self) -> None:
        self._batch = threading.Lock()
        self._state = threading.Condition()
        self._pages_waiting = 0

    @contextmanager
    def page(self) -> Iterator[None]:
        """Around the BEGIN of a page's write: waits for the batch under way to end, and holds the next one back."""
        with self._state:
            self._pages_waiting += 1
        try:
            if self._batch.acquire(timeout=_LONGEST_WAIT_SECONDS):
                self._batch.release()
            yield
        finally:
            with self._state:
                self._pages_waiting -= 1
                self._state.notify_all()

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Around one batch of a bulk writer."""
        with self._state:
            self._state.wait_for(lambda: not self._pages_waiting, timeout=_LONGEST_WAIT_SECONDS)
        with self._batch:
            yield


class Database:
    """The engine for one database URL, in its three uses: `reading`, `writing`, `bulk`."""

    def __init__(
        self, url: str, *, pool_size: int = 10, statement_ms: int = STATEMENT_MS, for_staff: bool = False
    ) -> None:
        """`statement_ms`: a statement of a page that takes longer is ended, on both engines.

        `for_staff`: for the console, which only reads, and on SQLite too no more than staff_rights.py says.
        """
        self.url = make_url(url)
        self.dialect: str = self.url.get_backend_name()
        self.gate = WriteGate()
        self._bulk_rows = 0
        make = _sqlite_engine if self.dialect == "sqlite" else _postgresql_engine
        self.engine = make(url, pool_size, statement_ms)
        self.reading = self.engine.execution_options(**{ACCESS: "read"})
        self.writing = self.engine.execution_options(**{ACCESS: "write"})
        self.bulk = self.engine.execution_options(**{ACCESS: "bulk"})
        begin = self._begin_sqlite if self.dialect == "sqlite" else _begin_postgresql
        event.listen(self.engine, "begin", begin)
        if for_staff and self.dialect == "sqlite":
            event.listen(self.engine, "connect", _authorize)

    def _begin_sqlite(self, connection: Connection) -> None:
        access = connection.get_execution_options().get(ACCESS, "write")
        raw = connection.connection.dbapi_connection
        assert isinstance(raw, sqlite3.Connection)
        _set_query_only(connection, raw, only=access == "read")
        open_areas(connection, NOTHING)  # whatever the last one who had this connection was allowed
        if access == "read":
            raw.execute("BEGIN")
            return
        if access == "bulk":  # its caller holds the gate for the whole batch
            _begin_immediate(raw)
        else:
            with self.gate.page():
                _begin_immediate(raw)

    def count_bulk_rows(self, count: int) -> None:
        """Told by bulk writers once their transaction is over: empties SQLite's write-ahead log now and then.

        Nobody waits for it: no lock is held that a page's write needs. SQLite by itself would do it inside the
        COMMIT that meets a long log, be it that of a page's one row.
        """
        self._bulk_rows += count
        if self.dialect == "sqlite" and self._bulk_rows >= _ROWS_OF_A_CHECKPOINT:
            self._bulk_rows = 0
            with self.engine.connect() as connection, suppress(sqlite3.Error):  # what it leaves, the next one takes
                raw = connection.connection.dbapi_connection
                assert isinstance(raw, sqlite3.Connection)
                _set_query_only(connection, raw, only=False)
                raw.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def empty_log(self) -> None:
        """Bring all of SQLite's write-ahead log into the file and cut it off: it still held what was deleted.

        After an erasure. A page that reads meanwhile may keep some of it a while longer: the next checkpoint takes it.
        """
        if self.dialect == "sqlite":
            with self.engine.connect() as connection, suppress(sqlite3.Error):
                raw = connection.connection.dbapi_connection
                assert isinstance(raw, sqlite3.Connection)
                _set_query_only(connection, raw, only=False)
                raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    @property
    def sqlite_path(self) -> Path:
        assert self.url.database
        return Path(self.url.database)

    def dispose(self) -> None:
        self.engine.dispose()


def _sqlite_engine(url: str, pool_size: int, statement_ms: int) -> Engine:
    engine = create_engine(
        url,
        pool_size=pool_size,
        max_overflow=20,
        pool_use_lifo=True,  # so that few connections do most of the work, with what they have prepared and read
        connect_args={"isolation_level": None, "check_same_thread": False, "timeout": 10.0, "cached_statements": 256},
    )

    @event.listens_for(engine, "connect")
    def _prepare(raw: sqlite3.Connection, _record: Any) -> None:
        # WAL: pages read while an import writes. FULL: what was acknowledged survives a power cut.
        # recursive_triggers: else INSERT OR REPLACE slips past a delete trigger.
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
            "recursive_triggers = ON",
            "trusted_schema = OFF",
            "secure_delete = ON",  # what is deleted is overwritten: erased is erased, without a VACUUM
            "cache_size = -8192",
            "temp_store = MEMORY",
            "journal_size_limit = 67108864",
            "wal_autocheckpoint = 8192",  # pages; an import empties the log itself, see count_bulk_rows
        ):
            raw.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "connect")
    def _watch(raw: sqlite3.Connection, record: ConnectionPoolEntry) -> None:
        """SQLite has no statement time-out: it asks this handler now and then whether to go on."""
        record.info[_DEADLINE] = math.inf
        raw.set_progress_handler(lambda: time.monotonic() > record.info[_DEADLINE], _STEPS_BETWEEN_LOOKS)

    @event.listens_for(engine, "before_cursor_execute")
    def _start_clock(connection: Connection, *_statement: Any) -> None:
        connection.info[_DEADLINE] = time.monotonic() + statement_ms / 1000

    @event.listens_for(engine, "reset")
    def _stop_clock(_raw: sqlite3.Connection, record: ConnectionPoolEntry, _state: Any) -> None:
        record.info[_DEADLINE] = math.inf  # bulk work on the bare connection has a clock of its own

    @event.listens_for(engine, "reset")
    def _reset(raw: sqlite3.Connection, _record: Any, _state: Any) -> None:
        if raw.in_transaction:
            raw.execute("ROLLBACK")

    return engine


class _Authorizer:
    """What SQLite asks about each statement of a console connection, when it is prepared."""

    def __init__(self) -> None:
        self.areas = NOTHING

    def __call__(self, action: int, first: str | None, second: str | None, *_where: str | None) -> int:
        if action in _HARMLESS_ACTIONS or (action == sqlite3.SQLITE_FUNCTION and second != "load_extension"):
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_PRAGMA and first in _HARMLESS_PRAGMAS:
            return sqlite3.SQLITE_OK
        may = action == sqlite3.SQLITE_READ and self._may_read(first or "", second or "")
        return sqlite3.SQLITE_OK if may else sqlite3.SQLITE_DENY

    def _may_read(self, table: str, column: str) -> bool:
        """`column` is "" where a statement names none: it counts rows."""
        if table in CONSOLE:
            columns = CONSOLE[table]
        elif DETAIL.get(table, NOTHING) & self.areas:
            columns = DETAIL_COLUMNS.get(table)
        else:
            return table == "json_each"
        return columns is None or column in (*columns, "")


_HARMLESS_ACTIONS = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_TRANSACTION, sqlite3.SQLITE_RECURSIVE}
_HARMLESS_PRAGMAS = {"query_only", "read_uncommitted"}


def _authorize(raw: sqlite3.Connection, record: ConnectionPoolEntry) -> None:
    record.info[_AUTHORIZER] = _Authorizer()
    raw.set_authorizer(record.info[_AUTHORIZER])


def open_areas(connection: Connection, areas: Area) -> None:
    """On SQLite: let a console connection read these areas until it is told again. PostgreSQL asks the grant itself."""
    authorizer = connection.info.get(_AUTHORIZER)
    if authorizer is None or authorizer.areas == areas:
        return
    authorizer.areas = areas
    raw = connection.connection.dbapi_connection
    assert isinstance(raw, sqlite3.Connection)
    raw.set_authorizer(authorizer)  # again: SQLite throws away what it had prepared, and asks anew


def _postgresql_engine(url: str, pool_size: int, statement_ms: int) -> Engine:
    return create_engine(
        url,
        pool_size=pool_size,
        max_overflow=20,
        connect_args={"options": f"-c timezone=UTC -c statement_timeout={statement_ms}"},
    )


def _set_query_only(connection: Connection, raw: sqlite3.Connection, *, only: bool) -> None:
    """Said only when it changes: SQLite throws away every statement that the connection keeps prepared."""
    if connection.info.get(_QUERY_ONLY) is not only:
        raw.execute(f"PRAGMA query_only = {'ON' if only else 'OFF'}")
        connection.info[_QUERY_ONLY] = only


def _begin_immediate(raw: sqlite3.Connection) -> None:
    """BEGIN IMMEDIATE, asking again every few milliseconds: SQLite's own wait grows to 100 ms between two tries."""
    raw.execute("PRAGMA busy_timeout = 0")
    until = time.monotonic() + _LONGEST_WAIT_SECONDS
    try:
        while True:
            try:
                raw.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as error:
                busy = error.sqlite_errorcode in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_BUSY_RECOVERY)
                if not busy or time.monotonic() > until:
                    raise
                time.sleep(_POLL_SECONDS)
    finally:
        raw.execute("PRAGMA busy_timeout = 10000")


def _begin_postgresql(connection: Connection) -> None:
    access = connection.get_execution_options().get(ACCESS, "write")
    if access == "read":
        # Of one moment: what a page sums by the days of a zone must be of the zone that it has read before.
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
