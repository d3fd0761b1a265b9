"""Importing: what is stored, counted, joined; the same again; interrupted; two at once."""

import threading
from pathlib import Path

import pytest

from tests.cast import Cast
from tests.ingest.importing import Importing, asterisk_row, ring_all_row, transferred_rows
from webapp.calls.models import CallerReason, CallRecord, CallRecordVersion, ImportState, Pbx, RejectedLine
from webapp.calls.outcomes import Direction, Outcome
from webapp.clock import now
from webapp.database.engine import Database
from webapp.destinations.models import Party
from webapp.ingest import importer
from webapp.tenancy.sessions import writing_session

READERS_DATA = Path(__file__).parents[1] / "data" / "readers"


def test_one_row_is_one_call(harbour: Importing) -> None:
    result = harbour.load(harbour.pbx(), asterisk_row())
    assert (result.state, result.read_count, result.stored_count, result.call_count) == (ImportState.DONE, 1, 1, 1)
    [call] = harbour.calls()
    assert (call.direction, call.outcome) == (Direction.INBOUND, Outcome.ANSWERED)
    assert call.started_at.isoformat() == "2026-07-15T12:00:00+00:00"
    assert (call.ring_seconds, call.talk_seconds) == (8, 192)
    assert harbour.number(call.caller_id) == "+442079460123"
    assert harbour.number(call.answered_by_id) == harbour.number(call.callee_id) == "201"
    assert harbour.number(call.did_id) == "+442079460100"
    harbour.check()


def test_the_same_file_again_stores_nothing(harbour: Importing) -> None:
    pbx = harbour.pbx()
    content = (READERS_DATA / "asterisk_cdr_csv" / "master_18col_parallel.csv").read_bytes()
    first = harbour.load(pbx, content)
    told = harbour.told()
    again = harbour.load(pbx, content)
    assert (first.read_count, first.stored_count, first.call_count) == (218, 218, 165)
    assert (again.read_count, again.stored_count, again.duplicate_count, again.call_count) == (218, 0, 218, 0)
    assert harbour.told() == told
    harbour.check()


def test_the_same_rows_of_two_phone_systems_are_different_records(harbour: Importing) -> None:
    for _ in range(2):
        assert harbour.load(harbour.pbx(), asterisk_row()).stored_count == 1
    assert len(harbour.calls()) == 2
    harbour.check()


def test_identical_lines_of_one_file_are_counted_each(harbour: Importing) -> None:
    line = asterisk_row().split(b'"1784116800.1"')[0].rstrip(b",") + b"\n"  # 16 columns
    result = harbour.load(harbour.pbx(), line * 3)
    assert (result.stored_count, result.call_count) == (3, 3)
    harbour.check()


def test_a_ring_group_is_one_call_in_any_order_and_over_two_imports(harbour: Importing) -> None:
    rows = [
        ring_all_row("1784116800.7", place, ext, ext == "203") for place, ext in enumerate(("202", "203", "205"), 7)
    ]
    for order in ((0, 1, 2), (2, 1, 0), (1, 2, 0)):
        pbx = harbour.pbx()
        for place in order:
            harbour.load(pbx, rows[place])
        mine = [call for call in harbour.calls() if call.pbx_id == pbx]
        assert [(call.outcome, call.record_count, call.talk_seconds) for call in mine] == [(Outcome.ANSWERED, 3, 20)]
        assert harbour.number(mine[0].answered_by_id) == "203"
    harbour.check()


def test_of_a_call_that_was_passed_on_each_party_has_the_seconds_it_talked(harbour: Importing) -> None:
    harbour.load(harbour.pbx(), transferred_rows())
    [call] = harbour.calls()
    assert call.talk_seconds == 90
    talks = {"+442079460123": 90, "+442079460100": 0, "201": 60, "205": 0, "204": 30}
    assert harbour.talks(call) == talks
    harbour.check()


def test_of_a_call_of_one_record_both_sides_talked_all_the_time(harbour: Importing) -> None:
    harbour.load(harbour.pbx(), asterisk_row())
    [call] = harbour.calls()
    assert harbour.talks(call) == {"+442079460123": 192, "+442079460100": 0, "201": 192}


