"""Somebody has lost every second factor: asking, confirming, stopping, and taking the factors away.

The person asks after the right password, and another owner of each of their organizations confirms. Where no other
owner is, staff start it, and 72 hours are waited. Each step is mailed to every address of the person, with a way to
stop it, and to the owners; and is in the audit of each organization, in the same transaction.
Called by lost_factor_views.py, invitations/lost_factor_views.py, staff/lost_factor_views.py, lost_factor_jobs.py and
the command. Sessions are bound to the person whose factors they are, and to no organization, unless said otherwise.
"""

import hashlib
import hmac
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, or_, select

from webapp.accounts.account_events import note_event
from webapp.accounts.browsers import Where
from webapp.accounts.credentials import hold_person
from webapp.accounts.links import digest_of_token
from webapp.accounts.lost_factor_mails import mail_owners, mail_person
from webapp.accounts.models import FactorRemoval, PasskeyChallenge, RemovalState, UserAccount
from webapp.accounts.people import end_all_sessions
from webapp.accounts.queries import list_owners
from webapp.accounts.second_factor import Keys, remove_every_factor
from webapp.audit.actions import record
from webapp.audit.service_chain import note_for_service
from webapp.clock import now
from webapp.database.ids import new_id
from webapp.errors import Refused
from webapp.tenancy.consent_models import FactorConsent
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.models import Membership, Organization, OrganizationState

LIVES = timedelta(days=7)  #: of one that waits for owners
STAFF_WAIT = timedelta(hours=72)
_STAFF_LIVES = STAFF_WAIT + timedelta(days=14)
NOT_ME = "“This was not me” was pressed"


@dataclass(frozen=True)
class Standing:
    """An organization of the person. `has_other`: somebody else owns it too; `confirmed`: one of them agreed."""

    organization: Organization
    has_other: bool
    confirmed: bool


def find_waiting(session: LockedSession, user_account_id: int) -> FactorRemoval | None:
    """What is under way for the person."""
    waiting = select(FactorRemoval).where(
        FactorRemoval.user_account_id == user_account_id, FactorRemoval.state == RemovalState.WAITS
    )
    return next((each for each in session.scalars(waiting.order_by(FactorRemoval.id.desc())) if is_alive(each)), None)


def find_by_token(session: LockedSession, token: str) -> FactorRemoval | None:
    """What "this was not me" would stop."""
    wanted = select(FactorRemoval).where(
        FactorRemoval.stop_digest == digest_of_token(token), FactorRemoval.state == RemovalState.WAITS
    )
    return session.scalars(wanted).one_or_none()


def list_started(session: LockedSession) -> list[tuple[FactorRemoval, UserAccount]]:
    """What staff started and still waits, the oldest first."""
    found = session.execute(
        select(FactorRemoval, UserAccount)
        .join(UserAccount, UserAccount.id == FactorRemoval.user_account_id)
        .where(FactorRemoval.state == RemovalState.WAITS, FactorRemoval.started_by.is_not(None))
        .order_by(FactorRemoval.id)
    )
    return [(removal, person) for removal, person in found if is_alive(removal)]


def is_alive(removal: FactorRemoval) -> bool:
    """Whether it still waits, and not for too long."""
    lives = LIVES if removal.started_by is None else _STAFF_LIVES
    return removal.state == RemovalState.WAITS and now() < removal.created_at + lives


def list_standings(session: LockedSession, removal: FactorRemoval | None) -> list[Standing]:
    """The organizations of the bound person, by id: in this order their audits are held."""
    return [
        Standing(
            organization, any(each.id != session.user_account_id for each in list_owners(own)), _agreed(own, removal)
        )
        for organization, own in _each_organization(session)
    ]


def _each_organization(session: LockedSession) -> Iterator[tuple[Organization, LockedSession]]:
    """Those of the bound person that were not closed, each with a session of it in the same transaction."""
    found = session.scalars(
        select(Organization)
        .join(Membership, Membership.organization_id == Organization.id)
        .where(
            Membership.user_account_id == session.user_account_id,
            Organization.state != OrganizationState.CLOSED,
            or_(Membership.ends_at.is_(None), Membership.ends_at > now()),
        )
        .order_by(Organization.id)
    ).all()
    for organization in found:
        with session.beside(organization.id) as own:
            yield organization, own


def _agreed(own: LockedSession, removal: FactorRemoval | None) -> bool:
    if removal is None:
        return False
    consent = own.scalars(select(FactorConsent).where(FactorConsent.removal_id == removal.id)).one_or_none()
    return consent is not None and consent.confirmed_by is not None


