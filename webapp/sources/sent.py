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

from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.http import parse_options_header
from werkzeug.sansio.multipart import Data, Epilogue, Field, File, MultipartDecoder

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
_NAME = "cdr"  #: of the field that holds calls, as mod_json_cdr calls it
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
    received, parcels = 0, list[Parcel]()
    for text in _texts(sent):
        rows = _rows(text)
        received += len(rows)
        if received > MOST_RECORDS:
            raise TooLarge(_TOO_LARGE)
        reader = freeswitch_json.READER if _SIGN.search(text) else callbook_json.READER
        parcels += [Parcel(pbx.id, reader.name, body) for body in _in_portions(rows)]
    return received, parcels


def _texts(sent: Sent) -> list[bytes]:
    """What may hold calls, without what is wrapped around it. Raises BadRequest where there is nothing."""
    texts, room = [], LARGEST_BODY
    for wrapped in _unwrap(_unpack(sent.body, sent.content_encoding, room), sent.content_type):
        text = _unpack(wrapped, "", room).removeprefix(BOM_UTF8)  # Windows writes it before what it saves
        room -= len(text)
        if text.strip():
            texts.append(text)
    if not texts:
        raise BadRequest("The request has no body, so there is no call in it. Nothing was stored.")
    return texts


def _unpack(body: bytes, content_encoding: str, room: int) -> bytes:
    """Told by its first bytes too: no JSON begins like gzip, and a script forgets the header."""
    encoding = content_encoding.strip().lower()
    if encoding in ("", "identity") and not body.startswith(GZIP_MAGIC):
        return body
    if encoding not in ("", "identity", "gzip", "x-gzip"):
        raise BadRequest("The body may be packed with gzip, or not at all. Nothing was stored.")
    parts, size = [], 0
    try:
        for block in gunzip(iter([body])):
            size += len(block)
            if size > room:
                raise TooLarge(_TOO_LARGE)
            parts.append(block)
    except UnreadableFile:
        raise TooLarge(_TOO_LARGE) from None
    except DamagedHere:
        raise BadRequest(_DAMAGED) from None
    return b"".join(parts)


def _unwrap(body: bytes, content_type: str) -> list[bytes]:
    """What stands in a form's field `cdr`. Where it is no form, or has none, it stays whole."""
    kind, options = parse_options_header(content_type)
    kind = kind.lower()
    if "boundary" in options:  # whatever its kind: `curl -F` leaves one that is said to it, as in our own lines
        return _parts(body, options["boundary"])
    field = _FIELD.search(body) if kind in (_FORM, _BASE64) else None
    if field is None:
        return [body]
    if kind == _FORM:
        return [unquote_to_bytes(field[1].replace(b"+", b" "))]
    try:
        return [base64.b64decode(field[1])]
    except binascii.Error:
        return [body]


def _parts(body: bytes, boundary: str) -> list[bytes]:
    """Fields and files of a form in parts (`curl -F`): those called `cdr`, or all where none is. As they came, in
    bytes. What is no such form stays whole.
    """
    decoder = MultipartDecoder(boundary.encode(), max_parts=MOST_RECORDS)
    decoder.receive_data(body)
    decoder.receive_data(None)
    named, parts = list[bool](), list[bytes]()
    try:
        while not isinstance(event := decoder.next_event(), Epilogue):
            if isinstance(event, Field | File):
                named.append(event.name == _NAME)
                parts.append(b"")
            elif isinstance(event, Data):
                parts[-1] += event.data
    except RequestEntityTooLarge:
        raise TooLarge(_TOO_LARGE) from None
    except ValueError:
        return [body]
    return [part for part, is_named in zip(parts, named, strict=True) if is_named or not any(named)]


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
