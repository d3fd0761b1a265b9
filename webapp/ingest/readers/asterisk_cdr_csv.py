"""Asterisk's Master.csv, as cdr_csv writes it (16 to 21 columns) and as cdr_custom's shipped mapping does.

Read through `READERS`. Source of the layouts: Asterisk's cdr/cdr_csv.c, cdr.conf.sample and cdr_custom.conf.sample;
FORMATS sections 1 and 2. No header, comma, times in the server's zone unless `usegmtime=yes`.
"""

import re
from collections.abc import Iterator
from datetime import datetime

from webapp.calls.outcomes import Direction
from webapp.ingest.readers.asterisk_legs import RESULTS, CallerIds, Legs, epoch_of, link_ids, queue_name
from webapp.ingest.readers.csv_rows import read_csv_rows, split_line
from webapp.ingest.readers.written_values import (
    NO_TIME,
    RowDigests,
    iso_time,
    not_a_date,
    seconds_between,
    whole_seconds,
)
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
    maker,
)

_parsed = maker(ParsedRecord)
_UNKNOWN = Direction.UNKNOWN  # the format does not say it
_FEWEST, _MOST = 16, 21
_START, _ANSWER, _END, _DURATION, _BILLSEC = 9, 10, 11, 12, 13
_TAIL = 16
_UNIQUEID = re.compile(r"(\w[\w.-]*-)?\d{9,10}\.\d+")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_FREESWITCH = (
    'This row ends in a uuid: FreeSWITCH wrote it with its template "asterisk". Read the file as FreeSWITCH Master.csv.'
)
#: cdr_custom's columns (clid first, accountcode after amaflags) in cdr_csv's order.
_FROM_CLID_FIRST = (15, 1, 2, 3, 0, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 16, 17)
#: The 32-bit range within which the hot path leaves a number of seconds as it stands.
_SANE = range(-(2**31), 2**31)


def read(lines: Iterator[SourceLine | BadLine], options: ReadOptions) -> Iterator[Item]:
    return read_csv_rows(lines, ",", _AsteriskRows().parse)


class _AsteriskRows:
    """Parses the rows of one file; remembers names it has split and rows that may come again."""

    def __init__(self) -> None:
        self._callers = CallerIds().name_and_number
        self._leg_of = Legs().of
        self._digest_of = RowDigests().id_of

    def parse(self, line: SourceLine, fields: list[str]) -> Item:
        if not _FEWEST <= len(fields) <= _MOST:
            return _not_this_many(line, fields)
        answer, end = fields[_ANSWER], fields[_END]
        try:
            started = datetime.fromisoformat(fields[_START])
            answered = datetime.fromisoformat(answer) if answer else None
            ended = datetime.fromisoformat(end) if end else None
        except ValueError:
            return self._unusual(line, fields)
        return self._record(line, fields, started, answered, ended)

    def _record(
        self, line: SourceLine, fields: list[str], started: datetime, answered: datetime | None, ended: datetime | None
    ) -> Item:
        account, src, dst, context, clid, channel, dstchannel, app, data = fields[:_START]
        try:
            duration, billsec = int(fields[_DURATION]), int(fields[_BILLSEC])
        except ValueError:
            duration, billsec = _unusual_seconds(fields, started, answered, ended)
        if duration not in _SANE or billsec not in _SANE:
            duration, billsec = whole_seconds(str(duration)) or 0, whole_seconds(str(billsec)) or 0
        if channel.startswith("Message/"):
            return NotACall(line.number, line.raw, "A text message that Asterisk passed on, not a call.")
        uniqueid, linkedid, sequence = _tail(fields)
        born = epoch_of(uniqueid)
        if born is None and _UUID.fullmatch(uniqueid):
            return BadLine(line.number, line.raw, _FREESWITCH)
        name, number = self._callers(clid)
        leg_id, peer_leg_id, line_name, peer_line, kind, reached = self._leg_of(
            dst, channel, dstchannel, app, data, duration
        )
        disposition = fields[14]
        return _parsed(
            (
                line.number, line.raw,
                f"{uniqueid}/{sequence}" if sequence and uniqueid else self._digest_of(fields),
                link_ids(uniqueid, linkedid, born), leg_id, peer_leg_id, started, answered, ended,
                born if not linkedid or linkedid == uniqueid else None, duration, billsec, kind,
                RESULTS.get(disposition) or RESULTS.get(disposition.strip().upper(), LegResult.UNKNOWN),
                disposition, None, src or number, name, dst, reached, "", line_name, peer_line, context, app,
                queue_name(app, data), account, _UNKNOWN,
            )
        )  # fmt: skip

    def _unusual(self, line: SourceLine, fields: list[str]) -> Item:
        """A row whose times are not plain: the other layout, a header, a database's NULL, or rubbish."""
        if fields[0].strip().lower() in ("accountcode", "clid") and "dst" in fields:
            return NotACall(line.number, line.raw, "A header: the names of the columns.")
        if is_clid_first(fields):
            return self.parse(line, _as_cdr_csv(fields))
        times: list[datetime | None] = []
        for which, column in (("start", _START), ("answer", _ANSWER), ("end", _END)):
            try:
                times.append(iso_time(fields[column].strip()))
            except ValueError:
                return not_a_date(line, which, fields[column])
        started, answered, ended = times
        if started is None:
            return not_a_date(line, "start", fields[_START])
        return self._record(line, fields, started, answered, ended)


