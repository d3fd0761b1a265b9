"""From source lines to CSV fields, in step: one line gives one row, whatever is in it. Called by the CSV readers.

csv.reader asks for another line when a quote is still open, which would let one bad line swallow the next. So lines
go through it in small batches: as many rows as lines proves that none did, and only a batch that fails the proof is
read again line by line. That keeps the whole loop in C for ordinary files.
"""

import csv
from collections.abc import Callable, Iterator
from itertools import islice

from webapp.ingest.records import BadLine, Item, SourceLine

_BATCH_LINES = 64
#: A line may have 1 MiB, and its fields fifty times that: lines so long are split one by one.
_BATCH_BYTES = 256 * 1024

_NO_FIELDS = (
    "The fields of this line cannot be told apart: its quotes are broken, or a field has more than 131,072 letters."
)

Parse = Callable[[SourceLine, list[str]], Item]


def read_csv_rows(lines: Iterator[SourceLine | BadLine], delimiter: str, parse: Parse) -> Iterator[Item]:
    """One item for each line, in order: `parse`d, or the BadLine that was given or that csv makes of it."""
    count = _BATCH_LINES
    while batch := list(islice(lines, count)):
        good = [line for line in batch if type(line) is SourceLine]
        texts = [line.text for line in good]
        are_long = sum(map(len, texts)) > _BATCH_BYTES
        count = 1 if are_long else _BATCH_LINES
        rows = None if are_long else _rows_in_step(texts, delimiter)
        if rows is not None and len(good) == len(batch):
            yield from map(parse, good, rows)
            continue
        for line in batch:
            yield line if isinstance(line, BadLine) else _parse_alone(line, delimiter, parse)


def split_line(text: str, delimiter: str = ",") -> list[str] | None:
    """The fields of one row, or None where csv refuses it."""
    try:
        return next(csv.reader((text,), delimiter=delimiter), [])
    except csv.Error:
        return None


def _rows_in_step(texts: list[str], delimiter: str) -> list[list[str]] | None:
    try:
        rows = list(csv.reader(texts, delimiter=delimiter))
    except csv.Error:
        return None
    return rows if len(rows) == len(texts) else None


def _parse_alone(line: SourceLine, delimiter: str, parse: Parse) -> Item:
    fields = split_line(line.text, delimiter)
    if fields is None:
        return BadLine(line.number, line.raw, _NO_FIELDS)
    return parse(line, fields)
