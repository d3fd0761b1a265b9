"""The sign-in page: who gets in, what the others are told, and how often one may try."""

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest
import time_machine
from argon2 import PasswordHasher
from flask import Flask
from sqlalchemy import event, select

from config import Settings
from tests.accounts.authenticator import work
from tests.cast import PASSWORD, Cast
from tests.client import PART, PageCheckingClient
from webapp import access, logs
from webapp.accounts import passwords, sign_in
from webapp.accounts.jobs import NOTE_REFUSAL, REFUSAL_NOTED_AFTER
from webapp.accounts.models import UserAccount
from webapp.accounts.people import disable_user
from webapp.accounts.sign_in import Step
from webapp.audit.models import AuditEvent
from webapp.clock import now
from webapp.database.engine import Database
from webapp.errors import TooManyTries
from webapp.jobs.models import Job
from webapp.organizations.actions import add_member, create_organization
from webapp.rate_limits import Limit
from webapp.tenancy.models import Role
from webapp.tenancy.sessions import reading_session, writing_session

MISTAKE = "E-mail address and password do not belong together."


def attempt(client: PageCheckingClient, email: str, password: str, **options: str) -> tuple[int, str]:
    client.get("/sign-in")
    answer = client.send("/sign-in", {"email": email, "password": password}, environ_overrides=options)
    return answer.status_code, answer.text


def test_signing_in_leads_to_the_only_organization(client: PageCheckingClient, cast: Cast) -> None:
    assert client.sign_in(cast.olive).location == "/"
    assert client.get("/").location == "/o/harbour/"


def test_signing_in_leads_back_to_the_page_that_was_asked_for(client: PageCheckingClient, cast: Cast) -> None:
    asked = client.get("/o/harbour/phone-systems?x=1")
    assert asked.status_code == 303
    assert asked.location == "/sign-in?next=/o/harbour/phone-systems?x%3D1"
    assert 'value="/o/harbour/phone-systems?x=1"' in client.get(asked.location).text
    data = {"email": "Olive@Example.com ", "password": PASSWORD, "next": "/o/harbour/phone-systems?x=1"}
    checked = client.send("/sign-in", data)
    assert client.get(checked.location).location == "/o/harbour/phone-systems?x=1"


def test_a_wrong_password_changes_nothing_and_says_so(client: PageCheckingClient, cast: Cast) -> None:
    status, text = attempt(client, cast.olive.email, "seven small boats")
    assert status == 422
    assert MISTAKE in text
    assert "seven small boats" not in text
    assert 'href="/sign-in"' in client.get("/").text


def test_fields_left_empty_are_named(client: PageCheckingClient) -> None:
    status, text = attempt(client, "", "")
    assert status == 422
    assert "Enter your e-mail address." in text
    assert "Enter your password." in text


def test_a_person_who_is_signed_in_need_not_sign_in(client: PageCheckingClient, cast: Cast) -> None:
    client.sign_in(cast.olive)
    assert client.get("/sign-in?next=/o/harbour/").location == "/o/harbour/"
    assert client.get("/sign-in?next=//evil.example/").location == "/"


def test_a_browser_that_refuses_the_cookie_is_told(app: Flask, client: PageCheckingClient, cast: Cast) -> None:
    client.get("/sign-in")
    answer = client.send("/sign-in", {"email": cast.olive.email, "password": PASSWORD})
    without_cookies = app.test_client(use_cookies=False)
    page = without_cookies.get(answer.location)
    assert page.status_code == 200
    assert "Your browser refused the cookie" in page.text
    page = without_cookies.post("/sign-in", data={"csrf_token": client.csrf_token})
    assert page.status_code == 400
    assert "Your browser did not send the cookie back" in page.text


def test_signing_out_leaves_nothing_behind(client: PageCheckingClient, cast: Cast) -> None:
    client.sign_in(cast.olive)
    answer = client.send("/sign-out")
    assert answer.status_code == 303
    assert answer.headers["Clear-Site-Data"] == '"cache", "storage"'
    assert client.get_cookie("sid") is None
    assert "You are signed out." in client.get(answer.location).text
    assert 'href="/sign-in"' in client.get("/").text


def test_signing_out_takes_a_post(client: PageCheckingClient, cast: Cast) -> None:
    client.sign_in(cast.olive)
    assert client.get("/sign-out").status_code == 405
    assert client.get("/").location == "/o/harbour/"


