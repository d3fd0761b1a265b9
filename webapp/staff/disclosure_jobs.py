"""Makes archives of disclosures, tells organizations when a gag ends, deletes archives after 30 days.

Registered by disclosure_views.py. A job that was killed starts again with another key, and what it had made before is
deleted; of two that make the same archive the older one notices at its next piece.
"""

from collections.abc import Callable
from datetime import timedelta
from functools import partial

from sqlalchemy import Delete, delete, select

from webapp.audit.service_chain import note_for_service
from webapp.clock import now
from webapp.database.engine import Database
from webapp.jobs.handlers import Work
from webapp.jobs.queue import register, register_chore
from webapp.sealed import SealingWriter, new_key
from webapp.sealing import seal
from webapp.staff.disclosure_actions import PRODUCE, hold_disclosure, is_gagged, tell_organization
from webapp.staff.disclosure_archive import Archived, Stopped, write_archive
from webapp.tenancy.consent_models import Disclosure, DisclosureChunk, DisclosureState
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.models import Organization
from webapp.tenancy.sessions import reading_session, writing_session

KEPT_FOR = timedelta(days=30)
May = Callable[[LockedSession, Disclosure], bool]
_DELETED_AT_ONCE = 16  # chunks of a MiB in one transaction
_AGREED = (DisclosureState.AGREED, DisclosureState.PRODUCED, DisclosureState.FAILED)


def register_jobs() -> None:
    register(PRODUCE, produce, when_dead=note_failure)
    register_chore("staff.look_after_disclosures", look_after_disclosures)


def produce(work: Work) -> None:
    """Make the archive, unless it is made, or was taken back meanwhile."""
    database, organization_id, disclosure_id = work.database, *_whose(work)
    key = new_key()
    sealed_key = seal(work.settings.secret_key, key)
    found = _begin(database, organization_id, disclosure_id, sealed_key)
    if found is None:
        _drop(database, organization_id, disclosure_id, _is_over)
        return
    organization, disclosure = found
    _drop(database, organization_id, disclosure_id, partial(_is_mine, sealed_key=sealed_key), first=0)
    try:
        at = now()
        sink = SealingWriter(key, _storing(database, organization_id, disclosure_id, sealed_key))
        archived = write_archive(database, organization, disclosure, at, sink, work.keep)
    except Stopped:
        # Whoever has it by now, or takes it up again, begins by deleting what is left here.
        _drop(database, organization_id, disclosure_id, _is_over)
        return
    _finish(database, organization_id, disclosure_id, sealed_key, archived)


def _whose(work: Work) -> tuple[int, int]:
    return work.payload["organization_id"], work.payload["disclosure_id"]


def _begin(
    database: Database, organization_id: int, disclosure_id: int, sealed_key: bytes
) -> tuple[Organization, Disclosure] | None:
    """Put this run's key in the place of an earlier one's. None: there is nothing to make."""
    with writing_session(database, organization_id) as session:
        disclosure = hold_disclosure(session, disclosure_id)
        if disclosure.state != DisclosureState.AGREED:
            return None
        organization = session.get_one(Organization, organization_id)
        session.execute(_chunks_of(disclosure_id).where(DisclosureChunk.position == DisclosureChunk.KEY_POSITION))
        position = DisclosureChunk.KEY_POSITION
        session.add(DisclosureChunk(disclosure_id=disclosure_id, position=position, content=sealed_key))
        session.commit()
    return organization, disclosure


def _chunks_of(disclosure_id: int) -> Delete:
    return delete(DisclosureChunk).where(DisclosureChunk.disclosure_id == disclosure_id)


def _storing(
    database: Database, organization_id: int, disclosure_id: int, sealed_key: bytes
) -> Callable[[bytes], None]:
    """Stores the pieces in order, each in a transaction of its own."""
    count = 0

    def store(piece: bytes) -> None:
        nonlocal count
        with writing_session(database, organization_id) as session:
            if not _is_mine(session, hold_disclosure(session, disclosure_id), sealed_key):
                raise Stopped
            session.add(DisclosureChunk(disclosure_id=disclosure_id, position=count, content=piece))
            session.commit()
        count += 1

    return store


def _is_mine(session: LockedSession, disclosure: Disclosure, sealed_key: bytes) -> bool:
    """False when another run has begun since, or it was taken back."""
    kept = session.scalar(
        select(DisclosureChunk.content).where(
            DisclosureChunk.disclosure_id == disclosure.id, DisclosureChunk.position == DisclosureChunk.KEY_POSITION
        )
    )
    return disclosure.state == DisclosureState.AGREED and kept is not None and bytes(kept) == sealed_key


