"""SECURITY 30: the database itself refuses to change the audit."""

import sqlite3
from contextlib import closing
from typing import Any

import psycopg
import pytest

from config import Settings
from tests import postgresql
from tests.cast import Cast
from webapp.database.engine import Database
from webapp.tenancy.row_security import set_local

HERE = "organization_id = {organization} AND position = 2"
ATTEMPTS = [
    f"UPDATE audit_event SET kind = 'x' WHERE {HERE}",
    f"UPDATE audit_event SET at = at WHERE {HERE}",
    f"DELETE FROM audit_event WHERE {HERE}",
    f"DELETE FROM audit_detail WHERE {HERE}",
    f"UPDATE audit_detail SET words = 'other' WHERE {HERE}",
    f"UPDATE audit_detail SET words = NULL, position = 99 WHERE {HERE}",
    f"UPDATE audit_detail SET words = NULL, organization_id = 0 WHERE {HERE}",
]
SALT = {"sqlite": "x'00'", "postgresql": "'\\x00'::bytea"}
NO_SALT = {"sqlite": "x''", "postgresql": "''::bytea"}


def attempts(dialect: str, organization_id: int) -> list[str]:
    more = [f"UPDATE audit_detail SET words = NULL, salt = {SALT[dialect]} WHERE {HERE}"]
    return [statement.format(organization=organization_id) for statement in ATTEMPTS + more]


def rows(database: Database, organization_id: int) -> list[Any]:
    with database.reading.connect() as connection:
        set_local(connection, organization_id, None)
        return [
            sorted(map(repr, connection.exec_driver_sql(f"SELECT * FROM {table}")))
            for table in ("audit_event", "audit_detail")
        ]


def refuse(database: Database, organization_id: int, statement: str) -> None:
    before = rows(database, organization_id)
    with database.writing.connect() as connection, connection.begin() as transaction:
        set_local(connection, organization_id, None)
        with pytest.raises(Exception, match=r"appended to, never changed|erased, never changed|permission denied"):
            connection.exec_driver_sql(statement)
        transaction.rollback()
    assert rows(database, organization_id) == before


def test_security_30_the_service_can_change_nothing(database: Database, cast: Cast) -> None:
    for statement in attempts(database.dialect, cast.harbour.id):
        refuse(database, cast.harbour.id, statement)


REPLACING = [
    "INSERT OR REPLACE INTO audit_event SELECT organization_id, position, 'x', at, 7, object_id, words_digest,"
    " previous_hash, row_hash FROM audit_event WHERE {here}",
    "REPLACE INTO audit_event SELECT organization_id, 99, 'x', at, 7, object_id, words_digest,"
    " previous_hash, row_hash FROM audit_event WHERE {here}",
    "INSERT INTO audit_event SELECT * FROM audit_event WHERE {here} ON CONFLICT DO UPDATE SET kind = 'x'",
    "UPDATE OR REPLACE audit_event SET position = 1 WHERE {here}",
    "INSERT OR REPLACE INTO audit_detail SELECT organization_id, position, salt, 'x' FROM audit_detail WHERE {here}",
]


@pytest.mark.parametrize("statement", REPLACING)
def test_security_30_replacing_on_sqlite(statement: str, settings: Settings, database: Database, cast: Cast) -> None:
    """Also for a program that has not switched recursive triggers on."""
    if database.dialect != "sqlite":
        return
    filled = statement.format(here=HERE.format(organization=cast.harbour.id))
    refuse(database, cast.harbour.id, filled)
    before = rows(database, cast.harbour.id)
    with closing(sqlite3.connect(database.sqlite_path)) as connection:
        with pytest.raises(sqlite3.IntegrityError, match="never changed"):
            connection.execute(filled)
    assert rows(database, cast.harbour.id) == before


@pytest.mark.parametrize("salt", ["", ", salt = {empty}"])
def test_security_30_words_can_be_erased(salt: str, database: Database, cast: Cast) -> None:
    with database.writing.connect() as connection, connection.begin():
        set_local(connection, cast.harbour.id, None)
        done = connection.exec_driver_sql(
            f"UPDATE audit_detail SET words = NULL{salt.format(empty=NO_SALT[database.dialect])}"
            f" WHERE {HERE.format(organization=cast.harbour.id)}"
        )
        assert done.rowcount == 1


@pytest.mark.postgresql
def test_security_30_nor_can_the_owner_on_postgresql(settings: Settings, cast: Cast) -> None:
    assert settings.database_owner_url
    with postgresql.connect(settings.database_owner_url) as connection:
        connection.execute(f"SET app.organization_id = '{cast.harbour.id}'")  # type: ignore[arg-type]
        for statement in attempts("postgresql", cast.harbour.id):
            with pytest.raises(psycopg.errors.RestrictViolation):
                connection.execute(statement)  # type: ignore[arg-type]


@pytest.mark.postgresql
def test_security_30_the_web_role_has_no_more_than_it_needs(settings: Settings, cast: Cast) -> None:
    with postgresql.connect(settings.database_url) as connection:
        found = connection.execute(
            "SELECT table_name, privilege_type FROM information_schema.table_privileges"
            " WHERE table_name LIKE 'audit%' AND grantee = current_user"
        ).fetchall()
        columns = connection.execute(
            "SELECT column_name FROM information_schema.column_privileges"
            " WHERE table_name = 'audit_detail' AND privilege_type = 'UPDATE' AND grantee = current_user"
        ).fetchall()
        for table in ("audit_event", "audit_detail", "audit_head"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(f"TRUNCATE {table} CASCADE")  # type: ignore[arg-type]
    rights: dict[str, set[str]] = {}
    for table, right in found:
        rights.setdefault(str(table), set()).add(str(right))
    assert rights == {
        "audit_event": {"SELECT", "INSERT", "DELETE"},  # of what a checkpoint covers: a trigger refuses the rest
        "audit_detail": {"SELECT", "INSERT", "DELETE"},
        "audit_head": {"SELECT", "INSERT", "UPDATE", "DELETE"},  # goes with an organization that left
        "audit_checkpoint": {"SELECT", "INSERT"},
        "audit_viewing": {"SELECT", "INSERT", "UPDATE", "DELETE"},
    }
    assert {str(name) for (name,) in columns} == {"words", "salt"}
