"""Undo takes back only what an import alone brought; reading again keeps keys and changes what the settings say."""

from pathlib import Path

import pytest
from sqlalchemy import select

from tests.conftest import NUMBER_KEY
from tests.ingest.importing import Importing, asterisk_row, ring_all_row, transferred_rows
from webapp.calls.models import CallParty, CallRecord, CallRecordVersion, ImportFile, ImportState, Pbx, RejectedLine
from webapp.calls.outcomes import Direction, Outcome
from webapp.clock import now
from webapp.destinations.models import Party
from webapp.ingest import undo
from webapp.ingest.reread import compare, read_again
from webapp.ingest.settings import PbxSettings
from webapp.ingest.undo import loss_of
from webapp.jobs.models import StoredChunk, StoredFile
from webapp.tenancy.sessions import reading_session, writing_session

READERS_DATA = Path(__file__).parents[1] / "data" / "readers"


def test_undo_leaves_nothing_of_a_file(harbour: Importing) -> None:
    pbx = harbour.pbx()
    content = (READERS_DATA / "asterisk_cdr_csv" / "captured_21col_office_a.csv").read_bytes() + b"no call\n"
    result = harbour.load(pbx, content)
    assert result.stored_count == 64
    assert harbour.undo(result.id).state == ImportState.UNDONE
    for entity in (CallRecord, Party, RejectedLine, StoredFile, StoredChunk):
        assert not harbour.all(entity)
    harbour.check()


def test_what_another_kept_file_holds_comes_back_from_it(harbour: Importing) -> None:
    pbx = harbour.pbx()
    rows = [asterisk_row(unique=f"1784116800.{turn}", sequence=turn) for turn in range(6)]
    first = harbour.load(pbx, b"".join(rows[:4]))
    second = harbour.load(pbx, b"".join(rows[2:]))
    assert (second.stored_count, second.duplicate_count) == (2, 2)
    with reading_session(harbour.database, harbour.organization.id) as session:
        assert loss_of(session, first) == (4, 1, 0)
    harbour.undo(first.id)
    after = harbour.result(second.id)
    assert (after.read_count, after.stored_count, after.duplicate_count, after.call_count) == (4, 4, 0, 4)
    assert {record.import_file_id for record in harbour.all(CallRecord)} == {second.id}
    harbour.check()


def test_undo_of_one_half_rebuilds_the_call(harbour: Importing) -> None:
    pbx = harbour.pbx()
    lost = harbour.load(pbx, ring_all_row("1784116800.7", 1, "202", answered=False))
    before = harbour.told()
    answered = harbour.load(pbx, ring_all_row("1784116800.7", 2, "203", answered=True))
    assert [call.outcome for call in harbour.calls()] == [Outcome.ANSWERED]
    harbour.undo(answered.id)
    assert harbour.told() == before
    harbour.check()
    again = harbour.load(pbx, ring_all_row("1784116800.7", 2, "203", answered=True))
    harbour.undo(lost.id)
    assert [(call.outcome, call.record_count) for call in harbour.calls()] == [(Outcome.ANSWERED, 1)]
    harbour.check()
    assert harbour.undo(again.id).state == ImportState.UNDONE
    assert not harbour.calls()


def test_undo_of_a_newer_version_brings_the_older_back(harbour: Importing) -> None:
    pbx = harbour.pbx()
    harbour.load(pbx, asterisk_row())
    before = harbour.told()
    newer = harbour.load(pbx, asterisk_row(billsec=100))
    harbour.undo(newer.id)
    assert harbour.told() == before
    assert not harbour.all(CallRecordVersion)
    [record] = harbour.all(CallRecord)
    assert record.version == 1 and b",192," in record.raw
    harbour.check()


def test_undo_of_the_older_version_keeps_the_newer(harbour: Importing) -> None:
    pbx = harbour.pbx()
    older = harbour.load(pbx, asterisk_row())
    harbour.load(pbx, asterisk_row(billsec=100))
    harbour.undo(older.id)
    assert [call.talk_seconds for call in harbour.calls()] == [100]
    harbour.check()


