"""What became of the mails of an announcement, for staff: counts and ids, never an address. One may come back.

Called by the console. What the hourly chore has not copied yet is read off the outbox.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from webapp.audit.service_chain import note_for_service
from webapp.clock import now
from webapp.database.ids import read_id
from webapp.errors import NotFound, Refused
from webapp.outbox.models import MailState, OutboxMessage
from webapp.policies.models import Announcement, AnnouncementPerson, Outcome
from webapp.policies.publishing import Publisher
from webapp.tenancy.lock import LockedSession

FAILED_AT_MOST = 200
_LIVE = {MailState.HANDED_OVER: Outcome.HANDED_OVER, MailState.REFUSED: Outcome.REFUSED}
_MESSAGE_ID = re.compile(r"<?([0-9a-z]{1,13})\.[0-9a-f]{16}@callbook>?")


@dataclass(frozen=True)
class Told:
    """An announcement with how many people were told with what outcome."""

    announcement: Announcement
    queued: int
    handed_over: int
    refused: int
    came_back: int

    @property
    def people(self) -> int:
        return self.queued + self.handed_over + self.refused + self.came_back


@dataclass(frozen=True)
class FailedMail:
    """A mail that did not arrive, by the id of the person whom it was for."""

    user_account_id: int
    outcome: Outcome
    at: datetime | None
    error: str


def list_told(session: LockedSession, at_most: int = 50) -> list[Told]:
    """The newest first."""
    newest = session.scalars(select(Announcement).order_by(Announcement.id.desc()).limit(at_most)).all()
    return [_count(session, announcement) for announcement in newest]


def get_told(session: LockedSession, announcement_id: int) -> Told:
    """Raises NotFound."""
    return _count(session, get_announcement(session, announcement_id))


def get_announcement(session: LockedSession, announcement_id: int) -> Announcement:
    """Raises NotFound."""
    found = session.get(Announcement, announcement_id)
    if found is None:
        raise NotFound
    return found


def list_failed(session: LockedSession, announcement_id: int) -> Sequence[FailedMail]:
    """Refused at hand-over, or come back; the first so many."""
    rows = session.execute(
        select(AnnouncementPerson, OutboxMessage.state, OutboxMessage.ended_at, OutboxMessage.error)
        .outerjoin(OutboxMessage, OutboxMessage.id == AnnouncementPerson.outbox_message_id)
        .where(
            AnnouncementPerson.announcement_id == announcement_id,
            AnnouncementPerson.outcome.in_((Outcome.REFUSED, Outcome.CAME_BACK))
            | (OutboxMessage.state == MailState.REFUSED),
        )
        .order_by(AnnouncementPerson.user_account_id)
        .limit(FAILED_AT_MOST)
    ).all()
    return [
        FailedMail(person.user_account_id, outcome, person.outcome_at or ended_at, person.error or error or "")
        for person, state, ended_at, error in rows
        if (outcome := outcome_of(person.outcome, state)) in (Outcome.REFUSED, Outcome.CAME_BACK)
    ]


def note_came_back(session: LockedSession, announcement_id: int, message_id: str, by: Publisher) -> None:
    """That a mail came back, by the Message-ID that stands in what came. Raises Refused, NotFound."""
    announcement = get_announcement(session, announcement_id)
    found = _MESSAGE_ID.fullmatch(message_id.strip())
    try:
        mail_id = read_id(found[1]) if found else 0
    except ValueError:
        mail_id = 0
    wanted = (AnnouncementPerson.announcement_id == announcement_id, AnnouncementPerson.outbox_message_id == mail_id)
    person = session.scalars(select(AnnouncementPerson).where(*wanted).with_for_update()).one_or_none()
    mail = session.get(OutboxMessage, mail_id)
    if person is None or (mail is not None and mail.message_id.strip("<>") != message_id.strip().strip("<>")):
        raise Refused(
            "No mail of this announcement has this Message-ID. Copy it from the mail that came back: it ends with "
            "@callbook.",
            "message_id",
        )
    person.outcome, person.outcome_at, person.error = Outcome.CAME_BACK, now(), by.reason
    session.flush()
    words = {"staff": by.name, "subject": announcement.subject, "reason": by.reason}
    note_for_service(session, "service.mail_came_back", by.staff_id, announcement.id, **words)


def _count(session: LockedSession, announcement: Announcement) -> Told:
    rows = session.execute(
        select(AnnouncementPerson.outcome, OutboxMessage.state, func.count(AnnouncementPerson.user_account_id))
        .outerjoin(OutboxMessage, OutboxMessage.id == AnnouncementPerson.outbox_message_id)
        .where(AnnouncementPerson.announcement_id == announcement.id)
        .group_by(AnnouncementPerson.outcome, OutboxMessage.state)
    ).all()
    counts = dict.fromkeys(Outcome, 0)
    for outcome, state, count in rows:
        counts[outcome_of(outcome, state)] += count
    return Told(announcement, *(counts[outcome] for outcome in Outcome))


def outcome_of(noted: Outcome, state: MailState | None) -> Outcome:
    """What is noted for good stays; else as the outbox has it now."""
    if noted == Outcome.CAME_BACK or state is None:
        return noted
    return _LIVE.get(state, Outcome.QUEUED)
