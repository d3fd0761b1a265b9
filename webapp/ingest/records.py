"""What a reader makes of one line, before anything is looked up or stored.

Made by `readers/`, read by `normalize.py`. Text and times are as the phone system wrote them: no zone applied,
no number interpreted. NamedTuples, because a million of them are made in one import.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple, Protocol, TypeVar

from webapp.calls.outcomes import Direction, LegKind, LegResult

__all__ = [
    "BadLine",
    "ColumnMap",
    "Head",
    "Item",
    "LegKind",
    "LegResult",
    "NotACall",
    "ParsedRecord",
    "ReadOptions",
    "Reader",
    "SourceLine",
    "maker",
]

_Made = TypeVar("_Made", bound=tuple[Any, ...])


def maker(kind: type[_Made]) -> Callable[[tuple[Any, ...]], _Made]:
    """What makes a NamedTuple of the plain tuple of its fields, for the few that are made for every row.

    The class itself and its `_make` do so in Python, which of thirty fields takes two to three times as long.
    """
    return partial(tuple.__new__, kind)


class ParsedRecord(NamedTuple):
    """One row that a phone system wrote.

    `started`, `answered`, `ended` are naive where the file writes local time, aware where it writes a zone.
    `duration` is seconds from start to end with the ringing, `billsec` from answer to end.
    `leg_id` names this record's own leg and `peer_leg_id` the leg that it rang: a record whose `leg_id` is another's
    `peer_leg_id` is the far side of it (Asterisk Local/...;2, FreeSWITCH b leg) and knows better who answered.
    """

    line_number: int  #: 1-based line of the file on which the row begins
    raw: bytes  #: the row as it stands in the file, without its line end
    pbx_record_id: str  #: the phone system's own id of the row, else a digest of its fields and its turn
    link_ids: tuple[str, ...]  #: every id by which the row names its call; empty: the row is a call of its own
    leg_id: str
    peer_leg_id: str
    started: datetime
    answered: datetime | None
    ended: datetime | None
    epoch: int | None  #: UTC seconds of the channel's birth where an id carries it: proves the file's zone
    duration: int
    billsec: int
    kind: LegKind
    result: LegResult
    disposition: str  #: what the phone system said, as it said it
    hangup_cause: int | None  #: Q.850 code
    caller: str  #: number or extension of the calling side, as written
    caller_name: str
    dialed: str  #: digits the caller sent
    reached: str  #: extension or number at the far end as this row shows it, "" if it does not
    did: str  #: the own number the call came in on, where the format has a field for it
    line: str  #: what the caller's channel hangs on, without the per-call suffix: "PJSIP/provider"
    peer_line: str  #: the same for the far end
    context: str
    application: str
    queue_name: str
    account_code: str
    direction: Direction  #: UNKNOWN unless the format itself says it


class NotACall(NamedTuple):
    """A line that is well understood and is no call: a header, a footer, a type row, a text message."""

    line_number: int
    raw: bytes
    reason: str


class BadLine(NamedTuple):
    """A line that could not be read. `reason` is a sentence for the person who uploaded the file."""

    line_number: int
    raw: bytes
    reason: str


Item = ParsedRecord | NotACall | BadLine


class SourceLine(NamedTuple):
    """One row of a text file: a quoted line break inside a field does not end it."""

    number: int
    raw: bytes
    text: str
    has_end: bool = True  #: False for a last row without a line end: the file may have been cut off in it


@dataclass(frozen=True)
class Head:
    """The beginning of a file, for recognising its format: at most the first 200 rows of the first 256 KiB."""

    lines: tuple[str, ...]


@dataclass(frozen=True)
class ColumnMap:
    """How a generic CSV is to be read; saved with the phone system as JSON. Column numbers are 0-based."""

    delimiter: str
    has_header: bool
    columns: dict[str, int]  #: field name of the mapping page -> column
    date_order: str  #: "ymd", "dmy" or "mdy"


@dataclass(frozen=True)
class ReadOptions:
    """What a reader must be told because no file says it."""

    columns: ColumnMap | None = None


class Recognise(Protocol):
    def __call__(self, head: Head, /) -> float: ...


@dataclass(frozen=True)
class Reader:
    """One format. `recognise` gives 0.0 (not) to 1.0 (certainly); `read` streams and never raises on content."""

    name: str  #: stored and scripted: "asterisk_cdr_csv"
    title: str  #: shown: "Asterisk Master.csv"
    where: str  #: where in the phone system the file is found, a sentence or two
    recognise: Recognise
    read: Callable[[Iterator[SourceLine | BadLine], ReadOptions], Iterator[Item]]
    sign: str = ""  #: what gives the format away, in plain words: the reason shown with a guess
