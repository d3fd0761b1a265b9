"""Guessing the columns of any CSV, and the many spellings of dates and lengths of time."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from webapp.calls.outcomes import Direction
from webapp.ingest.readers import READERS
from webapp.ingest.readers.column_guess import ColumnGuess, guess_columns
from webapp.ingest.readers.column_words import COLUMN_NAMES, describe_fields, direction_of, plain
from webapp.ingest.readers.written_times import parse_clock, parse_moment, parse_seconds
from webapp.ingest.records import (
    BadLine,
    ColumnMap,
    Head,
    Item,
    LegKind,
    LegResult,
    NotACall,
    ParsedRecord,
    ReadOptions,
    SourceLine,
)

at = datetime.fromisoformat


def guess(text: str) -> ColumnGuess:
    return guess_columns(Head(tuple(text.strip("\n").split("\n"))))


def read(text: str, columns: ColumnMap | None = None) -> list[Item]:
    rows = text.strip("\n").split("\n")
    lines = (SourceLine(number, row.encode(), row) for number, row in enumerate(rows, start=1))
    return list(READERS["generic_csv"].read(lines, ReadOptions(columns or guess(text).columns)))


def record(text: str, columns: ColumnMap | None = None) -> ParsedRecord:
    item = read(text, columns)[-1]
    assert isinstance(item, ParsedRecord)
    return item


@pytest.mark.parametrize(
    ("header", "fields"),
    [
        ("Start Time,From,To,Duration,Status", ["started", "caller", "dialed", "duration", "outcome"]),
        ("calldate,src,dst,billsec,disposition", ["started", "caller", "dialed", "billsec", "outcome"]),
        ("Datum Uhrzeit,Anrufer,Ziel,Dauer,Richtung", ["started", "caller", "dialed", "duration", "direction"]),
        ("Date et heure,Appelant,Appelé,Durée (s),Sens", ["started", "caller", "dialed", "duration", "direction"]),
        ("Fecha y hora,Origen,Destino,Duración,Estado", ["started", "caller", "dialed", "duration", "outcome"]),
        ("Datum/tijd,Van,Naar,Gespreksduur,Richting", ["started", "caller", "dialed", "billsec", "direction"]),
        ("Data e ora,Chiamante,Chiamato,Durata,Esito", ["started", "caller", "dialed", "duration", "outcome"]),
    ],
)
def test_headers_in_six_languages(header: str, fields: list[str]) -> None:
    columns = guess(f"{header}\n2026-11-22 12:30:25,02079460101,201,62,x\n").columns
    assert columns.has_header
    assert columns.columns == {field: number for number, field in enumerate(fields)}


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters(delimiter: str) -> None:
    rows = [["Start", "Caller", "Called"], ["2026-11-22 12:30:25", "02079460101", "201"]]
    found = guess("\n".join(delimiter.join(row) for row in rows))
    assert found.columns.delimiter == delimiter
    assert found.sure


def test_sep_line_and_totals() -> None:
    text = "sep=;\nStart;Caller;Called\n2026-11-22 12:30:25;02079460101;201\nTotals;;1\n"
    assert guess(text).columns.delimiter == ";"
    assert [type(item) for item in read(text)] == [NotACall, NotACall, ParsedRecord, NotACall]


def test_without_header_by_content() -> None:
    found = guess("2026-11-22 12:30:25\t02079460101\t201\t0:00:12\t0:00:05\tanswered\tin\n")
    assert not found.columns.has_header
    assert not found.sure
    assert found.columns.columns == {
        "started": 0,
        "caller": 1,
        "dialed": 2,
        "duration": 3,
        "billsec": 4,
        "outcome": 5,
        "direction": 6,
    }


def test_date_and_time_apart() -> None:
    found = guess("Date,Time,From,To\n22/11/2026,12:30,02079460101,201\n")
    assert found.columns.columns == {"date": 0, "time": 1, "caller": 2, "dialed": 3}
    assert record("Date,Time,From,To\n22/11/2026,12:30,02079460101,201").started == at("2026-11-22 12:30:00")


def test_date_column_that_holds_the_time_too() -> None:
    assert guess("Date,From,To\n22/11/2026 12:30,02079460101,201\n").columns.columns["started"] == 0


@pytest.mark.parametrize(
    ("dates", "order", "sure"),
    [
        (["2026-11-05 10:00", "2026-11-06 10:00"], "ymd", True),
        (["05/11/2026 10:00", "13/11/2026 10:00"], "dmy", True),
        (["11/05/2026 10:00", "11/13/2026 10:00"], "mdy", True),
        (["05.11.2026 10:00", "06.11.2026 10:00"], "dmy", True),
        (["05/11/2026 10:00", "06/11/2026 10:00"], "dmy", False),
        (["13/11/2026 10:00", "11/13/2026 10:00"], "dmy", False),
        (["1795350625", "1795350626"], "ymd", True),
    ],
)
def test_date_order(dates: list[str], order: str, sure: bool) -> None:
    found = guess("Start,From,To\n" + "".join(f"{date},02079460101,201\n" for date in dates))
    assert (found.columns.date_order, found.sure) == (order, sure)
    assert sure == (found.notes == ())


def test_id_column_must_tell_rows_apart() -> None:
    text = "id,Start,From,To\n7,2026-11-22 12:30:25,02079460101,201\n7,2026-11-22 12:31:25,02079460101,201\n"
    assert "id" not in guess(text).columns.columns


def test_no_calls_in_it() -> None:
    assert not guess("hello world\nthis, too\n").sure
    assert guess("").columns.columns == {}


@pytest.mark.parametrize(
    ("text", "order", "moment"),
    [
        ("2026-11-22 12:30:25", "dmy", at("2026-11-22 12:30:25")),
        ("2026-11-22T12:30:25Z", "dmy", datetime(2026, 11, 22, 12, 30, 25, tzinfo=UTC)),
        ("2026-11-22T12:30:25+02:00", "dmy", datetime(2026, 11, 22, 12, 30, 25, tzinfo=timezone(timedelta(hours=2)))),
        ("2026/11/22 12:30", "mdy", at("2026-11-22 12:30:00")),
        ("22/11/2026 12:30:25", "dmy", at("2026-11-22 12:30:25")),
        ("11/22/2026 12:30:25 AM", "mdy", at("2026-11-22 00:30:25")),
        ("11/22/2026, 1:05 p.m.", "mdy", at("2026-11-22 13:05:00")),
        ("22.11.26 09.05", "dmy", at("2026-11-22 09:05:00")),
        ("26-11-22 09:05", "ymd", at("2026-11-22 09:05:00")),
        ("Tue 06/06/2023", "mdy", at("2023-06-06 00:00:00")),
        ("22 Nov 2026 12:30", "mdy", at("2026-11-22 12:30:00")),
        ("Nov 22, 2026 2:30 PM", "dmy", at("2026-11-22 14:30:00")),
        ("22. März 2026 08:00", "dmy", at("2026-03-22 08:00:00")),
        ("20261122123025", "dmy", at("2026-11-22 12:30:25")),
        ("1795350625", "dmy", datetime(2026, 11, 22, 12, 30, 25, tzinfo=UTC)),
        ("1795350625123", "dmy", datetime(2026, 11, 22, 12, 30, 25, 123000, tzinfo=UTC)),
        ("1795350625123456", "dmy", datetime(2026, 11, 22, 12, 30, 25, 123456, tzinfo=UTC)),
        ("22/11/2026 12:30:25 +0100", "dmy", datetime(2026, 11, 22, 12, 30, 25, tzinfo=timezone(timedelta(hours=1)))),
        ("30/02/2026", "dmy", None),
        ("22/11/2026", "mdy", None),
        ("11/22/2026 13:05 PM", "mdy", None),
        ("yesterday", "dmy", None),
        ("", "dmy", None),
        ("9999999999999999", "dmy", datetime(2286, 11, 20, 17, 46, 39, 999999, tzinfo=UTC)),
        ("99999999", "dmy", None),
    ],
)
def test_moments(text: str, order: str, moment: datetime | None) -> None:
    found = parse_moment(text, order)
    assert found == moment
    assert (found is None) or found.tzinfo is not None or moment.tzinfo is None  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        *(("125", 125), ("125.9", 125), ("2,5", 2), ("2:05", 125), ("0:02:05", 125), ("1:00:00.5", 3600)),
        *(("2m 5s", 125), ("1h 2m", 3720), ("125 sec", 125), ("-5", -5), ("-0:05", -5), ("", None), ("abc", None)),
        *(("9" * 30, 2**31 - 1), ("9" * 5000, None), ("1:2:3:4", None)),
    ],
)
def test_lengths(text: str, seconds: int | None) -> None:
    assert parse_seconds(text) == seconds


def test_clock() -> None:
    assert str(parse_clock("2:05 PM")) == "14:05:00"
    assert parse_clock("25:00") is None


@pytest.mark.parametrize(
    ("columns", "cells", "expected"),
    [
        ("duration,billsec", "30,20", (LegResult.ANSWERED, 30, 20, 10)),
        ("duration,billsec", "30,0", (LegResult.NO_ANSWER, 30, 0, None)),
        ("duration", "30", (LegResult.UNKNOWN, 30, 0, None)),
        ("ring,billsec", "10,20", (LegResult.ANSWERED, 30, 20, 10)),
        ("duration,ring,outcome", "30,10,Answered", (LegResult.ANSWERED, 30, 20, 10)),
        ("duration,outcome", "30,USER_BUSY", (LegResult.BUSY, 30, 0, None)),
        ("duration,outcome", "30,16", (LegResult.UNKNOWN, 30, 0, None)),
        ("duration,billsec,outcome", "30,0,16", (LegResult.NO_ANSWER, 30, 0, None)),
        ("duration,billsec,outcome", "30,20,16", (LegResult.ANSWERED, 30, 20, 10)),
        ("duration,outcome", "30,17", (LegResult.BUSY, 30, 0, None)),
        ("duration,outcome", "30,verpasst", (LegResult.NO_ANSWER, 30, 0, None)),
        ("answered,ended", "12:30:35,12:31:00", (LegResult.ANSWERED, 35, 25, 10)),
        ("answered,duration", "yes,30", (LegResult.ANSWERED, 30, 30, None)),
        ("answered,duration", "no,30", (LegResult.NO_ANSWER, 30, 0, None)),
        ("duration", "rubbish", (LegResult.UNKNOWN, 0, 0, None)),
    ],
)
def test_what_the_columns_say(columns: str, cells: str, expected: tuple[LegResult, int, int, int | None]) -> None:
    names = ["started", "caller", *columns.split(",")]
    column_map = ColumnMap(",", False, {name: number for number, name in enumerate(names)}, "ymd")
    found = record(f"2026-11-22 12:30:25,201,{cells}", column_map)
    ring = int((found.answered - found.started).total_seconds()) if found.answered else None
    assert (found.result, found.duration, found.billsec, ring) == expected


def test_answer_after_midnight() -> None:
    column_map = ColumnMap(",", False, {"started": 0, "caller": 1, "answered": 2}, "ymd")
    found = record("2026-11-22 23:59:50,201,00:00:05", column_map)
    assert found.answered == at("2026-11-23 00:00:05")


def test_voicemail_direction_and_ids() -> None:
    text = "Start,Caller,Called,Status,Type,UUID,Call ID\n2026-11-22 12:30:25,201,202,Voicemail,Inbound call,a1,c1\n"
    found = record(text)
    assert (found.kind, found.result, found.direction) == (LegKind.VOICEMAIL, LegResult.ANSWERED, Direction.INBOUND)
    assert (found.pbx_record_id, found.link_ids) == ("a1", ("c1",))


def test_refusals() -> None:
    column_map = ColumnMap(",", True, {"started": 0, "caller": 1}, "dmy")
    items = read("Start,Caller\nyesterday,201\n,201\n22/11/2026 10:00,201\n", column_map)
    assert [type(item) for item in items] == [NotACall, BadLine, BadLine, ParsedRecord]
    assert items[1].reason == (  # type: ignore[union-attr]
        "The start time 'yesterday' is not a date. Expected one like 22/11/2026 12:30:25."
    )
    assert "missing" in items[2].reason  # type: ignore[union-attr]


def test_without_a_column_map_every_row_is_refused() -> None:
    lines = iter([SourceLine(1, b"a", "a")])
    assert [type(item) for item in READERS["generic_csv"].read(lines, ReadOptions())] == [BadLine]


def test_fields_of_the_mapping_page() -> None:
    fields = describe_fields()
    assert {field.name for field in fields} == set(COLUMN_NAMES)
    assert all(field.label and field.hint.endswith((".", "…")) for field in fields)
    for names in COLUMN_NAMES.values():
        assert all(plain(name) == name for name in names)


@pytest.mark.parametrize(
    ("text", "direction"),
    [
        ("Inbound", Direction.INBOUND),
        ("outgoing call", Direction.OUTBOUND),
        ("INTERN", Direction.INTERNAL),
        ("Missed", Direction.INBOUND),
        ("", Direction.UNKNOWN),
        ("1", Direction.UNKNOWN),
    ],
)
def test_directions(text: str, direction: Direction) -> None:
    assert direction_of(text) == direction
