"""Re-authentication: whoever has not just shown who they are does so first, and what was sent is not done."""

import pytest
import time_machine
from flask import Flask
from sqlalchemy import select

from tests.accounts.authenticator import SET_UP, code_of, dump, events, give_password, set_up_app
from tests.accounts.sent_too_late import hidden_fields
from tests.cast import PASSWORD, Cast
from tests.client import PART, PageCheckingClient
from tests.every_address import Address, addresses, unknown_ids
from webapp import access
from webapp.accounts import limits
from webapp.accounts.account_events import KINDS
from webapp.accounts.session_limits import PROVED_FOR
from webapp.audit.models import AuditEvent
from webapp.database.engine import Database
from webapp.tenancy.models import Organization, Role
from webapp.tenancy.sessions import reading_session

#: Whatever is as dangerous as these must be marked access.proved, or ask for password and code itself.
DANGEROUS = {
    "accounts.begin_factor",
    "accounts.set_up_factor",
    "accounts.renew_codes",
    *("accounts.question_for_passkey", "accounts.new_passkey", "accounts.change_passkey", "accounts.remove_passkey"),
    "accounts.change_password",
    "accounts.end_session",
    "accounts.end_other_sessions",
    "accounts.add_address",
    "accounts.remove",
    "accounts.choose_primary",
    "accounts.download",
    "accounts.delete",
    *("takeout.ask", "takeout.fetch"),
}


def proved_addresses(app: Flask, *, of_staff: bool = False) -> list[Address]:
    every = addresses(app, "harbour", unknown_ids())
    marks = {address: access.of(app.view_functions[address.endpoint]) for address in every}
    return [address for address, mark in marks.items() if mark.proved and mark.staff == of_staff]


@pytest.fixture
def stale(clock: time_machine.Traveller, client: PageCheckingClient, cast: Cast) -> PageCheckingClient:
    """Olive signed in ten minutes ago."""
    client.sign_in(cast.olive)
    clock.shift(PROVED_FOR)
    client.get("/account")
    return client


def prove(client: PageCheckingClient, **data: str) -> int:
    client.get("/prove")
    answer = client.send("/prove", {"password": PASSWORD, **data})
    client.csrf_token = "" if answer.status_code == 303 else client.csrf_token
    return answer.status_code


def test_security_17_what_is_dangerous_is_marked(app: Flask) -> None:
    marked = {address.endpoint for address in proved_addresses(app)}
    assert marked >= DANGEROUS


def test_security_17_a_stale_session_gets_the_page_and_nothing_is_done(
    app: Flask, stale: PageCheckingClient, database: Database
) -> None:
    """Every view that is marked, whoever adds one."""
    check_asked(stale, proved_addresses(app), database)
    assert "in the last 10 minutes." in stale.get("/prove").text


def test_security_17_staff_are_asked_too(
    app: Flask, clock: time_machine.Traveller, client: PageCheckingClient, cast: Cast, database: Database
) -> None:
    client.sign_in(cast.stella)
    clock.shift(PROVED_FOR)
    client.get("/account")
    dangerous = proved_addresses(app, of_staff=True)
    assert {"staff.publish_policy", "staff.announce"} <= {address.endpoint for address in dangerous}
    assert {"staff.set_up", "staff.suspend", "staff.sign_out"} <= {address.endpoint for address in dangerous}
    check_asked(client, dangerous, database)
    assert "in the last 10 minutes, or 5 before an organization’s data is opened." in client.get("/prove").text


def check_asked(stale: PageCheckingClient, dangerous: list[Address], database: Database) -> None:
    token, before = stale.token(), dump(database)
    for address in dangerous:
        answer = stale.open(address.path, method=address.method, headers={"X-CSRFToken": token})
        if address.method == "GET":
            assert answer.status_code == 303, address
            assert answer.location == f"/prove?next={address.path}", address
        else:
            assert answer.status_code == 401, address
            assert "Is it still you?" in answer.text, address
            assert "Nothing was changed yet." in answer.text, address
    assert dump(database) == before


def test_security_17_htmx_is_sent_there(app: Flask, stale: PageCheckingClient, database: Database) -> None:
    token, before = stale.token(), dump(database)
    for address in proved_addresses(app):
        headers = {**PART, "X-CSRFToken": token, "HX-Current-URL": "http://localhost/security-settings?x=1"}
        answer = stale.open(address.path, method=address.method, headers=headers)
        assert answer.status_code == 401, address
        assert answer.headers["HX-Redirect"] == "/prove?next=/security-settings?x%3D1"
    assert dump(database) == before


