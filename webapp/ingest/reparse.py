"""Reads stored raw rows again: with other settings, or an older version of a record. Used by regrouping jobs."""

from collections.abc import Sequence
from typing import NamedTuple

from webapp.ingest.import_plan import header_row, read_column_map
from webapp.ingest.normalize import Normalizer, NormalRecord
from webapp.ingest.readers import READERS
from webapp.ingest.records import BadLine, NotACall, ReadOptions, SourceLine
from webapp.ingest.source_lines import decode


class RawRow(NamedTuple):
    """A stored row with the keys that it keeps."""

    record_key: int
    id_hash: int
    content_hash: int
    link_keys: tuple[int, ...]
    line_number: int
    raw: bytes
    started_at: int | None = None  #: as it is stored; None for another version of the row


class FileForm(NamedTuple):
    """How the rows of one import are read; its zone may be another than the phone system's."""

    format: str
    column_map: str | None
    header: bytes | None
    time_zone: str


def reparse(
    rows: Sequence[RawRow], form: FileForm, normalizer: Normalizer, *, keep_links: bool = True
) -> list[NormalRecord]:
    """The rows as records again, in their order. A row that its reader no longer takes is left out, as it is.

    `keep_links=False` for another version of a row: it may have named its call by other ids.
    """
    reader = READERS.get(form.format)
    if reader is None:
        return []
    head = header_row(form.header)
    sources = [*head, *(SourceLine(row.line_number, row.raw, decode(row.raw)) for row in rows)]
    items = list(reader.read(iter(sources), ReadOptions(read_column_map(form.column_map))))[len(head) :]
    records = []
    for row, item in zip(rows, items, strict=False):
        if isinstance(item, BadLine | NotACall):
            continue
        record = normalizer.normalize(item, row.started_at)
        record = record._replace(record_key=row.record_key, id_hash=row.id_hash, content_hash=row.content_hash)
        records.append(record._replace(link_keys=row.link_keys) if keep_links else record)
    return records
