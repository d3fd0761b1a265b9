"""The operator's people: made by a command, signed in at a page of their own, and nowhere without a second factor."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from click.testing import Result
from flask import Flask
from sqlalchemy import select

from config import Settings, SettingsError, load_settings
from tests.accounts.authenticator import code_of, events, set_up_app, stored
from tests.cast import PASSWORD, Cast
from tests.client import PART, PageCheckingClient
from tests.every_address import addresses, ids_of
from tests.invitations.test_link import held
from tests.make import SECRET_KEY, Make
from webapp import access, create_app
from webapp.accounts.jobs import forget_alone
from webapp.accounts.models import UserAccount, WebSession
from webapp.accounts.people import disable_user
from webapp.accounts.queries import find_person
from webapp.accounts.session_limits import (
    FACTOR_FRESH_FOR,
    PROVED_FOR,
    STAFF_ABSOLUTE_LIMIT,
    STAFF_IDLE_MINUTES,
    run_out,
)
from webapp.accounts.staff import disable_staff
from webapp.audit.actions import THE_SERVICE
from webapp.audit.models import AuditEvent
from webapp.audit.verify import verify_chain
from webapp.clock import now, to_ms
from webapp.database.engine import Database
from webapp.errors import Refused
from webapp.organizations.actions import add_member
from webapp.staff.blueprint import bp
from webapp.tenancy.models import Membership, Role
from webapp.tenancy.sessions import reading_session, writing_session

DOOR = "/staff/sign-in"
SET_UP = "/security-settings/second-factor"
CONSOLE, OPENING = "/staff/of-the-tests", "/staff/of-the-tests/open"
NEW_PASSWORD = "seven large ships in fog"


@pytest.fixture(autouse=True)
def console(app: Flask) -> None:
    """Two pages of a console: one to look at, one that opens something."""
    app.add_url_rule(CONSOLE, view_func=access.staff(lambda: "the console"), endpoint="staff.of_the_tests")
    opening = access.fresh_factor(access.staff(lambda: "opened"))
    app.add_url_rule(OPENING, view_func=opening, endpoint="staff.opening_of_the_tests", methods=["GET", "POST"])


def another(app: Flask) -> PageCheckingClient:
    client = app.test_client()
    assert isinstance(client, PageCheckingClient)
    return client


def give_password(client: PageCheckingClient, person: UserAccount, door: str = DOOR) -> Any:
    client.get(door)
    answer = client.send(door, {"email": person.email, "password": PASSWORD})
    if answer.status_code == 303:
        client.get(answer.location)
        client.csrf_token = ""
    return answer


def chain(database: Database) -> list[tuple[str, int | None]]:
    """Of the service itself: kind and actor."""
    with reading_session(database, THE_SERVICE) as session:
        found = session.scalars(select(AuditEvent).order_by(AuditEvent.position))
        return [(event.kind, event.actor_id) for event in found]


def run(app: Flask, *words: str, password: str = f"{NEW_PASSWORD}\n") -> Result:
    return app.test_cli_runner().invoke(args=list(words), input=password)


# ---------------------------------------------------------------------------------------------------------- commands


def test_security_20_a_command_makes_them(app: Flask, cast: Cast, database: Database) -> None:
    done = run(app, "create-staff", "Sam@Example.com", "--name", "Sam of support", "--password-stdin")
    assert done.exit_code == 0, done.output
    assert "http://localhost:8080/staff/sign-in" in done.output
    with reading_session(database) as session:
        sam = find_person(session, "sam@example.com")
    assert sam is not None
    assert (sam.name, sam.is_staff, sam.alone_since, sam.has_factor) == ("Sam of support", True, None, False)
    assert chain(database) == [("staff_account.made", None)]
    assert verify_chain(database, THE_SERVICE).wrong is None


@pytest.mark.parametrize(
    ("email", "name", "password", "said"),
    [
        ("olive@example.com", "Olive", NEW_PASSWORD, "of a customer's people"),
        ("stella@example.com", "Stella", NEW_PASSWORD, "of somebody of staff"),
        ("sam@example.com", "  ", NEW_PASSWORD, "Give the name"),
        ("sam@example.com", "x" * 101, NEW_PASSWORD, "at most 100"),
        ("sam@example.com", "Sam", "short", "at least 12"),
        ("no address", "Sam", NEW_PASSWORD, "is no e-mail address"),
    ],
)
def test_what_makes_nobody_is_told(
    app: Flask, cast: Cast, database: Database, email: str, name: str, password: str, said: str
) -> None:
    done = run(app, "create-staff", email, "--name", name, "--password-stdin", password=password)
    assert done.exit_code == 1
    assert said in done.output
    assert chain(database) == []
    with reading_session(database) as session:
        assert find_person(session, "sam@example.com") is None
        olive = session.get_one(UserAccount, cast.olive.id)
    assert not olive.is_staff


def test_disabled_they_are_out_at_once(app: Flask, client: PageCheckingClient, cast: Cast, database: Database) -> None:
    client.sign_in(cast.stella)
    assert client.get(CONSOLE).status_code == 200
    assert run(app, "disable-staff", cast.olive.email).exit_code == 1
    done = run(app, "disable-staff", "STELLA@example.com")
    assert done.exit_code == 0, done.output
    assert client.get(CONSOLE).location.startswith(DOOR)
    assert give_password(another(app), cast.stella).status_code == 422
    assert chain(database)[-1] == ("staff_account.disabled", None)
    with pytest.raises(Refused), writing_session(database) as session:
        disable_staff(session, "nobody@example.com")


def test_their_lost_factors_are_removed_by_the_command(
    app: Flask, client: PageCheckingClient, cast: Cast, database: Database
) -> None:
    client.sign_in(cast.stella)
    assert run(app, "remove-second-factor", cast.stella.email).exit_code == 0
    assert not stored(database, cast.stella).has_factor
    assert client.get("/account").status_code == 303
    assert give_password(client, cast.stella).location == "/sign-in/check"
    assert client.get(CONSOLE).location == SET_UP


# -------------------------------------------------------------------------------------------- members of nothing


def test_nobody_of_staff_becomes_a_member(app: Flask, cast: Cast, database: Database) -> None:
    with writing_session(database, cast.harbour.id) as session:
        with pytest.raises(Refused, match="of staff"):
            add_member(session, session.get_one(UserAccount, cast.stella.id), Role.VIEWER)
    made = run(app, "create-organization", "mill", "--name", "Mill", "--time-zone", "Europe/London", "--region", "GB")
    assert made.exit_code == 0, made.output
    done = run(app, "create-user", cast.stella.email, "--organization", "mill", "--role", "owner", "--password-stdin")
    assert done.exit_code == 1
    assert "is of staff" in done.output


def test_an_invitation_to_them_is_one_to_a_stranger(
    app: Flask, client: PageCheckingClient, cast: Cast, make: Make, database: Database
) -> None:
    """The owner is told what they are told of anybody; who opens it, what somebody else's invitation tells."""
    inviter = another(app)
    inviter.sign_in(cast.olive)
    for email in (cast.stella.email, cast.nora.email):
        inviter.get("/o/harbour/people/invite")
        data = {"emails": email, "role": "viewer", "numbers": "full", "may_export": "y"}
        assert inviter.send("/o/harbour/people/invite", data).status_code == 303, email
    token = make.token_of(make.invitation("sam@example.com"))
    staff_token = make.token_of(make.invitation(cast.steven.email))
    pages = []
    client.sign_in(cast.steven)
    for each in (token, staff_token):
        held(client, each)
        client.get("/invitation")
        answer = client.send("/invitation")
        assert answer.status_code == 422
        pages.append("This invitation is for somebody else" in answer.text)
    assert pages == [True, True]
    with reading_session(database, cast.harbour.id) as session:
        assert session.get(Membership, (cast.harbour.id, cast.steven.id)) is None


