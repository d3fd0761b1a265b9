"""What people do with phone systems: add, rename, close, reopen, answer what no file says.

Called by the views and by `flask create-pbx`. Rules that are broken raise Refused with the field's name. Each is
recorded in the audit as done by `actor_id`, a user_account; None is the operator.
"""

import json
from dataclasses import dataclass

from sqlalchemy import delete, func, select, update

from webapp import clock
from webapp.audit.actions import record
from webapp.calls.models import ImportFile, Pbx, RejectedLine
from webapp.database.ids import new_id
from webapp.errors import Refused
from webapp.ingest.readers import READERS
from webapp.jobs.queue import enqueue
from webapp.names import clean_name
from webapp.places import is_time_zone
from webapp.sources.imports import READ_AGAIN
from webapp.sources.queries import find_pbx_by_name
from webapp.tenancy.lock import LockedSession

LONGEST_NAME = 80


@dataclass(frozen=True)
class Answers:
    """What no file says about a phone system. Empty texts mean "none"; `extension_digits` is "3" or "3,4"."""

    outside_lines: frozenset[str]
    extension_digits: str
    outside_prefix: str
    region: str
    area_code: str
    time_zone: str

    @classmethod
    def of(cls, pbx: Pbx) -> "Answers":
        return cls(
            frozenset(json.loads(pbx.outside_lines)),
            pbx.extension_digits,
            pbx.outside_prefix,
            pbx.region,
            pbx.area_code,
            pbx.time_zone,
        )


def add_pbx(
    session: LockedSession,
    name: str,
    time_zone: str,
    region: str,
    reader_name: str | None = None,
    *,
    actor_id: int | None,
) -> Pbx:
    """A new phone system. Raises Refused for a name that is taken, an unknown zone or format."""
    assert session.organization_id is not None
    pbx = Pbx(
        organization_id=session.organization_id,
        id=new_id(),
        name=_free_name(session, name, None),
        format=_known_format(reader_name),
        time_zone=_known_zone(time_zone),
        region=region,
        area_code="",
        outside_prefix="",
        extension_digits="",
        outside_lines="[]",
        settings_version=1,
        created_at=clock.now(),
    )
    session.add(pbx)
    session.flush()
    record(session, "pbx.added", actor_id=actor_id, object_id=pbx.id, name=pbx.name)
    return pbx


def rename_pbx(session: LockedSession, pbx: Pbx, name: str, *, actor_id: int | None) -> None:
    """Raises Refused for a name that is taken."""
    before, pbx.name = pbx.name, _free_name(session, name, pbx.id)
    if before != pbx.name:
        record(session, "pbx.renamed", actor_id=actor_id, object_id=pbx.id, before=before, name=pbx.name)


def close_pbx(session: LockedSession, pbx: Pbx, *, actor_id: int | None) -> None:
    """Accept nothing from it any more; its calls stay. An import of it that runs ends at its next batch."""
    if pbx.closed_at is None:
        pbx.closed_at = clock.now()
        record(session, "pbx.closed", actor_id=actor_id, object_id=pbx.id, name=pbx.name)


def reopen_pbx(session: LockedSession, pbx: Pbx, *, actor_id: int | None) -> None:
    if pbx.closed_at is not None:
        pbx.closed_at = None
        record(session, "pbx.reopened", actor_id=actor_id, object_id=pbx.id, name=pbx.name)


def read_records_again(session: LockedSession, pbx: Pbx, records: int, *, actor_id: int | None) -> None:
    """Put it into the queue, after answers that change how its records are read."""
    enqueue(session, READ_AGAIN, {"pbx_id": pbx.id}, session.organization_id)
    record(session, "pbx.read_again", actor_id=actor_id, object_id=pbx.id, name=pbx.name, records=records)


def answer_questions(session: LockedSession, pbx: Pbx, answers: Answers, *, actor_id: int | None) -> None:
    """Store the answers; whoever calls sees to it that records that are there already are read again.

    Another zone is that of its imports too, but for those that were read in a zone of their own.
    """
    session.execute(
        update(ImportFile)
        .where(ImportFile.pbx_id == pbx.id, ImportFile.time_zone == pbx.time_zone)
        .values(time_zone=_known_zone(answers.time_zone))
        .execution_options(synchronize_session=False)
    )
    pbx.outside_lines = json.dumps(sorted(answers.outside_lines))
    pbx.extension_digits = answers.extension_digits
    pbx.outside_prefix = answers.outside_prefix
    pbx.region = answers.region
    pbx.area_code = answers.area_code
    pbx.time_zone = answers.time_zone
    pbx.answered_at = pbx.answered_at or clock.now()
    pbx.settings_version += 1
    record(session, "pbx.set_up", actor_id=actor_id, object_id=pbx.id, name=pbx.name)


def _free_name(session: LockedSession, name: str, own_id: int | None) -> str:
    name = clean_name(name)
    if not 1 <= len(name) <= LONGEST_NAME:
        raise Refused(f"Give the phone system a name of at most {LONGEST_NAME} characters.", "name")
    namesake = find_pbx_by_name(session, name)
    if namesake is not None and namesake.id != own_id:
        raise Refused(f"There is a phone system named {name} already. Give this one another name.", "name")
    return name


def _known_format(name: str | None) -> str | None:
    if name is not None and name not in READERS:
        raise Refused(f"{name} is no format that can be read. There are: {', '.join(READERS)}.", "format")
    return name


def _known_zone(name: str) -> str:
    if not is_time_zone(name):
        raise Refused(f"{name} is no time zone. Give its IANA name, such as Europe/London.", "time_zone")
    return name


def forget_refused(session: LockedSession, file: ImportFile, *, actor_id: int) -> int:
    """Throw away what an import keeps of lines that could not be read; their number. Its counts stay."""
    lines = select(func.count(RejectedLine.line_number)).where(RejectedLine.import_file_id == file.id)
    count = session.scalar(lines) or 0
    if count:
        session.execute(delete(RejectedLine).where(RejectedLine.import_file_id == file.id))
        record(
            session,
            "refused_lines.thrown_away",
            actor_id=actor_id,
            object_id=file.id,
            file=file.file_name,
            count=f"{count:,}",
        )
    return count
