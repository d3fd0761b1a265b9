"""SECURITY 24, 25, 26 on PostgreSQL: the second lock, asked as the web role through bare connections."""

import re
from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy import event, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from config import Settings
from tests import postgresql
from tests.cast import Cast
from tests.make import Make
from webapp.calls.models import Pbx
from webapp.database import roles
from webapp.database.engine import Database
from webapp.database.installation import check_start
from webapp.database.schema import SCHEMA_FILE
from webapp.database.staff_rights import ACROSS, CONSOLE, DETAIL
from webapp.tenancy.models import Membership
from webapp.tenancy.row_security import set_local
from webapp.tenancy.sessions import reading_session, writing_session

pytestmark = pytest.mark.postgresql

TENANT_TABLES = {
    match[1] for match in re.finditer(r"CREATE TABLE (\w+) \(\s*organization_id", SCHEMA_FILE.read_text("utf-8"))
}


@pytest.fixture
def both(make: Make, cast: Cast) -> tuple[Pbx, Pbx]:
    return make.pbx("Ours"), make.at(cast.quayside).pbx("Theirs")


@pytest.fixture
def owner(settings: Settings) -> Iterator[Database]:
    assert settings.database_owner_url
    database = Database(settings.database_owner_url, pool_size=1)
    yield database
    database.dispose()


@pytest.fixture
def narrow(settings: Settings) -> Iterator[Database]:
    """A pool of one connection: whatever a request leaves behind, the next one meets."""
    database = Database(settings.database_url, pool_size=1)
    yield database
    database.dispose()


def test_security_24_every_tenant_table_forces_row_level_security(owner: Database) -> None:
    with owner.reading.connect() as connection:
        forced = set(
            connection.execute(
                text("SELECT relname FROM pg_class WHERE relkind = 'r' AND relrowsecurity AND relforcerowsecurity")
            ).scalars()
        )

    assert TENANT_TABLES
    # People are global: theirs is for the staff role alone, whose policy narrows it.
    assert forced == TENANT_TABLES | {"user_account"}


def test_security_24_every_policy_narrows_reading_and_writing(owner: Database) -> None:
    setting = "organization_id = (NULLIF(current_setting('app.organization_id'::text, true), ''::text))::bigint"
    with owner.reading.connect() as connection:
        rows = connection.execute(
            text("SELECT tablename, policyname, permissive, roles, cmd, qual, with_check FROM pg_policies")
        ).all()
    of_organization = {row.tablename: row for row in rows if row.policyname.endswith("_of_organization")}
    of_staff = {row.tablename: row for row in rows if row.policyname.endswith("_of_staff")}
    of_dump = {row.tablename: row for row in rows if row.policyname.endswith("_of_dump")}
    others = [row for row in rows if not row.policyname.endswith(("_of_organization", "_of_staff", "_of_dump"))]

    assert set(of_organization) == TENANT_TABLES
    for row in of_organization.values():
        assert row.cmd == "ALL"
        assert setting in row.qual
        assert setting in row.with_check
    # The one exception: a person finds their own memberships, and may only look. People themselves are global.
    assert {(row.tablename, row.cmd) for row in others} == {("membership", "SELECT"), ("user_account", "ALL")}
    assert all("app.user_account_id" in row.qual for row in others if row.tablename == "membership")
    # Backups read every row of every table, as a role of their own that writes none.
    assert set(of_dump) == TENANT_TABLES | {"user_account"}
    assert {(*row.roles, row.cmd, row.qual, row.permissive) for row in of_dump.values()} == {
        ("callbook_dump", "SELECT", "true", "PERMISSIVE")
    }
    # To the staff role every policy of an organization's rows is no more than half of what is asked.
    assert set(of_staff) == set(DETAIL) | set(ACROSS)
    for table, row in of_staff.items():
        assert "callbook_staff" in row.roles
        assert "public" not in row.roles
        assert row.cmd == "SELECT"
        assert (row.permissive == "RESTRICTIVE") == ("staff_may_read" in row.qual) == (table in DETAIL), table


