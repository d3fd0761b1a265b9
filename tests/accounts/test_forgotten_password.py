"""A forgotten password: the same answer for everybody, a link that works once, and never past the second factor."""

import json

import pytest
import time_machine
from flask import Flask

from config import Settings
from tests.accounts.authenticator import (
    code_of,
    dump,
    events,
    give_password,
    mails,
    set_up_app,
    token_in,
    work,
)
from tests.cast import PASSWORD, Cast
from tests.client import PageCheckingClient
from webapp.accounts import limits, passwords
from webapp.accounts.models import UserAccount
from webapp.accounts.people import add_address, disable_user, make_primary, set_password
from webapp.database.engine import Database
from webapp.tenancy.sessions import writing_session

NEW = "nine large ships at sea"


def ask(client: PageCheckingClient, email: str, **options: str) -> int:
    client.get("/forgotten-password")
    return client.send("/forgotten-password", {"email": email}, environ_overrides=options).status_code


@pytest.fixture
def token(client: PageCheckingClient, cast: Cast, database: Database, settings: Settings) -> str:
    """Of the link that was mailed to Olive."""
    ask(client, " Olive@Example.com ")
    work(database, settings)
    [mail] = mails(database, "reset_password")
    assert mail.to_address == cast.olive.email
    return token_in(mail, settings)


def follow(client: PageCheckingClient, token: str) -> int:
    client.get(f"/account-link/{token}")
    answer = client.send(f"/account-link/{token}")
    assert answer.status_code in (303, 404)
    assert token not in answer.headers.get("Location", "")
    client.csrf_token = ""
    return answer.status_code


def choose(client: PageCheckingClient, password: str) -> int:
    client.get("/account-link")
    return client.send("/account-link", {"password": password}).status_code


def test_the_whole_way(client: PageCheckingClient, cast: Cast, token: str, database: Database) -> None:
    assert follow(client, token) == 303
    assert "Choose a new password" in client.get("/account-link").text
    assert choose(client, NEW) == 303
    assert "Your new password is set." in client.get("/sign-in?changed=yes").text
    client.csrf_token = ""
    client.sign_in(cast.olive, NEW)
    assert client.get("/account").status_code == 200
    assert [mail.to_address for mail in mails(database, "password_changed")] == [cast.olive.email]
    assert events(database, cast.olive)[:2] == ["password.link_sent", "password.set_by_link"]


