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
from webapp.calls.models import Call, CallParty, CallRecord, ImportFile, ImportState, RejectedLine
from webapp.clock import now
from webapp.destinations.contact_models import ContactImport, ContactState
from webapp.destinations.models import Party
from webapp.destinations.route_models import Number
from webapp.jobs.models import StoredFile
from webapp.organizations.models import InvitationParty
from webapp.privacy.models import RetentionRun, Takeout, TakeoutState
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.models import MembershipParty, Organization

NIGHT = time(3)  #: of the local day; the hour after, where the clocks are put forward over it (Helsinki, Athens)
FOR_EVER = "as long as we are here"
LONG_CHOICES = (30, 90, 180, 365, 730, 1095, 1825, 3650)
AUDIT_AT_LEAST = 90
AUDIT_CHOICES = tuple(days for days in LONG_CHOICES if days >= AUDIT_AT_LEAST)
EXPORT_CHOICES = (1, 3, 7, 14, 30)
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
    """What a run removes. `first_at`, `last_at`: when the first and the last call that goes began."""

    edges: Edges
    calls: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None
    records: int = 0
    parties: int = 0
    refused_lines: int = 0
    files: int = 0
    file_bytes: int = 0
    audit_events: int = 0
    archives: int = 0

    @property
    def is_empty(self) -> bool:
        return not (self.calls or self.refused_lines or self.files or self.audit_events or self.archives)


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
    calls, records, first_at, last_at, parties, lines = _count_calls(session, edges.calls)
    files, file_bytes = count_old_files(session, edges.files)
    return Preview(
        edges=edges,
        calls=calls,
        first_at=first_at,
        last_at=last_at,
        records=records,
        parties=parties,
        refused_lines=lines,
        files=files,
        file_bytes=file_bytes,
        audit_events=count_purgeable(session, edges.audit),
        archives=_count_archives(session, night, rules.exports),
    )


def _count_calls(
    session: LockedSession, edge: datetime | None
) -> tuple[int, int, datetime | None, datetime | None, int, int]:
    """Calls, their records, the first and last start, parties that go with them, and refused lines."""
    if edge is None:
        return 0, 0, None, None, 0, 0
    sums = (
        func.count(Call.call_key),
        func.sum(Call.record_count),
        func.min(Call.started_at),
        func.max(Call.started_at),
    )
    calls, records, first_at, last_at = session.execute(
        select(*sums).where(Call.started_at < edge, ~_goes_on(edge))
    ).one()
    of_old_files = and_(ImportFile.id == RejectedLine.import_file_id, ImportFile.created_at < edge)
    lines = session.scalar(
        select(func.count(RejectedLine.line_number)).join(
            ImportFile, and_(ImportFile.organization_id == RejectedLine.organization_id, of_old_files)
        )
    )
    return calls, int(records or 0), first_at, last_at, _count_parties(session, edge) if calls else 0, lines or 0


def _goes_on(edge: datetime) -> ColumnElement[bool]:
    """Of a call that began before: a record of it is not old, so all of it stays (ingest/purge.py)."""
    young = and_(CallRecord.call_key == Call.call_key, CallRecord.started_at >= edge)
    return and_(
        Call.ended_at >= edge,
        exists(select(1).where(CallRecord.organization_id == Call.organization_id, young).correlate(Call)),
    )


def _count_parties(session: LockedSession, edge: datetime) -> int:
    """Parties that no call has any more then, and that nobody was given to see or listed as a number of theirs."""
    staying = list(session.scalars(select(Call.call_key).where(Call.started_at < edge, _goes_on(edge))))
    stays = or_(CallParty.started_at >= edge, CallParty.call_key.in_(staying))
    takes_part = and_(CallParty.organization_id == Party.organization_id, CallParty.party_id == Party.id)
    named = (
        exists(select(1).where(its.organization_id == Party.organization_id, its.party_id == Party.id).correlate(Party))
        for its in (MembershipParty, InvitationParty, Number)
    )
    goes = (
        exists(select(1).where(takes_part, CallParty.started_at < edge).correlate(Party)),
        ~exists(select(1).where(takes_part, stays).correlate(Party)),
        *(~each for each in named),
    )
    return session.scalar(select(func.count(Party.id)).where(*goes)) or 0


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
