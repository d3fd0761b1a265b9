"""Records what came of each backup, restore and drill: a row of recovery_run, and an event in the service's own chain.

Each lands by itself, whatever becomes of the run. Called by backing_up.py, restoring.py and drilling.py.
"""

from contextlib import suppress

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from webapp import clock
from webapp.audit.service_chain import note_for_service
from webapp.database.engine import Database
from webapp.database.ids import new_id
from webapp.database.installation import is_older
from webapp.recovery.manifest import Manifest
from webapp.recovery.models import RecoveryRun, RunKind
from webapp.recovery.problem import NotBegun
from webapp.tenancy.sessions import writing_session

_LONGEST_WORDS = 2000


def begin_run(database: Database, kind: RunKind, backup_name: str) -> int | None:
    """It runs: a row without an end is one that was killed. None: of an older schema, in which nothing is recorded."""
    if is_older(database):
        return None
    run = RecoveryRun(
        id=new_id(),
        kind=kind,
        started_at=clock.now(),
        ended_at=None,
        succeeded=False,
        backup_name=backup_name,
        backup_at=None,
        byte_count=0,
        digest=None,
        organizations=0,
        calls=0,
        heads_digest=None,
        words="",
    )
    with writing_session(database) as session:
        session.add(run)
        session.commit()
    return run.id


def end_run(database: Database, run_id: int | None, manifest: Manifest | None, words: str = "") -> None:
    """It ended: well without `words`; they say what was found different, or the class of an error."""
    if run_id is None:
        return
    with writing_session(database) as session:
        run = session.get_one(RecoveryRun, run_id)
        run.ended_at, run.succeeded, run.words = clock.now(), not words, words[:_LONGEST_WORDS]
        if manifest is not None:
            _note_manifest(run, manifest)
        note_for_service(
            session,
            {
                RunKind.BACKUP: "service.backed_up",
                RunKind.RESTORE: "service.restored",
                RunKind.DRILL: "service.drilled",
            }[run.kind],
            None,
            run_id,
            backup=run.backup_name,
            result="failed" if words else "done",
        )
        session.commit()


def note_failure(database: Database, run_id: int | None, error: BaseException) -> None:
    """It ended with an error, of which the class is kept. Where not even that can be written the row has no end."""
    with suppress(SQLAlchemyError):
        end_run(database, run_id, None, type(error.__cause__ or error).__name__)


def note_not_begun(database: Database, kind: RunKind, problem: NotBegun) -> None:
    """A run that failed before there was a file to name."""
    end_run(database, begin_run(database, kind, "(none)"), None, str(problem))


def note_own_backup(database: Database, manifest: Manifest) -> None:
    """In what was restored: the backup that it came of did end, which it could not know itself."""
    its = (RecoveryRun.kind == RunKind.BACKUP, RecoveryRun.backup_name == manifest.name, RecoveryRun.ended_at.is_(None))
    with writing_session(database) as session:
        for run in session.scalars(select(RecoveryRun).where(*its)):
            run.ended_at, run.succeeded = run.started_at, True
            _note_manifest(run, manifest)
        session.commit()


def _note_manifest(run: RecoveryRun, manifest: Manifest) -> None:
    run.backup_name, run.backup_at = manifest.name, manifest.facts.moment
    run.byte_count, run.digest = manifest.byte_count, manifest.digest
    run.organizations, run.calls = manifest.facts.organizations, manifest.facts.calls
    run.heads_digest = manifest.facts.heads_digest
