"""Any CSV of calls, read by a ColumnMap that a person has confirmed (`ReadOptions.columns`).

Read through `READERS`. `column_guess.guess_columns` proposes the map. One row is one call, unless a call id joins rows.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from webapp.ingest.readers.column_guess import guess_columns, separator_of
from webapp.ingest.readers.column_words import TOTALS, direction_of, is_voicemail, plain, result_of_word
from webapp.ingest.readers.csv_rows import read_csv_rows
from webapp.ingest.readers.freeswitch_causes import Q850, result_of
from webapp.ingest.readers.written_times import at_clock, combine, parse_moment, parse_seconds
from webapp.ingest.readers.written_values import RowDigests, seconds_between, shown
from webapp.ingest.records import (
    BadLine,
    ColumnMap,
    Head,
    Item,
    LegKind,
    LegResult,
    NotACall,
    ParsedRecord,
    Reader,
    ReadOptions,
    SourceLine,
)

_EXAMPLES = {"ymd": "2026-11-22 12:30:25", "dmy": "22/11/2026 12:30:25", "mdy": "11/22/2026 12:30:25"}
_CUT_OFF = (
    "The file breaks off in this line, before its last column. Copy the file again, whole, and import that: rows that "
    "are stored already stay as they are."
)
_CAUSE_NAMES = {code: name for name, code in Q850.items()}


def read(lines: Iterator[SourceLine | BadLine], options: ReadOptions) -> Iterator[Item]:
    if options.columns is None:
        return _refuse_all(lines)
    return read_csv_rows(lines, options.columns.delimiter, _GenericRows(options.columns).parse)


def _refuse_all(lines: Iterator[SourceLine | BadLine]) -> Iterator[Item]:
    for line in lines:
        if isinstance(line, BadLine):
            yield line
        else:
            yield BadLine(line.number, line.raw, "Nobody has said yet which column of this file holds what.")


class _GenericRows:
    """Parses the rows of one file by its ColumnMap."""

    def __init__(self, columns: ColumnMap) -> None:
        self._columns = columns.columns
        self._order = columns.date_order
        self._header_is_due = columns.has_header
        self._at_top = True
        self._width = 0  #: of the row before
        self._digest_of = RowDigests().id_of

    def parse(self, line: SourceLine, fields: list[str]) -> Item:
        if self._at_top and separator_of(line.text):
            return NotACall(line.number, line.raw, "Excel's line that names the separator.")
        self._at_top = False
        width, self._width = self._width, len(fields)
        if self._header_is_due:
            self._header_is_due = False
            return NotACall(line.number, line.raw, "A header: the names of the columns.")
        row = _Cells(self._columns, fields)
        if row.text("date"):
            started = combine(row.text("date"), row.text("time"), self._order)
        else:
            started = parse_moment(row.text("started"), self._order)
        if started is None:
            return self._without_start(line, fields, row)
        if not line.has_end and len(fields) < width:
            return BadLine(line.number, line.raw, _CUT_OFF)
        return self._record(line, fields, row, started)

    def _without_start(self, line: SourceLine, fields: list[str], row: "_Cells") -> NotACall | BadLine:
        first = next((field for field in fields if field.strip()), "")
        if plain(first) in TOTALS:
            return NotACall(line.number, line.raw, "A line of totals.")
        written = row.text("started") or f"{row.text('date')} {row.text('time')}".strip()
        if not written:
            return BadLine(line.number, line.raw, "The start time is missing: its column is empty or not in this row.")
        expected = _EXAMPLES.get(self._order, _EXAMPLES["ymd"])
        return BadLine(
            line.number, line.raw, f"The start time {shown(written)} is not a date. Expected one like {expected}."
        )

    def _record(self, line: SourceLine, fields: list[str], row: "_Cells", started: datetime) -> ParsedRecord:
        outcome = row.text("outcome")
        answered, ended = self._time(row.text("answered"), started), self._time(row.text("ended"), started)
        duration, billsec = _lengths(row, started, answered, ended)
        cause = _q850(outcome)
        result, kind = _result(row, cause, answered, billsec), LegKind.PHONE
        if is_voicemail(outcome):
            result, kind = LegResult.ANSWERED, LegKind.VOICEMAIL
        if answered is None and result == LegResult.ANSWERED:
            answered = _answered_at(row, started, duration, billsec)
        if billsec is None:
            billsec = _talk(result, started, answered, duration)
        record_id, call_id = row.text("id"), row.text("call_id")
        return ParsedRecord(
            line.number,
            line.raw,
            record_id or self._digest_of(fields),
            (call_id,) if call_id else (),
            record_id,
            "",
            started,
            answered,
            ended,
            None,
            duration,
            billsec,
            kind,
            result,
            outcome,
            cause,
            row.text("caller"),
            row.text("caller_name"),
            row.text("dialed"),
            row.text("reached") or row.text("dialed"),
            row.text("did"),
            "",
            "",
            "",
            "",
            row.text("queue_name"),
            row.text("account_code"),
            direction_of(row.text("direction")),
        )

    def _time(self, text: str, started: datetime) -> datetime | None:
        """A second time of the row: a date of its own, or a time of day. Cells like "yes" are no time."""
        if not text:
            return None
        moment = parse_moment(text, self._order)
        return moment if moment is not None else at_clock(started, text)


class _Cells:
    """The cells of one row by field name; "" where a field has no column or the row is shorter."""

    def __init__(self, columns: dict[str, int], fields: list[str]) -> None:
        self._columns = columns
        self._fields = fields

    def text(self, name: str) -> str:
        column = self._columns.get(name, -1)
        return self._fields[column].strip() if 0 <= column < len(self._fields) else ""

    def seconds(self, name: str) -> int | None:
        return parse_seconds(self.text(name))


def _lengths(
    row: _Cells, started: datetime, answered: datetime | None, ended: datetime | None
) -> tuple[int, int | None]:
    """Duration and billsec; the first from what else the row says if need be, the second None if it does not say."""
    duration, billsec, ring = row.seconds("duration"), row.seconds("billsec"), row.seconds("ring")
    if billsec is None and answered is not None:
        billsec = seconds_between(answered, ended)
    if duration is None:
        duration = seconds_between(started, ended)
    if duration is None:
        until_answer = ring if ring is not None else seconds_between(started, answered)
        duration = (until_answer or 0) + (billsec or 0)
    return min(duration, 2**31 - 1), billsec


def _result(row: _Cells, cause: int | None, answered: datetime | None, billsec: int | None) -> LegResult:
    """By the outcome's words, its hangup cause, the answer time, the talk time; UNKNOWN where nothing says it."""
    talked = answered is not None or (billsec or 0) > 0
    if cause == Q850["NORMAL_CLEARING"] and not talked and row.seconds("billsec") is None:
        return LegResult.UNKNOWN  # answered calls end so too
    if cause is not None:
        return result_of(_CAUSE_NAMES.get(cause, ""), talked)
    for text in (row.text("outcome"), row.text("answered"), row.text("direction")):
        by_word = result_of_word(text) if text else LegResult.UNKNOWN
        if by_word != LegResult.UNKNOWN:
            return by_word
    if talked:
        return LegResult.ANSWERED
    return LegResult.NO_ANSWER if row.seconds("billsec") == 0 else LegResult.UNKNOWN


