"""PostgreSQL for the tests: a pytest plugin that finds or starts a server, and the calls that make databases on it.

`pytest --postgresql` starts a throwaway cluster for the run; with TEST_DATABASE_URL set, that server is used instead:
the URL of a role with CREATEDB and CREATEROLE. Either way TEST_DATABASE_URL is set when tests begin, xdist's workers
inherit it, and every database is made under a name of its own, so that workers never meet. tests/conftest.py names
this module in pytest_plugins; TEST_DATABASE_URL unset means SQLite.
"""

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from sqlalchemy.engine import URL, make_url

pytest_plugins = ["tests.no_network", "tests.nothing_skipped"]

_BINARIES = Path("/usr/lib/postgresql/15/bin")
_OWNER = "callbook_owner"
_PASSWORD_NAME = "TEST_ROLE_PASSWORD"
_THROWAWAY_NAME = "TEST_CLUSTER_IS_THROWAWAY"
#: Members of this role must give their password to the throwaway cluster; the others are trusted, for speed.
ASKED = "asked_for_password"


@dataclass(frozen=True)
class DatabaseUrls:
    """One database, as its four roles address it; SQLAlchemy URLs."""

    owner: str
    web: str
    staff: str
    dump: str


def server_url() -> str | None:
    """TEST_DATABASE_URL: the server of this run, or None when it runs on SQLite."""
    return os.environ.get("TEST_DATABASE_URL")


def is_throwaway() -> bool:
    """Whether the server is this run's own cluster, with its rules about who must give a password."""
    return _THROWAWAY_NAME in os.environ


def database_urls(name: str) -> DatabaseUrls:
    """The four URLs of a database of this name on the server of this run."""
    password = os.environ[_PASSWORD_NAME]
    return DatabaseUrls(
        owner=_spelled(_server().set(database=name)),
        web=_spelled(_server().set(database=name, username="callbook_web", password=password)),
        staff=_spelled(_server().set(database=name, username="callbook_staff", password=password)),
        dump=_spelled(_server().set(database=name, username="callbook_dump", password=password)),
    )


def create_database(name: str, template: str | None = None) -> DatabaseUrls:
    """Make a database, empty or as a copy of another that nobody is connected to."""
    statement = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
    if template is not None:
        statement += sql.SQL(" TEMPLATE {} STRATEGY FILE_COPY").format(sql.Identifier(template))
    _execute(statement)
    return database_urls(name)


def drop_database(name: str) -> None:
    """Remove a database, whoever is connected."""
    refilling = _refilling.pop(database_urls(name).owner, None)
    if refilling is not None:
        refilling.close()
    for patience in range(20, -1, -1):
        try:
            _execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
            return
        except (psycopg.errors.InsufficientPrivilege, psycopg.errors.ObjectInUse):
            # A server of somebody else's may not let us end another role's connection that is just closing.
            if not patience:
                raise
            time.sleep(0.1)


_refilling: dict[str, "psycopg.Connection[tuple[object, ...]]"] = {}
_TABLES = (
    "SELECT relname, pg_relation_size(oid) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    " AND relname NOT IN ('installation', 'schema_upgrade') AND pg_relation_size(oid) > 0"
)
_SWOLLEN_BYTES = 1_000_000


def read_rows(urls: DatabaseUrls) -> str:
    """All rows that are there, as the SQL that brings them back: what refill() takes. In a throwaway cluster."""
    connection = _refiller(urls)
    words = []
    for name, _size in connection.execute(_TABLES).fetchall():
        table = sql.Identifier(str(name))
        found = connection.execute(sql.SQL("SELECT json_agg(its)::text FROM {} AS its").format(table)).fetchone()
        assert found is not None
        if found[0] is not None:
            insert = sql.SQL("INSERT INTO {0} SELECT * FROM json_populate_recordset(NULL::{0}, {1})")
            words.append(insert.format(table, sql.Literal(found[0])).as_string(connection))
    return "; ".join(words)


