"""From an uploaded file to rows of text: packing, encoding, line ends and quoted line breaks are settled here.

`open_text` is called by the import job, the preview and the command line; `head_of` by whoever has only some bytes.
Readers then see `SourceLine`s and nothing of bytes. Limits and what is refused: `source_bytes.py`, `source_lines.py`.
"""

import io
from collections.abc import Iterator
from itertools import chain

from webapp.ingest.records import BadLine, Head, SourceLine
from webapp.ingest.source_bytes import (
    GZIP_MAGIC,
    ByteStream,
    CountedBlocks,
    DamagedHere,
    UnreadableFile,
    as_utf8,
    gunzip,
    refuse_binary,
    refuse_what_is_no_text,
    utf16_order,
)
from webapp.ingest.source_lines import UNBALANCED_QUOTE, decode, rows_of

__all__ = ["TextSource", "UnreadableFile", "head_of", "open_text"]

HEAD_BYTES = 256 * 1024
HEAD_ROWS = 200
_DELIMITERS = ",;\t|"
_UTF8_BOM = b"\xef\xbb\xbf"


class TextSource:
    """One file being read.

    `encoding`: "utf-8", "cp1252" (the head holds bytes that are no UTF-8; decided again for each line),
    "utf-16-le" or "utf-16-be". Of UTF-16 files a row's `raw` is its UTF-8 form; else it is as in the file, without
    a BOM and without the NULs before the first line. `packed`: the file was gzip.
    """

    def __init__(self, blocks: Iterator[bytes], head: bytes, whole: bool, counted: CountedBlocks, packed: bool) -> None:
        self.packed = packed
        self.encoding = "utf-8"
        self._counted = counted
        order = utf16_order(head)
        if order:
            self.encoding = order
            blocks = as_utf8(chain([head], blocks), order)
            head, whole, blocks = _read_head(blocks)
        head = head.removeprefix(_UTF8_BOM)
        refuse_binary(head)
        if not head.strip(b"\0 \t\r\n\v\f"):
            raise UnreadableFile("This file is empty." if not head else "This file holds nothing but blank lines.")
        complete = head if whole else head[: max(head.rfind(b"\n"), head.rfind(b"\r")) + 1]
        if not order and not _is_utf8(complete):
            self.encoding = "cp1252"
        self.delimiter, self._usual_delimiters = _usual_delimiters(complete)
        self.head = self._head(complete or head)
        self._blocks: Iterator[bytes] | None = chain([head], blocks)

    @property
    def position(self) -> int:
        """Bytes of the upload (as packed) read so far: what the progress bar measures."""
        return self._counted.taken

    def lines(self, join_quoted: bool = True) -> Iterator[SourceLine | BadLine]:
        """Every row that is not blank, once; reopen the stream for a second pass.

        `join_quoted=False` for formats without quoting, where a line break always ends the row.
        Raises UnreadableFile half-way only at the limits of unpacking; a packed file that breaks off or is damaged
        gives the rows before that and then one BadLine.
        """
        if self._blocks is None:
            raise RuntimeError("lines() reads its stream once: open it again for a second pass")
        blocks, self._blocks = self._blocks, None
        return rows_of(blocks, self.delimiter, self._usual_delimiters, join_quoted)

    def _head(self, text: bytes) -> Head:
        rows: list[str] = []
        for row in rows_of(iter([text]), self.delimiter, self._usual_delimiters, joining=True):
            if isinstance(row, SourceLine):
                rows.append(row.text)
            elif row.reason == UNBALANCED_QUOTE:
                rows.append(decode(row.raw))
            if len(rows) == HEAD_ROWS:
                break
        return Head(tuple(rows))


def open_text(stream: ByteStream) -> TextSource:
    """Open an uploaded file. Raises UnreadableFile where nothing of it can be read as a call log."""
    counted = CountedBlocks(stream)
    head, whole, blocks = _read_head(counted)
    refuse_what_is_no_text(head)
    packed = head.startswith(GZIP_MAGIC)
    if packed:
        try:
            head, whole, blocks = _read_head(gunzip(chain([head], blocks)))
        except DamagedHere as damage:
            raise UnreadableFile("This gzip file is damaged at its beginning. Copy it again, whole.") from damage
        if head.startswith(GZIP_MAGIC):
            raise UnreadableFile("This is a gzip file inside a gzip file. Unpack it once and upload that.")
        refuse_what_is_no_text(head)
    return TextSource(blocks, head, whole, counted, packed)


def head_of(data: bytes) -> Head:
    """The head of a file of which these are the first bytes (or all of them). Raises UnreadableFile like open_text."""
    return open_text(io.BytesIO(data)).head


def _read_head(blocks: Iterator[bytes]) -> tuple[bytes, bool, Iterator[bytes]]:
    """The first HEAD_BYTES or a little more, whether that is all, and the blocks that follow.

    NULs before the text are dropped: a log that was truncated under its writer begins with a hole of them. One NUL
    alone stays, it may be half of a UTF-16 character. Damage behind the first block is left for `lines()` to meet.
    """
    parts: list[bytes] = []
    size = 0
    while size < HEAD_BYTES:
        try:
            block = next(blocks)
        except StopIteration:
            return b"".join(parts), True, iter(())
        except DamagedHere as damage:
            if not parts:
                raise
            return b"".join(parts), False, _raising(damage)
        if not parts and block.startswith(b"\0\0"):
            block = block.lstrip(b"\0")
        if block:
            parts.append(block)
            size += len(block)
    return b"".join(parts), False, blocks


def _raising(damage: DamagedHere) -> Iterator[bytes]:
    yield b""
    raise damage


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _usual_delimiters(text: bytes) -> tuple[str, int]:
    """The character that separates fields, and how many of it a row has at least (that of the lowest fifth)."""
    lines = [decode(line) for line in text[: 64 * 1024].splitlines()[:HEAD_ROWS] if line.strip()]
    best, most = ",", 0
    for delimiter in _DELIMITERS:
        counts = sorted(line.count(delimiter) for line in lines if not line.count('"') & 1)
        usual = counts[len(counts) // 5] if counts else 0
        if usual > most:
            best, most = delimiter, usual
    return best, most