def test_security_17_a_second_before_nothing_is_asked(
    clock: time_machine.Traveller, client: PageCheckingClient, cast: Cast
) -> None:
    client.sign_in(cast.olive)
    clock.shift(PROVED_FOR.total_seconds() - 1)
    assert client.get("/security-settings/password").status_code == 200
    clock.shift(1)
    assert client.get("/security-settings/password").status_code == 303


def test_security_17_a_stranger_is_asked_to_sign_in_and_a_small_role_refused(
    app: Flask, clock: time_machine.Traveller, client: PageCheckingClient, cast: Cast
) -> None:
    """Proof is asked for last: it tells nobody what there is."""
    view = access.proved(access.member(Role.OWNER)(lambda: "done"))
    app.add_url_rule("/o/<slug:slug>/danger", view_func=view, endpoint="danger")
    client.sign_in(cast.max)
    clock.shift(PROVED_FOR)
    assert client.get("/o/quayside/danger").status_code == 404
    assert client.get("/o/harbour/danger").status_code == 403
    owner = app.test_client()
    assert isinstance(owner, PageCheckingClient)
    owner.sign_in(cast.olive)
    clock.shift(PROVED_FOR)
    assert owner.get("/o/harbour/danger").location == "/prove?next=/o/harbour/danger"
    assert app.test_client().get("/o/harbour/danger").location.startswith("/sign-in")


def test_the_password_is_enough_without_a_factor_and_leads_on(stale: PageCheckingClient) -> None:
    page = stale.get("/prove?next=/security-settings/password")
    assert 'value="/security-settings/password"' in page.text
    assert "authenticator" not in page.text
    answer = stale.send("/prove", {"password": PASSWORD, "next": "/security-settings/password"})
    assert answer.location == "/security-settings/password"
    stale.csrf_token = ""
    assert stale.get(answer.location).status_code == 200
    assert stale.send("/account/addresses", {"email": "olive@home.example"}).status_code == 303


def test_after_a_form_it_leads_back_to_its_page(stale: PageCheckingClient) -> None:
    headers = {"Referer": "http://localhost/account"}
    page = stale.send("/account/addresses", {"email": "olive@home.example"}, headers=headers)
    assert 'name="next" type="hidden" value="/account"' in page.text


def test_a_form_that_was_sent_too_late_is_kept_through_wrong_proof(
    stale: PageCheckingClient, cast: Cast, database: Database
) -> None:
    """And done only when it is sent again, from the page that the right proof leads to."""
    path = "/account/addresses"
    typed = {"email": "olive+two@home.example", "note": 'one "quoted" & <b>\r\n\r\ntwo ümläut'}
    page = stale.send(path, typed, headers={"Referer": "http://localhost/account"})
    assert page.status_code == 401 and "What you typed is kept" in page.text
    page = stale.send("/prove", {**hidden_fields(page), "password": "wrong"})
    assert page.status_code == 422 and "What you typed is kept" in page.text
    page = stale.send("/prove", {**hidden_fields(page), "password": PASSWORD})
    assert page.status_code == 200 and hidden_fields(page) == typed
    assert f'action="{path}"' in page.text and 'href="/account"' in page.text
    assert "olive+two" not in str(dump(database))
    assert stale.send(path, hidden_fields(page)).location == "/account"
    assert "olive+two" in str(dump(database))


@pytest.mark.parametrize("secret", ["password", "present", "code", "credential"])
def test_a_form_with_a_secret_is_typed_anew(stale: PageCheckingClient, secret: str) -> None:
    page = stale.send("/security-settings/password", {secret: "seven grey herons", "x": "y"})
    assert page.status_code == 401 and "herons" not in page.text
    assert "send it again" in page.text and "What you typed" not in page.text


def test_a_form_that_is_larger_than_a_page_can_carry_is_not_kept(stale: PageCheckingClient) -> None:
    page = stale.send("/account/addresses", {"email": "z" * 40_000})
    assert page.status_code == 401 and "zzz" not in page.text and "send it again" in page.text


@pytest.mark.parametrize(
    "forged",
    [
        '["https://evil.example/", [["a", "b"]]]',
        '["//evil.example", [["a", "b"]]]',
        '["/prove", [["a", "b"]]]',
        '["/account", [["a", 1]]]',
        '["/account", [["a"]]]',
        '["/account", 7]',
        "[7, []]",
        '{"path": "/account"}',
        "[" * 100_000,
        "no JSON",
    ],
)
def test_security_40_what_is_sent_on_was_ours(stale: PageCheckingClient, forged: str) -> None:
    stale.get("/prove")
    answer = stale.send("/prove", {"password": PASSWORD, "kept": forged})
    assert (answer.status_code, answer.location) == (303, "/security-settings")


