"""Passkeys: added, named and removed on the Security page; signing in and proving who one is without a password.

SECURITY 16: a question counts once, for five minutes, in the browser that asked and for what it was asked for.
"""

import json
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask
from sqlalchemy import func, select

from tests.accounts.authenticator import code_of, events, give_password, mails, set_up_app, stored
from tests.cast import PASSWORD, Cast
from tests.client import PageCheckingClient
from tests.passkeys import SoftPasskey, spell
from webapp.accounts import limits, passkeys
from webapp.accounts import sign_in as steps
from webapp.accounts.jobs import forget_what_is_over
from webapp.accounts.models import Passkey, PasskeyChallenge, RecoveryCode, UserAccount, WebSession
from webapp.accounts.passkeys import LIVES, PASSKEYS_AT_MOST, Site, site_of
from webapp.accounts.people import disable_user
from webapp.accounts.session_limits import PROVED_FOR
from webapp.audit.models import AuditEvent
from webapp.clock import now, to_ms
from webapp.database.engine import Database
from webapp.tenancy.models import Organization
from webapp.tenancy.sessions import reading_session, writing_session

PAGE = "/security-settings/passkeys"


def another(app: Flask) -> PageCheckingClient:
    client = app.test_client()
    assert isinstance(client, PageCheckingClient)
    return client


def ask(client: PageCheckingClient, where: str = "/sign-in/passkey") -> dict[str, Any]:
    """The question that a button on the page fetches."""
    client.csrf_token = ""
    client.get({"/sign-in/passkey": "/sign-in", "/prove/passkey": "/prove"}.get(where, where))
    answer = client.send(f"{where}/question")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.get_json()
    return found


def sign_in(client: PageCheckingClient, credential: str, **data: str) -> int:
    return client.send("/sign-in/passkey", {"credential": credential, **data}).status_code


def is_in(client: PageCheckingClient) -> bool:
    return client.get("/account").status_code == 200


def kept(database: Database, person: UserAccount) -> list[Passkey]:
    with reading_session(database) as session:
        return passkeys.list_passkeys(session, person.id)


def questions(database: Database) -> int:
    with reading_session(database) as session:
        return session.scalar(select(func.count()).select_from(PasskeyChallenge)) or 0


@pytest.fixture
def olives(client: PageCheckingClient, cast: Cast) -> SoftPasskey:
    """A passkey of Olive's; `client` is signed in as her."""
    client.sign_in(cast.olive)
    return client.add_passkey("Work laptop")


# --------------------------------------------------------------------------------------------- on the Security page


def test_two_are_added_and_named(app: Flask, client: PageCheckingClient, cast: Cast, database: Database) -> None:
    elsewhere = another(app)
    elsewhere.sign_in(cast.olive)
    client.sign_in(cast.olive)
    assert "Passkeys need JavaScript" in client.get(PAGE).text
    first, second = client.add_passkey("Work laptop"), client.add_passkey("  Key   ring ")
    assert [row.name for row in kept(database, cast.olive)] == ["Work laptop", "Key ring"]
    assert {bytes(row.credential_id) for row in kept(database, cast.olive)} == {
        first.credential_id,
        second.credential_id,
    }
    page = client.get("/security-settings").text
    assert "Work laptop" in page and "Key ring" in page
    assert events(database, cast.olive)[-2:] == ["passkey.added", "passkey.added"]
    assert len(mails(database, "second_factor_changed")) == 2
    assert not is_in(elsewhere), "another browser of hers is signed out, as with every new second factor"


def test_the_first_factor_brings_recovery_codes_and_the_next_does_not(
    client: PageCheckingClient, cast: Cast, database: Database
) -> None:
    client.sign_in(cast.olive)
    done = client.send(PAGE, {"name": "Work laptop", "credential": SoftPasskey().make(ask(client, PAGE))})
    assert done.status_code == 200
    assert done.text.count("<li><code>") == 10
    client.csrf_token = ""
    assert client.send(PAGE, {"name": "Key ring", "credential": SoftPasskey().make(ask(client, PAGE))}).location
    with reading_session(database) as session:
        assert session.scalar(select(func.count()).select_from(RecoveryCode)) == 10


