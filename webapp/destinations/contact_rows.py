"""Contacts as a CSV has them: reads each line, tells why one cannot be read, and writes destinations the same way.

The first line names the columns: name, kind, patterns, colour, note, members, in any order; of numbers and people there
are several in a cell, with ";" or a line break between. Knows no database. Used by contact_import.py and csv_views.py.
"""

import codecs
import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple, TextIO

from webapp.csv_out import guard_cell
from webapp.destinations.actions import LONGEST_NAME, LONGEST_NOTE
from webapp.destinations.kind_words import KIND_LABELS, read_colour, read_kind
from webapp.destinations.matching import Pattern
from webapp.destinations.models import DestinationKind
from webapp.destinations.patterns import Plan, read_pattern
from webapp.errors import Refused
from webapp.names import clean_name

MOST_LINES = 100_000
HEADER = ("name", "kind", "patterns", "colour", "note", "members")
_ALSO = {
    "patterns": ("numbers", "number", "phone", "telephone", "extension", "extensions", "pattern", "phone number"),
    "note": ("notes", "comment"),
    "colour": ("color",),
    "members": ("people", "team"),
    "kind": ("type",),
    "name": ("contact", "display name", "full name"),
}
_COLUMNS = {word: name for name in HEADER for word in (name, *_ALSO.get(name, ()))}
_LONGEST_CELL = 20_000
_SAMPLE_BYTES = 64 * 1024
_ZIP = b"PK\x03\x04"
_NO_TEXT = "\N{REPLACEMENT CHARACTER}"


@dataclass(frozen=True)
class Contact:
    """A line that can be read. What the file does not say is None, or empty: it stays as it is."""

    line: int
    name: str
    kind: DestinationKind | None
    patterns: tuple[Pattern, ...]
    colour: int | None
    note: str
    members: tuple[str, ...]
    cells: tuple[str, ...]  #: as they stand


class Heading(NamedTuple):
    """The first line: its cells, and what those mean that are read, by their place."""

    cells: list[str]
    columns: Mapping[int, str]


class BadContact(NamedTuple):
    """A line that cannot be stored, and why."""

    line: int
    reason: str
    cells: tuple[str, ...] = ()  #: as they stand, where they can be told apart


def read_contacts(stream: BinaryIO, plan: Plan) -> Iterator[Contact | BadContact]:
    """Each line beneath the header, one at a time. Raises Refused for a file that is no CSV of contacts."""
    text, delimiter = _open(stream)
    rows = csv.reader(text, delimiter=delimiter)
    columns = _heading(next(_safely(rows), [])).columns
    count, last = 0, rows.line_num
    for row in _safely(rows):
        first, last = last + 1, rows.line_num
        if isinstance(row, str):
            yield BadContact(last, row)
        elif any(cell.strip() for cell in row):
            contact = _read(last, tuple(row), columns, plan)
            yield _tell_span(contact, first) if isinstance(contact, BadContact) and first < last else contact
        else:
            continue
        count += 1
        if count > MOST_LINES:
            raise Refused(f"A file may hold {MOST_LINES:,} contacts. Cut it into several files.")


def read_heading(stream: BinaryIO) -> Heading:
    """Of the same file. Raises Refused like read_contacts()."""
    text, delimiter = _open(stream)
    return _heading(next(_safely(csv.reader(text, delimiter=delimiter)), []))


def _open(stream: BinaryIO) -> tuple[TextIO, str]:
    """Its text, and what stands between its cells."""
    sample = stream.read(_SAMPLE_BYTES)
    if sample.startswith(_ZIP):
        raise Refused("This is a workbook or a packed file. Save the sheet as “CSV UTF-8” and send that.")
    rejoined = _Rejoined(sample, stream)
    text = io.TextIOWrapper(rejoined, _encoding(sample), errors="replace", newline="")  # type: ignore[type-var]
    return text, _delimiter(sample)


def _tell_span(bad: BadContact, first: int) -> BadContact:
    """Of a line with line breaks in it: most often nobody meant them."""
    told = f"{bad.reason} It began in line {first:,}: if it was to end there, a quotation mark is missing."
    return bad._replace(reason=told)


