"""The page of one import: the preview, the work with its progress, how it ends, and what can go wrong on the way."""

import gzip
import io
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from tests.cast import Cast
from tests.client import PART, PageCheckingClient
from tests.make import NOON, Make
from tests.sources.conftest import HARBOUR, START, HandsIn, asterisk_file, asterisk_row
from webapp.calls.models import ImportFile, ImportState, Pbx
from webapp.database.engine import Database
from webapp.database.ids import spell_id
from webapp.ingest import importer
from webapp.jobs import handlers, queue
from webapp.jobs.models import StoredChunk, StoredFile
from webapp.jobs.stored_files import store_stream
from webapp.jobs.worker import Worker
from webapp.sources import jobs
from webapp.sources.imports import IMPORT
from webapp.tenancy.sessions import writing_session

SignIn = Callable[[object], HandsIn]


def change(hands: HandsIn, file: ImportFile, **values: object) -> None:
    with writing_session(hands.database, hands.organization_id) as session:
        row = session.get_one(ImportFile, (hands.organization_id, file.id))
        for name, value in values.items():
            setattr(row, name, value)
        session.commit()


def test_the_preview_shows_calls_as_they_will_be_stored(hands_in: SignIn, cast: Cast, make: Make) -> None:
    hands, pbx = hands_in(cast.max), make.pbx(format=None)
    content = asterisk_file(25) + b'"","x","y"\n'
    page = hands.client.get(hands.receive(pbx, content)).text
    assert "Asterisk Master.csv" in page
    assert "% confidence" in page or "%</b> confidence" in page
    assert "The first 20 calls as they will be stored" in page
    assert page.count('<td class="when">') == 20
    assert "020 7946 0003" in page
    assert "09:03" in page
    assert "Lines that cannot be read" in page
    assert "Import this file" in page


def test_a_viewer_sees_the_preview_and_no_buttons(hands_in: SignIn, cast: Cast, make: Make) -> None:
    hands, pbx = hands_in(cast.max), make.pbx()
    address = hands.receive(pbx, asterisk_file(3))
    hands.client.sign_in(cast.vera)
    page = hands.client.get(address).text
    assert "The first 3 calls" in page
    assert "Import this file" not in page
    assert "Delete it here" not in page


def test_another_zone_moves_the_preview_and_the_new_systems_clock(hands_in: SignIn, cast: Cast, make: Make) -> None:
    hands, pbx = hands_in(cast.max), make.pbx(format=None)
    address = hands.receive(pbx, asterisk_file(1))
    answer = hands.client.send(
        f"{address}/read-as", {"reader_name": "asterisk_cdr_csv", "time_zone": "America/New_York"}, part=True
    )
    assert answer.status_code == 200
    assert "<h1" not in answer.text, "htmx gets the region alone"
    assert "14:00" in answer.text, "nine o'clock in New York, as London shows it"
    assert "The time zone does not fit this file." in answer.text, "the ids in it tell the true time"
    with make.session() as session:
        assert session.get_one(Pbx, (pbx.organization_id, pbx.id)).time_zone == "America/New_York"
    plain = hands.client.send(f"{address}/read-as", {"reader_name": "asterisk_cdr_csv", "time_zone": "Europe/London"})
    assert plain.status_code == 303
    assert "does not fit" not in hands.client.get(address).text


def test_a_later_file_may_have_a_zone_of_its_own(hands_in: SignIn, cast: Cast, make: Make) -> None:
    hands, pbx = hands_in(cast.max), make.pbx()
    hands.take_in(pbx, asterisk_file(1))
    address = hands.receive(pbx, asterisk_file(1, first=5))
    hands.client.send(f"{address}/read-as", {"reader_name": "asterisk_cdr_csv", "time_zone": "Asia/Tokyo"})
    assert hands.files()[1].time_zone == "Asia/Tokyo"
    with make.session() as session:
        assert session.get_one(Pbx, (pbx.organization_id, pbx.id)).time_zone == "Europe/London"


