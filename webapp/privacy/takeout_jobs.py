"""Makes takeouts, tells owners when one is ready, and deletes archives once they have run out.

Registered by takeout_views.py. A job that was killed goes on after the last file that it finished.
"""

from datetime import timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import delete, select

from webapp.audit.actions import record
from webapp.clock import now
from webapp.database.engine import Database
from webapp.formatting import format_date, format_size
from webapp.jobs.handlers import Work
from webapp.jobs.queue import register, register_chore
from webapp.organizations.support_mails import list_owners
from webapp.outbox.actions import queue_mail
from webapp.privacy.models import Takeout, TakeoutChunk, TakeoutEntry, TakeoutState
from webapp.privacy.takeout_plan import MANIFEST, About, PlannedFile, list_files
from webapp.privacy.takeout_tables import Source
from webapp.privacy.takeout_writing import (
    Archive,
    Stopped,
    add_directory,
    drop_chunks,
    hold_takeout,
    open_archive,
    write_file,
)
from webapp.privacy.takeouts import BEING_MADE, MAKE
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.members import hold_organization
from webapp.tenancy.models import Organization
from webapp.tenancy.sessions import reading_session, writing_session

_OVER = (TakeoutState.FAILED, TakeoutState.GONE)


def register_jobs() -> None:
    register(MAKE, make_takeout, when_dead=note_failure)
    register_chore("privacy.sweep_takeouts", sweep_takeouts)


def make_takeout(work: Work) -> None:
    """Write what is still missing of it, unless it is made."""
    assert work.organization_id is not None
    database, organization_id, takeout_id = work.database, work.organization_id, work.payload["takeout_id"]
    begun = _begin(database, organization_id, takeout_id)
    if begun is None:
        return
    about, files = begun
    archive = open_archive(database, organization_id, takeout_id, work.keep)
    finished = {entry.name for entry in archive.entries}
    try:
        for planned in files:
            if planned.name not in finished:
                _write(archive, planned, about)
    except Stopped:
        return  # whoever takes it up again begins with the file that was under way
    _finish(archive, about)


def _begin(database: Database, organization_id: int, takeout_id: int) -> tuple[About, list[PlannedFile]] | None:
    """None: there is nothing to make."""
    with writing_session(database, organization_id) as session:
        takeout = hold_takeout(session, takeout_id)
        if takeout.state not in BEING_MADE:
            return None
        organization = session.get_one(Organization, organization_id)
        source = Source(database, organization_id, ZoneInfo(organization.time_zone))
        moment = takeout.moment_at or now()
        about = About(organization, moment)
        files = list_files(session, source, about)
        takeout.state, takeout.moment_at, takeout.steps = TakeoutState.IS_WRITTEN, moment, len(files)
        session.commit()
    return about, files


def _write(archive: Archive, planned: PlannedFile, about: About) -> None:
    try:
        write_file(archive, planned, about)
    except FileNotFoundError:
        # The import was undone, or the file ran out, since the plan was made: then it is no longer the organization's.
        drop_chunks(archive.database, archive.organization_id, archive.takeout_id, archive.next_position)


def _finish(archive: Archive, about: About) -> None:
    with archive.writing() as session:
        hold_organization(session)  # how long it is kept is as its owners say at this moment
        organization = session.get_one(Organization, archive.organization_id)
        takeout = hold_takeout(session, archive.takeout_id)
        if takeout.state != TakeoutState.IS_WRITTEN:
            return
        takeout.byte_count = add_directory(session, archive, about)
        takeout.state, takeout.ready_at = TakeoutState.READY, now()
        takeout.expires_at = takeout.ready_at + timedelta(days=organization.keep_exports_days)
        takeout.steps = takeout.step = len(archive.entries)
        takeout.manifest_digest = next(entry.digest for entry in archive.entries if entry.name == MANIFEST)
        size = format_size(takeout.byte_count)
        record(session, "takeout.ready", actor_id=None, object_id=takeout.id, files=takeout.steps, size=size)
        for earlier in session.scalars(select(Takeout).where(Takeout.state == TakeoutState.READY)):
            if earlier.id != takeout.id:
                earlier.state = TakeoutState.GONE
        _mail(session, takeout, organization)
        session.commit()
    _clear(archive.database, archive.organization_id)


def _mail(session: LockedSession, takeout: Takeout, organization: Organization) -> None:
    """To whoever asked, or to every owner where staff did. What is in it stands in no mail."""
    owners = list_owners(session)
    assert takeout.moment_at is not None and takeout.ready_at is not None and takeout.expires_at is not None
    begun, ended, last = (
        instant.astimezone(ZoneInfo(organization.time_zone))
        for instant in (takeout.moment_at, takeout.ready_at, takeout.expires_at)
    )
    words: dict[str, str | int | None] = {
        "organization": organization.name,
        "slug": organization.slug,
        "read_from": f"{begun:%H:%M} on {format_date(begun.date())}",
        "read_until": f"{ended:%H:%M} on {format_date(ended.date())}",
        "until": format_date(last.date()),
        "by_staff": int(takeout.by_staff),
    }
    for owner in [each for each in owners if each.id == takeout.asked_by] or owners:
        queue_mail(session, "takeout_ready", owner.email, cause=f"takeout_ready:{takeout.id}", words=words)


def note_failure(work: Work) -> None:
    """The job has failed for good: the page says so, and a new one can be asked for."""
    assert work.organization_id is not None
    with writing_session(work.database, work.organization_id) as session:
        takeout = hold_takeout(session, work.payload["takeout_id"])
        if takeout.state not in BEING_MADE:
            return
        takeout.state = TakeoutState.FAILED
        record(session, "takeout.failed", actor_id=None, object_id=takeout.id)
        session.commit()
    _clear(work.database, work.organization_id)


def sweep_takeouts(database: Database) -> None:
    """Delete what has run out, in every organization. An hourly chore."""
    with reading_session(database) as session:
        organization_ids = session.scalars(select(Organization.id)).all()
    for organization_id in organization_ids:
        end_expired(database, organization_id)


def end_expired(database: Database, organization_id: int) -> int:
    """Delete what has run out in one, by the hour and in its night (retention_jobs.py). Returns how many takeouts."""
    over = Takeout.state == TakeoutState.READY, Takeout.expires_at <= now()
    with reading_session(database, organization_id) as session:
        due = session.scalars(select(Takeout.id).where(*over)).all()
    ended = sum(_end(database, organization_id, takeout_id) for takeout_id in due)
    _clear(database, organization_id)
    return ended


def _end(database: Database, organization_id: int, takeout_id: int) -> bool:
    with writing_session(database, organization_id) as session:
        takeout = hold_takeout(session, takeout_id)
        if takeout.state != TakeoutState.READY:
            return False
        takeout.state = TakeoutState.GONE
        record(session, "takeout.deleted", actor_id=None, object_id=takeout.id)
        session.commit()
        return True


def _clear(database: Database, organization_id: int) -> None:
    """Delete the archives of takeouts that are over; their rows stay."""
    with reading_session(database, organization_id) as session:
        left = session.scalars(
            select(Takeout.id).where(
                Takeout.state.in_(_OVER),
                select(TakeoutChunk.position)
                .where(TakeoutChunk.organization_id == Takeout.organization_id, TakeoutChunk.takeout_id == Takeout.id)
                .exists(),
            )
        ).all()
    for takeout_id in left:
        drop_chunks(database, organization_id, takeout_id)
        with writing_session(database, organization_id) as session:
            session.execute(delete(TakeoutEntry).where(TakeoutEntry.takeout_id == takeout_id))
            session.commit()
