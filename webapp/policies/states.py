"""Whether each promise is kept, as its check last saw it, and how that changed. Read by pages and the console.

Written by checking.py alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select

from webapp.policies.models import PromiseChange, PromiseState
from webapp.tenancy.lock import LockedSession

#: Checks run every hour: what was kept longer ago is not called kept any more.
FRESH_FOR = timedelta(hours=2, minutes=10)
CHANGES_SHOWN = 200


@dataclass(frozen=True)
class State:
    """Of one promise, since `since_at`. `why`: for everybody to read, "" while it is kept."""

    kept: bool
    since_at: datetime
    checked_at: datetime
    why: str

    def is_fresh(self, moment: datetime) -> bool:
        """Whether it tells of this hour: else no worker checks any more."""
        return moment - self.checked_at <= FRESH_FOR


def list_states(session: LockedSession) -> dict[str, State]:
    """By the key of the promise; one that was never checked has none."""
    return {
        row.promise: State(row.kept, row.since_at, row.checked_at, row.why)
        for row in session.scalars(select(PromiseState))
    }


def list_broken(session: LockedSession) -> list[tuple[str, State]]:
    """Of those that are not kept, key and state: the one for longest first."""
    broken = [(key, state) for key, state in list_states(session).items() if not state.kept]
    return sorted(broken, key=lambda each: each[1].since_at)


def list_changes(session: LockedSession) -> Sequence[PromiseChange]:
    """The newest first: what has ever been not kept, and when it was again."""
    newest = select(PromiseChange).order_by(PromiseChange.at.desc(), PromiseChange.id.desc())
    return session.scalars(newest.limit(CHANGES_SHOWN)).all()
