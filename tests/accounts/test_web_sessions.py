"""The one cookie and the row behind it."""

import base64
import hashlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
import time_machine
from flask import Flask, flash
from itsdangerous import Signer
from sqlalchemy import func, select, update

from config import Settings
from tests.cast import Cast
from tests.client import PageCheckingClient
from webapp import access, create_app
from webapp.accounts.models import UserAccount, WebSession
from webapp.accounts.people import disable_user, renew_all_sessions, set_password
from webapp.accounts.session_limits import ABSOLUTE_LIMIT, IDLE_LIMIT
from webapp.accounts.session_rows import digest_of
from webapp.accounts.web_sessions import BrowserSession
from webapp.clock import now
from webapp.database.engine import Database
from webapp.organizations.actions import add_member
from webapp.organizations.members import change_member
from webapp.organizations.offers import offer_of_membership
from webapp.tenancy.models import Membership, Numbers, Organization, Role
from webapp.tenancy.sessions import reading_session, writing_session


def rows(database: Database) -> list[WebSession]:
    with reading_session(database) as session:
        return list(session.scalars(select(WebSession)))


def cookie_of(client: PageCheckingClient, name: str = "sid") -> str:
    cookie = client.get_cookie(name)
    assert cookie is not None
    return cookie.value


def with_cookie(app: Flask, value: str, name: str = "sid") -> PageCheckingClient:
    client = app.test_client()
    assert isinstance(client, PageCheckingClient)
    client.set_cookie(name, value)
    return client


def is_inside(client: PageCheckingClient) -> bool:
    return client.get("/account").status_code == 200


@pytest.fixture
def inside(client: PageCheckingClient, cast: Cast) -> PageCheckingClient:
    client.sign_in(cast.olive)
    return client


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(datetime.fromisoformat("2026-07-15T12:00:00+00:00"), tick=False) as coordinates:
        yield coordinates


def test_security_01_one_cookie_that_javascript_and_other_sites_never_see(client: PageCheckingClient) -> None:
    cookies = client.get("/sign-in").headers.getlist("Set-Cookie")
    assert len(cookies) == 1
    name, _, rest = cookies[0].partition("=")
    assert name == "sid"
    assert set(rest.split("; ")[1:]) == {"HttpOnly", "Path=/", "SameSite=Lax"}


def test_security_01_over_https_it_is_secure_and_of_this_host(secure_client: PageCheckingClient, cast: Cast) -> None:
    cookies = secure_client.get("/sign-in").headers.getlist("Set-Cookie")
    assert len(cookies) == 1
    name, _, rest = cookies[0].partition("=")
    assert name == "__Host-sid"
    assert set(rest.split("; ")[1:]) == {"HttpOnly", "Path=/", "SameSite=Lax", "Secure"}
    data = {"email": cast.olive.email, "password": "six small boats at anchor"}
    answer = secure_client.send("/sign-in", data, headers={"Referer": "https://localhost/sign-in"})
    assert answer.status_code == 303
    assert answer.headers.getlist("Set-Cookie")[0].startswith("__Host-sid=")


@pytest.fixture
def secure_client(settings: Settings, database: Database) -> PageCheckingClient:
    """Of a service behind a proxy that speaks TLS."""
    values = {**vars(settings), "base_url": "https://localhost"}
    app = create_app(Settings(**values), database)
    app.testing = True
    app.test_client_class = PageCheckingClient
    app.config["PREFERRED_URL_SCHEME"] = "https"  # what the test client takes for the scheme of its requests
    client = app.test_client()
    assert isinstance(client, PageCheckingClient)
    return client


def test_security_01_pages_without_a_form_set_no_cookie(client: PageCheckingClient, cast: Cast) -> None:
    for path in ("/", "/no-such-page", "/sign-in/check", "/static/callbook.css", "/healthz", "/o/harbour/"):
        assert "Set-Cookie" not in client.get(path).headers, path
    client.sign_in(cast.olive)
    for path in ("/", "/no-such-page", "/static/callbook.css", "/healthz", "/sign-in"):
        assert "Set-Cookie" not in client.get(path).headers, path


