"""`flask backup`: a sealed file of one moment, beside its manifest; and what keeps one from being made."""

import hashlib
import os
import signal
import stat
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import time_machine
from flask import Flask

from config import Settings
from tests.make import Make
from tests.recovery.conftest import PASSPHRASE, Run, left_behind, newest, run_at
from webapp.audit.models import AuditEvent
from webapp.database import copies, dumps
from webapp.database.engine import Database
from webapp.recovery import backing_up, folder
from webapp.recovery.folder import ERASURES, Kept, list_kept, only_one
from webapp.recovery.models import RunKind
from webapp.recovery.queries import latest_backup, latest_drill, list_runs
from webapp.tenancy.sessions import reading_session


def runs(database: Database, kind: RunKind = RunKind.BACKUP) -> list[tuple[bool, str]]:
    with reading_session(database) as session:
        return [(run.succeeded, run.words) for run in list_runs(session, kind, 10)]


def test_one_sealed_file_and_its_manifest(run: Run, make: Make, settings: Settings, database: Database) -> None:
    make.call()
    result = run("backup")

    assert result.exit_code == 0, result.output
    kept = newest(settings)
    assert str(kept.path) in result.output and "1 call of 2 organizations" in result.output
    assert "NUMBER_KEY, SECRET_KEY" in result.output and ERASURES in result.output
    for path in (kept.path, folder.manifest_path(kept.path)):
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert hashlib.sha256(kept.path.read_bytes()).digest() == kept.manifest.digest
    assert left_behind(settings) == []
    with reading_session(database, 0) as session:
        found = latest_backup(session)
        assert found is not None and found.ended_at is not None and found.succeeded
        assert (found.backup_name, found.digest) == (kept.path.name, kept.manifest.digest)
        assert (found.organizations, found.calls) == (2, 1)
        assert found.backup_at == kept.moment and found.heads_digest == kept.manifest.facts.heads_digest
        assert latest_drill(session) is None
        (event,) = session.query(AuditEvent).filter_by(kind="service.backed_up").all()
        assert (event.actor_id, event.object_id) == (None, found.id)


CANARY = "Canary-of-this-test-4711"


def test_security_50_nothing_of_the_database_can_be_read_in_it(
    make: Make, settings: Settings, backed_up: Callable[[], Kept]
) -> None:
    make.destination(CANARY)
    make.call(caller="+442079460123")
    kept = backed_up()

    for path in (kept.path, folder.manifest_path(kept.path)):
        content = path.read_bytes()
        for readable in (CANARY, "442079460123", "Harbour", "harbour", "olive@example.com", "SQLite format", "PGDMP"):
            assert readable.encode() not in content
    for secret in (settings.secret_key.encode(), settings.number_key, settings.backup_key):
        assert secret and secret not in kept.path.read_bytes() and secret.hex().encode() not in kept.path.read_bytes()


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"backup_key": None}, "No backup is made without encryption"),
        ({"backup_folder": None}, "Set BACKUP_FOLDER"),
    ],
)
def test_what_is_not_set(settings: Settings, make: Make, changed: dict[str, Any], words: str) -> None:
    result = run_at(replace(settings, **changed), "backup")
    assert result.exit_code == 1 and words in result.output, result.output
    assert runs(make.database) == []


def test_a_lost_mount_is_not_taken_for_a_new_folder(run: Run, settings: Settings, make: Make) -> None:
    assert settings.backup_folder
    settings.backup_folder.rmdir()
    result = run("backup")
    assert result.exit_code == 1 and "is not there. Make it (mkdir -m 700), or mount" in result.output, result.output
    assert not settings.backup_folder.exists()
    ((succeeded, words),) = runs(make.database)
    assert not succeeded and "is not there" in words


