"""Opens a backup for restore and drill: checks all of it before anything is written, then puts it into an empty place.

A place is told by Settings whose database addresses name it. Called by restoring.py and drilling.py.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from config import Settings
from webapp.database import dumps
from webapp.database.contents import NO_LIMIT_MS, read_contents
from webapp.database.copies import check_sqlite
from webapp.database.engine import Database
from webapp.database.installation import number_key, number_key_check, put_roles_right
from webapp.database.upgrade_files import newest_version
from webapp.database.upgrades import row_security_lifted, upgrade
from webapp.recovery import folder as places
from webapp.recovery.archive import BackupReader
from webapp.recovery.manifest import Facts, Manifest, facts_of, installation_mark, read_manifest
from webapp.recovery.problem import RecoveryProblem


@dataclass(frozen=True)
class Checked:
    """A backup that opens to its end. `told`: the manifest beside it; None where there is none."""

    reader: BackupReader
    manifest: Manifest
    told: Manifest | None


def open_checked(settings: Settings, path: Path) -> Checked:
    """Raises RecoveryProblem; nothing was written."""
    if settings.dialect == "postgresql":
        assert settings.database_owner_url  # whoever gives an empty place has signed in by it
        dumps.check_tools(settings.database_owner_url)
    reader = BackupReader(path, settings)
    _check_fit(settings, reader.facts)
    beside = places.manifest_path(path)
    told = read_manifest(beside) if beside.exists() else None
    digest = reader.check()
    if told is not None and told.digest != digest:
        raise RecoveryProblem(
            f"{path.name} is another file than {beside.name} tells of: its SHA-256 is {digest.hex()}."
        )
    return Checked(reader, Manifest(path.name, path.stat().st_size, digest, reader.facts), told)


def _check_fit(settings: Settings, facts: Facts) -> None:
    if facts.engine != settings.dialect:
        raise RecoveryProblem(f"This backup is of {facts.engine}, and DATABASE_URL names {settings.dialect}.")
    newest = newest_version(facts.engine)
    if facts.schema > newest:
        raise RecoveryProblem(
            f"This backup has schema {facts.schema}, and this version of Callbook knows only {newest}: install the one "
            "that made it, or a newer one."
        )
    if installation_mark(number_key_check(number_key(settings))) != facts.installation:
        raise RecoveryProblem(
            "NUMBER_KEY is not the one that this backup belongs to: no record would be recognised again. Put the right "
            "key back first."
        )


def put(checked: Checked, place: Settings) -> Facts:
    """Into an SQLite path that does not exist, or an empty PostgreSQL database. Returns what is there afterwards."""
    facts = checked.reader.facts
    if place.dialect == "sqlite":
        path = Database(place.database_url).sqlite_path
        _write_file(path, checked.reader.blocks())
        check_sqlite(path)
        return _count(Database(place.database_url, pool_size=1, statement_ms=NO_LIMIT_MS), facts)
    contents = places.scratch_path(place, "contents")
    try:
        places.write_whole(contents, dumps.list_dump(checked.reader.blocks()).encode())
        assert place.database_owner_url
        dumps.restore_dump(place.database_owner_url, checked.reader.blocks(), contents)
    finally:
        contents.unlink(missing_ok=True)
    return _count(Database(place.database_owner_url, pool_size=1, statement_ms=0), facts)


def bring_up_to_date(checked: Checked, place: Settings) -> list[str]:
    """Roles, grants and upgrades; the names of the upgrades. PostgreSQL's web role reads nothing before this."""
    is_older = checked.reader.facts.schema < newest_version(place.dialect)
    if place.dialect == "postgresql":
        put_roles_right(place, granted=not is_older)
    return upgrade(place) if is_older else []


def _count(database: Database, facts: Facts) -> Facts:
    try:
        with database.writing.connect() as connection, connection.begin():
            if database.dialect == "sqlite":
                contents = read_contents(connection)
            else:
                with row_security_lifted(connection):
                    contents = read_contents(connection)
    finally:
        database.dispose()
    if contents is None:
        raise RecoveryProblem("The backup holds no database of Callbook.")
    return facts_of(contents, facts.moment, facts.engine)


def _write_file(path: Path, blocks: Iterable[bytes]) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        for block in blocks:
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