def test_an_account_of_staff_is_not_deleted_by_itself(
    client: PageCheckingClient, cast: Cast, database: Database, clock: time_machine.Traveller
) -> None:
    client.sign_in(cast.stella)
    answer = client.send("/account/delete")
    assert answer.status_code == 422
    assert "disable-staff" in answer.text
    clock.shift(timedelta(days=200))
    forget_alone(database)
    assert stored(database, cast.stella).is_active


# ----------------------------------------------------------------------------------------------------- two doors


def test_security_13_each_page_lets_its_own_people_in(app: Flask, cast: Cast, database: Database) -> None:
    """With the words of a wrong password, so that neither page tells who is of staff."""
    refused = []
    for person, door in ((cast.olive, DOOR), (cast.stella, "/sign-in"), (cast.nora, DOOR)):
        browser = another(app)
        answer = give_password(browser, person, door)
        assert answer.status_code == 422
        assert browser.get("/account").status_code == 303
        refused.append("E-mail address and password do not belong together." in answer.text)
    assert refused == [True] * 3
    assert events(database, cast.stella)[-1] == "sign_in.refused"


def test_security_13_passkeys_have_the_same_two_doors(app: Flask, client: PageCheckingClient, cast: Cast) -> None:
    client.sign_in(cast.olive)
    of_olive = client.add_passkey("Work laptop")
    staff = another(app)
    give_password(staff, cast.stella)
    of_stella = staff.add_passkey("Work laptop")
    for passkey, wrong, right in (
        (of_olive, f"{DOOR}/passkey", "/sign-in/passkey"),
        (of_stella, "/sign-in/passkey", f"{DOOR}/passkey"),
    ):
        browser = another(app)
        browser.get(DOOR)
        for door, status in ((wrong, 422), (right, 303)):
            question = browser.send("/sign-in/passkey/question").get_json()
            assert browser.send(door, {"credential": passkey.show(question)}).status_code == status, door
        assert browser.get("/account").status_code == 200


