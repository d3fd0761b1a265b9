"""The queue: each job once, leases, attempts, and workers that die with a job in hand. Real processes, both engines."""

import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import time_machine
from sqlalchemy import select

from webapp import alarms
from webapp.database.engine import Database
from webapp.errors import NotFound
from webapp.jobs import handlers, queue
from webapp.jobs.handlers import Work
from webapp.jobs.models import Job, JobState, LiveWorker
from webapp.jobs.worker import Worker
from webapp.tenancy.sessions import reading_session, writing_session

LEASE = timedelta(seconds=60)
PROCESS = Path(__file__).with_name("worker_process.py")


@pytest.fixture(autouse=True)
def _own_handlers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handlers, "_handlers", {})
    monkeypatch.setattr(handlers, "_when_dead", {})
    monkeypatch.setattr(handlers, "_chores", {})
    monkeypatch.setattr(handlers, "_errands", {})


def put(database: Database, kind: str, **payload: int) -> int:
    with writing_session(database) as session:
        job_id = queue.enqueue(session, kind, payload, organization_id=None)
        session.commit()
    return job_id


def read(database: Database, job_id: int) -> Job:
    with reading_session(database) as session:
        return session.get_one(Job, job_id)


def worker_of(database: Database) -> Worker:
    return Worker(database, None)  # type: ignore[arg-type]


def wait_until(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.01)


