"""The permission matrix, cell by cell: what `flask permissions` prints is what the app does, on page and part.

Every address of the app is in it by itself; nothing that the matrix refuses answers with a page.
"""

from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.cast import Cast
from tests.client import PART, PageCheckingClient
from tests.every_address import Address, addresses, ids_of
from tests.make import Make
from webapp.accounts.models import UserAccount
from webapp.permissions import COLUMNS, NOT_THERE, OPEN, REFUSED, SIGN_IN, Who, permission_lines

#: Which change the session of who asks: walked by tests of their own.
_ENDS_THE_WALK = {"accounts.sign_out", "accounts.delete", "people.leave"}
#: Public, and leads whoever has not given a password yet to the page where one does.
_BEGINS_AGAIN = {"accounts.enter_code", "accounts.ask_without_factor"}


def person(cast: Cast, who: Who) -> UserAccount | None:
    people = {
        "outsider": cast.quentin,
        "viewer": cast.vera,
        "manager": cast.max,
        "owner": cast.olive,
        "staff": cast.stella,
    }
    return None if not who.signed_in else {**people, "narrowed viewer": cast.nina}[who.name]


def cells(app: Flask, column: int) -> dict[tuple[str, str], str]:
    return {(line.endpoint, line.method): line.cells[column] for line in permission_lines(app)}


def ask(client: PageCheckingClient, address: Address, headers: dict[str, str]) -> TestResponse:
    if address.method == "GET":
        return client.get(address.path, headers=headers)
    token = {"X-CSRFToken": client.token(), **headers}
    return client.open(address.path, method=address.method, headers=token)


def told(answer: TestResponse) -> str:
    """In the words of the matrix."""
    if answer.status_code == 303 and answer.location.startswith(("/sign-in", "/staff/sign-in")):
        return SIGN_IN
    return {401: SIGN_IN, 403: REFUSED, 404: NOT_THERE}.get(answer.status_code, OPEN)


@pytest.mark.parametrize("column", range(len(COLUMNS)), ids=[who.name for who in COLUMNS])
@pytest.mark.parametrize("part", [False, True], ids=["page", "part"])
def test_security_22_every_cell_is_as_the_matrix_says(
    app: Flask, client: PageCheckingClient, cast: Cast, make: Make, column: int, part: bool
) -> None:
    """In one's own organization. The things that the addresses name are there, and a narrowed viewer sees the call."""
    who, expected = COLUMNS[column], cells(app, column)
    make.narrow(cast.nina, "201")
    ids = ids_of(make)
    signed_in = person(cast, who)
    if signed_in is not None:
        client.sign_in(signed_in)
    else:
        client.get("/sign-in")
    walked = 0
    for address in addresses(app, "harbour", ids):
        if address.endpoint in _ENDS_THE_WALK | _BEGINS_AGAIN:
            continue
        walked += 1
        wanted, got = expected[address.endpoint, address.method], told(ask(client, address, PART if part else {}))
        if wanted == OPEN:  # an address whose thing is gone meanwhile, or whose action is refused to everybody
            assert got in (OPEN, NOT_THERE, REFUSED) if address.method != "GET" else got in (OPEN, NOT_THERE), address
        else:
            assert got == wanted, (who.name, str(address), got)
    assert walked > 30


@pytest.mark.parametrize("column", range(len(COLUMNS)), ids=[who.name for who in COLUMNS])
def test_security_22_another_organization_is_closed_to_all(
    app: Flask, client: PageCheckingClient, cast: Cast, make: Make, column: int
) -> None:
    """Whatever one is at home. The outsider of Harbour is the owner of Quayside, so they ask for Harbour."""
    who = COLUMNS[column]
    at_home = who.name == "outsider"
    slug, theirs = ("harbour", make) if at_home else ("quayside", make.at(cast.quayside))
    ids = ids_of(theirs)
    signed_in = person(cast, who)
    client.sign_in(signed_in) if signed_in is not None else client.get("/sign-in")
    for address in addresses(app, slug, ids):
        if not address.path.startswith("/o/"):
            continue
        for headers in ({}, PART):
            got = told(ask(client, address, headers))
            assert got == (NOT_THERE if who.signed_in else SIGN_IN), (who.name, str(address))


def test_the_command_prints_every_address(app: Flask) -> None:
    result: Any = app.test_cli_runner().invoke(args=["permissions"])
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    for who in COLUMNS:
        assert who.name in lines[0]
    for rule in app.url_map.iter_rules():
        assert any(rule.rule in line.split() for line in lines), rule
    by = ["call", "log,", "with", "downloads"]
    [export] = [line.split() for line in lines if "/o/<slug:slug>/calls/export" in line]
    assert export == ["GET", "/o/<slug:slug>/calls/export", "sign", "in", "404", "yes", "yes", "yes", "yes", "404", *by]
    [undo] = [line.split() for line in lines if line.split()[:1] == ["POST"] and line.split()[1].endswith("/undo")]
    assert undo[2:] == ["sign", "in", "404", "403", "403", "yes", "yes", "404"], "nothing opens it to staff"
    [suspend] = [
        line.split() for line in lines if line.split()[:1] == ["POST"] and line.split()[1].endswith("/suspend")
    ]
    assert suspend[2:] == ["sign", "in", *["404"] * 5, "yes", "console"]


def test_the_walk_would_notice(app: Flask, client: PageCheckingClient, cast: Cast) -> None:
    """A page that the matrix does not expect is told apart from what it expects."""
    client.sign_in(cast.olive)
    assert told(client.get("/o/harbour/calls")) == OPEN
    assert told(client.get("/o/quayside/calls")) == NOT_THERE
    client.get("/sign-in")
