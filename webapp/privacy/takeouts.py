"""Takeouts of an organization: ask for one, list them, fetch one. Called by takeout_views.py and by the console.

One is made at a time, by a job (takeout_jobs.py). Whoever starts it, owners alone can fetch it.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from sqlalchemy import select

from webapp.audit.actions import record
from webapp.clock import now
from webapp.database.engine import Database
from webapp.database.ids import new_id
from webapp.errors import Forbidden, NotFound, Refused
from webapp.jobs.queue import enqueue
from webapp.organizations.who_looked import check_owner
from webapp.privacy.models import Takeout, TakeoutChunk, TakeoutState
from webapp.privacy.takeout_writing import hold_takeout
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.members import hold_organization
from webapp.tenancy.models import Membership, Numbers
from webapp.tenancy.sessions import reading_session

MAKE = "privacy.make_takeout"
SHOWN_AT_MOST = 10
BEING_MADE = (TakeoutState.WAITS, TakeoutState.IS_WRITTEN)
_NOT_ALL = (
    "A takeout holds everything: numbers in full, and as a file. You may not see all of it, or take no file away. "
    "Ask another owner."
)


def list_takeouts(session: LockedSession) -> Sequence[Takeout]:
    """The newest first."""
    return session.scalars(select(Takeout).order_by(Takeout.id.desc()).limit(SHOWN_AT_MOST)).all()


def is_there(takeout: Takeout, moment: datetime) -> bool:
    """Whether its archive can be fetched."""
    return takeout.state == TakeoutState.READY and takeout.expires_at is not None and moment < takeout.expires_at


def shorten_takeouts(session: LockedSession, days: int, night: datetime) -> None:
    """What is ready goes by a shorter rule, but not before that night; by a longer one as its mail said."""
    for takeout in session.scalars(select(Takeout).where(Takeout.state == TakeoutState.READY).with_for_update()):
        assert takeout.ready_at is not None and takeout.expires_at is not None
        takeout.expires_at = min(takeout.expires_at, max(takeout.ready_at + timedelta(days=days), night))


def check_may_have_all(membership: Membership) -> None:
    """Of an owner. Raises Forbidden with a sentence for whom something is kept from."""
    if not membership.may_export or membership.numbers != Numbers.FULL or membership.narrowed:
        raise Forbidden(_NOT_ALL)


def start_takeout(session: LockedSession, actor_id: int, *, by_staff: bool) -> Takeout:
    """Have one made. Raises Refused while another is. The caller records it, with its reason."""
    hold_organization(session)
    if session.scalars(select(Takeout.id).where(Takeout.state.in_(BEING_MADE))).first() is not None:
        raise Refused("A takeout is being made already. It goes on by itself.")
    takeout = Takeout(
        id=new_id(),
        state=TakeoutState.WAITS,
        asked_by=actor_id,
        by_staff=by_staff,
        asked_at=now(),
        step=0,
        steps=0,
        row_count=0,
        byte_count=0,
    )
    session.add(takeout)
    session.flush()
    enqueue(session, MAKE, {"takeout_id": takeout.id}, session.organization_id)
    return takeout


def ask_for_takeout(session: LockedSession, owner_id: int) -> Takeout:
    """An owner's own. Raises Refused."""
    takeout = start_takeout(session, owner_id, by_staff=False)
    record(session, "takeout.asked", actor_id=owner_id, object_id=takeout.id)
    return takeout


def fetch_takeout(session: LockedSession, owner_id: int, takeout_id: int) -> Takeout:
    """Record that an owner takes it away. Raises NotFound for one that is not there, or no longer."""
    takeout = hold_takeout(session, takeout_id)
    if not is_there(takeout, now()):
        raise NotFound("This takeout is no longer here. You can have a new one made.")
    takeout.fetched_at = now()
    record(session, "takeout.fetched", actor_id=owner_id, object_id=takeout.id)
    return takeout


def read_takeout(database: Database, organization_id: int, takeout_id: int, owner_id: int) -> Iterator[bytes]:
    """The archive in pieces, each in a short transaction that asks again whether the reader is still its owner.

    Raises Forbidden where they are not: the browser sees that the file was cut off.
    """
    position = 0
    while True:
        with reading_session(database, organization_id) as session:
            check_may_have_all(check_owner(session, owner_id, while_suspended=True))
            content = session.scalar(
                select(TakeoutChunk.content)
                .join(
                    Takeout,
                    (Takeout.organization_id == TakeoutChunk.organization_id) & (Takeout.id == TakeoutChunk.takeout_id),
                )
                .where(
                    TakeoutChunk.takeout_id == takeout_id,
                    TakeoutChunk.position == position,
                    Takeout.state == TakeoutState.READY,
                )
            )
        if content is None:
            return
        yield bytes(content)
        position += 1
