"""The job of organizations: what support asked and nobody answered is refused when its time is over.

Put in with the request (staff/asking.py). Until it has run, whoever looks at the request sees the same by its time.
"""

from webapp.jobs.handlers import Work, register
from webapp.organizations.support import close_unanswered
from webapp.tenancy.consent_models import AccessRequest
from webapp.tenancy.members import hold_organization
from webapp.tenancy.sessions import writing_session

CLOSE_UNANSWERED = "support.close_unanswered"


def register_jobs() -> None:
    """Called by create_app()."""
    register(CLOSE_UNANSWERED, do_close_unanswered, leaves_nothing=True)


def do_close_unanswered(work: Work) -> None:
    with writing_session(work.database, work.organization_id) as session:
        hold_organization(session)
        assert session.organization_id is not None
        request = session.get(AccessRequest, (session.organization_id, work.payload["request_id"]))
        if request is not None:
            close_unanswered(session, request)
            session.commit()
