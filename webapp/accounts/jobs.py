"""What the worker does for accounts: mails a link for a new password, notes refused sign-ins, forgets what is over.

Registered by views.py when the app is made.
"""

import json
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update

from webapp import rate_limits
from webapp.accounts import sign_in_audit
from webapp.accounts.account_events import KEPT_DAYS, note_event
from webapp.accounts.browsers import Where
from webapp.accounts.leaving import delete_account
from webapp.accounts.links import file_link, sweep_links
from webapp.accounts.mails import mail_link
from webapp.accounts.models import AccountEvent, LinkKind, UserAccount
from webapp.accounts.passkeys import sweep_challenges
from webapp.accounts.queries import find_person, has_ended, list_memberships
from webapp.accounts.second_factor import Keys
from webapp.accounts.session_ends import end_rows
from webapp.accounts.session_limits import run_out
from webapp.audit.viewing import SLOT
from webapp.clock import from_ms, now, now_ms
from webapp.database.engine import Database
from webapp.jobs.handlers import Work
from webapp.jobs.queue import enqueue, register, register_chore
from webapp.sealing import seal, unseal
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.models import Membership
from webapp.tenancy.sessions import reading_session, writing_session

MAIL_RESET = "accounts.mail_reset"
NOTE_REFUSAL = "accounts.note_refusal"
ALONE_FOR = timedelta(days=90)
#: Until the answer to a refused sign-in is out: the worker's part differs between people, and may not slow it down.
REFUSAL_NOTED_AFTER = timedelta(seconds=2)
_SLOT_MS = int(SLOT.total_seconds() * 1000)


def register_jobs() -> None:
    # Whoever types an address makes one of these: done, nothing of it stays.
    register(MAIL_RESET, mail_reset, leaves_nothing=True)
    register(NOTE_REFUSAL, note_refusal, leaves_nothing=True)
    register_chore("accounts.forget_what_is_over", forget_what_is_over)
    register_chore("accounts.forget_alone", forget_alone)
    register_chore("accounts.sweep_sessions", sweep_sessions)
    register_chore("rate_limits.sweep", rate_limits.sweep)


def ask_for_reset(session: LockedSession, keys: Keys, email: str, where: Where) -> None:
    """Queue the search for the person of that address. No address stands readable in a job."""
    words = json.dumps({"email": email, "network": where.network, "browser": where.browser})
    enqueue(session, MAIL_RESET, {"sealed": seal(keys.current, words.encode()).decode()}, None)


def mail_reset(work: Work) -> None:
    """Mail the link to the address, if it is a confirmed one of somebody who may sign in."""
    settings = work.settings
    sealed = work.payload["sealed"].encode()
    words = json.loads(unseal(settings.secret_key, sealed, settings.secret_key_fallbacks))
    with writing_session(work.database) as session:
        person = find_person(session, words["email"])
        if person is None or not person.is_active:
            return
        token = file_link(session, person, LinkKind.NEW_PASSWORD, words["email"])
        mail_link(session, settings.secret_key, LinkKind.NEW_PASSWORD, words["email"], token)
        note_event(session, person.id, "password.link_sent", Where(words["network"], words["browser"]))
        session.commit()


def file_refusal(database: Database, keys: Keys, email: str) -> None:
    """Have the worker note that a sign-in with this address was refused; once in a quarter of an hour.

    The same work whoever has the address and in however many organizations they are: none of it is looked up here.
    """
    who = ("sign-in refused", email.strip().lower())
    if rate_limits.is_remembered(database, *who):
        return
    sealed = seal(keys.current, json.dumps({"email": email, "at_ms": now_ms()}).encode()).decode()
    with writing_session(database) as session:
        enqueue(session, NOTE_REFUSAL, {"sealed": sealed}, None, now() + REFUSAL_NOTED_AFTER)
        session.commit()
    rate_limits.remember(database, _SLOT_MS, *who)


def note_refusal(work: Work) -> None:
    """Note it in the audit of each organization of the person with that address, if there is one."""
    settings = work.settings
    sealed = work.payload["sealed"].encode()
    words = json.loads(unseal(settings.secret_key, sealed, settings.secret_key_fallbacks))
    sign_in_audit.note_refusal(work.database, words["email"], from_ms(words["at_ms"]))


def forget_what_is_over(database: Database) -> None:
    """Links that are over, questions to passkeys that nobody answered, and events of more than a year ago."""
    with writing_session(database) as session:
        sweep_links(session)
        sweep_challenges(session)
        session.execute(delete(AccountEvent).where(AccountEvent.at < now() - timedelta(days=KEPT_DAYS)))
        session.commit()


def sweep_sessions(database: Database) -> None:
    """Those that have run out; whoever signs in or out sweeps them too."""
    with writing_session(database) as session:
        end_rows(session, run_out())
        session.commit()


def forget_alone(database: Database) -> None:
    """Delete accounts that have been without membership for 90 days; one whose end date has come counts for none.

    Staff are in no organization, and stay.
    """
    with reading_session(database) as session:
        ids = list(session.scalars(select(UserAccount.id).where(~UserAccount.is_staff)))
    for user_account_id in ids:
        _look_after(database, user_account_id)


def _look_after(database: Database, user_account_id: int) -> None:
    with reading_session(database) as looking:
        looking.bind_person(user_account_id)
        memberships = [membership for membership, _organization in list_memberships(looking)]
        person = looking.get(UserAccount, user_account_id)
    if person is None:
        return
    since = _alone_since(memberships, person.alone_since)
    if since != person.alone_since:
        with writing_session(database) as session:
            session.execute(update(UserAccount).where(UserAccount.id == user_account_id).values(alone_since=since))
            session.commit()
    if since is not None and since < now() - ALONE_FOR:
        for step in delete_account(database, user_account_id, [each.organization_id for each in memberships]):
            step.commit()


def _alone_since(memberships: list[Membership], known: datetime | None) -> datetime | None:
    if any(not has_ended(membership) for membership in memberships):
        return None
    ends = [membership.ends_at for membership in memberships if membership.ends_at]
    return max(ends) if ends else known or now()
