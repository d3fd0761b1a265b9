"""How a takeout is made: in pieces, gone on with after a kill, by one worker in the end; told, kept, and deleted."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from sqlalchemy import func, select

from config import Settings
from tests.cast import Cast
from tests.mailbox import Mailbox, text_of
from tests.make import Make
from tests.privacy.taking import Taken, ask, chunks_of, row_of, work
from tests.staff.told import told
from webapp.clock import now
from webapp.database.engine import Database
from webapp.errors import Refused
from webapp.jobs.models import Job, JobState
from webapp.privacy import takeout_plan, takeout_tables, takeout_writing
from webapp.privacy.models import TakeoutChunk, TakeoutEntry, TakeoutState
from webapp.privacy.takeout_jobs import make_takeout, sweep_takeouts
from webapp.privacy.takeout_writing import Overtaken
from webapp.privacy.takeouts import start_takeout
from webapp.tenancy.sessions import reading_session, writing_session


class Killed(BaseException):
    """As a worker ends whose machine loses its power: nothing catches it."""


@dataclass
class OwnWork:
    """A job in hand, without a worker around it."""

    database: Database
    settings: Settings
    organization_id: int
    payload: dict[str, Any]
    attempts: int = 1
    keep: Callable[[], bool] = field(default=lambda: True)


@pytest.fixture
def asked(make: Make, cast: Cast, database: Database) -> int:
    """A takeout of Harbour with some calls, which waits."""
    for number in range(5):
        make.call(caller=f"+44163296010{number}", callee="204")
    return ask(database, make.organization.id, cast.olive.id)


@pytest.fixture
def own_work(make: Make, database: Database, settings: Settings, asked: int) -> OwnWork:
    return OwnWork(database, settings, make.organization.id, {"takeout_id": asked})


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a file has many, and a page of rows one."""
    monkeypatch.setattr(takeout_writing, "CHUNK_BYTES", 40)
    monkeypatch.setattr(takeout_tables, "_ROWS_AT_ONCE", 1)
    monkeypatch.setattr(takeout_tables, "_CALLS_AT_ONCE", 1)


def stopped_after(pieces: int) -> Callable[[], bool]:
    """keep() of a worker that is told to stop then."""
    left = iter(range(pieces))
    return lambda: next(left, None) is not None


def killed_after(pieces: int) -> Callable[[], bool]:
    left = iter(range(pieces))

    def keep() -> bool:
        if next(left, None) is None:
            raise Killed
        return True

    return keep


def finished(own: OwnWork) -> Taken:
    return Taken(b"".join(chunks_of(own.database, own.organization_id, own.payload["takeout_id"])))


def test_it_is_made_and_told(make: Make, cast: Cast, database: Database, settings: Settings, asked: int) -> None:
    work(database, settings)
    takeout = row_of(database, make.organization.id, asked)
    content = b"".join(chunks_of(database, make.organization.id, asked))
    assert takeout.state == TakeoutState.READY
    assert takeout.byte_count == len(content)
    assert takeout.step == takeout.steps == len(Taken(content).files)
    assert takeout.expires_at is not None and takeout.ready_at is not None
    assert takeout.expires_at - takeout.ready_at == timedelta(days=7)
    [mail] = Mailbox(database, settings).messages()
    assert mail["To"] == cast.olive.email
    assert f"{settings.base_url}/o/harbour/takeout" in text_of(mail)
    assert "was read between" in " ".join(text_of(mail).split())
    assert "+44" not in text_of(mail)  # nothing of what is in it
    kinds = [kind for kind, _actor, _words in told(database, make.organization.id, "takeout.")]
    assert kinds == ["takeout.asked", "takeout.ready"]


@pytest.mark.usefixtures("small_chunks")
def test_killed_again_and_again_it_goes_on_after_the_last_finished_file(own_work: OwnWork) -> None:
    takeout_id, steps, kills = own_work.payload["takeout_id"], [], 0
    own_work.keep = killed_after(12)
    while True:
        try:
            make_takeout(own_work)
            break
        except Killed:
            kills += 1
            own_work.keep = killed_after(12 + kills)
            steps.append(row_of(own_work.database, own_work.organization_id, takeout_id).step)
    assert kills >= 5
    assert steps == sorted(steps) and steps[-1] > 20  # nothing finished was made again
    taken = finished(own_work)
    assert len(taken.json("calls/calls")) == 5
    assert {each["name"] for each in taken.manifest["files"]} == set(taken.files) - {"manifest.json"}


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("pieces", [0, 1, 7, 30])
def test_it_is_the_same_archive_wherever_a_worker_stopped(own_work: OwnWork, pieces: int) -> None:
    own_work.keep = stopped_after(pieces)
    make_takeout(own_work)
    takeout = row_of(own_work.database, own_work.organization_id, own_work.payload["takeout_id"])
    assert takeout.state == TakeoutState.IS_WRITTEN
    own_work.keep = lambda: True
    make_takeout(own_work)
    assert len(finished(own_work).csv("calls/calls")) == 5


@pytest.mark.usefixtures("small_chunks")
def test_of_two_workers_the_earlier_one_is_overtaken_and_nothing_is_mixed(
    own_work: OwnWork, database: Database, settings: Settings
) -> None:
    """The second takes over in the middle of a file, as when the lease of a machine that slept has run out."""
    second, pieces = OwnWork(**vars(own_work)), iter(range(9))

    def keep() -> bool:
        if next(pieces, None) is None:
            make_takeout(second)
        return True

    own_work.keep = keep
    with pytest.raises(Overtaken):
        make_takeout(own_work)
    assert len(finished(own_work).json("calls/calls")) == 5
    make_takeout(own_work)  # tried again by the queue: it is made
    assert row_of(database, own_work.organization_id, own_work.payload["takeout_id"]).state == TakeoutState.READY


