"""Reads phone systems and imports. Called by the views of this package and by the overview."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from webapp.calls.freshness import last_call_at
from webapp.calls.models import CallRecord, ImportFile, ImportState, Pbx, RejectedLine
from webapp.errors import NotFound
from webapp.jobs.models import StoredFile
from webapp.tenancy.lock import LockedSession

IMPORTS_ON_A_PAGE = 50
REFUSED_ON_A_PAGE = 100
ROWS_TO_GUESS_FROM = 500
_MINUTES_OF_A_DAY, _KEY_BITS = 1440, 36  # ingest/normalize.py makes the keys

#: An import that holds its phone system's records, or will.
UNDER_WAY = (ImportState.QUEUED, ImportState.RUNNING, ImportState.UNDOING)
ENDED = (ImportState.DONE, ImportState.CANCELLED, ImportState.FAILED)


@dataclass(frozen=True)
class PhoneSystem:
    """A phone system with its health. `last_call_at`: start of its newest call; `last_import`: its newest file."""

    pbx: Pbx
    last_call_at: datetime | None
    last_import: ImportFile | None

    @property
    def wants_answers(self) -> bool:
        """Calls are there, but nobody has said which lines lead outside."""
        return self.last_call_at is not None and self.pbx.answered_at is None and self.pbx.closed_at is None


@dataclass(frozen=True)
class ImportRow:
    """An import in a list."""

    file: ImportFile
    pbx_name: str


@dataclass(frozen=True)
class Delivered:
    """What a phone system brought by itself: when the first record came, and the newest day of it."""

    first_at: datetime
    newest: ImportFile


def list_phone_systems(session: LockedSession, time_zone: str) -> list[PhoneSystem]:
    """All phone systems, open ones first, by name. `time_zone` is the organization's."""
    systems = session.scalars(select(Pbx).order_by(Pbx.closed_at.is_not(None), Pbx.name)).all()
    return [PhoneSystem(pbx, last_call_at(session, pbx.id, time_zone), last_import(session, pbx.id)) for pbx in systems]


def get_pbx(session: LockedSession, pbx_id: int) -> Pbx:
    """Raises NotFound."""
    pbx = session.get(Pbx, (session.organization_id, pbx_id))
    if pbx is None:
        raise NotFound
    return pbx


def find_pbx_by_name(session: LockedSession, name: str) -> Pbx | None:
    return session.scalars(select(Pbx).where(Pbx.name == name)).first()


def last_import(session: LockedSession, pbx_id: int) -> ImportFile | None:
    """The newest file of a phone system that was imported or is being imported."""
    return session.scalars(
        select(ImportFile)
        .where(ImportFile.pbx_id == pbx_id, ImportFile.state != ImportState.UPLOADED)
        .order_by(ImportFile.id.desc())
        .limit(1)
    ).first()


def find_delivered(session: LockedSession, pbx_id: int) -> Delivered | None:
    """None until a first record came and was stored, or refused. A day has an import for each format that came."""
    days = select(ImportFile).where(ImportFile.pbx_id == pbx_id, ImportFile.delivered_on.is_not(None)).limit(1)
    first = session.scalars(days.order_by(ImportFile.delivered_on, ImportFile.id)).first()
    came_at = func.coalesce(ImportFile.ended_at, ImportFile.created_at)
    newest = session.scalars(
        days.order_by(ImportFile.delivered_on.desc(), came_at.desc(), ImportFile.id.desc())
    ).first()
    return None if first is None or newest is None else Delivered(first.created_at, newest)


def list_delivered_rows(session: LockedSession, delivered: Delivered) -> list[bytes]:
    """Raw rows of the newest day on which a phone system sent by itself, some hundreds at most.

    Record keys begin with the minute of the call: those of the days around are looked at, not all there are.
    """
    assert delivered.newest.delivered_on is not None
    begin, end = ((delivered.newest.delivered_on + days) * _MINUTES_OF_A_DAY << _KEY_BITS for days in (-1, 2))
    return list(
        session.scalars(
            select(CallRecord.raw)
            .where(
                CallRecord.record_key >= begin,
                CallRecord.record_key < end,
                CallRecord.import_file_id == delivered.newest.id,
            )
            .order_by(CallRecord.record_key.desc())
            .limit(ROWS_TO_GUESS_FROM)
        )
    )


