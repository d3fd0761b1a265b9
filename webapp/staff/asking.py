"""Staff ask an organization to be let in, or take that back. Called by request_views.py.

The session is the web role's, bound to that organization: the console's own connections write nothing.
"""

from sqlalchemy import select

from webapp.accounts.models import UserAccount
from webapp.audit.actions import record
from webapp.clock import now
from webapp.database.ids import new_id
from webapp.errors import NotFound, Refused
from webapp.jobs.queue import enqueue
from webapp.organizations.jobs import CLOSE_UNANSWERED
from webapp.organizations.support import get_request, name_staff, tell_service
from webapp.organizations.support_mails import list_owners, mail_asked
from webapp.tenancy.consent import (
    ANSWERED_WITHIN,
    Terms,
    check_terms,
    request_state,
    tell_hours,
    tell_terms,
    terms_of_request,
)
from webapp.tenancy.consent_models import AccessRequest, RequestState
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.members import hold_organization


def ask(session: LockedSession, staff: UserAccount, terms: Terms, ticket: str, reason: str) -> AccessRequest:
    """Ask the owners of the bound organization, who get a mail. Raises Refused: they are asked already, or nobody is
    there to answer."""
    hold_organization(session)
    check_terms(terms)
    waiting = select(AccessRequest).where(
        AccessRequest.staff_id == staff.id, AccessRequest.state == RequestState.WAITS, AccessRequest.expires_at > now()
    )
    if session.scalars(waiting).first() is not None:
        raise Refused("You have asked them already: take that back first, or wait for the answer.")
    owners = list_owners(session)
    if not owners:
        raise Refused("Nobody can answer: this organization has no owner who can sign in.")
    request = _store(session, staff, terms, ticket, reason)
    mail_asked(session, owners, name_staff(session, staff.id), request)
    assert session.organization_id is not None
    enqueue(session, CLOSE_UNANSWERED, {"request_id": request.id}, session.organization_id, request.expires_at)
    event = record(
        session,
        "support.asked",
        actor_id=staff.id,
        object_id=request.id,
        staff=name_staff(session, staff.id),
        what=tell_terms(terms),
        hours=tell_hours(terms.hours),
        reason=f"{ticket}, {reason}" if ticket else reason,
    )
    tell_service(session, event)
    return request


def take_back(session: LockedSession, staff: UserAccount, request_id: int) -> None:
    """One's own request, as long as nobody has answered. Raises NotFound and Refused."""
    hold_organization(session)
    request = get_request(session, request_id)
    if request.staff_id != staff.id:
        raise NotFound
    if request_state(request, now()) != RequestState.WAITS:
        raise Refused("This was answered meanwhile, or its time is over. Nothing was changed.")
    request.state, request.answered_at = RequestState.TAKEN_BACK, now()
    event = record(
        session,
        "support.taken_back",
        actor_id=staff.id,
        object_id=request.id,
        staff=name_staff(session, staff.id),
        what=tell_terms(terms_of_request(request)),
    )
    tell_service(session, event)


def _store(session: LockedSession, staff: UserAccount, terms: Terms, ticket: str, reason: str) -> AccessRequest:
    moment = now()
    request = AccessRequest(
        id=new_id(),
        staff_id=staff.id,
        areas=terms.areas,
        full_numbers=terms.full_numbers,
        may_download=terms.may_download,
        hours=terms.hours,
        ticket=ticket,
        reason=reason,
        state=RequestState.WAITS,
        created_at=moment,
        expires_at=moment + ANSWERED_WITHIN,
        answered_at=None,
        answered_by=None,
    )
    session.add(request)
    session.flush()
    return request
