"""PostgreSQL: pg_dump of one moment as a stream, pg_restore of a stream, and databases for a drill. For recovery/.

Passwords go to these programs by the environment, never by an argument; nothing else of ours stands in it. What they
say on standard error is told by the line of its first error.
"""

import logging
import os
import re
import shutil
import subprocess  # nosec B404 - pg_dump and pg_restore, by their own names
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from sqlalchemy import Connection
from sqlalchemy.engine import make_url
from sqlalchemy.engine.url import URL
from sqlalchemy.exc import DBAPIError, OperationalError

from webapp.database.engine import Database
from webapp.database.installation import RESTORING, lock_for_change
from webapp.database.roles import DUMP, STAFF

log = logging.getLogger(__name__)
_AT_ONCE = 1024 * 1024
#: Debian and its kin keep the programs of each version here, those on PATH are wrappers.
_DEBIAN = Path("/usr/lib/postgresql")
#: From this version on pg_restore sets transaction_timeout, which older servers refuse.
_SETS_TIMEOUT = 17
#: Policies are written anew for the roles of the place where it is restored: roles.py. The rest is the place's own, and
#: of more than its owner may make: dumps of 0.5.0 held all that was in the database.
_NOT_RESTORED = re.compile(
    rf" (?:POLICY \S+ \S+ \S+_of_(?:{STAFF}|{DUMP})|SCHEMA (?:- )?public|EXTENSION|PUBLICATION) "
)
#: What belongs to the place, and only a superuser may make, stays out: extensions, and what others keep beside us.
_OURS_ALONE = ('--schema="{}"', "--no-publications", "--no-subscriptions")
_DRILL_LOCK = 7_061_924_412  # any number: who holds it in the live database drills
_PATIENCE = "15min"
_MAY_CREATE = "SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user"
_SCRATCH_MARK = "callbook: scratch of a restore drill"


class ToolFailed(Exception):
    """pg_dump or pg_restore is not there, or did not end well. Its words say so."""


@contextmanager
def one_moment(database: Database) -> Iterator[tuple[Connection, str]]:
    """A transaction that sees one moment, and the name by which pg_dump sees the same."""
    with database.reading.connect() as connection, connection.begin():
        connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")  # it waits for pg_dump
        yield connection, str(connection.exec_driver_sql("SELECT pg_export_snapshot()").scalar_one())


def dump(url: str, snapshot: str) -> Iterator[bytes]:
    """The dump of our schema at that moment, in the custom format, not deflated. Raises ToolFailed, at its end too."""
    with _connected(url) as connection:
        schema = connection.exec_driver_sql("SELECT current_schema()").scalar_one()
    # With row_security = on the policies of the dump role count: roles.list_dump_problems() has asked for each.
    words = ["--format=custom", "--compress=0", "--no-password", "--enable-row-security", f"--snapshot={snapshot}"]
    words += [word.format(schema) for word in _OURS_ALONE]
    with _started("pg_dump", words, url, stdout=subprocess.PIPE) as (process, said):
        assert process.stdout is not None
        while piece := process.stdout.read(_AT_ONCE):
            yield piece
        _check_end("pg_dump", process, said)


def restore_dump(url: str, blocks: Iterable[bytes], contents: Path) -> None:
    """Restore into the empty database of its owner, in one transaction. `contents`: a file of list_dump().

    Raises ToolFailed.
    """
    words = ["--single-transaction", "--exit-on-error", "--no-owner", "--no-acl", "--no-password"]
    with _started("pg_restore", [*words, f"--use-list={contents}"], url, stdin=subprocess.PIPE) as (process, said):
        _feed(process, blocks)
        _check_end("pg_restore", process, said)


def list_dump(blocks: Iterable[bytes]) -> str:
    """What a dump holds, a line each, as pg_restore takes it; without what is not restored."""
    with tempfile.TemporaryFile() as listed:  # not a pipe: it reads the beginning, and goes when all is written
        with _started("pg_restore", ["--list"], None, stdin=subprocess.PIPE, stdout=listed) as (process, said):
            _feed(process, blocks)
            _check_end("pg_restore", process, said)
        listed.seek(0)
        lines = listed.read().decode().splitlines(keepends=True)
    return "".join(line for line in lines if not _NOT_RESTORED.search(line))


def check_tools(url: str) -> None:
    """Raises ToolFailed when pg_dump or pg_restore is not installed, or not of a version for the server of this URL."""
    server = _server_version(url)
    for tool in ("pg_dump", "pg_restore"):
        said = subprocess.run([_find(tool, server), "--version"], capture_output=True, text=True, check=False).stdout  # noqa: S603  # nosec B603
        found = re.search(r"\) (\d+)", said)
        its = int(found[1]) if found else 0
        if its < server or (tool == "pg_restore" and its >= _SETS_TIMEOUT > server):
            raise ToolFailed(
                f"{tool} is of version {its}, the server of {server}: what the one writes the other does not take. "
                f"Install the client programs of version {server} (Debian: postgresql-client-{server})."
            )