@pytest.mark.parametrize("name", ["", "   ", "x" * 51, "\u202e\u200b"])
def test_it_needs_a_name(client: PageCheckingClient, cast: Cast, database: Database, name: str) -> None:
    client.sign_in(cast.olive)
    answer = client.send(PAGE, {"name": name, "credential": SoftPasskey().make(ask(client, PAGE))})
    assert answer.status_code == 422
    assert kept(database, cast.olive) == []


def test_it_is_renamed(client: PageCheckingClient, cast: Cast, database: Database, olives: SoftPasskey) -> None:
    [row] = kept(database, cast.olive)
    with client.application.test_request_context():
        address = client.application.url_for("accounts.change_passkey", passkey_id=row.id)
    assert 'value="Work laptop"' in client.get(address).text
    assert client.send(address, {"name": ""}).status_code == 422
    assert client.send(address, {"name": "Old laptop"}).status_code == 303
    assert [row.name for row in kept(database, cast.olive)] == ["Old laptop"]
    assert events(database, cast.olive)[-1] == "passkey.renamed"


def remove(client: PageCheckingClient, row: Passkey) -> int:
    with client.application.test_request_context():
        address = client.application.url_for("accounts.remove_passkey", passkey_id=row.id)
    client.csrf_token = ""
    client.get("/security-settings")
    answer = client.send(address)
    client.csrf_token = ""
    return answer.status_code


def test_a_removed_one_signs_nobody_in(
    app: Flask, client: PageCheckingClient, cast: Cast, database: Database, olives: SoftPasskey
) -> None:
    elsewhere = another(app)
    assert sign_in(elsewhere, olives.show(ask(elsewhere))) == 303
    [row] = kept(database, cast.olive)
    assert remove(client, row) == 303
    assert kept(database, cast.olive) == []
    assert events(database, cast.olive)[-1] == "passkey.removed"
    assert len(mails(database, "second_factor_changed")) == 2
    assert not is_in(elsewhere) and is_in(client)
    assert sign_in(elsewhere, olives.show(ask(elsewhere))) == 422
    with reading_session(database) as session:
        assert session.scalar(select(func.count()).select_from(RecoveryCode)) == 0, "they were those of the last factor"
    client.sign_in(cast.olive)  # by the password alone


def test_security_16_another_persons_is_not_there(
    app: Flask, client: PageCheckingClient, cast: Cast, database: Database, olives: SoftPasskey
) -> None:
    [row] = kept(database, cast.olive)
    stranger = another(app)
    stranger.sign_in(cast.max)
    assert remove(stranger, row) == 404
    assert len(kept(database, cast.olive)) == 1


def test_the_same_is_not_added_twice_and_there_is_an_end(
    client: PageCheckingClient, cast: Cast, database: Database, olives: SoftPasskey
) -> None:
    answer = client.send(PAGE, {"name": "Again", "credential": olives.make(ask(client, PAGE))})
    assert answer.status_code == 422
    assert "registered already" in answer.text
    for number in range(PASSKEYS_AT_MOST - 1):
        client.add_passkey(f"Key {number}")
    client.get(PAGE)
    refused = client.send(f"{PAGE}/question")
    assert refused.status_code == 422
    assert f"You have {PASSKEYS_AT_MOST} passkeys" in refused.text


def test_the_question_names_those_that_are_there(client: PageCheckingClient, olives: SoftPasskey) -> None:
    question = ask(client, PAGE)
    assert [each["id"] for each in question["excludeCredentials"]] == [spell(olives.credential_id)]
    assert question["rp"] == {"name": "Callbook", "id": "localhost"}
    assert question["authenticatorSelection"]["userVerification"] == "required"
    assert question["authenticatorSelection"]["residentKey"] == "required"


# ------------------------------------------------------------------------------------------------------- signing in


