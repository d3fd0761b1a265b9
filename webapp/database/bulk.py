"""Bulk writing: short transactions of plain SQL for one organization, the same on SQLite and PostgreSQL.

Used by ingest/ and jobs/stored_files.py alone (tests/house/test_code_rules.py). Such a transaction is the one writer
of its organization: it holds SQLite's write lock, or the organization's row on PostgreSQL. Its SQL names
organization_id itself, since the session lock does not reach it; row-level security does.
Instants are integer milliseconds here on both engines: columns that end in _at are converted at this border.
"""

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from datetime import datetime
from typing import Any

from webapp.clock import from_ms, to_ms
from webapp.database.engine import Database

_COPY_FROM_ROWS = 30  # below this a COPY costs more than the plain inserts


class BulkTransaction:
    """One transaction. SQL has `?` for a value and `{keys}` for the list given to `rows_in`."""

    def __init__(self, cursor: Any, dialect: str, organization_id: int) -> None:
        self.organization_id = organization_id
        self.began = time.monotonic()
        self.ended: float | None = None
        self.row_count = 0  #: rows that it was given to write
        self._cursor = cursor
        self._postgresql = dialect == "postgresql"

    def execute(self, sql: str, *values: Any) -> int:
        """Run one statement; gives the number of rows it touched."""
        self._cursor.execute(self._sql(sql), values)
        return int(self._cursor.rowcount)

    def execute_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> int:
        """Run a statement for each of these; gives the number of rows that all of them touched."""
        if not rows:
            return 0
        self.row_count += len(rows)
        self._cursor.executemany(self._sql(sql), rows)
        return int(self._cursor.rowcount)

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        self._cursor.execute(self._sql(sql), values)
        return self._fetched()

    def rows_in(self, sql: str, keys: Sequence[Any], *values: Any) -> list[tuple[Any, ...]]:
        """Rows of a statement that holds `IN ({keys})`; `values` stand before the keys in it."""
        if not keys:
            return []
        if self._postgresql:
            self._cursor.execute(self._sql(sql).replace("IN ({keys})", "= ANY(%s)"), (*values, list(keys)))
        else:
            self._cursor.execute(
                sql.replace("{keys}", "SELECT value FROM json_each(?)"), (*values, json.dumps(list(keys)))
            )
        return self._fetched()

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], on_conflict: str = "") -> None:
        """Insert many rows. `on_conflict` is an ON CONFLICT clause; it may name `excluded`."""
        if not rows:
            return
        self.row_count += len(rows)
        names = ", ".join(columns)
        if not self._postgresql:
            marks = ", ".join("?" * len(columns))
            self._cursor.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks}) {on_conflict}", rows)  # noqa: S608 - names from code
            return
        instants = [place for place, column in enumerate(columns) if column.endswith("_at")]
        native = [_with_instants(row, instants) for row in rows] if instants else rows
        if len(rows) < _COPY_FROM_ROWS:
            marks = ", ".join(["%s"] * len(columns))
            self._cursor.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks}) {on_conflict}", native)  # noqa: S608
            return
        # COPY straight into a table under row-level security is refused; through a staging table both checks hold.
        self._cursor.execute(f"CREATE TEMP TABLE IF NOT EXISTS staging_{table} (LIKE {table}) ON COMMIT DELETE ROWS")
        with self._cursor.copy(f"COPY staging_{table} ({names}) FROM STDIN") as copy:
            for row in native:
                copy.write_row(row)
        self._cursor.execute(f"INSERT INTO {table} ({names}) SELECT {names} FROM staging_{table} {on_conflict}")  # noqa: S608
        self._cursor.execute(f"DELETE FROM staging_{table}")  # noqa: S608

    def instant(self, ms: int | None) -> Any:
        """An instant as this engine takes it as a value of a statement."""
        return from_ms(ms) if self._postgresql and ms is not None else ms

    @property
    def held_seconds(self) -> float:
        """How long others had to wait for it; once it is over, with its COMMIT."""
        return (self.ended or time.monotonic()) - self.began

    def _sql(self, sql: str) -> str:
        return sql.replace("?", "%s") if self._postgresql else sql

    def _fetched(self) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = self._cursor.fetchall()
        if self._postgresql and rows and any(isinstance(value, datetime) for row in rows[:1] for value in row):
            return [tuple(to_ms(value) if isinstance(value, datetime) else value for value in row) for row in rows]
        return rows


def _with_instants(row: Sequence[Any], instants: Sequence[int]) -> list[Any]:
    native = list(row)
    for place in instants:
        if native[place] is not None:
            native[place] = from_ms(native[place])
    return native


@contextmanager
def bulk_transaction(
    database: Database, organization_id: int, *, empties_log: bool = True
) -> Iterator[BulkTransaction]:
    """One writing transaction of one organization; commits at the end of the block, rolls back on an exception.

    Meant to be held for at most 100 ms: pages that wait to write come in between two of them. `empties_log`: whether
    its rows count for emptying SQLite's write-ahead log, which whoever calls then does once in a while.
    """
    if type(organization_id) is not int or organization_id < 0:
        raise ValueError("organization_id is an integer")
    turn = database.gate.batch() if database.dialect == "sqlite" else nullcontext()
    with turn, database.bulk.connect() as connection, connection.begin():
        if database.dialect == "postgresql":
            connection.exec_driver_sql(
                f"SET LOCAL citus.propagate_set_commands = 'local'; SET LOCAL app.organization_id = '{organization_id}'"
            )
        cursor = connection.connection.driver_connection.cursor()  # type: ignore[union-attr]
        try:
            transaction = BulkTransaction(cursor, database.dialect, organization_id)
            if database.dialect == "postgresql":
                transaction.execute("SELECT id FROM organization WHERE id = ? FOR NO KEY UPDATE", organization_id)
            yield transaction
        finally:
            cursor.close()
    transaction.ended = time.monotonic()
    if empties_log:
        database.count_bulk_rows(transaction.row_count)


def optimize(database: Database) -> None:
    """After bulk work: let SQLite renew the planner's figures where they are stale. PostgreSQL does so by itself."""
    if database.dialect == "sqlite":
        with database.writing.begin() as connection:
            connection.exec_driver_sql("PRAGMA analysis_limit = 400")  # rows looked at of an index: milliseconds
            connection.exec_driver_sql("PRAGMA optimize")
