"""CSV for people: safe to open in a spreadsheet, sent in pieces. Used by every export.

A spreadsheet runs a cell that begins with = + - @ as a formula, so text from outside gets a leading apostrophe there;
a bare number, as +442079460182 or -5, calls nothing and stays (DEPENDENCIES 3.3.8).
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence

from flask import Response

UNPROVED_AT_MOST = 50_000  #: rows; who takes more away at once proves anew who they are
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_BARE_NUMBER = re.compile(r"[+-]?[0-9]{1,15}")
_BOM = "\ufeff"  # else Excel reads UTF-8 as cp1252

Cell = str | int
CsvRow = Sequence[Cell]


def guard_cell(text: str) -> str:
    """Text from outside, so that no spreadsheet takes it for a formula."""
    if text.startswith(_FORMULA_STARTS) and not _BARE_NUMBER.fullmatch(text):
        return f"'{text}"
    return text


def csv_pieces(header: CsvRow, chunks: Iterable[Iterable[CsvRow]]) -> Iterator[bytes]:
    """The file, a piece for each chunk of rows; cells are guarded already. Lines end as RFC 4180 says."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    buffer.write(_BOM)
    writer.writerow(header)
    for rows in chunks:
        writer.writerows(rows)
        yield buffer.getvalue().encode()
        buffer.seek(0)
        buffer.truncate()
    if buffer.tell():
        yield buffer.getvalue().encode()


def csv_response(file_name: str, pieces: Iterable[bytes]) -> Response:
    return download(file_name, pieces, "text/csv")


def download(file_name: str, pieces: Iterable[bytes], mimetype: str) -> Response:
    """A file in pieces (RFC 6266). `file_name` is of ASCII letters, digits, dots and hyphens."""
    if not re.fullmatch(r"[A-Za-z0-9.-]+", file_name):
        raise ValueError("the name of a download is plain")
    response = Response(pieces, mimetype=mimetype)
    response.headers["Content-Disposition"] = f'attachment; filename="{file_name}"'
    response.headers["X-Accel-Buffering"] = "no"  # a proxy passes the pieces on as they come
    return response
