"""From bytes to rows: packing, encodings, line ends, quoted line breaks, long lines, refusals."""

import bz2
import codecs
import gzip
import io
import lzma
import tarfile
import tracemalloc
import zipfile

import pytest

from webapp.ingest import source_bytes
from webapp.ingest.records import BadLine, SourceLine
from webapp.ingest.source import HEAD_ROWS, UnreadableFile, head_of, open_text

ROW = '"","201","202","ctx","""Ann"" <201>","PJSIP/201-1","PJSIP/202-2","Dial","x,20","2026-11-22 12:30:25"'
#: Its last quote is missing, so that csv would go on reading.
STRAY = ROW.removesuffix('"')


class Dribble(io.RawIOBase):
    """A stream that gives at most `size` bytes a time, as a pipe does."""

    def __init__(self, data: bytes, size: int) -> None:
        self._data, self._size, self._at = data, size, 0

    def read(self, size: int = -1) -> bytes:
        block = self._data[self._at : self._at + min(self._size, size)]
        self._at += len(block)
        return block


class Endless:
    """`count` copies of a block, made as they are read."""

    def __init__(self, block: bytes, count: int, *, before: bytes = b"", after: bytes = b"") -> None:
        self._blocks = iter([before] if before else [])
        self._block, self._left, self._before, self._after = block, count, before, after

    def read(self, size: int) -> bytes:
        if self._before:
            before, self._before = self._before, b""
            return before
        if self._left:
            self._left -= 1
            return self._block
        after, self._after = self._after, b""
        return after


def rows(data: bytes, **options: bool) -> list[SourceLine | BadLine]:
    return list(open_text(io.BytesIO(data)).lines(**options))