def _tail(fields: list[str]) -> tuple[str, str, str]:
    """uniqueid, linkedid and sequence of the columns that cdr.conf adds: [uniqueid] [userfield] [3 newer ones]."""
    count = len(fields)
    linkedid = sequence = ""
    if count >= 19:
        linkedid, sequence = fields[-2], fields[-1]
        count -= 3
    if count == 18:
        return fields[_TAIL], linkedid, sequence
    if count == 17 and _UNIQUEID.fullmatch(fields[_TAIL]):
        return fields[_TAIL], linkedid, sequence
    return "", linkedid, sequence


def _unusual_seconds(
    fields: list[str], started: datetime, answered: datetime | None, ended: datetime | None
) -> tuple[int, int]:
    """Duration and billsec that are no integers: decimals, else worked out from the times, else 0."""
    duration, billsec = whole_seconds(fields[_DURATION]), whole_seconds(fields[_BILLSEC])
    if duration is None:
        duration = seconds_between(started, ended) or 0
    if billsec is None:
        billsec = (seconds_between(answered, ended) or 0) if answered is not None else 0
    return duration, billsec


def _not_this_many(line: SourceLine, fields: list[str]) -> BadLine:
    count = len(fields)
    if count == 3 and fields[0].isdecimal() and len(fields[0]) == 10:
        return BadLine(
            line.number,
            line.raw,
            "This is a row of Asterisk's Simple.csv: start, caller and number only, nothing of how the call ended. "
            "Upload Master.csv, or read this file as generic CSV.",
        )
    columns = "1 column" if count == 1 else f"{count} columns"
    return BadLine(
        line.number, line.raw, f"This row has {columns}; a row of Asterisk's Master.csv has {_FEWEST} to {_MOST}."
    )


def _is_time(text: str) -> bool:
    try:
        return iso_time(text) is not None
    except ValueError:
        return False


def is_clid_first(fields: list[str]) -> bool:
    """cdr_custom's Master.csv: 18 or 19 columns, the times one column further left."""
    return len(fields) in (18, 19) and _is_time(fields[8]) and _is_time(fields[10]) and not _is_time(fields[11])


def _as_cdr_csv(fields: list[str]) -> list[str]:
    """A clid-first row in cdr_csv's order; it has neither peeraccount nor linkedid."""
    row = [fields[column] for column in _FROM_CLID_FIRST]
    return row if len(fields) == 18 else [*row, "", "", fields[18]]


def recognise(head: Head) -> float:
    """The share of rows with the dates of either layout in place; FreeSWITCH's "asterisk" template is left to it."""
    rows = [split_line(text) or [] for text in head.lines[:50]]
    if not rows:
        return 0.0
    fitting = sum(1 for fields in rows if _fits(fields))
    return 0.97 * fitting / len(rows)


def _fits(fields: list[str]) -> bool:
    if not _FEWEST <= len(fields) <= _MOST:
        return False
    if is_clid_first(fields):
        return True
    if len(fields) > _TAIL and _UUID.fullmatch(fields[_TAIL]):
        return False
    return _is_time(fields[_START]) and (_is_time(fields[_END]) or fields[_END] in NO_TIME)


READER = Reader(
    name="asterisk_cdr_csv",
    title="Asterisk Master.csv",
    where=(
        "On the Asterisk server: /var/log/asterisk/cdr-csv/Master.csv (or cdr-custom/Master.csv). "
        "Older calls lie beside it as Master.csv.1, .2.gz and so on."
    ),
    recognise=recognise,
    read=read,
    sign="No header, 16 to 21 columns, and start and end times where Asterisk writes them.",
)
