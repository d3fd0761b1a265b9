"""The queue of background work: rows of table `job`, put in by whoever needs the work, claimed by worker.py.

`enqueue` writes in its caller's transaction, so that data and work land together or not at all. A claim holds a lease;
when its worker dies, the lease runs out and another worker takes the job over. Every change of a claimed job asks for
the lease's owner, so that a worker that comes too late changes nothing. Any job may therefore run more than once, and
what it does must bear that.
"""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import CursorResult, Update, delete, select, update
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import ColumnElement

from webapp import clock
from webapp.alarms import wake_workers, wake_workers_after_commit
from webapp.database.engine import Database
from webapp.database.ids import new_id
from webapp.errors import NotFound
from webapp.jobs.handlers import Work, leaves_nothing, register, register_chore
from webapp.jobs.models import Job, JobState
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.sessions import reading_session, writing_session

__all__ = [
    "Work",
    "cancel",
    "enqueue",
    "enqueue_held",
    "find_open_job",
    "list_open_jobs",
    "register",
    "register_chore",
    "retry_dead",
]

MOST_ATTEMPTS = 8
KEPT_ONCE_ENDED = timedelta(days=30)
_FIRST_RETRY = timedelta(seconds=10)
_LONGEST_RETRY = timedelta(hours=1)


@dataclass(frozen=True)
class Claim:
    """A job that one worker holds. `attempts` counts this one; `owner` names the lease."""

    job_id: int
    kind: str
    organization_id: int | None
    payload: dict[str, Any]
    attempts: int
    owner: str


def enqueue(
    session: Session,
    kind: str,
    payload: dict[str, Any],
    organization_id: int | None,
    run_at: datetime | None = None,
) -> int:
    """Put a job into the queue, in the caller's transaction; returns its id.

    `payload` is ids and small words, never call data. Workers of this process look at once when the caller commits,
    others within half a second.
    """
    job = _new_job(kind, payload, organization_id)
    job.run_at = run_at or job.run_at
    session.add(job)
    wake_workers_after_commit(session)
    return job.id


def enqueue_held(
    session: LockedSession,
    kind: str,
    payload: dict[str, Any],
    organization_id: int | None,
    owner: str,
    lease: timedelta,
) -> Claim:
    """Put in a job that this process does itself, under a lease: should it die, a worker takes over."""
    job = _new_job(kind, payload, organization_id)
    job.state, job.attempts, job.lease_owner, job.lease_until = JobState.RUNNING, 1, owner, job.created_at + lease
    session.add(job)
    return _as_claim(job, owner)


def _new_job(kind: str, payload: dict[str, Any], organization_id: int | None) -> Job:
    now = clock.now()
    return Job(
        id=new_id(),
        kind=kind,
        organization_id=organization_id,
        payload=json.dumps(payload, separators=(",", ":")),
        state=JobState.WAITING,
        run_at=now,
        attempts=0,
        created_at=now,
    )


def find_open_job(
    session: LockedSession, kind: str, organization_id: int | None, payload: dict[str, Any]
) -> Job | None:
    """The job of this kind and payload that waits or runs, or None. Job is a global table: it must name whose."""
    words = json.dumps(payload, separators=(",", ":"))
    return session.scalars(
        select(Job)
        .where(
            Job.state.in_((JobState.WAITING, JobState.RUNNING)),
            Job.kind == kind,
            Job.organization_id == organization_id,
            Job.payload == words,
        )
        .order_by(Job.id)
        .limit(1)
    ).first()


def list_open_jobs(session: LockedSession, kind: str, organization_id: int | None) -> list[dict[str, Any]]:
    """The payloads of the jobs of this kind that wait or run."""
    open_states = (JobState.WAITING, JobState.RUNNING)
    payloads = session.scalars(
        select(Job.payload).where(Job.state.in_(open_states), Job.kind == kind, Job.organization_id == organization_id)
    )
    return [json.loads(payload) for payload in payloads]


def cancel(session: LockedSession, job_id: int) -> None:
    """Take a job out. Who is at it stops at a keep() within a quarter of the lease; nobody takes it over."""
    session.execute(delete(Job).where(Job.id == job_id).execution_options(synchronize_session=False))


def retry_dead(session: LockedSession, job_id: int) -> None:
    """Let a job that has failed too often go again, from its first attempt. Raises NotFound for any other."""
    again = {"state": JobState.WAITING, "attempts": 0, "run_at": clock.now(), "error_class": None, "ended_at": None}
    statement = update(Job).where(Job.id == job_id, Job.state == JobState.DEAD).values(**again)
    result = session.execute(statement.execution_options(synchronize_session=False))
    assert isinstance(result, CursorResult)
    if not result.rowcount:
        raise NotFound
    wake_workers_after_commit(session)


