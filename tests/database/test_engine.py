"""Reading sessions cannot write, writing ones hold the lock from the start, pages come before batches."""

import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from tests.cast import Cast
from tests.conftest import make_settings
from webapp.database.bulk import bulk_transaction
from webapp.database.engine import Database, WriteGate
from webapp.database.installation import initialize
from webapp.organizations.actions import create_organization
from webapp.tenancy.models import Organization
from webapp.tenancy.sessions import reading_session, writing_session


@pytest.fixture
def on_sqlite(tmp_path: Path) -> Iterator[Database]:
    """A SQLite database whatever the run is on: how SQLite locks is no other engine's business."""
    settings = make_settings(tmp_path)
    initialize(settings)
    database = Database(settings.database_url)
    yield database
    database.dispose()


def test_a_reading_session_cannot_write(database: Database, cast: Cast) -> None:
    with reading_session(database, cast.harbour.id) as session:
        organization = session.scalars(select(Organization).where(Organization.id == cast.harbour.id)).one()
        organization.name = "Written while reading"
        with pytest.raises(DBAPIError, match=r"readonly|read-only"):
            session.flush()

    with reading_session(database) as session:
        assert (
            session.scalars(select(Organization.name).where(Organization.id == cast.harbour.id)).one()
            == "Harbour Boats"
        )


def test_the_same_connection_reads_and_writes_in_turn(settings: object, cast: Cast, database: Database) -> None:
    narrow = Database(database.url.render_as_string(hide_password=False), pool_size=1)
    try:
        for name in ("first", "second"):
            with reading_session(narrow) as session:
                session.scalars(select(Organization)).all()
            with writing_session(narrow) as session:
                session.scalars(select(Organization).where(Organization.id == cast.harbour.id)).one().name = name
                session.commit()
        with reading_session(narrow) as session:
            assert (
                session.scalars(select(Organization.name).where(Organization.id == cast.harbour.id)).one() == "second"
            )
    finally:
        narrow.dispose()


def test_a_reading_transaction_is_query_only_and_deferred(on_sqlite: Database) -> None:
    with on_sqlite.reading.connect() as reading, on_sqlite.writing.connect() as writing:
        reading.execute(text("SELECT 1"))
        assert reading.exec_driver_sql("PRAGMA query_only").scalar_one() == 1
        writing.execute(text("SELECT 1"))  # would wait if the reader held the lock
        assert writing.exec_driver_sql("PRAGMA query_only").scalar_one() == 0


def test_a_connection_follows_what_its_next_transaction_is_for(tmp_path: Path) -> None:
    """And says so to SQLite only where that changes: it would throw away the statements it keeps prepared."""
    database = Database(f"sqlite:///{tmp_path / 'one.sqlite'}", pool_size=1)
    said: list[str] = []
    with database.writing.connect() as writing:
        raw = writing.connection.dbapi_connection
        assert isinstance(raw, sqlite3.Connection)
        raw.set_trace_callback(lambda sql: said.append(sql) if "query_only" in sql else None)
    for use in (
        database.reading,
        database.reading,
        database.writing,
        database.writing,
        database.bulk,
        database.reading,
    ):
        with use.connect() as connection:
            only = use is database.reading
            assert connection.connection.dbapi_connection is raw
            connection.execute(text("SELECT 1"))
            if only:
                with pytest.raises(DBAPIError, match="readonly"):
                    connection.execute(text("CREATE TABLE thing (id INTEGER)"))
    assert said == ["PRAGMA query_only = ON", "PRAGMA query_only = OFF", "PRAGMA query_only = ON"]
    database.dispose()


def test_a_writing_transaction_holds_the_lock_from_its_first_statement(on_sqlite: Database) -> None:
    with on_sqlite.writing.connect() as writing:
        writing.execute(text("SELECT 1"))
        other = sqlite3.connect(on_sqlite.sqlite_path, timeout=0, isolation_level=None)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        writing.rollback()
        other.execute("BEGIN IMMEDIATE")
        other.close()


def test_connections_are_set_up(on_sqlite: Database) -> None:
    expected = {"journal_mode": "wal", "foreign_keys": 1, "recursive_triggers": 1, "trusted_schema": 0}
    with on_sqlite.reading.connect() as connection:
        found = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in expected}

    assert found == expected


def test_a_waiting_page_goes_before_the_next_batch() -> None:
    gate, order = WriteGate(), []
    batch_runs, page_waits = threading.Event(), threading.Event()

    def write_batches() -> None:
        with gate.batch():
            batch_runs.set()
            page_waits.wait(60)
            order.append("first batch")
        with gate.batch():
            order.append("second batch")

    def write_page() -> None:
        batch_runs.wait(60)
        with gate._state:
            gate._pages_waiting += 1  # as page() does before it waits
        page_waits.set()
        with gate.page():
            order.append("page")
        with gate._state:
            gate._pages_waiting -= 1
            gate._state.notify_all()

    threads = [threading.Thread(target=write_batches), threading.Thread(target=write_page)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert order == ["first batch", "page", "second batch"]


def test_pages_write_beside_each_other_and_a_batch_lets_them_all_in() -> None:
    gate, done = WriteGate(), []

    def write_page(number: int) -> None:
        with gate.page():
            time.sleep(0.01)
            done.append(number)

    threads = [threading.Thread(target=write_page, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with gate.batch():
        assert sorted(done) == [0, 1, 2, 3, 4]


def test_bulk_writers_empty_the_log_themselves_so_that_no_page_has_to(on_sqlite: Database) -> None:
    """What stands in the database file after a checkpoint only: the size of the file tells that there was one."""
    path = on_sqlite.sqlite_path
    with writing_session(on_sqlite) as session:
        organization_id = create_organization(session, "harbour", "Harbour Ltd", "Europe/London", "GB").id
        session.commit()
    before = path.stat().st_size

    rows = [(organization_id, number, 0, 0, b"", False, 0) for number in range(12_000)]
    columns = ("organization_id", "id", "byte_count", "stored_count", "digest", "complete", "created_at")
    with bulk_transaction(on_sqlite, organization_id) as transaction:
        transaction.insert("stored_file", columns, rows)
        assert path.stat().st_size == before
    assert path.stat().st_size > before
    assert transaction.ended is not None
