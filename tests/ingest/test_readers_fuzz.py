"""No content makes a reader raise, and no row is lost: as many items as rows, with their numbers in order."""

import io

from hypothesis import given, settings
from hypothesis import strategies as some

from tests.ingest.test_readers import SAMPLES
from webapp.ingest.readers import READERS
from webapp.ingest.readers.column_guess import guess_columns
from webapp.ingest.readers.column_words import COLUMN_NAMES
from webapp.ingest.recognise import recognise
from webapp.ingest.records import BadLine, ColumnMap, Head, NotACall, ParsedRecord, ReadOptions, SourceLine
from webapp.ingest.source import UnreadableFile, open_text

CELLS = some.one_of(
    some.text(max_size=20),
    some.sampled_from(
        [
            *("", "s", '"', '"" <1>', "2026-11-22 12:30:25", "0001-01-01 00:00:00", "9999-12-31 23:59:59", "1e999"),
            *(
                "2026-11-22 12:30:25+23:59",
                "-1",
                "9" * 40,
                "9" * 4400,
                "nan",
                "²",
                "٣",
                "Local/;2",
                "Local/-1;2",
                "Dial",
            ),
            *(
                "PJSIP/201-0001",
                "Local/2@x-1;1",
                "IAX2/&@/&",
                "1795350625.1",
                "99999999999999.1",
                ".",
                "-.",
                "calldate",
            ),
            *(
                "02132a5c-b9b1-4dbf-b79c-bdf408854867",
                "LOSE_RACE",
                "1:99:99",
                "32/13/2026 25:61",
                "12 Foo 2026",
                "Total",
            ),
            *("1/1/1", "0/0/0", "9999999999", "9999999999999", "9999999999999999", "12:60 XM", "-99:99:99", "\ud800"),
        ]
    ),
)
ROWS = some.lists(CELLS, min_size=1, max_size=22)
COLUMN_MAPS = some.builds(
    ColumnMap,
    delimiter=some.sampled_from(",;\t|"),
    has_header=some.booleans(),
    columns=some.dictionaries(some.sampled_from(sorted(COLUMN_NAMES)), some.integers(-2, 22)),
    date_order=some.sampled_from(["ymd", "dmy", "mdy"]),
)


JSON_READERS = {"freeswitch_json", "callbook_json"}  #: of which an object may take many lines, and a line hold many


def check(lines: list[SourceLine | BadLine], columns: ColumnMap) -> None:
    for reader in READERS.values():
        items = list(reader.read(iter(lines), ReadOptions(columns)))
        numbers = [line.number if isinstance(line, SourceLine) else line.line_number for line in lines]
        if reader.name in JSON_READERS:
            told = [item.line_number for item in items]
            assert told == sorted(told) and set(told) <= set(numbers)
        else:
            assert [item.line_number for item in items] == numbers
        for item in items:
            if isinstance(item, ParsedRecord):
                assert all(-(2**31) <= seconds < 2**31 for seconds in (item.duration, item.billsec))
                assert item.pbx_record_id
            else:
                assert isinstance(item, NotACall | BadLine)
                assert item.reason.endswith(".")


@settings(max_examples=300, deadline=None)
@given(rows=some.lists(some.tuples(ROWS, some.sampled_from([",", ";", '","'])), max_size=8), columns=COLUMN_MAPS)
def test_any_cells(rows: list[tuple[list[str], str]], columns: ColumnMap) -> None:
    texts = [f'"{between.join(row)}"' if between == '","' else between.join(row) for row, between in rows]
    check([SourceLine(number, b"", text) for number, text in enumerate(texts, start=1)], columns)
    recognise(Head(tuple(texts)))
    guess_columns(Head(tuple(texts)))


@settings(max_examples=300, deadline=None)
@given(data=some.data(), columns=COLUMN_MAPS)
def test_damaged_samples(data: some.DataObject, columns: ColumnMap) -> None:
    """A real file with a few bytes changed, cut out or put in."""
    content = bytearray(data.draw(some.sampled_from(SAMPLES)).read_bytes()[:3000])
    for _ in range(data.draw(some.integers(1, 4))):
        at = data.draw(some.integers(0, len(content)))
        content[at : at + data.draw(some.integers(0, 30))] = data.draw(some.binary(max_size=10))
    try:
        source = open_text(io.BytesIO(bytes(content)))
    except UnreadableFile:
        return
    recognise(source.head)
    lines = list(source.lines())
    check(lines, columns)
    check(lines, guess_columns(source.head).columns)


@settings(max_examples=300, deadline=None)
@given(content=some.binary(max_size=300))
def test_any_bytes(content: bytes) -> None:
    try:
        lines = list(open_text(io.BytesIO(content)).lines())
    except UnreadableFile:
        return
    check(lines, ColumnMap(",", False, {"started": 0, "caller": 1}, "dmy"))
