"""`flask restore-drill`: restores the newest backup, or one that is told, into a scratch database and looks at it.

Rows by table and heads of the audit must be those of the manifest, every chain whole. What came of it is recorded in
the live database, which is not touched otherwise. Called by commands.py.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.engine import make_url

from config import Settings
from webapp.audit.service_chain import SERVICE_ID
from webapp.audit.verify import verify_chain
from webapp.database import dumps
from webapp.database.copies import count_bytes
from webapp.database.engine import Database
from webapp.database.installation import check_start, check_user, open_database
from webapp.database.roles import check_owner
from webapp.recovery import folder as places
from webapp.recovery.backing_up import check_room, told_as_problems
from webapp.recovery.manifest import Manifest, compare, digest_id
from webapp.recovery.models import RunKind
from webapp.recovery.opening import Checked, bring_up_to_date, open_checked, put
from webapp.recovery.problem import NotBegun, RecoveryProblem
from webapp.recovery.runs import begin_run, end_run, note_failure, note_not_begun
from webapp.tenancy.models import Organization
from webapp.tenancy.sessions import reading_session


@dataclass(frozen=True)
class Drilled:
    """`different`: in words what was not as it should be; none when the backup is good."""

    name: str
    manifest: Manifest | None
    different: list[str]


def drill(settings: Settings, told: Path | None = None) -> Drilled:
    """Raises RecoveryProblem or InstallationError when no drill could begin; what a drill finds is returned."""
    check_user(settings)
    if settings.dialect == "postgresql":
        check_owner(settings, RecoveryProblem)
    database = open_database(settings, pool_size=2)
    try:
        check_start(database, settings)
        with places.only_one(settings, places.PATIENCE):
            return _recorded(settings, database, told or _newest(settings))
    except NotBegun as problem:
        note_not_begun(database, RunKind.DRILL, problem)
        raise
    finally:
        database.dispose()


def _newest(settings: Settings) -> Path:
    if settings.backup_folder is None:
        raise RecoveryProblem("Which backup? Set BACKUP_FOLDER, or name a file.")
    kept = places.list_own(settings, settings.backup_folder)
    if not kept:
        raise NotBegun("BACKUP_FOLDER holds no whole backup of this installation.")
    return kept[0].path


def _recorded(settings: Settings, database: Database, path: Path) -> Drilled:
    with told_as_problems():
        run_id = begin_run(database, RunKind.DRILL, path.name)
    manifest: Manifest | None = None
    try:
        with told_as_problems():
            checked = open_checked(settings, path)
            manifest = checked.manifest
            different = _try(settings, checked)
    except RecoveryProblem as problem:
        different = [str(problem)]
    except BaseException as error:
        note_failure(database, run_id, error)
        raise
    with told_as_problems():
        end_run(database, run_id, manifest, "; ".join(different))
    return Drilled(path.name, manifest, different)


def _try(settings: Settings, checked: Checked) -> list[str]:
    told = checked.told
    different = ["there is no manifest beside the backup"] if told is None else []
    with _scratch(settings) as place:
        found = put(checked, place)
        different += compare(told.facts if told else checked.reader.facts, found)
        if told is not None and told.facts.moment != found.moment:
            different.append(f"moment: {told.facts.moment} in the manifest, {found.moment} sealed in the backup")
        bring_up_to_date(checked, place)
        scratch = Database(place.database_url, pool_size=2)
        try:
            return [*different, *_wrong_chains(scratch)]
        finally:
            scratch.dispose()


def _wrong_chains(scratch: Database) -> Iterator[str]:
    with reading_session(scratch) as session:
        organization_ids = session.scalars(select(Organization.id)).all()
    for organization_id in (SERVICE_ID, *organization_ids):
        wrong = verify_chain(scratch, organization_id).wrong
        if wrong is not None:
            yield f"audit chain {digest_id(organization_id)}, event {wrong.position}: {wrong.what}"


@contextmanager
def _scratch(settings: Settings) -> Iterator[Settings]:
    """Settings that name a scratch database in the place of the live one."""
    if settings.dialect == "sqlite":
        path = places.scratch_path(settings, "drill")
        check_room((path.parent, count_bytes(Database(settings.database_url).sqlite_path)))
        try:
            yield replace(settings, database_url=f"sqlite:///{path}")
        finally:
            places.remove_scratch(path)
        return
    assert settings.database_owner_url
    with dumps.scratch_database(settings.database_owner_url) as name:
        yield replace(
            settings,
            database_url=_renamed(settings.database_url, name),
            database_owner_url=_renamed(settings.database_owner_url, name),
            database_staff_url=settings.database_staff_url and _renamed(settings.database_staff_url, name),
            database_dump_url=settings.database_dump_url and _renamed(settings.database_dump_url, name),
        )


def _renamed(url: str, name: str) -> str:
    return make_url(url).set(database=name).render_as_string(hide_password=False)