def test_no_transaction_is_open_between_two_pieces(own_work: OwnWork, make: Make) -> None:
    """While it is made, somebody else can write: on SQLite there is one lock for all."""
    written: list[int] = []

    def keep() -> bool:
        if len(written) < 3:
            thread = threading.Thread(target=lambda: written.append(make.pbx().id))
            thread.start()
            thread.join(60)
            assert not thread.is_alive()
        return True

    own_work.keep = keep
    make_takeout(own_work)
    assert len(written) == 3


def test_one_at_a_time(make: Make, cast: Cast, database: Database, settings: Settings, asked: int) -> None:
    with pytest.raises(Refused, match="being made already"):
        ask(database, make.organization.id, cast.olive.id)
    ask(database, cast.quayside.id, cast.quentin.id)  # of another organization at the same time
    work(database, settings)
    newer = ask(database, make.organization.id, cast.olive.id)
    assert row_of(database, make.organization.id, asked).state == TakeoutState.READY
    work(database, settings)
    assert row_of(database, make.organization.id, asked).state == TakeoutState.GONE
    assert chunks_of(database, make.organization.id, asked) == []
    assert row_of(database, make.organization.id, newer).state == TakeoutState.READY


def test_what_has_run_out_is_deleted_and_the_row_stays(
    make: Make, database: Database, settings: Settings, asked: int
) -> None:
    work(database, settings)
    with time_machine.travel(now() + timedelta(days=7) - timedelta(minutes=1)):
        sweep_takeouts(database)
    assert chunks_of(database, make.organization.id, asked) != []
    with time_machine.travel(now() + timedelta(days=7, minutes=1)):
        sweep_takeouts(database)
    assert chunks_of(database, make.organization.id, asked) == []
    assert row_of(database, make.organization.id, asked).state == TakeoutState.GONE
    with reading_session(database, make.organization.id) as session:
        assert session.scalar(select(func.count()).select_from(TakeoutEntry)) == 0
    assert told(database, make.organization.id, "takeout.")[-1][0] == "takeout.deleted"


def test_how_long_it_is_kept_is_the_organizations_setting_when_it_is_ready(
    make: Make, database: Database, own_work: OwnWork, asked: int
) -> None:
    def keep() -> bool:
        with make.session() as session:
            session.merge(make.organization).keep_exports_days = 2
            session.commit()
        return True

    own_work.keep = keep
    make_takeout(own_work)
    takeout = row_of(database, make.organization.id, asked)
    assert takeout.expires_at is not None and takeout.ready_at is not None
    assert takeout.expires_at - takeout.ready_at == timedelta(days=2)


def test_one_that_fails_for_good_is_told_and_leaves_nothing(
    make: Make, cast: Cast, database: Database, settings: Settings, asked: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_args: object) -> Iterator[takeout_tables.Piece]:
        yield takeout_tables.Piece(b"x", 1)
        raise OSError("the disk is full")

    monkeypatch.setattr(takeout_plan, "_static", broken)
    for _attempt in range(8):
        work(database, settings)
        with writing_session(database) as session:
            for job in session.scalars(select(Job).where(Job.state == JobState.WAITING)):
                job.run_at = now()
            session.commit()
    assert row_of(database, make.organization.id, asked).state == TakeoutState.FAILED
    assert chunks_of(database, make.organization.id, asked) == []
    monkeypatch.undo()
    newer = ask(database, make.organization.id, cast.olive.id)
    work(database, settings)
    assert row_of(database, make.organization.id, newer).state == TakeoutState.READY


def test_a_file_that_is_deleted_meanwhile_is_left_out(
    make: Make, cast: Cast, database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_args: object) -> Iterator[takeout_tables.Piece]:
        yield takeout_tables.Piece(b"half of it", 0)
        raise FileNotFoundError

    monkeypatch.setattr(takeout_plan, "_list_originals", lambda _session: [(1, "files/gone.csv")])
    monkeypatch.setattr(takeout_plan, "_original", gone)
    takeout_id = ask(database, make.organization.id, cast.olive.id)
    work(database, settings)
    takeout = row_of(database, make.organization.id, takeout_id)
    assert takeout.state == TakeoutState.READY and takeout.step == takeout.steps
    taken = Taken(b"".join(chunks_of(database, make.organization.id, takeout_id)))
    assert "files/gone.csv" not in taken.files and "audit/chain.jsonl" in taken.files


def test_every_owner_is_told_of_one_that_staff_started(
    make: Make, cast: Cast, database: Database, settings: Settings
) -> None:
    with writing_session(database, make.organization.id) as session:
        started = start_takeout(session, cast.stella.id, by_staff=True)
        session.commit()
    work(database, settings)
    [mail] = Mailbox(database, settings).messages()
    assert mail["To"] == cast.olive.email
    assert "only an owner can fetch it" in text_of(mail)
    assert row_of(database, make.organization.id, started.id).by_staff


def test_chunks_are_a_mebibyte_at_most(make: Make, database: Database, settings: Settings, asked: int) -> None:
    work(database, settings)
    with reading_session(database, make.organization.id) as session:
        largest = session.scalar(select(func.max(func.length(TakeoutChunk.content))))
    assert largest is not None and largest <= 1024 * 1024
