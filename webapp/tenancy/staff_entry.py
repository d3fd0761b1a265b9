"""Staff in an organization's own pages: which of its openings lets this person in, in this browser, at this moment.

Asked by the guard for each of their requests, again before what they see is recorded (organizations/looks.py), and for
each chunk of a file. In sessions of the web role: the staff role cannot read grants.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, or_, select

from webapp.access import StaffSees
from webapp.clock import now
from webapp.database.engine import Database
from webapp.database.staff_rights import Area
from webapp.errors import Forbidden
from webapp.tenancy.consent_models import AccessGrant, AccessOpening, AccessRequest
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.models import Membership, Numbers, Organization, OrganizationState, Role
from webapp.tenancy.reader import Reader, reader_of
from webapp.tenancy.sessions import reading_session, staff_session

AREA_WORDS = {
    Area.CALLS: "call log",
    Area.DESTINATIONS: "destinations",
    Area.SOURCES: "phone systems and files",
    Area.PEOPLE: "people",
}


@dataclass(frozen=True)
class Opening:
    """What a member of staff may see of an organization now. `reason`: theirs, with the ticket, for its audit."""

    id: int
    organization_id: int
    request_id: int
    staff_id: int
    areas: Area
    full_numbers: bool
    may_download: bool
    until_at: datetime
    reason: str

    @property
    def membership(self) -> Membership:
        """What views see of the person. In no session: it is never stored."""
        return Membership(
            organization_id=self.organization_id,
            user_account_id=self.staff_id,
            invitation_id=0,
            role=Role.VIEWER,
            numbers=Numbers.FULL if self.full_numbers else Numbers.MASKED,
            may_export=self.may_download,
            narrowed=False,
            ends_at=self.until_at,
            last_used_at=None,
            created_at=self.until_at,
        )

    @property
    def reader(self) -> Reader:
        return reader_of(self.membership, None)


@dataclass(frozen=True)
class LetIn:
    """An opening with what it takes to read by it once the request is over: of files that are sent in chunks."""

    opening: Opening
    database: Database
    staff_database: Database

    @contextmanager
    def reading(self) -> Iterator[LockedSession]:
        """A session for one chunk. Raises Forbidden where the opening is over."""
        opening = self.opening
        with reading_session(self.database, opening.organization_id) as session:
            if not is_live(session, opening):
                raise Forbidden
        with staff_session(self.staff_database, opening.organization_id, opening.staff_id, opening.areas) as session:
            yield session


def tell_areas(areas: Area) -> str:
    """ "call log, destinations and people"."""
    words = [AREA_WORDS[area] for area in Area if area in areas]
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else "".join(words)


def is_live_at(present: Any) -> ColumnElement[bool]:
    """Of an opening joined to its grant: whether it lets its person in at this moment. As staff_may_read() says it."""
    return and_(
        AccessOpening.ended_at.is_(None),
        AccessOpening.opened_at <= present,
        AccessOpening.until_at > present,
        AccessGrant.ended_at.is_(None),
        AccessGrant.starts_at <= present,
        AccessGrant.ends_at > present,
        or_(AccessGrant.staff_id.is_(None), AccessGrant.staff_id == AccessOpening.staff_id),
    )


OF_GRANT = and_(AccessGrant.organization_id == AccessOpening.organization_id, AccessGrant.id == AccessOpening.grant_id)
_OF_REQUEST = and_(
    AccessRequest.organization_id == AccessGrant.organization_id, AccessRequest.id == AccessGrant.request_id
)


def find_entered(session: LockedSession, slug: str) -> Organization | None:
    """The organization of an address, where staff can be let in. One that is suspended can end nothing by itself."""
    open_one = select(Organization).where(Organization.slug == slug, Organization.state == OrganizationState.OPEN)
    return session.scalars(open_one).one_or_none()


def find_entry(
    database: Database, slug: str, staff_id: int, web_session_id: int, sees: StaffSees
) -> tuple[Organization, Opening] | None:
    """The newest opening by which this person, in this browser, may see all that a view shows; None: there is none."""
    with reading_session(database) as session:
        organization = find_entered(session, slug)
        if organization is None:
            return None
        session.bind_organization(organization.id)
        found = session.execute(
            _openings()
            .where(AccessOpening.staff_id == staff_id, AccessOpening.web_session_id == web_session_id)
            .order_by(AccessOpening.id.desc())
        )
        openings = [_read(opening, grant, asked) for opening, grant, asked in found]
    opened = (each for each in openings if sees.area in each.areas and (each.may_download or not sees.download))
    return next(((organization, opening) for opening in opened), None)


def is_live(session: LockedSession, opening: Opening) -> bool:
    """Whether it is still as it was when the request came."""
    row = session.execute(_openings().where(AccessOpening.id == opening.id)).one_or_none()
    if row is None:
        return False
    present, grant, asked = row
    return _read(present, grant, asked) == opening


def _openings() -> Select[AccessOpening, AccessGrant, AccessRequest]:
    return (
        select(AccessOpening, AccessGrant, AccessRequest)
        .join(AccessGrant, OF_GRANT)
        .join(AccessRequest, _OF_REQUEST)
        .where(is_live_at(now()))
        .execution_options(populate_existing=True)
    )


def _read(opening: AccessOpening, grant: AccessGrant, asked: AccessRequest) -> Opening:
    return Opening(
        id=opening.id,
        organization_id=opening.organization_id,
        request_id=grant.request_id,
        staff_id=opening.staff_id,
        areas=grant.areas,
        full_numbers=grant.full_numbers,
        may_download=grant.may_download,
        until_at=min(opening.until_at, grant.ends_at),
        reason=", ".join(part for part in (asked.ticket, asked.reason) if part) or "an owner asked for help",
    )
