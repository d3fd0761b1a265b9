"""What the database itself says about its locks and columns, for the checks of policies/: read off the running engine.

Each function gives what is not as promised, in words that a customer may read; an empty list: all is.
"""

from collections.abc import Collection, Iterable
from functools import cache
from typing import Any

from sqlalchemy import Connection, Executable, bindparam, column, create_engine, func, select, table, text
from sqlalchemy.exc import DBAPIError

from webapp.database.engine import Database
from webapp.database.roles import DUMP, STAFF, list_problems
from webapp.database.schema import create_schema
from webapp.database.staff_rights import CONSOLE, DETAIL

_SETTING = "app.organization_id"
_FORCED = """SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p')
  AND relrowsecurity AND relforcerowsecurity"""
_RIGHTS = """SELECT relname, has_any_column_privilege(oid, 'SELECT') AS reads,
  has_table_privilege(oid, 'INSERT') OR has_table_privilege(oid, 'UPDATE')
  OR has_table_privilege(oid, 'DELETE') OR has_table_privilege(oid, 'TRUNCATE') AS writes
  FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p') ORDER BY relname"""
_POLICIES = """SELECT *, 'public' = ANY(roles) OR current_user = ANY(roles) AS is_ours FROM pg_policies
  WHERE schemaname = current_schema()"""
_READABLE = """SELECT each FROM unnest(CAST(:names AS text[])) AS each
  WHERE has_column_privilege(CAST(:table AS text), each, 'SELECT')"""
_COLUMNS = {
    "sqlite": """SELECT m.name, p.name FROM sqlite_master AS m JOIN pragma_table_info(m.name) AS p
      WHERE m.type = 'table'""",
    "postgresql": """SELECT relname, attname FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
      WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p')
      AND attnum > 0 AND NOT attisdropped""",
}
#: Policies beside those of the organization, with what they may do: people find their own memberships.
_OTHERS = {("membership", "membership_of_person"): "SELECT", ("user_account", "user_account_of_all"): "ALL"}
_OF_SQLITE = "sqlite_"


def list_open_locks(connection: Connection, tenant_tables: Collection[str]) -> list[str]:
    """On PostgreSQL: tables whose rows the database does not keep apart by organization, and rights of our role."""
    forced = set(connection.exec_driver_sql(_FORCED).scalars())
    found = [f"row-level security is off on the table {name}" for name in sorted({*tenant_tables} - forced)]
    narrowing: set[str] = set()
    for row in connection.exec_driver_sql(_POLICIES):
        if row.policyname == f"{row.tablename}_of_organization":
            if row.cmd == "ALL" and _SETTING in (row.qual or "") and _SETTING in (row.with_check or ""):
                narrowing.add(row.tablename)
        elif row.permissive == "PERMISSIVE" and not _is_known(row):
            found.append(f"the policy {row.policyname} opens the table {row.tablename} to more than its organization")
    found += [
        f"no policy narrows the table {name} to its organization" for name in sorted({*tenant_tables} - narrowing)
    ]
    if list_problems(connection):
        found.append("the service's own role in the database may step past these locks")
    return found


def _is_known(policy: Any) -> bool:
    if _OTHERS.get((policy.tablename, policy.policyname)) == policy.cmd:
        return True
    of_others = {f"{policy.tablename}_of_{whose}" for whose in (STAFF, DUMP)}
    return policy.policyname in of_others and policy.cmd == "SELECT" and not policy.is_ours


def list_console_rights(staff_database: Database) -> list[str]:
    """What the console's connections can do beyond staff_rights.py, with no organization's leave. Tried on the spot."""
    with staff_database.reading.connect() as connection:
        if staff_database.dialect == "sqlite":
            return _try_console(connection)
        return [*_console_role(connection), *_console_tables(connection), *_console_policies(connection)]