def test_it_signs_in_without_a_password(
    clock: time_machine.Traveller, app: Flask, cast: Cast, database: Database, olives: SoftPasskey
) -> None:
    browser = another(app)
    question = ask(browser)
    assert question["userVerification"] == "required"
    assert question.get("allowCredentials", []) == [], "it asks nobody in particular"
    answer = browser.send("/sign-in/passkey", {"credential": olives.show(question), "next": "/o/harbour/calls"})
    assert answer.location == "/sign-in/check?next=/o/harbour/calls"
    assert browser.get(answer.location).location == "/o/harbour/calls"
    assert is_in(browser)
    [row] = kept(database, cast.olive)
    assert (row.sign_count, row.last_used_at) == (1, now())
    with reading_session(database) as session:
        [newest] = session.scalars(select(WebSession).order_by(WebSession.id.desc()).limit(1))
    assert (newest.factor_ms, newest.is_staff) == (to_ms(now()), False)
    assert events(database, cast.olive)[-1] == "sign_in.done"


def test_one_that_is_kept_on_several_devices_counts_nothing(
    app: Flask, client: PageCheckingClient, cast: Cast, database: Database
) -> None:
    client.sign_in(cast.olive)
    synced = SoftPasskey(counts=False)
    client.send(PAGE, {"name": "Manager", "credential": synced.make(ask(client, PAGE))})
    assert [row.synced for row in kept(database, cast.olive)] == [True]
    for _ in range(2):
        browser = another(app)
        assert sign_in(browser, synced.show(ask(browser))) == 303


def test_security_16_a_response_counts_once(app: Flask, olives: SoftPasskey, database: Database, cast: Cast) -> None:
    browser = another(app)
    answer = olives.show(ask(browser))
    assert sign_in(browser, answer) == 303
    browser.csrf_token = ""
    assert browser.send("/sign-out").status_code == 303
    browser.get("/sign-in")
    assert sign_in(browser, answer) == 422
    assert not is_in(browser)
    assert events(database, cast.olive)[-1] == "sign_in.refused"
    with reading_session(database, cast.harbour.id) as session:
        assert session.scalars(select(AuditEvent.kind).order_by(AuditEvent.position)).all()[-1] == "sign_in.refused"


def test_security_16_a_refused_response_has_used_the_question_up(app: Flask, olives: SoftPasskey) -> None:
    browser = another(app)
    question = ask(browser)
    assert sign_in(browser, olives.show(question, origin="https://evil.example")) == 422
    assert sign_in(browser, olives.show(question)) == 422
    assert sign_in(browser, olives.show(ask(browser))) == 303


@pytest.mark.parametrize(
    "wrong",
    [
        {"origin": "https://evil.example"},
        {"origin": "http://localhost"},
        {"origin": "https://localhost:8080"},
        {"type": "webauthn.create"},
        {"crossOrigin": True},
        {"challenge": spell(bytes(32))},
    ],
    ids=str,
)
def test_security_16_what_a_browser_says_must_fit(app: Flask, olives: SoftPasskey, wrong: dict[str, Any]) -> None:
    browser = another(app)
    assert sign_in(browser, olives.show(ask(browser), **wrong)) == 422
    assert not is_in(browser)


@pytest.mark.parametrize("wrong", [{"name": "evil.example"}, {"verified": False}, {"handle": bytes(8)}], ids=str)
def test_security_16_what_a_device_says_must_fit(app: Flask, olives: SoftPasskey, wrong: dict[str, Any]) -> None:
    browser = another(app)
    for name, value in wrong.items():
        setattr(olives, name, value)
    assert sign_in(browser, olives.show(ask(browser))) == 422
    assert not is_in(browser)


def test_security_16_the_signature_must_be_the_passkeys(app: Flask, olives: SoftPasskey) -> None:
    browser = another(app)
    forged = SoftPasskey(credential_id=olives.credential_id, handle=olives.handle, count=5)
    assert sign_in(browser, forged.show(ask(browser))) == 422
    assert not is_in(browser)


def test_security_16_a_question_lives_for_five_minutes(
    clock: time_machine.Traveller, app: Flask, olives: SoftPasskey
) -> None:
    browser = another(app)
    question = ask(browser)
    clock.shift(LIVES)
    assert sign_in(browser, olives.show(question)) == 422
    question = ask(browser)
    clock.shift(LIVES - timedelta(seconds=1))
    assert sign_in(browser, olives.show(question)) == 303


