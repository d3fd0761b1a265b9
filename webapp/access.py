"""Markers: who may call a view. Each view carries exactly one; tenancy/guard.py checks it before every request.

@bp.route("/o/<slug:slug>/calls")
@access.member(Role.VIEWER)
def browse() -> ResponseReturnValue: ...
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import cache
from typing import Any, TypeVar

from webapp.database.staff_rights import Area

View = TypeVar("View", bound=Callable[..., Any])

_MARK = "callbook_access"
_POLLING = "callbook_polling"
_PROVED = "callbook_proved"
_FRESH_FACTOR = "callbook_fresh_factor"
_LARGEST_BODY = "callbook_largest_body"
_SEES_EVERY_CALL = "callbook_sees_every_call"
_WHILE_SUSPENDED = "callbook_while_suspended"
_WHILE_CLOSED = "callbook_while_closed"
_STAFF_SEES = "callbook_staff_sees"


@dataclass(frozen=True)
class StaffSees:
    """What a view shows to staff whom an organization has let in. `what`: in its "Who looked", which leads to the thing
    that the address names where `about` says what that is: "call", "import".

    `posting`: its POST changes nothing of the organization's, as a search. `download`: it is a file to take away.
    """

    area: Area
    what: str
    about: str = ""
    posting: bool = False
    download: bool = False


@dataclass(frozen=True)
class Access:
    """Who may call a view. `role`: the smallest one in the organization that the address names; None: none is needed.

    `polling`: the page asks by itself. `proved`: the person has just proved who they are. `largest_body`: bytes;
    None: as everywhere. `sees_every_call`: not for people who are narrowed to some extensions. `pbx`: for phone systems
    with a token of theirs, not for people. `staff`: the operator's people, in the console. `staff_sees`: them
    too, while the organization lets them in. `fresh_factor`: the person has just given a code or a passkey.
    `while_suspended`: stays open to members of an organization that is suspended. `while_closed`: the same of one that
    an owner closed, until it is erased.
    """

    signed_in: bool
    role: IntEnum | None = None
    polling: bool = False
    proved: bool = False
    largest_body: int | None = None
    sees_every_call: bool = False
    pbx: bool = False
    staff: bool = False
    fresh_factor: bool = False
    while_suspended: bool = False
    while_closed: bool = False
    staff_sees: StaffSees | None = None


class AccessError(Exception):
    """A view without a marker, or with two. The app refuses to start."""


def public(view: View) -> View:
    """Everybody, signed in or not."""
    return _mark(view, Access(signed_in=False))


def signed_in(view: View) -> View:
    """Every person who is signed in, in whatever organization."""
    return _mark(view, Access(signed_in=True))


def staff(view: View) -> View:
    """The operator's staff, and nobody else: to everybody else there is no such page."""
    return _mark(view, Access(signed_in=True, staff=True))


def pbx(view: View) -> View:
    """Phone systems, with a token of theirs: no cookie, no session, no form. sources/pbx_access.py says which."""
    return _mark(view, Access(signed_in=False, pbx=True))


def member(role: IntEnum) -> Callable[[View], View]:
    """Members of the organization that the address names, from this role up. A smaller role: 403; no member: 404."""

    def mark(view: View) -> View:
        return _mark(view, Access(signed_in=True, role=role))

    return mark


def polling(view: View) -> View:
    """Besides the marker: the page asks for it by itself, so it does not count as using the service."""
    setattr(view, _POLLING, True)
    return view


def proved(view: View) -> View:
    """Besides the marker: something dangerous. Who signed in more than ten minutes ago proves who they are again."""
    setattr(view, _PROVED, True)
    return view


def fresh_factor(view: View) -> View:
    """Besides the marker: a code or a passkey within the last five minutes, whatever else was shown."""
    setattr(view, _FRESH_FACTOR, True)
    return view


def sees_every_call(view: View) -> View:
    """Besides the marker: it tells of the organization's calls as a whole. Who is narrowed to extensions gets 403."""
    setattr(view, _SEES_EVERY_CALL, True)
    return view


def while_suspended(view: View) -> View:
    """Besides the marker: the organization's people can call it even while their organization is suspended."""
    setattr(view, _WHILE_SUSPENDED, True)
    return view


def while_closed(view: View) -> View:
    """Besides the marker: the organization's people can call it in the days between its closing and its erasure."""
    setattr(view, _WHILE_CLOSED, True)
    return view


def open_to_staff(
    area: Area, what: str, about: str = "", *, posting: bool = False, download: bool = False
) -> Callable[[View], View]:
    """Besides the marker: staff see it too while an organization lets them see this area of it. Without: never."""

    def mark(view: View) -> View:
        setattr(view, _STAFF_SEES, StaffSees(area, what, about, posting, download))
        return view

    return mark


def takes_body(largest: int) -> Callable[[View], View]:
    """Besides the marker: the body may be this large, in bytes. Other views take 1 MB."""

    def mark(view: View) -> View:
        setattr(view, _LARGEST_BODY, largest)
        return view

    return mark


@cache
def of(view: Callable[..., Any]) -> Access:
    """The view's marker with what stands besides. Raises AccessError when it has none."""
    mark: Access | None = getattr(view, _MARK, None)
    if mark is None:
        name = getattr(view, "__qualname__", view)
        raise AccessError(f"{name} does not say who may call it: give it a marker of webapp/access.py")
    return replace(
        mark,
        polling=getattr(view, _POLLING, False),
        proved=getattr(view, _PROVED, False),
        largest_body=getattr(view, _LARGEST_BODY, None),
        sees_every_call=getattr(view, _SEES_EVERY_CALL, False),
        fresh_factor=getattr(view, _FRESH_FACTOR, False),
        while_suspended=getattr(view, _WHILE_SUSPENDED, False),
        while_closed=getattr(view, _WHILE_CLOSED, False),
        staff_sees=getattr(view, _STAFF_SEES, None),
    )


def _mark(view: View, mark: Access) -> View:
    if hasattr(view, _MARK):
        raise AccessError(f"{view.__qualname__} has two access markers")
    setattr(view, _MARK, mark)
    return view
