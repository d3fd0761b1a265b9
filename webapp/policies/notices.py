"""Notices of announcements: for members each until they put it away, on public pages until their time is over.

Asked by the layouts. Public ones are read once a minute in each process. That a member has none is remembered for a
minute; as long as they have one it is read at each page. Without a database there is none.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from flask import Flask
from flask_login import current_user
from sqlalchemy import BigInteger, bindparam, select, update
from sqlalchemy.engine import CursorResult
from sqlalchemy.exc import SQLAlchemyError

from webapp.accounts.holdings import tell_of
from webapp.clock import now
from webapp.database.engine import Database
from webapp.errors import NotFound
from webapp.policies.models import Announcement, AnnouncementKind, AnnouncementPerson
from webapp.services import services
from webapp.tenancy.lock import LockedSession, kept
from webapp.tenancy.models import Organization
from webapp.tenancy.request import db
from webapp.tenancy.sessions import reading_session

_EVERY_SECONDS = 60.0
_REMEMBERED_AT_MOST = 10_000
_TOLD = (
    select(Announcement, Organization)
    .join(AnnouncementPerson, AnnouncementPerson.announcement_id == Announcement.id)
    .outerjoin(Organization, Organization.id == Announcement.organization_id)
    .where(AnnouncementPerson.user_account_id == bindparam("person", type_=BigInteger))
)
_UNREAD = kept(_TOLD.where(AnnouncementPerson.dismissed_at.is_(None)).order_by(Announcement.id))


@dataclass(frozen=True)
class Notice:
    """`whose`: the organization whose people alone were told, or ""."""

    announcement: Announcement
    whose: str


@dataclass
class _Known:
    """Of one database: the public notices with when they were read, and who had none when."""

    at: float = float("-inf")
    public: Sequence[Notice] = field(default_factory=tuple)
    have_none: dict[int, float] = field(default_factory=dict)


_known: WeakKeyDictionary[Database, _Known] = WeakKeyDictionary()


def register(app: Flask) -> None:
    app.jinja_env.globals.update(public_announcements=list_public, my_announcements=list_mine)
    tell_of(AnnouncementPerson)


def list_public() -> list[Notice]:
    """Changes of policies, from their publishing until 30 days after they took effect."""
    database = services().database
    known, moment = _known.setdefault(database, _Known()), now()
    if time.monotonic() - known.at >= _EVERY_SECONDS:
        known.at = time.monotonic()  # before it is read: whoever asks meanwhile takes what was there
        try:
            with reading_session(database) as session:
                known.public = _find_public(session)
        except SQLAlchemyError:
            return []
    return [each for each in known.public if each.announcement.shown_until > moment]


def _find_public(session: LockedSession) -> Sequence[Notice]:
    wanted = (Announcement.kind == AnnouncementKind.POLICY, Announcement.shown_until > now())
    return [Notice(each, "") for each in session.scalars(select(Announcement).where(*wanted).order_by(Announcement.id))]


def list_mine() -> list[Notice]:
    """What the signed-in person was told and has not put away."""
    if not current_user.is_authenticated or current_user.is_staff:
        return []
    known, person = _known.setdefault(services().database, _Known()), int(current_user.id)
    if time.monotonic() - known.have_none.get(person, float("-inf")) < _EVERY_SECONDS:
        return []
    try:
        unread = [_notice(*row) for row in db().rows(_UNREAD, {"person": person})]
    except SQLAlchemyError:
        return []
    if not unread:
        if len(known.have_none) >= _REMEMBERED_AT_MOST:
            known.have_none.clear()
        known.have_none[person] = time.monotonic()
    return unread


def get_notice(session: LockedSession, announcement_id: int, person: int) -> Notice:
    """One that the person was told, put away or not. Raises NotFound."""
    found = session.execute(_TOLD.where(Announcement.id == announcement_id), {"person": person}).first()
    if found is None:
        raise NotFound
    return _notice(*found)


def _notice(announcement: Announcement, organization: Organization | None) -> Notice:
    return Notice(announcement, organization.name if organization is not None else "")


def dismiss(session: LockedSession, announcement_id: int, person: int) -> None:
    """Put a notice away for good. Raises NotFound for one that the person was not told; again is no mistake."""
    done = session.execute(
        update(AnnouncementPerson)
        .where(
            AnnouncementPerson.announcement_id == announcement_id,
            AnnouncementPerson.user_account_id == person,
        )
        .values(dismissed_at=now())
        .execution_options(synchronize_session=False)
    )
    assert isinstance(done, CursorResult)
    if not done.rowcount:
        raise NotFound


def forget(database: Database) -> None:
    """Read everything anew at the next page of this process. Called when something was published or announced."""
    _known.pop(database, None)
