"""An owner closes the organization, and takes that back within the days of grace. For closing_views.py and staff/; the
days begin anew in a restored backup (erasures.py).

Closed, it is shown to nobody but on the pages for that, and phone systems are told to stop: nothing more is taken in
that nobody could see. What was taken in before stays until the job erases everything (erasing_jobs.py).
"""

from datetime import timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import select

from webapp.accounts.models import UserAccount
from webapp.audit.actions import record
from webapp.clock import now, to_ms
from webapp.errors import Refused
from webapp.jobs.queue import enqueue
from webapp.organizations.support_mails import list_owners
from webapp.outbox.actions import queue_mail
from webapp.privacy.erasing import find_erasure
from webapp.privacy.models import ErasureKind
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.models import Organization, OrganizationState

ERASE, REMIND = "privacy.erase", "privacy.remind_of_erasure"
REMINDED_BEFORE = timedelta(days=3)
BEGUN, SOON, TAKEN_BACK = "closing_begun", "closing_soon", "closing_taken_back"  # mails to every owner


def close_organization(session: LockedSession, person: UserAccount, typed_name: str) -> Organization:
    """Close the bound organization, suspended or not: in GRACE it is erased. Raises Refused."""
    organization = hold(session)
    if organization.state == OrganizationState.CLOSED:
        raise Refused(
            "Another owner has closed it meanwhile. Reload the page: it says until when you can take that back."
        )
    if " ".join(typed_name.split()).casefold() != " ".join(organization.name.split()).casefold():
        raise Refused(f"Type the name as it stands here: {organization.name}", "name")
    organization.state, organization.closing_by = OrganizationState.CLOSED, person.id
    _begin_grace(session, organization)
    erased_on = tell_erased_on(organization)
    record(session, "organization.closed", actor_id=person.id, object_id=organization.id, erased_on=erased_on)
    mail_owners(session, organization, BEGUN, person.name or person.email)
    return organization


def _begin_grace(session: LockedSession, organization: Organization) -> None:
    organization.closing_ms = to_ms(now())
    session.flush()
    payload = erasure_of(organization)
    assert organization.erased_from is not None
    enqueue(session, ERASE, payload, None, organization.erased_from)  # of no organization: it outlives what it erases
    enqueue(session, REMIND, payload, None, organization.erased_from - REMINDED_BEFORE)


def begin_grace_anew(session: LockedSession) -> None:
    """In a restored database, of one that is closed: owners are told, and have all days again."""
    organization = hold(session)
    _begin_grace(session, organization)
    erased_on = tell_erased_on(organization)
    record(session, "organization.grace_anew", actor_id=None, object_id=organization.id, erased_on=erased_on)
    mail_owners(session, organization, BEGUN)


def erasure_of(organization: Organization) -> dict[str, int | None]:
    """What the jobs of its closing are told. The instant tells one that was taken back."""
    return {"organization_id": organization.id, "closing_ms": organization.closing_ms}


def reopen_organization(session: LockedSession, who: str, reason: str = "") -> Organization:
    """Open the bound organization again, as it was, and tell its owners: one of them may wait for it to be erased.

    Raises Refused. The caller records who it was, and why.
    """
    organization = hold(session)
    if organization.state != OrganizationState.CLOSED or organization.closing_ms is None:
        raise Refused("It is not closed any more: somebody has taken that back. There is nothing left to do.")
    is_begun = find_erasure(session, ErasureKind.ORGANIZATION, organization.id) is not None
    if is_begun or organization.is_to_be_erased(now()):
        raise Refused(
            "Its days of grace are over: it is being erased, and nobody can stop that. Its owners get a receipt."
        )
    mail_owners(session, organization, TAKEN_BACK, who, reason)
    is_suspended = organization.suspended_for is not None  # for what it was before, its people still wait
    organization.state = OrganizationState.SUSPENDED if is_suspended else OrganizationState.OPEN
    organization.closing_ms = organization.closing_by = None
    session.flush()
    return organization


def take_back(session: LockedSession, actor_id: int) -> Organization:
    """The same by an owner."""
    person = session.get_one(UserAccount, actor_id)
    organization = reopen_organization(session, person.name or person.email)
    record(session, "organization.reopened", actor_id=actor_id, object_id=organization.id)
    return organization


def hold(session: LockedSession) -> Organization:
    """The bound organization, held until the transaction ends."""
    return session.scalars(
        select(Organization)
        .where(Organization.id == session.organization_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).one()


def tell_erased_on(organization: Organization) -> str:
    """The local day on which everything goes: "10 December 2026"."""
    assert organization.erased_from is not None
    return f"{organization.erased_from.astimezone(ZoneInfo(organization.time_zone)):%-d %B %Y}"


def mail_owners(
    session: LockedSession, organization: Organization, template: str, who: str = "", reason: str = ""
) -> None:
    """Tell every owner, once for each closing. `who` closed it, or took that back; BEGUN of nobody: it was restored."""
    words = {
        "organization": organization.name,
        "slug": organization.slug,
        "who": who,
        "reason": reason,
        "erased_on": tell_erased_on(organization),
    }
    for owner in list_owners(session):
        cause = f"{template}:{organization.id}:{organization.closing_ms}"
        queue_mail(session, template, owner.email, cause=cause, words=words)