def texts(data: bytes) -> list[str]:
    return [row.text for row in rows(data) if isinstance(row, SourceLine)]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_line_ends_and_numbers_in_any_blocks(size: int) -> None:
    data = b"a,1\r\nb,2\nc,3\rd,4\r\n\r\n  \ne,5\n\n\rf,6"
    found = list(open_text(Dribble(data, size)).lines())
    assert [(row.number, row.text) for row in found if isinstance(row, SourceLine)] == [
        *((1, "a,1"), (2, "b,2"), (3, "c,3"), (4, "d,4"), (7, "e,5"), (10, "f,6"))
    ]


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        ("a,Müller\nb,x\n".encode(), "utf-8"),
        ("a,Müller\nb,x\n".encode("utf-8-sig"), "utf-8"),
        ("a,Müller\nb,x\n".encode("cp1252"), "cp1252"),
        (codecs.BOM_UTF16_LE + "a,Müller\nb,x\n".encode("utf-16-le"), "utf-16-le"),
        (codecs.BOM_UTF16_BE + "a,Müller\nb,x\n".encode("utf-16-be"), "utf-16-be"),
        ("a,Müller\nb,x\n".encode("utf-16-le"), "utf-16-le"),
        ("a,Müller\nb,x\n".encode("utf-16-be"), "utf-16-be"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_encodings(data: bytes, encoding: str, packed: bool) -> None:
    source = open_text(io.BytesIO(gzip.compress(data) if packed else data))
    assert (source.encoding, source.packed) == (encoding, packed)
    assert source.head.lines == ("a,Müller", "b,x")
    assert [row.text for row in source.lines() if isinstance(row, SourceLine)] == ["a,Müller", "b,x"]


def test_encoding_is_decided_line_by_line() -> None:
    assert texts("a,Müller\n".encode() + "b,Söhne\x80\x81\n".encode("latin-1")) == ["a,Müller", "b,Söhne€\ufffd"]


def test_nuls() -> None:
    (first, second) = rows(b"\0" * 300_001 + b"a,1\nb,\x002\n")
    assert isinstance(first, SourceLine)
    assert (first.text, first.raw) == ("a,1", b"a,1")
    assert isinstance(second, SourceLine)
    assert (second.text, second.raw) == ("b,2", b"b,\x002")


def test_nuls_in_the_middle_of_a_log_lose_no_row() -> None:
    found = rows(b"a,1\n" * 100_000 + b"\0" * 3_000_000 + b"b,2\nc,3\n")
    assert [row.text for row in found[-2:] if isinstance(row, SourceLine)] == ["b,2", "c,3"]


def test_quoted_line_breaks() -> None:
    found = rows(b'a,"one\r\ntwo, three\r\n\r\nfour",b\r\nc,d\r\n')
    assert found == [
        SourceLine(1, b'a,"one\r\ntwo, three\r\n\r\nfour",b', 'a,"one\ntwo, three\n\nfour",b'),
        SourceLine(5, b"c,d", "c,d"),
    ]


@pytest.mark.parametrize("size", [1, 5, 64])
def test_quoted_line_breaks_over_blocks(size: int) -> None:
    data = b'a,"one\ntwo",b\n' * 20
    found = list(open_text(Dribble(data, size)).lines())
    assert [row.number for row in found if isinstance(row, SourceLine)] == list(range(1, 41, 2))


def test_stray_quote_costs_one_line() -> None:
    found = rows("\n".join([ROW] * 5 + [STRAY] + [ROW] * 5).encode())
    assert [type(row) for row in found] == [SourceLine] * 5 + [BadLine] + [SourceLine] * 5
    assert isinstance(found[5], BadLine)
    assert found[5].line_number == 6
    assert "quote" in found[5].reason


def test_two_stray_quotes_cost_two_lines() -> None:
    found = rows("\n".join([ROW, STRAY, ROW, ROW, STRAY, ROW]).encode())
    assert [type(row) for row in found] == [SourceLine, BadLine, SourceLine, SourceLine, BadLine, SourceLine]


def test_stray_quote_before_text_without_columns() -> None:
    data = b'"x y\n' + b"z\n" * 1000
    assert [type(row) for row in rows(data)] == [BadLine] + [SourceLine] * 1000


def test_too_large_a_join_is_given_up() -> None:
    data = b'a,"' + b"x" * 40_000 + b"\n" + b"y" * 40_000 + b'"\nb,c\n'
    assert [type(row) for row in rows(data)] == [BadLine, SourceLine, SourceLine]


def test_odd_quote_that_opens_nothing() -> None:
    assert texts(b'a,5" pipe,b\nc,d,e\n') == ['a,5" pipe,b', "c,d,e"]


def test_formats_without_quoting() -> None:
    assert len(rows(b'a,"b\nc,"d\n', join_quoted=False)) == 2
    assert len(rows(b'a,"b\nc,d"\n')) == 1


def test_unfinished_last_line_is_given() -> None:
    assert texts(b"a,1\nb,2") == ["a,1", "b,2"]
    found = rows(b'a,1,2,3,4\nb,"2')
    assert isinstance(found[1], BadLine)
    assert found[1].raw == b'b,"2'


def test_one_hundred_megabyte_line_in_flat_memory() -> None:
    stream = Endless(b"x" * 65_536, 1600, before=b"a,1\n", after=b"\r\nb,2\n")
    tracemalloc.start()
    try:
        found = list(open_text(stream).lines())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 16 * 1024 * 1024
    assert [type(row) for row in found] == [SourceLine, BadLine, SourceLine]
    assert isinstance(found[1], BadLine)
    assert found[1].raw == b"x" * 2000
    assert "1 MiB" in found[1].reason
    assert isinstance(found[2], SourceLine)
    assert found[2].number == 3


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
@pytest.mark.parametrize("length", [2**20 - 1, 2**20, 2**20 + 1, 2**20 + 131_072])
def test_lines_about_the_limit(end: bytes, length: int) -> None:
    found = rows(b"a,1" + end + b"x" * length + end + b"b,2" + end)
    assert [type(row) for row in found] == [SourceLine, SourceLine if length <= 2**20 else BadLine, SourceLine]
    assert isinstance(found[2], SourceLine)
    assert (found[2].number, found[2].text) == (3, "b,2")


def test_head_is_bounded_and_consumes_nothing() -> None:
    data = b"".join(b"%d,x\n" % number for number in range(100_000))
    source = open_text(io.BytesIO(data))
    assert len(source.head.lines) == HEAD_ROWS
    assert len(list(source.lines())) == 100_000
    assert source.position == len(data)
    with pytest.raises(RuntimeError):
        source.lines()


def test_position_counts_packed_bytes() -> None:
    packed = gzip.compress(b"".join(b"%d,x\n" % (number * 7919) for number in range(200_000)))
    source = open_text(io.BytesIO(packed))
    assert 0 < source.position <= len(packed)
    assert len(list(source.lines())) == 200_000
    assert source.position == len(packed)


def zip_of(name: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(name, "a,b\n")
    return packed.getvalue()


def tar_of(mode: str) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=mode) as archive:  # type: ignore[call-overload]
        archive.addfile(tarfile.TarInfo("Master.csv"), io.BytesIO())
    return packed.getvalue()


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"", "empty"),
        (b"\r\n  \n\t\n", "blank"),
        (b"\0" * 500_000, "empty"),
        (zip_of("Master.csv"), "ZIP archive. Unpack it"),
        (zip_of("xl/workbook.xml"), "Excel"),
        (tar_of("w"), "tar"),
        (tar_of("w:gz"), "tar"),
        (bz2.compress(b"a,b\n"), "bzip2"),
        (lzma.compress(b"a,b\n"), "xz"),
        (b"7z\xbc\xaf\x27\x1c\0\4", "7z"),
        (b"Rar!\x1a\x07\0", "RAR"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 500, "Excel"),
        (b"%PDF-1.7\n", "PDF"),
        (bytes(range(256)) * 100, "not text"),
        (b"\x7fELF" + bytes(range(256)), "program"),
        (gzip.compress(gzip.compress(b"a,b\n", mtime=0), mtime=0), "inside a gzip"),
        (gzip.compress(b"", mtime=0), "empty"),
        (gzip.compress(b"a,b\n", mtime=0)[:10], "damaged"),
        (b"\x1f\x8bnot gzip at all", "damaged"),
        (b"<html><body>404</body></html>\n", "web page"),
    ],
    ids=lambda value: value if isinstance(value, str) else "file",  # packed bytes hold the time: no name for a test
)
def test_refusals_say_what_to_do(data: bytes, word: str) -> None:
    with pytest.raises(UnreadableFile, match=word) as caught:
        open_text(io.BytesIO(data))
    assert str(caught.value).endswith(".")