@pytest.mark.parametrize("wrong", [{"reader_name": "nonsense"}, {"time_zone": "Mars/Olympus"}, {"time_zone": "../etc"}])
def test_nonsense_choices_change_nothing(hands_in: SignIn, cast: Cast, make: Make, wrong: dict[str, str]) -> None:
    hands, pbx = hands_in(cast.max), make.pbx()
    address = hands.receive(pbx, asterisk_file(1))
    good = {"reader_name": "asterisk_cdr_csv", "time_zone": "UTC"}
    assert hands.client.send(f"{address}/read-as", good | wrong).status_code == 422
    assert (hands.files()[0].format, hands.files()[0].time_zone) == ("asterisk_cdr_csv", "Europe/London")


def test_a_format_that_does_not_fit_shows_that_nothing_comes_of_it(hands_in: SignIn, cast: Cast, make: Make) -> None:
    hands, pbx = hands_in(cast.max), make.pbx()
    address = hands.receive(pbx, asterisk_file(3))
    form = {"reader_name": "freepbx_report_csv", "time_zone": "Europe/London"}
    page = hands.client.send(f"{address}/read-as", form, part=True).text
    assert "does not look like this format" in page
    assert "No call could be read" in page
    assert "Import this file" not in page


def test_an_import_from_the_yes_to_the_counts(hands_in: SignIn, cast: Cast, make: Make) -> None:
    hands, pbx = hands_in(cast.max), make.pbx(format=None)
    address = hands.receive(pbx, asterisk_file(40) + b"not,a,call\n")
    assert hands.client.send(f"{address}/start").status_code == 303
    page = hands.client.get(address).text
    assert "Waiting its turn" in page
    assert f'data-hx-get="{address}/progress"' in page
    assert 'data-hx-trigger="every 1s"' in page
    assert hands.work() == 1
    [file] = hands.files()
    assert (file.state, file.read_count, file.stored_count, file.refused_count) == (ImportState.DONE, 41, 40, 1)
    page = hands.client.get(address).text
    assert "The file is imported." in page
    assert f"/o/harbour/calls?period=all&amp;pbx={spell_id(pbx.id)}" in page
    assert "See 1 refused line<" in page
    assert "every 1s" not in page
    assert len(hands.calls()) == 40
    with make.session() as session:
        assert session.get_one(Pbx, (pbx.organization_id, pbx.id)).format == "asterisk_cdr_csv"


def test_the_progress_part_ends_itself(hands_in: SignIn, cast: Cast, make: Make) -> None:
    hands, pbx = hands_in(cast.max), make.pbx()
    address = hands.receive(pbx, asterisk_file(40))
    hands.client.send(f"{address}/start")
    part = hands.client.get_part(f"{address}/progress")
    assert "every 1s" in part.text
    assert "<progress" in part.text
    change(
        hands,
        hands.files()[0],
        state=ImportState.RUNNING,
        read_count=10,
        stored_count=10,
        bytes_read=2400,
        work_seconds=2,
    )
    part = hands.client.get_part(f"{address}/progress").text
    assert "10 rows read" in part
    assert "5 rows a second" in part
    assert "left" in part
    change(
        hands, hands.files()[0], state=ImportState.QUEUED, read_count=0, stored_count=0, bytes_read=0, work_seconds=0
    )
    hands.work()
    ended = hands.client.get_part(f"{address}/progress")
    assert ended.headers["HX-Location"] == address
    assert hands.client.get(f"{address}/progress").location == address, "without htmx too"


