"""The permission matrix of staff: whatever has been asked, allowed or opened, every address as a page and as a part.

Only what is open answers; everything else does in the words in which it answers an outsider.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.cast import Cast
from tests.client import PART, PageCheckingClient
from tests.every_address import Address, addresses, ids_of
from tests.make import Make
from tests.staff.conftest import StaffClient, StaffSignIn
from webapp import access
from webapp.clock import now
from webapp.database.staff_rights import EVERYTHING, NOTHING, Area
from webapp.permissions import permission_lines
from webapp.tenancy.staff_entry import tell_areas

_GONE = frozenset({403, 404})


@dataclass(frozen=True)
class State:
    """What happened before: `prepare` gives which areas of Harbour are open to Stella in her browser by it."""

    name: str
    prepare: Callable[[Make, Cast, StaffClient, StaffSignIn], Area]


def _nothing(_make: Make, _cast: Cast, _client: StaffClient, _sign_in: StaffSignIn) -> Area:
    return NOTHING


def _asked(make: Make, cast: Cast, _client: StaffClient, _sign_in: StaffSignIn) -> Area:
    make.access_request(staff_id=cast.stella.id)
    return NOTHING


def _allowed(make: Make, cast: Cast, _client: StaffClient, _sign_in: StaffSignIn) -> Area:
    make.grant(cast.olive, staff_id=cast.stella.id, may_download=True)
    return NOTHING


def _elsewhere(make: Make, cast: Cast, client: StaffClient, _sign_in: StaffSignIn) -> Area:
    other = make.at(cast.quayside)
    other.opening(other.grant(cast.quentin, may_download=True), cast.stella, web_session_id=client.web_session_id)
    return NOTHING


def _other_browser(make: Make, cast: Cast, _client: StaffClient, sign_in: StaffSignIn) -> Area:
    other = sign_in(cast.stella)
    make.opening(make.grant(cast.olive, may_download=True), cast.stella, web_session_id=other.web_session_id)
    return NOTHING


def _other_person(make: Make, cast: Cast, client: StaffClient, _sign_in: StaffSignIn) -> Area:
    make.opening(make.grant(cast.olive), cast.steven, web_session_id=client.web_session_id)
    make.opening(make.grant(cast.olive, staff_id=cast.steven.id), cast.stella, web_session_id=client.web_session_id)
    return NOTHING


def _expired(make: Make, cast: Cast, client: StaffClient, _sign_in: StaffSignIn) -> Area:
    browser, past = {"web_session_id": client.web_session_id}, now() - timedelta(seconds=1)
    make.opening(make.grant(cast.olive), cast.stella, until_at=past, **browser)
    make.opening(make.grant(cast.olive, ends_at=past), cast.stella, **browser)
    make.opening(make.grant(cast.olive, starts_at=now() + timedelta(hours=1)), cast.stella, **browser)
    return NOTHING


def _revoked(make: Make, cast: Cast, client: StaffClient, _sign_in: StaffSignIn) -> Area:
    browser, moment = {"web_session_id": client.web_session_id}, now()
    make.opening(make.grant(cast.olive, ended_at=moment, ended_by=cast.olive.id), cast.stella, **browser)
    make.opening(make.grant(cast.olive), cast.stella, ended_at=moment, **browser)
    return NOTHING


def _open(areas: Area) -> Callable[[Make, Cast, StaffClient, StaffSignIn], Area]:
    def prepare(make: Make, cast: Cast, client: StaffClient, _sign_in: StaffSignIn) -> Area:
        grant = make.grant(cast.olive, areas, staff_id=cast.stella.id)
        make.opening(grant, cast.stella, web_session_id=client.web_session_id)
        return areas

    return prepare


STATES = (
    State("no grant", _nothing),
    State("asked", _asked),
    State("allowed, not opened", _allowed),
    State("another organization", _elsewhere),
    State("another browser", _other_browser),
    State("another person", _other_person),
    State("expired", _expired),
    State("revoked", _revoked),
    *(State(f"open: {area.name}", _open(area)) for area in Area),
    State("open: all", _open(EVERYTHING)),
)


def is_open(app: Flask, address: Address, areas: Area) -> bool:
    sees = access.of(app.view_functions[address.endpoint]).staff_sees
    if sees is None or sees.area not in areas or sees.download:  # no grant of these lets anything be taken away
        return False
    return address.method == "GET" or sees.posting


def ask(client: PageCheckingClient, address: Address, headers: dict[str, str]) -> TestResponse:
    if address.method == "GET":
        return client.get(address.path, headers=headers)
    token = {"X-CSRFToken": client.token(), **headers}
    return client.open(address.path, method=address.method, headers=token)


def told(answer: TestResponse) -> tuple[int, str]:
    """Status and words, without the reference of the one request."""
    return answer.status_code, re.sub(r"<code>[^<]*</code>", "", answer.text)


def places(app: Flask, ids: dict[str, int]) -> Iterator[Address]:
    return (each for each in addresses(app, "harbour", ids) if each.path.startswith("/o/"))


@pytest.mark.parametrize("part", [False, True], ids=["page", "part"])
@pytest.mark.parametrize("state", STATES, ids=[state.name for state in STATES])
def test_security_27_only_what_is_open_answers(
    app: Flask,
    client: PageCheckingClient,
    staff_client: StaffClient,
    sign_in_staff: StaffSignIn,
    cast: Cast,
    make: Make,
    state: State,
    part: bool,
) -> None:
    ids, headers = ids_of(make), PART if part else {}
    client.sign_in(cast.quentin)
    areas = state.prepare(make, cast, staff_client, sign_in_staff)
    opened = set()
    for address in places(app, ids):
        answer = ask(staff_client, address, headers)
        if is_open(app, address, areas):
            opened.add((address.endpoint, address.method))
            assert answer.status_code in (200, 204, 303, 422), (str(address), answer.status_code)
        else:
            assert answer.status_code in _GONE, (str(address), answer.status_code)
            assert told(answer) == told(ask(client, address, headers)), str(address)
    assert bool(opened) == bool(areas)
    if areas in list(Area):
        printed = {
            (line.endpoint, line.method) for line in permission_lines(app) if line.opened_by == tell_areas(areas)
        }
        assert opened == printed, "what `flask permissions` says of this area"
    if areas == EVERYTHING:
        assert len(opened) > 15, opened


def test_security_27_every_view_that_staff_may_see_is_known(app: Flask) -> None:
    """Whoever opens another one writes it here as well."""
    found: dict[str, set[str]] = {}
    for endpoint, view in app.view_functions.items():
        sees = access.of(view).staff_sees
        if sees is not None:
            found.setdefault(" and ".join(area.name or "" for area in sees.area), set()).add(endpoint)
    assert found == {
        "CALLS": {
            *(f"calls.{view}" for view in ("index", "search", "detail", "export")),
            *("returns.index", "reports.overview"),
        },
        "CALLS and DESTINATIONS": {"destinations.figures", "destinations.unnamed"},
        "DESTINATIONS": {
            *(f"destinations.{view}" for view in ("index", "search", "show", "row", "export", "test")),
            *(f"destinations.{view}" for view in ("numbers", "routes", "route_history")),
        },
        "SOURCES": {
            *(f"sources.{view}" for view in ("phone_systems", "list_all", "show_import", "refused", "refused_lines")),
        },
        "PEOPLE": {"people.index"},
    }


@pytest.mark.parametrize("may_download", [False, True])
def test_nothing_is_downloaded_unless_the_grant_says_so(
    app: Flask, staff_client: StaffClient, cast: Cast, make: Make, may_download: bool
) -> None:
    ids = ids_of(make)
    grant = make.grant(cast.olive, may_download=may_download)
    make.opening(grant, cast.stella, web_session_id=staff_client.web_session_id)
    for address in places(app, ids):
        sees = access.of(app.view_functions[address.endpoint]).staff_sees
        if sees is not None and sees.download:
            answer = staff_client.get(address.path)
            assert answer.status_code == (200 if may_download else 404), str(address)
            assert ("Content-Disposition" in answer.headers) == may_download
