"""Locked out of every factor: asked after the password, confirmed by owners, stopped at once by whom it is about."""

from collections.abc import Callable

import pytest
import time_machine
from flask import Flask
from sqlalchemy import select

from config import Settings
from tests.accounts.authenticator import code_of, events, give_password, mails, set_up_app, stored, token_in, words_of
from tests.audit.test_recorded import events_of
from tests.cast import Cast
from tests.client import PageCheckingClient
from tests.make import Make
from tests.staff.chains import kinds, sentences
from webapp.accounts.lost_factor import LIVES
from webapp.accounts.lost_factor_jobs import look_after_lost_factors
from webapp.accounts.models import FactorRemoval, Passkey, RecoveryCode, RemovalState, UserAccount, WebSession
from webapp.accounts.people import add_address, set_password
from webapp.clock import now
from webapp.database.engine import Database
from webapp.database.ids import spell_id
from webapp.invitations import lost_factor_views
from webapp.organizations.actions import add_member
from webapp.tenancy.models import Role
from webapp.tenancy.sessions import reading_session, writing_session

#: The clock stands still before the cast is stored: when a password was set is compared with when it was asked.
pytestmark = pytest.mark.usefixtures("clock")
LOST = "/sign-in/lost-factor"
Browser = Callable[[], PageCheckingClient]


@pytest.fixture
def new_browser(app: Flask) -> Browser:
    def new() -> PageCheckingClient:
        client = app.test_client()
        assert isinstance(client, PageCheckingClient)
        return client

    return new


@pytest.fixture
def max_locked_out(clock: time_machine.Traveller, new_browser: Browser, cast: Cast, database: Database) -> UserAccount:
    """Max of Harbour, whose owner is Olive, has an app, a passkey and two addresses."""
    return lock_out(new_browser(), cast.max, database)


def lock_out(client: PageCheckingClient, person: UserAccount, database: Database) -> UserAccount:
    client.sign_in(person)
    set_up_app(client)
    with writing_session(database) as session:
        add_address(session, session.get_one(UserAccount, person.id), f"private-{person.email}")
        key = {"user_account_id": person.id, "id": 1, "credential_id": b"c", "public_key": b"p", "sign_count": 0}
        session.add(Passkey(**key, name="Laptop", synced=False, transports="[]", created_at=now(), last_used_at=None))
        session.commit()
    return person


def ask(client: PageCheckingClient, person: UserAccount) -> FactorRemoval:
    assert give_password(client, person) == "/sign-in/code"
    assert "I lost my phone and my codes" in client.get("/sign-in/code").text
    client.get(LOST)
    assert client.send(LOST).status_code == 303
    return newest(client, person)


def newest(client: PageCheckingClient, person: UserAccount) -> FactorRemoval:
    database = client.application.extensions["callbook"].database
    with reading_session(database) as session:
        query = select(FactorRemoval).where(FactorRemoval.user_account_id == person.id)
        return session.scalars(query.order_by(FactorRemoval.id.desc())).first()  # type: ignore[return-value]


def page_of(removal: FactorRemoval, action: str = "", slug: str = "harbour") -> str:
    return f"/o/{slug}/people/lost-factor/{spell_id(removal.id)}{action}"


def has_factors(database: Database, person: UserAccount) -> bool:
    with reading_session(database) as session:
        rows = [
            session.scalars(select(mapped).where(mapped.user_account_id == person.id)).first()
            for mapped in (Passkey, RecoveryCode)
        ]
    return stored(database, person).totp_secret is not None or any(rows)


def test_an_owner_confirms_and_the_password_alone_signs_in(
    new_browser: Browser, cast: Cast, max_locked_out: UserAccount, database: Database, settings: Settings
) -> None:
    stranger, olive = new_browser(), new_browser()
    removal = ask(stranger, cast.max)
    assert "0 of 1 have so far" in stranger.get(LOST).text
    asked = mails(database, "lost_factor")
    assert {mail.to_address for mail in asked} == {"max@example.com", "private-max@example.com"}
    assert all(len(token_in(mail, settings)) == 64 for mail in asked)
    [to_owner] = mails(database, "lost_factor_owners")
    assert to_owner.to_address == cast.olive.email and words_of(to_owner)["removal"] == spell_id(removal.id)
    assert has_factors(database, cast.max)

    olive.sign_in(cast.olive)
    assert "max@example.com has lost phone and recovery codes." in olive.get("/o/harbour/people").text
    assert "Speak to max@example.com before you confirm" in olive.get(page_of(removal)).text
    done = olive.send(page_of(removal, "/confirm"))
    assert done.status_code == 303
    assert "signs in by the password alone now" in olive.get(done.location).text
    assert not has_factors(database, cast.max)
    with reading_session(database) as session:
        assert session.scalars(select(WebSession).where(WebSession.user_account_id == cast.max.id)).all() == []
    assert kinds(database, cast.harbour.id, "lost_factor") == [
        f"lost_factor.{step}" for step in ("asked", "confirmed", "done")
    ]
    assert events(database, cast.max)[-1] == "factor.taken_away"
    steps = [words_of(mail)["happened"] for mail in mails(database, "lost_factor") if mail.to_address == cast.max.email]
    assert len(steps) == 3 and steps[2].startswith("Your second factor was taken away")
    new_browser().sign_in(cast.max)
    again = olive.send(page_of(removal, "/confirm"))
    assert again.status_code == 422 and "This is over" in again.text


