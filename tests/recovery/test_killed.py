"""kill -9 at any moment of a backup, restore or drill: nothing looks whole that is not, and the next run tidies up."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from config import Settings
from tests.make import Make
from tests.recovery.conftest import Run, left_behind, newest, run_at, run_process
from tests.recovery.process import STEPS
from webapp.database.engine import Database
from webapp.database.installation import InstallationError, initialize, list_problems
from webapp.recovery.folder import Kept, list_kept
from webapp.recovery.models import RunKind
from webapp.recovery.queries import latest_backup, list_runs
from webapp.tenancy.sessions import reading_session

OF_SQLITE = ("the copy is there",)
OF_BACKUPS = [
    "the copy is there",
    "the copy was checked",
    "in the middle of the file",
    "the file is whole",
    "its manifest is there",
]
CANARY = b"Canary-of-this-test-4711"


def plaintext(settings: Settings) -> Iterator[Path]:
    """Files beside the live database that hold what is in it."""
    for path in settings.data_dir.rglob("*"):
        if path.is_file() and not path.name.startswith("callbook.sqlite") and CANARY in path.read_bytes():
            yield path


@pytest.mark.parametrize("where", OF_BACKUPS)
def test_a_backup(run: Run, make: Make, settings: Settings, where: str) -> None:
    assert where in STEPS
    if where in OF_SQLITE and settings.dialect == "postgresql":
        return
    make.destination(CANARY.decode())
    assert settings.backup_folder
    died = run_process(settings, "backup", where)
    assert died.returncode == -signal.SIGKILL, died.stderr

    whole = where == "its manifest is there"  # then the file itself has its name: only the record of it is missing
    assert len(list_kept(settings.backup_folder)) == whole
    if where in OF_SQLITE:
        assert list(plaintext(settings))  # the copy lies there
    with reading_session(make.database) as session:
        assert latest_backup(session) is None
        (killed,) = list_runs(session, RunKind.BACKUP, 5)
        assert (killed.ended_at, killed.succeeded) == (None, False)
    if whole:
        assert run("restore-drill").exit_code == 0
        return
    long_ago = time.time() - 2 * 3600
    for part in settings.backup_folder.glob("*.part"):
        os.utime(part, (long_ago, long_ago))
    assert run("backup").exit_code == 0
    assert left_behind(settings) == [] and list(plaintext(settings)) == []
    assert [each.path.name for each in list_kept(settings.backup_folder)] == [newest(settings).path.name]
    assert run("restore-drill").exit_code == 0


def test_a_drill(run: Run, make: Make, settings: Settings, backed_up: Callable[[], Kept]) -> None:
    make.destination(CANARY.decode())
    backed_up()
    died = run_process(settings, "drill", "before the drill looks")
    assert died.returncode == -signal.SIGKILL, died.stderr
    assert run("restore-drill").exit_code == 0
    assert left_behind(settings) == [] and list(plaintext(settings)) == []


@pytest.mark.parametrize("where", ["before it is counted", "before it is settled"])
def test_a_restore(make: Make, empty: Settings, backed_up: Callable[[], Kept], where: str) -> None:
    path = backed_up().path
    died = run_process(empty, "restore", where, path)
    assert died.returncode == -signal.SIGKILL, died.stderr

    database = Database(empty.database_url)
    (problem,) = list_problems(database, empty)
    database.dispose()
    if empty.dialect == "postgresql":
        with pytest.raises(InstallationError, match="did not end"):
            initialize(empty)
    result = run_at(empty, "restore", path)
    if empty.dialect == "sqlite":
        assert "callbook.sqlite.restoring is left of it" in problem
        assert result.exit_code == 0, result.output
        assert [each.name for each in empty.data_dir.glob("callbook.sqlite*")] == ["callbook.sqlite"]
    else:
        assert "A restore into this database did not end" in problem
        assert result.exit_code == 1 and "is not empty" in result.output


def test_what_a_killed_restore_left_goes_with_the_next_backup(make: Make, settings: Settings, run: Run) -> None:
    if settings.dialect == "postgresql":
        return
    left = [settings.data_dir / f"callbook.sqlite.restoring{side}" for side in ("", "-wal", "-shm", "-journal")]
    for path in left:
        path.write_bytes(CANARY)
    assert run("backup").exit_code == 0
    assert not any(path.exists() for path in left) and Database(settings.database_url).sqlite_path.exists()