@pytest.mark.parametrize("there", ["//evil.example", "https://evil.example/", "/\\evil.example", "/prove", "/%2f/x"])
def test_security_40_it_leads_to_own_pages_only(stale: PageCheckingClient, there: str) -> None:
    stale.get("/prove")
    assert stale.send("/prove", {"password": PASSWORD, "next": there}).location == "/security-settings"


def test_security_17_both_are_asked_for_where_both_are_set(
    clock: time_machine.Traveller, client: PageCheckingClient, cast: Cast
) -> None:
    client.sign_in(cast.olive)
    secret, codes = set_up_app(client)
    clock.shift(PROVED_FOR)
    assert prove(client) == 422
    assert prove(client, code="000000") == 422
    assert prove(client, password="wrong", code=code_of(secret)) == 422
    assert client.get("/security-settings/password").status_code == 303
    assert prove(client, code=code_of(secret)) == 303
    assert client.get("/security-settings/password").status_code == 200
    clock.shift(PROVED_FOR)
    assert prove(client, code=codes[0]) == 303


def test_security_03_proof_changes_the_id_and_not_the_time_of_the_sign_in(
    app: Flask, stale: PageCheckingClient, database: Database, clock: time_machine.Traveller
) -> None:
    before = stale.get_cookie("sid")
    assert before is not None
    assert prove(stale) == 303
    old = app.test_client()
    old.set_cookie("sid", before.value)
    assert old.get("/account").status_code == 303
    assert stale.get("/account").status_code == 200
    clock.shift(60)
    assert "Signed in" in stale.get("/security-settings").text
    for _ in range(35):
        clock.shift(20 * 60)
        assert stale.get("/account").status_code == 200
    clock.shift(9 * 60)  # 12 hours after signing in, not after the proof
    assert stale.get("/account").status_code == 303


def test_security_12_proof_is_counted(stale: PageCheckingClient) -> None:
    statuses = [prove(stale, password="wrong") for _ in range(limits.PROOFS.burst + 1)]
    assert statuses == [422] * limits.PROOFS.burst + [429]
    assert prove(stale) == 429


def audit_of(database: Database, organization: Organization) -> list[str]:
    with reading_session(database, organization.id) as session:
        return list(session.scalars(select(AuditEvent.kind).order_by(AuditEvent.position)))


@pytest.mark.parametrize("wrong", ["password", "code"])
def test_security_32_refused_proof_is_noted_like_a_refused_sign_in(
    client: PageCheckingClient, cast: Cast, clock: time_machine.Traveller, database: Database, wrong: str
) -> None:
    """In the account each time, in the organization's audit once in a quarter of an hour; what is right, nowhere."""
    client.sign_in(cast.olive)
    secret, _codes = set_up_app(client)
    clock.shift(PROVED_FOR)
    given = {"password": PASSWORD, "code": code_of(secret), wrong: "000000"}
    for _ in range(3):
        assert prove(client, **given) == 422
    assert prove(client, code=code_of(secret)) == 303
    assert events(database, cast.olive)[-4:] == ["factor.set", *["prove.refused"] * 3]
    assert audit_of(database, cast.harbour).count("prove.refused") == 1
    assert "sign_in.refused" not in audit_of(database, cast.harbour)
    assert KINDS["prove.refused"] in client.get("/security-settings").text


@pytest.mark.parametrize("path", ["/security-settings/password", f"{SET_UP}/turn-off"])
def test_security_32_so_it_is_where_a_page_asks_by_itself(
    client: PageCheckingClient, cast: Cast, clock: time_machine.Traveller, database: Database, path: str
) -> None:
    client.sign_in(cast.olive)
    set_up_app(client)
    data = {"present": "wrong", "password": "nine large ships at sea", "code": "000000"}
    assert client.send(path, data).status_code == 422
    assert events(database, cast.olive)[-1] == "prove.refused"
    assert audit_of(database, cast.harbour).count("prove.refused") == 1


def test_security_12_what_is_not_looked_at_is_not_noted(
    stale: PageCheckingClient, cast: Cast, database: Database
) -> None:
    """So nobody floods an account with events: beyond the limit there are none."""
    for _ in range(limits.PROOFS.burst + 3):
        prove(stale, password="wrong")
    assert events(database, cast.olive).count("prove.refused") == limits.PROOFS.burst


def test_security_04_a_session_that_was_ended_is_not_brought_back(
    app: Flask, stale: PageCheckingClient, cast: Cast
) -> None:
    stale.get("/prove")
    other = app.test_client()
    assert isinstance(other, PageCheckingClient)
    give_password(other, cast.olive)
    other.csrf_token = ""
    assert other.send("/security-settings/sessions/end-others").status_code == 303
    assert stale.send("/prove", {"password": PASSWORD}).status_code in (303, 400)
    assert stale.get("/account").status_code == 303
