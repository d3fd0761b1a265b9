"""The sealed container: what went in comes out, and nothing else opens."""

import io

import pytest

from webapp.sealed import (
    MAGIC,
    PIECE_BYTES,
    NotOpened,
    SealingWriter,
    new_key,
    open_sealed,
    read_key,
    spell_key,
)

HEAD = len(MAGIC) + 7
SEALED_PIECE = PIECE_BYTES + 16
KEY = bytes(range(32))


def seal(content: bytes, at_once: int = 100_000, key: bytes = KEY) -> bytes:
    pieces: list[bytes] = []
    writer = SealingWriter(key, pieces.append)
    for start in range(0, len(content), at_once):
        writer.write(content[start : start + at_once])
    writer.finish()
    assert all(len(piece) <= SEALED_PIECE for piece in pieces)
    return b"".join(pieces)


def opened(sealed: bytes, key: bytes = KEY) -> bytes:
    return b"".join(open_sealed(key, io.BytesIO(sealed)))


@pytest.mark.parametrize("size", [0, 1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 2 * PIECE_BYTES])
def test_what_went_in_comes_out(size: int) -> None:
    content = (b"0123456789abcdef" * (size // 16 + 1))[:size]
    assert opened(seal(content)) == content
    assert opened(seal(content, at_once=3 * PIECE_BYTES)) == content


def test_nothing_of_it_can_be_read() -> None:
    assert b"+442079460123" not in seal(b"+442079460123" * 1000)
    assert seal(b"the same") != seal(b"the same")


def changed(sealed: bytes, place: int) -> bytes:
    return sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :]


def test_whatever_is_changed_cut_off_or_moved_does_not_open() -> None:
    whole = seal(b"x" * (2 * PIECE_BYTES + 5))
    head, first, second = whole[:HEAD], whole[HEAD : HEAD + SEALED_PIECE], whole[HEAD + SEALED_PIECE :][:SEALED_PIECE]
    last = whole[HEAD + 2 * SEALED_PIECE :]
    for broken in (
        changed(whole, HEAD + 3),
        changed(whole, len(MAGIC)),
        changed(whole, len(whole) - 1),
        whole[:-1],
        head + first + second,  # the end is missing, at the end of a piece
        head + second + first + last,
        head + first + last,
        whole + b"more",
        head,
    ):
        with pytest.raises(NotOpened):
            opened(broken)
    with pytest.raises(NotOpened, match="key is another one"):
        opened(whole, new_key())
    with pytest.raises(NotOpened, match="no sealed archive"):
        opened(b"PK\x03\x04" + bytes(100))


def test_a_key_is_read_as_it_is_written() -> None:
    key = new_key()
    assert len(key) == 32
    assert read_key(spell_key(key)) == read_key(spell_key(key).upper().replace(" ", "\n")) == key
    for wrong in ("", "abc", "g" * 64, "a" * 63):
        with pytest.raises(NotOpened, match="64 digits"):
            read_key(wrong)