# ------------------------------------------------------------------------------------------------------------- begin


def ask(session: LockedSession, keys: Keys, person_id: int, where: Where) -> FactorRemoval:
    """The person asks, after the right password. Asked again, it is the one that waits. Raises Refused."""
    person = _hold(session, person_id)
    waiting = find_waiting(session, person.id)
    if waiting is not None:
        return waiting
    standings = list_standings(session, None)
    if person.is_staff or not standings or not all(each.has_other for each in standings):
        raise Refused(
            "There is nobody besides you who could confirm it: in one of your organizations nobody else is an owner. "
            "Call whoever runs Callbook; they can start it, and it takes 72 hours."
        )
    removal = _file(session, keys, person)
    event = note_event(session, person.id, "factor.lost", where)
    for organization, own in _each_organization(session):
        own.add(FactorConsent(removal_id=removal.id, confirmed_by=None, confirmed_at=None))
        record(own, "lost_factor.asked", actor_id=person.id, object_id=removal.id, email=person.email)
        mail_owners(own, organization, person, removal, "asked", waits=True)
    token = token_of(keys, removal)
    mail_person(session, keys, person, removal, "asked", event.at, token, browser=where.browser)
    return removal


def start(session: LockedSession, keys: Keys, person_id: int, staff: UserAccount, reason: str) -> FactorRemoval:
    """Staff start it, where no other owner can confirm. Those of the person's other organizations confirm all the same.

    Raises Refused.
    """
    person = _hold(session, person_id)
    standings = list_standings(session, None)
    if person.is_staff:
        raise Refused("This is a member of staff. Whoever has a shell can help: flask remove-second-factor.", "email")
    if not person.has_factor:
        raise Refused("This account has no second factor: the password alone signs in.", "email")
    if find_waiting(session, person.id) is not None:
        raise Refused("This is under way already for this account. It is not started twice.", "email")
    if standings and all(each.has_other for each in standings):
        raise Refused(
            "Other owners can confirm it. The person asks for it at the sign-in: “I lost my phone and my codes”.",
            "email",
        )
    removal = _file(session, keys, person, staff, reason)
    event = note_event(session, person.id, "factor.lost", Where("", "the staff of Callbook"))
    words = {"staff": staff.name or staff.email, "email": person.email, "reason": reason}
    for standing, (organization, own) in zip(standings, _each_organization(session), strict=True):
        if standing.has_other:
            own.add(FactorConsent(removal_id=removal.id, confirmed_by=None, confirmed_at=None))
        record(own, "lost_factor.started", actor_id=staff.id, object_id=removal.id, at=None, **words)
        mail_owners(own, organization, person, removal, "started", waits=standing.has_other)
    mail_person(session, keys, person, removal, "started", event.at, token_of(keys, removal))
    note_for_service(session, "lost_factor.started", staff.id, removal.id, **words)
    return removal


def _hold(session: LockedSession, person_id: int) -> UserAccount:
    person = hold_person(session, person_id)
    if person is None or not person.is_active:
        raise Refused("This account cannot sign in.", "email")
    return person


def _file(
    session: LockedSession, keys: Keys, person: UserAccount, staff: UserAccount | None = None, reason: str = ""
) -> FactorRemoval:
    removal_id, moment = new_id(), now()
    removal = FactorRemoval(
        id=removal_id,
        user_account_id=person.id,
        state=RemovalState.WAITS,
        started_by=staff.id if staff else None,
        reason=reason,
        stop_digest=digest_of_token(_token(keys.current, removal_id)),
        created_at=moment,
        ready_at=moment + STAFF_WAIT if staff else None,
        ended_at=None,
    )
    session.add(removal)
    session.flush()
    return removal


def token_of(keys: Keys, removal: FactorRemoval) -> str:
    """Of "this was not me", the same in the mail of each step. The table has its digest, and nothing else does."""
    tokens = (_token(key, removal.id) for key in (keys.current, *keys.earlier))
    return next((token for token in tokens if digest_of_token(token) == bytes(removal.stop_digest)), "")


def _token(key: str, removal_id: int) -> str:
    return hmac.new(key.encode(), f"not me\x00{removal_id}".encode(), hashlib.sha256).hexdigest()


# ----------------------------------------------------------------------------------------------------- confirm, stop


