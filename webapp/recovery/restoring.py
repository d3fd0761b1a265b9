"""`flask restore`: a backup into an empty place. Nothing is served before everything is done, and nothing half is left.

SQLite: all is done to FILE.restoring, which gets its name last. PostgreSQL: a table that keeps everybody else out is
made first and dropped last; between them pg_restore in one transaction, then the rights. Called by commands.py.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from config import Settings
from webapp.database import dumps
from webapp.database.copies import into_one_file
from webapp.database.engine import Database
from webapp.database.installation import check_user, open_as_owner, open_database, restoring_path
from webapp.recovery import folder as places
from webapp.recovery.backing_up import told_as_problems
from webapp.recovery.manifest import Manifest, compare
from webapp.recovery.models import RunKind
from webapp.recovery.opening import Checked, bring_up_to_date, open_checked, put
from webapp.recovery.problem import RecoveryProblem
from webapp.recovery.runs import begin_run, end_run, note_own_backup
from webapp.recovery.settling import settle

#: What privacy/ does to a restored database, registered in create_app(): erases again what erasures.log in DATA_DIR
#: has, and returns how many that are. The settings name the database as it is at that moment.
after_restore: list[Callable[[Database, Settings], int]] = []
#: What reads erasures.log in a folder and raises RecoveryProblem where a line is damaged, registered with it: a log is
#: added to another only once it was read.
log_checks: list[Callable[[Path], object]] = []
_LOST = "If it is lost, --without-erasures-log restores all the same: then erase once more what you know of."


@dataclass(frozen=True)
class Restored:
    """`held`: mails that wait for `flask release-mail`. `erasures`: how many the log told of. `upgrades`: names."""

    manifest: Manifest
    held: int
    erasures: int
    upgrades: list[str]


def restore(settings: Settings, path: Path, *, without_log: bool = False) -> Restored:
    """Raises RecoveryProblem or InstallationError; then the place is as empty as before.

    `without_log`: even where erasures.log is lost, or is older than the backup.
    """
    check_user(settings)
    if not (without_log or any((each / places.ERASURES).exists() for each in (path.parent, settings.data_dir))):
        raise RecoveryProblem(
            f"There is no {places.ERASURES} beside the backup, nor in {settings.data_dir}: what was erased since would "
            f"be back. Fetch it from where the backups were. {_LOST}"
        )
    for check in log_checks:
        check(path.parent)
    with told_as_problems(), places.only_one(settings), _empty_place(settings) as place:
        checked = open_checked(settings, path)
        different = compare(checked.reader.facts, put(checked, place))
        if different:
            raise RecoveryProblem(f"What was restored is not what was saved: {'; '.join(different[:5])}.")
        restored = _finish(settings, place, checked, path.parent)
        known = checked.reader.facts.tables.get("erasure", 0)
        if restored.erasures < known and not without_log:
            raise RecoveryProblem(
                f"{places.ERASURES} tells of {restored.erasures:,} erasures, and the backup knew of {known:,}: it is "
                f"older than the backup. Fetch the newest one. {_LOST}"
            )
        return restored


def _finish(settings: Settings, place: Settings, checked: Checked, beside: Path) -> Restored:
    upgrades = bring_up_to_date(checked, place)  # first: what follows knows no older schema
    database = open_database(place, pool_size=2)
    try:
        run_id = begin_run(database, RunKind.RESTORE, checked.manifest.name)
        note_own_backup(database, checked.manifest)
        held = settle(database, checked.manifest.facts.moment)
        places.copy_erasures(beside, settings.data_dir)
        if not after_restore:
            raise RecoveryProblem(
                "Nothing is there that erases again what was erased since: this is no whole Callbook."
            )
        erasures = sum(hook(database, place) for hook in after_restore)
        end_run(database, run_id, checked.manifest)
    finally:
        database.dispose()
    return Restored(checked.manifest, held, erasures, upgrades)


@contextmanager
def _empty_place(settings: Settings) -> Iterator[Settings]:
    """Where to restore to. When the body fails it is empty again."""
    with (_empty_file if settings.dialect == "sqlite" else _empty_database)(settings) as place:
        yield place


@contextmanager
def _empty_file(settings: Settings) -> Iterator[Settings]:
    database = Database(settings.database_url)
    path, part = database.sqlite_path, restoring_path(database)
    _check_nothing_there(path)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        yield replace(settings, database_url=f"sqlite:///{part}")
        into_one_file(part)
        _check_nothing_there(path)
        os.link(part, path)  # not a rename, which would replace what somebody made meanwhile
        places.sync_folder(path.parent)
    finally:
        places.remove_scratch(part)


def _check_nothing_there(path: Path) -> None:
    for each in places.with_side_files(path):
        if each.exists():
            raise RecoveryProblem(f"{each} is there already. Move it away first: a restore replaces nothing.")


@contextmanager
def _empty_database(settings: Settings) -> Iterator[Settings]:
    database = open_as_owner(settings)
    try:
        if not dumps.claim_empty(database):
            raise RecoveryProblem(
                f"The database {database.url.database} is not empty. Make a new one for the owner, and name it in "
                "DATABASE_URL and its companions: a restore replaces nothing."
            )
        try:
            yield settings
            dumps.end_claim(database)
        except BaseException:
            dumps.make_empty(database)
            raise
    finally:
        database.dispose()
