"""What every test may ask for: settings, a fresh database, the app, a client, the cast, builders of calls.

A run is on SQLite, or with --postgresql (or TEST_DATABASE_URL) on PostgreSQL as the web role: tests/postgresql.py.
"""

import pickle
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

pytest.register_assert_rewrite(
    "tests.postgresql", "tests.compiled_once", "tests.client", "tests.cast", "tests.make", "tests.mailbox"
)

import hypothesis  # noqa: E402
from argon2 import PasswordHasher  # noqa: E402
from flask import Flask  # noqa: E402

from config import Settings  # noqa: E402
from tests import postgresql  # noqa: E402
from tests.cast import Cast, assemble_cast  # noqa: E402
from tests.client import PageCheckingClient  # noqa: E402
from tests.compiled_once import CompiledTemplates  # noqa: E402
from tests.make import SECRET_KEY, Make  # noqa: E402
from webapp import create_app  # noqa: E402
from webapp.accounts import passwords  # noqa: E402
from webapp.calls import browse, totals  # noqa: E402
from webapp.database.engine import Database  # noqa: E402
from webapp.database.installation import initialize, open_for_staff  # noqa: E402

pytest_plugins = ["tests.postgresql", "tests.compiled_once"]

# Everywhere as where CI is set: the same examples each time, and no stopwatch beside them. To look for others, say
# --hypothesis-profile=default.
hypothesis.settings.load_profile("ci")

NUMBER_KEY = bytes(range(32))


def make_settings(data_dir: Path, urls: postgresql.DatabaseUrls | None = None) -> Settings:
    """Settings of a service on this machine, as config.py would make them."""
    return Settings(
        database_url=urls.web if urls else f"sqlite:///{data_dir / 'callbook.sqlite'}",
        database_owner_url=urls.owner if urls else None,
        database_staff_url=urls.staff if urls else None,
        number_key=NUMBER_KEY,
        secret_key=SECRET_KEY,
        data_dir=data_dir,
        host="127.0.0.1",
        port=8080,
        base_url="http://localhost:8080",
        trusted_hosts=("localhost", "127.0.0.1"),
        trusted_proxy=None,
        smtp_url=None,
        mail_from=None,
        database_dump_url=urls.dump if urls else None,
    )


@pytest.fixture(scope="session", autouse=True)
def pinned_hasher() -> Iterator[PasswordHasher]:
    """The real one, put aside: its parameters take 30 ms a hash. The tests sign in with a cheap one."""
    pinned, passwords.hasher = passwords.hasher, PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    yield pinned
    passwords.hasher = pinned


@pytest.fixture(scope="session", autouse=True)
def _patience() -> Iterator[None]:
    """A page looks and counts for some milliseconds only: how far it gets in them is the machine's business.

    Tests that mean a page whose time is up say so themselves.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(browse, "SEARCH_MS", 60_000.0)
        for name in ("COUNT_MS", "COUNT_NARROWED_MS"):
            patch.setattr(totals, name, 60_000.0)
        yield


@pytest.fixture(scope="session")
def _prepared_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new SQLite database, made once as `flask init-db` makes it; each test gets a copy (1.5 ms against 9)."""
    folder = tmp_path_factory.mktemp("prepared")
    settings = make_settings(folder)
    initialize(settings)
    path = folder / "callbook.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # so that the one file is all of it
    return path


