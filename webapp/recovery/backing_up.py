"""`flask backup`: one sealed file of the database as of one moment, while the service serves and imports run.

SQLite: a copy in DATA_DIR/tmp, which is checked, loses its name at once, and streams into the file. PostgreSQL: pg_dump
streams, as the dump role, of the same moment in which rows are counted. Called by commands.py.
"""

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from sqlalchemy.exc import DBAPIError

from config import OF_BACKUPS, Settings, list_open_files
from webapp import clock
from webapp.database import dumps, roles
from webapp.database.contents import NO_LIMIT_MS, read_contents
from webapp.database.copies import NotWhole, copy_sqlite, count_bytes, into_one_file
from webapp.database.engine import Database
from webapp.database.installation import check_start, check_user, open_database
from webapp.recovery import folder as places
from webapp.recovery.archive import BackupReader, BackupWriter
from webapp.recovery.keys import check_key
from webapp.recovery.manifest import Facts, Manifest, facts_of
from webapp.recovery.models import RunKind
from webapp.recovery.problem import NotBegun, RecoveryProblem
from webapp.recovery.runs import begin_run, end_run, note_failure, note_not_begun

#: What later packages write beside a backup that was made, in its folder. They register themselves in create_app().
after_backup: list[Callable[[Database, Path], None]] = []
#: What a backup leaves free for the service, as uploads do.
KEPT_FREE_BYTES = 200 * 1024 * 1024
_AT_ONCE = 1024 * 1024


@dataclass(frozen=True)
class Made:
    """`removed`: names of older backups that rotation took away; `ahead`: of those whose moment has not come yet."""

    path: Path
    manifest: Manifest
    removed: list[str]
    ahead: list[str]


def make_backup(settings: Settings, told: Path | None = None) -> Made:
    """Into `told`, or BACKUP_FOLDER. Raises RecoveryProblem or InstallationError; then no file looks whole."""
    check_user(settings)
    check_key(settings)
    if settings.dialect == "postgresql":
        _check_dump_role(settings)
    database = open_database(settings, pool_size=2)
    try:
        check_start(database, settings, or_older=True)  # the backup that is asked for before an upgrade
        for name, sentence in list_open_files(os.environ, OF_BACKUPS).items():
            raise NotBegun(f"{name}: {sentence}")
        target = places.find_folder(settings, told)
        with places.only_one(settings, places.PATIENCE), places.only_writer(target):
            return _recorded(settings, database, target)
    except NotBegun as problem:
        note_not_begun(database, RunKind.BACKUP, problem)
        raise
    finally:
        database.dispose()


def _recorded(settings: Settings, database: Database, target: Path) -> Made:
    path = target / places.file_name(clock.now())
    if path.exists():
        raise RecoveryProblem(f"{path.name} is there already: wait a second.")
    with told_as_problems():
        run_id = begin_run(database, RunKind.BACKUP, path.name)
    try:
        with told_as_problems():
            manifest = _write(settings, database, path)
    except BaseException as error:
        note_failure(database, run_id, error)
        raise
    finally:
        places.part_path(path).unlink(missing_ok=True)
    try:
        end_run(database, run_id, manifest)
        places.copy_erasures(settings.data_dir, target)
        for hook in after_backup if run_id else ():
            hook(database, target)
        removed = places.rotate(path, manifest.facts.installation, settings)
        return Made(path, manifest, removed, places.list_ahead(target, manifest.facts.installation))
    except (OSError, DBAPIError) as error:
        raise RecoveryProblem(f"{path} is whole, but what comes after it failed: {tell_error(error)}.") from error


def _write(settings: Settings, database: Database, path: Path) -> Manifest:
    _check_room(settings, database, path.parent)
    content = _of_sqlite if settings.dialect == "sqlite" else _of_postgresql
    with content(settings, database) as (facts, blocks):
        writer = BackupWriter(places.part_path(path), settings, facts)
        try:
            for block in blocks:
                writer.write(block)
            digest = writer.end()
        finally:
            writer.close()
    if BackupReader(places.part_path(path), settings).check() != digest:
        raise RecoveryProblem(f"What lies in {path.parent} is not what was written there. No older backup was removed.")
    manifest = Manifest(path.name, writer.byte_count, digest, facts)
    places.keep(path, manifest)
    return manifest


