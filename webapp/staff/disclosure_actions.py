"""Enters, agrees to, takes back and tells disclosures. Called by disclosure_views.py and disclosure_jobs.py.

The session is bound to the organization; each step is in the chain of the service in the same transaction. In the
organization's own audit, mail and figures nothing stands before it may be told: not while a gag holds.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select

from webapp.accounts.models import UserAccount
from webapp.accounts.queries import has_other_staff, list_owners
from webapp.accounts.second_factor import Keys
from webapp.audit.actions import record
from webapp.audit.service_chain import note_for_service
from webapp.clock import now
from webapp.database.ids import new_id
from webapp.database.staff_rights import NOTHING, Area
from webapp.errors import NotFound, Refused
from webapp.formatting import format_date
from webapp.jobs.queue import enqueue
from webapp.organizations.disclosure_words import ALONE, tell_areas, tell_period
from webapp.outbox.actions import queue_mail
from webapp.sealing import Unsealable, unseal
from webapp.staff.organization_actions import Act
from webapp.tenancy.consent_models import Disclosure, DisclosureChunk, DisclosureState
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.models import Organization

PRODUCE = "staff.produce_disclosure"
ALONE_AFTER = timedelta(hours=24)
NO_GAG = "No gag holds on it: the organization was told, is told within the hour, or there is nothing to tell."
_OPEN = (DisclosureState.WAITS, DisclosureState.AGREED, DisclosureState.FAILED)


@dataclass(frozen=True)
class Order:
    """What an authority wants, as staff entered it. Instants: calls that start in from_at <= instant < until_at."""

    legal_basis: str
    authority: str
    scope: str
    areas: Area
    from_at: datetime | None
    until_at: datetime | None
    gag: str
    gag_until: datetime | None


def ask(session: LockedSession, organization: Organization, staff: UserAccount, order: Order) -> Disclosure:
    """Enter it; nothing happens before somebody else agrees. Raises Refused with the field that is wrong."""
    _check(order)
    disclosure = Disclosure(id=new_id(), state=DisclosureState.WAITS, asked_by=staff.id, asked_at=now(), **vars(order))
    session.add(disclosure)
    session.flush()
    note_for_service(
        session,
        "legal.asked",
        staff.id,
        disclosure.id,
        **_words(organization, disclosure),
        staff=name_staff(staff),
        basis=order.legal_basis,
        scope=order.scope,
        areas=tell_areas(order.areas),
        period=tell_period(order.from_at, order.until_at),
        gag=tell_gag(disclosure),
    )
    return disclosure


def _check(order: Order) -> None:
    if order.areas == NOTHING:
        raise Refused("Choose what is handed out.", "areas")
    if order.from_at is not None and order.until_at is not None and order.until_at <= order.from_at:
        raise Refused("The last day is before the first.", "last")
    if order.gag and order.gag_until is None:
        raise Refused("Say until when: the organization is told then.", "gag_until")
    if order.gag_until is not None and not order.gag:
        raise Refused("Say by whose order we may not tell, and under which law.", "gag")
    if order.gag_until is not None and order.gag_until <= now():
        raise Refused("This day is over: then the organization can be told at once. Leave both empty.", "gag_until")


def hold_disclosure(session: LockedSession, disclosure_id: int) -> Disclosure:
    """Of the bound organization, as it is now, until the transaction ends. Raises NotFound."""
    wanted = select(Disclosure).where(Disclosure.id == disclosure_id).with_for_update()
    found = session.scalars(wanted.execution_options(populate_existing=True)).one_or_none()
    if found is None:
        raise NotFound
    return found


def agree(session: LockedSession, organization: Organization, staff: UserAccount, disclosure: Disclosure) -> None:
    """A second member of staff agrees; or the only one there is, a day later. The archive is made from then on."""
    if disclosure.state == DisclosureState.TAKEN_BACK:
        raise Refused("It was taken back. Nothing was handed out. If it is needed after all, enter it again.")
    if disclosure.state != DisclosureState.WAITS:
        raise Refused("It is agreed already, once is enough. Nothing was changed.")
    alone = disclosure.asked_by == staff.id
    if alone:
        _check_alone(session, staff, disclosure)
    disclosure.state, disclosure.agreed_at = DisclosureState.AGREED, now()
    disclosure.agreed_by = None if alone else staff.id
    enqueue_production(session, disclosure)
    if not is_gagged(disclosure):
        tell_organization(session, organization, disclosure)
    session.flush()
    words, name = _words(organization, disclosure), name_staff(staff)  # last: the customer's chain is held before
    how = ALONE if alone else "as the second of two"
    note_for_service(session, "legal.agreed", staff.id, disclosure.id, **words, staff=name, how=how)


def _check_alone(session: LockedSession, staff: UserAccount, disclosure: Disclosure) -> None:
    if has_other_staff(session, staff.id):
        raise Refused("You entered it yourself: another member of staff must agree. Nothing was changed.")
    due_at = disclosure.asked_at + ALONE_AFTER
    if now() < due_at:
        raise Refused(
            "You are the only member of staff. So that nothing is done in a hurry, you can agree from "
            f"{format_date(due_at.date())}, {due_at:%H:%M} UTC on. Nothing was changed."
        )


def enqueue_production(session: LockedSession, disclosure: Disclosure) -> None:
    """Under no organization's name: what tells of jobs may not tell an organization of one that it must not know."""
    whose = {"organization_id": disclosure.organization_id, "disclosure_id": disclosure.id}
    enqueue(session, PRODUCE, whose, None)


