"""The addresses of a person: added by a link, removed, and which one is primary."""

import pytest
from flask import Flask

from config import Settings
from tests.accounts.authenticator import dump, events, mails, stored, token_in
from tests.cast import Cast
from tests.client import PageCheckingClient
from webapp.accounts import limits
from webapp.accounts.queries import find_person, list_addresses
from webapp.database.engine import Database
from webapp.tenancy.sessions import reading_session

HOME = "olive@home.example"


def addresses(database: Database, cast: Cast) -> list[str]:
    with reading_session(database) as session:
        return [found.email for found in list_addresses(session, cast.olive.id)]


def ask(client: PageCheckingClient, email: str = HOME) -> int:
    return client.send("/account/addresses", {"email": email}).status_code


@pytest.fixture
def inside(client: PageCheckingClient, cast: Cast) -> PageCheckingClient:
    client.sign_in(cast.olive)
    return client


@pytest.fixture
def with_home(inside: PageCheckingClient, database: Database, settings: Settings) -> PageCheckingClient:
    """Olive's browser, with a second address confirmed."""
    ask(inside)
    token = token_in(mails(database, "confirm_address")[0], settings)
    inside.send(f"/account-link/{token}")
    assert inside.send("/account-link").status_code == 303
    return inside


def test_a_link_confirms_an_address(
    inside: PageCheckingClient, cast: Cast, database: Database, settings: Settings
) -> None:
    assert ask(inside, " Olive@Home.Example ") == 303
    [mail] = mails(database, "confirm_address")
    assert mail.to_address == HOME
    assert addresses(database, cast) == [cast.olive.email]
    token = token_in(mail, settings)
    assert token not in dump(database)
    assert HOME in inside.get(f"/account-link/{token}").text
    answer = inside.send(f"/account-link/{token}")
    assert answer.location == "/account-link"
    assert "Confirm this address" in inside.get("/account-link").text
    assert addresses(database, cast) == [cast.olive.email]
    assert inside.send("/account-link").location == "/account"
    assert addresses(database, cast) == [cast.olive.email, HOME]
    assert f"{HOME} is one of your addresses now." in inside.get("/account").text
    assert "address.added" in events(database, cast.olive)
    assert {mail.to_address for mail in mails(database, "address_changed")} == {cast.olive.email, HOME}
    assert inside.get(f"/account-link/{token}").status_code == 404


def test_any_address_signs_in(app: Flask, with_home: PageCheckingClient, cast: Cast, database: Database) -> None:
    with_home.send("/sign-out")
    with_home.get("/sign-in")
    answer = with_home.send("/sign-in", {"email": HOME, "password": "six small boats at anchor"})
    assert answer.status_code == 303
    with reading_session(database) as session:
        found = find_person(session, HOME)
    assert found is not None
    assert found.id == cast.olive.id


def test_security_18_only_the_person_who_asked_confirms_it(
    app: Flask, inside: PageCheckingClient, cast: Cast, database: Database, settings: Settings
) -> None:
    """Else a link could make an address of whoever follows it one of a stranger's account, or the other way round."""
    ask(inside)
    token = token_in(mails(database, "confirm_address")[0], settings)
    for name in ("nobody", "max"):
        other = app.test_client()
        assert isinstance(other, PageCheckingClient)
        other.get("/sign-in")
        if name == "max":
            other.sign_in(cast.max)
        other.get(f"/account-link/{token}")
        assert other.send(f"/account-link/{token}").status_code == 303
        other.csrf_token = ""
        page = other.get("/account-link")
        assert "Confirm this address" not in page.text
        assert other.send("/account-link").status_code == 403
    assert addresses(database, cast) == [cast.olive.email]


def test_a_link_is_kept_while_one_signs_in(
    app: Flask, inside: PageCheckingClient, cast: Cast, database: Database, settings: Settings
) -> None:
    ask(inside)
    token = token_in(mails(database, "confirm_address")[0], settings)
    other = app.test_client()
    assert isinstance(other, PageCheckingClient)
    other.get(f"/account-link/{token}")
    other.send(f"/account-link/{token}")
    assert "/sign-in?next=/account-link" in other.get("/account-link").text
    other.csrf_token = ""
    other.sign_in(cast.olive)
    assert "Confirm this address" in other.get("/account-link").text
    assert other.send("/account-link").status_code == 303
    assert HOME in addresses(database, cast)


def test_security_11_an_address_of_somebody_else_gets_the_same_answer_and_no_mail(
    inside: PageCheckingClient, cast: Cast, database: Database
) -> None:
    assert ask(inside, cast.quentin.email) == 303
    assert "A mail is on its way to quentin@example.com" in inside.get("/account").text
    assert mails(database) == []


@pytest.mark.parametrize("email", ["", "no address", "olive@example.com", "a@b.example\nBcc: all@example.com"])
def test_what_cannot_be_added_is_told(inside: PageCheckingClient, database: Database, email: str) -> None:
    answer = inside.send("/account/addresses", {"email": email})
    assert answer.status_code == 422
    assert 'class="error"' in answer.text
    assert mails(database) == []


def test_security_12_confirmations_are_few(inside: PageCheckingClient, database: Database) -> None:
    statuses = [ask(inside, f"{number}@home.example") for number in range(limits.CONFIRMATIONS.burst + 1)]
    assert statuses == [303] * limits.CONFIRMATIONS.burst + [422]


def test_another_primary_address_is_told_to_the_old_one(
    with_home: PageCheckingClient, cast: Cast, database: Database
) -> None:
    told = len(mails(database, "address_changed"))
    assert with_home.send("/account/addresses/primary", {"email": HOME}).status_code == 303
    assert stored(database, cast.olive).email == HOME
    assert {mail.to_address for mail in mails(database, "address_changed")[told:]} == {cast.olive.email, HOME}
    assert events(database, cast.olive)[-1] == "address.primary"


def test_an_address_is_removed_and_told(with_home: PageCheckingClient, cast: Cast, database: Database) -> None:
    told = len(mails(database, "address_changed"))
    assert with_home.send("/account/addresses/remove", {"email": HOME}).status_code == 303
    assert addresses(database, cast) == [cast.olive.email]
    assert {mail.to_address for mail in mails(database, "address_changed")[told:]} == {cast.olive.email, HOME}


def test_the_primary_one_stays(with_home: PageCheckingClient, cast: Cast, database: Database) -> None:
    assert with_home.send("/account/addresses/remove", {"email": cast.olive.email}).status_code == 422
    assert cast.olive.email in addresses(database, cast)


@pytest.mark.parametrize("action", ["remove", "primary"])
@pytest.mark.parametrize("email", ["quentin@example.com", "nobody@example.com", ""])
def test_security_22_addresses_of_others_are_none(
    inside: PageCheckingClient, cast: Cast, database: Database, action: str, email: str
) -> None:
    assert inside.send(f"/account/addresses/{action}", {"email": email}).status_code == 404
    assert stored(database, cast.olive).email == cast.olive.email
    with reading_session(database) as session:
        assert find_person(session, cast.quentin.email) is not None
