"""Does the jobs of the queue: threads inside the server (serving.py), or a process of its own (`flask run-worker`).

A job is claimed with a lease, done, and marked done only if the lease still holds. stop() asks the handlers to stop at
their next keep() and gives what is unfinished back to the queue; a worker that is killed loses its leases instead.
"""

import logging
import os
import secrets
import socket
import threading
import time
import traceback
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sqlalchemy import delete

from config import Settings
from webapp import clock
from webapp.alarms import add_sleeper, wake_workers
from webapp.database.engine import Database
from webapp.jobs import handlers, queue
from webapp.jobs.models import LiveWorker
from webapp.jobs.stored_files import sweep_incomplete
from webapp.tenancy.sessions import writing_session

POLL_SECONDS = 0.5
LEASE = timedelta(seconds=60)
_BEAT_SECONDS = 60.0
_CHORES_SECONDS = 3600.0
_PAUSE_AFTER_ERROR_SECONDS = 5.0
_FORGOTTEN_AFTER = timedelta(days=1)

log = logging.getLogger(__name__)


class LeaseExpired(Exception):
    """Its workers died with the job too often; nobody is left to say of what."""


class ClaimedWork:
    """One claimed job in its handler's hands (handlers.Work)."""

    def __init__(self, worker: "Worker", held: queue.Claim) -> None:
        self.database = worker.database
        self.settings = worker.settings
        self.organization_id = held.organization_id
        self.payload: dict[str, Any] = held.payload
        self.attempts = held.attempts
        self.unfinished = False  #: the handler was told to stop
        self._worker = worker
        self._held = held
        self._renew_at = clock.now() + worker.lease / 4

    def keep(self) -> bool:
        """See handlers.Work. Writes only when a quarter of the lease is over; a call in between costs nothing."""
        if self._worker.stopping:
            self.unfinished = True
            return False
        if (
            clock.now() < self._renew_at
        ):  # the wall clock, as other workers see the lease: it also runs while a machine sleeps
            return not self.unfinished
        if not queue.renew(self.database, self._held, self._worker.lease):
            self.unfinished = True
            return False
        self._renew_at = clock.now() + self._worker.lease / 4
        self._worker.beat()
        return True


class Worker:
    """`threads` jobs at a time: two, so that a long import does not hold up everything else."""

    def __init__(self, database: Database, settings: Settings, *, threads: int = 2, lease: timedelta = LEASE) -> None:
        self.database = database
        self.settings = settings
        self.lease = lease
        self.name = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._count = threads
        self._threads: list[threading.Thread] = []
        self._stop = threading.Event()
        self._beaten_at = float("-inf")
        self._chores_at = float("-inf")
        self._clockwork = threading.Lock()

    @property
    def stopping(self) -> bool:
        return self._stop.is_set()

    def start(self) -> None:
        """Work in threads of this process until stop()."""
        for number in range(self._count):
            thread = threading.Thread(target=self._run, name=f"jobs-{number}", daemon=True)
            thread.start()
            self._threads.append(thread)
        for name, errand in handlers.errands():
            thread = threading.Thread(target=self._run_errand, args=(errand,), name=name, daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self, timeout: float = 20.0) -> None:
        """Let handlers stop at their next keep(), give their jobs back, and wait for it."""
        self._stop.set()
        wake_workers()
        until = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        self._threads.clear()
        self._say_goodbye()

    def run_due(self, at_most: int | None = None) -> int:
        """Do the jobs that are due now, in this thread; returns how many. For commands and tests."""
        count = 0
        while not self.stopping and (at_most is None or count < at_most) and self._do_next():
            count += 1
        return count

    def beat(self) -> None:
        """Say in table worker that this one is alive, once a minute."""
        with self._clockwork:
            if time.monotonic() - self._beaten_at < _BEAT_SECONDS:
                return
            self._beaten_at = time.monotonic()
        with writing_session(self.database) as session:
            session.merge(LiveWorker(name=self.name, seen_at=clock.now()))
            session.execute(delete(LiveWorker).where(LiveWorker.seen_at < clock.now() - _FORGOTTEN_AFTER))
            session.commit()

    def _say_goodbye(self) -> None:
        with writing_session(self.database) as session:
            session.execute(delete(LiveWorker).where(LiveWorker.name == self.name))
            session.commit()

    def _run(self) -> None:
        def do_jobs() -> None:
            self.beat()
            self._do_chores()
            while not self.stopping and self._do_next():
                pass

        self._repeat(do_jobs)

    def _run_errand(self, errand: handlers.Errand) -> None:
        """In a thread of its own: a mail waits for no long import, and a call for no slow mail server."""
        self._repeat(lambda: errand(self.database, self.settings, self._stop.is_set))

    def _repeat(self, do: Callable[[], None]) -> None:
        """Until stop(): do it, sleep until something is put in or the next look is due."""
        alarm = threading.Event()
        add_sleeper(alarm)
        while not self.stopping:
            try:
                do()
                alarm.wait(POLL_SECONDS)
                alarm.clear()
            except Exception as error:  # noqa: BLE001 - a worker outlives whatever fails under it
                # The database does not answer, or its disk is full: a held job comes back when its lease has run out.
                log.error("worker pauses: %s", _where(error))
                self._stop.wait(_PAUSE_AFTER_ERROR_SECONDS)

    def _do_next(self) -> bool:
        held = queue.claim(self.database, self.name, handlers.kinds(), self.lease)
        if held is None:
            return False
        work = ClaimedWork(self, held)
        try:
            if held.attempts > queue.MOST_ATTEMPTS:
                raise LeaseExpired
            handlers.handler_of(held.kind)(work)
        except Exception as error:  # noqa: BLE001 - the job is put off, whatever it was
            self._after_failure(work, held, error)
        else:
            if work.unfinished:
                queue.give_back(self.database, held)
            elif not queue.finish(self.database, held):
                log.warning(
                    "job %d %s ended, and is not this worker's any more: its lease ran out, or it was cancelled",
                    held.job_id,
                    held.kind,
                )
        return True

    def _after_failure(self, work: ClaimedWork, held: queue.Claim, error: Exception) -> None:
        """The exception's text may hold call data: neither table nor log gets it."""
        log.error("job %d %s failed at attempt %d: %s", held.job_id, held.kind, held.attempts, _where(error))
        if held.attempts < queue.MOST_ATTEMPTS:
            queue.put_off(self.database, held, type(error).__name__)
            return
        if queue.bury(self.database, held, type(error).__name__):
            when_dead = handlers.when_dead_of(held.kind)
            if when_dead is not None:
                when_dead(work)

    def _do_chores(self) -> None:
        with self._clockwork:
            if time.monotonic() - self._chores_at < _CHORES_SECONDS:
                return
            self._chores_at = time.monotonic()
        own = [("jobs.sweep_ended", queue.sweep_ended), ("jobs.sweep_incomplete", sweep_incomplete)]
        for name, chore in (*own, *handlers.chores()):
            try:
                chore(self.database)
            except Exception as error:  # noqa: BLE001 - the next chore has nothing to do with it
                log.error("chore %s failed: %s", name, _where(error))


def _where(error: BaseException) -> str:
    """Class and place of an exception, without its text."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" in {os.path.basename(frames[-1].filename)}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}"
