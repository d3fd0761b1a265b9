"""How the service itself is doing: queue, mail, workers, storage, backups, networks that were turned away, versions.

Of failed jobs and mails: kind, whose, when, and the class of the error. Payloads, addresses and words are not read, and
the console's connections could not. Called by service_views.py.
"""

import platform
import re
import shutil
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import func, select

from config import ROOT, Settings
from webapp.clock import now
from webapp.database.engine import Database
from webapp.database.installation import Installation
from webapp.database.types import Instant
from webapp.jobs.models import Job, JobState, LiveWorker
from webapp.organizations.models import OrganizationUsage
from webapp.outbox.models import MailState, OutboxMessage
from webapp.recovery.models import RecoveryRun, RunKind
from webapp.recovery.queries import latest_backup, latest_drill, list_runs
from webapp.staff.models import LimitedNetwork
from webapp.staff.seen import mail_class
from webapp.tallies import today
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.models import Organization

FAILED_AT_MOST = 50  #: of jobs and of mails: newer ones first
NETWORKS_AT_MOST = 100
NETWORK_DAYS = 7
#: A worker says once a minute that it is alive; a long batch may delay it.
WORKER_SEEN_WITHIN = timedelta(minutes=3)
#: A backup that has not ended by then was killed.
_LONGEST_BACKUP = timedelta(hours=6)
_BOUNCE = re.compile(r"SMTP 5\d\d")


@dataclass(frozen=True)
class Failed:
    """A job that is dead, or a mail that was refused for good. `organization`: its name, "" for the service's own."""

    id: int
    kind: str
    organization_id: int | None
    organization: str
    error_class: str
    attempts: int
    at: datetime


@dataclass(frozen=True)
class Queue:
    """`oldest_at`: since when the longest waiting job that is due has been waiting."""

    due: int
    later: int
    running: int
    dead: int
    oldest_at: datetime | None


@dataclass(frozen=True)
class Mail:
    """`bounced`: of those refused, by whoever was to receive them."""

    waiting: int
    refused: int
    bounced: int
    oldest_at: datetime | None


@dataclass(frozen=True)
class Storage:
    database_bytes: int
    free_bytes: int
    file_bytes: int
    waiting_bytes: int


@dataclass(frozen=True)
class Recovery:
    """The last backup that was made and the last drill, each with its age in words; a newer backup that failed."""

    backup: RecoveryRun | None
    backup_age: str
    drill: RecoveryRun | None
    drill_age: str
    failed: RecoveryRun | None


@dataclass(frozen=True)
class Turned:
    """A network that limits turned away in the last seven days."""

    network: str
    limit_name: str
    refusals: int
    last_at: datetime


def read_queue(session: LockedSession) -> Queue:
    moment = now()
    by_state = select(Job.state, func.count(Job.id)).where(Job.state != JobState.DONE).group_by(Job.state)
    counts: dict[JobState, int] = dict(session.execute(by_state).all())
    due = (Job.state == JobState.WAITING, Job.run_at <= moment)
    count, oldest_at = session.execute(
        select(func.count(Job.id), func.min(Job.run_at, type_=Instant())).where(*due)
    ).one()
    waiting = counts.get(JobState.WAITING, 0)
    return Queue(count, waiting - count, counts.get(JobState.RUNNING, 0), counts.get(JobState.DEAD, 0), oldest_at)


def read_mail(session: LockedSession) -> Mail:
    going = OutboxMessage.state.in_((MailState.WAITING, MailState.SENDING))
    waiting, oldest_at = session.execute(
        select(func.count(OutboxMessage.id), func.min(OutboxMessage.created_at, type_=Instant())).where(going)
    ).one()
    refused = session.execute(
        select(OutboxMessage.error, func.count(OutboxMessage.id))
        .where(OutboxMessage.state == MailState.REFUSED)
        .group_by(OutboxMessage.error)
    ).all()
    bounced = sum(count for error, count in refused if _BOUNCE.match(mail_class(error)))
    return Mail(waiting, sum(count for _error, count in refused), bounced, oldest_at)


def list_dead_jobs(session: LockedSession, job_id: int | None = None) -> list[Failed]:
    """The newest of them; with an id that one, if it is dead."""
    wanted = (
        select(
            Job.id, Job.kind, Job.organization_id, Organization.name, Job.error_class, Job.attempts, Job.ended_at,
            Job.created_at,
        )
        .outerjoin(Organization, Organization.id == Job.organization_id)
        .where(Job.state == JobState.DEAD, *([] if job_id is None else [Job.id == job_id]))
        .order_by(Job.id.desc())
        .limit(FAILED_AT_MOST)
    )  # fmt: skip
    return [
        Failed(row_id, kind, owner, name or "", error_class or "Other", attempts, ended_at or created_at)
        for row_id, kind, owner, name, error_class, attempts, ended_at, created_at in session.execute(wanted)
    ]


