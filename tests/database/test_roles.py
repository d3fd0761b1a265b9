"""init-db makes PostgreSQL's roles; a role that could step past row-level security does not serve."""

import secrets
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import event
from sqlalchemy.engine import Engine, make_url

from config import Settings
from tests import postgresql
from webapp.database.installation import InstallationError, check_start, initialize, list_problems, open_database

pytestmark = pytest.mark.postgresql
PASSWORD = 'a pass\'word of "this" run'


@pytest.fixture
def named(fresh: Settings) -> Iterator[Settings]:
    """Settings that name a web and a staff role that are not there yet."""
    mark = secrets.token_hex(4)
    roles = {"web": f'Web "{mark}"', "staff": f"staff_{mark}"}
    urls = {
        word: make_url(fresh.database_url).set(username=role, password=PASSWORD).render_as_string(hide_password=False)
        for word, role in roles.items()
    }
    yield replace(fresh, database_url=urls["web"], database_staff_url=urls["staff"])
    assert fresh.database_owner_url
    postgresql.drop_database(str(make_url(fresh.database_owner_url).database))
    for role in roles.values():
        as_server_owner("DROP ROLE IF EXISTS {}", role)


def as_server_owner(statement: str, *names: str) -> None:
    with postgresql.connect(str(postgresql.server_url())) as connection:
        connection.execute(sql.SQL(statement).format(*(sql.Identifier(name) for name in names)))  # type: ignore[arg-type]


def role_of(url: str) -> str:
    return str(make_url(url).username)


def test_init_db_makes_the_roles_that_the_urls_name(named: Settings) -> None:
    initialize(named)

    database = open_database(named)
    check_start(database, named)
    database.dispose()
    assert named.database_staff_url
    with postgresql.connect(named.database_staff_url) as connection:
        assert connection.execute("SELECT count(*) FROM organization").fetchone() == (0,)


def test_the_password_is_the_one_of_the_url(named: Settings) -> None:
    initialize(named)
    if not postgresql.is_throwaway():
        return  # a server that was given decides by itself whom it asks for a password
    as_server_owner("GRANT {} TO {}", postgresql.ASKED, role_of(named.database_url))

    with postgresql.connect(named.database_url) as connection:
        assert connection.execute("SELECT current_user::text").fetchone() == (role_of(named.database_url),)
    wrong = make_url(named.database_url).set(password="another").render_as_string(hide_password=False)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        postgresql.connect(wrong)


def test_the_password_is_in_no_statement(named: Settings) -> None:
    emitted: list[str] = []

    def listen(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        emitted.append(statement)

    event.listen(Engine, "before_cursor_execute", listen)
    try:
        initialize(named)
    finally:
        event.remove(Engine, "before_cursor_execute", listen)

    made = [statement for statement in emitted if statement.startswith("CREATE ROLE")]
    assert len(made) == 2
    assert all("SCRAM-SHA-256$" in statement for statement in made)
    assert not any("pass'word" in statement or "pass''word" in statement for statement in emitted)


def test_init_db_again_puts_grants_right(named: Settings) -> None:
    initialize(named)
    assert named.database_owner_url
    web = sql.Identifier(role_of(named.database_url))
    with postgresql.connect(named.database_owner_url) as connection:
        connection.execute(sql.SQL("GRANT UPDATE, TRUNCATE ON installation TO {}").format(web))
        connection.execute(sql.SQL("REVOKE SELECT ON call FROM {}").format(web))

    assert initialize(named) is False
    with postgresql.connect(named.database_url) as connection:
        assert connection.execute("SELECT count(*) FROM call").fetchone() == (0,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("UPDATE installation SET holds_demo = true")


def test_an_owner_must_be_named(fresh: Settings) -> None:
    with pytest.raises(InstallationError, match="DATABASE_OWNER_URL is not set"):
        initialize(replace(fresh, database_owner_url=None))


def test_owner_and_web_role_must_differ(fresh: Settings) -> None:
    assert fresh.database_owner_url
    with pytest.raises(InstallationError, match="both sign in as"):
        initialize(replace(fresh, database_url=fresh.database_owner_url))


def test_owner_and_web_role_must_mean_the_same_database(fresh: Settings) -> None:
    other = make_url(fresh.database_url).set(database="another").render_as_string(hide_password=False)
    with pytest.raises(InstallationError, match="different databases"):
        initialize(replace(fresh, database_url=other))


def test_a_role_that_owns_tables_does_not_serve(fresh: Settings) -> None:
    initialize(fresh)
    assert fresh.database_owner_url
    as_owner = replace(fresh, database_url=fresh.database_owner_url)

    database = open_database(as_owner)
    found = list_problems(database, as_owner)
    database.dispose()
    assert len(found) == 1
    assert "CREATEROLE" in found[0] or "owns tables" in found[0]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("ALTER ROLE {role} CREATEROLE", "CREATEROLE"),
        ("GRANT {owner} TO {role}", "owns tables"),
        ("GRANT CREATE ON SCHEMA public TO {role}", "may create tables"),
    ],
)
def test_a_role_that_could_step_past_the_lock_does_not_serve(given: str, words: str, named: Settings) -> None:
    initialize(named)
    assert named.database_owner_url
    names = {
        "role": sql.Identifier(role_of(named.database_url)),
        "owner": sql.Identifier(role_of(named.database_owner_url)),
    }
    with postgresql.connect(named.database_owner_url) as connection:
        connection.execute(sql.SQL(given).format(**names))  # type: ignore[arg-type]

    database = open_database(named)
    with pytest.raises(InstallationError, match=words):
        check_start(database, named)
    database.dispose()
