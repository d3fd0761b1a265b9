"""Puts in the job of an organization's next night: when its rules or its zone change, and by the hour.

Called by retention_actions.py and retention_jobs.py. What pages say of the next run holds: a job that waits runs at
next_run(), and by new rules nothing goes before it, whatever becomes of the worker of a night that is under way.
"""

from webapp.clock import now
from webapp.jobs.models import Job
from webapp.jobs.queue import cancel, enqueue, find_open_job
from webapp.privacy.retention import next_run
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.models import Organization

RUN = "privacy.retain"


def plan_run(session: LockedSession, organization: Organization, *, rules_changed: bool = False) -> None:
    """The job of the coming night: put in where it is not there yet, or waits for another hour.

    With `rules_changed` one that is overdue or under way ends as well, and the coming night does what is left: whoever
    chose them was told of that one.
    """
    job = _find(session, organization)
    if job is not None and (rules_changed or _strays(job, organization)):
        cancel(session, job.id)
        job = None
    if job is None:
        enqueue(session, RUN, {}, organization.id, next_run(organization))


def is_planned(session: LockedSession, organization: Organization) -> bool:
    """Whether plan_run() has nothing to do."""
    job = _find(session, organization)
    return job is not None and not _strays(job, organization)


def _find(session: LockedSession, organization: Organization) -> Job | None:
    return find_open_job(session, RUN, organization.id, {})


def _strays(job: Job, organization: Organization) -> bool:
    """Lies ahead at an hour of another zone. What is overdue, or failed and is tried again, has had its night come."""
    return job.attempts == 0 and job.run_at > now() and job.run_at != next_run(organization)
