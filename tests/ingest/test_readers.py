"""The readers against real and written files (tests/data/readers/<format>/), and against every sort of bad row."""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from webapp.calls.outcomes import Direction
from webapp.ingest.readers import READERS
from webapp.ingest.readers.asterisk_legs import epoch_of, line_of, link_ids
from webapp.ingest.readers.column_guess import guess_columns
from webapp.ingest.readers.csv_rows import split_line
from webapp.ingest.readers.written_values import TURN_WINDOW_ROWS, RowDigests
from webapp.ingest.records import BadLine, Item, LegKind, LegResult, NotACall, ParsedRecord, ReadOptions, SourceLine
from webapp.ingest.source import open_text

DATA = Path(__file__).parent.parent / "data" / "readers"
SAMPLES = sorted(
    path
    for name in READERS
    for path in DATA.glob(f"{name}/*")
    if path.suffix in (".csv", ".json") and not path.name.endswith(".expected.json")
)


def read_file(path: Path, reader: str) -> list[Item]:
    with path.open("rb") as stream:
        source = open_text(stream)
        columns = guess_columns(source.head).columns if reader == "generic_csv" else None
        return list(READERS[reader].read(source.lines(), ReadOptions(columns)))


def read_rows(reader: str, *rows: str) -> list[Item]:
    lines = (SourceLine(number, row.encode(), row) for number, row in enumerate(rows, start=1))
    return list(READERS[reader].read(lines, ReadOptions()))


def records_of(items: list[Item]) -> list[ParsedRecord]:
    return [item for item in items if isinstance(item, ParsedRecord)]


def shown(record: ParsedRecord) -> dict[str, Any]:
    values: dict[str, Any] = record._asdict()
    until = record.answered
    values |= {
        "started": str(record.started),
        "ring": int((until - record.started).total_seconds()) if until else record.duration,
        "kind": LegKind(record.kind).name,
        "result": LegResult(record.result).name,
        "direction": Direction(record.direction).name,
        "link_ids": list(record.link_ids),
    }
    return values


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_sample(path: Path) -> None:
    expected = json.loads(path.with_name(path.name + ".expected.json").read_text())
    items = read_file(path, path.parent.name)
    records = records_of(items)
    assert [item for item in items if isinstance(item, BadLine)] == []
    assert len(records) == expected.get("rows", len(records))
    reader = expected["reader"]
    assert len(records) == reader["calls"]
    assert len([item for item in items if isinstance(item, NotACall)]) == reader["not_a_call"]
    for which, record in (("first", records[0]), ("last", records[-1])):
        values = shown(record)
        assert {key: values[key] for key in reader.get(which, {})} == reader.get(which, {})
    if "kinds" in reader:
        assert Counter(LegKind(record.kind).name for record in records) == reader["kinds"]
    if "distinct_ids" in reader:
        assert len({record.pbx_record_id for record in records}) == reader["distinct_ids"]
    if path.suffix == ".csv" and path.parent.name != "freeswitch_cdr_csv":  # which quotes nothing as CSV does
        delimiter = ";" if b"sep=;" in path.read_bytes() else ","
        assert len(split_line(records[0].raw.decode("cp1252"), delimiter) or []) == reader["columns"]


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_same_file_gives_same_ids(path: Path) -> None:
    ids = [[record.pbx_record_id for record in records_of(read_file(path, path.parent.name))] for _ in range(2)]
    assert ids[0] == ids[1]
    assert len(set(ids[0])) == len(ids[0])


def test_samples_were_found() -> None:
    assert {path.parent.name for path in SAMPLES} == set(READERS)


# -- Asterisk ---------------------------------------------------------------------------------------------------------

START = "2026-11-22 12:30:25"


def asterisk_row(**values: str) -> str:
    row = {
        "accountcode": "",
        "src": "201",
        "dst": "202",
        "dcontext": "from-internal",
        "clid": "",
        "channel": "PJSIP/201-00000001",
        "dstchannel": "PJSIP/202-00000002",
        "lastapp": "Dial",
        "lastdata": "PJSIP/202,20",
        "start": START,
        "answer": "",
        "end": "2026-11-22 12:30:35",
        "duration": "10",
        "billsec": "0",
        "disposition": "NO ANSWER",
        "amaflags": "3",
        "uniqueid": "1795350625.1",
        "userfield": "",
        "peeraccount": "",
        "linkedid": "",
        "sequence": "",
    }
    row |= values
    return ",".join('"' + value.replace('"', '""') + '"' for value in row.values())


