"""The code by which an owner tells support on the telephone who they are."""

import re
from collections.abc import Callable

import pytest
import time_machine

from tests.accounts.authenticator import dump
from tests.cast import Cast
from tests.client import PART, PageCheckingClient
from tests.make import Make
from tests.staff.chains import SERVICE, kinds, sentences
from webapp.accounts.models import UserAccount
from webapp.database.engine import Database
from webapp.tenancy.models import Role

MAKE, TAKE = "/o/harbour/settings/help-code", "/staff/help-code"
Enter = Callable[[UserAccount], PageCheckingClient]


def make_code(client: PageCheckingClient) -> str:
    answer = client.send(MAKE)
    assert answer.status_code == 200
    return re.findall(r'<code class="key">([0-9]{4} [0-9]{4})</code>', answer.text)[0]


def take(client: PageCheckingClient, code: str) -> str:
    return client.send(TAKE, {"code": code}).text


def test_staff_see_who_is_on_the_telephone_and_nothing_else(
    client: PageCheckingClient, staff_client: PageCheckingClient, cast: Cast, database: Database
) -> None:
    client.sign_in(cast.olive)
    assert "Make a code" in client.get(MAKE).text
    code = make_code(client)
    assert code not in client.get(MAKE).text
    staff_client.get(TAKE)
    page = take(staff_client, code)
    assert "olive@example.com" in page and "Owner of Harbour Boats" in page
    assert "/o/harbour" not in page and code.replace(" ", "") not in page
    assert kinds(database, cast.harbour.id, "help_code") == ["help_code.made", "help_code.used"]
    [told] = sentences(database, SERVICE, "help_code")
    assert "stella@example.com of support took the code of olive@example.com" in told
    again = staff_client.send(TAKE, {"code": code})
    assert again.status_code == 422 and "was used already" in again.text
    assert len(sentences(database, SERVICE, "help_code")) == 1


def test_it_is_kept_as_a_digest_and_shown_as_a_part_too(
    client: PageCheckingClient, cast: Cast, database: Database
) -> None:
    client.sign_in(cast.olive)
    part = client.send(MAKE, part=True)
    code = re.findall(r'<code class="key">([^<]+)</code>', part.text)[0]
    assert "<html" not in part.text and PART
    assert code not in dump(database) and code.replace(" ", "") not in dump(database)


def test_after_fifteen_minutes_it_is_over(
    clock: time_machine.Traveller, client: PageCheckingClient, enter: Enter, cast: Cast
) -> None:
    client.sign_in(cast.olive)
    early, late = make_code(client), ""
    clock.shift(899)
    stella = enter(cast.stella)
    stella.get(TAKE)
    assert "Owner of Harbour Boats" in take(stella, early)
    client.sign_in(cast.olive)
    late = make_code(client)
    clock.shift(900)
    stella = enter(cast.stella)
    stella.get(TAKE)
    assert "older than 15 minutes" in take(stella, late)


def test_a_new_code_ends_the_one_before(
    client: PageCheckingClient, staff_client: PageCheckingClient, cast: Cast
) -> None:
    client.sign_in(cast.olive)
    first, second = make_code(client), make_code(client)
    staff_client.get(TAKE)
    assert "not right" in take(staff_client, first)
    assert "Owner of" in take(staff_client, second)


def test_ten_wrong_codes_are_enough_for_one_member_of_staff(
    clock: time_machine.Traveller, client: PageCheckingClient, enter: Enter, cast: Cast
) -> None:
    client.sign_in(cast.olive)
    code = make_code(client)
    stella, steven = enter(cast.stella), enter(cast.steven)
    stella.get(TAKE)
    wrong = "0000 0000" if code != "0000 0000" else "1111 1111"
    assert [stella.send(TAKE, {"code": wrong}).status_code for _ in range(11)] == [422] * 10 + [429]
    refused = stella.send(TAKE, {"code": code})
    assert refused.status_code == 429 and "Too many codes" in refused.text
    steven.get(TAKE)
    assert "Owner of Harbour Boats" in take(steven, code), "nobody else is slowed down"
    clock.shift(90)
    assert stella.send(TAKE, {"code": wrong}).status_code == 422


@pytest.mark.parametrize("code", ["", "123", "not a code", "٠٠٠٠ ٠٠٠٠", "1" * 30])
def test_what_is_no_code_is_refused(staff_client: PageCheckingClient, code: str) -> None:
    staff_client.get(TAKE)
    assert staff_client.send(TAKE, {"code": code}).status_code == 422


def test_who_owns_it_no_more_is_nobody(
    client: PageCheckingClient, staff_client: PageCheckingClient, cast: Cast, make: Make
) -> None:
    second = make.member(Role.OWNER)
    client.sign_in(second)
    code = make_code(client)
    make.membership(second, role=Role.MANAGER)
    staff_client.get(TAKE)
    assert "not right" in take(staff_client, code)


@pytest.mark.parametrize(("name", "status"), [("vera", 403), ("max", 403), ("quentin", 404)])
def test_only_owners_make_one(client: PageCheckingClient, cast: Cast, name: str, status: int) -> None:
    client.sign_in(getattr(cast, name))
    assert client.get(MAKE).status_code == client.send(MAKE).status_code == status
    assert client.get(TAKE).status_code == client.send(TAKE).status_code == 404
