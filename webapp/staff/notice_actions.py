"""Puts words of staff on every page, and takes them down. Called by notice_views.py, which commits."""

from datetime import datetime, timedelta

from webapp.audit.service_chain import note_for_service
from webapp.clock import now
from webapp.database.ids import new_id
from webapp.errors import NotFound, Refused
from webapp.staff.models import ServiceNotice
from webapp.staff.organization_actions import Act
from webapp.tenancy.lock import LockedSession

WORDS_AT_MOST = 300
LONGEST = timedelta(days=31)


def put_up(session: LockedSession, act: Act, words: str, starts_at: datetime, ends_at: datetime) -> ServiceNotice:
    """Everybody reads the words from one instant to the other. Raises Refused with the field that is wrong."""
    if not words or not words.isprintable():
        raise Refused("Write what everybody reads, without special characters.", "words")
    if ends_at <= starts_at:
        raise Refused("This is not after the beginning. Give a later time.", "ends_at")
    if ends_at <= now():
        raise Refused("This is over already. Give a time to come.", "ends_at")
    if ends_at - starts_at > LONGEST:
        raise Refused(f"A notice stands for {LONGEST.days} days at most. Give an earlier time.", "ends_at")
    notice = ServiceNotice(
        id=new_id(), words=words, starts_at=starts_at, ends_at=ends_at, created_by=act.staff.id, created_at=now()
    )
    session.add(notice)
    session.flush()
    note_for_service(session, "service.notice_put_up", object_id=notice.id, words=words, **act.told)
    return notice


def take_down(session: LockedSession, act: Act, notice_id: int) -> ServiceNotice:
    """Its time is over from now on. Raises NotFound, and Refused where it is over already."""
    notice = session.get(ServiceNotice, notice_id, with_for_update=True, populate_existing=True)
    if notice is None:
        raise NotFound
    if notice.ends_at <= now():
        raise Refused("It is down already.")
    notice.ends_at = now()
    session.flush()
    note_for_service(session, "service.notice_taken_down", object_id=notice.id, words=notice.words, **act.told)
    return notice