def asterisk(**values: str) -> ParsedRecord:
    (item,) = read_rows("asterisk_cdr_csv", asterisk_row(**values))
    assert isinstance(item, ParsedRecord)
    return item


@pytest.mark.parametrize(
    ("channel", "line"),
    [
        ("IAX2/provider-7502", "IAX2/provider"),
        ("PJSIP/201-0000002a", "PJSIP/201"),
        ("Local/204@phones-00000001;2", "Local/204@phones"),
        ("SIP/trunk-out-00000013", "SIP/trunk-out"),
        ("DAHDI/1-1", "DAHDI/1"),
        ("DAHDI/i1/07700900123-5", "DAHDI/i1"),
        ("TELCHAN/5/1", "TELCHAN/5/1"),
        ("", ""),
    ],
)
def test_line_is_channel_without_suffix(channel: str, line: str) -> None:
    assert line_of(channel) == line


@pytest.mark.parametrize(
    ("dstchannel", "app", "data", "reached"),
    [
        ("Local/205@ctx-00000001;1", "Dial", "Local/205@ctx/n,6", "205"),
        ("Local/FMGL-07700900123#@from-internal-00000001;1", "Dial", "x", "07700900123"),
        ("Local/RG-600-205@from-internal-00000001;1", "Dial", "x", "205"),
        ("PJSIP/601-00000001", "Queue", "600,t", "601"),
        ("IAX2/provider-12207", "Dial", "IAX2/office:x@127.0.0.1/07700900123,10", "07700900123"),
        ("SIP/sip0-00000001", "Dial", "SIP/7001@sip0,,gT", "7001"),
        ("PJSIP/provider-00000001", "Dial", "PJSIP/02079460999@provider", "02079460999"),
        ("PJSIP/trunk-00000001", "Dial", "PJSIP/trunk/sip:02079460999@192.0.2.1,30", "02079460999"),
        ("PJSIP/trunk-00000001", "Dial", "PJSIP/201&PJSIP/07700900124@trunk,30", "07700900124"),
        ("DAHDI/g1-1", "Dial", "DAHDI/g1/07700900125", "07700900125"),
        ("DAHDI/1-1", "Dial", "DAHDI/1", "202"),
        ("PJSIP/reception-00000001", "Dial", "PJSIP/reception,20", "202"),
        ("PJSIP/desk4f-00000001", "Dial", "PJSIP/desk4f/sip:desk4f@acme.example.com", "202"),
        ("", "Dial", "NOT_AVAILABLE", "202"),
        ("", "Dial", "PJSIP/8584,30,tT", "8584"),
        ("", "VoiceMail", "201@default,us", "201"),
        ("", "VoiceMail", "u4100|s", "4100"),
        ("", "VoiceMailMain", "", "202"),
    ],
)
def test_reached(dstchannel: str, app: str, data: str, reached: str) -> None:
    assert asterisk(dstchannel=dstchannel, lastapp=app, lastdata=data).reached == reached


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ({}, LegKind.PHONE),
        ({"dstchannel": "", "lastapp": "Dial"}, LegKind.PHONE),
        ({"dstchannel": "", "lastapp": "VoiceMail"}, LegKind.VOICEMAIL),
        ({"dstchannel": "", "lastapp": "Hangup", "dst": "vmu205"}, LegKind.VOICEMAIL),
        ({"dstchannel": "", "lastapp": "AppDial", "dst": "", "duration": "0"}, LegKind.PLUMBING),
        ({"dstchannel": "", "lastapp": "BackGround", "dst": "s"}, LegKind.SYSTEM),
        ({"dstchannel": "", "lastapp": "Queue", "dst": "700"}, LegKind.SYSTEM),
        ({"dstchannel": "", "lastapp": "Wait", "channel": "Local/202@phones-00000001;2"}, LegKind.PHONE),
        ({"dstchannel": "", "lastapp": "VoiceMail", "channel": "Local/202@phones-00000001;2"}, LegKind.VOICEMAIL),
        ({"dstchannel": "", "lastapp": "Queue", "channel": "Local/700@phones-00000001;2"}, LegKind.SYSTEM),
    ],
)
def test_kind(values: dict[str, str], kind: LegKind) -> None:
    assert asterisk(**values).kind == kind