def test_the_same_file_again_stores_nothing_and_is_recognised(hands_in: SignIn, cast: Cast, make: Make) -> None:
    hands, pbx = hands_in(cast.max), make.pbx()
    hands.take_in(pbx, asterisk_file(20))
    address = hands.receive(pbx, asterisk_file(20), "the-same.csv")
    assert "This very file was handed in before." in hands.client.get(address).text
    hands.client.send(f"{address}/start")
    hands.work()
    file = hands.files()[1]
    assert (file.stored_count, file.duplicate_count, file.call_count) == (0, 20, 0)
    assert "was there already" in hands.client.get(address).text
    assert len(hands.calls()) == 20


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ((0, 20, 0), "Every record of this file was there already."),
        ((0, 5, 15), "What of this file is not too old was there already."),
        ((0, 0, 20), "Every record of this file is older than what you keep."),
    ],
)
def test_what_is_too_old_was_not_there_already(
    client: PageCheckingClient, cast: Cast, make: Make, counts: tuple[int, int, int], said: str
) -> None:
    client.sign_in(cast.max)
    stored, known, old = counts
    file = make.import_file(read_count=20, stored_count=stored, duplicate_count=known, skipped_count=old, old_count=old)
    assert said in client.get(f"/o/harbour/imports/{spell_id(file.id)}").text


def test_packed_and_plain_are_the_same_calls(hands_in: SignIn, cast: Cast, make: Make) -> None:
    hands, pbx = hands_in(cast.max), make.pbx()
    hands.take_in(pbx, asterisk_file(20))
    hands.take_in(pbx, gzip.compress(asterisk_file(20)), "Master.csv.gz")
    assert hands.files()[1].duplicate_count == 20


def test_starting_twice_imports_once(hands_in: SignIn, cast: Cast, make: Make) -> None:
    hands, pbx = hands_in(cast.max), make.pbx()
    address = hands.receive(pbx, asterisk_file(5))
    assert hands.client.send(f"{address}/start").status_code == 303
    again = hands.client.send(f"{address}/start")
    assert again.status_code == 422
    assert "imported already" in again.text
    assert hands.work() == 1


def test_cancelling_before_it_begins(hands_in: SignIn, cast: Cast, make: Make) -> None:
    hands, pbx = hands_in(cast.max), make.pbx()
    address = hands.receive(pbx, asterisk_file(5))
    hands.client.send(f"{address}/start")
    assert hands.client.send(f"{address}/cancel").status_code == 303
    hands.work()
    assert hands.files()[0].state == ImportState.CANCELLED
    assert hands.calls() == []
    assert "The import was cancelled." in hands.client.get(address).text


