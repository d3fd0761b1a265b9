"""Ids that do not do what ids are for: the same in every row, another call's in a newer version, keys that meet."""

import json
from collections.abc import Callable
from dataclasses import asdict

import pytest

from tests.conftest import NUMBER_KEY
from tests.ingest.faults import Steps
from tests.ingest.importing import Importing, asterisk_row, ring_all_row
from webapp.calls.models import CallLink, CallRecord, ImportState
from webapp.ingest import normalize, stored_records, writer
from webapp.ingest.normalize import NormalRecord
from webapp.ingest.records import ColumnMap
from webapp.ingest.reread import read_again
from webapp.ingest.writer import MOST_RECORDS_OF_A_CALL

TABLE = {"started": 0, "caller": 1, "dialed": 2, "duration": 3}


def table(count: int, first: int = 0) -> bytes:
    header = b"Start,Caller,Dialled,Duration,Id\n"
    lines = (
        f"2026-07-15 {13 + turn // 3600:02d}:{turn // 60 % 60:02d}:{turn % 60:02d},02079460123,201,{30 + turn},same\n"
        for turn in range(first, first + count)
    )
    return header + "".join(lines).encode()


def mapped(**more: int) -> dict[str, str]:
    return {"column_map": json.dumps(asdict(ColumnMap(",", True, TABLE | more, "ymd")))}


