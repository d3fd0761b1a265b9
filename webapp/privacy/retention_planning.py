"""Puts in the job of an organization's next night: when its rules change, and by the hour (retention_jobs.py)."""

from webapp.jobs.queue import enqueue, find_open_job
from webapp.privacy.retention import next_run
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.models import Organization

RUN = "privacy.retain"


def plan_run(session: LockedSession, organization: Organization) -> None:
    """The job of the coming night, where it is not there yet."""
    if not is_planned(session, organization):
        enqueue(session, RUN, {}, organization.id, next_run(organization))


def is_planned(session: LockedSession, organization: Organization) -> bool:
    return find_open_job(session, RUN, organization.id, {}) is not None