def list_refused_mails(session: LockedSession, mail_id: int | None = None) -> list[Failed]:
    """The same of mails that were refused for good."""
    wanted = (
        select(
            OutboxMessage.id, OutboxMessage.template, OutboxMessage.organization_id, Organization.name,
            OutboxMessage.error, OutboxMessage.attempts, OutboxMessage.ended_at, OutboxMessage.created_at,
        )
        .outerjoin(Organization, Organization.id == OutboxMessage.organization_id)
        .where(OutboxMessage.state == MailState.REFUSED, *([] if mail_id is None else [OutboxMessage.id == mail_id]))
        .order_by(OutboxMessage.id.desc())
        .limit(FAILED_AT_MOST)
    )  # fmt: skip
    return [
        Failed(row_id, template, owner, name or "", mail_class(error), attempts, ended_at or created_at)
        for row_id, template, owner, name, error, attempts, ended_at, created_at in session.execute(wanted)
    ]


def list_workers(session: LockedSession) -> Sequence[datetime]:
    """When each worker was last seen, the newest first."""
    return session.scalars(select(LiveWorker.seen_at).order_by(LiveWorker.seen_at.desc())).all()


def list_turned_away(session: LockedSession) -> list[Turned]:
    """Those that were turned away most often first."""
    newest = today()
    refusals = func.sum(LimitedNetwork.refusals)
    rows = session.execute(
        select(
            LimitedNetwork.network,
            LimitedNetwork.limit_name,
            refusals,
            func.max(LimitedNetwork.last_at, type_=Instant()),
        )
        .where(LimitedNetwork.day.in_(range(newest - NETWORK_DAYS + 1, newest + 1)))
        .group_by(LimitedNetwork.network, LimitedNetwork.limit_name)
        .order_by(refusals.desc(), LimitedNetwork.network)
        .limit(NETWORKS_AT_MOST)
    )
    return [Turned(network, name, int(count), last_at) for network, name, count, last_at in rows]


def read_storage(session: LockedSession, database: Database, settings: Settings) -> Storage:
    """`database` is the one whose size is asked for; what lies on its disk beside it is not."""
    sums = select(func.sum(OrganizationUsage.file_bytes), func.sum(OrganizationUsage.waiting_bytes))
    file_bytes, waiting_bytes = session.execute(sums).one()
    if database.dialect == "sqlite":
        files = (database.sqlite_path, Path(f"{database.sqlite_path}-wal"))
        size = sum(file.stat().st_size for file in files if file.exists())
    else:
        size = session.scalar(select(func.pg_database_size(func.current_database()))) or 0
    free = shutil.disk_usage(settings.data_dir).free
    return Storage(size, free, int(file_bytes or 0), int(waiting_bytes or 0))


def read_recovery(session: LockedSession) -> Recovery:
    backup, drill = latest_backup(session), latest_drill(session)
    tries = list_runs(session, RunKind.BACKUP, 1)
    failed = tries[0] if tries and not tries[0].succeeded and (backup is None or tries[0].id > backup.id) else None
    moment = now()
    return Recovery(
        backup,
        _age(backup.backup_at if backup else None, moment),
        drill,
        _age(drill.ended_at if drill else None, moment),
        failed if failed and (failed.ended_at or moment - failed.started_at > _LONGEST_BACKUP) else None,
    )


def _age(at: datetime | None, moment: datetime) -> str:
    """In days, hours or minutes, whichever says most."""
    if at is None:
        return ""
    minutes = max(0, int((moment - at).total_seconds() // 60))
    for size, one, many in ((24 * 60, "day", "days"), (60, "hour", "hours"), (1, "minute", "minutes")):
        if minutes >= size * 2 or size == 1:
            count = minutes // size
            return f"{count} {one if count == 1 else many}"
    return ""


def list_versions(session: LockedSession, database: Database) -> list[tuple[str, str]]:
    """What runs here, each with its version."""
    schema = session.scalar(select(Installation.schema_version))
    if database.dialect == "sqlite":
        engine = ("SQLite", sqlite3.sqlite_version)
    else:
        engine = ("PostgreSQL", session.scalar(select(func.current_setting("server_version"))) or "")
    return [("Callbook", _own_version()), ("Schema", str(schema)), ("Python", platform.python_version()), engine]


def _own_version() -> str:
    """As the list of changes names it."""
    found = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    return found[1] if found else "unknown"
