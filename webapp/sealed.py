"""The sealed container: AES-256-GCM over pieces of 1 MiB, so that gigabytes are sealed and opened with flat memory.

A head (MAGIC and seven random bytes), then pieces of 1 MiB and 16 bytes, the last one shorter or as long. The nonce of
a piece is the random bytes, its number and whether it is the last: a piece that was changed, moved, left out or cut
off does not open (the STREAM construction, as streaming AEAD of Tink and age have it). A key seals one archive only.
Written by staff/disclosure_archive.py and recovery/archive.py, read by the commands of both.
"""

import re
import secrets
from collections.abc import Callable, Iterator
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MAGIC = b"CALLBOOK-SEALED-1\n"
PIECE_BYTES = 1024 * 1024
_TAG_BYTES, _PREFIX_BYTES, _KEY_BYTES = 16, 7, 32


class NotOpened(Exception):
    """The key is not the one, or the file is not whole. Its words are for whoever opens it."""


def new_key() -> bytes:
    return secrets.token_bytes(_KEY_BYTES)


def spell_key(key: bytes) -> str:
    """As people write it down: 64 digits in groups of four."""
    digits = key.hex()
    return " ".join(digits[start : start + 4] for start in range(0, len(digits), 4))


def read_key(text: str) -> bytes:
    """The key that somebody typed. Raises NotOpened."""
    digits = re.sub(r"[\s-]", "", text)
    if not re.fullmatch(r"[0-9a-fA-F]{64}", digits):
        raise NotOpened("The key has 64 digits, 0 to 9 and a to f. Spaces do no harm.")
    return bytes.fromhex(digits)


class SealingWriter:
    """What ZIP writes into: seals each full piece and gives it to `store`, in order, the head first."""

    def __init__(self, key: bytes, store: Callable[[bytes], None]) -> None:
        self._cipher, self._store = AESGCM(key), store
        self._head = MAGIC + secrets.token_bytes(_PREFIX_BYTES)
        self._waiting = bytearray()
        self._count = 0
        store(self._head)

    def write(self, content: bytes) -> int:
        self._waiting += content
        while len(self._waiting) > PIECE_BYTES:  # what fills a piece exactly may be the last one
            self._seal(bytes(self._waiting[:PIECE_BYTES]), last=False)
            del self._waiting[:PIECE_BYTES]
        return len(content)

    def flush(self) -> None:
        """A piece is stored when it is full."""

    def finish(self) -> None:
        """The last piece."""
        self._seal(bytes(self._waiting), last=True)
        self._waiting.clear()

    def _seal(self, piece: bytes, *, last: bool) -> None:
        self._store(self._cipher.encrypt(_nonce(self._head, self._count, last=last), piece, self._head))
        self._count += 1


def open_sealed(key: bytes, source: BinaryIO, what: str = "key") -> Iterator[bytes]:
    """The pieces as they were before sealing. Raises NotOpened, at the first piece that is not as it was.

    `what`: as people call the key.
    """
    head = source.read(len(MAGIC) + _PREFIX_BYTES)
    if len(head) < len(MAGIC) + _PREFIX_BYTES or not head.startswith(MAGIC):
        raise NotOpened("This is no sealed archive of Callbook.")
    cipher, count = AESGCM(key), 0
    piece = source.read(PIECE_BYTES + _TAG_BYTES)
    while True:
        following = source.read(PIECE_BYTES + _TAG_BYTES)
        try:
            yield cipher.decrypt(_nonce(head, count, last=not following), piece, head)
        except InvalidTag:
            raise NotOpened(_why(count, what)) from None
        if not following:
            return
        piece, count = following, count + 1


def _nonce(head: bytes, count: int, *, last: bool) -> bytes:
    return head[len(MAGIC) :] + count.to_bytes(4, "big") + bytes([last])


def _why(count: int, what: str) -> str:
    if count == 0:
        return f"It does not open: the {what} is another one, or the file was changed or cut off."
    return f"The file was changed or cut off after {count} MiB: nothing that comes after can be trusted."
