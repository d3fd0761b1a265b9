"""The Overview: the time that one page spends in the database, statements and reading of rows, against 20 ms."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import psycopg
from sqlalchemy import event

from bench.browser import Browser
from bench.data import SLUG, stocked
from bench.engines import Engine
from bench.report import Result, in_time, milliseconds
from bench.scale import Scale
from bench.timing import Runs, interleave
from webapp import create_app
from webapp.database.engine import Database

MOST_SECONDS = 0.02
_Given = TypeVar("_Given")


@dataclass
class DatabaseTime:
    """Seconds spent in the driver: executing, and fetching rows."""

    seconds: float = 0.0
    statements: int = 0

    def spend(self, work: Callable[[], _Given]) -> _Given:
        began = time.perf_counter()
        try:
            return work()
        finally:
            self.seconds += time.perf_counter() - began


spent = DatabaseTime()


class _SqliteCursor(sqlite3.Cursor):
    """SQLite works while rows are fetched, not only while it executes."""

    def execute(self, *arguments: Any) -> "_SqliteCursor":
        spent.statements += 1
        spent.spend(lambda: super(_SqliteCursor, self).execute(*arguments))
        return self

    def fetchone(self) -> Any:
        return spent.spend(super().fetchone)

    def fetchall(self) -> list[Any]:
        return spent.spend(super().fetchall)

    def fetchmany(self, *arguments: Any) -> list[Any]:
        return spent.spend(lambda: super(_SqliteCursor, self).fetchmany(*arguments))


class _SqliteConnection(sqlite3.Connection):
    def cursor(self, *_factory: Any) -> Any:
        return super().cursor(_SqliteCursor)


class _PostgresqlCursor(psycopg.Cursor[Any]):
    def execute(self, *arguments: Any, **options: Any) -> "_PostgresqlCursor":
        spent.statements += 1
        spent.spend(lambda: super(_PostgresqlCursor, self).execute(*arguments, **options))
        return self

    def fetchone(self) -> Any:
        return spent.spend(super().fetchone)

    def fetchall(self) -> list[Any]:
        return spent.spend(super().fetchall)


def measure(engine: Engine, scale: Scale) -> Iterator[Result]:
    place = stocked(engine, scale, scale.calls)
    database = place.open()
    time_cursors(database)
    browser = Browser(create_app(place.settings, database), database)
    run = browser.run(f"/o/{SLUG}/")
    in_database: list[float] = []

    def once() -> None:
        spent.seconds, spent.statements = 0.0, 0
        run()
        in_database.append(spent.seconds)

    [whole] = interleave(scale.rounds, once)
    took = Runs(in_database[1:], in_database[1:])
    note = f"{spent.statements} statements, whole page {milliseconds(whole.wall)}, worst run {milliseconds(took.worst)}"
    yield in_time(f"{engine.name}: Overview, time in the database", took.wall, MOST_SECONDS, note)
    database.dispose()


def time_cursors(database: Database) -> None:
    """Give the connections that are made from now on cursors with a stop-watch."""

    @event.listens_for(database.engine, "do_connect")
    def _with_watch(_dialect: Any, _record: Any, _arguments: Any, parameters: dict[str, Any]) -> None:
        if database.dialect == "sqlite":
            parameters["factory"] = _SqliteConnection
        else:
            parameters["cursor_factory"] = _PostgresqlCursor
