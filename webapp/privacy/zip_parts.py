"""A ZIP archive made part by part, so that it can be gone on with after a kill. Called by takeout_writing.py.

zipfile.ZipFile keeps what its directory needs in memory and cannot open a half-written archive again. Here each file
is deflated by itself, and what the directory needs of it is a row of takeout_entry. The standard library still writes
every header: ZipInfo.FileHeader() the one before a file, made once its sizes are known, so that no data descriptor is
needed (and ZIP64 fields only where a file is that large); and a ZipFile over a place that counts on from where the
last file ended writes the directory of all of them, with ZIP64 where offsets or counts need it.
"""

import hashlib
import io
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

_LEVEL = 4  # of zlib: nine tenths of what 6 saves, in half the time
_UTF8_NAME, _UNIX_FILE = 0x800, 0o100600 << 16


@dataclass(frozen=True)
class Part:
    """A file of the archive as it was packed. `starts_at`: where its header begins."""

    name: str
    starts_at: int
    packed_count: int  # without its header
    byte_count: int
    crc: int
    digest: bytes  # SHA-256 of the file, unpacked

    def header(self, at: datetime) -> bytes:
        """What stands before its packed bytes."""
        return _info(self, at).FileHeader()


class Packer:
    """Deflates one file; counts and digests what goes in."""

    def __init__(self) -> None:
        self.byte_count = self.packed_count = self.crc = 0
        self._digest = hashlib.sha256()
        self._deflate = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)

    def pack(self, piece: bytes) -> bytes:
        """What of it is packed by now: often nothing yet."""
        self.byte_count += len(piece)
        self.crc = zlib.crc32(piece, self.crc)
        self._digest.update(piece)
        return self._count(self._deflate.compress(piece))

    def finish(self) -> bytes:
        return self._count(self._deflate.flush())

    def part(self, name: str, starts_at: int) -> Part:
        return Part(name, starts_at, self.packed_count, self.byte_count, self.crc, self._digest.digest())

    def _count(self, packed: bytes) -> bytes:
        self.packed_count += len(packed)
        return packed


def directory(parts: Iterable[Part], ends_at: int, at: datetime) -> bytes:
    """What stands behind the last file; `ends_at`: where that ends. A few hundred bytes a file."""
    place = _From(ends_at)
    with ZipFile(place, "w") as archive:
        archive.infolist().extend(_info(part, at) for part in parts)
    return place.getvalue()


class _From(io.BytesIO):
    """A place to write to that counts on from somewhere, and is only gone forward in."""

    def __init__(self, start: int) -> None:
        super().__init__()
        self._start = start

    def tell(self) -> int:
        return self._start + super().tell()

    def seek(self, place: int, whence: int = io.SEEK_SET) -> int:
        assert whence == io.SEEK_SET and place == self.tell()
        return place


def _info(part: Part, at: datetime) -> ZipInfo:
    info: Any = ZipInfo(part.name, date_time=at.timetuple()[:6])
    info.compress_type, info.flag_bits = ZIP_DEFLATED, 0 if part.name.isascii() else _UTF8_NAME
    info.external_attr, info.create_system = _UNIX_FILE, 3
    info.header_offset, info.CRC = part.starts_at, part.crc
    info.file_size, info.compress_size = part.byte_count, part.packed_count
    return info  # type: ignore[no-any-return]