def test_a_call_id_that_never_changes_makes_no_endless_call(
    harbour: Importing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each batch would read all calls before it again. What a batch reads must not grow with what is there."""
    read: list[int] = []
    records_of_calls: Callable[..., dict[int, list[NormalRecord]]] = stored_records.records_of_calls

    def counted(*values: object) -> dict[int, list[NormalRecord]]:
        found = records_of_calls(*values)
        read.append(sum(map(len, found.values())))
        return found

    monkeypatch.setattr(writer, "records_of_calls", counted)
    pbx = harbour.pbx(format="generic_csv")
    result = harbour.load(pbx, table(6000), "generic_csv", **mapped(call_id=4))
    assert (result.state, result.stored_count) == (ImportState.DONE, 6000)
    assert max(call.record_count for call in harbour.calls()) <= MOST_RECORDS_OF_A_CALL
    assert max(read) <= MOST_RECORDS_OF_A_CALL
    harbour.check()
    told = harbour.told()
    assert harbour.load(pbx, table(6000), "generic_csv", **mapped(call_id=4)).duplicate_count == 6000
    read_again(harbour.database, NUMBER_KEY, harbour.organization.id, pbx)
    assert harbour.told() == told
    harbour.undo(result.id)
    harbour.check()


def test_rows_of_one_call_that_come_one_by_one_stay_one_call_up_to_the_limit(
    harbour: Importing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "MOST_RECORDS_OF_A_CALL", 5)
    pbx = harbour.pbx()
    for turn in range(12):
        harbour.load(pbx, ring_all_row("1784116800.7", turn, "202", answered=False))
    assert sorted(call.record_count for call in harbour.calls()) == [2, 5, 5]
    harbour.check()


def test_keys_that_meet_move_and_are_found_again(harbour: Importing, monkeypatch: pytest.MonkeyPatch) -> None:
    """36 bits of hash meet once in a lifetime; here two bits do it all the time, within a batch and over batches."""
    plain = normalize.Normalizer.normalize

    def crowded(self: normalize.Normalizer, *row: object) -> NormalRecord:
        record = plain(self, *row)  # type: ignore[arg-type]
        return record._replace(record_key=(record.record_key >> 36 << 36) + record.id_hash % 4)

    monkeypatch.setattr(normalize.Normalizer, "normalize", crowded)
    pbx = harbour.pbx()
    lines = [asterisk_row(unique=f"{1784116800 + turn}.{turn}", sequence=turn) for turn in range(120)]
    content = b"".join(lines)
    result = harbour.load(pbx, content)
    assert (result.state, result.stored_count) == (ImportState.DONE, 120)
    assert len({record.id_hash for record in harbour.all(CallRecord)}) == 120
    again = harbour.load(pbx, b"".join(reversed(lines)))
    assert (again.state, again.stored_count, again.duplicate_count) == (ImportState.DONE, 0, 120)
    harbour.check()


def test_a_newer_version_may_name_another_call(harbour: Importing) -> None:
    """The links that only the older version named go: they would lead to a call that may be gone one day."""
    pbx = harbour.pbx()
    older = harbour.load(pbx, asterisk_row(unique="1784116800.1", linked="1784116800.5"))
    before, links = harbour.told(), {link.link_key for link in harbour.all(CallLink)}
    newer = harbour.load(pbx, asterisk_row(unique="1784116800.1", linked="1784116799.9", billsec=100))
    harbour.check()
    assert {link.link_key for link in harbour.all(CallLink)} != links
    harbour.undo(newer.id)
    harbour.check()
    assert harbour.told() == before
    assert {link.link_key for link in harbour.all(CallLink)} == links
    harbour.undo(older.id)
    assert not harbour.all(CallLink)
    for turn, linked in enumerate(("1784116800.5", "1784116799.9")):
        result = harbour.load(pbx, asterisk_row(unique=f"1784116801.{turn}", linked=linked, sequence=9))
        assert result.state == ImportState.DONE
    assert len(harbour.calls()) == 2
    harbour.check()


def test_a_newer_version_joins_the_call_that_it_names(harbour: Importing) -> None:
    pbx = harbour.pbx()
    harbour.load(pbx, ring_all_row("1784116800.7", 1, "202", answered=False))
    harbour.load(pbx, asterisk_row(unique="1784116801.1"))
    assert len(harbour.calls()) == 2
    harbour.load(pbx, asterisk_row(unique="1784116801.1", linked="1784116800.7", billsec=100))
    assert [(call.record_count, call.talk_seconds) for call in harbour.calls()] == [(2, 100)]
    harbour.check()


def test_a_repeated_hour_is_not_told_anew_when_records_are_read_again(harbour: Importing) -> None:
    """The order of the file told the two hours apart, and records are read again in another."""
    pbx = harbour.pbx()
    lines = [
        asterisk_row(
            unique="", sequence="", start=f"2026-10-25 {time}", answer="", end="", billsec=0, disposition="NO ANSWER"
        )
        for time in ("01:20:00", "01:50:00", "01:10:00", "01:40:00")
    ]
    harbour.load(pbx, b"".join(lines))
    told = harbour.told()
    assert [call.started_at.strftime("%H:%M") for call in harbour.calls()] == ["00:20", "00:50", "01:10", "01:40"]
    read_again(harbour.database, NUMBER_KEY, harbour.organization.id, pbx)
    assert harbour.told() == told
    harbour.check()


def test_few_records_among_many_are_read_again_in_short_transactions(
    harbour: Importing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A phone system with few records beside one with many: no step looks for them through all the others."""
    monkeypatch.setattr("webapp.ingest.reread._SCANNED", 50)
    lines = [asterisk_row(unique=f"{1784116800 + turn}.{turn}", sequence=turn) for turn in range(200)]
    many, few = harbour.pbx(), harbour.pbx(lines=None)
    harbour.load(many, b"".join(lines))
    harbour.load(few, b"".join(lines[:3]))
    transactions: list[int] = []
    with Steps(lambda steps: transactions.append(1) if steps.kind == "begin" else None).install(harbour.database):
        read_again(harbour.database, NUMBER_KEY, harbour.organization.id, few)
    assert len(transactions) == 203 // 50 + 1
    harbour.check()


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Europe/London", "America/Los_Angeles"])
@pytest.mark.parametrize("start", ["0001-01-01 00:00:00", "9999-12-31 23:59:59"])
def test_the_first_and_the_last_second_that_can_be_written(harbour: Importing, start: str, zone: str) -> None:
    result = harbour.load(harbour.pbx(time_zone=zone), asterisk_row(unique="", start=start, answer=start, end=start))
    assert (result.state, result.stored_count) == (ImportState.DONE, 1)
    [call] = harbour.calls()
    assert call.flags == 8 and call.started_at.year in (1, 9999)
    assert start.encode() in harbour.all(CallRecord)[0].raw
    harbour.check()