def test_gzip_of_several_members_and_padding() -> None:
    data = gzip.compress(b"a,1\nb,") + gzip.compress(b"2\n") + b"\0" * 512
    assert texts(data) == ["a,1", "b,2"]
    assert texts(gzip.compress(b"a,1\n") + b"rubbish") == ["a,1"]


def test_gzip_that_breaks_off_keeps_what_came_before() -> None:
    lines = b"".join(b"%d,%d,x\n" % (number, number * 7919 % 10_007) for number in range(200_000))
    packed = gzip.compress(lines)
    found = rows(packed[: len(packed) * 2 // 3])
    assert len(found) > 100_000
    assert isinstance(found[-1], BadLine)
    assert "breaks off" in found[-1].reason
    assert all(isinstance(row, SourceLine) for row in found[:-1])


def test_gzip_damaged_in_the_middle() -> None:
    packed = bytearray(gzip.compress(b"".join(b"%d,x\n" % (number * 7919) for number in range(200_000))))
    packed[len(packed) // 2 : len(packed) // 2 + 64] = bytes(64)
    found = rows(bytes(packed))
    assert isinstance(found[-1], BadLine)
    assert "damaged" in found[-1].reason


def test_security_42_gzip_bomb_is_refused_early() -> None:
    with pytest.raises(UnreadableFile, match="200 times"):
        list(open_text(io.BytesIO(gzip.compress(b"a,1\n" * 10_000_000))).lines())
    assert len(texts(gzip.compress(b"a,1\n" * 200_000))) == 200_000  # under 1 MiB nobody counts


def test_security_42_gzip_has_an_upper_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_bytes, "MAX_UNPACKED_BYTES", 2_000_000)
    packed = gzip.compress(b"".join(b"%d,x\n" % (number * 7919) for number in range(400_000)))
    with pytest.raises(UnreadableFile, match="20 GB"):
        list(open_text(io.BytesIO(packed)).lines())


def test_head_of_bytes() -> None:
    assert head_of(b"a,1\nb,2\n").lines == ("a,1", "b,2")
    assert head_of(gzip.compress(b"a,1\n")).lines == ("a,1",)


def test_head_drops_a_line_that_it_cuts() -> None:
    line = b"x" * 999 + b"\n"
    assert all(len(text) == 999 for text in open_text(io.BytesIO(line * 1000)).head.lines)