def test_security_16_it_is_for_the_browser_that_asked(app: Flask, olives: SoftPasskey) -> None:
    mine, theirs = another(app), another(app)
    answer = olives.show(ask(mine))
    theirs.get("/sign-in")
    assert sign_in(theirs, answer) == 422
    assert not is_in(theirs)


def test_security_16_it_is_for_what_was_asked(app: Flask, client: PageCheckingClient, olives: SoftPasskey) -> None:
    """A question of the prove page signs nobody in, one of the sign-in page adds and proves nothing."""
    to_prove = ask(client, "/prove/passkey")
    assert sign_in(client, olives.show(to_prove)) == 422
    to_sign_in = ask(client, PAGE) | {"challenge": ask_while_in(client)["challenge"]}
    assert client.send(PAGE, {"name": "New", "credential": SoftPasskey().make(to_sign_in)}).status_code == 422
    assert client.send("/prove/passkey", {"credential": olives.show(ask_while_in(client))}).status_code == 422


def ask_while_in(client: PageCheckingClient) -> dict[str, Any]:
    found: dict[str, Any] = client.send("/sign-in/passkey/question").get_json()
    return found


def test_security_16_a_count_that_goes_back_is_refused_and_told(
    app: Flask, cast: Cast, database: Database, olives: SoftPasskey
) -> None:
    browser = another(app)
    olives.count = 7
    assert sign_in(browser, olives.show(ask(browser))) == 303
    for count in (7, 3):  # 8 again, then 4
        olives.count = count
        copy = another(app)
        assert sign_in(copy, olives.show(ask(copy))) == 422
        assert not is_in(copy)
        assert events(database, cast.olive)[-1] == "passkey.copied"
    assert [mail.to_address for mail in mails(database, "passkey_copied")] == [cast.olive.email] * 2
    olives.count = 8
    assert sign_in(copy, olives.show(ask(copy))) == 303


def test_security_16_who_is_disabled_stays_out(app: Flask, cast: Cast, database: Database, olives: SoftPasskey) -> None:
    with writing_session(database) as session:
        disable_user(session, session.get_one(UserAccount, cast.olive.id))
        session.commit()
    browser = another(app)
    assert sign_in(browser, olives.show(ask(browser))) == 422
    assert not is_in(browser)


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "x",
        "[]",
        "null",
        "{}",
        "[" * 15_000,
        "x" * 30_000,
        json.dumps({"response": {"clientDataJSON": 7}}),
        json.dumps({"response": {"clientDataJSON": spell(b'{"type":1,"challenge":2,"origin":3}')}}),
        json.dumps({"id": "é", "rawId": "\x00", "type": "public-key", "response": {"clientDataJSON": "//"}}),
    ],
    ids=lambda text: text[:20],
)
def test_what_no_browser_sends_is_refused(
    client: PageCheckingClient, cast: Cast, database: Database, answer: str
) -> None:
    client.get("/sign-in")
    assert sign_in(client, answer) == 422
    client.sign_in(cast.olive)
    client.get(PAGE)
    assert client.send(PAGE, {"name": "x", "credential": answer}).status_code == 422
    assert client.send("/prove/passkey", {"credential": answer}).status_code == 422
    assert kept(database, cast.olive) == []


def test_a_damaged_passkey_is_refused_in_every_place(
    client: PageCheckingClient, cast: Cast, database: Database
) -> None:
    """Each byte of the object that a device sends, changed: never an error of ours, and what is kept is usable."""
    client.sign_in(cast.olive)
    question = ask(client, PAGE)
    whole = json.loads(SoftPasskey().make(question))
    for length in range(0, 220, 11):
        cut = json.loads(json.dumps(whole))
        cut["response"]["attestationObject"] = cut["response"]["attestationObject"][:length]
        cut["response"]["clientDataJSON"] = whole["response"]["clientDataJSON"]
        answer = client.send(PAGE, {"name": "x", "credential": json.dumps(cut)})
        assert answer.status_code == 422, length
    assert kept(database, cast.olive) == []


