"""SECURITY 4 where two requests meet: no session begins, comes back or grows stronger behind what was to end it.

A step that is under way is stopped where it has just been passed (`amid`), and the other request is done there.
"""

import threading
from collections.abc import Callable
from typing import Any

import pytest
import time_machine
from flask import Flask
from sqlalchemy import select

from tests.accounts.authenticator import (
    SET_UP,
    code_of,
    dump,
    events,
    give_password,
    set_up_app,
    stored,
)
from tests.cast import PASSWORD, Cast
from tests.client import PageCheckingClient
from webapp.accounts import gates, passwords, second_factor, sign_in, sign_in_audit, web_sessions
from webapp.accounts.models import UserAccount, WebSession
from webapp.accounts.people import disable_user, end_all_sessions, set_password
from webapp.accounts.second_factor import Keys
from webapp.accounts.session_limits import PROVED_FOR
from webapp.accounts.web_sessions import BrowserSession
from webapp.audit.models import AuditEvent
from webapp.database.engine import Database
from webapp.organizations.actions import add_member
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.models import Role
from webapp.tenancy.sessions import reading_session, writing_session

NEW = "nine large ships at sea"
MISTAKE = "E-mail address and password do not belong together."
#: Long enough for a thread that need not wait to be done.
A_WHILE = 0.4

Change = Callable[[LockedSession, UserAccount], object]


def new_password(session: LockedSession, person: UserAccount) -> None:
    set_password(session, person, NEW)


def set_up_factor(session: LockedSession, person: UserAccount) -> None:
    second_factor.set_factor(session, Keys("a key"), person, second_factor.new_secret(), 0)
    end_all_sessions(session, person)


ENDINGS: dict[str, Change] = {
    "a new password": new_password,
    "an account disabled": disable_user,
    "a second factor set up": set_up_factor,
}


def do(database: Database, person: UserAccount, change: Change) -> None:
    """In another request, from beginning to end."""
    with writing_session(database) as session:
        change(session, session.get_one(UserAccount, person.id))
        session.commit()


def amid(monkeypatch: pytest.MonkeyPatch, place: Any, name: str, other: Callable[[], object]) -> None:
    """The next time `place.name` is done, `other` is done right after it."""
    once, done = getattr(place, name), threading.Event()

    def with_other(*args: Any, **options: Any) -> Any:
        found = once(*args, **options)
        if not done.is_set():
            done.set()
            thread = threading.Thread(target=other)  # of a context of its own, as another request is
            thread.start()
            thread.join(20)
        return found

    monkeypatch.setattr(place, name, with_other)


def rows(database: Database) -> list[WebSession]:
    with reading_session(database) as session:
        return list(session.scalars(select(WebSession)))


def browser(app: Flask) -> PageCheckingClient:
    client = app.test_client()
    assert isinstance(client, PageCheckingClient)
    return client


@pytest.mark.parametrize("change", ENDINGS.values(), ids=ENDINGS)
def test_security_04_a_sign_in_on_its_way_is_refused_like_a_wrong_password(
    client: PageCheckingClient, cast: Cast, database: Database, monkeypatch: pytest.MonkeyPatch, change: Change
) -> None:
    amid(monkeypatch, sign_in, "pass_password", lambda: do(database, cast.olive, change))
    client.get("/sign-in")
    answer = client.send("/sign-in", {"email": cast.olive.email, "password": PASSWORD})
    assert answer.status_code == 422
    assert MISTAKE in answer.text
    assert rows(database) == []
    assert events(database, cast.olive) == ["sign_in.refused"]


