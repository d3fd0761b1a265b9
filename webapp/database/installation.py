"""What this database is: makes a new one, and says at start why an existing one may not be served.

`initialize` is `flask init-db` and the demo; `check_start` is called by wsgi.py and serving.py, `list_problems` by
`flask check`; commands open the database with `open_database` and decide for themselves.
"""

import hashlib
import hmac
import os
import secrets
from datetime import datetime
from pathlib import Path

from sqlalchemy import Boolean, Connection, Integer, LargeBinary, Text, inspect, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Mapped, mapped_column

from config import Settings
from webapp import clock
from webapp.database import roles
from webapp.database.base import Base
from webapp.database.engine import Database
from webapp.database.schema import create_schema
from webapp.database.types import Instant
from webapp.database.upgrade_files import newest_version

_KEY_CHECK_WORDS = b"callbook: is this the number key?"
_LOCK_NUMBER = 7_061_924_411  # any number: who initializes or upgrades holds this advisory lock
#: PostgreSQL: a table of nothing, which a restore makes in its empty database and drops when all is done. It is of no
#: schema and in no backup; while it is there nobody else makes, restores or serves anything here. SQLite: behind the
#: name of the file that a restore writes.
RESTORING = "restoring"
_HALF_RESTORED = (
    "A restore into this database did not end, or still runs: erased data may be back, and mails may go twice. If none "
    "runs, drop the database, make an empty one, and run `flask restore` again."
)


class Installation(Base):
    """The one row that says what this database is."""

    __tablename__ = "installation"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    schema_version: Mapped[int] = mapped_column(Integer)
    holds_demo: Mapped[bool] = mapped_column(Boolean)
    number_key_check: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(Instant)


class SchemaUpgrade(Base):
    """One applied upgrade file."""

    __tablename__ = "schema_upgrade"

    version: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    checksum: Mapped[str] = mapped_column(Text)
    applied_at: Mapped[datetime] = mapped_column(Instant)


class InstallationError(Exception):
    """The database cannot be made, upgraded or served. Its words say what happened and what to do."""


def open_database(settings: Settings, *, pool_size: int = 10) -> Database:
    """The database as the web role sees it. Connects at the first use, checks nothing."""
    return Database(settings.database_url, pool_size=pool_size)


def open_for_staff(settings: Settings) -> Database | None:
    """The database as the console sees it: on PostgreSQL as the staff role, on SQLite on guarded connections.

    None on PostgreSQL without DATABASE_STAFF_URL: then there is no console.
    """
    url = settings.database_url if settings.dialect == "sqlite" else settings.database_staff_url
    return Database(url, pool_size=5, for_staff=True) if url else None


def open_as_owner(settings: Settings) -> Database:
    """The database as its owner, who may change tables: on SQLite there is only one. Raises InstallationError."""
    if settings.dialect == "sqlite":
        return Database(settings.database_url, pool_size=1)
    roles.check_owner(settings, InstallationError)
    assert settings.database_owner_url
    return Database(settings.database_owner_url, pool_size=1)


def check_user(settings: Settings) -> None:
    """Asked first by commands that leave files: what root makes is closed to the service. Raises InstallationError."""
    owner = settings.data_dir.stat().st_uid if settings.data_dir.exists() else 0
    if os.geteuid() == 0 != owner:
        raise InstallationError(
            f"{settings.data_dir} belongs to user {owner}, and this is root: the service could not use what this "
            f"command would leave. Nothing was done. Run it as that user: sudo -u '#{owner}' ..."
        )


# ------------------------------------------------------------------------------------------------------- number key


def number_key_file(settings: Settings) -> Path:
    """Where the key of keyed hashes lies when NUMBER_KEY is not set. The demo has its own."""
    return settings.data_dir / ("demo_number_key" if settings.demo else "number_key")