def test_security_24_the_web_role_can_do_no_more_than_it_must(settings: Settings, database: Database) -> None:
    check_start(database, settings)
    with database.writing.connect() as connection:
        role = connection.execute(text("SELECT * FROM pg_roles WHERE rolname = current_user")).one()
        owned = connection.execute(text("SELECT relname FROM pg_class WHERE relowner = current_user::regrole")).all()
        granted = connection.execute(
            text(
                "SELECT table_name, privilege_type FROM information_schema.role_table_grants"
                " WHERE grantee = current_user"
            )
        ).all()

    assert (role.rolsuper, role.rolbypassrls) == (False, False)
    assert (role.rolcreaterole, role.rolcreatedb, role.rolreplication) == (False, False, False)
    assert owned == []
    assert {privilege for _, privilege in granted} == {"SELECT", "INSERT", "UPDATE", "DELETE"}
    for table in (*roles.READ_ONLY_TABLES, "call_log"):
        assert {privilege for name, privilege in granted if name == table} == {"SELECT"}


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE mine (id INTEGER)",
        "CREATE VIEW mine AS SELECT * FROM pbx",
        "ALTER TABLE pbx NO FORCE ROW LEVEL SECURITY",
        "ALTER TABLE pbx DISABLE ROW LEVEL SECURITY",
        "DROP POLICY pbx_of_organization ON pbx",
        "DROP TABLE pbx",
        "TRUNCATE pbx",
        "UPDATE installation SET holds_demo = true",
        "DELETE FROM schema_upgrade",
        "SET ROLE callbook_owner",
        "ALTER ROLE callbook_web BYPASSRLS",
    ],
)
def test_security_24_the_web_role_cannot_step_past_it(
    statement: str, database: Database, both: tuple[Pbx, Pbx]
) -> None:
    with (
        database.writing.connect() as connection,
        pytest.raises(DBAPIError, match=r"must be owner|permission denied|must be superuser|privilege"),
    ):
        connection.execute(text(statement))


def test_even_the_owner_sees_nothing_without_the_setting(owner: Database, both: tuple[Pbx, Pbx]) -> None:
    with owner.writing.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM pbx")).scalar_one() == 0
        assert connection.execute(text("UPDATE pbx SET name = 'x'")).rowcount == 0


@pytest.mark.parametrize("setting", [None, "''"])
def test_security_25_no_setting_means_no_rows(setting: str | None, database: Database, both: tuple[Pbx, Pbx]) -> None:
    with database.writing.connect() as connection:
        if setting is not None:
            connection.execute(text(f"SET LOCAL app.organization_id = {setting}"))
        for table in sorted(TENANT_TABLES):
            assert connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one() == 0
        assert connection.execute(text("SELECT count(*) FROM call_log")).scalar_one() == 0


def test_security_24_with_it_the_rows_of_one_organization(
    database: Database, cast: Cast, both: tuple[Pbx, Pbx]
) -> None:
    with database.writing.connect() as connection:
        set_local(connection, cast.harbour.id, None)
        assert list(connection.execute(text("SELECT name FROM pbx")).scalars()) == ["Ours"]
        assert connection.execute(text("UPDATE pbx SET area_code = '0999'")).rowcount == 1
        assert connection.execute(text("DELETE FROM pbx WHERE name = 'Theirs'")).rowcount == 0


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE pbx SET organization_id = :theirs",
        "INSERT INTO call_search SELECT :theirs, 1, 1, '{}', now()",
        "INSERT INTO membership SELECT :theirs, user_account_id, invitation_id, role, numbers, may_export, narrowed,"
        " ends_at, last_used_at, created_at FROM membership",
    ],
)
def test_security_24_a_row_of_another_organization_is_refused(
    statement: str, database: Database, cast: Cast, both: tuple[Pbx, Pbx]
) -> None:
    with database.writing.connect() as connection:
        set_local(connection, cast.harbour.id, None)
        with pytest.raises(DBAPIError, match="row-level security"):
            connection.execute(text(statement), {"theirs": cast.quayside.id})


