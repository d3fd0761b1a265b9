"""The second step of signing in."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
import time_machine
from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse

from tests.accounts.authenticator import code_of, events, give_password, mails, set_up_app, stored
from tests.cast import PASSWORD, Cast
from tests.client import PageCheckingClient
from webapp.accounts import limits, sign_in
from webapp.accounts.browsers import Where
from webapp.accounts.models import SessionState, UserAccount, WebSession
from webapp.accounts.people import set_password
from webapp.accounts.second_factor import Keys
from webapp.accounts.session_limits import WAITING_LIMIT
from webapp.database.engine import Database
from webapp.errors import TooManyTries
from webapp.tenancy.sessions import reading_session, writing_session

CODE = "/sign-in/code"


def give(client: PageCheckingClient, code: str) -> TestResponse:
    """The second step; a page seen before it has the token of another session."""
    answer = client.send(CODE, {"code": code})
    client.csrf_token = "" if answer.status_code == 303 else client.csrf_token
    return answer


@pytest.fixture
def secret(clock: time_machine.Traveller, client: PageCheckingClient, cast: Cast) -> str:
    """Of Olive's app; she is signed out again, and the next code is due."""
    client.sign_in(cast.olive)
    found, _codes = set_up_app(client)
    client.send("/sign-out")
    clock.shift(60)
    return found


def test_the_password_alone_opens_nothing(
    client: PageCheckingClient, cast: Cast, secret: str, database: Database
) -> None:
    assert give_password(client, cast.olive) == CODE
    for path in ("/account", "/o/harbour/", "/security-settings"):
        assert client.get(path).location.startswith("/sign-in")
    with reading_session(database) as session:
        [row] = session.scalars(select(WebSession))
    assert row.state == SessionState.ON_ITS_WAY
    assert row.proved_at is None


def test_the_code_lets_in_and_leads_on(client: PageCheckingClient, cast: Cast, secret: str) -> None:
    client.get("/sign-in?next=/o/harbour/calls")
    client.send("/sign-in", {"email": cast.olive.email, "password": PASSWORD, "next": "/o/harbour/calls"})
    before = client.get_cookie("sid")
    client.get(CODE)
    checked = give(client, code_of(secret))
    assert client.get(checked.location).location == "/o/harbour/calls"
    assert client.get_cookie("sid") != before
    assert client.get(CODE).location == "/"


def test_spaces_in_a_code_do_no_harm(client: PageCheckingClient, cast: Cast, secret: str) -> None:
    give_password(client, cast.olive)
    code = code_of(secret)
    assert give(client, f" {code[:3]} {code[3:]} ").status_code == 303


def test_a_wrong_code_says_so(client: PageCheckingClient, cast: Cast, secret: str, database: Database) -> None:
    give_password(client, cast.olive)
    answer = give(client, "000000")
    assert answer.status_code == 422
    assert "This code is not right" in answer.text
    assert give(client, "").status_code == 422
    assert give(client, "١٢٣٤٥٦").status_code == 422
    assert events(database, cast.olive)[-1] == "sign_in.refused"


@pytest.mark.parametrize("steps", [-1, 0, 1])
def test_security_14_a_step_before_and_after_is_taken(
    client: PageCheckingClient, cast: Cast, secret: str, steps: int
) -> None:
    give_password(client, cast.olive)
    assert give(client, code_of(secret, steps)).status_code == 303


@pytest.mark.parametrize("steps", [-2, 2])
def test_security_14_no_other_is(client: PageCheckingClient, cast: Cast, secret: str, steps: int) -> None:
    give_password(client, cast.olive)
    assert give(client, code_of(secret, steps)).status_code == 422


def test_security_14_a_code_works_once_in_its_step_and_the_next(
    clock: time_machine.Traveller, client: PageCheckingClient, cast: Cast, secret: str
) -> None:
    code = code_of(secret)
    give_password(client, cast.olive)
    assert give(client, code).status_code == 303
    client.send("/sign-out")
    give_password(client, cast.olive)
    assert give(client, code).status_code == 422
    clock.shift(30)
    assert give(client, code).status_code == 422
    assert give(client, code_of(secret, -1)).status_code == 422  # older than the last one taken
    assert give(client, code_of(secret)).status_code == 303


