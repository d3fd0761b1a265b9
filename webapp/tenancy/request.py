"""The one database session of a request, and whose it is.

Views call db(), current_organization(), current_membership(), current_reader(); guard.py fills in the person and the
organization.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from flask import Flask, Response, current_app, g, has_request_context, request

from webapp import access
from webapp.services import services
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.models import Membership, Organization
from webapp.tenancy.narrowing import Narrowing
from webapp.tenancy.reader import Reader, reader_of
from webapp.tenancy.sessions import reading_session, staff_session, writing_session
from webapp.tenancy.staff_entry import LetIn, Opening

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True)
class Place:
    """An organization and what the signed-in person is there.

    `looks_as`: words for the banner where the membership is not theirs but one they look at the pages as, else "".
    `opening`: of staff, who have no membership; this one is what the organization lets them see.
    """

    organization: Organization
    membership: Membership
    looks_as: str = ""
    opening: Opening | None = None


@dataclass
class _Request:
    session: LockedSession | None = None
    user_account_id: int | None = None
    places: list[Place] = field(default_factory=list)
    place: Place | None = None
    caller_organization_id: int | None = None
    narrowing: Narrowing | None = None


def db() -> LockedSession:
    """The request's session: reads on GET, HEAD and OPTIONS, else writes. Open from the first call to the end.

    Of staff in an organization's pages: one of the console, which reads what was opened to them.
    """
    state = _state()
    if state.session is None:
        let_in = current_let_in()
        if let_in is not None:
            opening = let_in.opening
            whose = opening.organization_id, opening.staff_id, opening.areas
            state.session = staff_session(let_in.staff_database, *whose)
        else:
            open_session = reading_session if request.method in SAFE_METHODS else writing_session
            state.session = open_session(services().database)
            _bind(state, state.session)
    return state.session


@contextmanager
def keeping() -> Iterator[LockedSession]:
    """A session for what somebody keeps for themselves: db(), but that of staff reads only."""
    opening = current_opening()
    if opening is None:
        yield db()
        return
    with writing_session(services().database, opening.organization_id) as session:
        yield session


@contextmanager
def looking() -> Iterator[LockedSession]:
    """A session to look up who is asking: db() where that reads anyway, else a short one before the write begins."""
    state = _state()
    if request.method in SAFE_METHODS or current_opening() is not None:
        yield db()
        return
    with reading_session(services().database) as session:
        _bind(state, session)
        yield session


def current_organization() -> Organization:
    """The one that the address names. Only in views marked access.member()."""
    return _place().organization


def current_membership() -> Membership:
    """What the person is in it."""
    return _place().membership


def current_reader() -> Reader:
    """What the person may see of numbers and calls in it."""
    return reader_of(_place().membership, _state().narrowing)


def current_place() -> Place | None:
    """Both, or None in views outside any organization."""
    return _state().place


def current_opening() -> Opening | None:
    """What lets in the member of staff whose request this is; None for everybody else, and outside of requests."""
    place = _state().place if has_request_context() else None
    return place.opening if place is not None else None


def current_let_in() -> LetIn | None:
    """The same, for what goes on reading after the request."""
    opening = current_opening()
    if opening is None:
        return None
    staff_database = services().staff_database
    if staff_database is None:
        raise RuntimeError("staff were let in, and there is no database of the console")
    return LetIn(opening, services().database, staff_database)


def may_open(endpoint: str) -> bool:
    """Whether a link there leads anywhere: for staff only to what was opened to them."""
    opening = current_opening()
    if opening is None:
        return True
    sees = access.of(current_app.view_functions[endpoint]).staff_sees
    return sees is not None and sees.area in opening.areas


def my_places() -> list[Place]:
    """The open organizations of the signed-in person, by name. Empty when nobody is signed in."""
    return _state().places


def bind_person(user_account_id: int) -> None:
    """Called by the guard alone: whose memberships can be seen."""
    state = _state()
    state.user_account_id = user_account_id
    if state.session is not None:
        state.session.bind_person(user_account_id)


def set_places(places: list[Place]) -> None:
    """Called by the guard alone."""
    _state().places = places


def bind_place(place: Place) -> None:
    """Called by the guard alone: the request is this organization's from now on."""
    state = _state()
    state.place = place
    if state.session is not None:
        state.session.bind_organization(place.organization.id)


def bind_caller(organization_id: int) -> None:
    """Called by sources/pbx_access.py alone: the request is of a phone system of this organization."""
    state = _state()
    state.caller_organization_id = organization_id
    if state.session is not None:
        state.session.bind_organization(organization_id)


def bind_narrowing(narrowing: Narrowing) -> None:
    """Called by the guard alone: every session of the request shows only what this opens."""
    state = _state()
    state.narrowing = narrowing
    if state.session is not None:
        state.session.bind_narrowing(narrowing)


def close_session() -> None:
    """Give the connection back, undoing what was not committed. Before anybody writes in a session of their own."""
    state = _state()
    if state.session is not None:
        state.session.close()
        state.session = None


def register(app: Flask) -> None:
    app.after_request(_close_after)
    app.teardown_request(_close_at_teardown)


def _close_after(response: Response) -> Response:
    close_session()
    return response


def _close_at_teardown(_error: BaseException | None) -> None:
    close_session()


def _bind(state: _Request, session: LockedSession) -> None:
    if state.user_account_id is not None:
        session.bind_person(state.user_account_id)
    if state.place is not None:
        session.bind_organization(state.place.organization.id)
    if state.caller_organization_id is not None:
        session.bind_organization(state.caller_organization_id)
    if state.narrowing is not None:
        session.bind_narrowing(state.narrowing)


def _place() -> Place:
    place = _state().place
    if place is None:
        raise RuntimeError("this view is outside any organization: mark it access.member()")
    return place


def _state() -> _Request:
    if "tenancy" not in g:
        g.tenancy = _Request()
    state: _Request = g.tenancy
    return state
