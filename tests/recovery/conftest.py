"""For tests of backups: settings with a key and a folder, empty places to restore to, and what databases hold."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask

from config import Settings
from tests import postgresql
from tests.conftest import make_settings
from tests.database.test_first_release import FIRST_RELEASE
from webapp import create_app
from webapp.database import installation, schema
from webapp.database.engine import Database
from webapp.recovery.folder import Kept, list_kept

KEY = bytes(range(100, 132))
PASSPHRASE = "correct horse battery staple"
Run = Callable[..., Result]


@pytest.fixture
def settings(settings: Settings, tmp_path: Path) -> Settings:
    (tmp_path / "backups").mkdir()
    return replace(settings, backup_folder=tmp_path / "backups", backup_key=KEY)


@pytest.fixture
def run(app: Flask) -> Run:
    """Runs a `flask` command of the live place."""

    def invoke(*arguments: object) -> Result:
        return app.test_cli_runner().invoke(args=[str(each) for each in arguments])

    return invoke


@pytest.fixture
def backed_up(run: Run, settings: Settings) -> Callable[[], Kept]:
    """Makes a backup by command."""

    def make_one() -> Kept:
        result = run("backup")
        assert result.exit_code == 0, result.output
        return newest(settings)

    return make_one


@pytest.fixture
def empty(settings: Settings, tmp_path: Path) -> Iterator[Settings]:
    """Settings of another machine, with the same keys, where nothing is yet."""
    yield from _nothing_yet(tmp_path / "elsewhere")


@pytest.fixture
def first_release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """Of a machine whose database is as the first release made it."""
    for place in _nothing_yet(tmp_path / "long ago"):
        with monkeypatch.context() as patch:
            patch.setattr(schema, "SCHEMA_FILE", FIRST_RELEASE)
            patch.setattr(installation, "newest_version", lambda _dialect: 0)
            installation.initialize(place)
        yield place


def _nothing_yet(data_dir: Path) -> Iterator[Settings]:
    if postgresql.server_url() is None:
        yield replace(make_settings(data_dir), backup_key=KEY)
        return
    name = postgresql.new_name("restored")
    yield replace(make_settings(data_dir, postgresql.create_database(name)), backup_key=KEY)
    postgresql.drop_database(name)


def run_at(place: Settings, *arguments: object) -> Result:
    """Runs a `flask` command of another place."""
    database = Database(place.database_url)
    app = create_app(place, database)
    try:
        return app.test_cli_runner().invoke(args=[str(each) for each in arguments])
    finally:
        staff_database = app.extensions["callbook"].staff_database
        if staff_database is not None:
            staff_database.dispose()
        database.dispose()


def newest(settings: Settings) -> Kept:
    assert settings.backup_folder
    return list_kept(settings.backup_folder)[0]


def left_behind(settings: Settings) -> list[str]:
    """What lies in DATA_DIR/tmp, and in the folder of the backups what is no whole backup."""
    assert settings.backup_folder
    parts = [path.name for path in settings.backup_folder.iterdir() if path.suffix == ".part"]
    return os.listdir(settings.data_dir / "tmp") + parts


def run_process(place: Settings, *arguments: object) -> "subprocess.CompletedProcess[str]":
    """process.py, at a place."""
    urls = {
        "DATABASE_URL": place.database_url,
        "DATABASE_OWNER_URL": place.database_owner_url,
        "DATABASE_STAFF_URL": place.database_staff_url,
        "DATABASE_DUMP_URL": place.database_dump_url,
    }
    assert place.number_key and place.backup_key
    environ = {
        **{name: url for name, url in urls.items() if url},
        "PATH": os.environ["PATH"],
        "DATA_DIR": str(place.data_dir),
        "NUMBER_KEY": place.number_key.hex(),
        "SECRET_KEY": place.secret_key,
        "BACKUP_KEY": place.backup_key.hex(),
        "BACKUP_FOLDER": str(place.backup_folder or ""),
    }
    command = [sys.executable, str(Path(__file__).with_name("process.py")), *(str(each) for each in arguments)]
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120)