@pytest.fixture(scope="session")
def _prepared_cast(_prepared_sqlite: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    """The same with the cast in it, and the cast, pickled: who changes theirs changes nobody else's."""
    folder = tmp_path_factory.mktemp("prepared")
    path = folder / "callbook.sqlite"
    shutil.copyfile(_prepared_sqlite, path)
    database = Database(make_settings(folder).database_url)
    cast = assemble_cast(database)
    database.dispose()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path, pickle.dumps(cast)


@dataclass
class _PreparedPostgresql:
    """One PostgreSQL database for this worker, and with what it begins each test: `empty`, or with `cast` in it."""

    urls: postgresql.DatabaseUrls
    empty: str = ""
    with_cast: str = ""
    cast: bytes = b""  #: pickled: who changes theirs changes nobody else's

    def begin(self, *, with_cast: bool) -> None:
        if postgresql.is_throwaway():
            postgresql.refill(self.urls, self.with_cast if with_cast else self.empty)
        else:
            postgresql.empty_tables(self.urls)


@pytest.fixture(scope="session")
def _prepared_postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_PreparedPostgresql]:
    name, folder = postgresql.new_name("tests"), tmp_path_factory.mktemp("prepared")
    prepared = _PreparedPostgresql(postgresql.create_database(name))
    settings = make_settings(folder, prepared.urls)
    initialize(settings)
    if postgresql.is_throwaway():
        prepared.empty = postgresql.read_rows(prepared.urls)
        database = Database(settings.database_url)
        prepared.cast = pickle.dumps(assemble_cast(database))
        database.dispose()
        prepared.with_cast = postgresql.read_rows(prepared.urls)
    yield prepared
    postgresql.drop_database(name)


def _takes_prepared_cast(request: pytest.FixtureRequest) -> bool:
    """But for tests with a clock of their own, whose people are made at its time."""
    can = postgresql.server_url() is None or postgresql.is_throwaway()
    return can and "cast" in request.fixturenames and "clock" not in request.fixturenames


@pytest.fixture
def settings(tmp_path: Path, request: pytest.FixtureRequest) -> Settings:
    """Of a database that is there and empty but for its installation row."""
    (tmp_path / "tmp").mkdir()
    if postgresql.server_url() is None:
        prepared = (
            request.getfixturevalue("_prepared_cast")[0]
            if _takes_prepared_cast(request)
            else request.getfixturevalue("_prepared_sqlite")
        )
        shutil.copyfile(prepared, tmp_path / "callbook.sqlite")
        return make_settings(tmp_path)
    on_server: _PreparedPostgresql = request.getfixturevalue("_prepared_postgresql")
    on_server.begin(with_cast=_takes_prepared_cast(request))
    return make_settings(tmp_path, on_server.urls)


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    """As the web role sees it."""
    database = Database(settings.database_url)
    yield database
    database.dispose()


@pytest.fixture
def app(settings: Settings, database: Database, compiled_templates: CompiledTemplates) -> Iterator[Flask]:
    app = create_app(settings, database)
    app.jinja_env.bytecode_cache = compiled_templates
    app.testing = True
    app.test_client_class = PageCheckingClient
    yield app
    staff_database = app.extensions["callbook"].staff_database
    if staff_database is not None:
        staff_database.dispose()


@pytest.fixture
def staff_database(settings: Settings) -> Iterator[Database]:
    """As the console sees it."""
    found = open_for_staff(settings)
    assert found is not None
    yield found
    found.dispose()


@pytest.fixture
def client(app: Flask) -> PageCheckingClient:
    """A browser that nobody has signed in with yet. For a second one: app.test_client()."""
    client = app.test_client()
    assert isinstance(client, PageCheckingClient)
    return client


@pytest.fixture
def cast(database: Database, request: pytest.FixtureRequest) -> Cast:
    """The people and the two organizations, stored."""
    if not _takes_prepared_cast(request):
        if "clock" in request.fixturenames:
            request.getfixturevalue("clock")  # first, in whatever order a test names them
        return assemble_cast(database)
    on_sqlite = postgresql.server_url() is None
    pickled = (
        request.getfixturevalue("_prepared_cast")[1]
        if on_sqlite
        else request.getfixturevalue("_prepared_postgresql").cast
    )
    stored: Cast = pickle.loads(pickled)  # noqa: S301 - its own
    return stored


@pytest.fixture
def make(database: Database, cast: Cast) -> Make:
    """Builders of phone systems and calls, for Harbour; `make.at(cast.quayside)` for another."""
    return Make(database, cast.harbour)
