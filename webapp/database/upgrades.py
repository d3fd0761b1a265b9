"""Brings an older database to the schema of this code. Called by `flask upgrade-db`.

Each file of upgrade_files.py runs in a transaction of its own, under a lock, and lands with its row in schema_upgrade
and the new number in installation; a file that fails leaves nothing behind.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, select
from sqlalchemy.exc import DBAPIError

from config import Settings
from webapp import clock
from webapp.database import roles
from webapp.database.engine import Database
from webapp.database.installation import (
    Installation,
    InstallationError,
    SchemaUpgrade,
    lock_for_change,
    open_as_owner,
    read_installation,
)
from webapp.database.schema import statements
from webapp.database.upgrade_files import UpgradeFile, list_upgrade_files


def upgrade(settings: Settings, folder: Path | None = None) -> list[str]:
    """Apply every upgrade that is not applied yet; the names of those applied now. Raises InstallationError."""
    database = open_as_owner(settings)
    if database.dialect == "sqlite" and not database.sqlite_path.exists():
        raise InstallationError(f"There is no database at {database.sqlite_path} yet. Run `flask init-db`.")
    applied = []
    try:
        files = list_upgrade_files(database.dialect, folder)
        _check_history(database, files)
        for file in files:
            try:
                if _apply(database, settings, file):
                    applied.append(f"{file.version:04d}_{file.name}")
            except DBAPIError as error:
                reason = str(error.orig).strip().splitlines()[0]
                raise InstallationError(
                    f"Upgrade {file.version:04d}_{file.name} failed and changed nothing: {reason}. "
                    f"The database is as it was at schema {file.version - 1}; the Callbook that you had still runs."
                ) from error
    finally:
        database.dispose()
    return applied


def _check_history(database: Database, files: list[UpgradeFile]) -> None:
    """Refuse a database that is newer than this code, or that was upgraded by other files than these."""
    by_version = {file.version: file for file in files}
    with database.reading.connect() as connection:
        installation = read_installation(connection)
        if installation is None:
            raise InstallationError("The database is empty. Run `flask init-db`.")
        if installation.schema_version > len(files):
            raise InstallationError(
                f"The database has schema {installation.schema_version}, this version of Callbook knows only "
                f"{len(files)}. Install the newer version of Callbook again."
            )
        for row in connection.execute(select(SchemaUpgrade.__table__)):
            if row.checksum != by_version[row.version].checksum:
                raise InstallationError(
                    f"The file of upgrade {row.version:04d}_{row.name} is not the one that was applied to this "
                    "database. Install Callbook again from its release; nothing was changed."
                )


def _apply(database: Database, settings: Settings, file: UpgradeFile) -> bool:
    """Run one file if it is the next one. False when the database has it already."""
    with database.writing.connect() as connection, _foreign_keys_off(connection), connection.begin():
        lock_for_change(connection)
        installation = read_installation(connection)
        assert installation is not None
        if installation.schema_version >= file.version:
            return False
        if connection.dialect.name == "postgresql":
            with row_security_lifted(connection):
                _run(connection, file)
            roles.grant(connection, settings)
        else:
            _run(connection, file)
            _check_foreign_keys(connection, file)
        connection.execute(Installation.__table__.update().values(schema_version=file.version))  # type: ignore[attr-defined]
        connection.execute(
            SchemaUpgrade.__table__.insert().values(  # type: ignore[attr-defined]
                version=file.version, name=file.name, checksum=file.checksum, applied_at=clock.now()
            )
        )
    return True


def _run(connection: Connection, file: UpgradeFile) -> None:
    # A statement at a time: executescript() would commit what stands before it.
    for statement in statements(file.text, connection.dialect.name):
        connection.exec_driver_sql(statement, execution_options={"no_parameters": True})


@contextmanager
def _foreign_keys_off(connection: Connection) -> Iterator[None]:
    """SQLite: a table that others refer to can only be rebuilt so, and the switch works outside a transaction only."""
    raw = connection.connection.dbapi_connection
    if not isinstance(raw, sqlite3.Connection):
        yield
        return
    raw.execute("PRAGMA foreign_keys = OFF")
    try:
        yield
    finally:
        raw.execute("PRAGMA foreign_keys = ON")


def _check_foreign_keys(connection: Connection, file: UpgradeFile) -> None:
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
    if broken is not None:
        raise InstallationError(
            f"Upgrade {file.version:04d}_{file.name} would leave rows of {broken[0]} that refer to nothing: "
            "nothing was changed."
        )


@contextmanager
def row_security_lifted(connection: Connection) -> Iterator[None]:
    """The owner sees every row inside, and FORCE stands again before the commit.

    Under FORCE an UPDATE by the owner changes nothing and says nothing; with row_security = off, what a policy would
    still narrow is an error instead of silence.
    """
    connection.exec_driver_sql("SET LOCAL row_security = off")
    connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
    for table in _tables_with_row_security(connection):
        connection.exec_driver_sql(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
    yield
    for table in _tables_with_row_security(connection):
        connection.exec_driver_sql(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")


def _tables_with_row_security(connection: Connection) -> list[str]:
    """Quoted names."""
    names = connection.exec_driver_sql(
        "SELECT quote_ident(relname) FROM pg_class"
        " WHERE relrowsecurity AND relnamespace = current_schema()::regnamespace"
    )
    return [name for (name,) in names]
