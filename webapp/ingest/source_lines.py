"""From blocks of UTF-8 (or cp1252) text to rows: line ends, quoted line breaks, lines that are too long.

Called by `source.py` only. The hot path is one pass over `bytes.splitlines()`; everything odd leaves it at once.
"""

import csv
from collections.abc import Iterator

from webapp.ingest.records import BadLine, SourceLine, maker
from webapp.ingest.source_bytes import DamagedHere

MAX_LINE_BYTES = 1024 * 1024
#: What is kept of a line over MAX_LINE_BYTES.
KEPT_OF_LONG_LINE = 2000
MAX_JOINED_LINES = 50
MAX_JOINED_BYTES = 64 * 1024

TOO_LONG = "This line is longer than 1 MiB, which no call record is. Only its beginning is kept here."
#: Readers of formats without quoting (FreeSWITCH) know a line by this reason and read it all the same.
UNBALANCED_QUOTE = (
    'A double quote (") opens on this line and is not closed on it or soon after: '
    "the line was cut off, or a quote inside a field was not doubled."
)

SourceRow = SourceLine | BadLine
_line = maker(SourceLine)


def decode(raw: bytes) -> str:
    """UTF-8, else cp1252: decided a line, because logs hold names as each caller's phone sent them. NULs are left out.

    (PostgreSQL refuses NULs in text; `raw` keeps them.)
    """
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = raw.decode("cp1252", "replace")
    return text.replace("\0", "") if "\0" in text else text


def rows_of(blocks: Iterator[bytes], delimiter: str, usual_delimiters: int, joining: bool) -> Iterator[SourceRow]:
    """The rows of a text, blank lines left out.

    `delimiter` and `usual_delimiters` (how many a plain row has) tell a quoted line break from a stray quote.
    A packed stream that breaks off ends in one BadLine that says so.
    """
    splitter = _RowSplitter(delimiter, usual_delimiters, joining)
    try:
        for lines, newline, first_is_long in _physical_lines(blocks):
            if first_is_long:
                yield from splitter.rows([], newline, final=True)
                yield splitter.too_long(lines.pop(0))
            if newline:
                yield from splitter.rows(lines, newline, final=False)
            else:
                yield from map(_without_end, splitter.rows(lines, b"\n", final=True))
    except _BrokenOff as broken:
        yield from splitter.rows([], b"\n", final=True)
        yield BadLine(splitter.number + 1, broken.unfinished, str(broken))
    else:
        yield from splitter.rows([], b"\n", final=True)


class _BrokenOff(Exception):
    """The packed stream is damaged from here on. `unfinished`: the line that it breaks off in, which is no row."""

    def __init__(self, damage: DamagedHere, unfinished: bytes) -> None:
        super().__init__(str(damage))
        self.unfinished = unfinished


def _without_end(row: SourceRow) -> SourceRow:
    return row._replace(has_end=False) if isinstance(row, SourceLine) else row


def _physical_lines(blocks: Iterator[bytes]) -> Iterator[tuple[list[bytes], bytes, bool]]:
    """Batches of lines, the line end most likely used in the batch, and whether its first line is a cut long one.

    A last line without a line end comes alone, with b"" as its line end. Raises _BrokenOff where the blocks end in
    DamagedHere.
    """
    carry = b""  # an unfinished line; b"...\r" where the next block may begin with its \n
    skipping = False  # carry is the beginning of a line over MAX_LINE_BYTES
    damage: list[DamagedHere] = []
    for block in _until_damage(blocks, damage):
        if skipping and not carry.endswith(b"\r"):
            block = block[_first_line_end(block) :]
        block = carry + block
        lines = block.splitlines()
        carry = b""
        if lines and not block.endswith(b"\n"):
            carry = lines.pop() + (b"\r" if block.endswith(b"\r") else b"")
        if lines:
            if not skipping and len(lines[0]) > MAX_LINE_BYTES:
                lines[0] = lines[0].lstrip(b"\0")  # the hole that copytruncate leaves in a log
            yield lines, _newline_of(block), skipping or len(lines[0]) > MAX_LINE_BYTES
            skipping = False
        if not skipping and len(carry) > MAX_LINE_BYTES:
            carry = carry.lstrip(b"\0")
            skipping = len(carry) > MAX_LINE_BYTES
            if skipping:
                carry = carry[:KEPT_OF_LONG_LINE] + (b"\r" if carry.endswith(b"\r") else b"")
    for error in damage:
        raise _BrokenOff(error, carry[:KEPT_OF_LONG_LINE] if skipping else carry)
    if carry:
        yield [carry.removesuffix(b"\r")], b"\n" if carry.endswith(b"\r") else b"", skipping


