"""While support looks at an organization's pages: what its people are told on each, and what is recorded before each.

Called by the layout and by the guard, which asks by itself who is let in (tenancy/staff_entry.py); an owner ends it on
the page of support_views.py. A process that finds nobody looking does not ask again for some seconds, so the banner may
come late by these; what has ended is gone from the next page on.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from weakref import WeakKeyDictionary

from flask import g
from sqlalchemy import bindparam, select

from webapp.access import StaffSees
from webapp.accounts.models import UserAccount, WebSession
from webapp.accounts.session_limits import has_run_out
from webapp.audit.actions import hold_head, record
from webapp.clock import now, now_ms
from webapp.database.engine import Database
from webapp.database.types import Instant
from webapp.errors import NotFound
from webapp.services import services
from webapp.tenancy.consent_models import AccessGrant, AccessOpening
from webapp.tenancy.lock import LockedSession, kept
from webapp.tenancy.request import current_place, db
from webapp.tenancy.sessions import writing_session
from webapp.tenancy.staff_entry import OF_GRANT, Opening, is_live, is_live_at, tell_areas

_LOOKS = kept(
    select(AccessOpening, AccessGrant, UserAccount, WebSession)
    .join(AccessGrant, OF_GRANT)
    .join(WebSession, WebSession.id == AccessOpening.web_session_id)
    .join(UserAccount, UserAccount.id == AccessOpening.staff_id)
    .where(is_live_at(bindparam("present", type_=Instant)))
    .order_by(AccessOpening.id)
)
_QUIET_MS = 5_000
#: When the process last found nobody looking, by organization.
_quiet: WeakKeyDictionary[Database, dict[int, int]] = WeakKeyDictionary()


class Look(NamedTuple):
    """Somebody of support who looks now. `areas`: at what, in words."""

    grant_id: int
    name: str
    areas: str
    until_at: datetime


def tell_looks() -> Sequence[Look]:
    """Who of support looks at the organization of this request, for its people. On other pages nobody does.

    The banner and the foot of a page ask both: it is looked up once.
    """
    if "support_looks" not in g:
        g.support_looks = _find_looks()
    found: Sequence[Look] = g.support_looks
    return found


def _find_looks() -> Sequence[Look]:
    place = current_place()
    if place is None or place.opening is not None:
        return ()
    quiet, moment = _quiet.setdefault(services().database, {}), now_ms()
    if 0 <= moment - quiet.get(place.organization.id, moment - _QUIET_MS) < _QUIET_MS:
        return ()
    found = list_looks(db(), now())
    if not found:
        quiet[place.organization.id] = moment
    return found


def list_looks(session: LockedSession, present: datetime) -> Sequence[Look]:
    """Of the bound organization, who came first first; in browsers that are still signed in."""
    return [
        Look(grant.id, staff.name or staff.email, tell_areas(grant.areas), min(opening.until_at, grant.ends_at))
        for opening, grant, staff, browser in session.rows(_LOOKS, {"present": present})
        if not has_run_out(browser)
    ]


def note_look(name: str, opening: Opening, sees: StaffSees, object_id: int | None) -> None:
    """Record what somebody of support is about to see, each time, in a transaction of its own.

    Raises NotFound where they are let in no more. Who ends an opening holds the end of the chain as well: whatever
    comes after that is not recorded, nor sent.
    """
    with writing_session(services().database, opening.organization_id) as session:
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
        session.commit()