def test_halves_of_a_local_channel_name_each_other() -> None:
    caller = asterisk(dstchannel="Local/204@phones-00000001;1")
    far = asterisk(channel="Local/204@phones-00000001;2", dstchannel="", lastapp="Wait", dst="9")
    assert caller.peer_leg_id == far.leg_id == "Local/204@phones-00000001"
    assert (far.reached, far.kind) == ("204", LegKind.PHONE)


def test_queue_name_and_text_message() -> None:
    assert asterisk(lastapp="Queue", lastdata="sales,,,,7").queue_name == "sales"
    assert asterisk(lastapp="Queue", lastdata="sales|t").queue_name == "sales"
    (item,) = read_rows("asterisk_cdr_csv", asterisk_row(channel="Message/ast_msg_queue"))
    assert isinstance(item, NotACall)


@pytest.mark.parametrize(
    ("clid", "name", "caller"),
    [
        ('"Tyne Valley Catering" <01914980044>', "Tyne Valley Catering", "01914980044"),
        ('"" <101>', "", "101"),
        ("101", "", "101"),
        ("Ann <101>", "Ann", "101"),
        (r'"Say \"hi\"" <101>', 'Say "hi"', "101"),
        ('"Müller & Söhne" <anonymous>', "Müller & Söhne", "anonymous"),
        ('"unbalanced <101>', '"unbalanced', "101"),
        ("", "", ""),
    ],
)
def test_caller_of_clid(clid: str, name: str, caller: str) -> None:
    record = asterisk(clid=clid, src="")
    assert (record.caller_name, record.caller) == (name, caller)


def test_parallel_rows_share_a_link_up_to_two_seconds_apart() -> None:
    for epoch in range(1795350600, 1795350640):
        for apart in (0, 1, 2):
            one, other = f"{epoch}.7", f"{epoch + apart}.7"
            assert set(link_ids(one, "", epoch_of(one))) & set(link_ids(other, "", epoch_of(other)))
        one, other = f"{epoch}.7", f"{epoch}.8"
        assert not set(link_ids(one, "", epoch_of(one))) & set(link_ids(other, "", epoch_of(other)))


def test_uniqueid_with_system_name() -> None:
    record = asterisk(uniqueid="pbx-1-1795350625.3")
    assert record.epoch == 1795350625
    assert all(link.startswith("pbx-1-3") for link in record.link_ids)


@pytest.mark.parametrize(
    ("linkedid", "epoch"), [("", 1795350625), ("1795350625.1", 1795350625), ("1795350620.9", None)]
)
def test_only_the_first_channel_proves_the_zone(linkedid: str, epoch: int | None) -> None:
    assert asterisk(linkedid=linkedid).epoch == epoch


def test_quoting_changes_no_id() -> None:
    bare = f",201,202,ctx,201,PJSIP/201-1,,Dial,,{START},,{START},0,0,BUSY,3,1795350625.1,"
    quoted = ",".join(f'"{field}"' for field in bare.split(","))
    assert records_of(read_rows("asterisk_cdr_csv", bare))[0].pbx_record_id == (
        records_of(read_rows("asterisk_cdr_csv", quoted))[0].pbx_record_id
    )


def test_identical_rows_take_turns_within_the_window() -> None:
    digests = RowDigests()
    first = digests.id_of(["a", "b"])
    assert digests.id_of(["a", "b"]) == f"{first}/2"
    for number in range(2 * TURN_WINDOW_ROWS):
        digests.id_of([str(number)])
    assert digests.id_of(["a", "b"]) == first


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"start": "yesterday"}, "The start time 'yesterday' is not a date. Expected 2026-11-22 12:30:25."),
        ({"start": ""}, "The start time is missing. Expected 2026-11-22 12:30:25."),
        ({"start": "2026-02-30 10:00:00"}, "The start time '2026-02-30 10:00:00' is not a date."),
        ({"answer": "soon"}, "The answer time 'soon' is not a date."),
        ({"end": "x" * 500}, "The end time 'xxx"),
    ],
)
def test_bad_times_are_refused_with_a_sentence(values: dict[str, str], reason: str) -> None:
    (item,) = read_rows("asterisk_cdr_csv", asterisk_row(**values))
    assert isinstance(item, BadLine)
    assert item.reason.startswith(reason)
    assert len(item.reason) < 200
    assert item.line_number == 1