def _server_version(url: str) -> int:
    with _connected(url) as connection:
        return int(connection.exec_driver_sql("SELECT current_setting('server_version_num')").scalar_one()) // 10_000


@contextmanager
def _connected(url: str) -> Iterator[Connection]:
    """A connection of its own, closed at the end, on which each statement stands alone."""
    server = Database(url, pool_size=1, statement_ms=0)
    try:
        with server.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            yield connection
    finally:
        server.dispose()


def _feed(process: "subprocess.Popen[bytes]", blocks: Iterable[bytes]) -> None:
    assert process.stdin is not None
    with suppress(BrokenPipeError):  # it has gone: why, it says itself
        for block in blocks:
            process.stdin.write(block)
    with suppress(BrokenPipeError):
        process.stdin.close()


@contextmanager
def _started(
    tool: str, words: list[str], url: str | None, **pipes: int | IO[bytes]
) -> Iterator[tuple["subprocess.Popen[bytes]", IO[bytes]]]:
    ours = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME") or name.startswith("PG")}
    environ = {**ours, "LC_ALL": "C"}
    command = [_find(tool, None if url is None else _server_version(url)), *words]
    if url is not None:
        conninfo, password = _conninfo(make_url(url))
        command.append(f"--dbname={conninfo}")
        environ.update({"PGPASSWORD": password} if password else {})
    with tempfile.TemporaryFile() as said:  # not a pipe: nobody reads it meanwhile
        process = subprocess.Popen(command, env=environ, stderr=said, **pipes)  # type: ignore[call-overload]  # noqa: S603  # nosec B603
        try:
            yield process, said
        finally:
            if process.poll() is None:
                process.kill()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with suppress(BrokenPipeError):
                        pipe.close()
            process.wait()


def _check_end(tool: str, process: "subprocess.Popen[bytes]", said: IO[bytes]) -> None:
    if process.wait() != 0:
        said.seek(0)
        lines = [line for line in said.read(64_000).decode("utf-8", "replace").splitlines() if line.strip()]
        errors = [line for line in lines if "error:" in line] or lines or [f"it ended with {process.returncode}"]
        raise ToolFailed(f"{tool} failed: {errors[0]}")


def _find(tool: str, version: int | None) -> str:
    """The program of this version where Debian has it, else the one of PATH."""
    own = _DEBIAN / str(version) / "bin" / tool
    found = str(own) if own.exists() else shutil.which(tool)
    if found:
        return found
    beside = sorted(_DEBIAN.glob(f"*/bin/{tool}"), key=lambda path: path.parent.parent.name.zfill(4))
    if beside:
        return str(beside[-1])
    raise ToolFailed(
        f"{tool} is not installed here. Install PostgreSQL's client programs, of the server's version or newer "
        "(Debian: postgresql-client), or put them on PATH."
    )


def _conninfo(url: URL) -> tuple[str, str]:
    """As libpq reads it, without the password; and the password."""
    options = {
        "host": url.host,
        "port": url.port,
        "user": url.username,
        "dbname": url.database,
        **{name: value for name, value in url.query.items() if isinstance(value, str)},
    }
    password = options.pop("password", None) or url.password
    quoted = (
        "{}='{}'".format(name, str(value).replace("\\", "\\\\").replace("'", "\\'"))
        for name, value in options.items()
        if value is not None
    )
    return " ".join(quoted), str(password or "")


# ---------------------------------------------------------------------------------------------- empty and scratch ones


def is_empty(connection: Connection) -> bool:
    """Whether nothing was made in this database yet; what an extension brought into it counts for nothing."""
    return not connection.exec_driver_sql(
        "SELECT count(*) FROM pg_class AS its WHERE relnamespace = current_schema()::regnamespace"
        " AND relkind NOT IN ('i', 'I', 'c') AND NOT EXISTS (SELECT 1 FROM pg_depend"
        " WHERE classid = 'pg_class'::regclass AND objid = its.oid AND deptype = 'e')"
    ).scalar_one()


def claim_empty(database: Database) -> bool:
    """Mark an empty database as one that is being restored; from then on all that is made there is of this restore.

    False: something is there already, of a restore, of init-db, or of somebody else.
    """
    with database.writing.connect() as connection, connection.begin():
        lock_for_change(connection)
        if not is_empty(connection):
            return False
        connection.exec_driver_sql(f"CREATE TABLE {RESTORING} ()")
        return True


def end_claim(database: Database) -> None:
    """All is done: it may be served."""
    with database.writing.connect() as connection, connection.begin():
        connection.exec_driver_sql(f"DROP TABLE {RESTORING}")


