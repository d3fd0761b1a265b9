"""The file of a backup: a line that says how its key is made, then one sealed stream of all that is in it, deflated.

The stream begins with the length of the facts (4 bytes) and the facts as JSON; then comes the SQLite file, or the dump
of PostgreSQL. Written and read in pieces, so memory is flat. What was changed, cut off or put together anew does not
open: webapp/sealed.py. Called by backing_up.py, restoring.py and drilling.py.
"""

import hashlib
import os
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from config import Settings
from webapp.recovery.keys import LONGEST_LINE, key_of, new_line
from webapp.recovery.manifest import Facts, read_facts, write_facts
from webapp.recovery.problem import RecoveryProblem
from webapp.sealed import PIECE_BYTES, NotOpened, SealingWriter, open_sealed

#: Of zlib, 1 to 9: at 6 a backup takes twice the time and is a tenth smaller.
_LEVEL = 3
_LENGTH_BYTES = 4
_LONGEST_FACTS = 64 * 1024 * 1024


class BackupWriter:
    """Writes one backup into a new file, readable by this user alone: the facts, then blocks of content, then end().

    Only end() makes a file that opens.
    """

    def __init__(self, path: Path, settings: Settings, facts: Facts) -> None:
        line = new_line(settings)
        key = key_of(settings, line)
        self._file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
        self._digest, self.byte_count = hashlib.sha256(), 0
        self._store(line)
        self._sealing = SealingWriter(key, self._store)
        self._deflating = zlib.compressobj(_LEVEL)
        told = write_facts(facts)
        self.write(len(told).to_bytes(_LENGTH_BYTES, "big") + told)

    def write(self, block: bytes) -> None:
        self._sealing.write(self._deflating.compress(block))

    def end(self) -> bytes:
        """Everything lies on the disk. Returns the SHA-256 of the file."""
        self._sealing.write(self._deflating.flush())
        self._sealing.finish()
        self._file.flush()
        os.fsync(self._file.fileno())
        os.posix_fadvise(self._file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)  # who reads it next asks the disk
        self._file.close()
        return self._digest.digest()

    def close(self) -> None:
        self._file.close()

    def _store(self, piece: bytes) -> None:
        self._file.write(piece)
        self._digest.update(piece)
        self.byte_count += len(piece)


class BackupReader:
    """Reads one backup, as often as asked. Raises RecoveryProblem: no backup, another key, changed or cut off."""

    def __init__(self, path: Path, settings: Settings) -> None:
        self._path, self._settings = path, settings
        self.line, self._key = b"", b""
        with self._opened() as file:
            self.line = file.readline(LONGEST_LINE)
        self._key = key_of(settings, self.line)
        with self._opened() as file:
            self.facts, _rest = self._begin(self._inflated(file))

    def blocks(self) -> Iterator[bytes]:
        """The content behind the facts, in blocks of a MiB or less."""
        with self._opened() as file:
            inflated = self._inflated(file)
            _facts, rest = self._begin(inflated)
            yield rest
            yield from inflated

    def check(self) -> bytes:
        """Open all of it to nowhere: afterwards it is known to be whole. Returns the SHA-256 of the file."""
        for _block in self.blocks():
            pass
        digest = hashlib.sha256()
        with self._opened() as file:
            while piece := file.read(PIECE_BYTES):
                digest.update(piece)
        return digest.digest()

    def _opened(self) -> BinaryIO:
        try:
            return self._path.open("rb")
        except OSError as error:
            raise RecoveryProblem(f"{self._path} cannot be read: {error.strerror}.") from None

    def _inflated(self, file: BinaryIO) -> Iterator[bytes]:
        file.seek(len(self.line))
        try:
            yield from _inflate(open_sealed(self._key, file, "passphrase or key"))
        except NotOpened as error:
            raise RecoveryProblem(f"{self._path.name} cannot be read. {error}") from None
        except zlib.error:
            raise RecoveryProblem(f"{self._path.name} opens, but holds no backup.") from None

    def _begin(self, inflated: Iterator[bytes]) -> tuple[Facts, bytes]:
        """The facts, and what of the content came with them."""
        held, needed = b"", _LENGTH_BYTES
        for block in inflated:
            held += block
            if len(held) >= _LENGTH_BYTES:
                needed = _LENGTH_BYTES + int.from_bytes(held[:_LENGTH_BYTES], "big")
            if len(held) >= needed or needed > _LONGEST_FACTS:
                break
        try:
            return read_facts(held[_LENGTH_BYTES:needed]), held[needed:]
        except ValueError:
            raise RecoveryProblem(f"{self._path.name} opens, but holds no backup.") from None


def _inflate(pieces: Iterable[bytes]) -> Iterator[bytes]:
    inflating = zlib.decompressobj()
    for piece in pieces:
        while piece:
            yield inflating.decompress(piece, PIECE_BYTES)
            piece = inflating.unconsumed_tail
    yield inflating.flush()
    if not inflating.eof:
        raise zlib.error("the stream does not end")