# ------------------------------------------------------------------------------------------------- for worker.py alone


def claim(database: Database, owner: str, kinds: list[str], lease: timedelta) -> Claim | None:
    """Take the next job that is due, or whose worker is gone. A look that finds none takes no write lock."""
    now = clock.now()
    for due in (_waiting(now), _abandoned(now)):
        with reading_session(database) as session:
            found = session.scalar(select(Job.id).where(*due, Job.kind.in_(kinds)).limit(1))
        if found is None:
            continue
        with writing_session(database) as session:
            claimed = session.scalars(_claiming(due, owner, kinds, now, lease)).first()
            session.commit()
        if claimed is not None:
            return _as_claim(claimed, owner)
    return None


def _waiting(now: datetime) -> tuple[ColumnElement[bool], ...]:
    return (Job.state == JobState.WAITING, Job.run_at <= now)


def _abandoned(now: datetime) -> tuple[ColumnElement[bool], ...]:
    return (Job.state == JobState.RUNNING, Job.lease_until <= now)


def _claiming(
    due: tuple[ColumnElement[bool], ...], owner: str, kinds: list[str], now: datetime, lease: timedelta
) -> Any:
    # PostgreSQL: a row that another worker is claiming is passed over. SQLite has one writer and drops the clause.
    first = (
        select(Job.id).where(*due, Job.kind.in_(kinds)).order_by(Job.run_at).limit(1).with_for_update(skip_locked=True)
    )
    return (
        update(Job)
        .where(Job.id == first.scalar_subquery())
        .values(state=JobState.RUNNING, attempts=Job.attempts + 1, lease_owner=owner, lease_until=now + lease)
        .returning(Job)
        .execution_options(synchronize_session=False)
    )


def _as_claim(job: Job, owner: str) -> Claim:
    return Claim(job.id, job.kind, job.organization_id, json.loads(job.payload), job.attempts, owner)


def renew(database: Database, held: Claim, lease: timedelta) -> bool:
    """Hold the job for another while. False: it is somebody else's by now."""
    return _change(database, held, lease_until=clock.now() + lease)


def finish(database: Database, held: Claim) -> bool:
    """The job is done. False: it was somebody else's by now, who will see to it."""
    if leaves_nothing(held.kind):
        with writing_session(database) as session:
            gone = session.execute(delete(Job).where(*_held_as(held)).execution_options(synchronize_session=False))
            session.commit()
        assert isinstance(gone, CursorResult)
        return bool(gone.rowcount == 1)
    return _change(
        database, held, state=JobState.DONE, lease_owner=None, lease_until=None, error_class=None, ended_at=clock.now()
    )


def give_back(database: Database, held: Claim) -> bool:
    """Put an unfinished job back for another worker, at once: this one is shutting down. It costs no attempt."""
    return _change(
        database,
        held,
        state=JobState.WAITING,
        lease_owner=None,
        lease_until=None,
        attempts=held.attempts - 1,
        run_at=clock.now(),
    )


def put_off(database: Database, held: Claim, error_class: str) -> bool:
    """The job failed: try again later, each time later."""
    wait = min(_FIRST_RETRY * 2 ** (held.attempts - 1), _LONGEST_RETRY)
    return _change(
        database,
        held,
        state=JobState.WAITING,
        lease_owner=None,
        lease_until=None,
        error_class=error_class,
        run_at=clock.now() + wait,
    )


def bury(database: Database, held: Claim, error_class: str) -> bool:
    """The job has failed too often. It stays as a dead row until it is swept."""
    return _change(
        database,
        held,
        state=JobState.DEAD,
        lease_owner=None,
        lease_until=None,
        error_class=error_class,
        ended_at=clock.now(),
    )


def _held_as(held: Claim) -> tuple[ColumnElement[bool], ...]:
    return Job.id == held.job_id, Job.state == JobState.RUNNING, Job.lease_owner == held.owner


def _change(database: Database, held: Claim, **values: Any) -> bool:
    statement: Update = update(Job).where(*_held_as(held)).values(**values).execution_options(synchronize_session=False)
    with writing_session(database) as session:
        result = session.execute(statement)
        session.commit()
    assert isinstance(result, CursorResult)
    if values.get("state") == JobState.WAITING:
        wake_workers()
    return bool(result.rowcount == 1)


def sweep_ended(database: Database) -> None:
    """Forget jobs that ended long ago."""
    with writing_session(database) as session:
        session.execute(
            delete(Job)
            .where(Job.state.in_((JobState.DONE, JobState.DEAD)), Job.ended_at < clock.now() - KEPT_ONCE_ENDED)
            .execution_options(synchronize_session=False)
        )
        session.commit()
