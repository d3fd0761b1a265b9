"""The one mail a day that says how many callers wait: queued at MAIL_HOUR of the organization's day, for whom wants it.

The hourly chore files a job for that moment; the job counts, as the person would see it, and queues the mails. Each
may run more than once: a day that was seen to is noted in the row, and the outbox takes a cause once.
"""

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, exists, select

from webapp.accounts.models import AccountState, UserAccount
from webapp.accounts.queries import has_ended
from webapp.calls.models import ReturnMail
from webapp.calls.periods import day_number, local_day
from webapp.calls.return_actions import MAIL_HOUR
from webapp.calls.return_page import tell_count
from webapp.calls.return_queries import count_waiting
from webapp.clock import now
from webapp.database.engine import Database
from webapp.jobs.queue import Work, enqueue, find_open_job, register, register_chore
from webapp.outbox.actions import queue_mail
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.members import hold_organization, load_narrowing
from webapp.tenancy.models import Membership, Organization, OrganizationState
from webapp.tenancy.sessions import reading_session, writing_session

MAIL = "calls.mail_returns"
#: The chore comes about once an hour; what it would be late for, it files before.
_AHEAD = timedelta(minutes=90)


def register_jobs() -> None:
    register(MAIL, mail_returns)
    register_chore("calls.file_return_mails", file_return_mails)


def file_return_mails(database: Database) -> None:
    """File the job of each organization whose hour comes soon, or has come unseen. An hourly chore."""
    with reading_session(database) as session:
        organizations = session.scalars(select(Organization).where(Organization.state == OrganizationState.OPEN)).all()
    for organization in organizations:
        run_at = _hour_of(organization, now() + _AHEAD)
        if run_at > now() + _AHEAD or not _is_wanted(database, organization):
            continue
        with writing_session(database, organization.id) as session:
            if find_open_job(session, MAIL, organization.id, {}) is None:
                enqueue(session, MAIL, {}, organization.id, run_at)
                session.commit()


def mail_returns(work: Work) -> None:
    """Queue a mail to each who wants one and has had none today. Nothing before the hour, nor where nobody waits."""
    assert work.organization_id is not None
    with reading_session(work.database) as session:
        organization = session.get_one(Organization, work.organization_id)
    today = day_number(local_day(now(), ZoneInfo(organization.time_zone)))
    if organization.state != OrganizationState.OPEN or now() < _hour_of(organization, now()):
        return
    with reading_session(work.database, organization.id) as session:
        wishes = session.scalars(select(ReturnMail).where(_unseen(today)).order_by(ReturnMail.user_account_id)).all()
    for wish in wishes:
        waiting = _count_for(work.database, organization.id, wish.user_account_id)
        with writing_session(work.database, organization.id) as session:
            hold_organization(session)
            _mail(session, organization, wish.user_account_id, today, waiting)
            session.commit()


def _hour_of(organization: Organization, instant: datetime) -> datetime:
    """MAIL_HOUR of the local day of this instant, whatever its clocks do in the night."""
    zone = ZoneInfo(organization.time_zone)
    return datetime.combine(local_day(instant, zone), time(MAIL_HOUR), zone).astimezone(instant.tzinfo)


def _unseen(today: int) -> ColumnElement[bool]:
    return (ReturnMail.last_on < today) | ReturnMail.last_on.is_(None)


def _is_wanted(database: Database, organization: Organization) -> bool:
    """Whether somebody has not been seen to on the day whose hour comes next."""
    day = day_number(local_day(now() + _AHEAD, ZoneInfo(organization.time_zone)))
    with reading_session(database, organization.id) as session:
        return bool(session.scalar(select(exists().where(_unseen(day)).select_from(ReturnMail))))


def _count_for(database: Database, organization_id: int, user_account_id: int) -> int:
    """How many the person would see on the page; 0 for somebody who would see no page."""
    with reading_session(database, organization_id) as session:
        membership = session.get(Membership, (organization_id, user_account_id))
        if membership is None or has_ended(membership):
            return 0
        if membership.narrowed:
            session.bind_narrowing(load_narrowing(session, user_account_id))
        return count_waiting(session, now())


def _mail(session: LockedSession, organization: Organization, person_id: int, today: int, waiting: int) -> None:
    """One mail, and the day noted. Under the lock: whoever has left meanwhile, or was seen to, gets none."""
    wish = session.get(ReturnMail, (organization.id, person_id), populate_existing=True)
    person = session.get(UserAccount, person_id)
    if wish is None or person is None or wish.last_on == today:
        return
    wish.last_on = today
    session.flush()
    if waiting and person.state == AccountState.ACTIVE:
        words = {"organization": organization.name, "slug": organization.slug, "count": tell_count(waiting)}
        cause = f"calls_to_return:{organization.id}:{person_id}:{today}"
        queue_mail(session, "calls_to_return", person.email, cause=cause, words={**words, "one": int(waiting == 1)})
