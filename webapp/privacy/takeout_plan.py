"""Which files a takeout has, in order, and what stands in each. Called by takeout_writing.py.

First every table twice, then the files that were imported as they came, the chain of the audit with its checker, and
what tells of all this: index.html for people, manifest.json for programs, last of all.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache, partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from sqlalchemy import select

from webapp.calls.models import ImportFile
from webapp.clock import now
from webapp.destinations.contact_models import ContactImport
from webapp.formatting import format_count, format_size
from webapp.jobs.models import StoredFile
from webapp.jobs.stored_files import CHUNK_BYTES, open_stored_file
from webapp.organizations.chain_file import chain_pieces
from webapp.privacy.catalogue import TABLES, list_exported
from webapp.privacy.entries import DIGESTS_STAY, Kind, LeftOut
from webapp.privacy.models import TakeoutEntry
from webapp.privacy.takeout_tables import Piece, Source, csv_pieces, json_pieces
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.models import Organization

MANIFEST = "manifest.json"
_ROOT = Path(__file__).resolve().parents[2]
_NAME_AT_MOST = 100
_NOTES = (
    "CSV files are for people and spreadsheets: UTF-8, times in the organization's zone with their distance from UTC, "
    "and beside the id of a number, a person or a destination what it is called. Text that a spreadsheet would take "
    "for a formula has an apostrophe before it.",
    "JSON Lines files hold the same rows for programs: an object a line, times in UTC.",
    "In lines of phone systems a backslash stands twice, and a byte that is no UTF-8 as \\xNN.",
    "Tables were read one after the other while Callbook went on, and so were the two files of a table: a row is as it "
    "was when it was read. Rows stand in the order of their keys: sort calls by when they started.",
)


@dataclass(frozen=True)
class About:
    """What a takeout is of. `moment`: when its writing began."""

    organization: Organization
    moment: datetime


@dataclass(frozen=True)
class PlannedFile:
    """`pieces` is given the files that are finished by then."""

    name: str
    pieces: Callable[[Sequence[TakeoutEntry]], Iterator[Piece]]


def list_files(session: LockedSession, source: Source, about: About) -> list[PlannedFile]:
    """All of them as of now: the same again, later, but for what was imported or deleted meanwhile."""
    files = []
    for table, exported in list_exported():
        files.append(_file(f"{exported.file}.csv", partial(csv_pieces, source, table)))
        files.append(_file(f"{exported.file}.jsonl", partial(json_pieces, source, table)))
    files += [_file(name, partial(_original, source, file_id)) for file_id, name in _list_originals(session)]
    files.append(_file("audit/chain.jsonl", partial(_chain, source)))
    files.append(_file("audit/check_audit.py", partial(_static, "check_audit.py")))
    files.append(_file("takeout.css", partial(_static, "takeout.css")))
    files.append(PlannedFile("index.html", partial(_index, about)))
    files.append(PlannedFile(MANIFEST, partial(_manifest, about)))
    return files


def _file(name: str, pieces: Callable[[], Iterator[Piece]]) -> PlannedFile:
    return PlannedFile(name, lambda _finished: pieces())


def _list_originals(session: LockedSession) -> list[tuple[int, str]]:
    """The files that are still kept, each named in the archive by its id, as imports.csv has it, and what it was."""
    names: dict[int, str] = {}
    for mapped in (ImportFile, ContactImport):
        rows = session.execute(
            select(mapped.stored_file_id, mapped.file_name)
            .where(mapped.stored_file_id.is_not(None))
            .order_by(mapped.id)
        )
        names |= {row.stored_file_id: row.file_name for row in rows}
    kept = session.scalars(select(StoredFile.id).where(StoredFile.complete).order_by(StoredFile.id))
    return [(file_id, f"files/{file_id}-{_plain(names.get(file_id, ''))}") for file_id in kept]


def _plain(file_name: str) -> str:
    """No folders, and nothing that a file system or a screen might take for something else."""
    return re.sub(r"[^\w.() -]", "_", file_name)[-_NAME_AT_MOST:].strip(" .") or "file"


def _original(source: Source, file_id: int) -> Iterator[Piece]:
    reader = open_stored_file(source.database, source.organization_id, file_id)
    while piece := reader.read(CHUNK_BYTES):
        yield Piece(piece, 0)


def _chain(source: Source) -> Iterator[Piece]:
    for piece in chain_pieces(source.database, source.organization_id, None, masked=False):
        yield Piece(piece, piece.count(b"\n"))


def _static(name: str) -> Iterator[Piece]:
    yield Piece((_ROOT / "static" / name).read_bytes(), 0)


# --------------------------------------------------------------------------------------------------- what tells of it


def list_left_out() -> list[dict[str, str]]:
    """Tables, and columns of tables, that are not in a takeout, each with the reason."""
    told = []
    for table in TABLES.values():
        if isinstance(table.takeout, LeftOut):
            told.append({"table": table.name, "why": table.takeout.reason})
            continue
        told += [{"table": table.name, "column": column, "why": why} for column, why in table.takeout.left_out.items()]
        told += [
            {"table": table.name, "column": column, "why": DIGESTS_STAY}
            for column, kind in table.columns.items()
            if kind is Kind.SECRET
        ]
    return told


def _manifest(about: About, finished: Sequence[TakeoutEntry]) -> Iterator[Piece]:
    manifest = {
        "what": "Everything that an organization has in Callbook",
        "organization": about.organization.name,
        "organization_id": about.organization.id,
        "organization_address": about.organization.slug,
        "time_zone": about.organization.time_zone,
        "begun_at": _utc(about.moment),
        "ended_at": _utc(now()),
        "files": [
            {
                "name": entry.name,
                "rows": entry.row_count,
                "bytes": entry.byte_count,
                "sha256": bytes(entry.digest).hex(),
            }
            for entry in finished
        ],
        "left_out": list_left_out(),
        "notes": list(_NOTES),
    }
    yield Piece(json.dumps(manifest, ensure_ascii=False, indent=1).encode(), 0)


def _utc(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _index(about: About, finished: Sequence[TakeoutEntry]) -> Iterator[Piece]:
    rows = {entry.name: entry for entry in finished}
    groups: dict[str, list[dict[str, Any]]] = {}
    for table, exported in list_exported():
        csv = rows.get(f"{exported.file}.csv")
        if csv is not None:
            told = {"file": exported.file, "what": table.what, "rows": csv.row_count}
            groups.setdefault(str(table.group), []).append(told)
    zone = ZoneInfo(about.organization.time_zone)
    page = _environment().get_template("privacy/takeout_index.html").render(
        organization=about.organization,
        begun=about.moment.astimezone(zone),
        ended=now().astimezone(zone),
        groups=groups,
        originals=[entry for entry in finished if entry.name.startswith("files/")],
        left_out=list_left_out(),
        notes=_NOTES,
    )  # fmt: skip
    yield Piece(page.encode(), 0)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    """The worker has no request and no app."""
    environment = Environment(
        loader=FileSystemLoader(_ROOT / "templates"),
        undefined=StrictUndefined,
        autoescape=select_autoescape(("html",)),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(figure=format_count, file_size=format_size)
    return environment
