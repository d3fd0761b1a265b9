"""Tells people by mail and notice, each exactly once: of a significant change of a policy, and of incidents.

An announcement is a row; a job (jobs.py) goes through everybody with a membership in batches. That somebody was told
is a row too, written in one transaction with their mail, under the announcement's row lock: a worker that dies between
batches leaves neither half, and one that comes again finds who was told. Who joins meanwhile: tell_newcomer().
"""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Select, and_, exists, func, or_, select
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
UNSHOWN = "Something in it cannot be shown, such as a control character or an emoji made of several. Take it out."


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
    subject, lines = " ".join(subject.split()), words.replace("\r\n", "\n").replace("\t", " ").strip()
    _check_words(subject, lines)
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


def _check_words(subject: str, lines: str) -> None:
    if not 3 <= len(subject) <= SUBJECT_AT_MOST:
        raise Refused(f"Say in 3 to {SUBJECT_AT_MOST} characters what it is about.", "subject")
    if not 10 <= len(lines) <= WORDS_AT_MOST:
        raise Refused(
            f"Say what happened, whose data, what you do, and what people should do, in 10 to {WORDS_AT_MOST} "
            "characters.",
            "words",
        )
    for field, text in (("subject", subject), ("words", lines.replace("\n", ""))):
        if not text.isprintable():
            raise Refused(UNSHOWN, field)


def _begin(session: LockedSession, told: Announcement) -> Announcement:
    session.add(told)
    session.flush()
    enqueue(session, TELL, {"announcement_id": told.id}, None)
    return told


# --------------------------------------------------------------------------------------------------- telling people


def list_open(session: LockedSession) -> Sequence[Announcement]:
    """Of which somebody may have to be told still: those not through, the newest significant version in force, and all
    to come.
    """
    newer = aliased(PolicyVersion)
    is_over = exists().where(
        newer.policy == Announcement.policy,
        newer.version > Announcement.version,
        newer.significant,
        newer.effective_at <= now(),
    )
    wanted = or_(Announcement.told_all_at.is_(None), and_(Announcement.policy.is_not(None), ~is_over))
    return session.scalars(select(Announcement).where(wanted).order_by(Announcement.id)).all()


def list_untold(session: LockedSession, announcement_id: int, after: int, at_most: int) -> Sequence[int]:
    """Members of the bound organization who are not told yet, by id."""
    untold = _untold(session, session.get_one(Announcement, announcement_id)).where(UserAccount.id > after)
    return session.scalars(untold.order_by(UserAccount.id).limit(at_most)).all()


def _untold(session: LockedSession, announcement: Announcement) -> Select[int]:
    """Whoever came when all were told, and the version was in force, has read that one."""
    is_told = exists().where(
        AnnouncementPerson.announcement_id == announcement.id, AnnouncementPerson.user_account_id == UserAccount.id
    )
    until = announcement.told_all_at or now()
    if announcement.policy is not None and announcement.version is not None:
        until = max(until, session.get_one(PolicyVersion, (announcement.policy, announcement.version)).effective_at)
    return (
        select(UserAccount.id)
        .join(Membership, Membership.user_account_id == UserAccount.id)
        .where(
            Membership.organization_id == session.organization_id,
            Membership.created_at <= until,
            or_(Membership.ends_at.is_(None), Membership.ends_at > now()),
            UserAccount.state == AccountState.ACTIVE,
            ~is_told,
        )
    )


def tell(session: LockedSession, announcement_id: int, people: Sequence[int], *, at_once: bool = False) -> int:
    """Queue the mail of each of these who is not told yet; returns how many. Holds the announcement until the end.

    `at_once`: out of turn, for a single one. The others' mails fall due in portions, counted from the announcement: a
    job that comes again after a crash puts off nobody.
    """
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
        in_turn = announcement.created_at + (timedelta() if at_once else mails_leave_within(number))
        _tell_one(session, announcement, person, words, max(now(), in_turn))
    session.flush()
    return len(found)


def tell_newcomer(session: LockedSession, person: UserAccount) -> None:
    """Of changes that are still to come, and of what others are being told just now. Called on joining, and when an
    access that had ended begins again: then also of what was missed meanwhile and is in force.
    """
    for announcement in list_open(session):
        is_concerned = announcement.organization_id in (None, session.organization_id)
        if is_concerned and session.scalars(_untold(session, announcement).where(UserAccount.id == person.id)).first():
            tell(session, announcement.id, [person.id], at_once=True)


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
    mail.organization_id = None  # whatever the session is bound to: it is about the person's own account
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
    if announcement.organization_id is not None:
        return {**words, "organization": session.get_one(Organization, announcement.organization_id).name}
    if announcement.policy is None or announcement.version is None:
        return words
    version = session.get_one(PolicyVersion, (announcement.policy, announcement.version))
    operator = json.loads(version.frozen_values).get("operator", "")
    page = f"/{version.policy.word}/{version.version}"
    difference = f"/{version.policy.word}/{version.version - 1}/to/{version.version}" if version.version > 1 else ""
    day = format_date(version.effective_at.date())
    return {**words, "effective": day, "page": page, "difference": difference, "operator": operator}
