"""The first calls of a file as they would be stored, without storing anything; and what its ids say of its zone.

Called by the import page and by reread.compare.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import NamedTuple
from zoneinfo import ZoneInfo

from webapp.calls.models import CallerReason
from webapp.calls.outcomes import Direction, Outcome
from webapp.clock import from_ms
from webapp.ingest.assembly import CallDraft, assemble
from webapp.ingest.normalize import Normalizer
from webapp.ingest.numbers import Identity, NumberPlan
from webapp.ingest.readers import READERS
from webapp.ingest.recognise import Guess, recognise
from webapp.ingest.records import BadLine, ColumnMap, Item, NotACall, ParsedRecord, ReadOptions
from webapp.ingest.settings import PbxSettings
from webapp.ingest.source import open_text
from webapp.ingest.source_bytes import ByteStream
from webapp.ingest.writer import group_by_links

ROWS_LOOKED_AT = 2000
_BYTES_LOOKED_AT = 4 * 1024 * 1024
_QUARTER = 900


class PreviewCall(NamedTuple):
    """A call as it would be stored. Numbers are E.164, or digits as written; instants UTC."""

    started_at: datetime
    direction: Direction
    outcome: Outcome
    caller: str
    caller_name: str
    caller_reason: CallerReason
    reached: str
    ring_seconds: int
    talk_seconds: int
    record_count: int
    flags: int


class ZoneProof(NamedTuple):
    """What epochs in the ids say of the file's local times."""

    offset_seconds: int  #: local minus UTC, of most rows
    rows: int
    fits: bool  #: whether the chosen zone has that offset then


class Preview(NamedTuple):
    """What is known of a file before it is imported. `first_rows` are parsed rows for the guesses."""

    guesses: list[Guess]
    reader_name: str | None
    calls: list[PreviewCall]
    bad_lines: list[BadLine]
    rows_looked_at: int
    records: int
    zone_proof: ZoneProof | None
    first_rows: list[ParsedRecord]


def preview_file(
    stream: ByteStream,
    settings: PbxSettings,
    number_key: bytes,
    reader_name: str | None = None,
    columns: ColumnMap | None = None,
    most: int = 20,
) -> Preview:
    """Look at the head of a file. Raises UnreadableFile with a sentence for the person who uploaded it."""
    source = open_text(stream)
    guesses = recognise(source.head)
    name = reader_name or (guesses[0].reader if guesses else None)
    if name is None or name not in READERS or (name == "generic_csv" and columns is None):
        return Preview(guesses, name, [], [], 0, 0, None, [])
    items = _first(READERS[name].read(source.lines(), ReadOptions(columns)))
    bad = [item for item in items if isinstance(item, BadLine)]
    rows = [item for item in items if not isinstance(item, BadLine | NotACall)]
    plan = NumberPlan(settings)
    normalizer = Normalizer(settings, number_key, plan)
    records = [normalizer.normalize(row) for row in rows]
    groups = group_by_links(records)
    calls = [preview_call(assemble(group, plan)) for group in groups[:most]]
    return Preview(guesses, name, calls, bad[:most], len(items), len(rows), zone_proof(rows, settings.time_zone), rows)


def _first(items: Iterator[Item]) -> list[Item]:
    """Rows to look at: so many, or so much of them where they are endless."""
    found, size = [], 0
    for item in islice(items, ROWS_LOOKED_AT):
        found.append(item)
        size += len(item.raw)
        if size > _BYTES_LOOKED_AT:
            break
    return found


def preview_call(draft: CallDraft) -> PreviewCall:
    return PreviewCall(
        from_ms(draft.started_at),
        draft.direction,
        draft.outcome,
        _shown(draft.caller),
        draft.caller_name,
        draft.caller_reason,
        _shown(draft.callee),
        draft.ring_seconds,
        draft.talk_seconds,
        draft.record_count,
        draft.flags,
    )


def _shown(identity: Identity | None) -> str:
    return "" if identity is None else identity.e164 or identity.digits


def zone_proof(rows: list[ParsedRecord], time_zone: str) -> ZoneProof | None:
    """Compare local starts with the epochs that ids carry; None where no row has one."""
    zone = ZoneInfo(time_zone)
    offsets: Counter[int] = Counter()
    fitting = 0
    for row in rows:
        if row.epoch is None or row.started.tzinfo is not None or not 0 < row.epoch < 1 << 33:
            continue
        as_if_utc = int((row.started - datetime(1970, 1, 1)).total_seconds())  # noqa: DTZ001 - both are naive
        offset = round((as_if_utc - row.epoch) / _QUARTER) * _QUARTER
        offsets[offset] += 1
        actual = row.started.replace(tzinfo=zone).utcoffset()
        fitting += actual is not None and abs(actual.total_seconds() - offset) < _QUARTER
    if not offsets:
        return None
    rows_with_epoch = sum(offsets.values())
    return ZoneProof(offsets.most_common(1)[0][0], rows_with_epoch, fitting * 10 >= rows_with_epoch * 8)
