"""What an import needs to know before it begins: how its file is read and what its rows belong to.

Read by importer.py at the start of a run; the small readers of an import's columns serve sources/ and reparse.py too.
"""

import json
from dataclasses import dataclass

from webapp.calls.models import ImportFile, ImportState, Pbx
from webapp.clock import to_ms
from webapp.database.engine import Database
from webapp.ingest.records import ColumnMap, SourceLine
from webapp.ingest.settings import PbxSettings
from webapp.tenancy.models import Organization
from webapp.tenancy.sessions import reading_session

UNENDED = (ImportState.UPLOADED, ImportState.QUEUED, ImportState.RUNNING, ImportState.FAILED)
#: A failed one may be gone on with, and until then it is one of the files whose rows come back when another is undone.
ENDED = (ImportState.DONE, ImportState.CANCELLED, ImportState.FAILED)


@dataclass
class ImportPlan:
    """All that an import needs to know, read once at its start."""

    organization_id: int
    import_file_id: int
    stored_file_id: int | None
    format: str | None
    columns: ColumnMap | None
    settings: PbxSettings
    keeps_from_ms: int | None
    read_count: int
    work_seconds: int


def load_plan(
    database: Database, organization_id: int, import_file_id: int, *, ended: bool = False
) -> ImportPlan | None:
    """None when the import does not exist, or has ended already (with `ended`: has not)."""
    with reading_session(database, organization_id) as session:
        row = session.get(ImportFile, (organization_id, import_file_id))
        if row is None or row.state not in (ENDED if ended else UNENDED):
            return None
        pbx = session.get_one(Pbx, (organization_id, row.pbx_id))
        organization = session.get_one(Organization, organization_id)
        return ImportPlan(
            organization_id=organization_id,
            import_file_id=import_file_id,
            stored_file_id=row.stored_file_id,
            format=row.format,
            columns=read_column_map(row.column_map),
            settings=PbxSettings.of(pbx, row.time_zone),
            keeps_from_ms=to_ms(organization.keeps_from) if organization.keeps_from else None,
            read_count=row.read_count,
            work_seconds=row.work_seconds,
        )


def read_column_map(text: str | None) -> ColumnMap | None:
    return ColumnMap(**json.loads(text)) if text else None


def header_row(header: bytes | None) -> list[SourceLine]:
    """The header line of a file as a row to put before others, when it has one."""
    return [SourceLine(1, header, header.decode("utf-8", "replace"))] if header else []
