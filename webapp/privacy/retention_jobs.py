"""The nightly run: removes what is older than an organization keeps, in small steps that stall nobody.

Registered by create_app(). A chore puts in one job an organization for its next night; where no worker was there that
night, it runs as soon as one is. It may be killed at any moment and run again: each step removes what is left.
"""

import time
from collections.abc import Callable
from zoneinfo import ZoneInfo

from sqlalchemy import delete, select, update

from webapp.audit.actions import record
from webapp.audit.checkpoints import remove_covered, set_checkpoint
from webapp.calls.models import ImportFile
from webapp.clock import now, to_ms
from webapp.database.engine import Database
from webapp.database.ids import new_id
from webapp.destinations.contact_models import ContactImport, ContactState
from webapp.ingest.purge import move_watermark, purge_calls, purge_refused_lines
from webapp.jobs.handlers import Work
from webapp.jobs.queue import register, register_chore
from webapp.jobs.stored_files import delete_stored_file
from webapp.organizations.company import when_zone_moved
from webapp.privacy.models import RetentionRun
from webapp.privacy.retention import Edges, edges_of, list_old_files, rules_of
from webapp.privacy.retention_planning import RUN, is_planned, plan_run
from webapp.privacy.takeout_jobs import end_expired
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.members import hold_organization
from webapp.tenancy.models import Organization, OrganizationState
from webapp.tenancy.sessions import reading_session, writing_session

RUNS_KEPT = 400
_EVENTS_AT_ONCE = 200
_FILES_AT_ONCE = 20
_PAUSE_SECONDS = 0.05
_COUNTS = ("calls", "records", "parties", "files", "audit_events", "archives")


def register_jobs() -> None:
    """Called by create_app()."""
    register(RUN, run_retention, leaves_nothing=True)
    register_chore("privacy.plan_retention", plan_retention)
    when_zone_moved("retention", plan_run)


def plan_retention(database: Database) -> None:
    """Have the next night seen to, in each organization that keeps something for a time."""
    with reading_session(database) as session:
        organizations = session.scalars(
            select(Organization).where(Organization.state != OrganizationState.CLOSED)
        ).all()
    for organization in organizations:
        with reading_session(database, organization.id) as session:
            if not _has_rules(organization) or is_planned(session, organization):
                continue
        with writing_session(database, organization.id) as session:
            plan_run(session, organization)
            session.commit()


def _has_rules(organization: Organization) -> bool:
    """Whether a night can find something: a rule, or a watermark that no rule keeps up any more."""
    return any(days is not None for days in rules_of(organization)[:3]) or organization.keeps_from is not None


def run_retention(work: Work) -> None:
    """All that is due in the organization. Stops between two steps when `keep()` says so, for another worker."""
    assert work.organization_id is not None
    _Run(work.database, work.organization_id, work.keep).run()