def number_key(settings: Settings) -> bytes:
    """The key of every keyed hash of numbers and record ids. Raises InstallationError when there is none."""
    if settings.number_key is not None:
        return settings.number_key
    path = number_key_file(settings)
    try:
        key = bytes.fromhex(path.read_text("ascii").strip())
    except FileNotFoundError:
        raise InstallationError(
            f"NUMBER_KEY is not set and {path} is not there. A new database gets one from `flask init-db`; for an "
            "existing one put your copy of the file back: with another key no record is recognised again."
        ) from None
    except (OSError, ValueError) as error:
        raise InstallationError(
            f"{path} cannot be read as a key ({type(error).__name__}). Put your copy of it back."
        ) from None
    if len(key) < 32:
        raise InstallationError(f"{path} is too short for a key: put your copy of it back.")
    return key


def _make_number_key(settings: Settings) -> None:
    path = number_key_file(settings)
    if settings.number_key is not None or path.exists():
        return
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secrets.token_hex(32) + "\n")
        file.flush()
        os.fsync(file.fileno())


def number_key_check(key: bytes) -> bytes:
    """What the database keeps of the key, so that a wrong one is recognised."""
    return hmac.new(key, _KEY_CHECK_WORDS, hashlib.sha256).digest()


# --------------------------------------------------------------------------------------------------------- init-db


def initialize(settings: Settings, *, holds_demo: bool = False) -> bool:
    """Make data directory, number key, tables, roles and grants; False when the database was there already.

    On an existing database only PostgreSQL's roles and grants are put right. Raises InstallationError.
    """
    check_user(settings)
    _make_data_dir(settings)
    database = open_as_owner(settings)
    try:
        # PostgreSQL's psycopg reads "%" in a statement as a parameter unless told that there are none.
        with database.writing.connect().execution_options(no_parameters=True) as connection, connection.begin():
            lock_for_change(connection)
            made = _make_tables(connection, settings, holds_demo)
            if connection.dialect.name == "postgresql":
                roles.make_roles(connection, settings)
                roles.grant(connection, settings)
            return made
    except DBAPIError as error:
        raise InstallationError(f"The database could not be made, nothing was changed: {_first_line(error)}") from error
    finally:
        database.dispose()


def put_roles_right(settings: Settings, *, granted: bool) -> None:
    """PostgreSQL, after a restore: make the roles that are not there, and if `granted` give each what it needs."""
    database = open_as_owner(settings)
    try:
        with database.writing.connect().execution_options(no_parameters=True) as connection, connection.begin():
            lock_for_change(connection)
            roles.make_roles(connection, settings)
            if granted:
                roles.grant(connection, settings)
    finally:
        database.dispose()