def _until_damage(blocks: Iterator[bytes], damage: list[DamagedHere]) -> Iterator[bytes]:
    try:
        yield from blocks
    except DamagedHere as error:
        damage.append(error)


def _first_line_end(block: bytes) -> int:
    ends = [at for at in (block.find(b"\n"), block.find(b"\r")) if at >= 0]
    return min(ends, default=len(block))


def _newline_of(block: bytes) -> bytes:
    if b"\r" not in block:
        return b"\n"
    return b"\r\n" if b"\r\n" in block else b"\r"


class _RowSplitter:
    """Numbers the lines and joins those that a quoted field spans. `number` is that of the last line handed out."""

    def __init__(self, delimiter: str, usual_delimiters: int, joining: bool) -> None:
        self.number = 0
        self._held: list[bytes] = []  # lines from an open quote on, whose end may lie in the next batch
        self._delimiter = delimiter
        self._delimiter_byte = delimiter.encode()
        self._usual_delimiters = usual_delimiters
        self._joining = joining

    def too_long(self, raw: bytes) -> BadLine:
        self.number += 1
        return BadLine(self.number, raw[:KEPT_OF_LONG_LINE], TOO_LONG)

    def rows(self, lines: list[bytes], newline: bytes, *, final: bool) -> Iterator[SourceRow]:
        """Rows of this batch; `final`: no further line belongs to what is held."""
        if self._held:
            lines, self._held = self._held + lines, []
        number, joining, taken = self.number, self._joining, 1
        for index, raw in enumerate(lines):
            if taken > 1:  # this line went into the row above
                taken -= 1
                continue
            if joining and raw.count(b'"') & 1:
                taken = self._lines_in_row(lines, index, final)
                if taken == WAIT:
                    self._held = lines[index:]
                    break
                if taken != 1:
                    self.number = number
                    yield self._odd_row(lines[index : index + max(taken, 1)], newline, taken)
                    number += max(taken, 1)
                    continue
            number += 1
            try:
                text = raw.decode()
            except UnicodeDecodeError:
                text = decode(raw)
            if "\0" in text:
                text = text.replace("\0", "")
            if text and not text.isspace():
                yield _line((number, raw, text, True))
        self.number = number

    def _odd_row(self, lines: list[bytes], newline: bytes, taken: int) -> SourceRow:
        if taken == GIVE_UP:
            return BadLine(self.number + 1, lines[0], UNBALANCED_QUOTE)
        return SourceLine(self.number + 1, newline.join(lines), "\n".join(decode(line) for line in lines))

    def _lines_in_row(self, lines: list[bytes], index: int, final: bool) -> int:
        """How many lines the row at `index` spans, or GIVE_UP, or WAIT for the next batch."""
        first = lines[index]
        if not self._ends_inside_quotes(decode(first)):
            return 1
        opened_late = first.count(self._delimiter_byte) > 0
        size, is_open = len(first), True
        for count, line in enumerate(lines[index + 1 : index + MAX_JOINED_LINES], start=2):
            odd = bool(line.count(b'"') & 1)
            size += len(line)
            if size > MAX_JOINED_BYTES or self._is_whole_row(line, odd, opened_late):
                return GIVE_UP
            is_open ^= odd
            if not is_open:
                joined = "\n".join(decode(part) for part in lines[index : index + count])
                return GIVE_UP if self._ends_inside_quotes(joined) else count
        return GIVE_UP if final or len(lines) - index >= MAX_JOINED_LINES else WAIT

    def _is_whole_row(self, line: bytes, odd: bool, opened_late: bool) -> bool:
        """Is this a row of its own, so that the quote before it is a stray one?

        A line that ends a quoted break holds only the fields that were still missing; a line inside one holds text.
        """
        if self._usual_delimiters < 3 or line.count(self._delimiter_byte) < self._usual_delimiters:
            return False
        return opened_late or not odd

    def _ends_inside_quotes(self, text: str) -> bool:
        """Would a CSV reader ask for another line? (An odd number of quotes is not proof: 5" pipe.)"""
        lines = iter((text, ""))
        try:
            next(csv.reader(lines, delimiter=self._delimiter))
        except csv.Error:
            return False
        return next(lines, None) is None


#: Answers of `_lines_in_row` that are no count.
GIVE_UP = 0
WAIT = -1
