"""The check before every request: who is asking, for which organization, and may they. Nothing gets past it unmarked.

Registered by create_app(), which calls `check_markers` last: an app with an unmarked view does not start.
"""

from collections.abc import Callable
from typing import Any, NoReturn
from zoneinfo import ZoneInfo

from flask import Flask, Request, current_app, g, request
from flask import session as browser_session
from flask.typing import ResponseReturnValue
from flask_login import current_user
from sqlalchemy import BigInteger, bindparam, or_, select

from webapp import access, logs
from webapp.clock import now
from webapp.database.types import Instant
from webapp.errors import BadRequest, Closed, Forbidden, NotFound, Suspended
from webapp.services import services
from webapp.tenancy.lock import LockedSession, kept
from webapp.tenancy.looking_as import KEY, read_looking_as
from webapp.tenancy.members import hold_organization, load_narrowing, open_spans
from webapp.tenancy.models import Membership, Organization, OrganizationState, Role
from webapp.tenancy.narrowing import Narrowing
from webapp.tenancy.reader import reader_of
from webapp.tenancy.request import (
    SAFE_METHODS,
    Place,
    bind_narrowing,
    bind_person,
    bind_place,
    close_session,
    current_membership,
    current_opening,
    current_place,
    db,
    looking,
    my_places,
    set_places,
)
from webapp.tenancy.sessions import reading_session
from webapp.tenancy.staff_entry import Opening, find_entry

_SLUG = "slug"
_GATES = "callbook_gates"
_PBX_CHECK = "callbook_pbx_check"
_STAFF_RECORD = "callbook_staff_record"
_PLACES = kept(
    select(Membership, Organization)
    .join(Organization, Organization.id == Membership.organization_id)
    .where(
        # The session's own lock would show those of its organization too, were one bound.
        Membership.user_account_id == bindparam("person", type_=BigInteger),
        Organization.state == OrganizationState.OPEN,
        or_(Membership.ends_at.is_(None), Membership.ends_at > bindparam("now", type_=Instant)),
    )
    .order_by(Organization.name, Organization.id)
)
_PLACE = kept(_PLACES.where(Membership.organization_id == bindparam("organization")))
_SHUT_PLACE = kept(
    select(Membership, Organization)
    .join(Organization, Organization.id == Membership.organization_id)
    .where(
        Membership.user_account_id == bindparam("person", type_=BigInteger),
        Organization.slug == bindparam("slug"),
        Organization.state != OrganizationState.OPEN,
        or_(Membership.ends_at.is_(None), Membership.ends_at > bindparam("now", type_=Instant)),
    )
)

#: Done as the person themselves. A search only keeps the words of whoever typed them.
_WHILE_LOOKING = frozenset({"organizations.stop_looking", "calls.search"})
_CHANGED_MEANWHILE = "What you see here was changed a moment ago. Nothing was done. Reload the page, and try again."
_NOT_NARROWED = "This page tells of calls of the whole organization, and you see only some of them."


Gate = Callable[[access.Access], ResponseReturnValue | None]
StaffRecord = Callable[[str, Opening, access.StaffSees, int | None], object]


def add_gate(app: Flask, gate: Gate) -> None:
    """Ask `gate` about every request of a person who is signed in and may call the view: an answer of its own stops it.

    For what a later package knows of the person, such as whether they have just proved who they are.
    """
    app.extensions.setdefault(_GATES, []).append(gate)


def set_pbx_check(app: Flask, check: Callable[[Request], object]) -> None:
    """Ask `check` about every request for a view marked @access.pbx: it raises where nobody may come in."""
    app.extensions[_PBX_CHECK] = check


def set_staff_record(app: Flask, record: StaffRecord) -> None:
    """Tell `record` who of staff is about to see what, and the id in its address. It raises where that cannot be
    recorded, or they are not let in any more: then nothing is sent.
    """
    app.extensions[_STAFF_RECORD] = record


def register(app: Flask) -> None:
    app.url_value_preprocessor(_take_slug)
    app.url_defaults(_fill_in_slug)
    app.before_request(_check)


def check_markers(app: Flask) -> None:
    """Raises AccessError when a view has no marker, or one that does not fit its address."""
    for rule in app.url_map.iter_rules():
        mark = access.of(app.view_functions[rule.endpoint])
        if (mark.role is not None) != (_SLUG in rule.arguments) or (mark.staff_sees and mark.role is None):
            raise access.AccessError(
                f"{rule}: access.member() is for all addresses under /o/<slug:slug>/ and no others"
            )


