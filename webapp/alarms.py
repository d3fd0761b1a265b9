"""Wakes the workers of this process when a job or a mail was put in, so that neither waits for the next look.

jobs/queue.py and outbox/actions.py ring; the threads of jobs/worker.py sleep on an alarm of their own.
"""

import threading
from weakref import WeakSet

from sqlalchemy import event
from sqlalchemy.orm import Session

_sleepers: "WeakSet[threading.Event]" = WeakSet()
_sleepers_lock = threading.Lock()


def add_sleeper(alarm: threading.Event) -> None:
    """Set this event whenever this process has put something in."""
    with _sleepers_lock:
        _sleepers.add(alarm)


def wake_workers() -> None:
    with _sleepers_lock:
        for alarm in _sleepers:
            alarm.set()


def wake_workers_after_commit(session: Session) -> None:
    """Once the transaction under way is committed; before that there is nothing to be seen."""
    event.listen(session, "after_commit", lambda _session: wake_workers(), once=True)
