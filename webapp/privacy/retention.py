"""How long an organization keeps what: its rules, what the next run removes by them, and when that is.

Read by the settings, the nightly job (retention_jobs.py) and the policy pages: rules_of(), next_run(), preview(). Days
are those of the organization; what began before an edge goes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, and_, exists, func, or_, select

from webapp.audit.checkpoints import count_purgeable
from webapp.calls.models import ImportFile, ImportState, RejectedLine
from webapp.clock import now
from webapp.destinations.contact_models import ContactImport, ContactState
from webapp.jobs.models import StoredFile
from webapp.privacy.models import RetentionRun, Takeout, TakeoutState
from webapp.privacy.retention_calls import OldCalls, foresee_calls
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.models import Organization

NIGHT = time(3)  #: of the local day; the hour after, where the clocks are put forward over it (Helsinki, Athens)
FOR_EVER = "as long as we are here"
LONG_CHOICES = (30, 90, 180, 365, 730, 1095, 1825, 3650)
AUDIT_AT_LEAST = 90
AUDIT_CHOICES = tuple(days for days in LONG_CHOICES if days >= AUDIT_AT_LEAST)
EXPORT_CHOICES = (1, 3, 7, 14, 30)
LINES_AT_MOST = 10_000
_YEAR = 365
_FILES_IN_USE = (ImportState.QUEUED, ImportState.RUNNING, ImportState.UNDOING)
_CONTACTS_IN_USE = (ContactState.LOOKING, ContactState.STORING)


class Rules(NamedTuple):
    """In days; None: as long as the organization stays."""

    calls: int | None
    audit: int | None
    files: int | None
    exports: int

    def is_shorter_than(self, before: "Rules") -> bool:
        """Whether something goes by these that would have stayed."""
        return any(
            days is not None and (known is None or days < known) for days, known in zip(self, before, strict=True)
        )


class Edges(NamedTuple):
    """What began before these goes; None: nothing does."""

    calls: datetime | None
    audit: datetime | None
    files: datetime | None


@dataclass(frozen=True)
class Preview:
    """What a run removes. `refused_lines`: LINES_AT_MOST and one stand for any more."""

    edges: Edges
    old: OldCalls
    refused_lines: int
    files: int
    file_bytes: int
    audit_events: int
    archives: int

    @property
    def is_empty(self) -> bool:
        return not (self.old.calls or self.refused_lines or self.files or self.audit_events or self.archives)


def rules_of(organization: Organization) -> Rules:
    """Those in force."""
    return Rules(
        organization.keep_calls_days,
        organization.keep_audit_days,
        organization.keep_files_days,
        organization.keep_exports_days,
    )


def tell_days(days: int | None) -> str:
    """As people say it: "90 days", "1 year"."""
    if days is None:
        return FOR_EVER
    if days < _YEAR:
        return "1 day" if days == 1 else f"{days} days"
    years = days // _YEAR
    return "1 year" if years == 1 else f"{years} years"


def next_run(organization: Organization, after: datetime | None = None) -> datetime:
    """When the nightly run of an organization comes next."""
    zone, moment = ZoneInfo(organization.time_zone), after or now()
    today = moment.astimezone(zone).date()
    nights = (_night_of(today + timedelta(days=days), zone) for days in (0, 1))
    return next(night for night in nights if night > moment)


def _night_of(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, NIGHT, zone).astimezone(UTC)


def next_run_day(organization: Organization) -> date:
    """Of which local day that run is: what preview() wants."""
    return next_run(organization).astimezone(ZoneInfo(organization.time_zone)).date()


def edges_of(rules: Rules, time_zone: str, today: date) -> Edges:
    """Where each rule begins to keep, for a run on this local day."""
    zone = ZoneInfo(time_zone)

    def edge(days: int) -> datetime:
        return datetime.combine(today - timedelta(days=days), time.min, zone).astimezone(UTC)

    return Edges(*(None if days is None else edge(days) for days in rules[:3]))


def preview(session: LockedSession, today: date, rules: Rules | None = None) -> Preview:
    """What a run on this local day removes from the bound organization, by its rules or by others."""
    organization = session.get_one(Organization, session.organization_id)
    rules, zone = rules or rules_of(organization), organization.time_zone
    edges, night = edges_of(rules, zone, today), _night_of(today, ZoneInfo(zone))
    files, file_bytes = count_old_files(session, edges.files)
    return Preview(
        edges=edges,
        old=foresee_calls(session, edges.calls, ZoneInfo(zone)),
        refused_lines=_count_lines(session, edges.calls),
        files=files,
        file_bytes=file_bytes,
        audit_events=count_purgeable(session, edges.audit),
        archives=_count_archives(session, night, rules.exports),
    )


def _count_lines(session: LockedSession, edge: datetime | None) -> int:
    """Lines that could not be read, of files that old: LINES_AT_MOST and one where there are more."""
    if edge is None:
        return 0
    of_file = and_(
        ImportFile.organization_id == RejectedLine.organization_id, ImportFile.id == RejectedLine.import_file_id
    )
    some = (
        select(RejectedLine.line_number)
        .join(ImportFile, of_file)
        .where(ImportFile.created_at < edge, ImportFile.state != ImportState.UNDOING)
        .limit(LINES_AT_MOST + 1)
        .subquery()
    )
    return session.scalar(select(func.count()).select_from(some)) or 0


def count_old_files(session: LockedSession, edge: datetime | None) -> tuple[int, int]:
    """How many kept files came before the edge, and the bytes that they take."""
    if edge is None:
        return 0, 0
    sums = select(func.count(StoredFile.id), func.coalesce(func.sum(StoredFile.stored_count), 0))
    files, size = session.execute(sums.where(*_old_files(edge))).one()
    return files, int(size)


def list_old_files(session: LockedSession, edge: datetime, limit: int) -> Sequence[int]:
    """Some of them, the oldest first."""
    return session.scalars(select(StoredFile.id).where(*_old_files(edge)).order_by(StoredFile.id).limit(limit)).all()


def _old_files(edge: datetime) -> tuple[ColumnElement[bool], ...]:
    """Nobody is at them: one that is being read stays another day."""
    used = (
        exists(
            select(1)
            .where(
                its.organization_id == StoredFile.organization_id,
                its.stored_file_id == StoredFile.id,
                its.state.in_(in_use),
            )
            .correlate(StoredFile)
        )
        for its, in_use in ((ImportFile, _FILES_IN_USE), (ContactImport, _CONTACTS_IN_USE))
    )
    return (StoredFile.created_at < edge, StoredFile.complete.is_(True), *(~each for each in used))


def _count_archives(session: LockedSession, night: datetime, days: int) -> int:
    """Takeouts whose time is over by that night: by what their mail said, or by a rule of so many days before it."""
    over = or_(Takeout.expires_at <= night, Takeout.ready_at <= night - timedelta(days=days))
    return session.scalar(select(func.count(Takeout.id)).where(Takeout.state == TakeoutState.READY, over)) or 0


def list_runs(session: LockedSession, limit: int) -> Sequence[RetentionRun]:
    """What the last nights removed, the newest first."""
    return session.scalars(select(RetentionRun).order_by(RetentionRun.id.desc()).limit(limit)).all()