def refill(urls: DatabaseUrls, rows: str) -> None:
    """Every row out, and these in, by the superuser of a throwaway cluster, whom no policy and no trigger holds up.

    One trip: TRUNCATE, the other way, makes some two hundred files anew, which took longer than most tests.
    """
    connection = _refiller(urls)
    filled = connection.execute(_TABLES).fetchall()
    deletes = [
        sql.SQL("DELETE FROM {}").format(sql.Identifier(str(name))).as_string(connection) for name, _size in filled
    ]
    connection.execute("; ".join([*deletes, rows]))  # type: ignore[arg-type]
    for name, size in filled:
        if int(str(size)) > _SWOLLEN_BYTES:  # deleted rows stay in their places until this
            connection.execute(sql.SQL("VACUUM {}").format(sql.Identifier(str(name))))


def _refiller(urls: DatabaseUrls) -> "psycopg.Connection[tuple[object, ...]]":
    connection = _refilling.get(urls.owner)
    if connection is None or connection.closed:
        as_superuser = make_url(urls.owner).set(username="postgres", password=None)
        connection = _refilling[urls.owner] = connect(_spelled(as_superuser))
        connection.execute("SET lock_timeout = '10s'")  # a test that left a transaction open is named, not waited for
        connection.execute("SET session_replication_role = replica")  # no trigger, no foreign key
    return connection


def empty_tables(urls: DatabaseUrls) -> None:
    """The same by the owner of a server of somebody else's, but for the rows: each table as schema.sql begins it.

    TRUNCATE: row-level security would hide the rows from the owner's DELETE.
    """
    with connect(urls.owner) as connection:
        names = [sql.Identifier(str(name)) for name, _size in connection.execute(_TABLES)]
        if names:
            connection.execute(sql.SQL("TRUNCATE {} CASCADE").format(sql.SQL(", ").join(names)))
            connection.execute("SET app.organization_id = '0'")
            connection.execute("INSERT INTO audit_head VALUES (0, 0, decode(repeat('00', 32), 'hex'))")


def new_name(word: str) -> str:
    """A name that no other worker and no other run has."""
    return f"callbook_{word}_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}_{secrets.token_hex(4)}"


def _server() -> URL:
    url = server_url()
    if url is None:
        raise RuntimeError("this run has no PostgreSQL: give --postgresql or TEST_DATABASE_URL")
    return make_url(url).set(drivername="postgresql+psycopg")


def _spelled(url: URL) -> str:
    return url.render_as_string(hide_password=False)


def connect(url: str) -> "psycopg.Connection[tuple[object, ...]]":
    """A bare connection in autocommit, for what no session should do."""
    parts = make_url(url)
    return psycopg.connect(
        host=parts.host,
        port=parts.port,
        user=parts.username,
        password=str(parts.password) if parts.password else None,
        dbname=parts.database,
        autocommit=True,
    )


def _execute(statement: sql.Composable) -> None:
    with connect(_spelled(_server())) as connection:
        connection.execute(statement)


# ------------------------------------------------------------------------------------------------------- the plugin


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--postgresql", action="store_true", help="run on PostgreSQL; starts a throwaway cluster")