def _try_console(connection: Connection) -> list[str]:
    """On SQLite: each table that they must not read is asked for, and a row is deleted that is not there."""
    found = [
        f"the console can read the table {name} without a grant"
        for name in sorted({name for name, _column in known_columns()} - CONSOLE.keys())
        if _works(connection, select(func.count()).select_from(table(name)))
    ]
    found += [
        f"the console can read the column {name} of {table_name}"
        for table_name, name in _list_hidden()
        if _works(connection, select(column(name)).select_from(table(table_name)).limit(1))
    ]
    if _works(connection, text("DELETE FROM organization WHERE id IS NULL")):
        found.append("the console can write")
    return found


def _list_hidden() -> list[tuple[str, str]]:
    """Columns that the console may not read, of tables of which it may read others."""
    narrowed = {name: columns for name, columns in CONSOLE.items() if columns is not None}
    return sorted((name, each) for name, each in known_columns() if name in narrowed and each not in narrowed[name])


def _works(connection: Connection, statement: Executable) -> bool:
    try:
        connection.execute(statement).close()
    except DBAPIError:
        return False
    return True


def _console_role(connection: Connection) -> list[str]:
    if list_problems(connection):
        return ["the console's role in the database may step past its locks"]
    return []


def _console_tables(connection: Connection) -> list[str]:
    """On PostgreSQL: what the staff role may read and write, table by table, column by column."""
    found = []
    for row in connection.exec_driver_sql(_RIGHTS):
        if row.writes:
            found.append(f"the console can write into the table {row.relname}")
        if row.reads and row.relname not in CONSOLE and row.relname not in DETAIL:
            found.append(f"the console can read the table {row.relname}")
    hidden: dict[str, list[str]] = {}
    for name, each in _list_hidden():
        hidden.setdefault(name, []).append(each)
    for name, columns in hidden.items():
        readable = connection.execute(text(_READABLE), {"names": columns, "table": name})
        found += [f"the console can read the column {each} of {name}" for each in readable.scalars()]
    return found


def _console_policies(connection: Connection) -> list[str]:
    """On PostgreSQL: details ask for a live grant, in every table that holds them."""
    asking = connection.exec_driver_sql(
        "SELECT tablename FROM pg_policies WHERE schemaname = current_schema() AND permissive = 'RESTRICTIVE'"
        " AND cmd = 'SELECT' AND qual LIKE '%%staff_may_read(%%' AND current_user = ANY(roles)"
    )
    without = set(DETAIL) - set(asking.scalars())
    return [f"the console reads the table {name} without asking for a grant" for name in sorted(without)]


def list_strange_columns(connection: Connection) -> list[str]:
    """Tables and columns that are in the database and not in schema.sql: nobody said what they are for."""
    rows = connection.exec_driver_sql(_COLUMNS[connection.dialect.name])
    there = {(name, each) for name, each in rows if not name.startswith(_OF_SQLITE)}
    return [f"{name}.{each}" for name, each in sorted(there - known_columns())]


@cache
def known_columns() -> frozenset[tuple[str, str]]:
    """Every table with every column, as a database has them that is made of schema.sql anew."""
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        create_schema(connection)
        rows = connection.exec_driver_sql(_COLUMNS["sqlite"]).all()
    engine.dispose()
    return frozenset((name, each) for name, each in rows if not name.startswith(_OF_SQLITE))


def list_strange_features(connection: Connection, features: Iterable[str], since_day: int) -> list[str]:
    """Words among the counts of use, from that day on, that name no feature."""
    wanted = text("SELECT DISTINCT feature FROM feature_use WHERE day >= :day AND feature NOT IN :known LIMIT 3")
    wanted = wanted.bindparams(bindparam("known", value=list(features), expanding=True))
    return list(connection.execute(wanted, {"day": since_day}).scalars())


def oldest_feature_day(connection: Connection) -> int | None:
    """Of the counts of use; days since 1970."""
    return connection.exec_driver_sql("SELECT min(day) FROM feature_use").scalar()
