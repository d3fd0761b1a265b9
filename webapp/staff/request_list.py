"""What staff asked of organizations, and who invites them, as the console reads it. Called by request_views.py."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import select

from webapp.accounts.models import UserAccount
from webapp.clock import now
from webapp.database.engine import Database
from webapp.errors import NotFound
from webapp.organizations.support_page import labels_of
from webapp.tenancy.consent import GrantState, grant_state, request_state
from webapp.tenancy.consent_models import AccessGrant, AccessRequest, RequestState
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.models import Organization
from webapp.tenancy.sessions import reading_session

ROWS_ON_A_PAGE = 50


@dataclass(frozen=True)
class ListedRequest:
    """`who`: whoever of staff asked, "" where an owner invites."""

    request: AccessRequest
    organization: Organization
    state: RequestState
    areas: tuple[str, ...]
    who: str

    @property
    def waits(self) -> bool:
        return self.state == RequestState.WAITS

    @property
    def is_allowed(self) -> bool:
        return self.state == RequestState.ALLOWED


def list_requests(
    console: LockedSession, names: dict[int, str], before: int | None
) -> tuple[list[ListedRequest], bool]:
    """Of all organizations, newest first, those before the id `before`; and whether there are earlier ones."""
    query = _REQUESTS.order_by(AccessRequest.id.desc()).limit(ROWS_ON_A_PAGE + 1)
    if before is not None:
        query = query.where(AccessRequest.id < before)
    rows = [_listed(request, organization, names) for request, organization in console.execute(query)]
    return rows[:ROWS_ON_A_PAGE], len(rows) > ROWS_ON_A_PAGE


def get_listed(console: LockedSession, names: dict[int, str], request_id: int) -> ListedRequest:
    """Of the bound organization. Raises NotFound."""
    found = console.execute(_REQUESTS.where(AccessRequest.id == request_id)).one_or_none()
    if found is None:
        raise NotFound
    return _listed(found[0], found[1], names)


def read_grants(database: Database, staff_id: int, rows: Iterable[ListedRequest]) -> dict[int, GrantState]:
    """What has become of that which this member of staff may open, by the id of its request.

    By the web role, in each organization alone: the console's connections cannot read what was allowed.
    """
    mine = defaultdict(list)
    for row in rows:
        if row.is_allowed and row.request.staff_id in (None, staff_id):
            mine[row.organization.id].append(row.request.id)
    found = {}
    for organization_id, request_ids in mine.items():
        with reading_session(database, organization_id) as session:
            grants = session.scalars(select(AccessGrant).where(AccessGrant.request_id.in_(request_ids)))
            found.update({grant.request_id: grant_state(grant, now()) for grant in grants})
    return found


def name_colleagues(session: LockedSession) -> dict[int, str]:
    """Every member of staff, by id. By the web role: the console's connections read no account."""
    query = select(UserAccount.id, UserAccount.name, UserAccount.email).where(UserAccount.is_staff)
    return {row.id: row.name or row.email for row in session.execute(query)}


_REQUESTS = select(AccessRequest, Organization).join(Organization, Organization.id == AccessRequest.organization_id)


def _listed(request: AccessRequest, organization: Organization, names: dict[int, str]) -> ListedRequest:
    return ListedRequest(
        request,
        organization,
        request_state(request, now()),
        labels_of(request.areas),
        "" if request.staff_id is None else names.get(request.staff_id, "Somebody who is no staff any more"),
    )