def pytest_configure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput"):  # a worker of xdist: the controller has done all this
        return
    if config.getoption("--postgresql") and server_url() is None:
        cluster = Cluster()
        config.add_cleanup(cluster.stop)
        os.environ[_THROWAWAY_NAME] = "1"
        os.environ["TEST_DATABASE_URL"] = cluster.start()
    if server_url() is not None:
        os.environ[_PASSWORD_NAME] = secrets.token_hex(8)
        for role in ("callbook_web", "callbook_staff", "callbook_dump"):
            _make_role(role)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests marked `postgresql` are of the run on PostgreSQL; on SQLite there is nothing that they could look at."""
    if server_url() is None:
        theirs = [item for item in items if item.get_closest_marker("postgresql")]
        config.hook.pytest_deselected(items=theirs)
        items[:] = [item for item in items if not item.get_closest_marker("postgresql")]


def _make_role(name: str) -> None:
    """As `flask init-db` would, but before workers race to make the same one; the password is of this run."""
    with connect(_spelled(_server())) as connection:
        known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name]).fetchone()
        verb = sql.SQL("ALTER" if known else "CREATE")
        words = sql.SQL("{} ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD {}")
        connection.execute(words.format(verb, sql.Identifier(name), sql.Literal(os.environ[_PASSWORD_NAME])))


def missing_binaries() -> str | None:
    """What keeps a throwaway cluster from starting here, or None."""
    return None if (_BINARIES / "postgres").exists() else f"{_BINARIES}/postgres is not installed (postgresql-15)"


class Cluster:
    """A PostgreSQL cluster in a temporary folder, as user `postgres` when this process is root, gone at the end."""

    def __init__(self) -> None:
        missing = missing_binaries()
        if missing:
            raise pytest.UsageError(f"--postgresql: {missing}")
        self.folder = Path(tempfile.mkdtemp(prefix="callbook-pg-"))
        self.user = "postgres" if os.geteuid() == 0 else None
        if self.user:
            shutil.chown(self.folder, self.user, self.user)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> str:
        """Start it and give the owner's URL, as TEST_DATABASE_URL has it."""
        data, port = self.folder / "data", _free_port()
        self._run(_BINARIES / "initdb", "-D", data, "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--no-sync")
        (data / "pg_hba.conf").write_text(
            f"local all all trust\nhost all +{ASKED} 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n"
        )
        settings = {
            "port": port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": self.folder,
            "fsync": "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
            "max_connections": 200,
            "shared_buffers": "64MB",
            "autovacuum": "off",
            "jit": "off",
        }
        options = " ".join(f"-c {name}={value}" for name, value in settings.items())
        # The shell waits for its standard input to close: PostgreSQL goes when this process goes, however it goes.
        script = (
            f"exec 3<&0; {_BINARIES}/postgres -D {data} {options} >{self.folder}/log 2>&1 3<&- </dev/null & "
            f"read _ <&3; kill -QUIT $!; wait; rm -rf {data}"
        )
        self.process = subprocess.Popen(
            ["/bin/sh", "-c", script], stdin=subprocess.PIPE, cwd=self.folder, **self._as_user()
        )  # type: ignore[call-overload]
        self._wait_until_it_answers(port)
        with psycopg.connect(
            f"host={self.folder} port={port} user=postgres dbname=postgres", autocommit=True
        ) as connection:
            connection.execute(f"CREATE ROLE {ASKED}")  # type: ignore[arg-type]
            connection.execute(f"CREATE ROLE {_OWNER} LOGIN CREATEDB CREATEROLE IN ROLE pg_signal_backend")  # type: ignore[arg-type]
        return f"postgresql+psycopg://{_OWNER}@127.0.0.1:{port}/postgres"

    def stop(self) -> None:
        if self.process is not None:
            assert self.process.stdin
            self.process.stdin.close()
            self.process.wait(timeout=30)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _wait_until_it_answers(self, port: int) -> None:
        assert self.process
        for _ in range(300):
            try:
                psycopg.connect(f"host={self.folder} port={port} user=postgres dbname=postgres").close()
                return
            except psycopg.OperationalError:
                if self.process.poll() is not None:
                    break
                time.sleep(0.05)
        raise RuntimeError(f"PostgreSQL did not start: {(self.folder / 'log').read_text()[-2000:]}")

    def _run(self, *words: object) -> None:
        command = [str(word) for word in words]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=self.folder, **self._as_user())  # type: ignore[call-overload]

    def _as_user(self) -> dict[str, object]:
        if self.user is None:
            return {}
        return {
            "user": self.user,
            "group": self.user,
            "extra_groups": [],
            "env": {**os.environ, "HOME": str(self.folder)},
        }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
