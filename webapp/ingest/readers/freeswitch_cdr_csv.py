"""FreeSWITCH's Master.csv, as mod_cdr_csv writes it with the templates that it ships, legs a, b or ab.

Read through `READERS`. Source: conf/vanilla/autoload_configs/cdr_csv.conf.xml, FORMATS section 8. Every value stands
in double quotes and nothing is escaped, so a csv reader is wrong here: a row is cut at `","` and a name that holds
quotes or commas is put together again from where the times stand.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from webapp.calls.outcomes import Direction
from webapp.ingest.readers.asterisk_legs import CallerIds, queue_name
from webapp.ingest.readers.csv_rows import split_line
from webapp.ingest.readers.freeswitch_causes import Q850, result_of
from webapp.ingest.readers.written_values import iso_time, not_a_date, seconds_between, whole_seconds
from webapp.ingest.records import (
    BadLine,
    Head,
    Item,
    LegKind,
    NotACall,
    ParsedRecord,
    Reader,
    ReadOptions,
    SourceLine,
)
from webapp.ingest.source_lines import UNBALANCED_QUOTE, decode

_BETWEEN_FIELDS = re.compile(r'"\s*,\s*"')
_SQL = re.compile(r"INSERT INTO \S+ VALUES \((.*)\)", re.IGNORECASE | re.DOTALL)
_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
_CAUSE = re.compile(r"[A-Z_]{4,}")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
#: Numbers by which the shipped dialplan reaches its mailboxes.
_MAILBOX = re.compile(r"voicemail|vmain|\*9[78]|\*99\d+")
_SYSTEM_APPS = frozenset({"playback", "ivr", "callcenter", "echo", "sleep", "park", "fifo", "conference", "hangup"})


class _Row(NamedTuple):
    """The values of one row, whatever template wrote it."""

    caller_name: str
    caller: str
    dialed: str
    context: str
    start: str
    answer: str
    end: str
    duration: str
    billsec: str
    cause: str
    uuid: str
    bleg_uuid: str
    account_code: str
    channel: str = ""
    bridge_channel: str = ""
    application: str = ""
    application_data: str = ""


def read(lines: Iterator[SourceLine | BadLine], options: ReadOptions) -> Iterator[Item]:
    callers = CallerIds()
    for line in lines:
        if isinstance(line, SourceLine):
            yield _item(line, callers)
        elif line.reason == UNBALANCED_QUOTE:  # no fault in a format that escapes nothing
            yield _item(SourceLine(line.line_number, line.raw, decode(line.raw)), callers)
        else:
            yield line


def _item(line: SourceLine, callers: CallerIds) -> Item:
    row = _row(line.text, callers)
    if row is None:
        return BadLine(
            line.number,
            line.raw,
            "This row fits none of FreeSWITCH's shipped CSV templates: "
            "no start time, end time and uuid stand where these have them.",
        )
    if not row.uuid:
        return BadLine(line.number, line.raw, "This row has no uuid, so it cannot be told from other rows.")
    times: list[datetime | None] = []
    for which, text in (("start", row.start), ("answer", row.answer), ("end", row.end)):
        try:
            times.append(iso_time(text))
        except ValueError:
            return not_a_date(line, which, text)
    started, answered, ended = times
    if started is None:
        return not_a_date(line, "start", row.start)
    if row.context == "message" or row.channel.startswith("message/"):
        return NotACall(line.number, line.raw, "A text message, not a call.")
    if row.cause == "LOSE_RACE":
        # No other row names it: kept, it would be a missed call of its own.
        return NotACall(line.number, line.raw, "Another phone of the group answered this call.")
    return _record(line, row, started, answered, ended)


def _record(
    line: SourceLine, row: _Row, started: datetime, answered: datetime | None, ended: datetime | None
) -> ParsedRecord:
    duration, billsec = whole_seconds(row.duration), whole_seconds(row.billsec)
    if duration is None:
        duration = seconds_between(started, ended) or 0
    if billsec is None:
        billsec = (seconds_between(answered, ended) or 0) if answered is not None else 0
    return ParsedRecord(
        line.number,
        line.raw,
        row.uuid,
        (row.uuid, row.bleg_uuid) if row.bleg_uuid else (row.uuid,),
        row.uuid,
        row.bleg_uuid,
        started,
        answered,
        ended,
        None,
        duration,
        billsec,
        _kind(row),
        result_of(row.cause, answered is not None or billsec > 0),
        row.cause,
        Q850.get(row.cause),
        row.caller,
        row.caller_name,
        row.dialed,
        row.dialed,
        "",
        _line_of(row.channel),
        _line_of(row.bridge_channel),
        row.context,
        row.application,
        queue_name("Queue", row.application_data) if row.application == "callcenter" else "",
        row.account_code,
        Direction.UNKNOWN,
    )


def _kind(row: _Row) -> LegKind:
    if row.application == "voicemail" or _MAILBOX.fullmatch(row.dialed):
        return LegKind.VOICEMAIL
    if row.application in _SYSTEM_APPS and not row.bridge_channel:
        return LegKind.SYSTEM
    return LegKind.PHONE


def _line_of(channel: str) -> str:
    """ "sofia/external/07700900123@192.0.2.1" -> "sofia/external": what is left changes with every call."""
    return "/".join(channel.split("/")[:2])


def _row(text: str, callers: CallerIds) -> _Row | None:
    fields = _fields(text)
    for at in range(4, len(fields) - 7):
        if _TIME.fullmatch(fields[at]) and _UUID.fullmatch(fields[at + 6]) and _time_or_empty(fields[at + 2]):
            return _example_row(fields, at)
    for at in range(9, len(fields) - 7):
        if _TIME.fullmatch(fields[at]) and _UUID.fullmatch(fields[at + 7]) and _time_or_empty(fields[at + 2]):
            return _asterisk_row(fields, at, callers)
    # Rows whose start time is rubbish: read by position, so that the message can name the time.
    if len(fields) in (13, 15, 17, 20) and _UUID.fullmatch(fields[10]):
        return _example_row(fields, 4)
    if len(fields) == 18 and _UUID.fullmatch(fields[16]):
        return _asterisk_row(fields, 9, callers)
    return None


def _time_or_empty(text: str) -> bool:
    return not text or _TIME.fullmatch(text) is not None


def _fields(text: str) -> list[str]:
    text = text.strip().removesuffix(";").rstrip()  # the built-in template ends in ";"
    if text[:6].upper() == "INSERT" and (statement := _SQL.fullmatch(text)) is not None:
        text = statement[1].strip()
    if len(text) < 2 or not (text.startswith('"') and text.endswith('"')):
        return split_line(text) or []  # a tool has rewritten the file and dropped the quotes
    return _BETWEEN_FIELDS.split(text[1:-1])


def _example_row(fields: list[str], at: int) -> _Row:
    """Templates example, snom, linksys and sql; `at` is the column of the start time, 4 unless a name was cut up."""
    caller, dialed, context, start, answer, end, duration, billsec, cause, uuid, bleg_uuid = fields[at - 3 : at + 8]
    return _Row(
        *('","'.join(fields[: at - 3]), caller, dialed, context, start, answer, end, duration, billsec, cause, uuid),
        *(bleg_uuid, fields[at + 8] if len(fields) > at + 8 else ""),
    )


def _asterisk_row(fields: list[str], at: int, callers: CallerIds) -> _Row:
    """Template asterisk; its caller_id, `"Name" <number>` in the fifth column, is what may have been cut up."""
    name, number = callers.name_and_number('","'.join(fields[4 : at - 4]))
    account, caller, dialed, context = fields[:4]
    channel, bridge_channel, application, data = fields[at - 4 : at]
    start, answer, end, duration, billsec, cause, _amaflags, uuid = fields[at : at + 8]
    return _Row(
        *(name, caller or number, dialed, context, start, answer, end, duration, billsec, cause, uuid, "", account),
        *(channel, bridge_channel, application, data),
    )


def recognise(head: Head) -> float:
    """The share of rows with start, end, an upper-case cause and a uuid where a shipped template has them."""
    callers = CallerIds()
    rows = [_row(text, callers) for text in head.lines[:50]]
    fitting = sum(1 for row in rows if row and _TIME.fullmatch(row.start) and _CAUSE.fullmatch(row.cause))
    return 0.97 * fitting / len(rows) if rows else 0.0


READER = Reader(
    name="freeswitch_cdr_csv",
    title="FreeSWITCH Master.csv",
    where=(
        "On the FreeSWITCH server: log/cdr-csv/Master.csv under its folder, often "
        "/var/log/freeswitch/cdr-csv/Master.csv. Older calls lie beside it as Master.csv.<date>."
    ),
    recognise=recognise,
    read=read,
    sign="Quoted columns with start and end times, a hangup cause in capitals and a uuid where FreeSWITCH writes them.",
)