@pytest.mark.parametrize(
    "attested",
    [
        {"fmt": "packed", "attStmt": {"alg": -7, "sig": b"x", "x5c": [b"x"]}},
        {"fmt": "tpm", "attStmt": {"ver": "2.0", "alg": -7, "sig": b"x", "x5c": [b"x"]}},
        {"fmt": "android-safetynet", "attStmt": {"ver": "1", "response": b"x.y.z"}},
        {"fmt": "none", "attStmt": {"alg": -7}},
    ],
    ids=lambda attested: attested["fmt"],
)
def test_no_certificate_is_read(
    client: PageCheckingClient, cast: Cast, database: Database, attested: dict[str, Any]
) -> None:
    client.sign_in(cast.olive)
    answer = SoftPasskey().make(ask(client, PAGE), attested)
    assert client.send(PAGE, {"name": "x", "credential": answer}).status_code == 422
    assert kept(database, cast.olive) == []


@pytest.mark.usefixtures("clock")
def test_security_12_answers_and_questions_are_counted(app: Flask, olives: SoftPasskey) -> None:
    browser = another(app)
    forged = SoftPasskey(credential_id=olives.credential_id, handle=olives.handle, count=5)
    statuses = [sign_in(browser, forged.show(ask(browser))) for _ in range(limits.PASSKEYS.burst + 1)]
    assert statuses == [422] * limits.PASSKEYS.burst + [429]
    for _ in range(limits.PASSKEY_QUESTIONS.burst):
        answer = browser.send("/sign-in/passkey/question")
    assert answer.status_code == 429


@pytest.mark.usefixtures("clock")
def test_security_12_a_network_is_counted_with_its_passwords(client: PageCheckingClient) -> None:
    client.get("/sign-in")
    statuses = [sign_in(client, "x") for _ in range(steps.PER_NETWORK.burst + 1)]
    assert statuses == [422] * steps.PER_NETWORK.burst + [429]


def test_opening_a_page_writes_no_question(client: PageCheckingClient, database: Database, olives: SoftPasskey) -> None:
    before = questions(database)
    for page in ("/sign-in", "/staff/sign-in", "/prove", PAGE, "/security-settings"):
        assert client.get(page).status_code in (200, 303)
        assert client.get(f"{page}/passkey/question").status_code in (404, 405)
    assert questions(database) == before


def test_questions_that_nobody_answered_are_swept(
    client: PageCheckingClient, database: Database, clock: time_machine.Traveller
) -> None:
    ask(client)
    clock.shift(LIVES - timedelta(seconds=1))
    forget_what_is_over(database)
    assert questions(database) == 1
    clock.shift(1)
    forget_what_is_over(database)
    assert questions(database) == 0


# ------------------------------------------------------------------------------------- in place of a second factor


def test_a_password_alone_is_not_enough_any_more(
    app: Flask, client: PageCheckingClient, cast: Cast, olives: SoftPasskey
) -> None:
    browser = another(app)
    assert give_password(browser, cast.olive) == "/sign-in/code"
    assert not is_in(browser)
    page = browser.get("/sign-in/code")
    assert "Show your passkey" in page.text
    question = browser.send("/sign-in/passkey/question").get_json()
    assert sign_in(browser, olives.show(question)) == 303
    assert is_in(browser)


def test_a_recovery_code_is_enough_in_its_place(app: Flask, client: PageCheckingClient, cast: Cast) -> None:
    client.sign_in(cast.olive)
    done = client.send(PAGE, {"name": "Work laptop", "credential": SoftPasskey().make(ask(client, PAGE))})
    code = done.text.split("<li><code>")[1].split("<")[0]
    browser = another(app)
    give_password(browser, cast.olive)
    assert browser.send("/sign-in/code", {"code": "123456"}).status_code == 422
    assert browser.send("/sign-in/code", {"code": code}).status_code == 303
    assert is_in(browser)


