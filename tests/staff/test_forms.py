"""Every page of the console, as staff ask for it: reading changes nothing, and no form counts without its token."""

from collections.abc import Iterator

from flask import Flask

from tests.cast import Cast
from tests.client import PageCheckingClient
from tests.every_address import Address, addresses, ids_of
from tests.make import Make
from tests.tenancy.test_guard import UNSAFE, snapshot
from webapp import access


def of_the_console(app: Flask, make: Make) -> Iterator[Address]:
    for address in addresses(app, "harbour", ids_of(make)):
        if access.of(app.view_functions[address.endpoint]).staff:
            yield address


def test_security_34_reading_changes_nothing(app: Flask, staff_client: PageCheckingClient, make: Make) -> None:
    walked = [address for address in of_the_console(app, make) if address.method == "GET"]
    staff_client.get("/staff/")
    before = snapshot(make.database)
    for address in walked:
        assert staff_client.get(address.path).status_code in (200, 404), address
    assert len(walked) > 3
    assert snapshot(make.database) == before


def test_security_34_no_form_without_its_token(
    app: Flask, staff_client: PageCheckingClient, client: PageCheckingClient, cast: Cast, make: Make
) -> None:
    client.sign_in(cast.olive)
    of_another = {"X-CSRFToken": client.token()}
    walked = [address for address in of_the_console(app, make) if address.method in UNSAFE]
    before = snapshot(make.database)
    for address in walked:
        for headers in ({}, of_another):
            answer = staff_client.open(address.path, method=address.method, headers=headers)
            assert answer.status_code == 400, address
    assert len(walked) > 2
    assert snapshot(make.database) == before