def test_security_04_nobody_waits_for_a_code_behind_a_new_password(
    app: Flask, client: PageCheckingClient, cast: Cast, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.sign_in(cast.olive)
    set_up_app(client)
    amid(monkeypatch, sign_in, "pass_password", lambda: do(database, cast.olive, new_password))
    other = browser(app)
    other.get("/sign-in")
    assert other.send("/sign-in", {"email": cast.olive.email, "password": PASSWORD}).status_code == 422
    assert rows(database) == []


@pytest.mark.parametrize("change", [new_password, end_all_sessions])
def test_security_04_a_code_does_not_help_who_waits_no_longer(
    app: Flask,
    client: PageCheckingClient,
    cast: Cast,
    clock: time_machine.Traveller,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    change: Change,
) -> None:
    """All others signed out: who was between password and code then begins again."""
    client.sign_in(cast.olive)
    secret, _codes = set_up_app(client)
    clock.shift(30)
    other = browser(app)
    give_password(other, cast.olive)
    amid(monkeypatch, sign_in, "pass_code", lambda: do(database, cast.olive, change))
    assert other.send("/sign-in/code", {"code": code_of(secret)}).status_code == 422
    assert rows(database) == []
    assert events(database, cast.olive)[-1] == "sign_in.refused"
    assert other.get("/sign-in/code").location == "/sign-in"


def test_a_digest_that_is_renewed_meanwhile_refuses_nobody(
    app: Flask, client: PageCheckingClient, cast: Cast, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two clicks on "Sign in" after the parameters of hashing have changed: the password is the same."""
    hasher = passwords.PasswordHasher(time_cost=2, memory_cost=16, parallelism=1)
    monkeypatch.setattr(passwords, "hasher", hasher)
    amid(monkeypatch, passwords, "check_password", lambda: browser(app).sign_in(cast.olive))
    assert client.sign_in(cast.olive).status_code == 303
    assert len(rows(database)) == 2


@pytest.mark.parametrize("change", [new_password, end_all_sessions])
def test_security_04_proof_on_its_way_proves_nothing(
    client: PageCheckingClient,
    cast: Cast,
    clock: time_machine.Traveller,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    change: Change,
) -> None:
    client.sign_in(cast.olive)
    clock.shift(PROVED_FOR)
    amid(monkeypatch, sign_in, "prove", lambda: do(database, cast.olive, change))
    assert client.send("/prove", {"password": PASSWORD}).location.startswith("/sign-in")
    assert rows(database) == []


def test_security_04_the_old_password_proves_nothing_in_another_tab(
    client: PageCheckingClient,
    cast: Cast,
    clock: time_machine.Traveller,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The browser that changes the password stays signed in; what it proved by the old one is not proved by the new."""
    client.sign_in(cast.olive)
    [row] = rows(database)
    clock.shift(PROVED_FOR)

    def change(session: LockedSession, person: UserAccount) -> None:
        set_password(session, person, NEW, but=row.id)

    amid(monkeypatch, sign_in, "prove", lambda: do(database, cast.olive, change))
    client.send("/prove", {"password": PASSWORD})
    [after] = rows(database)
    assert (after.id, after.proved_at, after.id_digest) == (row.id, row.proved_at, row.id_digest)


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("/security-settings/password", {"present": PASSWORD, "password": NEW}),
        ("/security-settings/sessions/end-others", {}),
        (f"{SET_UP}/recovery-codes", {}),
        (SET_UP, {"code": "app"}),
        (f"{SET_UP}/turn-off", {"password": PASSWORD, "code": "app"}),
    ],
)
def test_security_04_who_was_signed_out_meanwhile_changes_nothing(
    app: Flask,
    client: PageCheckingClient,
    cast: Cast,
    clock: time_machine.Traveller,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    data: dict[str, str],
) -> None:
    client.sign_in(cast.olive)
    secret, _codes = set_up_app(client)
    if path == SET_UP:  # another phone
        assert client.send(f"{SET_UP}/begin").status_code == 303
        secret = "".join(client.get(SET_UP).text.split('<code class="key">')[1].split("</code>")[0].split())
    client.token()
    clock.shift(60)
    before = stored(database, cast.olive)
    amid(monkeypatch, gates, "requires_factor", lambda: do(database, cast.olive, end_all_sessions))
    answer = client.send(path, {**data, **({"code": code_of(secret)} if "code" in data else {})})
    assert answer.location.startswith("/sign-in")
    after = stored(database, cast.olive)
    assert after.password_digest == before.password_digest
    assert (after.totp_secret is None) == (before.totp_secret is None)
    assert rows(database) == []
    assert "recovery.renewed" not in events(database, cast.olive)
    assert "sessions.ended" not in events(database, cast.olive)
    assert events(database, cast.olive).count("factor.set") == 1


@pytest.mark.parametrize("change", ["password", "sessions/end-others"])
def test_security_04_whoever_took_the_id_over_meanwhile_is_not_who_stays(
    app: Flask,
    client: PageCheckingClient,
    cast: Cast,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    change: str,
) -> None:
    """Somebody with a copy of the cookie proves who they are first: the row is theirs from then on, under a new id."""
    client.sign_in(cast.olive)
    client.token()
    cookie = client.get_cookie("sid")
    assert cookie is not None
    before = stored(database, cast.olive)

    def prove_elsewhere() -> None:
        with app.test_request_context("/prove", method="POST"):
            assert BrowserSession(database, b"key", cookie.value.rpartition(".")[0]).renew()

    amid(monkeypatch, gates, "requires_factor", prove_elsewhere)
    answer = client.send(f"/security-settings/{change}", {"present": PASSWORD, "password": NEW})
    assert answer.location.startswith("/sign-in")
    assert stored(database, cast.olive).password_digest == before.password_digest
    assert "sessions.ended" not in events(database, cast.olive)