def test_security_02_the_cookie_says_nothing(inside: PageCheckingClient, database: Database) -> None:
    value = cookie_of(inside)
    session_id, _, signature = value.partition(".")
    assert (len(session_id), len(signature)) == (43, 43)  # 256 bits each
    row = rows(database)[0]
    assert row.id_digest == hashlib.sha256(session_id.encode()).digest()
    assert session_id.encode() not in row.payload.encode() + row.id_digest


def test_security_02_the_cookie_is_small(inside: PageCheckingClient) -> None:
    assert len(f"__Host-sid={cookie_of(inside)}") < 120


def test_security_02_no_bit_of_10000_ids_can_be_foretold(app: Flask) -> None:
    """Chi-square of every bit, and of every bit against the one of the id before: beyond 30 once in 10 million."""
    with app.test_request_context("/"):
        ids = [new_session_id(app) for _ in range(10_000)]
    assert len(set(ids)) == len(ids)
    bits = [int.from_bytes(base64.urlsafe_b64decode(each + "="), "big") for each in ids]
    changes = [one ^ other for one, other in pairwise(bits)]
    for numbers in (bits, changes):
        half = len(numbers) / 2
        for bit in range(256):
            ones = sum(number >> bit & 1 for number in numbers)
            assert 2 * (ones - half) ** 2 / half < 30, bit


def new_session_id(app: Flask) -> str:
    """As a visitor gets it who sees their first form."""
    session = app.session_interface.open_session(app, app.request_class({}))
    assert isinstance(session, BrowserSession)
    assert session["csrf_token"]
    assert session.session_id is not None
    return session.session_id


@pytest.fixture
def reception(cast: Cast, database: Database) -> Callable[[int], None]:
    """Sets how long Harbour's quiet screens stay signed in."""

    def choose(minutes: int) -> None:
        with writing_session(database) as session:
            session.get_one(Organization, cast.harbour.id).idle_minutes = minutes
            session.commit()

    return choose


def test_security_05_a_reception_desk_stays_signed_in(
    clock: time_machine.Traveller, client: PageCheckingClient, cast: Cast, reception: Callable[[int], None]
) -> None:
    reception(240)
    client.sign_in(cast.olive)
    clock.shift(timedelta(minutes=240) - timedelta(seconds=1))
    assert is_inside(client)
    clock.shift(timedelta(minutes=240))
    assert not is_inside(client)


def test_security_05_the_shortest_of_several_counts(
    clock: time_machine.Traveller,
    client: PageCheckingClient,
    cast: Cast,
    database: Database,
    reception: Callable[[int], None],
) -> None:
    reception(480)
    with writing_session(database, cast.quayside.id) as session:
        add_member(session, session.get_one(UserAccount, cast.olive.id), Role.VIEWER)
        session.commit()
    client.sign_in(cast.olive)
    clock.shift(timedelta(minutes=30))
    assert client.get("/account").status_code == 303


def test_security_05_a_changed_limit_counts_at_once_where_one_is_signed_in(
    clock: time_machine.Traveller,
    inside: PageCheckingClient,
    database: Database,
    reception: Callable[[int], None],
) -> None:
    reception(120)
    clock.shift(timedelta(minutes=29))
    assert is_inside(inside)  # and follows
    clock.shift(timedelta(minutes=119))
    assert is_inside(inside)
    clock.shift(timedelta(minutes=40))
    reception(30)
    part = inside.get_part("/o/harbour/calls")
    assert part.status_code == 401
    assert rows(database) == []


def test_a_session_names_its_browser_and_network(inside: PageCheckingClient, database: Database) -> None:
    [row] = rows(database)
    assert (row.network, row.browser) == ("127.0.0.1", "an unknown browser")


