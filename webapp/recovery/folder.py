"""The folder of the backups: their names, which of them are whole, which of them go; and what a killed run left behind.

A file has its name once it is whole and on the disk; until then it is NAME.part. Called by backing_up.py, restoring.py
and drilling.py.
"""

import fcntl
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from config import Settings
from webapp import clock
from webapp.database.engine import Database
from webapp.database.installation import number_key, number_key_check, restoring_path
from webapp.recovery.manifest import Manifest, installation_mark, read_manifest, write_manifest
from webapp.recovery.problem import NotBegun, RecoveryProblem

ERASURES = "erasures.log"
_PATTERN, _PART, _MANIFEST = "callbook-*.backup", ".part", ".json"
#: Clocks of two machines. A moment further ahead was written by a wrong one, and would be the newest for ever.
_CLOCKS_DIFFER = timedelta(minutes=10)
#: How long a timer's backup or drill waits for another that runs: both may fall on the same minute.
PATIENCE = timedelta(minutes=15)
#: What nobody has written to for so long is of a run that was killed. A younger one may be another machine's.
_DEAD_AFTER = timedelta(hours=1)
#: Before the names of everything that this package puts into DATA_DIR/tmp.
SCRATCH = "recovery-"


@dataclass(frozen=True)
class Kept:
    """A backup that is whole, as far as its manifest and its size tell."""

    path: Path
    manifest: Manifest

    @property
    def moment(self) -> datetime:
        return self.manifest.facts.moment


def find_folder(settings: Settings, told: Path | None) -> Path:
    """The folder where backups go. Not made: in the place of a mount that was lost it would lie on this disk."""
    folder = told or settings.backup_folder
    if folder is None:
        raise RecoveryProblem("Where to? Set BACKUP_FOLDER, or give --to FOLDER.")
    if not os.access(folder, os.F_OK):
        raise NotBegun(f"{folder} is not there. Make it (mkdir -m 700), or mount what it lies on.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise NotBegun(f"{folder} cannot be written by this user.")
    return folder


def file_name(moment: datetime) -> str:
    return f"callbook-{moment:%Y%m%dT%H%M%SZ}.backup"


def manifest_path(path: Path) -> Path:
    return path.with_name(path.name + _MANIFEST)


def part_path(path: Path) -> Path:
    return path.with_name(path.name + _PART)


def keep(path: Path, manifest: Manifest) -> None:
    """Give what lies at part_path(path) its name. The manifest comes first: a backup that has its name has that too."""
    write_whole(manifest_path(path), write_manifest(manifest).encode())
    part_path(path).rename(path)
    sync_folder(path.parent)


def write_whole(path: Path, content: bytes) -> None:
    """All of it or nothing, for this user alone."""
    part = part_path(path)
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.rename(path)


def sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def list_kept(folder: Path, installation: str | None = None) -> list[Kept]:
    """The whole backups in a folder, of one installation if told; the newest first."""
    return [kept for kept in _list_whole(folder, installation) if not _is_ahead(kept)]


def list_own(settings: Settings, folder: Path) -> list[Kept]:
    """Those of this installation."""
    return list_kept(folder, installation_mark(number_key_check(number_key(settings))))


def list_ahead(folder: Path, installation: str) -> list[str]:
    """Names of those whose moment has not come yet: nothing takes or removes them."""
    return [kept.path.name for kept in _list_whole(folder, installation) if _is_ahead(kept)]


def _is_ahead(kept: Kept) -> bool:
    return kept.moment > clock.now() + _CLOCKS_DIFFER


def _list_whole(folder: Path, installation: str | None) -> list[Kept]:
    found = []
    for path in folder.glob(_PATTERN):
        try:
            kept = Kept(path, read_manifest(manifest_path(path)))
            whole = path.stat().st_size == kept.manifest.byte_count and path.name == kept.manifest.name
        except (RecoveryProblem, OSError):
            continue
        if whole and installation in (None, kept.manifest.facts.installation):
            found.append(kept)
    return sorted(found, key=lambda kept: kept.moment, reverse=True)


# --------------------------------------------------------------------------------------------------------- rotation


def rotate(made: Path, installation: str, settings: Settings) -> list[str]:
    """Remove this installation's backups beside the one just made that are no longer kept. Returns their names."""
    kept = list_kept(made.parent, installation)
    stay = choose(
        (each.moment for each in kept),
        settings.backup_keep_days,
        settings.backup_keep_weeks,
        settings.backup_keep_months,
    )
    gone = [each for each in kept if each.moment not in stay and each.path != made]
    for each in gone:
        each.path.unlink()  # first: a manifest without its file is nothing, a file without manifest might be taken
        manifest_path(each.path).unlink(missing_ok=True)
    return [each.path.name for each in gone]


def choose(moments: Iterable[datetime], days: int, weeks: int, months: int) -> set[datetime]:
    """The moments that stay: of each of the last so many days, weeks and months that have any the last; the newest."""
    newest_first = sorted(moments, reverse=True)
    stay = set(newest_first[:1])
    for form, count in (("%Y-%m-%d", days), ("%G-%V", weeks), ("%Y-%m", months)):
        last_of: dict[str, datetime] = {}
        for moment in newest_first:
            last_of.setdefault(moment.strftime(form), moment)
        stay.update(list(last_of.values())[:count])
    return stay


# ------------------------------------------------------------------------------------------------------ one at a time


@contextmanager
def only_one(settings: Settings, patience: timedelta = timedelta(0)) -> Iterator[None]:
    """Hold DATA_DIR/tmp for one backup, restore or drill; what a killed one left in it, or beside the database, goes.

    Raises NotBegun when another holds it for longer than `patience`. The system lets go of what a dead process held.
    """
    tmp = settings.data_dir / "tmp"
    with suppress(OSError):  # said by whoever opens the folder
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)  # mkdir of tmp would make it for all to see
        tmp.mkdir(mode=0o700, exist_ok=True)
    with _held(tmp, patience):
        for left in tmp.glob(f"{SCRATCH}*"):
            left.unlink()
        if settings.dialect == "sqlite":
            remove_scratch(restoring_path(Database(settings.database_url)))
        yield


@contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """The same of the folder of the backups, which several installations of this machine may share."""
    with _held(folder, PATIENCE):
        orphans = [path for path in folder.glob(_PATTERN + _MANIFEST) if not path.with_suffix("").exists()]
        for left in (*folder.glob(f"{_PATTERN}*{_PART}"), *orphans):
            if clock.now().timestamp() - left.stat().st_mtime > _DEAD_AFTER.total_seconds():
                left.unlink()
        yield


@contextmanager
def _held(folder: Path, patience: timedelta) -> Iterator[None]:
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise NotBegun(f"{folder} cannot be opened: {error.strerror}.") from None
    try:
        _lock(descriptor, patience)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, patience: timedelta) -> None:
    until = time.monotonic() + patience.total_seconds()
    while True:
        with suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        if time.monotonic() >= until:
            raise NotBegun("Another backup, restore or drill is running here. Nothing was done.")
        time.sleep(0.5)


def scratch_path(settings: Settings, word: str) -> Path:
    """A file that is gone at the end of the run, or at the beginning of the next."""
    return settings.data_dir / "tmp" / f"{SCRATCH}{word}"


def remove_scratch(path: Path) -> None:
    for each in with_side_files(path):
        each.unlink(missing_ok=True)


def with_side_files(path: Path) -> list[Path]:
    """Of SQLite."""
    return [path, *(Path(f"{path}-{word}") for word in ("wal", "shm", "journal"))]


# ------------------------------------------------------------------------------------------------------ erasures.log


def copy_erasures(source: Path, target: Path) -> None:
    """Add the lines of one erasures.log that the other lacks: neither ever loses one. Folders are given.

    Afterwards the other is there, if only empty: that nothing was erased is told apart from a log that is lost.
    """
    wanted = _lines(source / ERASURES)
    known = _lines(target / ERASURES)
    added = [line for line in wanted if line not in set(known)]
    if added or not (target / ERASURES).exists():
        write_whole(target / ERASURES, b"".join(known + added))


def _lines(path: Path) -> list[bytes]:
    if not path.exists():
        return []
    return [line if line.endswith(b"\n") else line + b"\n" for line in path.read_bytes().splitlines(keepends=True)]
