"""Once a month every owner gets the end of their organization's audit by mail: what is cut off later, that proves.

An hourly chore. A mail's cause names owner and month, so the outbox takes it once. Only until FORGETFUL_DAY: the outbox
forgets a mail 30 days after it went, and would take one of the first of the month again on the 31st.
"""

from collections.abc import Sequence
from weakref import WeakKeyDictionary

from sqlalchemy import or_, select

from webapp.accounts.models import AccountState, UserAccount
from webapp.audit.models import AuditHead
from webapp.clock import now
from webapp.database.engine import Database
from webapp.outbox.actions import queue_mail
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.models import Membership, Organization, OrganizationState, Role
from webapp.tenancy.sessions import reading_session, writing_session

TEMPLATE = "audit_head"
FORGETFUL_DAY = 28
#: The month in which this process has seen to an organization: it need not look again.
_seen_to: WeakKeyDictionary[Database, dict[int, str]] = WeakKeyDictionary()


def mail_heads(database: Database) -> None:
    """Queue the mails of this month that are not queued yet."""
    moment = now()
    if moment.day > FORGETFUL_DAY:
        return
    seen_to = _seen_to.setdefault(database, {})
    with reading_session(database) as session:
        wanted = select(Organization).where(Organization.state != OrganizationState.CLOSED)
        organizations = session.scalars(wanted).all()
    for organization in organizations:
        if seen_to.get(organization.id) != (month := f"{moment:%Y-%m}"):
            with writing_session(database, organization.id) as session:
                _mail(session, organization, month, f"{moment:%B %Y}")
                session.commit()
            seen_to[organization.id] = month


def _mail(session: LockedSession, organization: Organization, month: str, words: str) -> None:
    head = session.scalars(select(AuditHead)).one()
    for owner in _list_owners(session):
        queue_mail(
            session,
            TEMPLATE,
            owner.email,
            cause=f"audit_head:{organization.id}:{owner.id}:{month}",
            words={
                "organization": organization.name,
                "slug": organization.slug,
                "month": words,
                "events": f"{head.position:,}",
                "head": f"{head.position}:{bytes(head.row_hash).hex()}",
            },
        )


def _list_owners(session: LockedSession) -> Sequence[UserAccount]:
    """Those who may read the audit: owners who see every call."""
    return session.scalars(
        select(UserAccount)
        .join(Membership, Membership.user_account_id == UserAccount.id)
        .where(
            Membership.organization_id == session.organization_id,
            Membership.role == Role.OWNER,
            ~Membership.narrowed,
            or_(Membership.ends_at.is_(None), Membership.ends_at > now()),
            UserAccount.state == AccountState.ACTIVE,
        )
        .order_by(UserAccount.id)
    ).all()