def test_a_key_that_everybody_may_read(
    run: Run, settings: Settings, make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = tmp_path / "key"
    key.write_text("ab" * 32)
    key.chmod(0o644)
    monkeypatch.setenv("BACKUP_KEY_FILE", str(key))
    result = run("backup")
    assert result.exit_code == 1 and f"BACKUP_KEY_FILE: everybody on this machine may read {key}" in result.output
    assert len(runs(make.database)) == 1 and list_kept(settings.data_dir / "backups") == []


@pytest.mark.postgresql
def test_the_dump_role_is_needed(settings: Settings, make: Make) -> None:
    result = run_at(replace(settings, database_dump_url=None), "backup")
    assert result.exit_code == 1 and "DATABASE_DUMP_URL is not set" in result.output


@pytest.mark.postgresql
def test_a_role_that_does_not_see_every_row_dumps_nothing(settings: Settings, make: Make) -> None:
    result = run_at(replace(settings, database_dump_url=settings.database_url), "backup")
    assert result.exit_code == 1 and "does not see every row of" in result.output, result.output
    assert list_kept(settings.data_dir / "backups") == [] and left_behind(settings) == []
    assert runs(make.database) == [(False, "RecoveryProblem")]


@pytest.mark.postgresql
def test_pg_dump_is_not_installed(run: Run, monkeypatch: pytest.MonkeyPatch, make: Make, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(dumps, "_DEBIAN", tmp_path)
    result = run("backup")
    assert result.exit_code == 1 and "pg_dump is not installed here" in result.output


@pytest.mark.postgresql
def test_no_password_is_in_an_argument(
    run: Run, settings: Settings, monkeypatch: pytest.MonkeyPatch, make: Make, app: Flask
) -> None:
    commands: list[list[str]] = []
    start = dumps.subprocess.Popen
    monkeypatch.setenv("BACKUP_KEY", "stands in the environment")

    def listen(command: list[str], **options: Any) -> Any:
        commands.append(command)
        assert "BACKUP_KEY" not in options.get("env", {})
        return start(command, **options)

    monkeypatch.setattr(dumps.subprocess, "Popen", listen)
    assert run("backup").exit_code == 0 and run("restore-drill").exit_code == 0
    tools = [Path(command[0]).name for command in commands if "--version" not in command]
    assert tools == ["pg_dump", "pg_restore", "pg_restore"]
    assert settings.database_dump_url
    password = str(Database(settings.database_dump_url).url.password)
    assert password not in str(commands) and settings.secret_key not in str(commands)


def full(*_arguments: object) -> None:
    raise OSError(28, "No space left on device")


def test_a_full_disk_leaves_nothing_half(
    run: Run, settings: Settings, monkeypatch: pytest.MonkeyPatch, make: Make
) -> None:
    monkeypatch.setattr(backing_up.BackupWriter, "write", full)
    result = run("backup")
    assert result.exit_code == 1 and "No space left on device" in result.output
    assert left_behind(settings) == [] and list_kept(settings.data_dir / "backups") == []
    assert runs(make.database) == [(False, "OSError")]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_service_manager_or_terminal_that_ends_it_leaves_nothing_half(
    run: Run, settings: Settings, monkeypatch: pytest.MonkeyPatch, make: Make, number: signal.Signals
) -> None:
    before = signal.getsignal(number)
    monkeypatch.setattr(backing_up.BackupWriter, "write", lambda *_: os.kill(os.getpid(), number))
    assert run("backup").exit_code == 128 + number
    assert left_behind(settings) == [] and list_kept(settings.data_dir / "backups") == []
    assert runs(make.database) == [(False, "SystemExit")]
    assert signal.getsignal(number) == before


def test_a_disk_with_too_little_room_is_left_alone(
    run: Run, settings: Settings, monkeypatch: pytest.MonkeyPatch, make: Make
) -> None:
    monkeypatch.setattr(backing_up, "KEPT_FREE_BYTES", 10**18)
    result = run("backup")
    assert result.exit_code == 1 and "MB of free disk for a while" in result.output
    assert left_behind(settings) == []


def test_room_is_asked_for_the_copy_and_for_a_file_as_large_as_the_last(
    run: Run, settings: Settings, monkeypatch: pytest.MonkeyPatch, make: Make, backed_up: Callable[[], Kept]
) -> None:
    asked: list[tuple[tuple[Path, int], ...]] = []
    monkeypatch.setattr(backing_up, "check_room", lambda *needs: asked.append(needs))
    last = backed_up()
    make.call()
    with time_machine.travel(datetime.now(UTC) + timedelta(seconds=2), tick=True):
        copy = 0
        if settings.dialect == "sqlite":
            path = make.database.sqlite_path
            copy = path.stat().st_size + Path(f"{path}-wal").stat().st_size
        backed_up()
    tmp = settings.data_dir / "tmp"
    assert asked[1][0] == (last.path.parent, last.manifest.byte_count)
    assert asked[1][1][0] == tmp and copy <= asked[1][1][1] <= copy + 100_000  # the note that it began comes first


def test_folders_of_one_disk_share_its_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = SimpleNamespace(free=backing_up.KEPT_FREE_BYTES + 150)
    monkeypatch.setattr(backing_up.shutil, "disk_usage", lambda _folder: free)
    (tmp_path / "beside").mkdir()
    backing_up.check_room((tmp_path, 100), (Path("/proc"), 100))  # two disks
    with pytest.raises(backing_up.RecoveryProblem, match=r"free disk for a while in .+ and .+beside; 2.. MB are free"):
        backing_up.check_room((tmp_path, 100), (tmp_path / "beside", 100))


def test_a_backup_that_cannot_be_recorded_is_there_all_the_same(
    run: Run, settings: Settings, monkeypatch: pytest.MonkeyPatch, make: Make
) -> None:
    monkeypatch.setattr(backing_up, "end_run", full)
    result = run("backup")
    assert result.exit_code == 1 and "is whole, but what comes after it failed: No space left" in result.output
    assert len(list_kept(settings.data_dir / "backups")) == 1


def test_a_damaged_copy_is_no_backup(run: Run, settings: Settings, monkeypatch: pytest.MonkeyPatch, make: Make) -> None:
    if settings.dialect == "postgresql":
        return  # pg_dump says so itself
    whole = copies.check_sqlite

    def damage(path: Path) -> None:
        with path.open("r+b") as file:
            file.seek(5 * 4096)
            file.write(b"\xff" * 4096)
        whole(path)

    monkeypatch.setattr(copies, "check_sqlite", damage)
    result = run("backup")
    assert result.exit_code == 1 and "SQLite says that the database is damaged" in result.output
    assert left_behind(settings) == [] and list_kept(settings.data_dir / "backups") == []


@pytest.mark.parametrize("place", ["in the middle", "at the end"])
def test_what_the_disk_did_not_keep_is_no_backup_and_costs_no_older_one(
    run: Run,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    make: Make,
    backed_up: Callable[[], Kept],
    place: str,
) -> None:
    older = backed_up()
    end = backing_up.BackupWriter.end

    def lose(writer: backing_up.BackupWriter) -> bytes:
        digest = end(writer)
        (part,) = older.path.parent.glob("*.part")
        content = bytearray(part.read_bytes())
        content[len(content) // 2 if place == "in the middle" else -1] ^= 1
        part.write_bytes(content)
        return digest

    monkeypatch.setattr(backing_up.BackupWriter, "end", lose)
    strict = replace(settings, backup_keep_days=0, backup_keep_weeks=0, backup_keep_months=0)
    with time_machine.travel(datetime.now(UTC) + timedelta(days=1), tick=True):
        result = run_at(strict, "backup")
        assert result.exit_code == 1 and "was changed or cut off" in result.output, result.output
        assert left_behind(settings) == [] and [kept.path for kept in list_kept(older.path.parent)] == [older.path]
    assert runs(make.database) == [(False, "RecoveryProblem"), (True, "")]


def test_one_at_a_time(
    run: Run, settings: Settings, make: Make, backed_up: Callable[[], Kept], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = backed_up()
    monkeypatch.setattr(folder, "PATIENCE", timedelta(0))
    with only_one(settings):
        for command in (("backup",), ("restore-drill",), ("restore", kept.path)):
            result = run(*command)
            assert result.exit_code == 1 and "Another backup, restore or drill is running" in result.output, command
    for kind in (RunKind.BACKUP, RunKind.DRILL):
        assert runs(make.database, kind)[0] == (
            False,
            "Another backup, restore or drill is running here. Nothing was done.",
        )
    assert run("restore-drill").exit_code == 0


def test_a_drill_of_the_same_minute_waits_for_the_backup(
    run: Run, settings: Settings, make: Make, backed_up: Callable[[], Kept]
) -> None:
    backed_up()
    with ExitStack() as running:
        running.enter_context(only_one(settings))
        over = threading.Timer(1, running.close)
        over.start()
        result = run("restore-drill")
        over.join()
    assert result.exit_code == 0, result.output


def test_the_file_that_another_machine_is_writing_is_left_alone(
    settings: Settings, make: Make, backed_up: Callable[[], Kept]
) -> None:
    assert settings.backup_folder
    theirs = [settings.backup_folder / f"callbook-20990105T000000Z.backup{end}" for end in (".part", ".json")]
    for path in theirs:
        path.write_bytes(b"begun")
    backed_up()
    assert all(path.exists() for path in theirs)
    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=61), tick=True):
        backed_up()
    assert not any(path.exists() for path in theirs)


def test_with_a_passphrase(settings: Settings, make: Make, empty: Settings) -> None:
    sealed = replace(settings, backup_key=None, backup_passphrase=PASSPHRASE)
    assert run_at(sealed, "backup").exit_code == 0
    path = newest(settings).path
    assert path.read_bytes().startswith(b"CALLBOOK-BACKUP-1 passphrase 65536 8 2 ")
    opening = replace(empty, backup_key=None, backup_passphrase=PASSPHRASE)
    assert run_at(opening, "restore", path).exit_code == 0


def test_the_log_of_erasures_lies_beside_it_and_never_loses_a_line(
    run: Run, settings: Settings, make: Make, backed_up: Callable[[], Kept]
) -> None:
    log = settings.data_dir / ERASURES
    first, second, third = (f'{{"kind": "person", "id": {each}, "erased_at_ms": 1}}\n' for each in (1, 2, 3))
    log.write_text(first + second)
    beside = backed_up().path.parent / ERASURES
    assert beside.read_text() == log.read_text() and stat.S_IMODE(os.stat(beside).st_mode) == 0o600
    log.write_text(third)  # a machine that was set up anew without it
    folder.copy_erasures(settings.data_dir, beside.parent)
    assert beside.read_text() == first + second + third