def test_two_calls_that_prove_to_be_one_are_joined(harbour: Importing) -> None:
    pbx = harbour.pbx(format="freeswitch_cdr_csv")
    row = (
        '"x","{}","{}","default","2026-07-15 13:00:00","{}","2026-07-15 13:00:30","30","20","NORMAL_CLEARING",'
        '"{}","{}","","",""\n'
    )
    far = row.format("02079460123", "201", "2026-07-15 13:00:10", "00000000-0000-4000-8000-00000000000b", "").encode()
    near = row.format(
        "02079460123", "600", "2026-07-15 13:00:10",
        "00000000-0000-4000-8000-00000000000a", "00000000-0000-4000-8000-00000000000b",
    ).encode()  # fmt: skip
    other = row.format(
        "02079460123", "600", "2026-07-15 13:00:10",
        "00000000-0000-4000-8000-00000000000c", "00000000-0000-4000-8000-00000000000d",
    ).encode()  # fmt: skip
    for order in ((far, near, other), (near, other, far)):
        results = [harbour.load(pbx, content, "freeswitch_cdr_csv") for content in order]
        assert len(harbour.calls()) == 2
        harbour.check()
        for result in results:
            harbour.undo(result.id)
        assert not harbour.calls() and not harbour.all(CallRecord)
        harbour.check()


def test_a_row_that_comes_again_with_other_content_is_its_next_version(harbour: Importing) -> None:
    pbx = harbour.pbx()
    harbour.load(pbx, asterisk_row())
    newer = harbour.load(pbx, asterisk_row(billsec=100))
    assert (newer.stored_count, newer.duplicate_count, newer.call_count) == (1, 0, 0)
    [call], [record], [old] = harbour.calls(), harbour.all(CallRecord), harbour.all(CallRecordVersion)
    assert (call.talk_seconds, record.version, old.version) == (100, 2, 1)
    assert b",192," in old.raw
    harbour.check()


def test_withheld_callers_are_no_party(harbour: Importing) -> None:
    pbx = harbour.pbx()
    for turn, source in enumerate(("anonymous", "Restricted", "", "unknown")):
        harbour.load(pbx, asterisk_row(source=source, unique=f"1784116800.{turn + 10}"))
    reasons = sorted(call.caller_reason for call in harbour.calls())
    assert reasons == [CallerReason.WITHHELD] * 2 + [CallerReason.NOT_GIVEN] * 2
    assert all(call.caller_id is None for call in harbour.calls())
    harbour.check()


def test_direction_is_unknown_until_the_questions_are_answered(harbour: Importing) -> None:
    harbour.load(harbour.pbx(lines=None), asterisk_row(disposition="NO ANSWER", answer="", billsec=0))
    [call] = harbour.calls()
    assert (call.direction, call.outcome) == (Direction.UNKNOWN, Outcome.NO_ANSWER)


def test_refused_lines_are_kept_with_their_reason(harbour: Importing) -> None:
    pbx = harbour.pbx()
    result = harbour.load(
        pbx, asterisk_row() + b"this is no call record\n" + asterisk_row(start="yesterday", sequence=2)
    )
    assert (result.read_count, result.stored_count, result.refused_count) == (3, 1, 2)
    refused = sorted(harbour.all(RejectedLine), key=lambda line: line.line_number)
    assert [line.line_number for line in refused] == [2, 3]
    assert refused[0].raw == b"this is no call record"
    assert "yesterday" in refused[1].reason


def test_an_interrupted_import_goes_on_behind_its_last_row(harbour: Importing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importer, "_FIRST_BATCH", 20)
    monkeypatch.setattr(importer, "_LARGEST_BATCH", 20)
    content = (READERS_DATA / "asterisk_cdr_csv" / "master_18col_parallel.csv").read_bytes()
    import_file_id = harbour.queue(harbour.pbx(), content)
    for reached in (20, 40):
        result = harbour.run(import_file_id, keep_going=lambda: False)
        assert (result.state, result.read_count) == (ImportState.RUNNING, reached)
        harbour.check()
    result = harbour.run(import_file_id)
    assert (result.state, result.read_count, result.stored_count, result.call_count) == (
        ImportState.DONE,
        218,
        218,
        165,
    )
    harbour.check()


def test_cancelling_keeps_what_is_stored_and_undo_takes_it_back(
    harbour: Importing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importer, "_FIRST_BATCH", 20)
    import_file_id = harbour.queue(
        harbour.pbx(), (READERS_DATA / "asterisk_cdr_csv" / "master_18col_parallel.csv").read_bytes()
    )
    harbour.run(import_file_id, keep_going=lambda: False)
    harbour.change(import_file_id, cancel_asked=True)
    result = harbour.run(import_file_id)
    assert (result.state, result.stored_count) == (ImportState.CANCELLED, 20)
    assert harbour.undo(import_file_id).state == ImportState.UNDONE
    assert not harbour.all(CallRecord)
    harbour.check()