@pytest.mark.parametrize("row", ["a,b,c", "x", ",".join("a" * 22), '"1498559343","02079460001","201"'])
def test_wrong_number_of_columns(row: str) -> None:
    (item,) = read_rows("asterisk_cdr_csv", row)
    assert isinstance(item, BadLine)
    assert "Master.csv" in item.reason


@pytest.mark.parametrize(
    ("values", "duration", "billsec"),
    [
        ({"duration": "-5"}, -5, 0),
        ({"duration": "99999999"}, 99999999, 0),
        ({"duration": "9" * 30, "billsec": "-" + "9" * 30}, 2**31 - 1, -(2**31)),
        ({"duration": "9" * 5000}, 10, 0),
        ({"duration": "10.73", "billsec": "2.1"}, 10, 2),
        ({"duration": "abc"}, 10, 0),
        ({"duration": "inf", "billsec": "nan", "answer": "2026-11-22 12:30:30"}, 10, 5),
        ({"end": "1970-01-01 00:00:00"}, 10, 0),
        ({"start": "2100-01-01 00:00:00"}, 10, 0),
        ({"answer": "0000-00-00 00:00:00"}, 10, 0),
        ({"start": "2026-11-22 12:30:25+01:00", "duration": "x"}, 0, 0),
    ],
)
def test_absurd_values_stay_records(values: dict[str, str], duration: int, billsec: int) -> None:
    record = asterisk(**values)
    assert (record.duration, record.billsec) == (duration, billsec)


def test_freeswitch_rows_are_refused_loudly() -> None:
    (item,) = read_rows("asterisk_cdr_csv", asterisk_row(uniqueid=UUID, disposition="NORMAL_CLEARING"))
    assert isinstance(item, BadLine)
    assert "FreeSWITCH" in item.reason


def test_header_row_is_no_call() -> None:
    header = (
        "accountcode,src,dst,dcontext,clid,channel,dstchannel,lastapp,lastdata,start,answer,end,duration,billsec,a,b"
    )
    items = read_rows("asterisk_cdr_csv", header, asterisk_row())
    assert [type(item) for item in items] == [NotACall, ParsedRecord]


def test_a_bad_quote_swallows_no_other_row() -> None:
    bad = asterisk_row().replace('"from-internal"', 'x"from,"internal')
    rows = [asterisk_row(sequence=str(number)) for number in range(200)]
    items = read_rows("asterisk_cdr_csv", *rows[:100], bad, *rows[100:])
    assert len(items) == 201
    assert [type(item) for item in items].count(ParsedRecord) == 200
    assert isinstance(items[100], BadLine)


def test_bad_lines_of_the_source_keep_their_place() -> None:
    def lines() -> Iterator[SourceLine | BadLine]:
        yield SourceLine(1, b"", asterisk_row())
        yield BadLine(2, b"x", "too long")
        yield SourceLine(3, b"", asterisk_row())

    for name in READERS:
        assert [type(item) for item in READERS[name].read(lines(), ReadOptions())][1] is BadLine
    items = list(READERS["asterisk_cdr_csv"].read(lines(), ReadOptions()))
    assert [type(item) for item in items] == [ParsedRecord, BadLine, ParsedRecord]


# -- FreePBX ----------------------------------------------------------------------------------------------------------

SHORT_HEADER = "calldate,clid,src,dst,dcontext,channel,dstchannel,lastapp,lastdata,duration,billsec,disposition"


def test_freepbx_without_header() -> None:
    (item,) = read_rows(
        "freepbx_report_csv", f'{START},201,201,202,ctx,PJSIP/201-1,PJSIP/202-2,Dial,"x,20",9,5,ANSWERED'
    )
    assert isinstance(item, BadLine)
    assert "header" in item.reason