def _take_slug(_endpoint: str | None, values: dict[str, object] | None) -> None:
    g.slug = values.pop(_SLUG, None) if values else None


def _fill_in_slug(endpoint: str, values: dict[str, object]) -> None:
    place = current_place()
    if place is not None and _SLUG not in values and current_app.url_map.is_endpoint_expecting(endpoint, _SLUG):
        values[_SLUG] = place.organization.slug


def _check() -> ResponseReturnValue | None:  # noqa: C901 - the order of these questions is the point
    if request.endpoint is None:
        return None  # no such address: the router's answer follows
    mark = access.of(current_app.view_functions[request.endpoint])
    if mark.largest_body is not None:
        request.max_content_length = mark.largest_body
    unsafe = request.method not in SAFE_METHODS
    if unsafe and request.headers.get("Sec-Fetch-Site") == "cross-site":
        logs.event("request.cross_site", endpoint=request.endpoint)
        raise BadRequest
    if mark.pbx:
        # Nothing that a browser sends by itself counts here, so there is nothing to forge and no token of a form.
        current_app.extensions[_PBX_CHECK](request)
        return None
    if mark.signed_in:
        if not current_user.is_authenticated:
            answer: ResponseReturnValue = current_app.login_manager.unauthorized()  # type: ignore[attr-defined]
            return answer
        if mark.staff:
            _check_staff()
        find_places(current_user.id)
    if mark.role is not None:
        _enter(g.slug, mark)
    if unsafe:
        # Last, for it reads the body: nobody who may not send a large file makes us keep it.
        current_app.extensions["csrf"].protect()
        if any("\x00" in value for values in request.form.listvalues() for value in values):
            raise BadRequest  # nobody types it, and PostgreSQL keeps none
    instead = _ask_gates(mark) if mark.signed_in else None
    if instead is None and mark.staff_sees is not None:
        _record_staff(mark.staff_sees)
    return instead


def _record_staff(sees: access.StaffSees) -> None:
    """What staff are about to see; of everybody else, views record what is to be recorded."""
    opening = current_opening()
    if opening is not None:
        ids = [value for name, value in (request.view_args or {}).items() if name.endswith(("_id", "_key"))]
        tell: StaffRecord = current_app.extensions[_STAFF_RECORD]
        tell(current_user.name or current_user.email, opening, sees, next(iter(ids), None))


def _check_staff() -> None:
    if not current_user.is_staff:
        logs.event("access.no_staff", endpoint=request.endpoint, user_account_id=current_user.id)
        raise NotFound


def _ask_gates(mark: access.Access) -> ResponseReturnValue | None:
    gates: list[Gate] = current_app.extensions.get(_GATES, [])
    return next((answer for gate in gates if (answer := gate(mark)) is not None), None)


def find_places(user_account_id: int) -> None:
    """Whose request it is. Called by the check, and by a public page that leads on whoever is signed in."""
    bind_person(user_account_id)
    with looking() as session:
        set_places(list_places(session))


def list_places(session: LockedSession) -> list[Place]:
    """The open organizations of the bound person, by name."""
    values = {"now": now(), "person": session.user_account_id}
    return [Place(organization, membership) for membership, organization in session.rows(_PLACES, values)]


def _enter_as_staff(slug: str, sees: access.StaffSees | None) -> None:
    """Only by what the organization opened to them, and to what shows that; there is nothing else here for them."""
    close_session()  # of the web role: what follows reads as staff
    entry = None
    if sees is not None and services().staff_database is not None and (request.method in SAFE_METHODS or sees.posting):
        browser: Any = browser_session
        entry = find_entry(services().database, slug, current_user.id, browser.row_id, sees)
    if entry is None:
        logs.event("access.not_let_in", endpoint=request.endpoint, user_account_id=current_user.id)
        raise NotFound
    organization, opening = entry
    bind_place(Place(organization, opening.membership, opening=opening))


def _enter(slug: str, mark: access.Access) -> None:
    if current_user.is_staff:
        _enter_as_staff(slug, mark.staff_sees)
        return
    place = next((place for place in my_places() if place.organization.slug == slug), None)
    if place is None:
        place = _find_shut(slug, mark)
    looking_as = read_looking_as(browser_session.get(KEY), place.organization.id) if KEY in browser_session else None
    bind_place(place)
    narrowing = _load_narrowing(place.membership)
    reader = reader_of(place.membership, narrowing)
    if looking_as is not None and looking_as.fits(place.membership, reader) and request.endpoint not in _WHILE_LOOKING:
        _refuse_changes()
        bind_place(Place(place.organization, looking_as.as_membership(place.membership), looking_as.words))
        narrowing = _open_now(looking_as.reader.narrowing)
    _check_role(mark)
    if narrowing is not None:
        bind_narrowing(narrowing)
        if mark.sees_every_call:
            raise Forbidden(_NOT_NARROWED)