def test_every_organization_has_to_confirm(
    new_browser: Browser, cast: Cast, max_locked_out: UserAccount, database: Database
) -> None:
    with writing_session(database, cast.quayside.id) as session:
        add_member(session, session.get_one(UserAccount, cast.max.id), Role.VIEWER)
        session.commit()
    removal = ask(new_browser(), cast.max)
    olive, quentin = new_browser(), new_browser()
    olive.sign_in(cast.olive)
    first = olive.send(page_of(removal, "/confirm"))
    assert first.status_code == 303, first.text
    assert "still needs the word of other organizations" in olive.get(first.location).text
    twice = olive.send(page_of(removal, "/confirm"))
    assert twice.status_code == 422 and "confirmed for this organization already" in twice.text
    assert has_factors(database, cast.max)
    quentin.sign_in(cast.quentin)
    assert quentin.send(page_of(removal, "/confirm", "quayside")).status_code == 303
    assert not has_factors(database, cast.max)
    assert kinds(database, cast.quayside.id, "lost_factor.done") == ["lost_factor.done"]


def test_this_was_not_me_stops_it_at_once(
    new_browser: Browser, cast: Cast, max_locked_out: UserAccount, database: Database, settings: Settings
) -> None:
    removal = ask(new_browser(), cast.max)
    token = token_in(mails(database, "lost_factor")[0], settings)
    anybody = new_browser()
    assert "Nothing" not in anybody.get(f"/not-me/{token}").text
    assert newest(anybody, cast.max).state == RemovalState.WAITS, "a mail scanner follows links too"
    stopped = anybody.send(f"/not-me/{token}")
    assert "Your second factor stays" in stopped.text and "Choose a new password" in stopped.text
    assert newest(anybody, cast.max).state == RemovalState.STOPPED
    assert anybody.get(f"/not-me/{token}").status_code == anybody.send(f"/not-me/{token}").status_code == 404
    olive = new_browser()
    olive.sign_in(cast.olive)
    assert olive.send(page_of(removal, "/confirm")).status_code == 422
    assert "has lost phone" not in olive.get("/o/harbour/people").text
    assert has_factors(database, cast.max)
    assert "“This was not me” was pressed" in sentences(database, cast.harbour.id, "lost_factor.stopped")[0]
    stops = [actor for kind, actor, *_rest in events_of(database, cast.harbour) if kind == "lost_factor.stopped"]
    assert stops == [cast.max.id], "no operator did that"


def test_after_one_confirmation_it_can_still_be_stopped(
    new_browser: Browser, cast: Cast, max_locked_out: UserAccount, database: Database, settings: Settings
) -> None:
    with writing_session(database, cast.quayside.id) as session:
        add_member(session, session.get_one(UserAccount, cast.max.id), Role.VIEWER)
        session.commit()
    removal = ask(new_browser(), cast.max)
    olive = new_browser()
    olive.sign_in(cast.olive)
    olive.send(page_of(removal, "/confirm"))
    confirmed = [mail for mail in mails(database, "lost_factor") if "Harbour Boats" in words_of(mail)["happened"]]
    assert len(confirmed) == 2
    assert new_browser().send(f"/not-me/{token_in(confirmed[0], settings)}").status_code == 200
    quentin = new_browser()
    quentin.sign_in(cast.quentin)
    assert quentin.send(page_of(removal, "/confirm", "quayside")).status_code == 422
    assert has_factors(database, cast.max)


def test_an_owner_can_stop_it(
    new_browser: Browser, cast: Cast, max_locked_out: UserAccount, database: Database
) -> None:
    removal = ask(new_browser(), cast.max)
    olive = new_browser()
    olive.sign_in(cast.olive)
    assert olive.send(page_of(removal, "/stop")).status_code == 303
    assert newest(olive, cast.max).state == RemovalState.STOPPED
    assert "an owner stopped it" in sentences(database, cast.harbour.id, "lost_factor.stopped")[0]


