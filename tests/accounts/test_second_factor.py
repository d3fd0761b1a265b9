"""Setting up the authenticator app, its recovery codes, turning it off, and an organization that requires it."""

import re
from xml.etree import ElementTree as ET

import pyotp
import pytest
import segno
import time_machine
from flask import Flask
from sqlalchemy import select

from tests.accounts.authenticator import SET_UP, code_of, dump, events, give_password, mails, set_up_app, stored
from tests.cast import PASSWORD, Cast
from tests.client import PART, PageCheckingClient
from webapp.accounts import second_factor
from webapp.accounts.models import RecoveryCode
from webapp.accounts.second_factor import Keys
from webapp.database.engine import Database
from webapp.sealing import unseal
from webapp.tenancy.models import Organization
from webapp.tenancy.sessions import reading_session, writing_session


def require_factor(database: Database, cast: Cast) -> None:
    with writing_session(database) as session:
        session.get_one(Organization, cast.harbour.id).second_factor_required = True
        session.commit()


def test_one_code_confirms_the_app(
    clock: time_machine.Traveller, client: PageCheckingClient, cast: Cast, database: Database
) -> None:
    client.sign_in(cast.olive)
    assert "Begin" in client.get(SET_UP).text
    client.send(f"{SET_UP}/begin")
    page = client.get(SET_UP)
    secret = re.sub(r"\s", "", re.findall(r'<code class="key">([^<]+)</code>', page.text)[0])
    wrong = client.send(SET_UP, {"code": "000000"})
    assert wrong.status_code == 422
    assert "not the code that the app shows" in wrong.text
    assert stored(database, cast.olive).totp_secret is None
    assert client.send(SET_UP, {"code": code_of(secret)}).status_code == 200
    assert stored(database, cast.olive).totp_secret is not None
    assert events(database, cast.olive)[-1] == "factor.set"
    assert [mail.to_address for mail in mails(database, "second_factor_changed")] == [cast.olive.email]


def test_nothing_is_set_up_without_a_begin(client: PageCheckingClient, cast: Cast, database: Database) -> None:
    client.sign_in(cast.olive)
    assert client.send(SET_UP, {"code": "123456"}).status_code == 200
    assert stored(database, cast.olive).totp_secret is None


def test_the_picture_is_the_qr_code_of_the_address(clock: time_machine.Traveller) -> None:
    address = "otpauth://totp/Callbook:olive%40example.com?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=Callbook"
    shown = second_factor.SetUp("JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", address)
    dark = set()
    for x, y, length in re.findall(r"M(\d+) (\d+)h(\d+)v1h-\d+z", shown.picture):
        dark |= {(int(x) + step, int(y)) for step in range(int(length))}
    rows = list(segno.make_qr(address, error="m").matrix_iter(border=4))
    assert dark == {(x, y) for y, row in enumerate(rows) for x, module in enumerate(row) if module}
    assert shown.size == len(rows)
    assert pyotp.parse_uri(address).secret == shown.secret.replace(" ", "")


def test_the_picture_has_no_style_and_names_itself(client: PageCheckingClient, cast: Cast) -> None:
    client.sign_in(cast.olive)
    client.send(f"{SET_UP}/begin")
    svg = re.findall(r"<svg class=\"qr\".*?</svg>", client.get(SET_UP).text, re.S)[0]
    assert ET.fromstring(svg).get("aria-label")  # noqa: S314 - our own
    assert "style" not in svg


def test_security_51_the_secret_lies_sealed_before_and_after(
    clock: time_machine.Traveller, app: Flask, client: PageCheckingClient, cast: Cast, database: Database
) -> None:
    client.sign_in(cast.olive)
    client.send(f"{SET_UP}/begin")
    secret = re.sub(r"\s", "", re.findall(r'<code class="key">([^<]+)</code>', client.get(SET_UP).text)[0])
    assert secret not in dump(database)
    client.send(SET_UP, {"code": code_of(secret)})
    assert secret not in dump(database)
    sealed = stored(database, cast.olive).totp_secret
    assert sealed is not None
    assert unseal(str(app.secret_key), sealed).decode() == secret


def test_security_07_a_code_counts_after_the_key_was_changed(
    clock: time_machine.Traveller, app: Flask, client: PageCheckingClient, cast: Cast, database: Database
) -> None:
    client.sign_in(cast.olive)
    secret, codes = set_up_app(client)
    old, new = str(app.secret_key), "another key of the tests, of 40 characters"
    clock.shift(30)
    with writing_session(database) as session:
        olive = stored(database, cast.olive)
        assert not second_factor.take_code(session, Keys(new), olive, code_of(secret))
        assert second_factor.take_code(session, Keys(new, [old]), olive, code_of(secret))
        assert second_factor.take_recovery_code(session, Keys(new, [old]), olive, codes[0])
        session.commit()
    sealed = stored(database, cast.olive).totp_secret
    assert sealed is not None
    assert unseal(new, sealed).decode() == secret  # sealed anew: the old key may go