def test_a_plain_session_is_narrowed_by_the_second_lock_alone(database: Database, both: tuple[Pbx, Pbx]) -> None:
    with Session(database.reading) as session:
        assert session.scalars(select(Pbx.name)).all() == []


def test_security_25_the_setting_never_leaks(narrow: Database, cast: Cast, both: tuple[Pbx, Pbx]) -> None:
    """Over one pooled connection: Harbour, an error, Quayside, nobody."""

    def seen() -> list[str]:
        with narrow.reading.connect() as connection:
            return list(connection.execute(text("SELECT name FROM pbx")).scalars())

    with reading_session(narrow, cast.harbour.id) as session:
        assert list(session.scalars(select(Pbx.name))) == ["Ours"]
    assert seen() == []
    with writing_session(narrow, cast.harbour.id) as session:
        session.scalars(select(Pbx)).one().name = None  # type: ignore[assignment]
        with pytest.raises(DBAPIError):
            session.flush()
    assert seen() == []
    with reading_session(narrow, cast.quayside.id) as session:
        assert list(session.scalars(select(Pbx.name))) == ["Theirs"]
    with writing_session(narrow, cast.harbour.id) as session:
        session.scalars(select(Pbx)).one().area_code = "0111"
        session.commit()
    assert seen() == []
    with reading_session(narrow) as session:
        session.bind_person(cast.quentin.id)
        assert len(session.scalars(select(Membership)).all()) == 1
    with narrow.reading.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM membership")).scalar_one() == 0


def test_security_25_a_connection_killed_in_mid_transaction_leaves_nothing(
    narrow: Database, settings: Settings, cast: Cast, both: tuple[Pbx, Pbx]
) -> None:
    with writing_session(narrow, cast.harbour.id) as session:
        session.scalars(select(Pbx)).one().area_code = "0222"
        session.flush()
        with postgresql.connect(settings.database_url) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()"
            )
        with pytest.raises((DBAPIError, psycopg.Error)):
            session.commit()
    narrow.engine.dispose()
    with narrow.reading.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM pbx")).scalar_one() == 0
    with reading_session(narrow, cast.harbour.id) as session:
        assert session.scalars(select(Pbx)).one().area_code != "0222"


def test_security_26_the_setting_is_set_local_with_an_integer(database: Database, cast: Cast) -> None:
    emitted: list[str] = []
    event.listen(database.engine, "before_cursor_execute", lambda _c, _u, sql, *_rest: emitted.append(sql))

    with reading_session(database, cast.harbour.id) as session:
        session.bind_person(cast.olive.id)
        session.scalars(select(Pbx)).all()

    settings = [sql for sql in emitted if "app." in sql]
    assert settings
    for sql in settings:
        assert re.fullmatch(
            r"SET LOCAL citus\.propagate_set_commands = 'local'"
            r"(; SET LOCAL app\.(organization|user_account)_id = '\d+')+",
            sql,
        )
    assert not any("set_config" in sql for sql in emitted)


def test_a_reading_session_is_read_only_in_the_database_too(
    database: Database, cast: Cast, both: tuple[Pbx, Pbx]
) -> None:
    with database.reading.connect() as connection:
        set_local(connection, cast.harbour.id, None)
        with pytest.raises(DBAPIError, match="read-only transaction"):
            connection.execute(text("UPDATE pbx SET area_code = '0333'"))


def test_the_staff_role_sees_no_calls(settings: Settings, cast: Cast, both: tuple[Pbx, Pbx]) -> None:
    assert settings.database_staff_url
    with postgresql.connect(settings.database_staff_url) as connection:
        count = connection.execute("SELECT count(*) FROM organization").fetchone()
        assert count == (2,)
        connection.execute(f"SET app.organization_id = '{cast.harbour.id}'")  # type: ignore[arg-type]
        for table in sorted((TENANT_TABLES | {"user_account", "web_session", "throttle", "call_log"}) - set(CONSOLE)):
            if table in DETAIL:
                assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)  # type: ignore[arg-type]
                continue
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(f"SELECT count(*) FROM {table}")  # type: ignore[arg-type]