def test_cancelling_half_way_keeps_what_is_stored(
    hands_in: SignIn, cast: Cast, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    hands, pbx = hands_in(cast.max), make.pbx()
    address = hands.receive(pbx, asterisk_file(300))
    hands.client.send(f"{address}/start")
    monkeypatch.setattr(importer, "_FIRST_BATCH", 50)
    monkeypatch.setattr(importer, "_LARGEST_BATCH", 50)
    seen: list[str] = []

    def cancel_after_a_batch(work: handlers.Work) -> None:
        def keep() -> bool:
            if not seen:
                seen.append(hands.client.send(f"{address}/cancel").text)
                seen.append(hands.client.get(address).text)
            return True

        assert work.organization_id
        importer.run_import(work.database, b"k" * 32, work.organization_id, work.payload["import_file_id"], keep)

    monkeypatch.setitem(handlers._handlers, IMPORT, cancel_after_a_batch)
    hands.work()
    assert "Stopping…" in seen[1]
    [file] = hands.files()
    assert file.state == ImportState.CANCELLED
    assert 0 < file.stored_count < 300
    assert len(hands.calls()) == file.stored_count
    assert "Undo it to take that back" in hands.client.get(address).text


def test_a_system_closed_during_its_import_ends_it_with_words(
    hands_in: SignIn, cast: Cast, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    hands, pbx = hands_in(cast.max), make.pbx("Head office")
    address = hands.receive(pbx, asterisk_file(300))
    hands.client.send(f"{address}/start")
    monkeypatch.setattr(importer, "_FIRST_BATCH", 50)
    monkeypatch.setattr(importer, "_LARGEST_BATCH", 50)
    base = f"{HARBOUR}/phone-systems/{spell_id(pbx.id)}"
    closed: list[int] = []

    def close_after_a_batch(work: handlers.Work) -> None:
        def keep() -> bool:
            if not closed:
                closed.append(hands.client.send(f"{base}/close").status_code)
            return True

        assert work.organization_id
        importer.run_import(work.database, b"k" * 32, work.organization_id, work.payload["import_file_id"], keep)

    monkeypatch.setitem(handlers._handlers, IMPORT, close_after_a_batch)
    hands.work()
    [file] = hands.files()
    assert file.state == ImportState.FAILED
    assert 0 < file.stored_count < 300
    page = hands.client.get(address).text
    assert "was closed while its file was being read" in page
    refused = hands.client.send(f"{address}/start")
    assert refused.status_code == 422
    assert "Head office is closed" in refused.text
    hands.client.send(f"{base}/reopen")
    assert hands.client.send(f"{address}/start").status_code == 303
    hands.work()
    assert (hands.files()[0].state, hands.files()[0].stored_count) == (ImportState.DONE, 300)
    assert len(hands.calls()) == 300


def test_a_full_disk_half_way_loses_nothing_and_goes_on(
    hands_in: SignIn, cast: Cast, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    hands, pbx = hands_in(cast.max), make.pbx()
    address = hands.receive(pbx, asterisk_file(300))
    hands.client.send(f"{address}/start")
    monkeypatch.setattr(importer, "_FIRST_BATCH", 50)
    monkeypatch.setattr(importer, "_LARGEST_BATCH", 50)
    monkeypatch.setattr(importer, "_HOLD_SECONDS", 60.0)  # on a busy machine batches would grow smaller
    store, batches = importer._Import._store, []

    def store_until_full(self: importer._Import, *rest: object) -> None:
        batches.append(1)
        if len(batches) == 3:
            raise OSError(28, "No space left on device")
        store(self, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(importer._Import, "_store", store_until_full)
    hands.work()
    assert hands.files()[0].state == ImportState.FAILED
    assert hands.files()[0].stored_count == 100
    page = hands.client.get(address).text
    assert "disk is full" in page
    assert "Go on" in page
    hands.client.send(f"{address}/start")
    hands.work()
    assert (hands.files()[0].state, hands.files()[0].read_count, hands.files()[0].stored_count) == (
        ImportState.DONE,
        300,
        300,
    )


def test_two_imports_at_the_same_time(hands_in: SignIn, cast: Cast, make: Make) -> None:
    hands, pbx = hands_in(cast.max), make.pbx()
    other = make.pbx("Warehouse")
    rows = [asterisk_row(number) for number in range(200)]
    addresses = [
        hands.receive(pbx, "".join(rows[:120]).encode()),
        hands.receive(pbx, "".join(rows[80:]).encode(), "overlaps.csv"),
        hands.receive(other, asterisk_file(50)),
    ]
    for address in addresses:
        hands.client.send(f"{address}/start")
    workers = [Worker(hands.database, hands.settings, threads=2), Worker(hands.database, hands.settings, threads=1)]
    for worker in workers:
        worker.start()
    try:
        until = datetime.now(UTC) + timedelta(seconds=60)
        while any(file.state != ImportState.DONE for file in hands.files()):
            assert datetime.now(UTC) < until
            time.sleep(0.05)
    finally:
        for worker in workers:
            worker.stop()
    files = hands.files()
    assert sum(file.stored_count for file in files[:2]) == 200
    assert sum(file.duplicate_count for file in files[:2]) == 40
    assert len(hands.calls()) == 250


def test_a_waiting_file_says_when_nobody_works(hands_in: SignIn, cast: Cast, make: Make) -> None:
    hands, pbx = hands_in(cast.max), make.pbx()
    address = hands.receive(pbx, asterisk_file(5))
    hands.client.send(f"{address}/start")
    assert "no background worker" not in hands.client.get(address).text
    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=1)):
        assert "no background worker" in hands.client.get(address).text


@time_machine.travel(NOON)
def test_an_interrupted_import_says_when_it_goes_on(
    hands_in: SignIn, cast: Cast, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    hands, pbx = hands_in(cast.max), make.pbx()
    address = hands.receive(pbx, asterisk_file(5))
    hands.client.send(f"{address}/start")

    def fail(_work: handlers.Work) -> None:
        raise OperationalError("SELECT", {}, Exception("the database went away"))

    monkeypatch.setitem(handlers._handlers, IMPORT, fail)
    hands.work()
    page = hands.client.get(address).text
    assert "The work was interrupted." in page
    assert "goes on by itself today at" in page
    assert "database went away" not in page


def test_an_import_that_never_succeeds_ends_with_words(
    hands_in: SignIn, cast: Cast, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    hands, pbx = hands_in(cast.max), make.pbx()
    address = hands.receive(pbx, asterisk_file(5))
    hands.client.send(f"{address}/start")

    def fail(_work: handlers.Work) -> None:
        raise OperationalError("SELECT", {}, Exception("gone"))

    with monkeypatch.context() as patched, time_machine.travel(datetime.now(UTC), tick=False) as clock:
        patched.setitem(handlers._handlers, IMPORT, fail)
        for _ in range(queue.MOST_ATTEMPTS):
            hands.work()
            clock.shift(timedelta(hours=1))
    assert hands.files()[0].state == ImportState.FAILED
    assert "stopped several times" in hands.client.get(address).text
    hands.client.send(f"{address}/start")
    hands.work()
    assert hands.files()[0].state == ImportState.DONE


def test_throwing_an_uploaded_file_away(hands_in: SignIn, cast: Cast, make: Make) -> None:
    hands, pbx = hands_in(cast.max), make.pbx()
    address = hands.receive(pbx, asterisk_file(5))
    answer = hands.client.send(f"{address}/throw-away")
    assert answer.location == f"{HARBOUR}/phone-systems/{spell_id(pbx.id)}/imports"
    assert hands.files() == []
    assert hands.client.get(address).status_code == 404
    done = hands.take_in(pbx, asterisk_file(5))
    assert hands.client.send(f"{done}/throw-away").status_code == 422
    assert len(hands.calls()) == 5


def test_files_that_no_import_names_are_swept(hands_in: SignIn, cast: Cast, make: Make) -> None:
    hands, pbx = hands_in(cast.max), make.pbx()
    kept = hands.receive(pbx, asterisk_file(5))
    hands.receive(pbx, asterisk_file(6))
    with make.session() as session:
        session.delete(session.get_one(ImportFile, (hands.organization_id, hands.files()[1].id)))
        session.commit()
    with time_machine.travel(datetime.now(UTC) + timedelta(days=2)):
        jobs.sweep_unclaimed(hands.database)
    assert hands.client.get(kept).status_code == 200
    assert "The first 5 calls" in hands.client.get(kept).text


def test_a_file_of_contacts_that_waits_for_a_yes_is_not_swept(make: Make, database: Database, cast: Cast) -> None:
    waiting, _nobodys = (store_stream(database, cast.harbour.id, io.BytesIO(b"name,number\n")) for _file in range(2))
    make.contact_import(stored_file_id=waiting)
    with time_machine.travel(datetime.now(UTC) + timedelta(days=2)):
        jobs.sweep_unclaimed(database)
    with make.session() as session:
        assert session.scalars(select(StoredFile.id)).all() == [waiting]
        assert session.scalars(select(StoredChunk.stored_file_id)).all() == [waiting]


def test_the_region_alone_is_answered_to_htmx(hands_in: SignIn, cast: Cast, make: Make) -> None:
    hands, pbx = hands_in(cast.max), make.pbx()
    address = hands.receive(pbx, asterisk_file(1))
    part = hands.client.get(address, headers=PART).text
    assert "<h1" not in part
    assert 'id="sources-import"' in part
    assert START.strftime("%H:%M") in part
