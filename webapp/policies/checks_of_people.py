"""Checks of who gets in: invitations, sessions, staff and what was opened to them, disclosures, what people were told.

Each is bounded by the number of organizations (one short read each, by the key) or of people, never by that of calls.
Called by promises.py.
"""

from datetime import timedelta

from sqlalchemy import and_, exists, func, or_, select

from webapp.accounts.models import Passkey, SessionState, UserAccount, WebSession
from webapp.accounts.session_limits import STAFF_IDLE_MINUTES, USUAL_IDLE_MINUTES, has_run_out
from webapp.audit.models import AuditEvent
from webapp.audit.service_chain import SERVICE_ID
from webapp.organizations.models import Invitation, InvitationState
from webapp.policies.promise import CheckContext
from webapp.tenancy.consent_models import (
    AccessGrant,
    AccessOpening,
    AccessRequest,
    Disclosure,
    DisclosureState,
    RequestState,
)
from webapp.tenancy.lock import kept
from webapp.tenancy.models import Membership

#: Sessions that have run out are swept every hour: this long after, one of them is a fault.
_SWEPT_WITHIN = timedelta(hours=3)
#: Whoever of staff has no second factor yet has this long to set one up, and can do nothing else meanwhile.
_SETS_UP_WITHIN = timedelta(minutes=30)

_UNINVITED = kept(
    select(Membership.user_account_id)
    .outerjoin(
        Invitation,
        and_(Invitation.organization_id == Membership.organization_id, Invitation.id == Membership.invitation_id),
    )
    .where(or_(Invitation.id.is_(None), Invitation.state != InvitationState.ACCEPTED))
    .limit(1)
)
_OF_ITS_REQUEST = and_(
    AccessRequest.organization_id == AccessGrant.organization_id, AccessRequest.id == AccessGrant.request_id
)
_OUTSIDE_A_GRANT = kept(
    select(AccessOpening.id)
    .outerjoin(
        AccessGrant,
        and_(AccessGrant.organization_id == AccessOpening.organization_id, AccessGrant.id == AccessOpening.grant_id),
    )
    .where(
        or_(
            AccessGrant.id.is_(None),
            AccessOpening.opened_at < AccessGrant.starts_at,
            AccessOpening.until_at > AccessGrant.ends_at,
            AccessOpening.opened_at > AccessGrant.ended_at,
            AccessOpening.staff_id != AccessGrant.staff_id,
        )
    )
    .limit(1)
)
_GRANTS = kept(
    select(AccessGrant.areas, AccessRequest.areas, AccessRequest.state).outerjoin(AccessRequest, _OF_ITS_REQUEST)
)
_PRODUCED = kept(
    select(
        Disclosure.id, Disclosure.asked_by, Disclosure.agreed_by, Disclosure.agreed_at, Disclosure.manifest_digest
    ).where(Disclosure.state == DisclosureState.PRODUCED)
)
_SHARED = kept(select(Membership.invitation_id).group_by(Membership.invitation_id).having(func.count() > 1).limit(1))


def only_invited(context: CheckContext) -> str:
    """Every membership names an invitation of its organization that was accepted, and no two the same one."""
    if any(session.rows(_UNINVITED) or session.rows(_SHARED) for session in context.each_organization()):
        return "Somebody is a member of an organization without an invitation that they accepted."
    return ""


def openings_in_grants(context: CheckContext) -> str:
    """Every opening lies in its grant, in time and staff; every grant lies in what was asked, and was allowed."""
    for session in context.each_organization():
        if session.rows(_OUTSIDE_A_GRANT):
            return "Somebody of our staff opened a customer's data outside what the customer had allowed."
        for given, asked, state in session.rows(_GRANTS):
            if asked is None or given & ~asked or state != RequestState.ALLOWED:
                return "Our staff were allowed more of a customer's data than they had asked for."
    return ""


