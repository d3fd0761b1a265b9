"""The background work of this package: run an import, undo one, read a phone system's records again, count days anew.

Each kind calls one function of ingest/, which works in short transactions and bears to be run again.
"""

from datetime import timedelta

from sqlalchemy import exists, select

from webapp import clock
from webapp.calls.models import ImportFile, ImportState
from webapp.database.engine import Database
from webapp.database.installation import number_key
from webapp.destinations.contact_models import ContactImport
from webapp.ingest.calls_to_return import sweep_calls_to_return
from webapp.ingest.importer import run_import
from webapp.ingest.reread import read_again
from webapp.ingest.undo import undo_import
from webapp.ingest.zone_change import follow_zone
from webapp.jobs.handlers import Work, register, register_chore, register_errand
from webapp.jobs.models import StoredFile
from webapp.jobs.stored_files import delete_stored_file
from webapp.organizations.company import COUNT_DAYS, tell_zone_moved
from webapp.sources.imports import IMPORT, READ_AGAIN, UNDO
from webapp.sources.route_lookups import sweep_lookups
from webapp.sources.storing import store_due
from webapp.tenancy.models import Organization
from webapp.tenancy.sessions import reading_session, writing_session

_UNCLAIMED_AFTER = timedelta(days=1)
_STOPPED = (
    "The import stopped several times for a reason that is in the server's log. The rows counted here are stored, "
    "nothing is lost. Tell the person who runs Callbook, then choose Go on."
)
_UNDO_STOPPED = (
    "It did so several times, for a reason that is in the server's log. What it took back is gone, the rest is "
    "still there. Tell the person who runs Callbook, then undo again."
)


def register_jobs() -> None:
    """Called when the blueprint is registered, so that whoever has an app has the handlers."""
    register(IMPORT, import_file, when_dead=import_died)
    register(UNDO, undo_file, when_dead=undo_died)
    register(READ_AGAIN, read_records_again)
    register(COUNT_DAYS, count_days)
    register_chore("sources.sweep_unclaimed", sweep_unclaimed)
    register_chore("sources.sweep_lookups", sweep_lookups)
    register_errand("sources.store_delivered", store_due)
    register_chore("ingest.sweep_calls_to_return", sweep_calls_to_return)


def import_file(work: Work) -> None:
    assert work.organization_id is not None
    run_import(
        work.database, number_key(work.settings), work.organization_id, work.payload["import_file_id"], work.keep
    )


def undo_file(work: Work) -> None:
    assert work.organization_id is not None
    undo_import(
        work.database, number_key(work.settings), work.organization_id, work.payload["import_file_id"], work.keep
    )


def read_records_again(work: Work) -> None:
    assert work.organization_id is not None
    read_again(work.database, number_key(work.settings), work.organization_id, work.payload["pbx_id"], work.keep)


def count_days(work: Work) -> None:
    assert work.organization_id is not None
    follow_zone(work.database, work.organization_id, work.keep)
    with writing_session(work.database, work.organization_id) as session:
        tell_zone_moved(session, session.get_one(Organization, work.organization_id))
        session.commit()


def import_died(work: Work) -> None:
    _end(work, ImportState.FAILED, _STOPPED)


def undo_died(work: Work) -> None:
    # Not FAILED, which may go on: what is taken back would never come again. CANCELLED can only be undone.
    _end(work, ImportState.CANCELLED, _UNDO_STOPPED)


def _end(work: Work, state: ImportState, sentence: str) -> None:
    """So that the page does not wait for ever."""
    with writing_session(work.database, work.organization_id) as session:
        file = session.get(ImportFile, (work.organization_id, work.payload["import_file_id"]))
        if file is not None and file.state in (ImportState.QUEUED, ImportState.RUNNING, ImportState.UNDOING):
            file.state = state
            file.error = sentence
            file.ended_at = clock.now()
            session.commit()


def sweep_unclaimed(database: Database) -> None:
    """Delete stored files that nothing names: the process ended between storing one and noting what it is."""
    before = clock.now() - _UNCLAIMED_AFTER
    is_unclaimed = [
        ~exists().where(its.organization_id == StoredFile.organization_id, its.stored_file_id == StoredFile.id)
        for its in (ImportFile, ContactImport)
    ]
    with reading_session(database) as session:
        organizations = session.scalars(select(Organization.id)).all()
    for organization_id in organizations:
        with reading_session(database, organization_id) as session:
            unclaimed = session.scalars(
                select(StoredFile.id).where(
                    StoredFile.complete.is_(True), StoredFile.created_at < before, *is_unclaimed
                )
            ).all()
        for file_id in unclaimed:
            delete_stored_file(database, organization_id, file_id)
