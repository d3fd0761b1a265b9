"""The life of an imported file up to its end: recognise, choose how to read it, start, cancel, undo, throw away.

Called by the views and by `flask import-calls`. Storing calls is ingest's; here only the row of import_file changes.
What changes calls is recorded in the audit as done by `actor_id`, a user_account; None is the operator.
"""

import json
import re
from dataclasses import asdict, dataclass

from webapp import clock
from webapp.audit.actions import record
from webapp.calls.models import ImportFile, ImportState, Pbx
from webapp.database.ids import new_id
from webapp.errors import Refused
from webapp.ingest.import_plan import read_column_map
from webapp.ingest.readers import READERS
from webapp.ingest.readers.column_guess import guess_columns, misused_column
from webapp.ingest.recognise import Guess, recognise
from webapp.ingest.records import ColumnMap, Head
from webapp.ingest.source import UnreadableFile, open_text
from webapp.ingest.source_bytes import ByteStream
from webapp.jobs.queue import enqueue
from webapp.places import is_time_zone
from webapp.sources.queries import ENDED, UNDER_WAY, has_other_imports
from webapp.tenancy.lock import LockedSession

GENERIC = "generic_csv"
LARGEST_FILE = 2 * 1000**3
_LONGEST_FILE_NAME = 200
_USUAL_FORMAT_STAYS = 0.5  #: a phone system's format is kept where the file may well be in it

NO_UNDO = (
    "What a phone system sent by itself cannot be undone: there is no file from which it could come back, and the "
    "phone system will not send it again. Nothing was changed."
)
IMPORT, UNDO, READ_AGAIN = "sources.import", "sources.undo", "sources.read_again"


@dataclass(frozen=True)
class Recognised:
    """What a file seems to be. `guesses`: best first, perhaps none; `columns` is the guess for a generic CSV."""

    guesses: list[Guess]
    head: Head
    columns: ColumnMap


def recognise_stream(stream: ByteStream) -> Recognised:
    """Look at the beginning of a file. Raises Refused where it can be no call log at all."""
    try:
        head = open_text(stream).head
    except UnreadableFile as refusal:
        raise Refused(f"{refusal} Nothing of the file was stored.", "file") from None
    return Recognised(recognise(head), head, guess_columns(head).columns)


def choose_format(recognised: Recognised, pbx: Pbx) -> tuple[str | None, int]:
    """The format to begin with, and its confidence in percent: the usual one where the file may well be in it."""
    by_name = {guess.reader: guess for guess in recognised.guesses}
    usual = by_name.get(pbx.format or "")
    if usual is not None and usual.confidence >= _USUAL_FORMAT_STAYS:
        return usual.reader, round(usual.confidence * 100)
    if pbx.format == GENERIC and pbx.column_map:
        return GENERIC, round(usual.confidence * 100) if usual else 0
    best = recognised.guesses[0] if recognised.guesses else None
    return (best.reader, round(best.confidence * 100)) if best else (None, 0)


def receive_file(
    session: LockedSession,
    pbx: Pbx,
    stored_file_id: int,
    file_name: str,
    recognised: Recognised,
    user_account_id: int | None,
) -> ImportFile:
    """A new import in state UPLOADED, over a file that is stored already."""
    assert session.organization_id is not None
    reader_name, confidence = choose_format(recognised, pbx)
    file = ImportFile(
        organization_id=session.organization_id,
        id=new_id(),
        pbx_id=pbx.id,
        stored_file_id=stored_file_id,
        file_name=shorten_file_name(file_name),
        format=reader_name,
        confidence=confidence,
        time_zone=pbx.time_zone,
        column_map=_first_columns(pbx, recognised),
        state=ImportState.UPLOADED,
        cancel_asked=False,
        read_count=0,
        stored_count=0,
        duplicate_count=0,
        skipped_count=0,
        refused_count=0,
        call_count=0,
        bytes_read=0,
        work_seconds=0,
        user_account_id=user_account_id,
        created_at=clock.now(),
    )
    session.add(file)
    session.flush()
    return file


def _first_columns(pbx: Pbx, recognised: Recognised) -> str:
    """The saved mapping where it fits the file's width, else the guess."""
    saved = read_column_map(pbx.column_map)
    if (
        saved is not None
        and saved.delimiter == recognised.columns.delimiter
        and saved.has_header == recognised.columns.has_header
    ):
        return json.dumps(asdict(saved))
    return json.dumps(asdict(recognised.columns))


def shorten_file_name(name: str) -> str:
    """The last part of what a browser calls the file, without control characters."""
    last = re.split(r"[/\\]", name)[-1]
    shown = "".join(letter if letter.isprintable() else " " for letter in last).strip()
    return shown[:_LONGEST_FILE_NAME] or "calls.csv"


