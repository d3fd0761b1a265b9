"""What is done beside jobs: it waits for no long job, fails without harm, and ends with its worker."""

import threading
from collections.abc import Callable, Iterator

import pytest

from webapp import alarms
from webapp.database.engine import Database
from webapp.jobs import handlers, queue, worker
from webapp.jobs.handlers import Work
from webapp.jobs.worker import Worker
from webapp.tenancy.sessions import writing_session


@pytest.fixture(autouse=True)
def _own_handlers(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_handlers", "_when_dead", "_chores", "_errands"):
        monkeypatch.setattr(handlers, name, {})


@pytest.fixture
def start(database: Database) -> Iterator[Callable[[], Worker]]:
    started: list[Worker] = []

    def start() -> Worker:
        started.append(Worker(database, None))  # type: ignore[arg-type]
        started[-1].start()
        return started[-1]

    yield start
    for each in started:
        each.stop()


def test_an_errand_waits_for_no_long_job(database: Database, start: Callable[[], Worker]) -> None:
    long_jobs, done, may_run = threading.Barrier(3), threading.Event(), threading.Event()

    def long(work: Work) -> None:
        long_jobs.wait(30)
        while work.keep() and not done.is_set():
            done.wait(0.01)

    queue.register("test.long", long)
    handlers.register_errand("test.errand", lambda *_words: done.set() if may_run.is_set() else None)
    with writing_session(database) as session:
        for _thread in range(2):
            queue.enqueue(session, "test.long", {}, None)
        session.commit()
    start()
    long_jobs.wait(30)  # both threads for jobs are taken
    may_run.set()
    alarms.wake_workers()

    assert done.wait(30)


def test_an_errand_that_fails_is_run_again_and_told_without_its_text(
    start: Callable[[], Worker], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(worker, "_PAUSE_AFTER_ERROR_SECONDS", 0.01)
    runs: list[int] = []
    again = threading.Event()

    def errand(*_words: object) -> None:
        runs.append(1)
        if len(runs) > 2:
            again.set()
            return
        raise LookupError("mail to olive@example.com")

    handlers.register_errand("test.errand", errand)
    start()

    assert again.wait(30)
    assert "LookupError" in caplog.text
    assert "olive" not in caplog.text


def test_an_errand_is_told_when_its_worker_stops(start: Callable[[], Worker]) -> None:
    began, ended = threading.Event(), threading.Event()

    def errand(_database: object, _settings: object, stopping: Callable[[], bool]) -> None:
        began.set()
        while not stopping():
            ended.wait(0.01)
        ended.set()

    handlers.register_errand("test.errand", errand)
    running = start()
    assert began.wait(30)
    running.stop()

    assert ended.is_set()


def test_a_name_stands_for_one_errand() -> None:
    def errand(*_words: object) -> None: ...

    handlers.register_errand("test.errand", errand)
    handlers.register_errand("test.errand", errand)
    with pytest.raises(ValueError, match="registered already"):
        handlers.register_errand("test.errand", lambda *_words: None)