def test_security_14_of_two_at_once_exactly_one_wins(app: Flask, cast: Cast, secret: str, database: Database) -> None:
    olive, code, together = stored(database, cast.olive), code_of(secret), Barrier(4)

    def take(_number: int) -> bool:
        with app.app_context():
            together.wait()
            return sign_in.pass_code(database, Keys(str(app.secret_key)), olive, code, Where("192.0.2.1", ""))

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(take, range(4))) == 1


def test_security_14_five_codes_in_five_minutes(
    clock: time_machine.Traveller, client: PageCheckingClient, cast: Cast, secret: str
) -> None:
    clock.shift(1500)  # what setting up has used is forgotten
    give_password(client, cast.olive)
    statuses = [give(client, "000000").status_code for _ in range(6)]
    assert statuses == [422] * 5 + [429]
    refused = give(client, code_of(secret))
    assert refused.status_code == 429
    assert "no account is locked" in refused.text
    assert int(refused.headers["Retry-After"]) <= 300
    clock.shift(299)
    assert give(client, code_of(secret)).status_code == 429
    clock.shift(1)
    assert give(client, code_of(secret)).status_code == 303


def test_security_12_codes_tried_elsewhere_lock_nobody_out(
    app: Flask, client: PageCheckingClient, cast: Cast, secret: str, database: Database
) -> None:
    """Whoever has the password can use up the tries of networks that are not known, not those of the office."""
    olive, keys = stored(database, cast.olive), Keys(str(app.secret_key))
    with app.app_context():
        for number in range(limits.CODES.burst):
            assert not sign_in.pass_code(database, keys, olive, "000000", Where(f"198.51.100.{number}", ""))
        with pytest.raises(TooManyTries):
            sign_in.pass_code(database, keys, olive, "000000", Where("198.51.100.77", ""))
    give_password(client, cast.olive)
    assert give(client, code_of(secret)).status_code == 303


def test_security_15_a_recovery_code_signs_in_once_and_is_told(
    clock: time_machine.Traveller, client: PageCheckingClient, cast: Cast, database: Database
) -> None:
    client.sign_in(cast.olive)
    _secret, codes = set_up_app(client)
    client.send("/sign-out")
    give_password(client, cast.olive)
    assert give(client, f" {codes[3].upper().replace('-', ' ')} ").status_code == 303
    assert "recovery.used" in events(database, cast.olive)
    assert [mail.to_address for mail in mails(database, "recovery_code_used")] == [cast.olive.email]
    assert "9 of 10 recovery codes left" in client.get("/security-settings").text
    client.send("/sign-out")
    give_password(client, cast.olive)
    assert give(client, codes[3]).status_code == 422
    assert give(client, codes[4]).status_code == 303


def test_recovery_codes_are_the_persons_own(
    clock: time_machine.Traveller, app: Flask, client: PageCheckingClient, cast: Cast
) -> None:
    client.sign_in(cast.olive)
    _secret, codes = set_up_app(client)
    client.send("/sign-out")
    client.sign_in(cast.max)
    set_up_app(client)
    client.send("/sign-out")
    give_password(client, cast.max)
    assert give(client, codes[0]).status_code == 422


def test_nobody_waits_for_ever(
    clock: time_machine.Traveller, client: PageCheckingClient, cast: Cast, secret: str
) -> None:
    give_password(client, cast.olive)
    clock.shift(WAITING_LIMIT - timedelta(seconds=1))
    assert client.get(CODE).status_code == 200
    clock.shift(1)
    assert client.get(CODE).location == "/sign-in"
    assert give(client, code_of(secret)).status_code in (303, 400)
    assert client.get("/account").status_code == 303


def test_security_04_a_new_password_ends_who_waits(
    client: PageCheckingClient, cast: Cast, secret: str, database: Database
) -> None:
    give_password(client, cast.olive)
    with writing_session(database) as session:
        set_password(session, session.get_one(UserAccount, cast.olive.id), "nine large ships at sea")
        session.commit()
    assert client.get(CODE).location == "/sign-in"


def test_without_a_cookie_the_page_says_so(app: Flask) -> None:
    answer = app.test_client(use_cookies=False).get(CODE)
    assert "Your browser refused the cookie" in answer.text


def test_security_32_codes_stand_in_no_log(
    client: PageCheckingClient, cast: Cast, secret: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    code = code_of(secret)
    give_password(client, cast.olive)
    give(client, code)
    assert "sign_in.done" in caplog.text
    assert code not in caplog.text
    assert secret not in caplog.text
