"""The ZIP that is made part by part opens as any other, also where it is larger than 4 GiB or has many files."""

import io
import subprocess
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from webapp.privacy.zip_parts import Packer, Part, directory

AT = datetime(2026, 7, 15, 12, 30, 40, tzinfo=UTC)
GIB = 1024**3


def archive_of(files: dict[str, list[bytes]]) -> bytes:
    written, parts = b"", []
    for name, pieces in files.items():
        packer = Packer()
        packed = b"".join(packer.pack(piece) for piece in pieces) + packer.finish()
        parts.append(packer.part(name, len(written)))
        written += parts[-1].header(AT) + packed
    return written + directory(parts, len(written), AT)


def test_it_opens_as_any_other() -> None:
    files = {"a.csv": [b"one,", b"two\r\n" * 1000], "files/Müller (2).txt": [b"x"], "empty": []}
    with zipfile.ZipFile(io.BytesIO(archive_of(files))) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == {
            name: b"".join(pieces) for name, pieces in files.items()
        }
        assert {info.date_time for info in archive.infolist()} == {AT.timetuple()[:6]}


def test_another_program_reads_it_too(tmp_path: Path) -> None:
    """Python's own reader is forgiving."""
    path = tmp_path / "taken.zip"
    path.write_bytes(archive_of({"a/b.txt": [b"hello " * 500], "ü.txt": [b"y"]}))
    try:
        told = subprocess.run(["unzip", "-t", str(path)], capture_output=True, text=True)
    except FileNotFoundError:
        pytest.fail("unzip is needed by this test")
    assert told.returncode == 0, told.stdout
    assert "No errors detected" in told.stdout


def test_sizes_beyond_4_gib_stand_in_zip64_fields() -> None:
    """The directory alone is read: nobody keeps six gigabytes for a test."""
    parts = [Part("large", 0, 5 * GIB, 6 * GIB, 1, b""), Part("behind it", 5 * GIB + 70, 10, 12, 2, b"")]
    ends_at = 5 * GIB + 200
    told = directory(parts, ends_at, AT)
    with zipfile.ZipFile(_Sparse(told, ends_at)) as archive:
        large, behind = archive.infolist()
    assert (large.file_size, large.compress_size) == (6 * GIB, 5 * GIB)
    assert behind.header_offset == 5 * GIB + 70
    assert b"\x01\x00\x10\x00" in parts[0].header(AT)  # a field of both sizes
    assert len(parts[1].header(AT)) == 30 + len("behind it")


def test_more_than_65_535_files() -> None:
    parts = [Part(f"f{number}", number * 40, 2, 0, 0, b"") for number in range(70_000)]
    told = directory(parts, 70_000 * 40, AT)
    with zipfile.ZipFile(_Sparse(told, 70_000 * 40)) as archive:
        assert len(archive.infolist()) == 70_000


class _Sparse(io.BytesIO):
    """An archive of which the directory alone is there."""

    def __init__(self, told: bytes, starts_at: int) -> None:
        super().__init__(told)
        self._starts_at, self._size = starts_at, starts_at + len(told)

    def seek(self, place: int, whence: int = io.SEEK_SET) -> int:
        place += {io.SEEK_SET: 0, io.SEEK_CUR: self.tell(), io.SEEK_END: self._size}[whence]
        assert place >= self._starts_at
        super().seek(place - self._starts_at)
        return place

    def tell(self) -> int:
        return self._starts_at + super().tell()