def _make_data_dir(settings: Settings) -> None:
    try:
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        (settings.data_dir / "tmp").mkdir(mode=0o700, exist_ok=True)
        if settings.dialect == "sqlite":
            # Nobody else on this machine may read calls: SQLite gives its side files the mode of this one.
            database = Database(settings.database_url)
            database.sqlite_path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(database.sqlite_path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise InstallationError(
            f"{error.filename}: {error.strerror}. Set DATA_DIR to a directory that this user can write."
        ) from None


def _make_tables(connection: Connection, settings: Settings, holds_demo: bool) -> bool:
    tables = inspect(connection).get_table_names()
    if RESTORING in tables:
        raise InstallationError(_HALF_RESTORED)
    if Installation.__tablename__ in tables:
        return False
    if tables:
        raise InstallationError(
            f"The database holds tables of something else ({', '.join(sorted(tables)[:3])}, ...): "
            "nothing was changed. Give Callbook a database of its own in DATABASE_URL."
        )
    _make_number_key(settings)
    create_schema(connection)
    connection.execution_options(no_parameters=False)
    connection.execute(
        Installation.__table__.insert().values(  # type: ignore[attr-defined]
            id=1,
            schema_version=newest_version(connection.dialect.name),
            holds_demo=holds_demo,
            number_key_check=number_key_check(number_key(settings)),
            created_at=clock.now(),
        )
    )
    return True


def lock_for_change(connection: Connection) -> None:
    """Let nobody else initialize or upgrade until this transaction ends. SQLite's BEGIN IMMEDIATE does that already."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK_NUMBER})")


# ------------------------------------------------------------------------------------------------- checks at start


def read_installation(connection: Connection) -> Installation | None:
    """The installation row, detached; None when `flask init-db` has not run."""
    if not inspect(connection).has_table(Installation.__tablename__):
        return None
    row = connection.execute(select(Installation.__table__)).one_or_none()
    return Installation(**row._mapping) if row else None


def list_problems(database: Database, settings: Settings, *, or_older: bool = False) -> list[str]:
    """Why this database may not be served with these settings, each as a sentence with what to do. Empty: it may.

    `or_older`: it is to be saved, not served, and an upgrade may be due.
    """
    if database.dialect == "sqlite" and not database.sqlite_path.exists():
        left = restoring_path(database)
        if left.exists():
            return [
                f"A restore did not end, or still runs. If none runs, {left} is left of it, and is not sealed: "
                "run `flask restore` again, or remove it."
            ]
        return [f"There is no database at {database.sqlite_path} yet. Run `flask init-db`."]
    try:
        with database.reading.connect() as connection:
            if inspect(connection).has_table(RESTORING):
                return [_HALF_RESTORED]
            installation = read_installation(connection)
            if installation is None:
                return ["The database is empty. Run `flask init-db`."]
            found = [*_version_problems(installation, database, or_older), *_use_problems(installation, settings)]
            if database.dialect == "postgresql":
                found += roles.list_problems(connection)
            return found
    except DBAPIError as error:
        return [f"The database does not answer: {_first_line(error)}. Check DATABASE_URL, and that the server runs."]


def restoring_path(database: Database) -> Path:
    """SQLite: what a restore writes beside the database, whose name it gets when all is done."""
    return database.sqlite_path.with_name(f"{database.sqlite_path.name}.{RESTORING}")


def is_older(database: Database) -> bool:
    """Whether an upgrade is due: mapped classes may name what is not there."""
    with database.reading.connect() as connection:
        installation = read_installation(connection)
    return installation is not None and installation.schema_version < newest_version(database.dialect)


def check_start(database: Database, settings: Settings, *, or_older: bool = False) -> None:
    """Refuse to serve a database that is not the right one. Raises InstallationError with every reason."""
    found = list_problems(database, settings, or_older=or_older)
    if found:
        raise InstallationError("\n".join(found))


def _version_problems(installation: Installation, database: Database, or_older: bool) -> list[str]:
    newest = newest_version(database.dialect)
    if installation.schema_version < newest and not or_older:
        return [
            f"The database has schema {installation.schema_version}, this version of Callbook needs {newest}. "
            "Make a backup, then run `flask upgrade-db`."
        ]
    if installation.schema_version > newest:
        return [
            f"The database has schema {installation.schema_version}, this version of Callbook knows only {newest}. "
            "Install the newer version of Callbook again, or go back to the backup made before the upgrade."
        ]
    return []


def _use_problems(installation: Installation, settings: Settings) -> list[str]:
    found = []
    if installation.holds_demo and not settings.demo:
        found.append("This database holds the demo. Give a real installation its own database in DATABASE_URL.")
    if settings.demo and not installation.holds_demo:
        found.append("This database is a real installation. The demo runs on a database of its own only.")
    try:
        right_key = hmac.compare_digest(number_key_check(number_key(settings)), installation.number_key_check)
    except InstallationError as error:
        return [*found, str(error)]
    if not right_key:
        source = "NUMBER_KEY" if settings.number_key is not None else str(number_key_file(settings))
        found.append(
            f"{source} is not the key that this database was made with: no record would be recognised again. "
            "Put your copy of the right one back."
        )
    return found


def _first_line(error: DBAPIError) -> str:
    return str(error.orig).strip().splitlines()[0].rstrip(".")
