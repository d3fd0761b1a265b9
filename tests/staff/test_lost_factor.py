"""A last owner who has lost every second factor: staff start it, 72 hours are waited, every address can stop it."""

from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine
from flask import Flask

from config import Settings
from tests.accounts.authenticator import events, mails, set_up_app, token_in, words_of
from tests.accounts.test_lost_factor import has_factors, lock_out, newest, page_of
from tests.cast import Cast
from tests.client import PageCheckingClient
from tests.make import Make
from tests.staff.chains import SERVICE, kinds, sentences
from webapp.accounts.lost_factor import STAFF_WAIT
from webapp.accounts.lost_factor_jobs import look_after_lost_factors
from webapp.accounts.models import RemovalState, UserAccount
from webapp.database.engine import Database
from webapp.database.ids import spell_id
from webapp.organizations.actions import add_member
from webapp.tenancy.models import Role
from webapp.tenancy.sessions import writing_session

pytestmark = pytest.mark.usefixtures("clock")  # before the cast is stored
START = "/staff/lost-factor"
WORDS = {"email": "private-olive@example.com", "reason": "Olive called, I know her voice"}
Enter = Callable[[UserAccount], PageCheckingClient]


@pytest.fixture
def olive_locked_out(clock: time_machine.Traveller, client: PageCheckingClient, cast: Cast, database: Database) -> None:
    lock_out(client, cast.olive, database)


def test_after_72_hours_the_factors_are_taken_away(
    clock: time_machine.Traveller,
    client: PageCheckingClient,
    olive_locked_out: None,
    enter: Enter,
    cast: Cast,
    database: Database,
    settings: Settings,
) -> None:
    stella = enter(cast.stella)
    stella.get(START)
    done = stella.send(START, WORDS)
    assert done.status_code == 303, done.text
    page = stella.get(done.location).text
    assert "olive@example.com" in page and "18 July at 12:00 UTC at the earliest" in page
    told = mails(database, "lost_factor")
    assert {mail.to_address for mail in told} == {"olive@example.com", "private-olive@example.com"}
    assert all(token_in(mail, settings) for mail in told)
    for chain in (cast.harbour.id, SERVICE):
        [sentence] = sentences(database, chain, "lost_factor.started")
        assert "stella@example.com" in sentence and "I know her voice" in sentence

    clock.shift(STAFF_WAIT - timedelta(seconds=1))
    look_after_lost_factors(database)
    assert has_factors(database, cast.olive)
    clock.shift(1)
    look_after_lost_factors(database)
    look_after_lost_factors(database)
    assert not has_factors(database, cast.olive)
    assert client.get("/account").status_code == 303, "every browser is signed out"
    assert len(mails(database, "lost_factor")) == 4
    assert kinds(database, cast.harbour.id, "lost_factor") == ["lost_factor.started", "lost_factor.done"]
    assert kinds(database, SERVICE, "lost_factor") == ["lost_factor.started", "lost_factor.done"]
    assert events(database, cast.olive)[-1] == "factor.taken_away"
    client.sign_in(cast.olive)


def test_this_was_not_me_stops_it(
    clock: time_machine.Traveller,
    client: PageCheckingClient,
    olive_locked_out: None,
    enter: Enter,
    cast: Cast,
    database: Database,
    settings: Settings,
) -> None:
    stella = enter(cast.stella)
    stella.get(START)
    stella.send(START, WORDS)
    mail = next(each for each in mails(database, "lost_factor") if each.to_address == "private-olive@example.com")
    assert "It is stopped" in client.send(f"/not-me/{token_in(mail, settings)}").text
    clock.shift(STAFF_WAIT)
    look_after_lost_factors(database)
    assert has_factors(database, cast.olive)
    assert kinds(database, SERVICE, "lost_factor") == ["lost_factor.started", "lost_factor.stopped"]


def test_staff_can_stop_it(olive_locked_out: None, enter: Enter, cast: Cast, database: Database) -> None:
    stella = enter(cast.stella)
    stella.get(START)
    stella.send(START, WORDS)
    address = f"{START}/{spell_id(newest(stella, cast.olive).id)}/stop"
    assert stella.send(address).status_code == 303
    assert newest(stella, cast.olive).state == RemovalState.STOPPED
    assert stella.send(address).status_code == 404


def test_owners_of_other_organizations_confirm_all_the_same(
    clock: time_machine.Traveller,
    app: Flask,
    olive_locked_out: None,
    enter: Enter,
    cast: Cast,
    database: Database,
) -> None:
    with writing_session(database, cast.quayside.id) as session:
        add_member(session, session.get_one(UserAccount, cast.olive.id), Role.VIEWER)
        session.commit()
    stella = enter(cast.stella)
    stella.get(START)
    stella.send(START, WORDS)
    removal = newest(stella, cast.olive)
    [to_owner] = mails(database, "lost_factor_owners")
    assert to_owner.to_address == cast.quentin.email and words_of(to_owner)["removal"] == spell_id(removal.id)
    clock.shift(STAFF_WAIT)
    look_after_lost_factors(database)
    assert has_factors(database, cast.olive)
    quentin = app.test_client()
    assert isinstance(quentin, PageCheckingClient)
    quentin.sign_in(cast.quentin)
    assert quentin.send(page_of(removal, "/confirm", "quayside")).status_code == 303
    assert not has_factors(database, cast.olive)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"email": "nobody@example.com"}, "Nobody here has this address."),
        ({"email": ""}, "Give an address of theirs."),
        ({"reason": "  "}, "Say why"),
        ({"email": "max@example.com"}, "Other owners can confirm it."),
        ({"email": "quentin@example.com"}, "has no second factor"),
        ({"email": "steven@example.com"}, "This is a member of staff."),
    ],
)
def test_what_makes_no_sense_is_refused(
    app: Flask,
    olive_locked_out: None,
    enter: Enter,
    cast: Cast,
    database: Database,
    fields: dict[str, str],
    said: str,
) -> None:
    other = app.test_client()
    assert isinstance(other, PageCheckingClient)
    other.sign_in(cast.max)
    set_up_app(other)
    stella = enter(cast.stella)
    stella.get(START)
    answer = stella.send(START, {**WORDS, **fields})
    assert answer.status_code == 422 and said in answer.text
    assert mails(database, "lost_factor") == []


def test_started_twice_it_is_one(olive_locked_out: None, enter: Enter, cast: Cast, database: Database) -> None:
    stella = enter(cast.stella)
    stella.get(START)
    stella.send(START, WORDS)
    again = stella.send(START, WORDS)
    assert again.status_code == 422 and "under way already" in again.text
    assert len(mails(database, "lost_factor")) == 2


def test_a_person_without_an_organization_is_helped_too(
    clock: time_machine.Traveller,
    client: PageCheckingClient,
    enter: Enter,
    cast: Cast,
    make: Make,
    database: Database,
) -> None:
    client.sign_in(cast.nora)
    set_up_app(client)
    stella = enter(cast.stella)
    stella.get(START)
    assert stella.send(START, {**WORDS, "email": cast.nora.email}).status_code == 303
    clock.shift(STAFF_WAIT)
    look_after_lost_factors(database)
    assert not has_factors(database, cast.nora)
