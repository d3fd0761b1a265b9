"""Who of support looks at the bound organization's pages now, as its people are told; what is recorded, what ends it.

Called by looks_views.py; who is let in the guard asks by itself (tenancy/staff_entry.py).
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, bindparam, func, select, update

from webapp.access import StaffSees
from webapp.accounts.models import UserAccount
from webapp.audit.actions import hold_head, record
from webapp.clock import now
from webapp.database.types import Instant
from webapp.errors import NotFound
from webapp.tenancy.consent_models import AccessGrant, AccessOpening
from webapp.tenancy.lock import LockedSession, kept
from webapp.tenancy.staff_entry import OF_GRANT, Opening, is_live, is_live_at, tell_areas

_LOOKS = kept(
    select(
        AccessOpening.id,
        UserAccount.name,
        UserAccount.email,
        AccessGrant.areas,
        AccessOpening.until_at,
        AccessGrant.ends_at,
    )
    .join(AccessGrant, OF_GRANT)
    .join(UserAccount, UserAccount.id == AccessOpening.staff_id)
    .where(is_live_at(bindparam("present", type_=Instant)))
    .order_by(AccessOpening.id)
)


class Look(NamedTuple):
    """Somebody of support who looks now. `areas`: at what, in words."""

    opening_id: int
    name: str
    areas: str
    until_at: datetime


def list_looks(session: LockedSession, present: datetime) -> Sequence[Look]:
    """Of the bound organization, who came first first."""
    return [
        Look(opening_id, name or email, tell_areas(areas), min(until_at, ends_at))
        for opening_id, name, email, areas, until_at, ends_at in session.rows(_LOOKS, {"present": present})
    ]


def record_look(session: LockedSession, name: str, opening: Opening, sees: StaffSees, object_id: int | None) -> None:
    """What somebody of support is about to see, each time. Raises NotFound where they are let in no more.

    Who ends an opening holds the end of the chain as well: whatever comes after that is not recorded, nor sent.
    """
    hold_head(session)
    if not is_live(session, opening):
        raise NotFound
    record(
        session,
        "support.downloaded"
        if sees.download
        else {"": "support.viewed", "call": "support.viewed_call", "import": "support.viewed_import"}[sees.about],
        actor_id=opening.staff_id,
        object_id=object_id,
        name=name,
        what=sees.what,
        reason=opening.reason,
    )


def end_look(session: LockedSession, opening_id: int, *, actor_id: int) -> str:
    """An owner takes back what they allowed, from everybody who looks by it. Returns whose look it was.

    Raises NotFound.
    """
    found = session.execute(
        select(AccessOpening.grant_id, UserAccount.name, UserAccount.email)
        .join(UserAccount, UserAccount.id == AccessOpening.staff_id)
        .where(AccessOpening.id == opening_id)
    ).one_or_none()
    if found is None:
        raise NotFound
    grant_id, name, email = found
    moment = now()
    allowed = update(AccessGrant).where(AccessGrant.id == grant_id, AccessGrant.ended_at.is_(None))
    session.execute(allowed.values(ended_at=moment, ended_by=actor_id))
    _end(session, moment, AccessOpening.grant_id == grant_id)
    record(session, "support.sent_away", actor_id=actor_id, object_id=grant_id, name=name or email)
    return str(name or email)


def close_look(session: LockedSession, opening_id: int, staff_id: int, name: str) -> None:
    """Who looks has seen enough. What was allowed stays, and can be opened again. Raises NotFound."""
    mine = AccessOpening.id == opening_id, AccessOpening.staff_id == staff_id
    if session.scalar(select(func.count()).select_from(AccessOpening).where(*mine)) != 1:
        raise NotFound
    _end(session, now(), *mine)
    record(session, "support.left", actor_id=staff_id, name=name)


def _end(session: LockedSession, moment: datetime, *which: ColumnElement[bool]) -> None:
    session.execute(update(AccessOpening).where(*which, AccessOpening.ended_at.is_(None)).values(ended_at=moment))