def test_who_is_not_signed_in_is_sent_to_their_own_door(client: PageCheckingClient, cast: Cast) -> None:
    assert client.get(CONSOLE).location == f"{DOOR}?next={CONSOLE}"
    client.sign_in(cast.stella)
    assert client.get("/").location == "/staff/"
    assert client.get(DOOR).location == "/staff/"
    assert client.get(f"{DOOR}?next={CONSOLE}").location == CONSOLE
    assert client.get(f"/sign-in?next={DOOR}").location == "/staff/"
    client.csrf_token = ""
    assert client.send("/sign-out").location == f"{DOOR}?left=yes"


def test_their_sign_ins_are_in_the_chain_of_the_service(
    app: Flask, client: PageCheckingClient, cast: Cast, database: Database
) -> None:
    client.sign_in(cast.stella)
    client.get("/security-settings")
    client.send("/sign-out")
    assert chain(database) == [("sign_in.done", cast.stella.id), ("sign_out.done", cast.stella.id)]


# -------------------------------------------------------------------------------------------- no page without a factor


def test_security_13_a_password_opens_the_set_up_and_nothing_else(
    app: Flask, client: PageCheckingClient, cast: Cast, make: Make
) -> None:
    """Every address of the console, whoever adds one: none answers 200 to a session of a password alone."""
    give_password(client, cast.stella)
    assert client.get(SET_UP).status_code == 200
    token, walked = client.token(), 0
    for address in addresses(app, "harbour", ids_of(make)):
        if not access.of(app.view_functions[address.endpoint]).staff:
            continue
        for headers in ({}, PART):
            walked += 1
            answer = client.open(address.path, method=address.method, headers={"X-CSRFToken": token, **headers})
            assert answer.status_code in (303, 401), address
            where = answer.headers.get("HX-Redirect") or answer.location
            assert where == SET_UP, address
    assert walked >= 6
    assert client.get("/account").location == SET_UP, "nor any other page"


def test_security_13_a_session_without_a_factor_proves_one(
    app: Flask, client: PageCheckingClient, cast: Cast, database: Database
) -> None:
    """However it came to be: the console looks at what this session has shown, not at what the person has."""
    client.sign_in(cast.stella)
    with writing_session(database) as session:
        for row in session.scalars(select(WebSession)):
            row.factor_ms = None
        session.commit()
    assert client.get(CONSOLE).location == f"/prove?next={CONSOLE}"
    client.get("/prove")
    assert client.send("/prove", {"password": PASSWORD}).status_code == 422
    assert client.get(CONSOLE).status_code == 303


def test_an_app_does_as_well(
    app: Flask, client: PageCheckingClient, cast: Cast, database: Database, clock: time_machine.Traveller
) -> None:
    give_password(client, cast.stella)
    secret, _codes = set_up_app(client)
    client.csrf_token = ""
    assert client.get(CONSOLE).status_code == 200, "the first code is that of setting it up"
    clock.shift(60)
    browser = another(app)
    assert give_password(browser, cast.stella).location == "/sign-in/code"
    assert browser.get(CONSOLE).status_code == 303
    browser.get("/sign-in/code")
    assert browser.send("/sign-in/code", {"code": code_of(secret)}).status_code == 303
    assert browser.get(CONSOLE).status_code == 200
    with reading_session(database) as session:
        newest = session.scalars(select(WebSession).order_by(WebSession.id.desc()).limit(1)).one()
    assert (newest.is_staff, newest.factor_ms, newest.idle_minutes) == (True, to_ms(now()), STAFF_IDLE_MINUTES)


