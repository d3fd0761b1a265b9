"""What is done to a restored database before it may serve: time has gone on since its moment. Called by restoring.py.

Browsers are signed out, questions and codes of the moment are void, support starts anew by being allowed, mails that
waited are held back, and every organization reads in its audit that the service was restored.
"""

from datetime import datetime

from sqlalchemy import delete, select, update

from webapp import clock
from webapp.accounts.models import HelpCode, PasskeyChallenge, WebSession
from webapp.audit.actions import record
from webapp.database.engine import Database
from webapp.jobs.models import Job, JobState, LiveWorker
from webapp.outbox.actions import hold_all
from webapp.tenancy.consent_models import AccessGrant, AccessOpening
from webapp.tenancy.models import Organization
from webapp.tenancy.sessions import reading_session, writing_session


def settle(database: Database, moment: datetime) -> int:
    """Returns how many mails are held back."""
    with writing_session(database) as session:
        for statement in (
            delete(PasskeyChallenge),
            delete(HelpCode),
            delete(WebSession),
            delete(LiveWorker),
            # What ran then runs nowhere now: it begins again, as after a crash.
            update(Job)
            .where(Job.state == JobState.RUNNING)
            .values(state=JobState.WAITING, lease_owner=None, lease_until=None),
        ):
            session.execute(statement.execution_options(synchronize_session=False))
        held = hold_all(session)
        session.commit()
    with reading_session(database) as session:
        organization_ids = session.scalars(select(Organization.id)).all()
    for organization_id in organization_ids:
        _settle_organization(database, organization_id, moment)
    return held


def _settle_organization(database: Database, organization_id: int, moment: datetime) -> None:
    """An owner may have taken back since what was allowed then: it ends, and can be allowed again."""
    now = clock.now()
    with writing_session(database, organization_id) as session:
        for statement in (
            update(AccessOpening).where(AccessOpening.ended_at.is_(None)).values(ended_at=now),
            update(AccessGrant).where(AccessGrant.ended_at.is_(None), AccessGrant.ends_at > now).values(ended_at=now),
        ):
            session.execute(statement.execution_options(synchronize_session=False))
        record(session, "support.restored", actor_id=None, moment=f"{moment:%-d %B %Y, %H:%M} UTC")
        session.commit()