def take_back(session: LockedSession, organization: Organization, staff: UserAccount, disclosure: Disclosure) -> None:
    """As long as nothing was produced. Who was told of it is told that nothing came of it."""
    if disclosure.state == DisclosureState.TAKEN_BACK:
        raise Refused("It was taken back already. Nothing was changed.")
    if disclosure.state not in _OPEN:
        raise Refused("The archive is made. It can no longer be taken back; it is deleted 30 days after it was made.")
    disclosure.state = DisclosureState.TAKEN_BACK
    if disclosure.told_at is not None:
        record(session, "disclosure.taken_back", actor_id=staff.id, authority=disclosure.authority)
        _mail_owners(session, organization, disclosure, "disclosure_taken_back", {})
    note_for_service(
        session,
        "legal.taken_back",
        staff.id,
        disclosure.id,
        **_words(organization, disclosure),
        staff=name_staff(staff),
    )


def try_again(session: LockedSession, organization: Organization, staff: UserAccount, disclosure: Disclosure) -> None:
    """After the job has failed for good."""
    if disclosure.state != DisclosureState.FAILED:
        raise Refused("The archive is not waiting to be made again. Reload the page to see where it stands.")
    disclosure.state = DisclosureState.AGREED
    enqueue_production(session, disclosure)
    note_for_service(
        session,
        "legal.tried_again",
        staff.id,
        disclosure.id,
        **_words(organization, disclosure),
        staff=name_staff(staff),
    )


def take_key(
    session: LockedSession, organization: Organization, staff: UserAccount, disclosure: Disclosure, keys: Keys
) -> bytes:
    """The key, once, to the one who asked. Raises Refused."""
    if disclosure.state != DisclosureState.PRODUCED or disclosure.asked_by != staff.id:
        raise Refused("The key is shown to the one who entered the disclosure, once the archive is made.")
    kept = session.get(DisclosureChunk, (organization.id, disclosure.id, DisclosureChunk.KEY_POSITION))
    if kept is None:
        raise Refused("The key was shown already, and is kept nowhere. If it is lost, enter the disclosure again.")
    try:
        key = unseal(keys.current, kept.content, keys.earlier)
    except Unsealable:
        raise Refused(
            "The key was sealed under another SECRET_KEY, so it is lost. Enter the disclosure again."
        ) from None
    session.delete(kept)
    session.flush()
    note_for_service(
        session, "legal.key_shown", staff.id, disclosure.id, **_words(organization, disclosure), staff=name_staff(staff)
    )
    return key


