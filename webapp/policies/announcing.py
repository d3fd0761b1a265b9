"""Tells people by mail and notice, each exactly once: of a significant change of a policy, and of incidents.

An announcement is a row; a job (jobs.py) goes through everybody with a membership in batches. That somebody was told
is a row too, written in one transaction with their mail, under the announcement's row lock: a worker that dies between
batches leaves neither half, and one that comes again finds who was told. Who joins meanwhile: tell_newcomer().
"""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import func, or_, select
from sqlalchemy.orm import aliased

from webapp.accounts.models import AccountState, UserAccount
from webapp.clock import now
from webapp.database.ids import new_id
from webapp.errors import Refused
from webapp.formatting import format_date
from webapp.jobs.queue import enqueue
from webapp.outbox.actions import queue_mail
from webapp.policies.models import (
    Announcement,
    AnnouncementKind,
    AnnouncementPerson,
    Outcome,
    PolicyVersion,
)
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.models import Membership, Organization

TELL = "announcements.tell"
TEMPLATES = {AnnouncementKind.POLICY: "policy_changes", AnnouncementKind.INCIDENT: "incident"}
SHOWN_AFTER = timedelta(days=30)  #: on public pages, after a version is in force
#: Mails of one announcement fall due in portions: the relay's hourly limit is everybody's, a new password's link too.
MAILS_AT_ONCE, AT_ONCE_EVERY = 250, timedelta(minutes=20)
SUBJECT_AT_MOST, WORDS_AT_MOST = 120, 3000


def mails_leave_within(people: int) -> timedelta:
    """How long after an announcement the mail of the last of so many people is due."""
    return people // MAILS_AT_ONCE * AT_ONCE_EVERY


def announce_version(session: LockedSession, version: PolicyVersion, title: str, staff_id: int | None) -> Announcement:
    """That a significant change is to come, or has come."""
    told = Announcement(
        id=new_id(),
        kind=AnnouncementKind.POLICY,
        policy=version.policy,
        version=version.version,
        organization_id=None,
        subject=f"{title} changes on {format_date(version.effective_at.date())}",
        words=version.summary,
        shown_until=version.effective_at + SHOWN_AFTER,
        created_by=staff_id,
        created_at=now(),
        told_all_at=None,
    )
    return _begin(session, told)


def announce_incident(
    session: LockedSession, subject: str, words: str, organization: Organization | None, staff_id: int | None
) -> Announcement:
    """To everybody, or to the people of one organization. Raises Refused with the field that is wrong."""
    subject, lines = " ".join(subject.split()), words.replace("\r\n", "\n").strip()
    if not 3 <= len(subject) <= SUBJECT_AT_MOST or not subject.isprintable():
        raise Refused(f"Say in 3 to {SUBJECT_AT_MOST} characters what it is about.", "subject")
    if not 10 <= len(lines) <= WORDS_AT_MOST or not lines.replace("\n", "").isprintable():
        raise Refused(
            f"Say what happened, whose data, what you do, and what people should do, in 10 to {WORDS_AT_MOST} "
            "characters.",
            "words",
        )
    told = Announcement(
        id=new_id(),
        kind=AnnouncementKind.INCIDENT,
        policy=None,
        version=None,
        organization_id=organization.id if organization else None,
        subject=subject,
        words=lines,
        shown_until=now(),  # never on public pages: it is for those whom it concerns
        created_by=staff_id,
        created_at=now(),
        told_all_at=None,
    )
    return _begin(session, told)


def _begin(session: LockedSession, told: Announcement) -> Announcement:
    session.add(told)
    session.flush()
    enqueue(session, TELL, {"announcement_id": told.id}, None)
    return told


# --------------------------------------------------------------------------------------------------- telling people