def test_their_last_factor_stays(client: PageCheckingClient, cast: Cast, database: Database) -> None:
    give_password(client, cast.stella)
    set_up_app(client)
    client.csrf_token = ""
    assert client.get(f"{SET_UP}/turn-off").status_code == 422
    assert stored(database, cast.stella).has_factor


def test_security_17_opening_asks_for_a_factor_of_five_minutes(
    client: PageCheckingClient, cast: Cast, clock: time_machine.Traveller
) -> None:
    give_password(client, cast.stella)
    passkey = client.add_passkey("Key")
    clock.shift(FACTOR_FRESH_FOR - timedelta(seconds=1))
    assert client.get(OPENING).status_code == 200
    clock.shift(1)
    assert client.get(OPENING).location == f"/prove?next={OPENING}"
    assert client.get(CONSOLE).status_code == 200, "what only looks goes on"
    client.get("/prove")
    assert client.send(OPENING).status_code == 401
    client.get("/prove")
    assert client.send("/prove", {"password": PASSWORD}).status_code == 422, "a password alone proves nothing here"
    question = client.send("/prove/passkey/question").get_json()
    answer = client.send("/prove/passkey", {"credential": passkey.show(question), "next": OPENING})
    assert answer.location == OPENING
    assert client.get(OPENING).text == "opened"


def test_fresh_factor_asks_customers_too(
    app: Flask, client: PageCheckingClient, cast: Cast, clock: time_machine.Traveller
) -> None:
    view = access.fresh_factor(access.member(Role.OWNER)(lambda: "done"))
    app.add_url_rule("/o/<slug:slug>/danger", view_func=view, endpoint="danger")
    client.sign_in(cast.olive)
    assert client.get("/o/harbour/danger").location == SET_UP
    secret, _codes = set_up_app(client)
    client.csrf_token = ""
    assert client.get("/o/harbour/danger").text == "done"
    clock.shift(FACTOR_FRESH_FOR)
    assert client.get("/o/harbour/danger").location == "/prove?next=/o/harbour/danger"
    client.get("/prove")
    assert client.send("/prove", {"password": PASSWORD, "code": code_of(secret)}).status_code == 303
    assert client.get("/o/harbour/danger").text == "done"


def test_to_others_there_is_no_console(app: Flask, client: PageCheckingClient, cast: Cast) -> None:
    client.sign_in(cast.olive)
    client.add_passkey("Work laptop")
    assert client.get(CONSOLE).status_code == 404
    assert client.get(OPENING).status_code == 404
    assert bp.name == "staff"


# ------------------------------------------------------------------------------------------------------ how long


@pytest.fixture
def inside(clock: time_machine.Traveller, client: PageCheckingClient, cast: Cast) -> PageCheckingClient:
    client.sign_in(cast.stella)
    return client


def test_security_05_fifteen_idle_minutes(clock: time_machine.Traveller, inside: PageCheckingClient) -> None:
    limit = timedelta(minutes=STAFF_IDLE_MINUTES)
    for _ in range(2):
        clock.shift(limit - timedelta(seconds=1))
        assert inside.get(CONSOLE).status_code == 200
    clock.shift(limit)
    assert inside.get(CONSOLE).status_code == 303


def test_security_05_eight_hours_at_most(clock: time_machine.Traveller, inside: PageCheckingClient) -> None:
    steps = STAFF_ABSOLUTE_LIMIT // timedelta(minutes=10)
    for _ in range(steps - 1):
        clock.shift(timedelta(minutes=10))
        assert inside.get(CONSOLE).status_code == 200
    clock.shift(timedelta(minutes=10) - timedelta(seconds=1))
    assert inside.get(CONSOLE).status_code == 200
    clock.shift(1)
    assert inside.get(CONSOLE).status_code == 303


def test_security_05_a_part_that_asks_by_itself_does_not_prolong(
    app: Flask, clock: time_machine.Traveller, client: PageCheckingClient, cast: Cast
) -> None:
    polled = access.polling(access.staff(lambda: "still here"))
    app.add_url_rule("/staff/polled", view_func=polled, endpoint="staff.polled")
    client.sign_in(cast.stella)
    for _ in range(2):
        clock.shift(timedelta(minutes=7))
        assert client.get("/staff/polled").status_code == 200
    clock.shift(timedelta(minutes=1))
    assert client.get(CONSOLE).status_code == 303


