"""The CSV that FreePBX's page Reports > CDR exports: a header, then PHP's fputcsv, newest call first.

Read through `READERS`. Columns are found by their names, so older modules (without the last three) and CSV exports of
the `asteriskcdrdb.cdr` table are read as well. Source: FORMATS section 4, the export code of the FreePBX cdr module.
"""

import csv
from collections.abc import Iterator
from datetime import datetime, timedelta

from webapp.calls.outcomes import Direction
from webapp.ingest.readers.asterisk_legs import RESULTS, CallerIds, Legs, epoch_of, link_ids, queue_name
from webapp.ingest.readers.csv_rows import read_csv_rows, split_line
from webapp.ingest.readers.written_values import RowDigests, iso_time, not_a_date, seconds_between, whole_seconds
from webapp.ingest.records import (
    BadLine,
    Head,
    Item,
    LegResult,
    NotACall,
    ParsedRecord,
    Reader,
    ReadOptions,
    SourceLine,
)

_REQUIRED = frozenset({"calldate", "src", "dst", "duration", "disposition"})
_USED = (
    *("src", "dst", "dcontext", "clid", "channel", "dstchannel", "lastapp", "lastdata", "disposition", "accountcode"),
    *("uniqueid", "did", "cnum", "cnam", "linkedid", "sequence", "duration", "billsec", "answer", "end"),
)


def read(lines: Iterator[SourceLine | BadLine], options: ReadOptions) -> Iterator[Item]:
    return read_csv_rows(lines, ",", _FreepbxRows().parse)


class _FreepbxRows:
    """Parses the rows of one file, the columns of which its header names."""

    def __init__(self) -> None:
        self._columns: dict[str, int] = {}
        self._width = 0
        self._callers = CallerIds().name_and_number
        self._leg_of = Legs().of
        self._digest_of = RowDigests().id_of

    def parse(self, line: SourceLine, fields: list[str]) -> Item:
        names = _header(fields)
        if names:
            self._columns, self._width = names, len(fields)
            return NotACall(line.number, line.raw, "A header: the names of the columns.")
        if not self._columns:
            return BadLine(
                line.number,
                line.raw,
                "No header stands before this row. The first line of a FreePBX report begins calldate,clid,src,dst.",
            )
        if len(fields) != self._width:
            fields = _unescaped(line.text)
        if len(fields) != self._width:
            return BadLine(line.number, line.raw, f"This row has {len(fields)} columns; its header has {self._width}.")
        written = fields[self._columns["calldate"]]
        try:
            started = iso_time(written)
        except ValueError:
            started = None
        if started is None:
            return not_a_date(line, "start", written)
        return self._record(line, fields, started)

    def _record(self, line: SourceLine, fields: list[str], started: datetime) -> Item:
        columns = self._columns
        cells = [fields[columns[name]] if name in columns else "" for name in _USED]
        src, dst, context, clid, channel, dstchannel, app, data, disposition, account = cells[:10]
        uniqueid, did, cnum, cnam, linkedid, sequence, duration_text, billsec_text, answer, end = cells[10:]
        if channel.startswith("Message/"):
            return NotACall(line.number, line.raw, "A text message that Asterisk passed on, not a call.")
        result = RESULTS.get(disposition.strip().upper(), LegResult.UNKNOWN)
        duration, billsec = whole_seconds(duration_text) or 0, whole_seconds(billsec_text) or 0
        answered = _time_or_none(answer)
        if answered is None and result == LegResult.ANSWERED:
            answered = _later(started, duration - billsec)
        born = epoch_of(uniqueid)
        name, number = self._callers(clid)
        leg = self._leg_of(dst, channel, dstchannel, app, data, duration)
        return ParsedRecord(
            line.number,
            line.raw,
            f"{uniqueid}/{sequence}" if sequence and uniqueid else self._digest_of(fields),
            link_ids(uniqueid, linkedid, born),
            leg.leg_id,
            leg.peer_leg_id,
            started,
            answered,
            _time_or_none(end) or _later(started, duration),
            born if not linkedid or linkedid == uniqueid else None,
            duration,
            billsec,
            leg.kind,
            result,
            disposition,
            None,
            src or cnum or number,
            cnam or name,
            dst,
            leg.reached,
            did,
            leg.line,
            leg.peer_line,
            context,
            app,
            queue_name(app, data),
            account,
            Direction.INBOUND if did else Direction.UNKNOWN,
        )


def _header(fields: list[str]) -> dict[str, int]:
    """Column of each name where the row is a header, else nothing."""
    if len(fields) < len(_REQUIRED) or "calldate" not in (names := [field.strip().lower() for field in fields]):
        return {}
    return {name: column for column, name in enumerate(names)} if set(names) >= _REQUIRED else {}


def _unescaped(text: str) -> list[str]:
    """The fields where a backslash stands before a quote: PHP's fputcsv then does not double the quote."""
    try:
        return next(csv.reader((text,), escapechar="\\"), [])
    except csv.Error:
        return []


def _time_or_none(text: str) -> datetime | None:
    """A time of the optional columns; what cannot be read there leaves the row a call."""
    try:
        return iso_time(text)
    except ValueError:
        return None


def _later(started: datetime, seconds: int) -> datetime | None:
    try:
        later = started + timedelta(seconds=seconds)
    except OverflowError:
        return None
    return later if seconds_between(started, later) is not None else None


def recognise(head: Head) -> float:
    """The header decides; the report's own begins calldate,clid,src, an export of the table may order otherwise."""
    for text in head.lines[:3]:
        if _header(fields := split_line(text) or []):
            return 0.99 if [field.lower() for field in fields[:3]] == ["calldate", "clid", "src"] else 0.9
    return 0.0


READER = Reader(
    name="freepbx_report_csv",
    title="FreePBX CDR report",
    where=(
        "In FreePBX: Reports > CDR Reports, choose the days, raise the result limit (it is 100 unless changed), "
        "tick CSV File and press Search."
    ),
    recognise=recognise,
    read=read,
    sign="The header names calldate, src, dst and the other columns of FreePBX's report.",
)
