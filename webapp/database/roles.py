"""PostgreSQL's roles: the owner, who makes tables; the web role, bound by row-level security; the staff role; the
dump role, by which backups read.

init-db makes the roles that DATABASE_URL, DATABASE_STAFF_URL and DATABASE_DUMP_URL name, and grants; upgrade-db grants
again, for new tables. The web role owns nothing, makes nothing and cannot step past row-level security: checked at
every start.
"""

from typing import Any

from sqlalchemy import Connection
from sqlalchemy.engine import make_url
from sqlalchemy.engine.url import URL

from config import Settings
from webapp.database.staff_rights import ACROSS, CONSOLE, DETAIL, DETAIL_COLUMNS

#: Tables that say what the database is: only init-db and upgrade-db write them.
READ_ONLY_TABLES = ("installation", "schema_upgrade")
#: Tables of the audit: the web role appends, moves the head on, and may erase words (with their salt), no more; of
#: events it deletes those alone that a checkpoint covers: a trigger refuses the rest. Published policies stay.
FEWER_RIGHTS = {
    "audit_event": "SELECT, INSERT, DELETE",
    "audit_detail": "SELECT, INSERT, DELETE, UPDATE (words, salt)",
    "audit_head": "SELECT, INSERT, UPDATE, DELETE",
    "audit_checkpoint": "SELECT, INSERT",
    "policy_version": "SELECT, INSERT",
}
#: Ends of the names of the policies that are written here, since they name roles that schema.sql does not know.
STAFF, DUMP = "staff", "dump"
#: user_account is global: of its rows staff see those of people in the organization that is open.
_OF_ITS_PEOPLE = " AND EXISTS (SELECT 1 FROM membership AS its WHERE its.user_account_id = user_account.id)"


def check_owner(settings: Settings, error: type[Exception]) -> None:
    """Raise `error` when the settings name no owner apart from the web role."""
    if settings.database_owner_url is None:
        raise error(
            "DATABASE_OWNER_URL is not set. On PostgreSQL the tables belong to a role of their own, which only init-db "
            "and upgrade-db use: DATABASE_OWNER_URL=postgresql://owner:password@host/name. It needs CREATEROLE to make "
            "the web role, or make that one yourself: CREATE ROLE ... LOGIN."
        )
    owner, web = make_url(settings.database_owner_url), make_url(settings.database_url)
    if owner.username == web.username:
        raise error(
            f"DATABASE_OWNER_URL and DATABASE_URL both sign in as {web.username!r}: the service must not own tables. "
            "Name another role in DATABASE_URL; init-db makes it."
        )
    if (owner.host, owner.port or 5432, owner.database) != (web.host, web.port or 5432, web.database):
        raise error("DATABASE_OWNER_URL and DATABASE_URL name different databases. They must differ in the role only.")
    others = {make_url(url).username for url in (settings.database_url, settings.database_staff_url) if url}
    if settings.database_dump_url and make_url(settings.database_dump_url).username in others:
        raise error(
            "DATABASE_DUMP_URL names a role that serves people: it would be given every customer's rows. "
            "Name another one; init-db makes it."
        )


def make_roles(connection: Connection, settings: Settings) -> None:
    """Make the web, staff and dump role where they are not there yet. An existing role keeps its password."""
    for url in (*_role_urls(settings), *_dump_urls(settings)):
        if url.username and not _exists(connection, url.username):
            password = f" PASSWORD '{_verifier(connection, url)}'" if url.password else ""
            connection.exec_driver_sql(
                f"CREATE ROLE {_quoted(connection, url.username)} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE{password}"
            )


def grant(connection: Connection, settings: Settings) -> None:
    """Give each role what it needs in this database, and no more, whatever it had."""
    database = connection.exec_driver_sql("SELECT quote_ident(current_database())").scalar_one()
    schema = connection.exec_driver_sql("SELECT quote_ident(current_schema())").scalar_one()
    connection.exec_driver_sql(f"REVOKE CREATE ON SCHEMA {schema} FROM PUBLIC")
    web, *staff = [_quoted(connection, url.username) for url in _role_urls(settings) if url.username]
    dump = [_quoted(connection, url.username) for url in _dump_urls(settings) if url.username]
    for role in (web, *staff, *dump):
        connection.exec_driver_sql(f"REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM {role}")
        connection.exec_driver_sql(f"REVOKE CREATE ON SCHEMA {schema} FROM {role}")
        connection.exec_driver_sql(f"GRANT CONNECT ON DATABASE {database} TO {role}")
        connection.exec_driver_sql(f"GRANT USAGE ON SCHEMA {schema} TO {role}")
    # Bulk writing stages rows in a temporary table: COPY into one under row-level security is refused.
    connection.exec_driver_sql(f"GRANT TEMPORARY ON DATABASE {database} TO {web}")
    for table, kind in _relations(connection):
        writes = kind in ("r", "p") and table not in READ_ONLY_TABLES
        usual = "SELECT, INSERT, UPDATE, DELETE" if writes else "SELECT"
        words = FEWER_RIGHTS.get(table, usual)
        connection.exec_driver_sql(f"GRANT {words} ON {schema}.{_quoted(connection, table)} TO {web}")
    for role in staff:
        _grant_console(connection, schema, role)
    for role in dump:
        _grant_dump(connection, schema, role)


