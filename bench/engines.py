"""Where the databases of a run lie: SQLite files under build/bench, or a throwaway PostgreSQL cluster of the tests."""

import os
import secrets
import shutil
import socket
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from config import Settings, load_settings
from tests import postgresql
from webapp.database.engine import Database
from webapp.database.installation import initialize, open_database

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "build" / "bench"
_NUMBER_KEY = bytes(range(32)).hex()


@dataclass(frozen=True)
class Place:
    """A database and all that its service needs to know; `urls` are environment variables."""

    data_dir: Path
    urls: dict[str, str]

    @property
    def environ(self) -> dict[str, str]:
        """What a child process needs to serve or fill it."""
        secret = secrets.token_hex(32)
        return {**self.urls, "DATA_DIR": str(self.data_dir), "NUMBER_KEY": _NUMBER_KEY, "SECRET_KEY": secret}

    @property
    def settings(self) -> Settings:
        return load_settings(self.environ)

    def open(self) -> Database:
        return open_database(self.settings)


class Engine(Protocol):
    """One of the two engines that databases can be made on."""

    name: str
    keeps: bool  #: whether a database is still there in the next run
    in_process: bool  #: whether all its work is done in the process that asks

    def find(self, name: str) -> Place | None:
        """A database that is there already."""
        ...

    def find_empty(self, name: str) -> Place:
        """Where a restore may make one of this name."""
        ...

    def create(self, name: str, template: str = "") -> Place:
        """A new one, in the place of an older one of this name; a copy of `template`, which nobody uses meanwhile."""
        ...

    def drop(self, name: str) -> None: ...

    def settle(self, name: str) -> None:
        """What the engine would do by itself after a while: learn how much there is."""
        ...


class Sqlite:
    name = "SQLite"
    keeps = True
    in_process = True

    def find(self, name: str) -> Place | None:
        return self._place(name) if (FOLDER / name / "callbook.sqlite").exists() else None

    def find_empty(self, name: str) -> Place:
        self.drop(name)
        return self._place(name)

    def create(self, name: str, template: str = "") -> Place:
        self.drop(name)
        (FOLDER / name / "tmp").mkdir(parents=True)
        place = self._place(name)
        if template:
            self.settle(template)
            shutil.copyfile(FOLDER / template / "callbook.sqlite", FOLDER / name / "callbook.sqlite")
        else:
            initialize(place.settings)
        return place

    def drop(self, name: str) -> None:
        if (FOLDER / name).exists():
            shutil.rmtree(FOLDER / name)

    def settle(self, name: str) -> None:
        with closing(sqlite3.connect(FOLDER / name / "callbook.sqlite")) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # so that the one file is all of it
            connection.execute("PRAGMA optimize")

    def _place(self, name: str) -> Place:
        folder = FOLDER / name
        return Place(folder, {"DATABASE_URL": f"sqlite:///{folder / 'callbook.sqlite'}"})


class Postgresql:
    name = "PostgreSQL"
    keeps = False
    in_process = False

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def find(self, name: str) -> Place | None:
        return self._place(name) if name in self._names else None

    def find_empty(self, name: str) -> Place:
        self.drop(name)
        self._names[name] = postgresql.new_name("bench")
        postgresql.create_database(self._names[name])
        return self._place(name)

    def create(self, name: str, template: str = "") -> Place:
        self.drop(name)
        self._names[name] = postgresql.new_name("bench")
        postgresql.create_database(self._names[name], self._names[template] if template else None)
        place = self._place(name)
        initialize(place.settings)
        return place

    def drop(self, name: str) -> None:
        if name in self._names:
            postgresql.drop_database(self._names.pop(name))

    def settle(self, name: str) -> None:
        with postgresql.connect(postgresql.database_urls(self._names[name]).owner) as connection:
            connection.execute("VACUUM ANALYZE")

    def _place(self, name: str) -> Place:
        urls = postgresql.database_urls(self._names[name])
        folder = FOLDER / "postgresql"
        (folder / "tmp").mkdir(parents=True, exist_ok=True)
        roles = {"": urls.web, "_OWNER": urls.owner, "_STAFF": urls.staff, "_DUMP": urls.dump}
        return Place(folder, {f"DATABASE{role}_URL": url for role, url in roles.items()})


def no_postgresql() -> str | None:
    """What keeps PostgreSQL from being measured here."""
    return postgresql.missing_binaries()


@contextmanager
def postgresql_engine() -> Iterator[Postgresql]:
    """A cluster that is gone at the end. It does not wait for the disk (fsync off), for neither side of a ratio."""
    cluster = postgresql.Cluster()
    try:
        os.environ["TEST_DATABASE_URL"] = cluster.start()
        os.environ["TEST_ROLE_PASSWORD"] = secrets.token_hex(8)
        yield Postgresql()
    finally:
        cluster.stop()
        del os.environ["TEST_DATABASE_URL"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def tell(line: str) -> None:
    """What is being done, for whoever waits; the table itself goes to standard output."""
    sys.stderr.write(f"  {line}\n")
    sys.stderr.flush()
