"""What owners answer when support asks to be let in: allow, refuse, invite help, end. Called by support_views.py.

Whoever calls holds the organization (guard.hold_and_check), so that of two owners the second sees what the first did.
Everything stands in the customer's chain and in the service's own, in one transaction.
"""

from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.accounts.models import UserAccount
from webapp.audit.actions import record
from webapp.audit.kinds import tell
from webapp.audit.models import AuditDetail, AuditEvent
from webapp.audit.service_chain import note_for_service
from webapp.clock import now
from webapp.database.ids import new_id
from webapp.errors import NotFound, Refused
from webapp.formatting import format_exactly
from webapp.organizations.support_mails import mail_answered
from webapp.tenancy.consent import (
    ANSWERED_WITHIN,
    GrantState,
    Terms,
    check_terms,
    check_within,
    end_of,
    find_start,
    grant_state,
    request_state,
    tell_terms,
    terms_of_grant,
    terms_of_request,
)
from webapp.tenancy.consent_models import AccessGrant, AccessOpening, AccessRequest, RequestState
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.models import Organization

REASON_AT_MOST = 500
_ALREADY = {
    RequestState.ALLOWED: "{who} has allowed this meanwhile. Nothing more was done.",
    RequestState.REFUSED: "{who} has refused this meanwhile. Nothing more was done.",
    RequestState.UNANSWERED: "Nobody answered in time, so this counts as refused. Support can ask again.",
    RequestState.TAKEN_BACK: "Support has taken this back: nobody waits for an answer any more.",
}


def get_request(session: LockedSession, request_id: int) -> AccessRequest:
    """Of the bound organization, as it is now. Raises NotFound."""
    assert session.organization_id is not None
    found = session.get(AccessRequest, (session.organization_id, request_id), populate_existing=True)
    if found is None:
        raise NotFound
    return found


def allow(
    session: LockedSession, owner: UserAccount, request: AccessRequest, given: Terms, starts: datetime | None
) -> AccessGrant:
    """Allow what was asked, or less of it. Raises Refused: answered already, more than was asked, no such time."""
    check_waits(session, request)
    check_within(given, terms_of_request(request))
    grant = _grant(session, owner, request, given, starts)
    _answer(request, owner, RequestState.ALLOWED)
    event = record(
        session,
        "support.allowed",
        actor_id=owner.id,
        object_id=request.id,
        staff=name_staff(session, request.staff_id),
        what=tell_terms(given),
        starts=_spell(session, grant.starts_at),
        ends=_spell(session, grant.ends_at),
    )
    mail_answered(session, owner, request, event)
    tell_service(session, event)
    return grant


def refuse(session: LockedSession, owner: UserAccount, request: AccessRequest) -> None:
    """Raises Refused when it is answered already."""
    check_waits(session, request)
    _answer(request, owner, RequestState.REFUSED)
    event = record(
        session,
        "support.refused",
        actor_id=owner.id,
        object_id=request.id,
        staff=name_staff(session, request.staff_id),
        what=tell_terms(terms_of_request(request)),
    )
    mail_answered(session, owner, request, event)
    tell_service(session, event)


def invite_help(
    session: LockedSession, owner: UserAccount, given: Terms, starts: datetime | None, reason: str
) -> AccessGrant:
    """Let in whoever of support opens it, without having been asked. Raises Refused where they are invited already."""
    check_terms(given)
    if any(grant.staff_id is None for grant in list_open_grants(session)):
        raise Refused("Support is invited already. End that first, then invite them anew.")
    moment = now()
    request = AccessRequest(
        id=new_id(),
        staff_id=None,
        areas=given.areas,
        full_numbers=given.full_numbers,
        may_download=given.may_download,
        hours=given.hours,
        ticket="",
        reason=reason,
        state=RequestState.ALLOWED,
        created_at=moment,
        expires_at=moment + ANSWERED_WITHIN,
        answered_at=moment,
        answered_by=owner.id,
    )
    session.add(request)
    session.flush()
    grant = _grant(session, owner, request, given, starts)
    event = record(
        session,
        "support.invited",
        actor_id=owner.id,
        object_id=request.id,
        what=tell_terms(given),
        reason=reason,
        starts=_spell(session, grant.starts_at),
        ends=_spell(session, grant.ends_at),
    )
    mail_answered(session, owner, request, event)
    tell_service(session, event)
    return grant


