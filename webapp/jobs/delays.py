"""Why background work that somebody waits for does not move. Asked by the pages that show how far it is."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from webapp import clock
from webapp.jobs.queue import find_open_job
from webapp.tenancy.lock import LockedSession

_SHOULD_HAVE_BEGUN = timedelta(seconds=30)


@dataclass(frozen=True)
class Delay:
    """Nobody works on it (`no_worker`), or it failed and goes on by itself at `goes_on_at`."""

    no_worker: bool
    goes_on_at: datetime | None


def find_delay(session: LockedSession, kind: str, payload: dict[str, Any]) -> Delay | None:
    """Of the job of this kind and payload in the bound organization. None: somebody works on it, or soon will."""
    job = find_open_job(session, kind, session.organization_id, payload)
    if job is None or job.lease_owner is not None:
        return None
    if job.attempts and job.run_at > clock.now():
        return Delay(no_worker=False, goes_on_at=job.run_at)
    return Delay(no_worker=True, goes_on_at=None) if job.run_at < clock.now() - _SHOULD_HAVE_BEGUN else None