def make_empty(database: Database) -> None:
    """Take everything out that its owner made in it: what a restore that failed put there since claim_empty()."""
    with database.writing.connect() as connection, connection.begin():
        schema = connection.exec_driver_sql("SELECT quote_ident(current_schema())").scalar_one()
        tables = connection.exec_driver_sql(
            "SELECT relkind, quote_ident(relname) FROM pg_class WHERE relnamespace = current_schema()::regnamespace"
            " AND relkind IN ('r', 'p', 'v') AND pg_has_role(current_user, relowner, 'USAGE') ORDER BY relkind DESC"
        ).all()
        for kind, name in tables:
            what = "VIEW" if kind in ("v", b"v") else "TABLE"
            connection.exec_driver_sql(f"DROP {what} IF EXISTS {schema}.{name} CASCADE")
        functions = connection.exec_driver_sql(
            "SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace = current_schema()::regnamespace"
            " AND pg_has_role(current_user, proowner, 'USAGE')"
        ).all()
        for (name,) in functions:
            connection.exec_driver_sql(f"DROP FUNCTION {name} CASCADE")


@contextmanager
def scratch_database(owner_url: str) -> Iterator[str]:
    """The name of a new, empty database beside the owner's, gone at the end. The owner needs CREATEDB.

    One drill of a database at a time, from whichever machine. A scratch that an earlier one left, since it was killed,
    goes first; a database of that name that is not ours is refused. One that cannot be dropped at the end is left to
    the next drill: what this one found stays true.
    """
    url = make_url(owner_url)
    scratch = url.set(database=f"{url.database}_drill")
    with _connected(owner_url) as connection:
        _wait_until_alone(connection)
        _drop_scratch(connection, scratch)
        if not connection.exec_driver_sql(_MAY_CREATE).scalar_one():
            raise ToolFailed(
                f"{url.username} may make no database to try it in. Allow it once: ALTER ROLE {url.username} CREATEDB."
            )
        quoted = _quoted(connection, scratch)
        connection.exec_driver_sql(f"CREATE DATABASE {quoted} TEMPLATE template0 {_like_this(connection)}")
        connection.exec_driver_sql(f"COMMENT ON DATABASE {quoted} IS '{_SCRATCH_MARK}'")
        try:
            yield str(scratch.database)
        finally:
            _leave_scratch(owner_url, scratch)


def _wait_until_alone(connection: Connection) -> None:
    """The lock goes with the connection. Raises ToolFailed."""
    connection.exec_driver_sql("SET idle_session_timeout = 0")
    connection.exec_driver_sql(f"SET lock_timeout = '{_PATIENCE}'")
    try:
        connection.exec_driver_sql(f"SELECT pg_advisory_lock({_DRILL_LOCK})")
    except OperationalError:
        raise ToolFailed("Another drill of this database is running, here or on another machine.") from None


def _leave_scratch(owner_url: str, scratch: URL) -> None:
    try:
        with _connected(owner_url) as connection:  # the first one was idle meanwhile, and may have been cut
            _drop_scratch(connection, scratch)
    except (DBAPIError, ToolFailed) as error:
        words = "the scratch database %s was not dropped: %s; the next drill does"
        log.warning(words, scratch.database, type(error).__name__)


def _like_this(connection: Connection) -> str:
    """Encoding and locale of the database of this connection."""
    encoding, collate, ctype = connection.exec_driver_sql(
        "SELECT pg_encoding_to_char(encoding), quote_literal(datcollate), quote_literal(datctype) FROM pg_database"
        " WHERE datname = current_database()"
    ).one()
    return f"ENCODING '{encoding}' LC_COLLATE {collate} LC_CTYPE {ctype}"


def _drop_scratch(connection: Connection, scratch: URL) -> None:
    found = connection.exec_driver_sql(
        "SELECT shobj_description(oid, 'pg_database'), pg_get_userbyid(datdba) = current_user FROM pg_database"
        " WHERE datname = %(name)s",
        {"name": scratch.database},
    ).one_or_none()
    if found is None:
        return
    mark, is_own = found
    if mark != _SCRATCH_MARK and not (is_own and _is_bare(scratch)):  # killed before it was marked
        raise ToolFailed(
            f"A database {scratch.database} is there that no drill made: rename it, a drill needs that name."
        )
    connection.exec_driver_sql(f"DROP DATABASE {_quoted(connection, scratch)} WITH (FORCE)")


def _is_bare(scratch: URL) -> bool:
    with _connected(scratch.render_as_string(hide_password=False)) as connection:
        return is_empty(connection)


def _quoted(connection: Connection, scratch: URL) -> str:
    return connection.dialect.identifier_preparer.quote_identifier(str(scratch.database))