def test_it_counts_where_an_organization_requires_a_factor(
    app: Flask, client: PageCheckingClient, cast: Cast, database: Database
) -> None:
    with writing_session(database) as session:
        session.get_one(Organization, cast.harbour.id).second_factor_required = True
        session.commit()
    client.sign_in(cast.max)
    assert client.get("/o/harbour/calls").location == "/security-settings/second-factor"
    assert "Add a passkey" in client.get("/security-settings/second-factor").text
    client.add_passkey("Work laptop")
    assert client.get("/o/harbour/calls").status_code == 200
    [row] = kept(database, cast.max)
    assert remove(client, row) == 422
    assert len(kept(database, cast.max)) == 1
    client.add_passkey("Key ring")
    assert remove(client, row) == 303


def test_the_app_can_go_where_a_passkey_stays(
    app: Flask, client: PageCheckingClient, cast: Cast, database: Database, clock: time_machine.Traveller
) -> None:
    with writing_session(database) as session:
        session.get_one(Organization, cast.harbour.id).second_factor_required = True
        session.commit()
    client.sign_in(cast.max)
    secret, codes = set_up_app(client)
    client.csrf_token = ""
    clock.shift(30)
    address = "/security-settings/second-factor/turn-off"
    assert client.get(address).status_code == 422
    client.add_passkey("Work laptop")
    client.get(address)
    assert client.send(address, {"password": PASSWORD, "code": code_of(secret)}).status_code == 303
    assert stored(database, cast.max).totp_secret is None
    browser = another(app)
    assert give_password(browser, cast.max) == "/sign-in/code"
    assert browser.send("/sign-in/code", {"code": codes[0]}).status_code == 303, "the codes stay with the passkey"


def test_it_proves_who_is_there(
    clock: time_machine.Traveller, client: PageCheckingClient, cast: Cast, olives: SoftPasskey
) -> None:
    clock.shift(PROVED_FOR)
    assert client.get("/security-settings/password").status_code == 303
    assert "Show it with a passkey" in client.get("/prove").text
    question = ask(client, "/prove/passkey")
    assert [each["id"] for each in question["allowCredentials"]] == [spell(olives.credential_id)]
    next_page = "/security-settings/password"
    answer = client.send("/prove/passkey", {"credential": olives.show(question), "next": next_page})
    assert answer.location == next_page
    assert client.get(next_page).status_code == 200


def test_security_16_another_persons_passkey_proves_nothing(
    app: Flask, client: PageCheckingClient, cast: Cast, database: Database, olives: SoftPasskey
) -> None:
    theirs = another(app)
    theirs.sign_in(cast.max)
    of_max = theirs.add_passkey("Key")
    answer = client.send("/prove/passkey", {"credential": of_max.show(ask(client, "/prove/passkey"))})
    assert answer.status_code == 422
    assert events(database, cast.olive)[-1] == "prove.refused"
    assert "prove.refused" not in events(database, cast.max)


def test_the_steps() -> None:
    """PASSKEY stands in for both others, whatever the person has."""
    person = UserAccount(totp_secret=b"x", has_passkey=True)
    assert steps.next_step(person, frozenset()) is steps.Step.PASSWORD
    assert steps.next_step(person, frozenset({steps.Step.PASSWORD})) is steps.Step.CODE
    assert steps.next_step(person, frozenset({steps.Step.PASSKEY})) is steps.Step.DONE
    assert steps.required_steps(UserAccount(totp_secret=None, has_passkey=False)) == (steps.Step.PASSWORD,)
    assert steps.Step.CODE in steps.required_steps(UserAccount(totp_secret=None, has_passkey=True))


@pytest.mark.parametrize(
    ("base_url", "site"),
    [
        ("http://localhost:8080", Site("http://localhost:8080", "localhost")),
        ("https://calls.example.com", Site("https://calls.example.com", "calls.example.com")),
        ("https://Calls.example.com:443", Site("https://calls.example.com", "calls.example.com")),
        ("https://calls.example.com:8443", Site("https://calls.example.com:8443", "calls.example.com")),
        ("http://127.0.0.1:8080", None),
        ("http://[::1]:8080", None),
    ],
)
def test_a_passkey_belongs_to_the_name_of_the_service(base_url: str, site: Site | None) -> None:
    assert site_of(base_url) == site