def _is_over(_session: LockedSession, disclosure: Disclosure) -> bool:
    """Nothing of it is made, and nobody makes it."""
    return disclosure.state in (DisclosureState.TAKEN_BACK, DisclosureState.FAILED)


def _is_made(_session: LockedSession, disclosure: Disclosure) -> bool:
    return disclosure.state == DisclosureState.PRODUCED


def _finish(
    database: Database, organization_id: int, disclosure_id: int, sealed_key: bytes, archived: Archived
) -> None:
    with writing_session(database, organization_id) as session:
        disclosure = hold_disclosure(session, disclosure_id)
        if not _is_mine(session, disclosure, sealed_key):
            return
        disclosure.state, disclosure.produced_at = DisclosureState.PRODUCED, now()
        disclosure.manifest_digest, disclosure.row_count = archived.digest, archived.rows
        note_for_service(
            session,
            "legal.produced",
            None,
            disclosure_id,
            organization=session.get_one(Organization, organization_id).name,
            authority=disclosure.authority,
            rows=archived.rows,
            digest=archived.digest.hex(),
        )
        session.commit()


def note_failure(work: Work) -> None:
    """The job has failed for good: the page says so, and staff can have it tried again."""
    organization_id, disclosure_id = _whose(work)
    with writing_session(work.database, organization_id) as session:
        disclosure = hold_disclosure(session, disclosure_id)
        if disclosure.state != DisclosureState.AGREED:
            return
        disclosure.state = DisclosureState.FAILED
        name = session.get_one(Organization, organization_id).name
        authority = disclosure.authority
        note_for_service(session, "legal.failed", None, disclosure_id, organization=name, authority=authority)
        session.commit()
    _drop(work.database, organization_id, disclosure_id, _is_over)


def _drop(
    database: Database, organization_id: int, disclosure_id: int, may: May, first: int = DisclosureChunk.KEY_POSITION
) -> None:
    """Delete what is stored of an archive from this position on, a few pieces at a time, as long as `may` says so."""
    while True:
        with writing_session(database, organization_id) as session:
            if not may(session, hold_disclosure(session, disclosure_id)):
                return
            some = session.scalars(
                select(DisclosureChunk.position)
                .where(DisclosureChunk.disclosure_id == disclosure_id, DisclosureChunk.position >= first)
                .order_by(DisclosureChunk.position)
                .limit(_DELETED_AT_ONCE)
            ).all()
            if not some:
                return
            session.execute(_chunks_of(disclosure_id).where(DisclosureChunk.position.in_(some)))
            session.commit()


def look_after_disclosures(database: Database) -> None:
    """Of every organization: tell it what it may know by now; delete archives that have lain there for 30 days."""
    with reading_session(database) as session:
        organization_ids = session.scalars(select(Organization.id)).all()
    for organization_id in organization_ids:
        with reading_session(database, organization_id) as session:
            untold = select(Disclosure).where(Disclosure.told_at.is_(None), Disclosure.state.in_(_AGREED))
            due = [each.id for each in session.scalars(untold) if not is_gagged(each)]
            old = session.scalars(
                select(Disclosure.id).where(
                    Disclosure.produced_at < now() - KEPT_FOR,
                    select(DisclosureChunk.position)
                    .where(
                        DisclosureChunk.organization_id == Disclosure.organization_id,
                        DisclosureChunk.disclosure_id == Disclosure.id,
                    )
                    .exists(),
                )
            ).all()
        for disclosure_id in due:
            _tell(database, organization_id, disclosure_id)
        for disclosure_id in old:
            _delete(database, organization_id, disclosure_id)


def _tell(database: Database, organization_id: int, disclosure_id: int) -> None:
    with writing_session(database, organization_id) as session:
        disclosure = hold_disclosure(session, disclosure_id)
        tell_organization(session, session.get_one(Organization, organization_id), disclosure)
        session.commit()


def _delete(database: Database, organization_id: int, disclosure_id: int) -> None:
    with writing_session(database, organization_id) as session:
        name = session.get_one(Organization, organization_id).name
        authority = session.get_one(Disclosure, (organization_id, disclosure_id)).authority
        note_for_service(session, "legal.deleted", None, disclosure_id, organization=name, authority=authority)
        session.commit()
    _drop(database, organization_id, disclosure_id, _is_made)
