"""What an owner's page of support shows: who asks, what is allowed, what was, and who opened it when. Only reads.

Called by support_views.py, and by the layout for the strip that asks owners for an answer.
"""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import bindparam, select

from webapp.accounts.models import UserAccount, WebSession
from webapp.accounts.session_limits import has_run_out
from webapp.clock import now
from webapp.database.staff_rights import Area
from webapp.database.types import Instant, SmallEnum
from webapp.tenancy.consent import AREA_LABELS, GrantState, grant_state, open_areas, request_state, tell_areas
from webapp.tenancy.consent_models import AccessGrant, AccessOpening, AccessRequest, RequestState
from webapp.tenancy.lock import LockedSession, kept

PAST_AT_MOST = 100
SOMEBODY = "Support"
_WAITING = kept(
    select(AccessRequest.id, AccessRequest.areas, UserAccount.name, UserAccount.email)
    .outerjoin(UserAccount, UserAccount.id == AccessRequest.staff_id)
    .where(
        AccessRequest.state == bindparam("waits", type_=SmallEnum(RequestState)),
        AccessRequest.expires_at > bindparam("now", type_=Instant),
    )
    .order_by(AccessRequest.created_at)
)


@dataclass(frozen=True)
class Strip:
    """One request that waits for an answer, for the strip on top of an owner's pages."""

    request_id: int
    who: str
    what: str


@dataclass(frozen=True)
class ShownRequest:
    """`answered_by`: a name, "" where nobody answered."""

    request: AccessRequest
    state: RequestState
    who: str
    areas: tuple[str, ...]
    answered_by: str

    @property
    def waits(self) -> bool:
        return self.state == RequestState.WAITS


@dataclass(frozen=True)
class ShownOpening:
    """Somebody of support looked, until `until`; `is_open`: they still can."""

    opening: AccessOpening
    who: str
    is_open: bool


@dataclass(frozen=True)
class ShownGrant:
    """`ended_by`: a name, "" where no owner ended it."""

    grant: AccessGrant
    state: GrantState
    asked: ShownRequest
    who: str
    areas: tuple[str, ...]
    allowed_by: str
    ended_by: str
    openings: tuple[ShownOpening, ...]

    @property
    def can_end(self) -> bool:
        return self.state in (GrantState.COMING, GrantState.LIVE)


@dataclass(frozen=True)
class Shown:
    """The page: what waits for an answer, what support may see or will, and the past, newest first."""

    waiting: list[ShownRequest]
    present: list[ShownGrant]
    past: list[ShownGrant]
    refused: list[ShownRequest]

    @property
    def is_empty(self) -> bool:
        return not (self.waiting or self.present or self.past or self.refused)


def list_strips(session: LockedSession) -> list[Strip]:
    """What owners of the bound organization are asked to answer."""
    rows = session.rows(_WAITING, {"waits": RequestState.WAITS, "now": now()})
    return [Strip(row.id, f"{row.name or row.email} of support", tell_areas(row.areas)) for row in rows]


def read_page(session: LockedSession) -> Shown:
    requests = list(session.scalars(select(AccessRequest).order_by(AccessRequest.id.desc()).limit(PAST_AT_MOST)))
    grants = list(session.scalars(select(AccessGrant).order_by(AccessGrant.id.desc()).limit(PAST_AT_MOST)))
    openings = _openings_of(session, [grant.id for grant in grants])
    names = _names(session, requests, grants, [each for group in openings.values() for each in group])
    asked = {request.id: _show_request(request, names) for request in requests}
    for grant in grants:
        if grant.request_id not in asked:  # of so long ago that the list of requests no longer has it
            request = session.get_one(AccessRequest, (grant.organization_id, grant.request_id))
            asked[request.id] = _show_request(request, names)
    browsers = _live_browsers(session, [each for group in openings.values() for each in group])
    shown = [_show_grant(grant, asked[grant.request_id], openings[grant.id], names, browsers) for grant in grants]
    ended = (RequestState.REFUSED, RequestState.UNANSWERED, RequestState.TAKEN_BACK)
    return Shown(
        waiting=[each for each in asked.values() if each.waits],
        present=[each for each in shown if each.can_end],
        past=[each for each in shown if not each.can_end],
        refused=[each for each in asked.values() if each.state in ended],
    )


def show_request(session: LockedSession, request: AccessRequest) -> ShownRequest:
    """One, for the page that answers it."""
    return _show_request(request, _names(session, [request], [], []))


def labels_of(areas: Area) -> tuple[str, ...]:
    return tuple(label for area, label in AREA_LABELS.items() if areas & area)


def _openings_of(session: LockedSession, grant_ids: Collection[int]) -> dict[int, list[AccessOpening]]:
    found = defaultdict(list)
    query = select(AccessOpening).where(AccessOpening.grant_id.in_(grant_ids)).order_by(AccessOpening.id)
    for opening in session.scalars(query):
        found[opening.grant_id].append(opening)
    return found


def _live_browsers(session: LockedSession, openings: Collection[AccessOpening]) -> set[int]:
    """Ids of those that are still signed in: whoever is signed out sees nothing, however long they might have."""
    ids = {opening.web_session_id for opening in openings if opening.ended_at is None and opening.until_at > now()}
    return {row.id for row in session.scalars(select(WebSession).where(WebSession.id.in_(ids))) if not has_run_out(row)}


def _names(
    session: LockedSession,
    requests: Collection[AccessRequest],
    grants: Collection[AccessGrant],
    openings: Collection[AccessOpening],
) -> dict[int | None, str]:
    ids = {each for request in requests for each in (request.staff_id, request.answered_by)}
    ids |= {each for grant in grants for each in (grant.staff_id, grant.allowed_by, grant.ended_by)}
    ids |= {opening.staff_id for opening in openings}
    query = select(UserAccount.id, UserAccount.name, UserAccount.email)
    rows = session.execute(query.where(UserAccount.id.in_(ids - {None})))
    return {None: "", **{row.id: row.name or row.email for row in rows}}


def _show_request(request: AccessRequest, names: dict[int | None, str]) -> ShownRequest:
    return ShownRequest(
        request,
        request_state(request, now()),
        names.get(request.staff_id) or SOMEBODY,
        labels_of(request.areas),
        names.get(request.answered_by, ""),
    )


def _show_grant(
    grant: AccessGrant,
    asked: ShownRequest,
    openings: Collection[AccessOpening],
    names: dict[int | None, str],
    browsers: set[int],
) -> ShownGrant:
    moment = now()
    return ShownGrant(
        grant,
        grant_state(grant, moment),
        asked,
        names.get(grant.staff_id) or SOMEBODY,
        labels_of(grant.areas),
        names.get(grant.allowed_by, ""),
        names.get(grant.ended_by, ""),
        tuple(
            ShownOpening(
                opening,
                names.get(opening.staff_id, SOMEBODY),
                opening.web_session_id in browsers and bool(open_areas(grant, opening, moment)),
            )
            for opening in openings
        ),
    )
