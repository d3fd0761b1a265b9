"""The jobs of an organization that is closed: its owners are reminded, then everything of it is erased.

Registered by create_app(), put in when an owner closes it (closing.py). They belong to no organization, since they
outlive what they erase; one whose closing was taken back finds another instant there, and does nothing.
"""

from typing import Any

from sqlalchemy import select

from webapp.clock import now
from webapp.database.engine import Database
from webapp.jobs.handlers import Work
from webapp.jobs.queue import enqueue, find_open_job, register, register_chore
from webapp.outbox.claims import wipe_once_sent
from webapp.privacy.closing import ERASE, REMIND, SOON, erasure_of, mail_owners
from webapp.privacy.erasing import begin_erasure, erase_rows
from webapp.privacy.erasing_end import RECEIPT, end_erasure
from webapp.privacy.erasures import log_erasure
from webapp.privacy.models import ErasureKind
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.models import Organization, OrganizationState
from webapp.tenancy.sessions import reading_session, writing_session


def register_jobs() -> None:
    """Called by create_app()."""
    register(ERASE, erase, leaves_nothing=True)
    register(REMIND, remind, leaves_nothing=True)
    register_chore("privacy.see_to_erasures", see_to_erasures)
    wipe_once_sent(RECEIPT)


def see_to_erasures(database: Database) -> None:
    """Have what is over its days of grace erased, even where a full disk made its job fail until it was given up."""
    with reading_session(database) as session:
        closed = session.scalars(select(Organization).where(Organization.state == OrganizationState.CLOSED)).all()
    for organization in closed:
        if not organization.is_to_be_erased(now()):
            continue
        with writing_session(database) as session:
            payload = erasure_of(organization)
            if find_open_job(session, ERASE, None, payload) is None:
                enqueue(session, ERASE, payload, None)
                session.commit()


def remind(work: Work) -> None:
    with writing_session(work.database, work.payload["organization_id"]) as session:
        organization = _hold_closed(session, work.payload)
        if organization is not None and not organization.is_to_be_erased(now()):
            mail_owners(session, organization, SOON)
            session.commit()


def erase(work: Work) -> None:
    """Everything, once the days of grace are over."""
    organization_id: int = work.payload["organization_id"]
    if _begin(work) and erase_rows(work.database, organization_id, work.keep):
        end_erasure(work.database, organization_id, tell=True)


def _begin(work: Work) -> bool:
    """Held against whoever brings it back in the last moment: it is back, or it is erased. The log comes before the
    commit: what is in it is erased from every backup.
    """
    with writing_session(work.database, work.payload["organization_id"]) as session:
        organization = _hold_closed(session, work.payload)
        if organization is None or not organization.is_to_be_erased(now()):
            return False
        log_erasure(work.settings.data_dir, ErasureKind.ORGANIZATION, organization.id)
        begin_erasure(session, organization.id)
        session.commit()
    return True


def _hold_closed(session: LockedSession, payload: dict[str, Any]) -> Organization | None:
    """The organization until the transaction ends, if it is in the closing that the job is of."""
    held = select(Organization).where(Organization.id == session.organization_id).with_for_update(key_share=True)
    organization = session.scalars(held).one_or_none()
    if organization is None or organization.state != OrganizationState.CLOSED or erasure_of(organization) != payload:
        return None
    return organization