class _Run:
    """One night of one organization, or the rest of one that broke off."""

    def __init__(self, database: Database, organization_id: int, keep: Callable[[], bool]) -> None:
        self._database, self._organization_id, self._keep = database, organization_id, keep
        with reading_session(database) as session:
            organization = session.get_one(Organization, organization_id)
        self._is_closed = organization.state == OrganizationState.CLOSED
        today = now().astimezone(ZoneInfo(organization.time_zone)).date()
        self._edges: Edges = edges_of(rules_of(organization), organization.time_zone, today)

    def run(self) -> None:
        if self._is_closed:  # all of it goes, at a day of its own
            return
        run_id = self._begin()
        steps = (self._calls, self._files, self._audit, self._archives)
        if all(step(run_id) for step in steps):
            self._end(run_id)

    def _begin(self) -> int:
        """The run that broke off, or a new one."""
        with writing_session(self._database, self._organization_id) as session:
            run = session.scalars(select(RetentionRun).where(RetentionRun.ended_at.is_(None)).limit(1)).first()
            if run is None:
                run = RetentionRun(id=new_id(), started_at=now(), ended_at=None, **dict.fromkeys(_COUNTS, 0))
                session.add(run)
                session.commit()
            return run.id

    def _calls(self, run_id: int) -> bool:
        edge = self._edges.calls
        edge_ms = None if edge is None else to_ms(edge)
        move_watermark(self._database, self._organization_id, edge_ms)
        if edge_ms is None:
            return True
        whose = self._database, self._organization_id
        return purge_calls(*whose, run_id, self._keep) and purge_refused_lines(*whose, edge_ms, self._keep)

    def _files(self, run_id: int) -> bool:
        while self._edges.files is not None:
            with writing_session(self._database, self._organization_id) as session:
                hold_organization(session)  # an import or an undo of one of them begins before, or finds it gone
                file_ids = list_old_files(session, self._edges.files, _FILES_AT_ONCE)
                for file_id in file_ids:
                    _let_go_of_file(session, file_id)
                self._add(session, run_id, files=len(file_ids))
                session.commit()
            for file_id in file_ids:
                delete_stored_file(self._database, self._organization_id, file_id)
            if not file_ids:
                break
            if not self._rest():
                return False
        return True

    def _audit(self, run_id: int) -> bool:
        if self._edges.audit is not None:
            with writing_session(self._database, self._organization_id) as session:
                hold_organization(session)
                head = set_checkpoint(session, self._edges.audit)
                if head is not None:
                    # Else the chain counts as cut off (audit/verify.py); the object says it even without the words.
                    at, row_hash = head.position, head.row_hash.hex()
                    record(session, "retention.audit_removed", actor_id=None, object_id=at, position=at, hash=row_hash)
                session.commit()
        while True:
            with writing_session(self._database, self._organization_id) as session:
                removed = remove_covered(session, _EVENTS_AT_ONCE)
                self._add(session, run_id, audit_events=removed)
                session.commit()
            if not removed:
                return True
            if not self._rest():
                return False

    def _archives(self, run_id: int) -> bool:
        ended = end_expired(self._database, self._organization_id)
        if ended:
            with writing_session(self._database, self._organization_id) as session:
                self._add(session, run_id, archives=ended)
                session.commit()
        return True

    def _end(self, run_id: int) -> None:
        """Close the run; of a night that removed nothing there is no row."""
        with writing_session(self._database, self._organization_id) as session:
            run = session.get_one(RetentionRun, (self._organization_id, run_id))
            counts = {name: getattr(run, name) for name in _COUNTS}
            if any(counts.values()):
                run.ended_at = now()
                record(session, "retention.done", actor_id=None, **counts)
                kept = session.scalars(select(RetentionRun.id).order_by(RetentionRun.id.desc()).offset(RUNS_KEPT)).all()
                session.execute(delete(RetentionRun).where(RetentionRun.id.in_(kept)))
            else:
                session.delete(run)
            session.commit()

    def _add(self, session: LockedSession, run_id: int, **counts: int) -> None:
        values = {getattr(RetentionRun, name): getattr(RetentionRun, name) + count for name, count in counts.items()}
        session.execute(
            update(RetentionRun)
            .where(RetentionRun.id == run_id)
            .values(values)
            .execution_options(synchronize_session=False)
        )

    def _rest(self) -> bool:
        """Let others in. False: stop here."""
        time.sleep(_PAUSE_SECONDS)
        return self._keep()


def _let_go_of_file(session: LockedSession, file_id: int) -> None:
    """Nothing names the file any more; contacts that still wait for a yes are thrown away with theirs."""
    for imported in session.scalars(select(ImportFile).where(ImportFile.stored_file_id == file_id)):
        imported.stored_file_id = None
    for contacts in session.scalars(select(ContactImport).where(ContactImport.stored_file_id == file_id)):
        contacts.stored_file_id = None
        if contacts.state == ContactState.WAITING:
            contacts.state = ContactState.THROWN_AWAY
    session.flush()
