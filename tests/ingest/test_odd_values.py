"""Times and durations that cannot be right: stored and flagged, never lost, never added into totals unmarked."""

import pytest

from tests.ingest.importing import Importing, asterisk_row
from webapp.calls.models import CallRecord, ImportState, RecordFlag
from webapp.calls.outcomes import Outcome


def the_call(harbour: Importing, row: bytes) -> tuple[str, int, int]:
    result = harbour.load(harbour.pbx(), row)
    assert (result.state, result.stored_count, result.refused_count) == (ImportState.DONE, 1, 0)
    [call] = harbour.calls()
    harbour.check()
    return call.started_at.isoformat(), call.talk_seconds, call.flags


def test_a_time_that_the_spring_night_left_out_is_stored_and_flagged(harbour: Importing) -> None:
    row = asterisk_row(unique="", start="2026-03-29 01:30:00", answer="2026-03-29 01:30:08", end="2026-03-29 01:33:20")
    assert the_call(harbour, row) == ("2026-03-29T01:30:00+00:00", 192, RecordFlag.MISSING_HOUR)


def test_the_repeated_hour_of_autumn_is_told_by_the_epoch_of_the_id(harbour: Importing) -> None:
    pbx = harbour.pbx()
    for epoch in (1792888200, 1792891800):  # 00:30 and 01:30 UTC: both are 01:30 in London
        row = asterisk_row(
            unique=f"{epoch}.1", start="2026-10-25 01:30:00", answer="2026-10-25 01:30:08", end="2026-10-25 01:33:20"
        )
        harbour.load(pbx, row)
    first, second = harbour.calls()
    assert (first.started_at.hour, second.started_at.hour) == (0, 1)
    assert first.flags == second.flags == 0
    harbour.check()


def test_without_an_epoch_the_order_of_the_file_tells_it_and_the_call_is_flagged(harbour: Importing) -> None:
    times = ("01:20:00", "01:50:00", "01:10:00", "01:40:00")
    rows = b"".join(
        asterisk_row(
            unique="",
            sequence="",
            start=f"2026-10-25 {time}",
            answer="",
            end="",
            duration=60,
            billsec=0,
            disposition="NO ANSWER",
        )
        for time in times
    )
    harbour.load(harbour.pbx(), rows)
    assert [call.started_at.strftime("%H:%M") for call in harbour.calls()] == ["00:20", "00:50", "01:10", "01:40"]
    assert {call.flags for call in harbour.calls()} == {RecordFlag.REPEATED_HOUR}
    harbour.check()


def test_a_call_over_the_change_of_hours_keeps_its_length(harbour: Importing) -> None:
    row = asterisk_row(
        unique="1792891500.1",
        start="2026-10-25 01:25:00",
        answer="2026-10-25 01:25:10",
        end="2026-10-25 01:55:10",
        duration=1810,
        billsec=1800,
    )
    assert the_call(harbour, row)[1] == 1800


@pytest.mark.parametrize("year", ["1970", "2100"])
def test_an_unlikely_year_is_stored_and_flagged(harbour: Importing, year: str) -> None:
    row = asterisk_row(
        unique="", start=f"{year}-01-02 13:00:00", answer=f"{year}-01-02 13:00:08", end=f"{year}-01-02 13:03:20"
    )
    started, talk, flags = the_call(harbour, row)
    assert started.startswith(year) and talk == 192
    assert flags == RecordFlag.ODD_TIME


@pytest.mark.parametrize(("duration", "billsec"), [(-5, -9), (4_000_000_000, 3_999_999_999), (200_000, 190_000)])
def test_odd_durations_are_kept_in_the_record_and_out_of_talk_time(
    harbour: Importing, duration: int, billsec: int
) -> None:
    _started, talk, flags = the_call(harbour, asterisk_row(duration=duration, billsec=billsec))
    assert (talk, flags) == (0, RecordFlag.ODD_DURATION)
    assert harbour.calls()[0].outcome == Outcome.ANSWERED
    assert str(billsec).encode() in harbour.all(CallRecord)[0].raw


def test_a_name_longer_than_any_is_cut_and_kept_whole_in_the_raw_row(harbour: Importing) -> None:
    row = asterisk_row(name="X" * 3000)
    harbour.load(harbour.pbx(), row)
    [record] = harbour.all(CallRecord)
    assert len(record.caller_name) == 500 and record.raw == row.rstrip(b"\n")


def test_a_nul_in_a_row_is_kept_raw(harbour: Importing) -> None:
    row = asterisk_row(name="Quay\x00side")
    harbour.load(harbour.pbx(), row)
    [record] = harbour.all(CallRecord)
    assert (record.caller_name, record.raw) == ("Quayside", row.rstrip(b"\n"))