def test_undo_that_was_interrupted_is_finished_by_running_it_again(
    harbour: Importing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(undo, "_CHUNK", 10)
    result = harbour.load(
        harbour.pbx(), (READERS_DATA / "asterisk_cdr_csv" / "captured_21col_office_a.csv").read_bytes()
    )
    harbour.change(result.id, state=ImportState.UNDOING)
    undo.undo_import(harbour.database, NUMBER_KEY, harbour.organization.id, result.id, keep_going=lambda: False)
    assert len(harbour.all(CallRecord)) == 54
    harbour.check()
    assert harbour.undo(result.id).state == ImportState.UNDONE
    assert not harbour.all(CallRecord)


def test_reading_again_gives_direction_once_the_lines_are_known(harbour: Importing) -> None:
    pbx = harbour.pbx(lines=None)
    content = (READERS_DATA / "asterisk_cdr_csv" / "captured_21col_office_a.csv").read_bytes()
    harbour.load(pbx, content)
    assert {call.direction for call in harbour.calls()} == {Direction.UNKNOWN}
    keys = {record.record_key for record in harbour.all(CallRecord)}
    with writing_session(harbour.database, harbour.organization.id) as session:
        row = session.get_one(Pbx, (harbour.organization.id, pbx))
        row.outside_lines, row.answered_at = '["IAX2/provider"]', now()
        session.commit()
    read_again(harbour.database, NUMBER_KEY, harbour.organization.id, pbx)
    fresh = harbour.pbx(lines=("IAX2/provider",))
    told = harbour.told()
    harbour.load(fresh, content)
    assert sorted(told * 2) == harbour.told()
    assert {record.record_key for record in harbour.all(CallRecord) if record.pbx_id == pbx} == keys
    harbour.check()


def test_reading_again_tells_who_talked_for_how_long_in_calls_of_an_older_release(harbour: Importing) -> None:
    """An upgrade cannot: it reads no records."""
    pbx = harbour.pbx()
    harbour.load(pbx, transferred_rows())
    [call] = harbour.calls()
    talks = harbour.talks(call)
    with writing_session(harbour.database, harbour.organization.id) as session:
        for row in session.scalars(select(CallParty).where(CallParty.talk_seconds > 0)):
            row.talk_seconds = call.talk_seconds
        session.commit()
    assert harbour.talks(call) != talks
    read_again(harbour.database, NUMBER_KEY, harbour.organization.id, pbx)
    assert harbour.talks(call) == talks
    harbour.check()


def test_a_changed_zone_moves_calls_and_totals(harbour: Importing) -> None:
    pbx = harbour.pbx()
    moved = harbour.load(pbx, asterisk_row())
    kept = harbour.queue(pbx, asterisk_row(unique="1784116900.2"))
    harbour.change(kept, time_zone="UTC")  # chosen for this file: it stays
    harbour.run(kept)
    with writing_session(harbour.database, harbour.organization.id) as session:
        session.get_one(Pbx, (harbour.organization.id, pbx)).time_zone = "America/New_York"
        session.get_one(ImportFile, (harbour.organization.id, moved.id)).time_zone = "America/New_York"
        session.commit()
    read_again(harbour.database, NUMBER_KEY, harbour.organization.id, pbx)
    other, call = harbour.calls()
    assert other.started_at.isoformat() == "2026-07-15T13:00:00+00:00"
    assert call.started_at.isoformat() == "2026-07-15T17:00:00+00:00"
    assert (call.ring_seconds, call.talk_seconds) == (8, 192)
    harbour.check()


def test_before_and_after_are_shown_without_writing(harbour: Importing) -> None:
    pbx = harbour.pbx()
    harbour.load(pbx, asterisk_row())
    with reading_session(harbour.database, harbour.organization.id) as session:
        settings = PbxSettings.of(session.get_one(Pbx, (harbour.organization.id, pbx))).with_zone("Asia/Tokyo")
        [change] = compare(session, NUMBER_KEY, settings)
    assert change.before.started_at.hour == 12 and change.after.started_at.hour == 4
    assert harbour.calls()[0].started_at.hour == 12


def test_rows_of_a_file_with_a_header_are_read_again(harbour: Importing) -> None:
    pbx = harbour.pbx(format="freepbx_report_csv", lines=None)
    content = (READERS_DATA / "freepbx_report_csv" / "written_cdr_report.csv").read_bytes()
    harbour.load(pbx, content, "freepbx_report_csv")
    told = harbour.told()
    assert told
    read_again(harbour.database, NUMBER_KEY, harbour.organization.id, pbx)
    assert harbour.told() == told
    harbour.check()