def test_security_03_signing_in_changes_the_id(app: Flask, client: PageCheckingClient, cast: Cast) -> None:
    client.get("/sign-in")
    before = cookie_of(client)
    client.sign_in(cast.olive)
    first = cookie_of(client)
    assert first != before
    assert not is_inside(with_cookie(app, before))
    client.get("/no-such-page")
    token = client.token()
    data = {"email": cast.olive.email, "password": "six small boats at anchor", "csrf_token": token}
    assert client.post("/sign-in", data=data).status_code == 303
    assert cookie_of(client) != first
    assert not is_inside(with_cookie(app, first))
    assert is_inside(client)


RIGHTS: dict[str, dict[str, object]] = {
    "role": {"role": Role.MANAGER},
    "numbers": {"numbers": Numbers.MASKED},
    "narrowing": {"narrowed": True},
    "export": {"may_export": False},
}


@pytest.mark.parametrize("change", RIGHTS.values(), ids=list(RIGHTS))
def test_security_03_other_rights_make_another_id(
    app: Flask, client: PageCheckingClient, cast: Cast, database: Database, change: dict[str, object]
) -> None:
    client.sign_in(cast.vera)
    old = client.get_cookie("sid")
    assert old is not None
    [before] = rows(database)
    with writing_session(database, cast.harbour.id) as session:
        owner = session.get_one(Membership, (cast.harbour.id, cast.olive.id))
        offer = offer_of_membership(session, session.get_one(Membership, (cast.harbour.id, cast.vera.id)))
        change_member(session, owner, cast.vera, replace(offer, **change))
        session.commit()
    assert client.get_part("/o/harbour/calls").status_code == 200
    assert client.get_cookie("sid") == old  # the forms around that part are of the old id still
    assert is_inside(client)
    [after] = rows(database)
    assert (after.id, after.created_at, after.proved_at) == (before.id, before.created_at, before.proved_at)
    assert after.id_digest != before.id_digest
    fresh = client.get_cookie("sid")
    assert is_inside(client)
    assert client.get_cookie("sid") == fresh  # once
    thief = PageCheckingClient(app)
    thief.set_cookie("sid", old.value)
    assert thief.get("/account").status_code == 303


def test_security_03_nothing_changed_is_no_other_right(
    client: PageCheckingClient, cast: Cast, database: Database
) -> None:
    client.sign_in(cast.vera)
    [before] = rows(database)
    with writing_session(database, cast.harbour.id) as session:
        owner = session.get_one(Membership, (cast.harbour.id, cast.olive.id))
        change_member(
            session,
            owner,
            cast.vera,
            offer_of_membership(session, session.get_one(Membership, (cast.harbour.id, cast.vera.id))),
        )
        session.commit()
    assert is_inside(client)
    assert [row.id_digest for row in rows(database)] == [before.id_digest]