def _find_shut(slug: str, mark: access.Access) -> Place:
    """The place in an organization that is suspended or closed, where the view is for its people even then."""
    with looking() as session:
        found = session.rows(_SHUT_PLACE, {"person": current_user.id, "slug": slug, "now": now()})
    if not found or not _is_open_to_its_people(found[0][1], mark):
        _refuse(Place(found[0][1], found[0][0]) if found else None)
    return Place(found[0][1], found[0][0])


def _is_open_to_its_people(organization: Organization, mark: access.Access) -> bool:
    if organization.state == OrganizationState.SUSPENDED:
        return mark.while_suspended
    return mark.while_closed and not organization.is_to_be_erased(now())


def _refuse(place: Place | None) -> NoReturn:
    """Whoever may not come in is told no more than that; the people of one that is suspended or closed are told why."""
    organization = place.organization if place else None
    if place is not None and place.organization.state == OrganizationState.SUSPENDED:
        logs.event("access.suspended", endpoint=request.endpoint, user_account_id=current_user.id)
        owned = place.organization.slug if place.membership.role == Role.OWNER else ""
        raise Suspended(place.organization.name, place.organization.suspended_for or "", owned)
    if organization is not None and organization.erased_from is not None:
        logs.event("access.closed", endpoint=request.endpoint, user_account_id=current_user.id)
        local = organization.erased_from.astimezone(ZoneInfo(organization.time_zone))
        raise Closed(organization.name, organization.slug, f"{local:%-d %B %Y}")
    logs.event("access.no_member", endpoint=request.endpoint, user_account_id=current_user.id)
    raise NotFound


def hold_and_check() -> None:
    """Hold the organization, then ask again what was asked before the request: it may be lost by whoever waited.

    Called first by views that give or take access. Until the transaction ends nobody else changes members, and
    current_membership() is what the person is now. Raises NotFound and Forbidden, as the marker would.
    """
    place, session = current_place(), db()
    assert place is not None and request.endpoint is not None
    hold_organization(session)
    mark, key = access.of(current_app.view_functions[request.endpoint]), {"now": now(), "person": current_user.id}
    in_place = session.execute(
        _PLACE, {"organization": place.organization.id, **key}, execution_options={"populate_existing": True}
    )
    found = in_place.one_or_none()
    if found is None:
        found = session.execute(
            _SHUT_PLACE,
            {"slug": place.organization.slug, **key},
            execution_options={"populate_existing": True},
        ).one_or_none()
        if found is None or not _is_open_to_its_people(found[1], mark):
            _refuse(None if found is None else Place(found[1], found[0]))
    membership: Membership = found[0]
    session.expunge(membership)  # what they were when they asked, even where it is themselves they change
    bind_place(Place(place.organization, membership))
    _check_role(mark)
    # A session keeps the narrowing that it was bound to: with another one, the request begins anew.
    if session.narrowing != _load_again(membership):
        raise Forbidden(_CHANGED_MEANWHILE)


def _load_narrowing(membership: Membership) -> Narrowing | None:
    if not membership.narrowed:
        return None
    with looking() as session:
        return load_narrowing(session, membership.user_account_id)


def _load_again(membership: Membership) -> Narrowing | None:
    """In a session of its own, for the request's is narrowed by now. The organization is held: nobody changes it."""
    if not membership.narrowed:
        return None
    with reading_session(services().database, membership.organization_id) as session:
        return load_narrowing(session, membership.user_account_id)


def _open_now(narrowing: Narrowing | None) -> Narrowing | None:
    """What is looked at, as it is at this moment. Before anything is bound."""
    if narrowing is None or not narrowing.destination_ids:
        return narrowing
    with looking() as session:
        return open_spans(session, narrowing.spans)


def _refuse_changes() -> None:
    if request.method not in SAFE_METHODS:
        raise Forbidden("You are looking at the pages as somebody else. Stop that first, then nothing keeps you.")


def _check_role(mark: access.Access) -> None:
    if mark.role is not None and current_membership().role < mark.role:
        logs.event("access.role_too_small", endpoint=request.endpoint, user_account_id=current_user.id)
        raise Forbidden
