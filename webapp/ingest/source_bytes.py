"""From an uploaded stream to blocks of UTF-8 text: gzip is unpacked, UTF-16 turned into UTF-8, what is no text refused.

Called by `source.py` only. Nothing here knows rows; everything is a stream of blocks, so that memory stays flat.
"""

import codecs
import re
import zlib
from collections.abc import Iterator
from typing import Protocol

BLOCK_BYTES = 128 * 1024
GZIP_MAGIC = b"\x1f\x8b"

#: A call log packs about 10:1, seldom 40:1; deflate at its limit, 1032:1, is zeros: a gzip bomb.
MAX_UNPACK_RATIO = 200
#: Below this size no ratio is asked: a small file may be one line, many times.
RATIO_FREE_BYTES = 1024 * 1024
MAX_UNPACKED_BYTES = 20 * 1000**3


class UnreadableFile(Exception):
    """The whole file cannot be read. `str(error)` is a sentence for the person who uploaded it."""


class DamagedHere(Exception):
    """The packed stream breaks off or is damaged from here on; what came before is good. `str(error)`: a sentence."""


class ByteStream(Protocol):
    def read(self, size: int, /) -> bytes: ...


class CountedBlocks:
    """The blocks of a stream; `taken` is how many bytes have been read from it, for the progress bar."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self.taken = 0

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        block = self._stream.read(BLOCK_BYTES)
        if not block:
            raise StopIteration
        self.taken += len(block)
        return block


_UNPACK = "Unpack it and upload the file inside."
_AS_CSV = "Open it, save the sheet as CSV and upload that."

#: Beginning of a file -> what it is and what to do. Offsets are 0. Sources: the formats' own specifications.
_REFUSED_BEGINNINGS: tuple[tuple[bytes, str], ...] = (
    (b"7z\xbc\xaf\x27\x1c", f"This is a 7z archive. {_UNPACK}"),
    (b"\xfd7zXZ\x00", f"This file is packed with xz. {_UNPACK}"),
    (b"Rar!\x1a\x07", f"This is a RAR archive. {_UNPACK}"),
    (b"\x28\xb5\x2f\xfd", f"This file is packed with zstd. {_UNPACK}"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", f"This is an old Excel or Office file (xls). {_AS_CSV}"),
    (b"%PDF-", "This is a PDF. Export the call list from the phone system as CSV instead."),
    (b"{\\rtf", "This is a rich text document. Save the call list as plain text or CSV and upload that."),
    (b"SQLite format 3\x00", "This is a SQLite database. Export its table of calls as CSV and upload that."),
    (b"PGDMP", "This is a PostgreSQL dump. Export the table of calls as CSV and upload that."),
    (b"\x89PNG", "This is a picture. Upload the phone system's call-record file."),
    (b"\xff\xd8\xff", "This is a picture. Upload the phone system's call-record file."),
    (b"GIF8", "This is a picture. Upload the phone system's call-record file."),
    (b"RIFF", "This is a sound or video file. Upload the phone system's call-record file."),
    (b"\x7fELF", "This is a program, not a call log. Upload the phone system's call-record file."),
)
_BINARY = "This file is not text, so it is no call log that can be read. Upload the phone system's call-record file."
_WEB_PAGE = (
    "This is a web page, perhaps the sign-in page of the phone system. Sign in there, download the call list again and "
    "upload that."
)
_HTML = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:<!doctype html|<html)\b", re.IGNORECASE)
_BZIP2 = re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)")
#: What copytruncate under a writer that goes on, or a power cut, leaves in a log. Its rows are good.
_HOLES = re.compile(rb"\0{512,}")
_CONTROLS = bytes(set(range(1, 32)) - set(b"\t\n\v\f\r\x1a\x1b"))


def refuse_what_is_no_text(head: bytes) -> None:
    """Raise UnreadableFile where the beginning of the file shows an archive, a workbook or other binary content."""
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        raise UnreadableFile(_about_zip(head))
    for beginning, message in _REFUSED_BEGINNINGS:
        if head.startswith(beginning):
            raise UnreadableFile(message)
    if _HTML.match(head):
        raise UnreadableFile(_WEB_PAGE)
    if _BZIP2.match(head):
        raise UnreadableFile(f"This file is packed with bzip2. {_UNPACK}")
    if head[257:262] == b"ustar":
        raise UnreadableFile(f"This is a tar archive. {_UNPACK}")
    if head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)) and len(head) % 4 == 0:
        raise UnreadableFile("This text is in UTF-32. Save it as UTF-8 and upload that.")


def refuse_binary(text: bytes) -> None:
    """Raise UnreadableFile where UTF-8 or cp1252 text would not look like this: control characters, or mostly NULs."""
    sample = _HOLES.sub(b"", text)[: 64 * 1024]
    without_nuls = sample.replace(b"\0", b"")
    controls = len(without_nuls) - len(without_nuls.translate(None, _CONTROLS))
    if controls * 50 > len(without_nuls) or len(without_nuls) * 4 < len(sample):
        raise UnreadableFile(_BINARY)


def _about_zip(head: bytes) -> str:
    if b"xl/" in head or b"[Content_Types].xml" in head[:200]:
        return f"This is an Excel workbook (xlsx). {_AS_CSV}"
    if b"application/vnd.oasis.opendocument" in head[:200]:
        return f"This is an OpenDocument file. {_AS_CSV}"
    return f"This is a ZIP archive. {_UNPACK}"


def gunzip(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """The unpacked blocks of a gzip file of one or more members, each at most BLOCK_BYTES long.

    Raises UnreadableFile at the limits above, DamagedHere where the packed data ends too early or is broken.
    Bytes after the last member that are no gzip are ignored, as gzip itself does.
    """
    unpacker = zlib.decompressobj(wbits=31)
    taken = given = member_given = 0
    whole_members = 0
    open_member = True
    for packed in blocks:
        taken += len(packed)
        more = True
        while more:
            try:
                block = unpacker.decompress(packed, BLOCK_BYTES)
            except zlib.error as error:
                if whole_members and not member_given:
                    return
                raise DamagedHere("The gzip file is damaged here; the rest of it cannot be read.") from error
            open_member = True
            given += len(block)
            member_given += len(block)
            _check_limits(taken, given)
            if block:
                yield block
            if unpacker.eof:
                packed = unpacker.unused_data.lstrip(b"\0")  # tapes and some tools pad with NULs
                unpacker, member_given, open_member = zlib.decompressobj(wbits=31), 0, False
                whole_members += 1
                more = bool(packed)
            else:
                packed = unpacker.unconsumed_tail
                more = bool(packed) or len(block) == BLOCK_BYTES  # a full block may leave more inside
    if open_member:
        raise DamagedHere("The gzip file breaks off here; the rest of it is missing. Copy the file again, whole.")


def _check_limits(taken: int, given: int) -> None:
    if given > RATIO_FREE_BYTES and given > taken * MAX_UNPACK_RATIO:
        raise UnreadableFile(
            f"This gzip file unpacks to more than {MAX_UNPACK_RATIO} times its size, which no call log does. "
            "Unpack it yourself, look at it, and upload the text."
        )
    if given > MAX_UNPACKED_BYTES:
        raise UnreadableFile("This gzip file unpacks to more than 20 GB. Split it and upload the parts.")


def utf16_order(head: bytes) -> str:
    """ "utf-16-le", "utf-16-be", or "" for text that is not UTF-16: by its BOM, else by where the NULs stand."""
    if head.startswith(codecs.BOM_UTF16_LE):
        return "utf-16-le"
    if head.startswith(codecs.BOM_UTF16_BE):
        return "utf-16-be"
    sample = head[:4096]
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    if (
        len(sample) < 4 or (even + odd) * 10 < len(sample) * 3
    ):  # text of numbers and Latin letters has a NUL in nearly every pair
        return ""
    if odd >= 9 * even:
        return "utf-16-le"
    return "utf-16-be" if even >= 9 * odd else ""


def as_utf8(blocks: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    """UTF-16 blocks as UTF-8; what is no character becomes U+FFFD."""
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    for block in blocks:
        yield decoder.decode(block).encode()
    yield decoder.decode(b"", True).encode()