def read_as(session: LockedSession, file: ImportFile, pbx: Pbx, reader_name: str, time_zone: str) -> None:
    """Choose the format and zone in which a file will be read. Raises Refused once it has been started."""
    _must_be_waiting(file)
    if reader_name not in READERS:
        raise Refused("Choose one of the formats.", "reader_name")
    if not is_time_zone(time_zone):
        raise Refused("Choose one of the time zones.", "time_zone")
    file.format = reader_name
    file.time_zone = time_zone
    if not has_other_imports(session, file):
        pbx.time_zone = time_zone


def read_columns_as(file: ImportFile, columns: ColumnMap, head: Head) -> None:
    """Choose what the columns of a generic CSV hold. Raises Refused for a map by which its calls cannot be read."""
    _must_be_waiting(file)
    problem = misused_column(head, columns)
    if problem:
        raise Refused(problem)
    given = columns.columns.keys()
    if "started" not in given and not {"date", "time"} <= given:
        raise Refused(
            "Say which column holds the start of the call, or choose one for the date and one for the time of day."
        )
    if not given & {"caller", "dialed", "reached"}:
        raise Refused("Say which column holds the caller or the number dialled.")
    file.format = GENERIC
    file.column_map = json.dumps(asdict(columns))


def start_import(session: LockedSession, file: ImportFile, pbx: Pbx, *, actor_id: int | None) -> None:
    """Put the import into the queue; also goes on with one that failed half-way. Raises Refused."""
    begin_import(session, file, pbx, actor_id=actor_id)
    enqueue(session, IMPORT, {"import_file_id": file.id}, session.organization_id)


def begin_import(session: LockedSession, file: ImportFile, pbx: Pbx, *, actor_id: int | None) -> None:
    """All of it but the job. Raises Refused."""
    _may_begin(file, pbx)
    _remember_reading(file, pbx)
    file.state = ImportState.QUEUED
    file.cancel_asked = False
    file.error = None
    file.ended_at = None
    record(session, "import.started", actor_id=actor_id, object_id=file.id, file=file.file_name)


def _may_begin(file: ImportFile, pbx: Pbx) -> None:
    """Raises Refused where an import cannot be started."""
    if file.state not in (ImportState.UPLOADED, ImportState.FAILED) or file.stored_file_id is None:
        raise Refused("This file has been imported already, or is being imported. Nothing was changed.")
    if pbx.closed_at is not None:
        raise Refused(
            f"{pbx.name} is closed and accepts no calls. Open it again on the Phone systems page, then import."
        )
    if file.format is None:
        raise Refused("Choose the format of the file first.")


def _remember_reading(file: ImportFile, pbx: Pbx) -> None:
    """Keep with the phone system how its files are read, for next time."""
    pbx.format = pbx.format or file.format
    if file.format == GENERIC:
        pbx.column_map = file.column_map


def cancel_import(session: LockedSession, file: ImportFile, *, actor_id: int | None) -> None:
    """End an import at its next batch; what is stored by then stays until it is undone."""
    if file.state in (ImportState.QUEUED, ImportState.RUNNING):
        record(session, "import.cancelled", actor_id=actor_id, object_id=file.id, file=file.file_name)
    if file.state == ImportState.QUEUED:
        file.state = ImportState.CANCELLED
        file.ended_at = clock.now()
    elif file.state == ImportState.RUNNING:
        file.cancel_asked = True


def undo(session: LockedSession, file: ImportFile, *, actor_id: int | None) -> None:
    """Put the undo of an import into the queue. Raises Refused where there is nothing to undo."""
    if file.delivered_on is not None:
        raise Refused(NO_UNDO)
    if file.state not in ENDED:
        raise Refused("Only an import that has ended can be undone. Nothing was changed.")
    file.state = ImportState.UNDOING
    file.error = None
    enqueue(session, UNDO, {"import_file_id": file.id}, session.organization_id)
    record(session, "import.undone", actor_id=actor_id, object_id=file.id, file=file.file_name)


def throw_away(session: LockedSession, file: ImportFile, *, actor_id: int | None) -> int | None:
    """Forget a file that was never imported; gives the stored file to delete. Raises Refused."""
    _must_be_waiting(file)
    stored_file_id = file.stored_file_id
    record(session, "import.thrown_away", actor_id=actor_id, object_id=file.id, file=file.file_name)
    session.delete(file)
    session.flush()
    return stored_file_id


def is_under_way(file: ImportFile) -> bool:
    return file.state in UNDER_WAY


def _must_be_waiting(file: ImportFile) -> None:
    if file.state != ImportState.UPLOADED:
        raise Refused("This file has been imported already, or is being imported. Nothing was changed.")
