"""The Security page: open sessions, how to end them, a new password, and what happened."""

from datetime import timedelta

import pytest
import time_machine
from flask import Flask

from tests.accounts.authenticator import events, mails, stored, words_of
from tests.cast import PASSWORD, Cast
from tests.client import PageCheckingClient
from webapp.accounts import session_rows
from webapp.accounts.account_events import KINDS, SHOWN_AT_MOST, note_event
from webapp.accounts.browsers import Where
from webapp.accounts.jobs import forget_what_is_over
from webapp.accounts.models import UserEmail
from webapp.accounts.queries import list_sessions
from webapp.clock import now
from webapp.database.engine import Database
from webapp.database.ids import new_id, spell_id
from webapp.tenancy.sessions import reading_session, writing_session

PAGE = "/security-settings"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
NEW = "nine large ships at sea"


def second(app: Flask, cast: Cast, user_agent: str = FIREFOX) -> PageCheckingClient:
    """Another browser of Olive's."""
    client = app.test_client()
    assert isinstance(client, PageCheckingClient)
    client.environ_base = {**client.environ_base, "HTTP_USER_AGENT": user_agent, "REMOTE_ADDR": "10.1.2.3"}
    client.sign_in(cast.olive)
    return client


def ids(database: Database, cast: Cast) -> list[int]:
    with reading_session(database) as session:
        return [row.id for row in list_sessions(session, cast.olive.id)]


def end(client: PageCheckingClient, session_id: int) -> int:
    return client.send(f"{PAGE}/sessions/{spell_id(session_id)}/end").status_code


def test_it_lists_my_sessions_in_words(app: Flask, client: PageCheckingClient, cast: Cast) -> None:
    client.sign_in(cast.olive)
    second(app, cast)
    page = client.get(PAGE).text
    assert "Firefox on Linux" in page
    assert "Private network 10.1.2.3" in page
    assert "This computer itself" in page
    assert page.count("(this one)") == 1
    assert "rv:128" not in page
    others = app.test_client()
    assert isinstance(others, PageCheckingClient)
    others.sign_in(cast.max)
    assert "Firefox on Linux" not in others.get(PAGE).text


def test_one_session_is_ended(app: Flask, client: PageCheckingClient, cast: Cast, database: Database) -> None:
    other = second(app, cast)
    [its_id] = ids(database, cast)
    client.sign_in(cast.olive)
    assert end(client, its_id) == 303
    assert other.get("/account").status_code == 303
    assert "Firefox on Linux is signed out." in client.get(PAGE).text
    assert events(database, cast.olive)[-1] == "session.ended"
    assert end(client, its_id) == 404


def test_security_22_sessions_of_others_are_none(
    app: Flask, client: PageCheckingClient, cast: Cast, database: Database
) -> None:
    other = second(app, cast)
    [its_id] = ids(database, cast)
    client.sign_in(cast.max)
    answers = {end(client, its_id), end(client, new_id())}
    assert answers == {404}
    assert other.get("/account").status_code == 200


def test_this_session_signs_out_instead(client: PageCheckingClient, cast: Cast, database: Database) -> None:
    client.sign_in(cast.olive)
    assert end(client, ids(database, cast)[0]) == 404
    assert "Sign out all others" not in client.get(PAGE).text


def test_security_06_all_others_are_ended(
    app: Flask, client: PageCheckingClient, cast: Cast, database: Database
) -> None:
    others = [second(app, cast), second(app, cast)]
    max_browser = app.test_client()
    assert isinstance(max_browser, PageCheckingClient)
    max_browser.sign_in(cast.max)
    client.sign_in(cast.olive)
    assert client.send(f"{PAGE}/sessions/end-others").status_code == 303
    assert [other.get("/account").status_code for other in others] == [303, 303]
    assert client.get("/account").status_code == 200
    assert max_browser.get("/account").status_code == 200
    assert events(database, cast.olive)[-1] == "sessions.ended"


def test_a_new_password(app: Flask, client: PageCheckingClient, cast: Cast, database: Database) -> None:
    other = second(app, cast)
    client.sign_in(cast.olive)
    before = client.get_cookie("sid")
    client.get(f"{PAGE}/password")
    answer = client.send(f"{PAGE}/password", {"present": PASSWORD, "password": NEW})
    assert answer.location == PAGE
    assert client.get_cookie("sid") != before
    assert "Your password is changed." in client.get(PAGE).text
    assert other.get("/account").status_code == 303
    assert [mail.to_address for mail in mails(database, "password_changed")] == [cast.olive.email]
    client.send("/sign-out")
    client.sign_in(cast.olive, NEW)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"present": "wrong", "password": NEW}, "This is not your present password."),
        ({"present": PASSWORD, "password": "HarbourBoats1998"}, "first that somebody would guess"),
        ({"present": PASSWORD, "password": "short"}, "at least 12 characters"),
        ({"present": PASSWORD, "password": "x" * 129}, "at most 128 characters"),
        ({"present": PASSWORD, "password": ""}, "Enter a new password."),
        ({"present": "", "password": NEW}, "Enter your present password."),
    ],
)
def test_security_10_what_cannot_be_the_new_password(
    client: PageCheckingClient, cast: Cast, database: Database, data: dict[str, str], said: str
) -> None:
    client.sign_in(cast.olive)
    answer = client.send(f"{PAGE}/password", data)
    assert answer.status_code == 422
    assert said in answer.text
    assert stored(database, cast.olive).password_digest == cast.olive.password_digest


