"""What a phone system sent, unpacked and taken apart into what is put into the spool. Called by collect_views.py.

A body that is no call is put there too: it ends as a refused line with its reason. Nothing here reads a call.
"""

import base64
import binascii
import re
from codecs import BOM_UTF8
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from webapp.calls.models import Pbx
from webapp.errors import BadRequest, TooLarge
from webapp.ingest.readers import callbook_json, freeswitch_json
from webapp.ingest.readers.json_rows import JsonRow, json_rows
from webapp.ingest.records import SourceLine
from webapp.ingest.source_bytes import GZIP_MAGIC, DamagedHere, UnreadableFile, gunzip
from webapp.ingest.source_lines import decode
from webapp.ingest.spooling import Parcel

LARGEST_BODY = 2 * 1024 * 1024  #: bytes, packed and unpacked
MOST_RECORDS = 5000  #: of one body
_RECORDS_OF_A_ROW = 50  #: stored in one transaction
_FORM, _BASE64 = "application/x-www-form-urlencoded", "application/x-www-form-base64-encoded"
_FIELD = re.compile(rb"(?:^|&)cdr=([^&]*)")
_SIGN = re.compile(rb'"core-uuid"\s*:|"variables"\s*:')

_TOO_LARGE = (
    f"A request may have up to {LARGEST_BODY // 1024 // 1024} MiB, unpacked too, and {MOST_RECORDS:,} calls. Nothing "
    "of this one was stored: send less at once."
)
_DAMAGED = "The body is said to be gzip and is not, or is cut off. Nothing was stored: send it again, whole."


@dataclass(frozen=True)
class Sent:
    """A request's body as it came. The two headers are "" where they are missing."""

    body: bytes
    content_type: str
    content_encoding: str


def take_apart(pbx: Pbx, sent: Sent) -> tuple[int, list[Parcel]]:
    """The number of records in what was sent, whatever they hold, and what is to be put into the spool.

    Raises BadRequest and TooLarge with words, for what is not kept.
    """
    text = _unwrap(_unpack(sent), sent.content_type.partition(";")[0].strip().lower())
    text = text.removeprefix(BOM_UTF8)  # Windows writes it before what it saves
    if not text.strip():
        raise BadRequest("The request has no body, so there is no call in it. Nothing was stored.")
    rows = _rows(text)
    reader = freeswitch_json.READER if _SIGN.search(text) else callbook_json.READER
    return len(rows), [Parcel(pbx.id, reader.name, body) for body in _in_portions(rows)]


def _unpack(sent: Sent) -> bytes:
    """Told by its first bytes too: no JSON begins like gzip, and a script forgets the header."""
    encoding = sent.content_encoding.strip().lower()
    if encoding in ("", "identity") and not sent.body.startswith(GZIP_MAGIC):
        return sent.body
    if encoding not in ("", "identity", "gzip", "x-gzip"):
        raise BadRequest("The body may be packed with gzip, or not at all. Nothing was stored.")
    parts, size = [], 0
    try:
        for block in gunzip(iter([sent.body])):
            size += len(block)
            if size > LARGEST_BODY:
                raise TooLarge(_TOO_LARGE)
            parts.append(block)
    except UnreadableFile:
        raise TooLarge(_TOO_LARGE) from None
    except DamagedHere:
        raise BadRequest(_DAMAGED) from None
    return b"".join(parts)


def _unwrap(body: bytes, content_type: str) -> bytes:
    """The JSON in it, out of a field `cdr` where it is a form, as mod_json_cdr sends it. Without one it stays whole."""
    field = _FIELD.search(body) if content_type in (_FORM, _BASE64) else None
    if field is None:
        return body
    if content_type == _FORM:
        return unquote_to_bytes(field[1].replace(b"+", b" "))
    try:
        return base64.b64decode(field[1])
    except binascii.Error:
        return body


def _rows(text: bytes) -> Sequence[JsonRow]:
    lines = (SourceLine(number, line, decode(line)) for number, line in enumerate(text.splitlines(), start=1))
    rows = []
    for row in json_rows(lines):
        rows.append(row)
        if len(rows) > MOST_RECORDS:
            raise TooLarge(_TOO_LARGE)
    return rows


def _in_portions(rows: Sequence[JsonRow]) -> Iterator[bytes]:
    """Bodies of a few records each. What is no JSON stands alone, so that it cannot run into its neighbour."""
    portion: list[bytes] = []
    for row in rows:
        if row.problem:
            yield row.raw
            continue
        portion.append(row.raw)
        if len(portion) == _RECORDS_OF_A_ROW:
            yield b"\n".join(portion)
            portion = []
    if portion:
        yield b"\n".join(portion)