@contextmanager
def worker_process(database: Database, journal: Path, mode: str) -> Iterator[subprocess.Popen[str]]:
    url = database.url.render_as_string(hide_password=False)
    process = subprocess.Popen(
        [sys.executable, str(PROCESS), url, str(journal), mode],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            assert pipe
            pipe.close()


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin
    process.stdin.write("go\n")
    process.stdin.flush()


def test_a_job_is_done_once_and_marked_done(database: Database) -> None:
    done: list[object] = []
    queue.register("test.note", lambda work: done.append(work.payload))
    job_id = put(database, "test.note", number=7)
    assert worker_of(database).run_due() == 1
    assert worker_of(database).run_due() == 0
    assert done == [{"number": 7}]
    job = read(database, job_id)
    assert (job.state, job.attempts, job.lease_owner, job.error_class) == (JobState.DONE, 1, None, None)


def test_a_job_of_a_transaction_that_rolls_back_never_was(database: Database) -> None:
    queue.register("test.note", lambda work: None)
    with writing_session(database) as session:
        queue.enqueue(session, "test.note", {}, None)
        session.rollback()
    assert worker_of(database).run_due() == 0


def test_a_job_waits_for_its_time(database: Database) -> None:
    queue.register("test.note", lambda work: None)
    start = datetime(2026, 5, 1, 12, tzinfo=UTC)
    with time_machine.travel(start, tick=False) as clock:
        with writing_session(database) as session:
            queue.enqueue(session, "test.note", {}, None, run_at=start + timedelta(minutes=5))
            session.commit()
        assert worker_of(database).run_due() == 0
        clock.shift(timedelta(minutes=5))
        assert worker_of(database).run_due() == 1


def test_a_job_of_an_unknown_kind_is_left_for_a_worker_that_knows_it(database: Database) -> None:
    queue.register("test.note", lambda work: None)
    job_id = put(database, "test.from_a_newer_release")
    assert worker_of(database).run_due() == 0
    assert read(database, job_id).state == JobState.WAITING


def test_a_failing_job_backs_off_and_dies_with_its_error_class_only(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[int] = []

    def fail(_work: Work) -> None:
        raise LookupError("call from +442079460123")

    queue.register("test.fail", fail, when_dead=lambda work: told.append(work.payload["number"]))
    with time_machine.travel(datetime(2026, 5, 1, tzinfo=UTC), tick=False) as clock:
        job_id = put(database, "test.fail", number=3)
        waits = []
        for attempt in range(1, queue.MOST_ATTEMPTS):
            assert worker_of(database).run_due() == 1
            job = read(database, job_id)
            assert (job.state, job.attempts, job.error_class) == (JobState.WAITING, attempt, "LookupError")
            waits.append(job.run_at - datetime.now(UTC))
            assert worker_of(database).run_due() == 0, "not before its time"
            clock.move_to(job.run_at)
        assert waits == sorted(set(waits)), "each wait is longer than the one before"
        assert told == []
        worker_of(database).run_due()
        clock.shift(timedelta(days=1))
        assert worker_of(database).run_due() == 0
    job = read(database, job_id)
    assert (job.state, job.attempts, job.error_class) == (JobState.DEAD, queue.MOST_ATTEMPTS, "LookupError")
    assert told == [3]
    assert "2079460123" not in caplog.text
    assert "LookupError" in caplog.text


def test_a_job_whose_workers_vanish_each_time_dies_too(database: Database) -> None:
    told: list[int] = []
    queue.register("test.kill", lambda work: None, when_dead=lambda work: told.append(work.attempts))
    with time_machine.travel(datetime(2026, 5, 1, tzinfo=UTC), tick=False) as clock:
        job_id = put(database, "test.kill")
        for _ in range(queue.MOST_ATTEMPTS):
            assert queue.claim(database, "a worker that dies", ["test.kill"], LEASE)
            clock.shift(LEASE)
        worker_of(database).run_due()
    assert (read(database, job_id).state, read(database, job_id).error_class) == (JobState.DEAD, "LeaseExpired")
    assert len(told) == 1


def test_a_worker_that_comes_too_late_changes_nothing(database: Database) -> None:
    with time_machine.travel(datetime(2026, 5, 1, tzinfo=UTC), tick=False) as clock:
        job_id = put(database, "test.slow")
        late = queue.claim(database, "late", ["test.slow"], LEASE)
        assert late
        clock.shift(LEASE - timedelta(seconds=1))
        assert queue.claim(database, "next", ["test.slow"], LEASE) is None
        clock.shift(timedelta(seconds=1))
        following = queue.claim(database, "next", ["test.slow"], LEASE)
        assert following
        assert not queue.renew(database, late, LEASE)
        assert not queue.finish(database, late)
        assert not queue.put_off(database, late, "ValueError")
        assert not queue.give_back(database, late)
        assert not queue.bury(database, late, "ValueError")
        assert read(database, job_id).lease_owner == "next"
        assert queue.finish(database, following)
    assert read(database, job_id).state == JobState.DONE


def test_a_kept_lease_is_not_taken_over(database: Database) -> None:
    taken: list[object] = []
    with time_machine.travel(datetime(2026, 5, 1, tzinfo=UTC), tick=True) as clock:

        def import_slowly(work: Work) -> None:
            for _ in range(5):
                clock.shift(LEASE / 3)
                assert work.keep()
                taken.append(queue.claim(database, "thief", ["test.slow"], LEASE))

        queue.register("test.slow", import_slowly)
        job_id = put(database, "test.slow")
        assert worker_of(database).run_due() == 1
    assert taken == [None] * 5
    assert read(database, job_id).state == JobState.DONE


def test_killing_a_worker_in_mid_job_brings_the_job_back(database: Database, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    job_id = put(database, "test.long")
    with worker_process(database, journal, "serve") as process:
        go(process)
        wait_until(lambda: journal.exists() and "began" in journal.read_text())
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert read(database, job_id).state == JobState.RUNNING, "the dead worker's lease stands"
    done: list[int] = []
    queue.register("test.long", lambda work: done.append(work.attempts))
    assert worker_of(database).run_due() == 0
    with time_machine.travel(datetime.now(UTC) + LEASE, tick=False):
        assert worker_of(database).run_due() == 1
    assert done == [2]
    assert read(database, job_id).state == JobState.DONE


def test_a_worker_that_is_asked_to_stop_gives_its_job_back(database: Database, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    job_id = put(database, "test.long")
    with worker_process(database, journal, "serve") as process:
        go(process)
        wait_until(lambda: journal.exists() and "began" in journal.read_text())
        with reading_session(database) as session:
            assert len(session.scalars(select(LiveWorker)).all()) == 1
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=120) == 0
    assert "stopped" in journal.read_text()
    job = read(database, job_id)
    assert (job.state, job.attempts, job.lease_owner) == (JobState.WAITING, 0, None)
    with reading_session(database) as session:
        assert session.scalars(select(LiveWorker)).all() == []


def test_three_processes_do_many_jobs_each_exactly_once(database: Database, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    with writing_session(database) as session:
        for number in range(90):
            queue.enqueue(session, "test.count", {"number": number}, None)
        session.commit()
    with (
        worker_process(database, journal, "drain") as one,
        worker_process(database, journal, "drain") as two,
        worker_process(database, journal, "drain") as three,
    ):
        for process in (one, two, three):
            go(process)
        assert [process.wait(timeout=120) for process in (one, two, three)] == [0, 0, 0]
    lines = [line.split() for line in journal.read_text().splitlines()]
    assert sorted(int(number) for _word, number, _process in lines) == list(range(90))
    assert len(Counter(process for *_rest, process in lines)) > 1, "they worked side by side"
    with reading_session(database) as session:
        assert {job.state for job in session.scalars(select(Job))} == {JobState.DONE}


def test_a_job_of_this_process_starts_when_its_transaction_commits(database: Database) -> None:
    began = threading.Event()
    queue.register("test.wake", lambda work: began.set())
    alarm = threading.Event()
    alarms.add_sleeper(alarm)
    with writing_session(database) as session:
        queue.enqueue(session, "test.wake", {}, None)
        session.flush()
        assert not alarm.is_set(), "nothing to see before the commit"
        session.commit()
    assert alarm.is_set()
    worker = worker_of(database)
    worker.start()
    try:
        assert began.wait(30)
    finally:
        worker.stop()


def test_looking_for_work_takes_no_write_lock(database: Database) -> None:
    queue.register("test.none", lambda work: None)
    with writing_session(database) as holder:
        queue.enqueue(holder, "test.other", {}, None)
        holder.flush()
        assert worker_of(database).run_due() == 0
        holder.rollback()


def test_the_page_finds_the_job_it_waits_for(database: Database) -> None:
    job_id = put(database, "test.find", number=5)
    put(database, "test.find", number=6)
    with reading_session(database) as session:
        found = queue.find_open_job(session, "test.find", None, {"number": 5})
        assert found
        assert found.id == job_id
        assert queue.find_open_job(session, "test.find", 1, {"number": 5}) is None
        assert queue.find_open_job(session, "test.find", None, {"number": 7}) is None


def test_a_job_that_is_taken_out_is_nobodys(database: Database) -> None:
    job_id = put(database, "test.note")
    held = queue.claim(database, "somebody", ["test.note"], timedelta(0))
    assert held
    with writing_session(database) as session:
        queue.cancel(session, job_id)
        session.commit()
    assert not queue.renew(database, held, timedelta(minutes=1))
    assert queue.claim(database, "another", ["test.note"], timedelta(0)) is None
    assert not queue.put_off(database, held, "ValueError")
    with reading_session(database) as session:
        assert session.get(Job, job_id) is None


def test_ended_jobs_are_forgotten_after_a_while(database: Database) -> None:
    queue.register("test.note", lambda work: None)
    job_id = put(database, "test.note")
    waiting = put(database, "test.unknown")
    worker_of(database).run_due()
    queue.sweep_ended(database)
    assert read(database, job_id)
    with time_machine.travel(datetime.now(UTC) + queue.KEPT_ONCE_ENDED + timedelta(days=1), tick=False):
        queue.sweep_ended(database)
    with reading_session(database) as session:
        assert [job.id for job in session.scalars(select(Job))] == [waiting]


def test_a_chore_that_fails_stops_neither_worker_nor_other_chores(database: Database) -> None:
    ran = threading.Event()

    def fail(_database: Database) -> None:
        raise LookupError

    queue.register_chore("a.fails", fail)
    queue.register_chore("b.works", lambda _database: ran.set())
    worker = worker_of(database)
    worker.start()
    try:
        assert ran.wait(30)
    finally:
        worker.stop()


def test_two_handlers_for_one_kind_are_a_mistake() -> None:
    queue.register("test.twice", print)
    queue.register("test.twice", print)
    with pytest.raises(ValueError, match="registered already"):
        queue.register("test.twice", repr)


def test_only_a_dead_job_goes_again(database: Database) -> None:
    def fail(_work: Work) -> None:
        raise RuntimeError

    queue.register("test.fails", fail)
    waiting, dead = put(database, "test.waits"), put(database, "test.fails")
    with writing_session(database) as session:
        session.get_one(Job, dead).attempts = queue.MOST_ATTEMPTS - 1
        session.commit()
    worker_of(database).run_due()
    assert read(database, dead).state == JobState.DEAD

    for job_id in (waiting, 1):
        with writing_session(database) as session, pytest.raises(NotFound):
            queue.retry_dead(session, job_id)
    with writing_session(database) as session:
        queue.retry_dead(session, dead)
        session.commit()
    again = read(database, dead)
    assert (again.state, again.attempts, again.error_class, again.ended_at) == (JobState.WAITING, 0, None, None)
    assert worker_of(database).run_due() == 1