@pytest.mark.parametrize("path", ["password", "second-factor"])
def test_security_04_the_old_id_is_dead_with_the_change_itself(
    client: PageCheckingClient, cast: Cast, database: Database, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """Not a moment later: whatever fails once the change is stored, no cookie from before it is of use."""
    client.sign_in(cast.olive)
    [before] = rows(database)
    seen: list[bytes] = []
    commit = LockedSession.commit

    def look_after(session: LockedSession) -> None:
        commit(session)
        if session.organization_id is None and stored(database, cast.olive) is not None:
            seen.extend(row.id_digest for row in rows(database) if has_changed(database, cast.olive))

    def has_changed(database: Database, person: UserAccount) -> bool:
        found = stored(database, person)
        return found.totp_secret is not None or found.password_set_at != person.password_set_at

    monkeypatch.setattr(LockedSession, "commit", look_after)
    if path == "password":
        client.send("/security-settings/password", {"present": PASSWORD, "password": NEW})
    else:
        set_up_app(client)
    assert seen
    assert before.id_digest not in seen
    assert client.get("/account").status_code == 200


def test_security_32_no_organization_is_told_of_a_sign_in_that_was_none(
    client: PageCheckingClient, cast: Cast, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One transaction belongs to one organization: where a line stands already, the next says how it ended."""
    with writing_session(database, cast.quayside.id) as session:
        add_member(session, session.get_one(UserAccount, cast.vera.id), Role.VIEWER)
        session.commit()
    amid(monkeypatch, sign_in_audit, "note_sign_in", lambda: do(database, cast.vera, new_password))
    client.get("/sign-in")
    assert client.send("/sign-in", {"email": cast.vera.email, "password": PASSWORD}).status_code == 422
    lines = []
    for organization in (cast.harbour, cast.quayside):
        with reading_session(database, organization.id) as session:
            kinds = session.scalars(select(AuditEvent.kind).where(AuditEvent.actor_id == cast.vera.id))
            lines.append([kind for kind in kinds if kind.startswith("sign_in")])
    assert sorted(lines) == [[], ["sign_in.done", "sign_in.refused"]]


def test_security_03_a_new_password_makes_a_new_id_and_no_longer_day(
    app: Flask, client: PageCheckingClient, cast: Cast, clock: time_machine.Traveller, database: Database
) -> None:
    client.sign_in(cast.olive)
    [before] = rows(database)
    cookie = client.get_cookie("sid")
    assert cookie is not None
    clock.shift(300)
    client.send("/security-settings/password", {"present": PASSWORD, "password": NEW})
    [after] = rows(database)
    assert after.id_digest != before.id_digest
    assert (after.id, after.created_at) == (before.id, before.created_at)
    old = browser(app)
    old.set_cookie("sid", cookie.value)
    assert old.get("/account").status_code == 303
    assert client.get("/account").status_code == 200


def test_security_04_a_session_waits_for_the_change_that_is_to_end_it(
    app: Flask, cast: Cast, database: Database
) -> None:
    """The row of the person is held: without that PostgreSQL would let the session begin beside the change."""
    started: list[bool] = []

    def start() -> None:
        with app.test_request_context("/sign-in"):
            started.append(BrowserSession(database, b"key", None).start(cast.olive))

    thread = threading.Thread(target=start)
    with writing_session(database) as session:
        set_password(session, session.get_one(UserAccount, cast.olive.id), NEW)
        thread.start()
        thread.join(A_WHILE)
        assert started == []
        session.commit()
    thread.join(20)
    assert started == [False]
    assert rows(database) == []


def test_security_04_ending_all_waits_for_the_session_that_begins(
    app: Flask, cast: Cast, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And finds it then: a DELETE that began before would not see it."""
    begins, go_on = threading.Event(), threading.Event()
    note = web_sessions.note_event

    def note_slowly(*args: Any) -> Any:
        found = note(*args)  # flushes: the row is written, and not yet to be seen
        begins.set()
        assert go_on.wait(20)
        return found

    def start() -> None:
        with app.test_request_context("/sign-in"):
            assert BrowserSession(database, b"key", None).start(cast.olive, "sign_in.done")

    monkeypatch.setattr(web_sessions, "note_event", note_slowly)
    starting = threading.Thread(target=start)
    starting.start()
    assert begins.wait(20)
    ending = threading.Thread(target=do, args=(database, cast.olive, end_all_sessions))
    ending.start()
    ending.join(A_WHILE)
    assert ending.is_alive()
    go_on.set()
    starting.join(20)
    ending.join(20)
    assert events(database, cast.olive) == ["sign_in.done"]
    assert rows(database) == []


def test_security_04_a_refused_session_leaves_the_one_that_was_there(
    app: Flask, client: PageCheckingClient, cast: Cast, database: Database
) -> None:
    """Nothing is changed: a browser in which somebody else is signed in keeps them."""
    client.sign_in(cast.max)
    cookie = client.get_cookie("sid")
    assert cookie is not None
    do(database, cast.olive, new_password)
    with app.test_request_context("/sign-in"):
        session = BrowserSession(database, b"key", cookie.value.partition(".")[0])
        assert not session.start(cast.olive)
        assert not session.begin({}, cast.olive)
    assert client.get("/account").status_code == 200
    assert cookie.value not in dump(database)