def test_security_11_everybody_gets_the_same_answer_after_the_same_work(
    client: PageCheckingClient, cast: Cast, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with writing_session(database) as session:
        disable_user(session, session.get_one(UserAccount, cast.max.id))
        session.commit()
    monkeypatch.setattr(passwords, "hasher", None)
    seen = set()
    for number, email in enumerate((cast.olive.email, "nobody@example.com", cast.max.email)):
        client.get("/forgotten-password")
        answer = client.send(
            "/forgotten-password", {"email": email}, environ_overrides={"REMOTE_ADDR": f"192.0.2.{number}"}
        )
        page = client.get(answer.location)
        seen.add((answer.status_code, answer.location, page.text, json.dumps(sorted(k for k, _ in answer.headers))))
    assert len(seen) == 1
    assert mails(database) == []  # found out by the job alone
    with database.reading.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM job").scalar_one() == 3


def test_only_who_may_sign_in_gets_a_mail(
    client: PageCheckingClient, cast: Cast, database: Database, settings: Settings
) -> None:
    with writing_session(database) as session:
        disable_user(session, session.get_one(UserAccount, cast.max.id))
        session.commit()
    for email in ("nobody@example.com", cast.max.email):
        ask(client, email)
    work(database, settings)
    assert mails(database) == []


def test_security_18_the_token_and_the_address_stand_nowhere(
    client: PageCheckingClient, token: str, database: Database
) -> None:
    follow(client, token)
    assert token not in dump(database)
    ask(client, "stranger.canary@example.com")
    assert "canary" not in dump(database)


def test_security_18_opening_the_link_changes_nothing(
    app: Flask, client: PageCheckingClient, token: str, database: Database
) -> None:
    scanner = app.test_client()
    before = dump(database)
    for _ in range(3):
        page = scanner.get(f"/account-link/{token}")
        assert page.status_code == 200
        assert scanner.head(f"/account-link/{token}").status_code == 200
    assert dump(database) == before
    assert follow(client, token) == 303


def test_security_18_a_link_works_once(
    app: Flask, client: PageCheckingClient, cast: Cast, token: str, database: Database
) -> None:
    second = app.test_client()
    assert isinstance(second, PageCheckingClient)
    assert follow(client, token) == 303
    assert follow(second, token) == 303  # two browsers may open it, one uses it
    assert choose(client, NEW) == 303
    assert choose(second, "eleven old lamps on deck") in (400, 404)
    assert client.get(f"/account-link/{token}").status_code == 404
    client.csrf_token = ""
    client.sign_in(cast.olive, NEW)


def test_security_18_a_weak_password_uses_nothing_up(client: PageCheckingClient, token: str) -> None:
    follow(client, token)
    for weak in ("", "short", "HarbourBoats1998", "olive@example.com!", "x" * 129):
        assert choose(client, weak) == 422
    assert choose(client, NEW) == 303


def test_security_18_a_link_is_over_after_an_hour(
    client: PageCheckingClient, cast: Cast, database: Database, settings: Settings, clock: time_machine.Traveller
) -> None:
    ask(client, cast.olive.email)
    work(database, settings)
    token = token_in(mails(database)[0], settings)
    clock.shift(3599)
    assert client.get(f"/account-link/{token}").status_code == 200
    clock.shift(1)
    answer = client.get(f"/account-link/{token}")
    assert answer.status_code == 404
    assert "This link is over" in answer.text


@pytest.mark.parametrize("change", ["password", "primary address", "another link"])
def test_security_18_a_link_is_over_once_something_changed(
    client: PageCheckingClient, cast: Cast, database: Database, settings: Settings, token: str, change: str
) -> None:
    with writing_session(database) as session:
        olive = session.get_one(UserAccount, cast.olive.id)
        if change == "password":
            set_password(session, olive, "eleven old lamps on deck")
        elif change == "primary address":
            add_address(session, olive, "olive@home.example")
            make_primary(session, olive, "olive@home.example")
        session.commit()
    if change == "another link":
        ask(client, cast.olive.email)
        work(database, settings)
    assert client.get(f"/account-link/{token}").status_code == 404


def test_security_18_it_never_skips_the_second_factor(
    client: PageCheckingClient, cast: Cast, database: Database, settings: Settings, clock: time_machine.Traveller
) -> None:
    client.sign_in(cast.olive)
    secret, _codes = set_up_app(client)
    client.send("/sign-out")
    clock.shift(60)
    ask(client, cast.olive.email)
    work(database, settings)
    follow(client, token_in(mails(database, "reset_password")[0], settings))
    assert choose(client, NEW) == 303
    assert client.get("/account").status_code == 303
    client.csrf_token = ""
    assert give_password(client, cast.olive, NEW) == "/sign-in/code"
    assert client.send("/sign-in/code", {"code": code_of(secret)}).status_code == 303


def test_security_04_a_new_password_signs_out_everywhere(
    app: Flask, client: PageCheckingClient, cast: Cast, token: str
) -> None:
    inside = app.test_client()
    assert isinstance(inside, PageCheckingClient)
    inside.sign_in(cast.olive)
    follow(client, token)
    choose(client, NEW)
    assert inside.get("/account").status_code == 303


def test_links_that_are_none_are_one_neutral_page(client: PageCheckingClient) -> None:
    client.get("/sign-in")
    pages = {client.get(f"/account-link/{token}").text for token in ("x", "A" * 43, "%00")}
    assert len(pages) == 1
    assert client.send("/account-link/x").status_code == 404
    assert client.get("/account-link").status_code == 404


def test_security_08_a_link_that_is_none_leaves_no_row(client: PageCheckingClient, database: Database) -> None:
    client.get("/sign-in")
    client.send("/account-link/x")
    with database.reading.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM web_session").scalar_one() == 0


def test_security_12_an_address_is_mailed_five_times_a_day(client: PageCheckingClient, cast: Cast) -> None:
    for email in (cast.olive.email, "nobody@example.com"):
        statuses = [
            ask(client, email, REMOTE_ADDR=f"198.51.100.{number}") for number in range(limits.RESETS_PER_ADDRESS.burst)
        ]
        assert statuses == [303] * 5
        assert ask(client, email, REMOTE_ADDR="198.51.100.99") == 429


def test_security_12_a_stranger_cannot_use_up_the_mails_of_a_known_network(
    client: PageCheckingClient, cast: Cast
) -> None:
    client.sign_in(cast.olive)
    client.send("/sign-out")
    for number in range(6):
        ask(client, cast.olive.email, REMOTE_ADDR=f"198.51.100.{number}")
    assert ask(client, cast.olive.email) == 303


@pytest.mark.usefixtures("clock")
def test_security_12_one_network_asks_for_few(client: PageCheckingClient) -> None:
    statuses = [ask(client, f"{number}@example.com") for number in range(limits.RESETS_PER_NETWORK.burst + 1)]
    assert statuses == [303] * limits.RESETS_PER_NETWORK.burst + [429]


def test_no_address_is_told_what_to_do(client: PageCheckingClient) -> None:
    assert ask(client, "") == 422


def test_the_present_password_works_until_then(client: PageCheckingClient, cast: Cast, token: str) -> None:
    client.sign_in(cast.olive, PASSWORD)
    assert client.get("/account").status_code == 200
