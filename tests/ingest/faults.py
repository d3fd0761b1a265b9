"""Faults at a chosen step of bulk work: before any BEGIN, statement or COMMIT of a bulk transaction something happens.

`Steps(act).install(database)` calls `act(steps)` before each step, counted from 1; with `of_all` also before each BEGIN
and COMMIT of any other work. Used in this process (a full disk) and in children (import_process.py, and dying_worker.py
of tests/privacy: kill -9), so that every moment at which the database can be left alone is one that a test can name.
"""

import sqlite3
from collections.abc import Callable
from typing import Any

from psycopg import errors as postgresql_errors
from sqlalchemy import Connection, event
from sqlalchemy.exc import OperationalError

from webapp.database.bulk import BulkTransaction
from webapp.database.engine import ACCESS, Database

_STATEMENTS = ("execute", "execute_many", "rows", "rows_in", "insert")


class Steps:
    """Counts the steps of bulk transactions. `kind` is that of the step under way: "begin", "commit" or a method."""

    def __init__(self, act: Callable[["Steps"], None], of_all: bool = False) -> None:
        self.number = 0
        self.kind = ""
        self._act = act
        self._of_all = of_all
        self._inside = False
        self._undo: list[Callable[[], None]] = []

    def install(self, database: Database) -> "Steps":
        def before(kind: str) -> Callable[[Connection], None]:
            def listener(connection: Connection) -> None:
                if self._of_all or connection.get_execution_options().get(ACCESS) == "bulk":
                    self._step(kind)

            return listener

        for kind in ("begin", "commit"):
            listener = before(kind)
            event.listen(database.engine, kind, listener)
            self._undo.append(lambda kind=kind, listener=listener: event.remove(database.engine, kind, listener))  # type: ignore[misc]
        for name in _STATEMENTS:
            self._wrap(name)
        return self

    def remove(self) -> None:
        while self._undo:
            self._undo.pop()()

    def __enter__(self) -> "Steps":
        return self

    def __exit__(self, *_error: object) -> None:
        self.remove()

    def _wrap(self, name: str) -> None:
        plain = getattr(BulkTransaction, name)

        def counted(transaction: BulkTransaction, *values: Any, **named: Any) -> Any:
            self._step(name)
            return plain(transaction, *values, **named)

        setattr(BulkTransaction, name, counted)
        self._undo.append(lambda: setattr(BulkTransaction, name, plain))

    def _step(self, kind: str) -> None:
        self.number += 1
        self.kind = kind
        self._act(self)


def disk_full(database: Database, kind: str) -> Exception:
    """The error that a full disk is at such a step: bare from a statement, wrapped by SQLAlchemy from a COMMIT."""
    if database.dialect == "postgresql":
        error: Exception = postgresql_errors.DiskFull('could not extend file "base/1/2": No space left on device')
    else:
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL  # type: ignore[attr-defined]
    return OperationalError("COMMIT", {}, error) if kind == "commit" else error