def _grant_console(connection: Connection, schema: str, role: str) -> None:
    """Counts and settings, and the rows that an organization opens: its usual policies and staff_may_read() both.

    An upgrade that is on its way to the schema of this code has not all of it yet.
    """
    there = {table for table, _kind in _relations(connection)}
    for table, columns in CONSOLE.items():
        if table in there:
            names = f" ({', '.join(columns)})" if columns else ""
            connection.exec_driver_sql(f"GRANT SELECT{names} ON {schema}.{table} TO {role}")
    if "access_grant" not in there:
        return
    for table in ACROSS:
        _write_policy(connection, table, f"FOR SELECT TO {role} USING (true)")
    for table, areas in DETAIL.items():
        if table not in there:
            continue
        columns = DETAIL_COLUMNS.get(table, ())
        names = f" ({', '.join(columns)})" if columns else ""
        connection.exec_driver_sql(f"GRANT SELECT{names} ON {schema}.{table} TO {role}")
        opened = f"staff_may_read({int(areas)})" + (_OF_ITS_PEOPLE if table == "user_account" else "")
        _write_policy(connection, table, f"AS RESTRICTIVE FOR SELECT TO {role} USING ({opened})")


def _grant_dump(connection: Connection, schema: str, role: str) -> None:
    """Backups read everything, and change nothing. By policies: BYPASSRLS only a superuser could give."""
    connection.exec_driver_sql(f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role}")
    for table in _with_row_security(connection):
        _write_policy(connection, table, f"FOR SELECT TO {role} USING (true)", DUMP)


def list_dump_problems(connection: Connection) -> list[str]:
    """Why a dump by the role of this connection would not be whole. Empty: it reads every row of every table."""
    if connection.exec_driver_sql(
        "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user"
    ).scalar_one():
        return []
    missing = connection.exec_driver_sql(
        "SELECT relname FROM pg_class AS its WHERE relkind IN ('r', 'p')"
        " AND relnamespace = current_schema()::regnamespace AND (NOT has_table_privilege(its.oid, 'SELECT')"
        " OR relrowsecurity AND NOT EXISTS (SELECT 1 FROM pg_policies WHERE schemaname = current_schema()"
        " AND tablename = relname AND policyname = relname || '_of_dump' AND qual = 'true'"
        " AND current_user = ANY (roles))) ORDER BY relname"
    )
    return [name for (name,) in missing]


def _with_row_security(connection: Connection) -> list[str]:
    rows = connection.exec_driver_sql(
        "SELECT relname FROM pg_class WHERE relrowsecurity AND relnamespace = current_schema()::regnamespace"
    )
    return [name for (name,) in rows]


def _write_policy(connection: Connection, table: str, words: str, whose: str = STAFF) -> None:
    connection.exec_driver_sql(f"DROP POLICY IF EXISTS {table}_of_{whose} ON {table}")
    connection.exec_driver_sql(f"CREATE POLICY {table}_of_{whose} ON {table} {words}")


def list_problems(connection: Connection) -> list[str]:
    """Why the role of this connection must not serve people. Empty: it may."""
    role = connection.exec_driver_sql(
        "SELECT rolname, rolsuper, rolbypassrls, rolcreaterole FROM pg_roles WHERE rolname = current_user"
    ).one()
    owned = connection.exec_driver_sql(
        "SELECT count(*) FROM pg_class WHERE relnamespace = current_schema()::regnamespace"
        " AND relkind IN ('r', 'p', 'v') AND pg_has_role(current_user, relowner, 'MEMBER')"
    ).scalar_one()
    creates = connection.exec_driver_sql("SELECT has_schema_privilege(current_schema(), 'CREATE')").scalar_one()
    name = f"The role {role.rolname!r} of DATABASE_URL"
    if role.rolsuper or role.rolbypassrls or role.rolcreaterole:
        return [
            f"{name} is a superuser, has BYPASSRLS or CREATEROLE: it could read every customer's rows. Give another."
        ]
    if owned:
        return [
            f"{name} owns tables: it could lift row-level security. Give another; the owner is DATABASE_OWNER_URL's."
        ]
    if creates:
        return [f"{name} may create tables. Run `flask init-db` again: it takes that away."]
    return []


def _role_urls(settings: Settings) -> list[URL]:
    urls = [settings.database_url, settings.database_staff_url]
    return [make_url(url) for url in urls if url]


def _dump_urls(settings: Settings) -> list[URL]:
    return [make_url(settings.database_dump_url)] if settings.database_dump_url else []


def _exists(connection: Connection, role: str) -> bool:
    names = {name for (name,) in connection.exec_driver_sql("SELECT rolname FROM pg_roles")}
    return role in names


def _relations(connection: Connection) -> list[tuple[str, str]]:
    """Name and kind of every table and view of the schema that this role owns."""
    rows = connection.exec_driver_sql(
        "SELECT relname, relkind FROM pg_class WHERE relnamespace = current_schema()::regnamespace"
        " AND relkind IN ('r', 'p', 'v') AND pg_has_role(current_user, relowner, 'USAGE')"
    )
    return [(name, kind if isinstance(kind, str) else kind.decode()) for name, kind in rows]


def _quoted(connection: Connection, name: str) -> str:
    return connection.dialect.identifier_preparer.quote_identifier(name)


def _verifier(connection: Connection, url: URL) -> str:
    """The password as PostgreSQL keeps it: made here, so that the password itself is in no statement and no log."""
    driver: Any = connection.connection.dbapi_connection
    password, user = str(url.password).encode(), str(url.username).encode()
    return bytes(driver.pgconn.encrypt_password(password, user, b"scram-sha-256")).decode("ascii")