def test_security_03_two_requests_at_once_are_both_answered(
    app: Flask, client: PageCheckingClient, cast: Cast, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that comes second has asked by the old id before that was dead, and leaves the cookie of the first."""
    client.sign_in(cast.vera)
    old = client.get_cookie("sid")
    assert old is not None
    with writing_session(database) as session:
        renew_all_sessions(session, cast.vera)
        session.commit()
    other = PageCheckingClient(app)
    other.set_cookie("sid", old.value)
    real, statuses = BrowserSession.follow_rights, list[int]()

    def while_another_asks(session: BrowserSession) -> None:
        monkeypatch.setattr(BrowserSession, "follow_rights", real)
        elsewhere = threading.Thread(target=lambda: statuses.append(other.get("/account").status_code))
        elsewhere.start()
        elsewhere.join(20)
        real(session)

    monkeypatch.setattr(BrowserSession, "follow_rights", while_another_asks)
    assert client.get("/account").status_code == 200
    assert statuses == [200]
    assert client.get_cookie("sid") == old
    assert is_inside(other)


def test_security_04_signing_out_ends_this_browser_and_no_other(
    app: Flask, inside: PageCheckingClient, cast: Cast
) -> None:
    other = app.test_client()
    assert isinstance(other, PageCheckingClient)
    other.sign_in(cast.olive)
    stolen = with_cookie(app, cookie_of(inside))
    assert is_inside(stolen)
    inside.send("/sign-out")
    assert not is_inside(stolen)
    assert is_inside(other)


@pytest.mark.parametrize("change", ["password", "disabled"])
def test_security_04_a_new_password_or_a_disabled_account_ends_all(
    app: Flask, inside: PageCheckingClient, cast: Cast, database: Database, change: str
) -> None:
    other = app.test_client()
    assert isinstance(other, PageCheckingClient)
    other.sign_in(cast.max)
    with writing_session(database) as session:
        olive = session.get_one(UserAccount, cast.olive.id)
        if change == "password":
            set_password(session, olive, "nine large ships at sea")
        else:
            disable_user(session, olive)
        session.commit()
    assert inside.get_part("/o/harbour/").status_code == 401
    assert is_inside(other)


def test_security_04_an_account_disabled_behind_our_back_is_outside(
    inside: PageCheckingClient, cast: Cast, database: Database
) -> None:
    with writing_session(database) as session:
        session.execute(update(UserAccount).where(UserAccount.id == cast.olive.id).values(state=2))
        session.commit()
    assert not is_inside(inside)


def test_security_04_a_request_in_flight_cannot_bring_a_session_back(
    app: Flask, client: PageCheckingClient, cast: Cast, database: Database
) -> None:
    started, go_on = threading.Event(), threading.Event()

    @access.signed_in
    def slow() -> str:
        flash("written when the request ends")
        started.set()
        assert go_on.wait(20)
        return ""

    app.add_url_rule("/slow", view_func=slow)
    client.sign_in(cast.olive)
    in_flight = with_cookie(app, cookie_of(client))
    thread = threading.Thread(target=in_flight.get, args=("/slow",))
    thread.start()
    assert started.wait(20)
    client.send("/sign-out")
    go_on.set()
    thread.join()
    assert rows(database) == []
    assert not is_inside(in_flight)


def test_security_05_an_idle_browser_is_signed_out(
    clock: time_machine.Traveller, inside: PageCheckingClient, database: Database
) -> None:
    clock.shift(IDLE_LIMIT - timedelta(seconds=1))
    assert is_inside(inside)
    clock.shift(IDLE_LIMIT - timedelta(seconds=1))  # seen since, so not idle for so long
    assert is_inside(inside)
    clock.shift(IDLE_LIMIT)
    assert not is_inside(inside)


def test_security_05_twelve_hours_are_the_most(clock: time_machine.Traveller, inside: PageCheckingClient) -> None:
    start = now()
    while now() - start < ABSOLUTE_LIMIT - timedelta(minutes=20):
        clock.shift(timedelta(minutes=20))
        assert is_inside(inside)
    clock.move_to(start + ABSOLUTE_LIMIT - timedelta(seconds=1))
    assert is_inside(inside)
    clock.shift(1)
    assert not is_inside(inside)


def test_security_05_a_page_that_asks_by_itself_does_not_prolong(
    app: Flask, clock: time_machine.Traveller, client: PageCheckingClient, cast: Cast
) -> None:
    app.add_url_rule("/polled", view_func=access.polling(access.signed_in(lambda: "")), endpoint="polled")
    client.sign_in(cast.olive)
    for _ in range(5):
        clock.shift(timedelta(minutes=5))
        assert client.get("/polled").status_code == 200
    clock.shift(timedelta(minutes=5))
    assert client.get("/polled").status_code == 303


def test_last_seen_is_written_once_a_minute(
    clock: time_machine.Traveller, inside: PageCheckingClient, database: Database
) -> None:
    start = rows(database)[0].last_seen_at
    clock.shift(59)
    assert is_inside(inside)
    assert rows(database)[0].last_seen_at == start
    clock.shift(1)
    assert is_inside(inside)
    assert rows(database)[0].last_seen_at == start + timedelta(seconds=60)


def test_security_07_a_forged_cookie_is_nobody(app: Flask, inside: PageCheckingClient) -> None:
    session_id = cookie_of(inside).partition(".")[0]
    assert isinstance(app.secret_key, str)
    forged = [
        session_id,
        f"{session_id}.",
        f"{session_id}.{'A' * 43}",
        Signer("another key", salt="callbook.session", key_derivation="hmac", digest_method=hashlib.sha256)
        .sign(session_id)
        .decode(),
        Signer(app.secret_key, salt="another salt", key_derivation="hmac", digest_method=hashlib.sha256)
        .sign(session_id)
        .decode(),
        "é.é",
        "",
    ]
    assert not any(is_inside(with_cookie(app, value)) for value in forged)
    assert is_inside(with_cookie(app, cookie_of(inside)))


def test_security_07_a_key_that_was_changed_keeps_sessions(app: Flask, inside: PageCheckingClient) -> None:
    app.config.update(SECRET_KEY="b" * 40, SECRET_KEY_FALLBACKS=["a key of the tests, known to everybody"])
    assert is_inside(inside)
    app.config.update(SECRET_KEY_FALLBACKS=[])
    assert not is_inside(inside)


def test_security_08_visitors_leave_no_rows(app: Flask, database: Database) -> None:
    client = app.test_client(use_cookies=False)
    for _ in range(1_000):
        client.get("/sign-in")
    with reading_session(database) as session:
        assert session.scalar(select(func.count()).select_from(WebSession)) == 0


def test_rows_that_have_run_out_are_swept(
    app: Flask, clock: time_machine.Traveller, inside: PageCheckingClient, cast: Cast, database: Database
) -> None:
    clock.shift(IDLE_LIMIT + timedelta(seconds=1))
    other = app.test_client()
    assert isinstance(other, PageCheckingClient)
    other.sign_in(cast.max)
    assert [row.user_account_id for row in rows(database)] == [cast.max.id]


def test_security_03_who_signs_in_takes_over_nothing_of_who_was_here(
    app: Flask, inside: PageCheckingClient, cast: Cast, database: Database
) -> None:
    session_id = cookie_of(inside).partition(".")[0]
    with app.test_request_context("/sign-in"):
        session = BrowserSession(database, b"key", session_id)
        session["looking_as"] = {"role": 1}
        session.save()
        assert "looking_as" in rows(database)[0].payload
        session.start(cast.max)
    assert [(row.user_account_id, row.payload) for row in rows(database)] == [(cast.max.id, "{}")]


def test_what_was_kept_on_the_way_in_stays(app: Flask, cast: Cast, database: Database) -> None:
    with app.test_request_context("/sign-in"):
        session = BrowserSession(database, b"key", None)
        session.begin({"invitation": "held"})
        session.start(cast.max)
    assert [(row.user_account_id, row.payload) for row in rows(database)] == [(cast.max.id, '{"invitation": "held"}')]


def test_messages_wait_for_the_next_page(app: Flask, client: PageCheckingClient, cast: Cast) -> None:
    @access.signed_in
    def say() -> str:
        flash("The <harbour> is full.", "warn")
        return ""

    app.add_url_rule("/say", view_func=say)
    client.sign_in(cast.nora)
    client.get("/say")
    assert "The &lt;harbour&gt; is full." in client.get("/").text
    assert "is full." not in client.get("/").text


def test_nothing_can_be_kept_for_a_visitor(app: Flask) -> None:
    with app.test_request_context("/"), pytest.raises(RuntimeError, match="nobody is signed in"):
        flash("for whom?")


def test_a_digest_is_not_its_id() -> None:
    assert digest_of("x") == hashlib.sha256(b"x").digest()
