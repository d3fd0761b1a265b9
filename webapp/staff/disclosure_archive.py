"""The archive of a disclosure: a ZIP of CSV files of exactly its scope and a manifest, sealed while it is written.

Called by disclosure_jobs.py. Memory is flat: a page of rows, a piece of a MiB.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from webapp.csv_out import CsvRow, csv_pieces
from webapp.database.engine import Database
from webapp.organizations.disclosure_words import AREA_NAMES, list_areas
from webapp.sealed import SealingWriter
from webapp.staff.disclosure_rows import Sheet, list_sheets, spell
from webapp.tenancy.consent_models import Disclosure
from webapp.tenancy.models import Organization

MANIFEST = "manifest.json"
_NOTES = (
    "Instants are UTC. Telephone numbers stand in full, with a plus where their country is known.",
    "Text that a spreadsheet would take for a formula has an apostrophe before it.",
    "In lines of phone systems a backslash stands twice, and a byte that is no UTF-8 as \\xNN.",
    "The period is that of calls: calls and lines outside it are left out. What has no time of a call, as "
    "destinations and people, is as it was when this archive was made.",
)
_REFUSED_LEFT_OUT = "Lines that could not be read have no time, so they are in an archive without a period only."
NOTHING_FOUND = "Nothing that is stored matches this scope: every file has 0 rows."


class Stopped(Exception):
    """Somebody else has this archive by now, it was taken back, or the worker is shutting down."""


@dataclass(frozen=True)
class ArchivedFile:
    name: str
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Archived:
    """What came of it. `digest`: SHA-256 of the manifest."""

    digest: bytes
    rows: int


def write_archive(
    database: Database,
    organization: Organization,
    disclosure: Disclosure,
    at: datetime,
    sink: SealingWriter,
    keep: Callable[[], bool],
) -> Archived:
    """Write all of it into `sink`. Raises Stopped when `keep` says so."""
    with ZipFile(sink, "w", ZIP_DEFLATED) as archive:  # type: ignore[call-overload] # all it needs is write()
        files = [_write_sheet(archive, sheet, database, disclosure, at, keep) for sheet in list_sheets(disclosure)]
        manifest = json.dumps(_manifest(organization, disclosure, at, files), ensure_ascii=False, indent=2).encode()
        archive.writestr(_entry(MANIFEST, at), manifest)
    sink.finish()
    return Archived(hashlib.sha256(manifest).digest(), sum(each.rows for each in files))


def _write_sheet(
    archive: ZipFile, sheet: Sheet, database: Database, disclosure: Disclosure, at: datetime, keep: Callable[[], bool]
) -> ArchivedFile:
    digest, counts = hashlib.sha256(), {"rows": 0, "bytes": 0}

    def pages() -> Iterator[list[CsvRow]]:
        for rows in sheet.pages(database, disclosure):
            if not keep():
                raise Stopped
            counts["rows"] += len(rows)
            yield rows

    with archive.open(_entry(sheet.name, at), "w", force_zip64=True) as member:
        for piece in csv_pieces(sheet.header, pages()):
            digest.update(piece)
            counts["bytes"] += len(piece)
            member.write(piece)
    return ArchivedFile(sheet.name, **counts, sha256=digest.hexdigest())


def _entry(name: str, at: datetime) -> ZipInfo:
    entry = ZipInfo(name, date_time=at.timetuple()[:6])
    entry.compress_type = ZIP_DEFLATED
    return entry


def _manifest(
    organization: Organization, disclosure: Disclosure, at: datetime, files: list[ArchivedFile]
) -> dict[str, Any]:
    names = [sheet.name for sheet in list_sheets(disclosure)]
    notes = [*_NOTES, *([] if "refused-lines.csv" in names or "lines.csv" not in names else [_REFUSED_LEFT_OUT])]
    if not any(each.rows for each in files):
        notes.insert(0, NOTHING_FOUND)
    return {
        "what": "Data handed out as the law requires, made by Callbook",
        "organization": organization.name,
        "organization_address": organization.slug,
        "legal_basis": disclosure.legal_basis,
        "authority": disclosure.authority,
        "scope": disclosure.scope,
        "areas": [AREA_NAMES[area] for area in list_areas(disclosure.areas)],
        "calls_from": spell(disclosure.from_at),
        "calls_until": spell(disclosure.until_at),
        "asked_at": spell(disclosure.asked_at),
        "agreed_at": spell(disclosure.agreed_at),
        "by_one_person_alone": disclosure.agreed_by is None,
        "produced_at": spell(at),
        "files": [asdict(each) for each in files],
        "notes": notes,
    }