@pytest.mark.parametrize(
    ("staff", "idle", "age", "swept"),
    [
        (True, timedelta(minutes=14), timedelta(hours=1), False),
        (True, timedelta(minutes=16), timedelta(hours=1), True),
        (True, timedelta(minutes=1), timedelta(hours=8, seconds=1), True),
        (True, timedelta(minutes=1), timedelta(hours=7), False),
        (False, timedelta(minutes=16), timedelta(hours=9), False),
    ],
)
def test_what_ran_out_is_swept(
    inside: PageCheckingClient,
    database: Database,
    staff: bool,
    idle: timedelta,
    age: timedelta,
    swept: bool,
) -> None:
    with writing_session(database) as session:
        for row in session.scalars(select(WebSession)):
            row.is_staff, row.idle_minutes = staff, STAFF_IDLE_MINUTES if staff else 30
            row.created_at, row.last_seen_at = now() - age, now() - idle
        session.commit()
        assert bool(session.scalars(select(WebSession.id).where(run_out())).all()) is swept


def test_their_proof_is_a_factor(
    client: PageCheckingClient, cast: Cast, clock: time_machine.Traveller, inside: PageCheckingClient
) -> None:
    clock.shift(PROVED_FOR)
    assert inside.get("/security-settings/password").location.startswith("/prove")
    inside.get("/prove")
    assert inside.send("/prove", {"password": PASSWORD}).status_code == 422


# ------------------------------------------------------------------------------------------------------ from where


@pytest.fixture
def fenced(settings: Settings, database: Database, cast: Cast) -> Iterator[PageCheckingClient]:
    networks = load_settings({"SECRET_KEY": SECRET_KEY, "STAFF_NETWORKS": "192.0.2.0/24, 2001:db8:1::/48"})
    app = create_app(replace(settings, staff_networks=networks.staff_networks), database)
    app.testing = True
    app.test_client_class = PageCheckingClient
    app.add_url_rule(CONSOLE, view_func=access.staff(lambda: "the console"), endpoint="staff.of_the_tests")
    yield another(app)
    staff_database = app.extensions["callbook"].staff_database
    staff_database.dispose()


@pytest.mark.parametrize(
    ("address", "answers"),
    [
        ("192.0.2.7", True),
        ("::ffff:192.0.2.7", True),
        ("2001:db8:1::9", True),
        ("192.0.3.7", False),
        ("2001:db8:2::9", False),
        ("", False),
    ],
)
def test_outside_of_its_networks_there_is_no_console(fenced: PageCheckingClient, address: str, answers: bool) -> None:
    fenced.environ_base["REMOTE_ADDR"] = address
    for path in (DOOR, CONSOLE, "/staff/", "/staff", f"{DOOR}/passkey"):
        answer = fenced.get(path)
        assert answers or answer.status_code == 404, path
    assert (fenced.get(DOOR).status_code == 200) is answers
    assert fenced.get("/sign-in").status_code == 200, "customers come from everywhere"
    if not answers:
        nowhere = fenced.get("/no-such-page").text
        assert fenced.get(DOOR).text.partition("Reference")[0] == nowhere.partition("Reference")[0]


def test_a_session_does_not_travel_out_of_them(fenced: PageCheckingClient, cast: Cast) -> None:
    fenced.environ_base["REMOTE_ADDR"] = "192.0.2.7"
    fenced.sign_in(cast.stella)
    assert fenced.get(CONSOLE).status_code == 200
    fenced.environ_base["REMOTE_ADDR"] = "198.51.100.7"
    for path in (CONSOLE, "/account", "/security-settings"):
        assert fenced.get(path).status_code == 404


@pytest.mark.parametrize("text", ["192.0.2.1/24", "office", "192.0.2.0/24;10.0.0.0/8", "10.0.0.0/33"])
def test_a_wrong_network_is_refused_by_name(text: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings({"SECRET_KEY": SECRET_KEY, "STAFF_NETWORKS": f"10.0.0.0/8,{text}"})
    assert list(refused.value.problems) == ["STAFF_NETWORKS"]
    assert text.partition(",")[0] in refused.value.problems["STAFF_NETWORKS"]


def test_who_is_disabled_is_out(client: PageCheckingClient, cast: Cast, database: Database) -> None:
    client.sign_in(cast.stella)
    with writing_session(database) as session:
        disable_user(session, session.get_one(UserAccount, cast.stella.id))
        session.commit()
    assert client.get(CONSOLE).status_code == 303
