"""A purge removes whole calls and all that was made of them; what stays is as if the rest had never been."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.ingest.importing import Importing, asterisk_row, ring_all_row
from webapp.calls.models import Call, CallLink, CallRecord, CallRecordVersion, CallTotal, RejectedLine
from webapp.clock import now, to_ms
from webapp.database.ids import new_id
from webapp.destinations.models import Party
from webapp.ingest import purge
from webapp.ingest.purge import Purged, move_watermark, purge_calls, purge_refused_lines
from webapp.privacy.models import RetentionRun
from webapp.tenancy.sessions import reading_session, writing_session

MIDNIGHT = datetime(2026, 7, 15, tzinfo=UTC).replace(hour=0)
OLD = {"start": "2026-07-14 10:00:00", "answer": "2026-07-14 10:00:08", "end": "2026-07-14 10:03:20"}
YOUNG = {"start": "2026-07-15 10:00:00", "answer": "2026-07-15 10:00:08", "end": "2026-07-15 10:03:20"}


def rows() -> bytes:
    """Five old calls of five callers, three young ones of whom one has called before."""
    old = [asterisk_row(unique=f"1784023200.{turn}", source=f"0207946011{turn}", **OLD) for turn in range(5)]
    young = [asterisk_row(unique=f"1784109600.{turn}", source=f"0207946011{turn + 4}", **YOUNG) for turn in range(3)]
    return b"".join([*old, *young])


def run(harbour: Importing, until: datetime = MIDNIGHT, **options: Any) -> Purged:
    counts = dict.fromkeys(("calls", "records", "parties", "files", "audit_events", "archives"), 0)
    run = RetentionRun(id=new_id(), started_at=now(), ended_at=None, **counts)
    with writing_session(harbour.database, harbour.organization.id) as session:
        session.add(run)
        session.commit()
    move_watermark(harbour.database, harbour.organization.id, to_ms(until))
    purge_calls(harbour.database, harbour.organization.id, run.id, **options)
    with reading_session(harbour.database, harbour.organization.id) as session:
        run = session.get_one(RetentionRun, (harbour.organization.id, run.id))
    return Purged(run.calls, run.records, run.parties)


def test_what_is_old_goes_and_the_rest_is_as_if_it_had_come_alone(harbour: Importing) -> None:
    pbx = harbour.pbx()
    harbour.load(pbx, rows())
    assert run(harbour) == Purged(calls=5, records=5, parties=4)
    assert len(harbour.calls()) == 3
    harbour.check()
    left = harbour.told()
    fresh = harbour.pbx()
    harbour.load(fresh, rows())
    assert sorted(left * 2) == harbour.told()
    harbour.check()


def test_a_purged_file_does_not_come_back(harbour: Importing) -> None:
    pbx = harbour.pbx()
    harbour.load(pbx, rows())
    run(harbour)
    again = harbour.load(pbx, rows())
    assert (again.read_count, again.stored_count, again.duplicate_count, again.old_count) == (8, 0, 3, 5)
    assert len(harbour.calls()) == 3
    harbour.check()


def test_a_call_over_midnight_stays_whole_until_all_of_it_is_old(harbour: Importing) -> None:
    pbx = harbour.pbx()
    first = {"start": "2026-07-15 00:50:00", "answer": "2026-07-15 00:50:08", "end": "2026-07-15 01:05:00"}
    second = {"start": "2026-07-15 01:04:00", "answer": "2026-07-15 01:04:08", "end": "2026-07-15 01:09:00"}
    call = asterisk_row(unique="1784073000.1", **first)
    content = call + asterisk_row(unique="1784073840.2", linked="1784073000.1", **second)
    harbour.load(pbx, content)
    assert [each.record_count for each in harbour.calls()] == [2]
    assert run(harbour) == Purged(0, 0, 0)  # midnight in UTC is one o'clock there
    again = harbour.load(pbx, content)
    assert (again.duplicate_count, again.old_count) == (1, 1)
    harbour.check()
    assert run(harbour, datetime(2026, 7, 16, tzinfo=UTC)) == Purged(1, 2, 3)
    for entity in (Call, CallRecord, CallLink, CallTotal, Party):
        assert not harbour.all(entity)


def test_a_long_call_of_old_records_goes(harbour: Importing) -> None:
    pbx = harbour.pbx()
    harbour.load(
        pbx, asterisk_row(start="2026-07-15 00:50:00", answer="2026-07-15 00:50:08", end="2026-07-15 03:50:00")
    )
    assert run(harbour).calls == 1


def test_a_purge_that_was_stopped_goes_on_where_it_was(harbour: Importing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(purge, "_FIRST_BATCH", 2)
    monkeypatch.setattr(purge, "_LARGEST_BATCH", 2)
    harbour.load(harbour.pbx(), rows())
    assert run(harbour, keep_going=lambda: False).calls == 2
    harbour.check()
    assert run(harbour).calls == 3
    assert run(harbour) == Purged(0, 0, 0)
    harbour.check()


def test_older_versions_of_a_record_go_with_it(harbour: Importing) -> None:
    pbx = harbour.pbx()
    harbour.load(pbx, asterisk_row(**OLD))
    harbour.load(pbx, asterisk_row(**OLD, billsec=100))
    assert harbour.all(CallRecordVersion)
    run(harbour)
    assert not harbour.all(CallRecordVersion)


def test_an_undo_after_a_purge_takes_back_what_is_left(harbour: Importing) -> None:
    pbx = harbour.pbx()
    result = harbour.load(pbx, rows() + ring_all_row("1784116800.7", 1, "202", answered=False))
    run(harbour)
    harbour.undo(result.id)
    assert not harbour.all(Call)
    harbour.check()


def test_retention_that_moves_on_while_a_file_is_read_holds_for_the_rest(
    harbour: Importing, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_file_id = harbour.queue(harbour.pbx(), rows())
    monkeypatch.setattr("webapp.ingest.importer._FIRST_BATCH", 4)
    turns: list[int] = []

    def move() -> bool:
        if not turns:
            move_watermark(harbour.database, harbour.organization.id, to_ms(MIDNIGHT))
        turns.append(1)
        return True

    result = harbour.run(import_file_id, keep_going=move)
    assert (result.read_count, result.stored_count, result.old_count) == (8, 7, 1)
    run(harbour)
    assert len(harbour.calls()) == 3
    harbour.check()


def test_refused_lines_go_with_the_files_that_are_old(harbour: Importing) -> None:
    old = harbour.load(harbour.pbx(), b"no call\nnor this\n" + rows())
    harbour.change(old.id, created_at=datetime(2026, 7, 14, tzinfo=UTC))
    young = harbour.load(harbour.pbx(), b"no,call\n" + rows())
    assert purge_refused_lines(harbour.database, harbour.organization.id, to_ms(MIDNIGHT))
    assert {line.import_file_id for line in harbour.all(RejectedLine)} <= {young.id}