@pytest.mark.usefixtures("clock")
def test_security_12_the_present_password_cannot_be_tried_for_ever(client: PageCheckingClient, cast: Cast) -> None:
    client.sign_in(cast.olive)
    tries = [client.send(f"{PAGE}/password", {"present": "wrong", "password": NEW}).text for _ in range(11)]
    assert ["Too many tries" in text for text in tries] == [False] * 10 + [True]


def test_what_happened_is_told_in_words(client: PageCheckingClient, cast: Cast) -> None:
    client.get("/sign-in")
    client.send("/sign-in", {"email": cast.olive.email, "password": "wrong"})
    client.sign_in(cast.olive)
    page = client.get(PAGE).text
    for kind in ("sign_in.refused", "sign_in.done", "sign_in.new_network"):
        assert KINDS[kind] in page
    client.send("/sign-out")
    client.sign_in(cast.olive)
    assert KINDS["sign_out.done"] in client.get(PAGE).text


def test_a_known_network_is_no_news(client: PageCheckingClient, cast: Cast, database: Database) -> None:
    for _ in range(2):
        client.sign_in(cast.olive)
        client.send("/sign-out")
    assert events(database, cast.olive).count("sign_in.new_network") == 1


def from_network(app: Flask, cast: Cast, network: str) -> None:
    client = app.test_client()
    assert isinstance(client, PageCheckingClient)
    client.environ_base = {**client.environ_base, "HTTP_USER_AGENT": FIREFOX, "REMOTE_ADDR": network}
    client.sign_in(cast.olive)


def test_asvs_6_3_5_a_sign_in_from_a_new_network_is_mailed(
    app: Flask, client: PageCheckingClient, cast: Cast, database: Database
) -> None:
    """To every address, whichever somebody may have taken over; not the first of all, and not twice for one network."""
    client.sign_in(cast.olive)
    assert mails(database, "new_network") == []
    with writing_session(database) as session:
        session.add(UserEmail(email="olive@home.example", user_account_id=cast.olive.id, confirmed_at=now()))
        session.commit()
    for _ in range(2):
        from_network(app, cast, "203.0.113.7")
    told = mails(database, "new_network")
    assert sorted(mail.to_address for mail in told) == [cast.olive.email, "olive@home.example"]
    assert [mail.organization_id for mail in told] == [None, None]
    assert words_of(told[0])["place"] == "IPv4 network 203.0.113.7"
    assert words_of(told[0])["browser"] == "Firefox on Linux"


def test_asvs_6_3_5_a_network_not_used_for_long_is_new_again(
    app: Flask, cast: Cast, database: Database, clock: time_machine.Traveller
) -> None:
    """After 90 days; after a year too, when no event tells any more that somebody ever signed in."""
    from_network(app, cast, "203.0.113.7")
    clock.shift(timedelta(days=89))
    from_network(app, cast, "203.0.113.7")
    assert mails(database, "new_network") == []
    clock.shift(timedelta(days=91))
    from_network(app, cast, "203.0.113.7")
    assert len(mails(database, "new_network")) == 1
    clock.shift(timedelta(days=400))
    forget_what_is_over(database)
    assert events(database, cast.olive) == []
    from_network(app, cast, "203.0.113.7")
    assert len(mails(database, "new_network")) == 2


def test_asvs_6_3_5_the_mail_lands_with_the_session_or_not_at_all(
    app: Flask, client: PageCheckingClient, cast: Cast, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.sign_in(cast.olive)
    monkeypatch.setattr(session_rows, "is_unchanged", lambda held, proved: False)
    other = app.test_client()
    assert isinstance(other, PageCheckingClient)
    other.environ_base = {**other.environ_base, "REMOTE_ADDR": "203.0.113.7"}
    other.get("/sign-in")
    assert other.send("/sign-in", {"email": cast.olive.email, "password": PASSWORD}).status_code == 422
    assert mails(database, "new_network") == []
    monkeypatch.undo()
    from_network(app, cast, "203.0.113.7")  # which is new still
    assert len(mails(database, "new_network")) == 1


def test_fifty_events_are_shown(client: PageCheckingClient, cast: Cast, database: Database) -> None:
    with writing_session(database) as session:
        for kind in list(KINDS) * 4:
            note_event(session, cast.olive.id, kind, Where("192.0.2.1", "Opera on Windows"))
        note_event(session, cast.max.id, "sign_in.done", Where("192.0.2.1", "a browser of Max"))
        session.commit()
    client.sign_in(cast.olive)
    page = client.get(PAGE).text
    assert page.count('<th scope="row">') == SHOWN_AT_MOST + 1
    assert "Max" not in page


def test_an_event_that_nobody_told_is_refused(cast: Cast, database: Database) -> None:
    with writing_session(database) as session, pytest.raises(KeyError):
        note_event(session, cast.olive.id, "unheard.of", Where("", ""))


def test_times_are_of_the_first_organization(
    clock: time_machine.Traveller, client: PageCheckingClient, cast: Cast
) -> None:
    client.sign_in(cast.olive)
    clock.shift(timedelta(minutes=5))
    assert "today at 13:00" in client.get(PAGE).text  # noon UTC in summer
    client.send("/sign-out")
    client.sign_in(cast.nora)
    assert "today at 12:05" in client.get(PAGE).text


def test_it_is_in_the_menu(client: PageCheckingClient, cast: Cast) -> None:
    client.sign_in(cast.olive)
    page = client.get("/o/harbour/calls").text
    assert f'href="{PAGE}"' in page
    assert 'href="/account"' in page