def test_who_is_no_owner_there_confirms_nothing(
    new_browser: Browser, cast: Cast, max_locked_out: UserAccount, make: Make, database: Database
) -> None:
    removal = ask(new_browser(), cast.max)
    for person, status in ((cast.vera, 403), (cast.quentin, 404)):
        client = new_browser()
        client.sign_in(person)
        assert client.get(page_of(removal)).status_code == status
        assert client.send(page_of(removal, "/confirm")).status_code == status
    quentin = new_browser()
    quentin.sign_in(cast.quentin)
    assert quentin.send(page_of(removal, "/confirm", "quayside")).status_code == 404
    assert newest(quentin, cast.max).state == RemovalState.WAITS


def test_nobody_confirms_their_own(
    clock: time_machine.Traveller, new_browser: Browser, cast: Cast, make: Make, database: Database
) -> None:
    second = make.member(Role.OWNER)
    at_work = new_browser()
    at_work.sign_in(second)
    secret, _codes = set_up_app(at_work)
    clock.shift(60)
    removal = ask(new_browser(), second)
    own = at_work.send(page_of(removal, "/confirm"))
    assert own.status_code == 422 and "Another owner has to confirm it" in own.text
    assert secret and has_factors(database, second)


def test_the_password_alone_is_needed_first(
    client: PageCheckingClient, cast: Cast, max_locked_out: UserAccount
) -> None:
    assert client.get(LOST).location == "/sign-in"
    assert client.send(LOST).location == "/sign-in"


def test_asked_twice_it_is_one(
    new_browser: Browser, cast: Cast, max_locked_out: UserAccount, database: Database
) -> None:
    client = new_browser()
    first = ask(client, cast.max)
    count = len(mails(database))
    assert client.send(LOST).status_code == 303
    assert newest(client, cast.max).id == first.id and len(mails(database)) == count


def test_asking_is_limited(new_browser: Browser, cast: Cast, max_locked_out: UserAccount) -> None:
    client = new_browser()
    ask(client, cast.max)
    statuses = [client.send(LOST).status_code for _ in range(5)]
    assert statuses == [303] * 4 + [429]


def test_a_last_owner_is_sent_to_support(
    clock: time_machine.Traveller, new_browser: Browser, cast: Cast, database: Database
) -> None:
    lock_out(new_browser(), cast.olive, database)
    client = new_browser()
    give_password(client, cast.olive)
    assert "Call whoever runs Callbook" in client.get(LOST).text
    refused = client.send(LOST)
    assert refused.status_code == 422 and "nobody else is an owner" in refused.text
    assert newest(client, cast.olive) is None


def test_a_new_password_ends_it(
    new_browser: Browser, cast: Cast, max_locked_out: UserAccount, database: Database, clock: time_machine.Traveller
) -> None:
    """Who asked knew the old one; the person has seen the mail."""
    removal = ask(new_browser(), cast.max)
    clock.shift(60)
    with writing_session(database) as session:
        set_password(session, session.get_one(UserAccount, cast.max.id), "seven large boats at anchor")
        session.commit()
    olive = new_browser()
    olive.sign_in(cast.olive)
    assert olive.send(page_of(removal, "/confirm")).status_code == 422
    look_after_lost_factors(database)
    assert newest(olive, cast.max).state == RemovalState.STOPPED and has_factors(database, cast.max)


def test_what_nobody_confirms_is_over_after_a_week(
    new_browser: Browser, cast: Cast, max_locked_out: UserAccount, database: Database, clock: time_machine.Traveller
) -> None:
    removal = ask(new_browser(), cast.max)
    clock.shift(LIVES)
    olive = new_browser()
    olive.sign_in(cast.olive)
    assert "This is over" in olive.get(page_of(removal)).text
    assert olive.send(page_of(removal, "/confirm")).status_code == 422
    look_after_lost_factors(database)
    assert newest(olive, cast.max).state == RemovalState.STOPPED
    assert has_factors(database, cast.max)


def test_a_confirmation_that_was_not_followed_up_is_finished_by_the_worker(
    new_browser: Browser,
    cast: Cast,
    max_locked_out: UserAccount,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The server died between the owner's word and what follows from it."""
    removal = ask(new_browser(), cast.max)
    olive = new_browser()
    olive.sign_in(cast.olive)
    with monkeypatch.context() as dying:
        dying.setattr(lost_factor_views, "_go_on", lambda *_given: False)
        olive.send(page_of(removal, "/confirm"))
    assert has_factors(database, cast.max)
    look_after_lost_factors(database)
    assert not has_factors(database, cast.max)


def test_signing_in_with_the_code_still_works_meanwhile(
    clock: time_machine.Traveller, new_browser: Browser, cast: Cast
) -> None:
    client = new_browser()
    client.sign_in(cast.max)
    secret, _codes = set_up_app(client)
    clock.shift(60)
    ask(new_browser(), cast.max)
    found_again = new_browser()
    give_password(found_again, cast.max)
    assert found_again.send("/sign-in/code", {"code": code_of(secret)}).status_code == 303