def list_untold(session: LockedSession, announcement_id: int, after: int, at_most: int) -> Sequence[int]:
    """Members of the bound organization who are not told yet, by id."""
    told = aliased(AnnouncementPerson)
    is_told = (
        select(told.user_account_id)
        .where(told.announcement_id == announcement_id, told.user_account_id == UserAccount.id)
        .exists()
    )
    return session.scalars(
        select(UserAccount.id)
        .join(Membership, Membership.user_account_id == UserAccount.id)
        .where(
            Membership.organization_id == session.organization_id,
            or_(Membership.ends_at.is_(None), Membership.ends_at > now()),
            UserAccount.state == AccountState.ACTIVE,
            UserAccount.id > after,
            ~is_told,
        )
        .order_by(UserAccount.id)
        .limit(at_most)
    ).all()


def tell(session: LockedSession, announcement_id: int, people: Sequence[int]) -> int:
    """Queue the mail of each of these who is not told yet; returns how many. Holds the announcement until the end."""
    announcement = hold_announcement(session, announcement_id)
    told = select(AnnouncementPerson.user_account_id).where(
        AnnouncementPerson.announcement_id == announcement_id, AnnouncementPerson.user_account_id.in_(people)
    )
    wanted = (UserAccount.id.in_(people), UserAccount.state == AccountState.ACTIVE, UserAccount.id.not_in(told))
    # Locked against being deleted meanwhile.
    found = session.scalars(
        select(UserAccount).where(*wanted).order_by(UserAccount.id).with_for_update(key_share=True, read=True)
    ).all()
    count = session.scalar(
        select(func.count(AnnouncementPerson.user_account_id)).where(
            AnnouncementPerson.announcement_id == announcement_id
        )
    )
    words = _mail_words(session, announcement)
    for number, person in enumerate(found, start=count or 0):
        _tell_one(session, announcement, person, words, now() + number // MAILS_AT_ONCE * AT_ONCE_EVERY)
    session.flush()
    return len(found)


def tell_newcomer(session: LockedSession, person: UserAccount) -> None:
    """Of changes that are still to come, and of what others are being told just now. Called on joining."""
    changing = select(Announcement.id).outerjoin(
        PolicyVersion,
        (PolicyVersion.policy == Announcement.policy) & (PolicyVersion.version == Announcement.version),
    )
    mine = or_(Announcement.organization_id.is_(None), Announcement.organization_id == session.organization_id)
    open_still = or_(PolicyVersion.effective_at > now(), Announcement.told_all_at.is_(None))
    for announcement_id in session.scalars(changing.where(mine, open_still).order_by(Announcement.id)).all():
        tell(session, announcement_id, [person.id])


def hold_announcement(session: LockedSession, announcement_id: int) -> Announcement:
    wanted = select(Announcement).where(Announcement.id == announcement_id)
    return session.scalars(wanted.with_for_update().execution_options(populate_existing=True)).one()


def _tell_one(
    session: LockedSession, announcement: Announcement, person: UserAccount, words: dict[str, str], due_at: datetime
) -> None:
    mail = queue_mail(
        session,
        TEMPLATES[announcement.kind],
        person.email,
        cause=f"announcement:{announcement.id}:{person.id}",
        words=words,
        due_at=due_at,
    )
    session.add(
        AnnouncementPerson(
            announcement_id=announcement.id,
            user_account_id=person.id,
            told_at=now(),
            outbox_message_id=mail.id,
            outcome=Outcome.QUEUED,
            outcome_at=None,
            error=None,
            dismissed_at=None,
        )
    )


def _mail_words(session: LockedSession, announcement: Announcement) -> dict[str, str]:
    words = {"subject": announcement.subject, "words": announcement.words}
    if announcement.policy is None or announcement.version is None:
        return words
    version = session.get_one(PolicyVersion, (announcement.policy, announcement.version))
    operator = json.loads(version.frozen_values).get("operator", "")
    page = f"/{version.policy.word}/{version.version}"
    difference = f"/{version.policy.word}/{version.version - 1}/to/{version.version}" if version.version > 1 else ""
    day = format_date(version.effective_at.date())
    return {**words, "effective": day, "page": page, "difference": difference, "operator": operator}