class _Rejoined(io.RawIOBase):
    """What was read to have a look, then the rest."""

    def __init__(self, first: bytes, rest: BinaryIO) -> None:
        super().__init__()
        self._first, self._rest = memoryview(first), rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        if self._first:
            count = min(len(buffer), len(self._first))
            buffer[:count] = self._first[:count]
            self._first = self._first[count:]
            return count
        more = self._rest.read(len(buffer))
        buffer[: len(more)] = more
        return len(more)


def _safely(rows: "Iterator[list[str]]") -> Iterator[list[str] | str]:
    """The rows, with a sentence for one that the csv module cannot read."""
    while True:
        try:
            yield next(rows)
        except StopIteration:
            return
        except csv.Error:
            yield "This line is no line of a CSV file. A quotation mark may be missing."


def _encoding(sample: bytes) -> str:
    """UTF-8, what Excel calls Unicode text, else what it calls CSV on Windows. The sample may end within a letter."""
    if sample.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    try:
        sample[: max(0, len(sample) - 4)].decode("utf-8")
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8-sig"


def _delimiter(sample: bytes) -> str:
    head = sample.split(b"\n", 1)[0]
    return max((",", ";", "\t"), key=lambda each: head.count(each.encode()))


def _heading(header: list[str] | str) -> Heading:
    cells = [] if isinstance(header, str) else header
    named = [_COLUMNS.get(" ".join(cell.split()).casefold(), "") for cell in cells]
    if "name" not in named:
        raise Refused(f"The first line names the columns: {', '.join(HEADER)}. A column “name” has to be there.")
    twice = sorted({word for word in named if word and named.count(word) > 1})
    if twice:
        raise Refused(f"Two columns are called {twice[0]}. Leave one of them out.")
    return Heading(cells, {place: word for place, word in enumerate(named) if word})


def _unguard(cell: str) -> str:
    """A cell as it was before guard_cell() made it safe for a spreadsheet."""
    return cell[1:] if cell.startswith("'") and guard_cell(cell[1:]) == cell else cell


def _read(line: int, row: tuple[str, ...], columns: Mapping[int, str], plan: Plan) -> Contact | BadContact:
    try:
        return _read_cells(line, row, columns, plan)
    except Refused as refusal:
        return BadContact(line, refusal.sentence, row)


def _read_cells(line: int, row: tuple[str, ...], columns: Mapping[int, str], plan: Plan) -> Contact:
    cells = {columns[place]: _unguard(cell) for place, cell in enumerate(row) if place in columns}
    if any(_NO_TEXT in cell or "\0" in cell for cell in cells.values()):
        raise Refused("It holds characters that are no text. Save the file as “CSV UTF-8”.")
    if any(len(cell) > _LONGEST_CELL for cell in cells.values()):
        raise Refused("One of its cells is far too long.")
    name = clean_name(cells.get("name", ""))
    if not 1 <= len(name) <= LONGEST_NAME:
        raise Refused(f"It has no name of at most {LONGEST_NAME} characters.")
    kind_word, colour_word = cells.get("kind", "").strip(), cells.get("colour", "").strip()
    kind, colour = read_kind(kind_word) if kind_word else None, read_colour(colour_word) if colour_word else None
    if kind_word and kind is None:
        raise Refused(f"“{kind_word[:40]}” is no kind. Write one of: {', '.join(KIND_LABELS.values())}.")
    if colour_word and colour is None:
        raise Refused(f"“{colour_word[:40]}” is none of the eight colours.")
    note = cells.get("note", "").strip()
    if len(note) > LONGEST_NOTE:
        raise Refused(f"Its note has more than {LONGEST_NOTE:,} characters.")
    patterns = tuple(dict.fromkeys(read_pattern(word, plan) for word in _words(cells.get("patterns", ""))))
    return Contact(line, name, kind, patterns, colour, note, tuple(_words(cells.get("members", ""))), row)


def _words(cell: str) -> list[str]:
    return [word.strip() for word in cell.replace("\n", ";").split(";") if word.strip()]