def test_a_part_of_a_page_sends_the_browser_to_the_sign_in_page(client: PageCheckingClient, cast: Cast) -> None:
    headers = {"HX-Current-URL": "http://localhost/o/harbour/phone-systems?x=1"}
    answer = client.get_part("/o/harbour/phone-systems?page=2", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["HX-Redirect"] == "/sign-in?next=/o/harbour/phone-systems?x%3D1"
    answer = client.get_part("/o/harbour/phone-systems", headers={"HX-Current-URL": "https://evil.example/o/harbour/"})
    assert answer.headers["HX-Redirect"] == "/sign-in"


def test_a_form_sent_too_late_leads_back_to_its_page(app: Flask, client: PageCheckingClient, cast: Cast) -> None:
    view = access.member(Role.MANAGER)(lambda: "")
    app.add_url_rule("/o/<slug:slug>/x/add", view_func=view, endpoint="add", methods=["POST"])
    client.sign_in(cast.olive)
    with time_machine.travel(now().timestamp() + 3600, tick=False):
        answer = client.send("/o/harbour/x/add", headers={"Referer": "http://localhost/o/harbour/x"})
    assert answer.status_code == 303
    assert answer.location == "/sign-in?next=/o/harbour/x"


def test_steps_are_passed_in_order(cast: Cast) -> None:
    assert sign_in.next_step(cast.olive, frozenset()) is Step.PASSWORD
    assert sign_in.next_step(cast.olive, frozenset({Step.PASSWORD})) is Step.DONE
    cast.olive.totp_secret = b"sealed"
    assert sign_in.next_step(cast.olive, frozenset({Step.PASSWORD})) is Step.CODE
    assert sign_in.next_step(cast.olive, frozenset({Step.PASSWORD, Step.CODE})) is Step.DONE


def test_a_forgotten_password_is_one_click_away(client: PageCheckingClient) -> None:
    assert 'href="/forgotten-password"' in client.get("/sign-in").text


class CountingHasher(PasswordHasher):
    """Counts what costs time."""

    verified = 0

    def verify(self, *args: object) -> bool:  # type: ignore[override]
        type(self).verified += 1
        return super().verify(*args)  # type: ignore[arg-type]


def test_security_09_digests_are_renewed_when_the_parameters_change(
    app: Flask, client: PageCheckingClient, cast: Cast, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passwords, "hasher", PasswordHasher(time_cost=2, memory_cost=16, parallelism=1))
    client.sign_in(cast.olive)
    with reading_session(database) as session:
        stored = session.get_one(UserAccount, cast.olive.id)
    assert "$m=16,t=2,p=1$" in stored.password_digest
    assert stored.password_digest != cast.olive.password_digest
    second = app.test_client()
    assert isinstance(second, PageCheckingClient)
    second.sign_in(cast.olive)


def test_security_09_a_huge_password_is_not_hashed(
    client: PageCheckingClient, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passwords, "hasher", None)
    assert attempt(client, cast.olive.email, "x" * 129)[0] == 422
    assert attempt(client, cast.olive.email, "x" * 1_000_000)[0] == 422
    assert attempt(client, cast.olive.email, "x" * 2_000_000)[0] == 413


def test_security_11_nobody_learns_who_has_an_account(
    client: PageCheckingClient, cast: Cast, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with writing_session(database) as session:
        disable_user(session, session.get_one(UserAccount, cast.max.id))
        session.commit()
    monkeypatch.setattr(passwords, "hasher", CountingHasher(time_cost=1, memory_cost=8, parallelism=1))
    passwords.check_password(None, "the dummy digest is made now")
    seen = set()
    for email, password in (
        ("nobody@example.com", PASSWORD),
        (cast.olive.email, "six small boats"),
        (cast.max.email, PASSWORD),
    ):
        CountingHasher.verified = 0
        client.get("/sign-in")
        answer = client.send("/sign-in", {"email": email, "password": password})
        assert CountingHasher.verified == 1
        text = answer.text.replace(email, "").replace(client.csrf_token, "")
        seen.add((answer.status_code, text, json.dumps(sorted(name for name, _ in answer.headers))))
    assert len(seen) == 1


def test_security_11_the_work_is_the_same_whoever_it_is(
    client: PageCheckingClient, cast: Cast, database: Database, settings: Settings
) -> None:
    """The same statements that write, in as many transactions: neither hash nor disk tells who has an account.

    Nor in how many organizations somebody is: what differs between people is done by the worker, once the answer is
    out.
    """
    for number in range(20):
        with writing_session(database) as session:
            organization = create_organization(session, f"client-{number}", f"Client {number}", "Europe/London", "GB")
            session.commit()
        with writing_session(database, organization.id) as session:
            add_member(session, session.get_one(UserAccount, cast.olive.id), Role.VIEWER)
            session.commit()
    with writing_session(database) as session:
        disable_user(session, session.get_one(UserAccount, cast.max.id))
        session.commit()
    done: list[str] = []
    event.listen(database.engine, "commit", lambda _connection: done.append("commit"))
    event.listen(
        database.engine,
        "before_cursor_execute",
        lambda _connection, _cursor, statement, *_more: done.append(statement.split()[0].upper()),
    )
    seen = {}
    for email in ("nobody@example.com", cast.olive.email, cast.vera.email, cast.max.email, cast.nora.email):
        client.get("/sign-in")
        done.clear()
        assert client.send("/sign-in", {"email": email, "password": "wrong"}).status_code == 422
        seen[email] = Counter(done)
    assert len({tuple(sorted(each.items())) for each in seen.values()}) == 1, seen
    assert seen["nobody@example.com"]["INSERT"] == 7  # four limits, the refusal, the job and the mark of it
    with time_machine.travel(now() + REFUSAL_NOTED_AFTER, tick=False):
        work(database, settings)
    with reading_session(database, organization.id) as session:
        assert list(session.scalars(select(AuditEvent.kind).order_by(AuditEvent.position)))[-1] == "sign_in.refused"


def test_security_11_the_worker_waits_until_the_answer_is_out(
    client: PageCheckingClient, cast: Cast, database: Database, settings: Settings
) -> None:
    """Else its work would take the time of the answer; and no address stands readable in what it is told."""
    client.get("/sign-in")
    client.send("/sign-in", {"email": cast.olive.email, "password": "wrong"})
    with reading_session(database) as session:
        [job] = session.scalars(select(Job).where(Job.kind == NOTE_REFUSAL))
    assert job.run_at > job.created_at + REFUSAL_NOTED_AFTER / 2  # the two are asked of the clock apart
    assert cast.olive.email not in job.payload


def test_security_32_refusals_stand_at_their_own_time_however_late_the_worker_comes(
    client: PageCheckingClient, cast: Cast, database: Database, settings: Settings
) -> None:
    """Each quarter of an hour with one has its line; and nothing that was typed stays in the queue."""
    start = datetime(2026, 6, 24, 12, 0, tzinfo=UTC)
    client.get("/sign-in")
    for minutes in (0, 5, 30, 60):
        with time_machine.travel(start + timedelta(minutes=minutes), tick=False):
            client.send("/sign-in", {"email": cast.olive.email, "password": "wrong"})
            client.send("/sign-in", {"email": f"nobody{minutes}@example.com", "password": "wrong"})
    with time_machine.travel(start + timedelta(hours=5), tick=False):
        work(database, settings)
    with reading_session(database, cast.harbour.id) as session:
        refusals = select(AuditEvent.at).where(AuditEvent.kind == "sign_in.refused")
        refused = session.scalars(refusals.order_by(AuditEvent.position))
        assert list(refused) == [start, start + timedelta(minutes=30), start + timedelta(minutes=60)]
        assert list(session.scalars(select(Job).where(Job.kind == NOTE_REFUSAL))) == []


@pytest.mark.usefixtures("clock")
def test_security_12_tries_are_counted_before_the_password_is_checked(
    client: PageCheckingClient, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(sign_in.PER_PERSON_AND_NETWORK.burst):
        assert attempt(client, cast.olive.email, "wrong")[0] == 422
    monkeypatch.setattr(passwords, "hasher", None)
    status, text = attempt(client, cast.olive.email, PASSWORD)
    assert status == 429
    assert "no account is locked" in text
    assert "Try again in 2 minutes." in text


def test_security_12_the_limit_recovers(client: PageCheckingClient, cast: Cast) -> None:
    start = now().timestamp()
    with time_machine.travel(start, tick=False) as clock:
        while attempt(client, cast.olive.email, "wrong")[0] == 422:
            pass
        clock.move_to(start + 89)
        assert attempt(client, cast.olive.email, PASSWORD)[0] == 429
        clock.move_to(start + 90)
        client.sign_in(cast.olive)


@pytest.mark.usefixtures("clock")
def test_security_12_a_stranger_cannot_lock_a_person_out(app: Flask, client: PageCheckingClient, cast: Cast) -> None:
    client.sign_in(cast.olive)
    stranger = app.test_client()
    assert isinstance(stranger, PageCheckingClient)
    statuses = [attempt(stranger, cast.olive.email, "wrong", REMOTE_ADDR=f"198.51.100.{host}")[0] for host in range(40)]
    assert statuses == [422] * 29 + [429] * 11  # her own sign-in was one of the 30
    assert client.get("/").location == "/o/harbour/"  # who is signed in stays so
    client.send("/sign-out")
    client.sign_in(cast.olive)  # and gets in again from where they were


@pytest.mark.usefixtures("clock")
def test_security_12_one_network_cannot_try_everybody(client: PageCheckingClient, cast: Cast) -> None:
    same_network = [
        attempt(client, f"{number}@example.com", "wrong", REMOTE_ADDR=f"2001:db8:1:2:{number:x}::1")[0]
        for number in range(1, 53)
    ]
    assert same_network[:50] == [422] * 50
    assert same_network[51] == 429
    assert attempt(client, cast.olive.email, PASSWORD, REMOTE_ADDR="2001:db8:1:3::1")[0] == 303


@pytest.mark.usefixtures("clock")
def test_security_41_who_sends_a_header_is_no_other_sender(client: PageCheckingClient, cast: Cast) -> None:
    client.get("/sign-in")
    data = {"email": cast.olive.email, "password": "wrong"}
    statuses = [
        client.send("/sign-in", data, headers={"X-Forwarded-For": f"198.51.100.{number}"}).status_code
        for number in range(11)
    ]
    assert statuses == [422] * 10 + [429]


def test_security_12_there_is_one_limit_for_all(
    app: Flask, cast: Cast, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sign_in, "EVERYBODY", Limit("everybody", 3, 60_000))
    with app.app_context():
        for number in range(3):
            sign_in.pass_password(database, sign_in.Try(f"{number}@example.com", f"network {number}"), "wrong")
        with pytest.raises(TooManyTries):
            sign_in.pass_password(database, sign_in.Try("4@example.com", "network 4"), "wrong")


@pytest.mark.usefixtures("clock")
def test_security_12_of_200_at_once_exactly_the_limit_passes(app: Flask, cast: Cast, database: Database) -> None:
    together = Barrier(20)

    def burst(_number: int) -> list[bool]:
        together.wait()
        with app.app_context():
            return [_is_taken(database, cast.olive.email) for _ in range(10)]

    with ThreadPoolExecutor(20) as pool:
        taken = [one for tries in pool.map(burst, range(20)) for one in tries]
    assert len(taken) == 200
    assert sum(taken) == sign_in.PER_PERSON_AND_NETWORK.burst


def _is_taken(database: Database, email: str) -> bool:
    try:
        sign_in.pass_password(database, sign_in.Try(email, "192.0.2.1"), "wrong")
    except TooManyTries:
        return False
    return True


def test_security_32_sign_ins_are_logged_and_say_nothing_personal(
    client: PageCheckingClient, cast: Cast, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    attempt(client, cast.olive.email, "wrong password canary")
    client.sign_in(cast.olive)
    cookie = client.get_cookie("sid")
    assert cookie is not None
    client.send("/sign-out")
    lines = [logs.JsonFormatter().format(record) for record in caplog.records]
    events = [json.loads(line)["message"] for line in lines if '"callbook.event"' in line]
    assert events == ["sign_in.refused", "sign_in.done", "sign_out.done"]
    for secret in ("canary", PASSWORD, cast.olive.email, cookie.value, client.csrf_token):
        assert not any(secret in line for line in lines)


def test_htmx_gets_the_sign_in_page_as_a_page(client: PageCheckingClient) -> None:
    assert client.get("/sign-in", headers=PART).text.lstrip().startswith("<!doctype html>")
