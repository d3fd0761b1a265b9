"""A night and an erasure whose workers are killed, wherever they are: nothing is counted twice, and nothing is left."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import time_machine
from sqlalchemy import func, select, update

from config import Settings
from tests.cast import Cast
from tests.ingest.importing import Importing, asterisk_row
from tests.make import Make
from tests.privacy.test_erasing import close, counts
from webapp.calls.models import Call
from webapp.database.engine import Database
from webapp.jobs.models import Job, JobState
from webapp.jobs.queue import enqueue
from webapp.privacy.catalogue import TABLES
from webapp.privacy.entries import How
from webapp.privacy.erasing_jobs import see_to_erasures
from webapp.privacy.models import Erasure, RetentionRun
from webapp.privacy.retention import preview
from webapp.privacy.retention_planning import RUN
from webapp.tenancy.models import Organization
from webapp.tenancy.sessions import reading_session, writing_session

_SCRIPT = Path(__file__).with_name("dying_worker.py")
_KILLED, _KILLS = -9, 6  #: fewer than the attempts that a job has
_OLD, _YOUNG = 900, 40
Run = Callable[[int], int]


@contextmanager
def workers(settings: Settings) -> Iterator[Run]:
    """`run(20)`: how a worker ended that was to die before its 20th step; `run(0)` lives until nothing is due."""
    command = [sys.executable, str(_SCRIPT), str(settings.data_dir), settings.database_url]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin and process.stdout

    def run(die_at: int) -> int:
        assert process.stdin and process.stdout
        process.stdin.write(f"{die_at}\n")
        process.stdin.flush()
        return int(process.stdout.readline())

    try:
        yield run
    finally:
        process.stdin.close()
        process.wait(timeout=60)
        process.stdout.close()


def kill_until_done(settings: Settings, is_done: Callable[[], bool], seed: int) -> None:
    """Killed in the middle, before steps that a fixed seed chooses, and then left to end it."""
    random = Random(seed)
    with workers(settings) as run:
        for _turn in range(_KILLS):
            assert run(random.randint(5, 200)) == _KILLED
            assert not is_done()
        assert run(0) == 0
    assert is_done()


def load(harbour: Importing) -> None:
    """Old calls, and some of last week; each from a number of its own."""
    week = datetime.now(UTC) - timedelta(days=7)
    rows = []
    for number in range(_OLD + _YOUNG):
        start = datetime(2024, 7, 14, 10, tzinfo=UTC) if number < _OLD else week
        words = f"{start + timedelta(minutes=number):%Y-%m-%d %H:%M:%S}"
        unique, source = f"{start.timestamp():.0f}.{number}", f"020794{number:05}"
        rows.append(asterisk_row(unique=unique, source=source, start=words, answer=words, end=words))
    harbour.load(harbour.pbx(), b"".join(rows))


def test_a_night_whose_workers_are_killed_removes_what_was_foreseen_once(
    database: Database, settings: Settings, cast: Cast
) -> None:
    harbour = Importing(database, cast.harbour)
    load(harbour)
    with writing_session(database, cast.harbour.id) as session:
        session.get_one(Organization, cast.harbour.id).keep_calls_days = 365
        enqueue(session, RUN, {}, cast.harbour.id)
        session.commit()
    with reading_session(database, cast.harbour.id) as session:
        foreseen = preview(session, datetime.now(ZoneInfo("Europe/London")).date())
    assert foreseen.old.calls == _OLD

    def is_done() -> bool:
        return all(run.ended_at for run in harbour.all(RetentionRun)) and not foreseen_left()

    def foreseen_left() -> int:
        with reading_session(database, cast.harbour.id) as session:
            return (session.scalar(select(func.count(Call.call_key))) or 0) - _YOUNG

    kill_until_done(settings, is_done, seed=1)
    [run] = harbour.all(RetentionRun)
    assert (run.calls, run.records, run.parties) == (foreseen.old.calls, foreseen.old.records, foreseen.old.parties)
    harbour.check()


def test_an_erasure_whose_workers_are_killed_leaves_nothing_and_counts_once(
    database: Database, settings: Settings, make: Make, cast: Cast
) -> None:
    load(Importing(database, cast.harbour))
    before = counts(database, cast.harbour.id)
    with time_machine.travel(datetime.now(UTC) - timedelta(days=15)):
        close(make, cast)

    def is_done() -> bool:
        with reading_session(database) as session:
            return session.get(Organization, cast.harbour.id) is None

    kill_until_done(settings, is_done, seed=2)
    with reading_session(database) as session:
        rows = json.loads(session.scalars(select(Erasure)).one().receipt)
    for name in ("call", "call_record", "call_party", "party", "pbx", "import_file"):
        assert rows[name] == before[name], name
    stays = {name for name, table in TABLES.items() if table.erased.how is How.STAYS}
    assert counts(database, cast.harbour.id).keys() <= stays


def test_an_erasure_that_was_given_up_comes_again(
    database: Database, settings: Settings, make: Make, cast: Cast
) -> None:
    with time_machine.travel(datetime.now(UTC) - timedelta(days=15)):
        close(make, cast)
    see_to_erasures(database)
    assert len(jobs_of_erasure(database)) == 1, "it waits already"
    with writing_session(database) as session:
        session.execute(update(Job).where(Job.kind == "privacy.erase").values(state=JobState.DEAD))
        session.commit()
    see_to_erasures(database)
    assert sorted(jobs_of_erasure(database)) == [JobState.WAITING, JobState.DEAD]


def test_within_its_days_of_grace_nothing_is_erased(database: Database, make: Make, cast: Cast) -> None:
    close(make, cast)
    with writing_session(database) as session:
        session.execute(update(Job).where(Job.kind == "privacy.erase").values(state=JobState.DEAD))
        session.commit()
    see_to_erasures(database)
    assert jobs_of_erasure(database) == [JobState.DEAD]


def jobs_of_erasure(database: Database) -> list[JobState]:
    with reading_session(database) as session:
        return list(session.scalars(select(Job.state).where(Job.kind == "privacy.erase")))