def _q850(text: str) -> int | None:
    """A hangup cause written as its Q.850 code or by FreeSWITCH's name for it."""
    if text.isascii() and text.isdecimal() and len(text) <= 3 and 0 < int(text) <= 127:
        return int(text)
    return Q850.get(text.upper()) if "_" in text else None


def _answered_at(row: _Cells, started: datetime, duration: int, billsec: int | None) -> datetime | None:
    ring = row.seconds("ring")
    if ring is None and billsec is not None:
        ring = duration - billsec
    if ring is None or ring < 0:
        return None
    try:
        return started + timedelta(seconds=ring)
    except OverflowError:
        return None


def _talk(result: LegResult, started: datetime, answered: datetime | None, duration: int) -> int:
    """Talk time where no column has it: what is left after the ringing, or all of an answered call."""
    if result != LegResult.ANSWERED:
        return 0
    return max(0, duration - (seconds_between(started, answered) or 0))


def recognise(head: Head) -> float:
    """Never more than a reader that knows its format: 0.4 where every column was plain to see, 0.2 with doubts."""
    guess = guess_columns(head)
    columns = guess.columns.columns
    has_start = "started" in columns or {"date", "time"} <= columns.keys()
    if not has_start or not {"caller", "dialed"} & columns.keys():
        return 0.0
    return 0.4 if guess.sure else 0.2


READER = Reader(
    name="generic_csv",
    title="Other CSV file",
    where="Any table of calls saved as CSV, one row a call. You say once which column holds what.",
    recognise=recognise,
    read=read,
    sign="A table with a column of times and columns of numbers: you say what each holds.",
)