def confirm(own: LockedSession, organization: Organization, owner_id: int, removal: FactorRemoval) -> None:
    """An owner of the bound organization agrees, once. Raises Refused."""
    consent = own.scalars(select(FactorConsent).where(FactorConsent.removal_id == removal.id).with_for_update()).one()
    person = own.get_one(UserAccount, removal.user_account_id)
    if not is_alive(removal) or person.password_set_at > removal.created_at:
        raise Refused("This is over: it was stopped, done, or nobody confirmed it in time. Nothing was changed.")
    if owner_id == person.id:
        raise Refused("Another owner has to confirm it: you cannot do so for yourself.")
    if consent.confirmed_by is not None:
        raise Refused("It was confirmed for this organization already. Nothing was changed.")
    consent.confirmed_by, consent.confirmed_at = owner_id, now()
    record(own, "lost_factor.confirmed", actor_id=owner_id, object_id=removal.id, email=person.email)
    mail_owners(own, organization, person, removal, "confirmed", waits=False)
    own.flush()


def tell_confirmed(session: LockedSession, keys: Keys, removal: FactorRemoval, organization: Organization) -> None:
    """Mail the person that one organization agreed, with a way to stop it."""
    person = session.get_one(UserAccount, removal.user_account_id)
    step = f"confirmed:{organization.id}"
    mail_person(session, keys, person, removal, step, now(), token_of(keys, removal), organization=organization.name)


def stop(session: LockedSession, removal_id: int, why: str, actor_id: int | None) -> bool:
    """At once. False: it was over already."""
    removal = hold_removal(session, removal_id)
    if removal is None or removal.state != RemovalState.WAITS:
        return False
    removal.state, removal.ended_at = RemovalState.STOPPED, now()
    person = session.get_one(UserAccount, removal.user_account_id)
    event = note_event(session, person.id, "factor.kept", Where("", why))
    for organization, own in _each_organization(session):
        record(own, "lost_factor.stopped", actor_id=actor_id, object_id=removal.id, email=person.email, why=why)
        mail_owners(own, organization, person, removal, "stopped", waits=False)
    mail_person(session, None, person, removal, "stopped", event.at, "")
    if removal.started_by is not None:
        note_for_service(session, "lost_factor.stopped", actor_id, removal.id, email=person.email, why=why)
    return True


def hold_removal(session: LockedSession, removal_id: int) -> FactorRemoval | None:
    """As it is now, until the transaction ends."""
    wanted = select(FactorRemoval).where(FactorRemoval.id == removal_id).with_for_update()
    return session.scalars(wanted.execution_options(populate_existing=True)).one_or_none()


# -------------------------------------------------------------------------------------------------------------- done


def finish_if_ready(session: LockedSession, removal_id: int) -> bool:
    """Take the factors away where everybody agreed whom it needs, and the wait is over. False: not yet, or no more."""
    person = hold_person(session, session.user_account_id or 0)
    removal = hold_removal(session, removal_id)
    if person is None or removal is None or not is_alive(removal):
        return False
    if person.password_set_at > removal.created_at:  # they have set a new one since: it was somebody else who asked
        stop(session, removal_id, "the password was changed meanwhile", None)
        return False
    if not _is_ready(removal, list_standings(session, removal)):
        return False
    removal.state, removal.ended_at = RemovalState.DONE, now()
    why = "its owners confirmed it" if removal.started_by is None else "support started it, and 72 hours were waited"
    take_away(session, person, removal, why)
    if removal.started_by is not None:
        note_for_service(session, "lost_factor.done", None, removal.id, email=person.email, why=why)
    return True


def _is_ready(removal: FactorRemoval, standings: list[Standing]) -> bool:
    if removal.ready_at is None:
        return bool(standings) and all(each.confirmed for each in standings)
    return removal.ready_at <= now() and all(each.confirmed for each in standings if each.has_other)


def take_away(session: LockedSession, person: UserAccount, removal: FactorRemoval | None, why: str) -> None:
    """App, passkeys and recovery codes; every browser is signed out, everybody is told. `removal`: None: a command."""
    remove_every_factor(session, person)
    session.execute(delete(PasskeyChallenge).where(PasskeyChallenge.user_account_id == person.id))
    end_all_sessions(session, person)
    event = note_event(session, person.id, "factor.taken_away", Where("", why))
    object_id = person.id if removal is None else removal.id
    for organization, own in _each_organization(session):
        record(own, "lost_factor.done", actor_id=None, object_id=object_id, email=person.email, why=why)
        mail_owners(own, organization, person, removal, "done", waits=False)
    mail_person(session, None, person, removal, "done", event.at, "")
