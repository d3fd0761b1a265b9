"""Staff open what an organization allowed them: two hours at a time, in one browser, after a factor shown just now.

Called by opening_views.py and when a browser signs out. The session is the web role's, bound to that organization: the
console's own connections cannot read what was allowed.
"""

from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import select

from webapp.accounts.models import UserAccount
from webapp.audit.actions import record
from webapp.clock import now
from webapp.database.ids import new_id
from webapp.database.staff_rights import Area
from webapp.errors import NotFound, Refused
from webapp.formatting import format_exactly
from webapp.organizations.support import name_staff, tell_service
from webapp.tenancy.consent import GrantState, grant_state, opens_until, tell_terms, terms_of_grant
from webapp.tenancy.consent_models import AccessGrant, AccessOpening
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.members import hold_organization
from webapp.tenancy.models import Organization

_SHOWN_AT_MOST = 50
_NOT_NOW = {
    GrantState.COMING: "The hours that were allowed have not begun yet.",
    GrantState.ENDED: "An owner has ended this. Ask anew where you still need to look.",
    GrantState.OVER: "The hours that were allowed are over. Ask anew where you still need to look.",
}


def find_grant(session: LockedSession, staff_id: int, request_id: int) -> AccessGrant | None:
    """What the bound organization allowed for this request, where this member of staff may use it."""
    found = session.scalars(
        select(AccessGrant).where(AccessGrant.request_id == request_id).execution_options(populate_existing=True)
    ).one_or_none()
    return found if found is not None and found.staff_id in (None, staff_id) else None


def find_opening(session: LockedSession, grant: AccessGrant, web_session_id: int | None) -> AccessOpening | None:
    """The one by which this browser sees something now."""
    moment = now()
    query = select(AccessOpening).where(
        AccessOpening.grant_id == grant.id,
        AccessOpening.web_session_id == web_session_id,
        AccessOpening.ended_at.is_(None),
        AccessOpening.until_at > moment,
    )
    found = session.scalars(query).first()
    return found if found is not None and grant_state(grant, moment) is GrantState.LIVE else None


def list_openings(session: LockedSession, grant: AccessGrant) -> list[AccessOpening]:
    """By whomever, the last one first."""
    query = select(AccessOpening).where(AccessOpening.grant_id == grant.id).order_by(AccessOpening.id.desc())
    return list(session.scalars(query.limit(_SHOWN_AT_MOST)))


def open_access(session: LockedSession, staff: UserAccount, request_id: int, web_session_id: int) -> AccessOpening:
    """For two hours at most, and never beyond what is allowed. Raises NotFound, and Refused where it is not live."""
    hold_organization(session)
    grant = find_grant(session, staff.id, request_id)
    if grant is None:
        raise NotFound
    moment = now()
    until = opens_until(grant, staff.id, moment)
    if until is None:
        raise Refused(_NOT_NOW[grant_state(grant, moment)])
    before = find_opening(session, grant, web_session_id)
    if before is not None:
        before.ended_at = moment
    opening = AccessOpening(
        id=new_id(),
        grant_id=grant.id,
        staff_id=staff.id,
        web_session_id=web_session_id,
        opened_at=moment,
        until_at=until,
        ended_at=None,
    )
    session.add(opening)
    session.flush()
    zone = ZoneInfo(session.get_one(Organization, session.organization_id).time_zone)
    event = record(
        session,
        "support.opened",
        actor_id=staff.id,
        object_id=request_id,
        staff=name_staff(session, staff.id),
        what=tell_terms(terms_of_grant(grant)),
        until=format_exactly(until, zone),
    )
    tell_service(session, event)
    return opening


def slug_and_areas(session: LockedSession, opening: AccessOpening) -> tuple[str, Area]:
    """Of the bound organization, and what of it the opening shows."""
    grant = session.get_one(AccessGrant, (opening.organization_id, opening.grant_id))
    return session.get_one(Organization, opening.organization_id).slug, grant.areas


def close_access(session: LockedSession, staff_id: int, opening_id: int, at: datetime | None = None) -> None:
    """Before its time: now, or `at` some time ago. Nothing is done where it was over then, or is somebody else's."""
    hold_organization(session)
    assert session.organization_id is not None
    opening = session.get(AccessOpening, (session.organization_id, opening_id), populate_existing=True)
    moment = at or now()
    if opening is None or opening.staff_id != staff_id or opening.ended_at or opening.until_at <= moment:
        return
    opening.ended_at = max(moment, opening.opened_at)
    grant = session.get_one(AccessGrant, (session.organization_id, opening.grant_id))
    event = record(
        session,
        "support.closed",
        actor_id=staff_id,
        object_id=grant.request_id,
        staff=name_staff(session, staff_id),
    )
    tell_service(session, event)