@contextmanager
def _of_sqlite(settings: Settings, database: Database) -> Iterator[tuple[Facts, Iterator[bytes]]]:
    copy = places.scratch_path(settings, "backup")
    moment = clock.now()
    try:
        copy_sqlite(database.sqlite_path, copy)
        facts = _read_facts(f"sqlite:///{copy}", moment)
        into_one_file(copy)
        with copy.open("rb") as file:
            copy.unlink()  # what is left of it goes with this process, however that ends
            yield facts, _blocks(file)
    finally:
        places.remove_scratch(copy)


def _read_facts(url: str, moment: datetime) -> Facts:
    database = Database(url, pool_size=1, statement_ms=NO_LIMIT_MS)
    try:
        with database.reading.connect() as connection, connection.begin():
            contents = read_contents(connection)
        assert contents is not None  # check_start() has seen it
        return facts_of(contents, moment, database.dialect)
    finally:
        database.dispose()


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    while block := file.read(_AT_ONCE):
        yield block


def _check_room(settings: Settings, database: Database, target: Path) -> None:
    """For a file as large as the last one, and the copy of SQLite that lies there while it is written."""
    copy = count_bytes(database.sqlite_path) if settings.dialect == "sqlite" else 0
    newest = places.list_own(settings, target)[:1]
    check_room((target, newest[0].manifest.byte_count if newest else copy), (settings.data_dir / "tmp", copy))


def check_room(*needs: tuple[Path, int]) -> None:
    """Folders, and the bytes that will lie there: a full disk would stop the service. Raises RecoveryProblem."""
    disks: dict[int, list[tuple[Path, int]]] = {}
    for folder, count in needs:
        disks.setdefault(folder.stat().st_dev, []).append((folder, count))
    for parts in disks.values():
        needed, free = sum(count for _, count in parts) + KEPT_FREE_BYTES, shutil.disk_usage(parts[0][0]).free
        if free < needed:
            raise RecoveryProblem(
                f"This needs {needed // 1_000_000:,} MB of free disk for a while in "
                f"{' and '.join(str(folder) for folder, _ in parts)}; {free // 1_000_000:,} MB are free. "
                "Nothing was written."
            )


@contextmanager
def _of_postgresql(settings: Settings, _database: Database) -> Iterator[tuple[Facts, Iterator[bytes]]]:
    assert settings.database_dump_url
    dumping = Database(settings.database_dump_url, pool_size=1, statement_ms=0)
    moment = clock.now()
    try:
        with dumps.one_moment(dumping) as (connection, snapshot):
            unread = roles.list_dump_problems(connection)
            if unread:
                raise RecoveryProblem(
                    f"The role of DATABASE_DUMP_URL does not see every row of {', '.join(unread[:3])}"
                    f"{', ...' if len(unread) > 3 else ''}: run `flask init-db` with DATABASE_DUMP_URL set."
                )
            contents = read_contents(connection)
            assert contents is not None
            yield facts_of(contents, moment, dumping.dialect), dumps.dump(settings.database_dump_url, snapshot)
    finally:
        dumping.dispose()


def _check_dump_role(settings: Settings) -> None:
    if settings.database_dump_url is None:
        raise RecoveryProblem(
            "DATABASE_DUMP_URL is not set. Row-level security keeps the owner and the web role from reading every "
            "customer's rows; a role of its own does: DATABASE_DUMP_URL=postgresql://callbook_dump:password@host/name. "
            "`flask init-db` with it set makes that role."
        )
    with told_as_problems():
        dumps.check_tools(settings.database_dump_url)


@contextmanager
def told_as_problems() -> Iterator[None]:
    """What disks, databases and their programs raise, as a RecoveryProblem in words."""
    try:
        yield
    except NotWhole as error:
        raise RecoveryProblem(f"SQLite says that the database is damaged: {error}. Nothing was written.") from error
    except dumps.ToolFailed as error:
        raise RecoveryProblem(str(error)) from error
    except (OSError, sqlite3.Error, DBAPIError) as error:
        raise RecoveryProblem(f"{tell_error(error)}. Nothing half there was left.") from error


def tell_error(error: OSError | sqlite3.Error | DBAPIError) -> str:
    """In a line, without an end."""
    if isinstance(error, OSError):
        return f"{error.strerror}{f' ({error.filename})' if error.filename else ''}"
    if isinstance(error, DBAPIError):
        return f"The database: {str(error.orig).strip().splitlines()[0].rstrip('.')}"
    return f"SQLite: {error}"