def disclosures_registered(context: CheckContext) -> str:
    """What was handed out by law was agreed to, has a manifest, and its line in the service's own chain."""
    produced: list[int] = []
    for session in context.each_organization():
        for row_id, asked_by, agreed_by, agreed_at, digest in session.rows(_PRODUCED):
            if agreed_at is None or agreed_by == asked_by or digest is None:
                return (
                    "Data was handed out by law without the agreement that it needs, or without its list of contents."
                )
            produced.append(row_id)
    if not produced:
        return ""
    with context.reading(SERVICE_ID) as session:
        told = select(AuditEvent.object_id).where(
            AuditEvent.kind == "legal.produced", AuditEvent.object_id.in_(produced)
        )
        registered = set(session.scalars(told))
    if set(produced) - registered:
        return "Data was handed out by law, and our own register has no line about it."
    return ""


def sessions_as_said(context: CheckContext) -> str:
    """None lives longer, or may be quiet for longer, than the security policy in force says; and one that has run out
    counts for nothing, which is tried with some made for it.
    """
    said = context.said.number
    oldest, quietest = timedelta(hours=said("session_hours")), timedelta(minutes=said("idle_minutes"))
    staff_oldest, staff_quietest = timedelta(hours=said("staff_session_hours")), said("staff_idle_minutes")
    tried = (
        _session_of(context, created_ago=oldest),
        _session_of(context, seen_ago=quietest),
        _session_of(context, is_staff=True, created_ago=staff_oldest),
        _session_of(context, is_staff=True, seen_ago=timedelta(minutes=staff_quietest)),
    )
    if not all(has_run_out(row) for row in tried):
        return "A session that is too old, or was quiet for too long, would still be let in."
    moment = context.moment - _SWEPT_WITHIN
    old = or_(
        WebSession.created_at < moment - oldest,
        and_(WebSession.is_staff, WebSession.created_at < moment - staff_oldest),
    )
    long = or_(
        WebSession.idle_minutes > said("longest_idle_hours") * 60,
        and_(WebSession.is_staff, WebSession.idle_minutes > staff_quietest),
    )
    with context.reading() as session:
        if session.scalars(select(WebSession.id).where(old).limit(1)).first() is not None:
            return "A session is still stored that should have been deleted when it ran out."
        if session.scalars(select(WebSession.id).where(long).limit(1)).first() is not None:
            return "A session may be quiet for longer than the security policy says."
    return ""


def _session_of(
    context: CheckContext,
    *,
    is_staff: bool = False,
    created_ago: timedelta = timedelta(),
    seen_ago: timedelta = timedelta(),
) -> WebSession:
    """As one is made today, in no session of the database: it is never stored."""
    return WebSession(
        state=SessionState.SIGNED_IN,
        user_account_id=0,
        is_staff=is_staff,
        idle_minutes=STAFF_IDLE_MINUTES if is_staff else USUAL_IDLE_MINUTES,
        created_at=context.moment - created_ago,
        last_seen_at=context.moment - seen_ago,
    )


def second_factor_for_staff(context: CheckContext) -> str:
    """Who of staff has no passkey and no authenticator app is signed in nowhere, but to set one up."""
    has_passkey = exists().where(Passkey.user_account_id == UserAccount.id)
    without = and_(UserAccount.totp_secret.is_(None), ~has_passkey)
    query = (
        select(WebSession.id)
        .join(UserAccount, UserAccount.id == WebSession.user_account_id)
        .where(
            UserAccount.is_staff,
            WebSession.state == SessionState.SIGNED_IN,
            or_(
                ~WebSession.is_staff,
                and_(
                    or_(without, WebSession.factor_ms.is_(None)),
                    WebSession.created_at < context.moment - _SETS_UP_WITHIN,
                ),
            ),
        )
        .limit(1)
    )
    with context.reading() as session:
        if session.scalars(query).first() is not None:
            return "Somebody of our staff is signed in without a second factor."
    return ""
