"""Callbook's own JSON, for phone systems and scripts that push calls in no format that we know: docs/use.md has it.

Read through `READERS`. One object is one call, or one leg of it where several name the same `call_id`.
"""

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

from webapp.calls.outcomes import Direction
from webapp.ingest.readers.json_rows import JsonRow, json_rows
from webapp.ingest.readers.written_values import iso_time, seconds_between, shown, whole_seconds
from webapp.ingest.records import (
    BadLine,
    Head,
    Item,
    LegKind,
    LegResult,
    ParsedRecord,
    Reader,
    ReadOptions,
    SourceLine,
)

_LARGEST_EPOCH = 100_000_000_000  #: seconds, in the year 5138; what is larger counts milliseconds
_DIRECTIONS = {direction.word: direction for direction in Direction}
_OUTCOMES = {
    "answered": (LegKind.PHONE, LegResult.ANSWERED),
    "voicemail": (LegKind.VOICEMAIL, LegResult.ANSWERED),
    "menu": (LegKind.SYSTEM, LegResult.ANSWERED),
    "no_answer": (LegKind.PHONE, LegResult.NO_ANSWER),
    "busy": (LegKind.PHONE, LegResult.BUSY),
    "cancelled": (LegKind.PHONE, LegResult.CANCELLED),
    "failed": (LegKind.PHONE, LegResult.FAILED),
    "elsewhere": (LegKind.PHONE, LegResult.TAKEN_ELSEWHERE),
    "unknown": (LegKind.PHONE, LegResult.UNKNOWN),
}


class _Fault(Exception):
    """`str(fault)` is a sentence for the person who reads the refused lines."""


class _Times(NamedTuple):
    started: datetime
    answered: datetime | None
    ended: datetime | None


def read(lines: Iterator[SourceLine | BadLine], options: ReadOptions) -> Iterator[Item]:
    for row in json_rows(lines):
        if row.problem:
            yield BadLine(row.line_number, row.raw, row.problem)
            continue
        try:
            yield _record(row)
        except _Fault as fault:
            yield BadLine(row.line_number, row.raw, str(fault))


def _record(row: JsonRow) -> ParsedRecord:
    call = row.value
    record_id = _text(call, "id")
    if not record_id:
        raise _Fault("This call has no id. Give each call one that it alone has, so that it is not counted twice.")
    times = _times(call)
    answered = times.answered is not None
    outcome = _word(call, "outcome", _OUTCOMES, "answered" if answered else "no_answer")
    kind, result = _OUTCOMES[outcome]
    dialed = _text(call, "to")
    return ParsedRecord(
        row.line_number,
        row.raw,
        record_id,
        (_text(call, "call_id") or record_id,),
        record_id,
        _text(call, "rang_id"),
        *times,
        None,
        _seconds(call, "duration_seconds", times.started, times.ended),
        _seconds(call, "talk_seconds", times.answered, times.ended),
        kind,
        result,
        outcome,
        whole_seconds(_text(call, "hangup_cause")),
        _text(call, "from"),
        _text(call, "from_name"),
        dialed,
        _text(call, "answered_by") or dialed,
        _text(call, "did"),
        _text(call, "line"),
        "",
        "",
        "",
        _text(call, "queue"),
        _text(call, "account_code"),
        _DIRECTIONS[_word(call, "direction", _DIRECTIONS, "unknown")],
    )


def _times(call: dict[str, Any]) -> _Times:
    started, answered, ended = (_time(call, name) for name in ("started_at", "answered_at", "ended_at"))
    if started is None:
        raise _Fault("This call does not say when it began: started_at is missing.")
    return _Times(started, answered, ended)


def _time(call: dict[str, Any], name: str) -> datetime | None:
    """ISO 8601, with or without its offset, or seconds or milliseconds since 1970."""
    value = call.get(name)
    if value is None or value is False or value == 0:
        return None
    try:
        if isinstance(value, int | float):
            return datetime.fromtimestamp(value if abs(value) < _LARGEST_EPOCH else value / 1000, UTC)
        return iso_time(_text(call, name))
    except (ValueError, OverflowError, OSError):
        raise _Fault(f"{name} is {shown(str(value))}, which is no time. Expected 2026-11-22T12:30:25+01:00.") from None


def _seconds(call: dict[str, Any], name: str, start: datetime | None, end: datetime | None) -> int:
    told = whole_seconds(_text(call, name))
    if told is not None:
        return told
    return (seconds_between(start, end) or 0) if start is not None else 0


def _word(call: dict[str, Any], name: str, known: dict[str, Any], otherwise: str) -> str:
    word = _text(call, name).lower() or otherwise
    if word not in known:
        raise _Fault(f"{name} is {shown(word)}. It can be {', '.join(known)}.")
    return word


def _text(call: dict[str, Any], name: str) -> str:
    """A value as text, "" where there is none. Numbers of telephones may come as JSON numbers."""
    value = call.get(name)
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    if isinstance(value, float):
        return str(int(value)) if math.isfinite(value) and value == int(value) else str(value)
    return str(value) if abs(value) < 10**40 else ""


def recognise(head: Head) -> float:
    text = "\n".join(head.lines[:50])
    return 0.96 if text.lstrip()[:1] in ("{", "[") and '"started_at"' in text and '"variables"' not in text else 0.0


READER = Reader(
    name="callbook_json",
    title="Callbook JSON",
    where="Written by a script of your own: one JSON object a call, as the documentation describes.",
    recognise=recognise,
    read=read,
    sign="JSON objects with an id and a started_at, as Callbook's documentation describes them.",
)