def test_freepbx_older_columns_and_wrong_width() -> None:
    row = f'{START},201,201,202,ctx,PJSIP/201-1,PJSIP/202-2,Dial,"x,20",9,5,ANSWERED'
    items = read_rows("freepbx_report_csv", SHORT_HEADER, row, row, row + ",extra", "x" + row)
    assert [type(item) for item in items] == [NotACall, ParsedRecord, ParsedRecord, BadLine, BadLine]
    first, second = records_of(items)
    assert first.answered == datetime.fromisoformat("2026-11-22 12:30:29")
    assert second.pbx_record_id == f"{first.pbx_record_id}/2"
    assert first.link_ids == ()
    assert first.direction == Direction.UNKNOWN


def test_freepbx_at_the_end_of_time() -> None:
    items = read_rows("freepbx_report_csv", SHORT_HEADER, "9999-12-31 23:59:59,1,1,2,c,,,Dial,,99999,5,ANSWERED")
    assert records_of(items)[0].ended is None


# -- FreeSWITCH -------------------------------------------------------------------------------------------------------

UUID = "02132a5c-b9b1-4dbf-b79c-bdf408854867"


def freeswitch_row(name: str = "Ann", cause: str = "NORMAL_CLEARING", answer: str = "", start: str = START) -> str:
    fields = (
        name,
        "201",
        "202",
        "default",
        start,
        answer,
        "2026-11-22 12:30:35",
        "10",
        "0",
        cause,
        UUID,
        "",
        "",
        "",
        "",
    )
    return ",".join(f'"{field}"' for field in fields)


def test_a_phone_that_lost_the_race_is_no_call() -> None:
    (item,) = read_rows("freeswitch_cdr_csv", freeswitch_row(cause="LOSE_RACE", answer=""))
    assert isinstance(item, NotACall) and "Another phone" in item.reason


@pytest.mark.parametrize(
    ("cause", "answer", "result", "q850"),
    [
        ("NORMAL_CLEARING", START, LegResult.ANSWERED, 16),
        ("NORMAL_CLEARING", "", LegResult.NO_ANSWER, 16),
        ("USER_BUSY", "", LegResult.BUSY, 17),
        ("ALLOTTED_TIMEOUT", "", LegResult.NO_ANSWER, None),
        ("ORIGINATOR_CANCEL", "", LegResult.CANCELLED, None),
        ("CALL_REJECTED", "", LegResult.FAILED, 21),
        ("PICKED_OFF", "", LegResult.TAKEN_ELSEWHERE, None),
        ("ATTENDED_TRANSFER", START, LegResult.ANSWERED, None),
        ("SOMETHING_NEW", "", LegResult.FAILED, None),
    ],
)
def test_freeswitch_causes(cause: str, answer: str, result: LegResult, q850: int | None) -> None:
    (item,) = read_rows("freeswitch_cdr_csv", freeswitch_row(cause=cause, answer=answer))
    assert isinstance(item, ParsedRecord)
    assert (item.result, item.hangup_cause, item.disposition) == (result, q850, cause)


@pytest.mark.parametrize("name", ['5" pipe', 'a","b', '","', '"', 'Say "hi", Bob', ",", "a\nb", ""])
def test_freeswitch_escapes_nothing(name: str) -> None:
    (item,) = read_rows("freeswitch_cdr_csv", freeswitch_row(name))
    assert isinstance(item, ParsedRecord)
    assert (item.caller_name, item.caller, item.dialed) == (name, "201", "202")


def test_freeswitch_sql_and_built_in_templates() -> None:
    values = ",".join(freeswitch_row().split(",")[:13])
    items = read_rows(
        "freeswitch_cdr_csv", f"INSERT INTO cdr VALUES ({values});", f"{values};", values.replace('"', "")
    )
    assert [type(item) for item in items] == [ParsedRecord] * 3
    assert {record.pbx_record_id for record in records_of(items)} == {UUID}


def test_freeswitch_refusals() -> None:
    items = read_rows("freeswitch_cdr_csv", "hello", freeswitch_row(start="yesterday"), freeswitch_row(start=""))
    assert [type(item) for item in items] == [BadLine] * 3
    assert "yesterday" in items[1].reason  # type: ignore[union-attr]
    assert "missing" in items[2].reason  # type: ignore[union-attr]