def is_gagged(disclosure: Disclosure) -> bool:
    """Whether the organization may not be told at this moment."""
    return disclosure.gag_until is not None and disclosure.gag_until > now()


def is_gag_changeable(disclosure: Disclosure) -> bool:
    """A court can lengthen a gag that holds, or let it go. Nobody is gagged about what was told, or taken back."""
    untold = disclosure.told_at is None and disclosure.state != DisclosureState.TAKEN_BACK
    return untold and is_gagged(disclosure)


def lengthen_gag(
    session: LockedSession, organization: Organization, act: Act, disclosure: Disclosure, order: str, until: datetime
) -> None:
    """By another order, whose words come after those of the first: the organization reads both once it may be told."""
    before = _check_gag(disclosure)
    if until <= before:
        raise Refused(
            f"It holds until {format_date(before.date())} as it is. Give a later day, or end it now.", "gag_until"
        )
    disclosure.gag, disclosure.gag_until = f"{disclosure.gag}; then {order}", until
    session.flush()
    days = {"before": format_date(before.date()), "after": format_date(until.date())}
    words = {**_gag_words(organization, disclosure, act), **days, "order": order}
    note_for_service(session, "legal.gag_lengthened", act.staff.id, disclosure.id, **words)


def end_gag(session: LockedSession, organization: Organization, act: Act, disclosure: Disclosure) -> None:
    """Before its day: the organization is told at this moment, or when the disclosure is agreed to."""
    before = format_date(_check_gag(disclosure).date())
    disclosure.gag_until = now()
    if disclosure.state != DisclosureState.WAITS:
        tell_organization(session, organization, disclosure)
    session.flush()
    words = {**_gag_words(organization, disclosure, act), "before": before}
    note_for_service(session, "legal.gag_ended", act.staff.id, disclosure.id, **words)


def _gag_words(organization: Organization, disclosure: Disclosure, act: Act) -> dict[str, str]:
    return {**_words(organization, disclosure), "staff": name_staff(act.staff), "reason": act.reason}


def _check_gag(disclosure: Disclosure) -> datetime:
    """Until when it holds. Raises Refused."""
    if disclosure.gag_until is None or not is_gag_changeable(disclosure):
        raise Refused(NO_GAG)
    return disclosure.gag_until


def tell_organization(session: LockedSession, organization: Organization, disclosure: Disclosure) -> None:
    """In its audit, on its page and by mail to its owners; once."""
    if disclosure.told_at is not None:
        return
    disclosure.told_at = now()
    how = ALONE if disclosure.agreed_by is None else "by two members of staff"
    words = {
        "authority": disclosure.authority,
        "basis": disclosure.legal_basis,
        "areas": tell_areas(disclosure.areas),
        "period": tell_period(disclosure.from_at, disclosure.until_at),
        "how": how,
    }
    record(session, "disclosure.told", actor_id=None, object_id=disclosure.id, at=None, scope=disclosure.scope, **words)
    _mail_owners(session, organization, disclosure, "disclosure_told", {**words, "gag": tell_gag(disclosure)})
    session.flush()
    note_for_service(session, "legal.told", None, disclosure.id, **_words(organization, disclosure))


def _mail_owners(
    session: LockedSession, organization: Organization, disclosure: Disclosure, template: str, words: dict[str, str]
) -> None:
    always = {"organization": organization.name, "slug": organization.slug, "authority": disclosure.authority}
    for owner in list_owners(session):
        queue_mail(session, template, owner.email, cause=f"{template}:{disclosure.id}", words={**always, **words})


def tell_gag(disclosure: Disclosure) -> str:
    """ "" where there is none."""
    if disclosure.gag_until is None:
        return ""
    return f"not to be told before {format_date(disclosure.gag_until.date())}: {disclosure.gag}"


def name_staff(staff: UserAccount) -> str:
    return staff.name or staff.email


def _words(organization: Organization, disclosure: Disclosure) -> dict[str, str]:
    """By which the service's chain names it."""
    return {"organization": organization.name, "authority": disclosure.authority}
