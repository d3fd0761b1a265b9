"""The mails about letting support look, each queued in the transaction of its cause. Called by support.py and staff/.

Owners are told that they are asked, and that one of them has let somebody in, so that none does so unseen; whoever
asked is told the answer.
"""

from sqlalchemy import select

from webapp.accounts.models import AccountState, UserAccount
from webapp.audit.kinds import tell
from webapp.audit.models import AuditDetail, AuditEvent
from webapp.clock import now
from webapp.database.ids import spell_id
from webapp.formatting import format_date
from webapp.outbox.actions import queue_mail
from webapp.tenancy.consent import tell_areas, tell_hours, terms_of_request
from webapp.tenancy.consent_models import AccessRequest
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.models import Membership, Organization, Role


def list_owners(session: LockedSession) -> list[UserAccount]:
    """The owners of the bound organization who can sign in now."""
    query = (
        select(UserAccount, Membership.ends_at)
        .join(Membership, Membership.user_account_id == UserAccount.id)
        .where(
            Membership.organization_id == session.organization_id,
            Membership.role == Role.OWNER,
            UserAccount.state == AccountState.ACTIVE,
        )
        .order_by(UserAccount.id)
    )
    return [person for person, ends_at in session.execute(query) if ends_at is None or ends_at > now()]


def mail_asked(session: LockedSession, owners: list[UserAccount], staff: str, request: AccessRequest) -> None:
    """`staff`: the name of whoever asks."""
    organization = session.get_one(Organization, session.organization_id)
    terms = terms_of_request(request)
    words = {
        "organization": organization.name,
        "slug": organization.slug,
        "staff": staff,
        "what": tell_areas(terms.areas),
        "numbers": "in full" if terms.full_numbers else "without the last four digits",
        "downloads": "yes" if terms.may_download else "no",
        "hours": tell_hours(terms.hours),
        "ticket": request.ticket,
        "reason": request.reason,
        "until": format_date(request.expires_at.date()),
    }
    for owner in owners:
        queue_mail(session, "support_asks", owner.email, cause=f"support_asks:{request.id}", words=words)


def mail_answered(session: LockedSession, owner: UserAccount, request: AccessRequest, event: AuditEvent) -> None:
    """Whoever asked reads the answer; the owners, where one of them lets somebody in. `event`: of the answer."""
    organization = session.get_one(Organization, session.organization_id)
    detail = session.get_one(AuditDetail, (organization.id, event.position))
    staff = session.get(UserAccount, request.staff_id) if request.staff_id is not None else None
    to = {} if staff is None else {staff.email: _console_page(request)}
    if event.kind != "support.refused":
        to.update({each.email: f"/o/{organization.slug}/support" for each in list_owners(session)})
    for address, path in to.items():
        words = {
            "organization": organization.name,
            "owner": owner.name or owner.email,
            "happened": tell(event.kind, detail.words),
            "path": path,
        }
        queue_mail(session, "support_answered", address, cause=f"support_answered:{request.id}", words=words)


def _console_page(request: AccessRequest) -> str:
    return f"/staff/organizations/{spell_id(request.organization_id)}/requests/{spell_id(request.id)}"