def end_grant(session: LockedSession, owner: UserAccount, grant_id: int) -> None:
    """Before its time, with all that is open by it. Raises NotFound; nothing is done where it is over already."""
    assert session.organization_id is not None
    grant = session.get(AccessGrant, (session.organization_id, grant_id), populate_existing=True)
    if grant is None:
        raise NotFound
    moment = now()
    if grant_state(grant, moment) not in (GrantState.COMING, GrantState.LIVE):
        return
    grant.ended_at, grant.ended_by = moment, owner.id
    of_grant = select(AccessOpening).where(AccessOpening.grant_id == grant.id, AccessOpening.ended_at.is_(None))
    for opening in session.scalars(of_grant):
        opening.ended_at = min(moment, opening.until_at)
    session.flush()
    what = tell_terms(terms_of_grant(grant))
    event = record(session, "support.ended", actor_id=owner.id, object_id=grant.request_id, what=what)
    tell_service(session, event)


def close_unanswered(session: LockedSession, request: AccessRequest) -> None:
    """Store that nobody answered in time. Nothing is done where somebody has, or still can."""
    if request.state != RequestState.WAITS or request_state(request, now()) != RequestState.UNANSWERED:
        return
    request.state, request.answered_at = RequestState.UNANSWERED, request.expires_at
    session.flush()
    event = record(
        session,
        "support.unanswered",
        actor_id=None,
        object_id=request.id,
        staff=name_staff(session, request.staff_id),
        what=tell_terms(terms_of_request(request)),
    )
    tell_service(session, event)


def check_waits(session: LockedSession, request: AccessRequest) -> None:
    """Raises Refused with what has become of a request that nobody can answer any more."""
    state = request_state(request, now())
    if state != RequestState.WAITS:
        answered = session.get(UserAccount, request.answered_by) if request.answered_by else None
        raise Refused(_ALREADY[state].format(who=(answered.name or answered.email) if answered else "Another owner"))


def list_open_grants(session: LockedSession) -> list[AccessGrant]:
    """Those of the bound organization that are live or to come."""
    query = select(AccessGrant).where(AccessGrant.ended_at.is_(None), AccessGrant.ends_at > now())
    return list(session.scalars(query.order_by(AccessGrant.starts_at, AccessGrant.id)))


def name_staff(session: Session, staff_id: int | None) -> str:
    """As customers know the person. `staff_id` None: whoever of them opens it."""
    person = session.get(UserAccount, staff_id) if staff_id is not None else None
    return "Somebody" if person is None else person.name or person.email


def tell_service(session: LockedSession, event: AuditEvent) -> None:
    """Write into the service's own chain what the customer's has just got. Last in its transaction."""
    organization = session.get_one(Organization, session.organization_id)
    detail = session.get_one(AuditDetail, (event.organization_id, event.position))
    happened = tell(event.kind, detail.words)
    note_for_service(
        session, "support.told", event.actor_id, organization.id, organization=organization.name, happened=happened
    )


def _grant(
    session: LockedSession, owner: UserAccount, request: AccessRequest, given: Terms, starts: datetime | None
) -> AccessGrant:
    moment = now()
    starts_at = find_start(starts, moment)
    grant = AccessGrant(
        id=new_id(),
        request_id=request.id,
        staff_id=request.staff_id,
        areas=given.areas,
        full_numbers=given.full_numbers,
        may_download=given.may_download,
        starts_at=starts_at,
        ends_at=end_of(starts_at, given),
        allowed_by=owner.id,
        created_at=moment,
        ended_at=None,
        ended_by=None,
    )
    session.add(grant)
    session.flush()
    return grant


def _answer(request: AccessRequest, owner: UserAccount, state: RequestState) -> None:
    request.state, request.answered_at, request.answered_by = state, now(), owner.id


def _spell(session: LockedSession, instant: datetime) -> str:
    zone = ZoneInfo(session.get_one(Organization, session.organization_id).time_zone)
    return format_exactly(instant, zone)