def test_a_phone_system_closed_during_its_import(harbour: Importing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importer, "_FIRST_BATCH", 20)
    pbx = harbour.pbx()
    import_file_id = harbour.queue(pbx, (READERS_DATA / "asterisk_cdr_csv" / "master_18col_parallel.csv").read_bytes())
    harbour.run(import_file_id, keep_going=lambda: False)
    _set_closed(harbour, pbx, closed=True)
    result = harbour.run(import_file_id)
    assert (result.state, result.stored_count) == (ImportState.FAILED, 20)
    assert "was closed while its file was being read" in (result.error or "")
    _set_closed(harbour, pbx, closed=False)
    assert harbour.run(import_file_id).stored_count == 218
    harbour.check()


def _set_closed(harbour: Importing, pbx_id: int, *, closed: bool) -> None:
    with writing_session(harbour.database, harbour.organization.id) as session:
        session.get_one(Pbx, (harbour.organization.id, pbx_id)).closed_at = now() if closed else None
        session.commit()


def test_two_importers_at_once_make_whole_calls(harbour: Importing) -> None:
    """60 calls of two rows each, whose halves come from two importers at the same time."""
    pbx = harbour.pbx()
    halves: list[list[bytes]] = [[], []]
    for turn in range(60):
        for half, extension in enumerate(("202", "203")):
            halves[half].append(
                ring_all_row(
                    f"{1784116800 + turn}.{turn}", 2 * turn + half, extension, answered=half == 1, minute=turn % 60
                )
            )
    ids = [harbour.queue(pbx, b"".join(half)) for half in halves]
    threads = [threading.Thread(target=_in_small_batches, args=(harbour, import_file_id)) for import_file_id in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [harbour.result(import_file_id).stored_count for import_file_id in ids] == [60, 60]
    calls = harbour.calls()
    assert len(calls) == 60 == sum(harbour.result(import_file_id).call_count for import_file_id in ids)
    assert all((call.outcome, call.record_count, call.talk_seconds) == (Outcome.ANSWERED, 2, 20) for call in calls)
    harbour.check()


def _in_small_batches(harbour: Importing, import_file_id: int) -> None:
    while harbour.result(import_file_id).state in (ImportState.QUEUED, ImportState.RUNNING):
        importer_run = harbour.run(import_file_id, keep_going=lambda: False)
        if importer_run.state == ImportState.DONE:
            return


def test_imports_of_two_organizations_do_not_meet(database: Database, cast: Cast) -> None:
    for organization in (cast.harbour, cast.quayside):
        here = Importing(database, organization)
        here.load(here.pbx(), asterisk_row())
    for organization in (cast.harbour, cast.quayside):
        here = Importing(database, organization)
        assert len(here.calls()) == 1
        here.check()


def test_rows_older_than_the_watermark_are_counted_and_nothing_of_them_is_stored(harbour: Importing) -> None:
    with writing_session(harbour.database) as session:
        organization = session.get_one(type(harbour.organization), harbour.organization.id)
        organization.keeps_from = now()
        session.commit()
    result = harbour.load(harbour.pbx(), asterisk_row(start="2025-07-15 13:00:00"))
    assert (result.read_count, result.stored_count, result.refused_count) == (1, 0, 0)
    assert (result.skipped_count, result.old_count) == (1, 1)
    assert not harbour.all(RejectedLine)


def test_a_caller_name_that_is_the_number_is_no_name(harbour: Importing) -> None:
    pbx = harbour.pbx()
    harbour.load(pbx, asterisk_row(name="02079460123"))
    assert {party.name for party in harbour.all(Party)} == {""}
    harbour.load(pbx, asterisk_row(unique="1784116900.2"))
    assert "Tyne Valley Catering" in {party.name for party in harbour.all(Party)}


def test_the_planner_learns_of_what_an_import_brought(harbour: Importing) -> None:
    """On SQLite; PostgreSQL looks at its tables by itself."""
    harbour.load(harbour.pbx(), (READERS_DATA / "asterisk_cdr_csv" / "master_18col_parallel.csv").read_bytes())
    if harbour.database.dialect == "sqlite":
        with harbour.database.reading.connect() as connection:
            tables = connection.exec_driver_sql("SELECT DISTINCT tbl FROM sqlite_stat1").scalars().all()
        assert {"call_record", "party"} <= set(tables)
