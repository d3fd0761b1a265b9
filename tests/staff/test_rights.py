"""The console's connections, by SQL written by hand: without a grant they see no row of anybody's details.

On PostgreSQL as the staff role, on SQLite on a connection with its authorizer: the same statements on both.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from tests.cast import Cast
from tests.house.test_schema import WRITTEN
from tests.make import Make
from webapp.calls.models import Call
from webapp.clock import now
from webapp.database.engine import Database
from webapp.database.staff_rights import CONSOLE, DETAIL, EVERYTHING, NOTHING, Area
from webapp.tenancy.row_security import set_local
from webapp.tenancy.sessions import staff_session

Row = tuple[Any, ...]


@contextmanager
def by_hand(staff_database: Database, organization_id: int | None, staff_id: int | None = None) -> Iterator[Any]:
    with staff_database.reading.connect() as connection, connection.begin():
        set_local(connection, organization_id, None, staff_id)
        yield connection


def rows(staff_database: Database, sql: str, organization_id: int, staff_id: int | None = None) -> list[Row] | None:
    """None where the database refuses the statement."""
    try:
        with by_hand(staff_database, organization_id, staff_id) as connection:
            return list(connection.exec_driver_sql(sql).all())
    except DBAPIError as error:
        if not any(word in str(error.orig) for word in ("permission denied", "prohibited", "not authorized")):
            raise
        return None


@pytest.fixture
def filled(make: Make, cast: Cast) -> Cast:
    """With a row in each table that a call and its phone system bring."""
    pbx = make.pbx()
    make.call(pbx=pbx, caller="+442079460123", callee="201", talk=60)
    make.import_file(pbx)
    make.destination("Reception")
    make.number()
    return cast


@pytest.mark.parametrize("table", sorted(set(WRITTEN) - set(CONSOLE)))
def test_without_a_grant_no_row_of_a_table(table: str, filled: Cast, staff_database: Database) -> None:
    for sql in (f"SELECT * FROM {table}", f"SELECT count(*) FROM {table} HAVING count(*) > 0"):
        for staff_id in (None, filled.stella.id):
            assert not rows(staff_database, sql, filled.harbour.id, staff_id)


@pytest.mark.parametrize("table", sorted(CONSOLE))
def test_counts_and_settings_can_be_read(table: str, filled: Cast, staff_database: Database) -> None:
    columns = CONSOLE[table]
    assert rows(staff_database, f"SELECT {', '.join(columns or ['*'])} FROM {table}", filled.harbour.id) is not None


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT payload FROM job",
        "SELECT to_address FROM outbox_message",
        "SELECT words FROM outbox_message",
        "SELECT cause FROM outbox_message",
        "SELECT digits FROM party WHERE id IN (SELECT party_id FROM call_party)",
        "SELECT (SELECT count(*) FROM call) FROM organization",
        "SELECT * FROM call_log",
        "WITH hidden AS (SELECT * FROM call) SELECT count(*) FROM hidden HAVING count(*) > 0",
        "SELECT email FROM user_account",
        "SELECT password_digest FROM user_account",
        "SELECT words FROM audit_detail",
        "SELECT * FROM access_grant",
    ],
)
def test_no_way_round(sql: str, filled: Cast, staff_database: Database) -> None:
    found = rows(staff_database, sql, filled.harbour.id)
    assert not found or set(found) == {(0,)}


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO access_opening (organization_id, id) VALUES (1, 1)",
        "UPDATE organization SET state = 1",
        "DELETE FROM access_request",
        "CREATE TABLE mine (id INTEGER)",
        "CREATE VIEW mine AS SELECT * FROM call",
        "CREATE TEMP TABLE mine AS SELECT * FROM call",
        "DROP TABLE call",
    ],
)
def test_it_writes_nothing(sql: str, filled: Cast, staff_database: Database) -> None:
    with pytest.raises(DBAPIError), by_hand(staff_database, filled.harbour.id) as connection:
        connection.exec_driver_sql(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "ATTACH DATABASE ':memory:' AS other",
        "PRAGMA writable_schema = 1",
        "SELECT sql FROM sqlite_master",
        "SELECT rolpassword FROM pg_authid",
        "SELECT pg_read_file('/etc/hostname')",
        "SET ROLE callbook_owner",
    ],
)
def test_the_database_is_not_opened_wider(sql: str, filled: Cast, staff_database: Database) -> None:
    """Each is refused on the engine that it is of, and means nothing on the other."""
    with pytest.raises(DBAPIError), by_hand(staff_database, filled.harbour.id) as connection:
        connection.exec_driver_sql(sql)


@pytest.mark.parametrize("area", list(Area))
def test_an_area_opens_its_tables_and_no_other(area: Area, filled: Cast, make: Make, staff_database: Database) -> None:
    make.opening(make.grant(filled.olive, area), filled.stella)
    open_tables = {table for table, areas in DETAIL.items() if areas & area}

    with staff_session(staff_database, filled.harbour.id, filled.stella.id, area) as session:
        found = session.scalars(select(Call)).all() if "call" in open_tables else None
        assert found is None or len(found) == 1
    for table in set(DETAIL) - open_tables:
        assert not rows(staff_database, f"SELECT * FROM {table}", filled.harbour.id, filled.stella.id)


def count_calls(staff_database: Database, organization_id: int, staff_id: int, areas: Area = Area.CALLS) -> int:
    """0 where the database refuses."""
    try:
        with staff_session(staff_database, organization_id, staff_id, areas) as session:
            return len(session.scalars(select(Call)).all())
    except DBAPIError:
        return 0


@pytest.mark.postgresql
def test_the_database_itself_asks_for_a_live_grant(filled: Cast, make: Make, staff_database: Database) -> None:
    harbour, stella, moment = filled.harbour.id, filled.stella, now()
    assert count_calls(staff_database, harbour, stella.id) == 0
    live = make.grant(filled.olive, Area.CALLS)
    assert count_calls(staff_database, harbour, stella.id) == 0, "allowed and not opened"

    for grant, fields in (
        (make.grant(filled.olive, Area.CALLS, ended_at=moment, ended_by=filled.olive.id), {}),
        (make.grant(filled.olive, Area.CALLS, ends_at=moment - timedelta(seconds=1)), {}),
        (make.grant(filled.olive, Area.CALLS, starts_at=moment + timedelta(hours=1)), {}),
        (make.grant(filled.olive, EVERYTHING & ~Area.CALLS), {}),
        (live, {"until_at": moment - timedelta(seconds=1)}),
        (live, {"ended_at": moment}),
    ):
        make.opening(grant, stella, **fields)
        assert count_calls(staff_database, harbour, stella.id) == 0, (grant.areas, fields)
    make.opening(live, stella)
    assert count_calls(staff_database, harbour, stella.id) == 1
    assert count_calls(staff_database, harbour, filled.steven.id) == 0, "another member of staff"


def test_a_grant_of_one_organization_gives_nothing_on_another(
    filled: Cast, make: Make, staff_database: Database
) -> None:
    other = make.at(filled.quayside)
    other.call(pbx=other.pbx(), caller="+33145678901", callee="301")
    make.opening(make.grant(filled.olive), filled.stella)

    with staff_session(staff_database, filled.harbour.id, filled.stella.id, EVERYTHING) as session:
        assert {call.organization_id for call in session.scalars(select(Call))} == {filled.harbour.id}
    if staff_database.dialect == "postgresql":
        assert count_calls(staff_database, filled.quayside.id, filled.stella.id, EVERYTHING) == 0


def test_a_connection_forgets_what_was_open_on_it(filled: Cast, make: Make, staff_database: Database) -> None:
    make.opening(make.grant(filled.olive), filled.stella)
    for _ in range(3):
        assert count_calls(staff_database, filled.harbour.id, filled.stella.id) == 1
        assert not rows(staff_database, "SELECT * FROM call", filled.harbour.id)
        assert count_calls(staff_database, filled.harbour.id, filled.stella.id, NOTHING) in (
            (0,) if staff_database.dialect == "sqlite" else (0, 1)
        )