def list_imports(session: LockedSession, before: int | None = None, pbx_id: int | None = None) -> list[ImportRow]:
    """One page of imports, newest first, of one phone system or of all; `before` is the id of the last one seen."""
    query = (
        select(ImportFile, Pbx.name)
        .join(Pbx, (Pbx.organization_id == ImportFile.organization_id) & (Pbx.id == ImportFile.pbx_id))
        .order_by(ImportFile.id.desc())
        .limit(IMPORTS_ON_A_PAGE)
    )
    if before is not None:
        query = query.where(ImportFile.id < before)
    if pbx_id is not None:
        query = query.where(ImportFile.pbx_id == pbx_id)
    return [ImportRow(file, name) for file, name in session.execute(query)]


def get_import(session: LockedSession, import_file_id: int) -> ImportFile:
    """Raises NotFound."""
    file = session.get(ImportFile, (session.organization_id, import_file_id))
    if file is None:
        raise NotFound
    return file


def list_existing_imports(session: LockedSession, import_file_ids: Collection[int]) -> Collection[int]:
    """Those of some imports that exist: a file may be thrown away."""
    return session.scalars(select(ImportFile.id).where(ImportFile.id.in_(import_file_ids))).all()


def get_stored_size(session: LockedSession, file: ImportFile) -> int | None:
    """Bytes of the file as it was received; None once it is no longer kept."""
    if file.stored_file_id is None:
        return None
    return session.scalar(select(StoredFile.byte_count).where(StoredFile.id == file.stored_file_id))


def find_same_file(session: LockedSession, file: ImportFile) -> ImportFile | None:
    """An earlier import of the same bytes into the same phone system that still stands."""
    if file.stored_file_id is None:
        return None
    digest = session.scalar(select(StoredFile.digest).where(StoredFile.id == file.stored_file_id))
    return session.scalars(
        select(ImportFile)
        .join(
            StoredFile,
            (StoredFile.organization_id == ImportFile.organization_id) & (StoredFile.id == ImportFile.stored_file_id),
        )
        .where(
            ImportFile.pbx_id == file.pbx_id,
            ImportFile.id < file.id,
            ImportFile.state.in_((*UNDER_WAY, *ENDED)),
            StoredFile.digest == digest,
        )
        .order_by(ImportFile.id.desc())
        .limit(1)
    ).first()


def has_other_imports(session: LockedSession, file: ImportFile) -> bool:
    """Whether another file of the phone system was imported, so that its settings are in use already."""
    found = session.scalar(
        select(ImportFile.id)
        .where(
            ImportFile.pbx_id == file.pbx_id,
            ImportFile.id != file.id,
            ImportFile.state.in_((*UNDER_WAY, *ENDED)),
        )
        .limit(1)
    )
    return found is not None


def newest_read_file(session: LockedSession, pbx_id: int) -> ImportFile | None:
    """The newest imported file of a phone system that is still kept: what the guesses are made from."""
    return session.scalars(
        select(ImportFile)
        .where(
            ImportFile.pbx_id == pbx_id,
            ImportFile.state.in_((ImportState.RUNNING, *ENDED)),
            ImportFile.stored_file_id.is_not(None),
            ImportFile.stored_count + ImportFile.duplicate_count > 0,
        )
        .order_by(ImportFile.id.desc())
        .limit(1)
    ).first()


def list_refused(session: LockedSession, import_file_id: int, after: int, limit: int) -> list[RejectedLine]:
    """Refused lines behind line number `after`, in the order of the file."""
    return list(
        session.scalars(
            select(RejectedLine)
            .where(RejectedLine.import_file_id == import_file_id, RejectedLine.line_number > after)
            .order_by(RejectedLine.line_number)
            .limit(limit)
        )
    )


def count_stored_from(session: LockedSession, pbx_id: int) -> int:
    """Records that the imports of a phone system have brought, from their own counts."""
    total = session.scalar(
        select(func.coalesce(func.sum(ImportFile.stored_count), 0)).where(
            ImportFile.pbx_id == pbx_id, ImportFile.state != ImportState.UNDONE
        )
    )
    return int(total or 0)