def test_security_15_ten_recovery_codes_that_nobody_can_show_again(
    clock: time_machine.Traveller, client: PageCheckingClient, cast: Cast, database: Database
) -> None:
    client.sign_in(cast.olive)
    _secret, codes = set_up_app(client)
    assert len(set(codes)) == 10
    assert all(re.fullmatch(r"[a-hjkmnp-z2-9]{4}(-[a-hjkmnp-z2-9]{4}){3}", code) for code in codes)
    assert len(set("abcdefghjkmnpqrstuvwxyz23456789")) ** 16 > 2**64
    kept = dump(database)
    assert not any(code in kept or code.replace("-", "") in kept for code in codes)
    assert client.send(SET_UP, {"code": "123456"}).status_code == 200  # the page again: without them
    assert codes[0] not in client.get(SET_UP).text
    assert "10 of 10 recovery codes left" in client.get("/security-settings").text


def test_security_15_new_codes_kill_the_old_ones(
    clock: time_machine.Traveller, app: Flask, client: PageCheckingClient, cast: Cast, database: Database
) -> None:
    client.sign_in(cast.olive)
    _secret, old = set_up_app(client)
    page = client.send(f"{SET_UP}/recovery-codes")
    new = re.findall(r"<li><code>([^<]+)</code>", page.text)
    assert len(new) == 10
    assert not set(new) & set(old)
    assert events(database, cast.olive)[-1] == "recovery.renewed"
    other = app.test_client()
    assert isinstance(other, PageCheckingClient)
    assert give_password(other, cast.olive) == "/sign-in/code"
    assert other.send("/sign-in/code", {"code": old[0]}).status_code == 422
    assert other.send("/sign-in/code", {"code": new[0]}).status_code == 303


def test_codes_without_an_app_are_refused(client: PageCheckingClient, cast: Cast) -> None:
    client.sign_in(cast.olive)
    assert client.send(f"{SET_UP}/recovery-codes").status_code == 422


def test_security_04_a_new_factor_ends_all_other_sessions(
    clock: time_machine.Traveller, app: Flask, client: PageCheckingClient, cast: Cast
) -> None:
    other = app.test_client()
    assert isinstance(other, PageCheckingClient)
    other.sign_in(cast.olive)
    client.sign_in(cast.olive)
    before = client.get_cookie("sid")
    set_up_app(client)
    assert other.get("/account").status_code == 303
    assert client.get("/account").status_code == 200
    assert client.get_cookie("sid") != before


def test_turning_it_off_takes_password_and_code(
    clock: time_machine.Traveller, client: PageCheckingClient, cast: Cast, database: Database
) -> None:
    client.sign_in(cast.olive)
    secret, _codes = set_up_app(client)
    clock.shift(30)
    for wrong in ({"password": "wrong", "code": code_of(secret)}, {"password": PASSWORD, "code": "000000"}, {}):
        assert client.send(f"{SET_UP}/turn-off", wrong).status_code == 422
    assert stored(database, cast.olive).totp_secret is not None
    assert client.send(f"{SET_UP}/turn-off", {"password": PASSWORD, "code": code_of(secret)}).status_code == 303
    assert stored(database, cast.olive).totp_secret is None
    with reading_session(database) as session:
        assert list(session.scalars(select(RecoveryCode))) == []
    assert events(database, cast.olive)[-1] == "factor.removed"
    assert len(mails(database, "second_factor_changed")) == 2
    assert client.get(f"{SET_UP}/turn-off").location == "/security-settings"


def test_it_stays_on_while_an_organization_requires_it(
    clock: time_machine.Traveller, client: PageCheckingClient, cast: Cast, database: Database
) -> None:
    client.sign_in(cast.olive)
    secret, _codes = set_up_app(client)
    require_factor(database, cast)
    clock.shift(30)
    data = {"password": PASSWORD, "code": code_of(secret)}
    assert client.send(f"{SET_UP}/turn-off", data).status_code == 422
    assert stored(database, cast.olive).totp_secret is not None
    assert "Turn it off" not in client.get("/security-settings").text


@pytest.mark.parametrize("path", ["/account", "/security-settings", "/o/harbour/calls", "/o/harbour/phone-systems/new"])
def test_who_needs_a_factor_sets_it_up_before_anything_else(
    client: PageCheckingClient, cast: Cast, database: Database, path: str
) -> None:
    require_factor(database, cast)
    client.sign_in(cast.olive)
    assert client.get(path).location == SET_UP
    part = client.get(path, headers=PART)
    assert (part.status_code, part.headers["HX-Redirect"]) == (401, SET_UP)


def test_who_needs_a_factor_does_nothing_before(client: PageCheckingClient, cast: Cast, database: Database) -> None:
    client.sign_in(cast.olive)
    require_factor(database, cast)  # while they are in
    answer = client.send("/account", {"name": "Olive"})
    assert answer.location == SET_UP
    assert stored(database, cast.olive).name == ""
    set_up_app(client)
    assert client.get("/o/harbour/calls").status_code == 200
    assert client.send("/sign-out").status_code == 303


def test_others_are_not_asked(client: PageCheckingClient, cast: Cast, database: Database) -> None:
    require_factor(database, cast)
    client.sign_in(cast.quentin)
    assert client.get("/o/quayside/calls").status_code == 200
