"""Puts in the job of an organization's next night: when its rules or its zone change, and by the hour.

Called by retention_actions.py and retention_jobs.py. What pages say of the next run holds: a job that waits runs at
next_run(), and by new rules nothing goes before it.
"""

from webapp.clock import now
from webapp.jobs.models import Job
from webapp.jobs.queue import enqueue, find_open_job, move_waiting
from webapp.privacy.retention import next_run
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.models import Organization

RUN = "privacy.retain"


def plan_run(session: LockedSession, organization: Organization, *, rules_changed: bool = False) -> None:
    """The job of the coming night: put in where it is not there yet, moved where it waits for another hour.

    With `rules_changed` one that is overdue is moved as well: whoever chose them was told of the night to come.
    """
    job = _find(session, organization)
    if job is None:
        enqueue(session, RUN, {}, organization.id, next_run(organization))
    elif rules_changed or _strays(job, organization):
        move_waiting(session, job.id, next_run(organization))


def is_planned(session: LockedSession, organization: Organization) -> bool:
    """Whether plan_run() has nothing to do."""
    job = _find(session, organization)
    return job is not None and not _strays(job, organization)


def _find(session: LockedSession, organization: Organization) -> Job | None:
    return find_open_job(session, RUN, organization.id, {})


def _strays(job: Job, organization: Organization) -> bool:
    """Lies ahead at an hour of another zone. What is overdue, or failed and is tried again, has had its night come."""
    return job.attempts == 0 and job.run_at > now() and job.run_at != next_run(organization)
