"""Notices: for members until each puts one away, on public pages until 30 days after its day, without a cookie."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
import time_machine
from flask import Flask
from sqlalchemy import event, select

from config import Settings
from tests.cast import Cast
from tests.client import PART, PageCheckingClient
from tests.mailbox import Mailbox, text_of
from tests.policies.conftest import BY_COMMAND, Publish
from webapp.clock import now
from webapp.database.engine import Database
from webapp.database.ids import new_id, spell_id
from webapp.jobs.worker import Worker
from webapp.policies import notices
from webapp.policies.incidents import Incident, tell_of_incident
from webapp.policies.models import Announcement, AnnouncementPerson
from webapp.tenancy.sessions import reading_session, writing_session

WORDS = "Another law applies from then on."
AWAY = "I have read it"


@pytest.fixture
def announced(app: Flask, publish_now: Publish, database: Database, settings: Settings, cast: Cast) -> Announcement:
    """A significant change 15 days ahead, of which everybody was told."""
    publish_now()
    publish_now(law='"France"', summary=WORDS, significant=True, effective_at=now() + timedelta(days=15))
    Worker(database, settings).run_due()
    notices.forget(database)
    with reading_session(database) as session:
        return session.scalars(select(Announcement)).one()


def dismissal(announcement: Announcement) -> str:
    return f"/notices/{spell_id(announcement.id)}/dismiss"


def test_security_48_sign_in_and_public_pages_show_it_without_a_cookie(
    client: PageCheckingClient, announced: Announcement
) -> None:
    for path in ("/", "/privacy", "/no-such-page", "/invitations/nonsense", "/sign-in"):
        page = client.get(path)
        assert WORDS in page.text and "/privacy/2" in page.text, path
        assert AWAY not in page.text
        assert path == "/sign-in" or "Set-Cookie" not in page.headers, path


def test_public_pages_show_it_until_30_days_after_it_took_effect(
    client: PageCheckingClient, database: Database, announced: Announcement
) -> None:
    """Read once a minute: what was read before its end is not shown after it."""
    notices.forget(database)
    for days, is_there in ((14, True), (16, True), (44, True), (46, False)):
        with time_machine.travel(announced.created_at + timedelta(days=days), tick=False):
            assert (WORDS in client.get("/sign-in").text) is is_there, days


def test_security_48_a_member_sees_it_until_they_put_it_away(
    app: Flask, client: PageCheckingClient, cast: Cast, announced: Announcement
) -> None:
    client.sign_in(cast.vera)
    for path in ("/o/harbour/calls", "/account"):
        assert WORDS in client.get(path).text and AWAY in client.get(path).text, path
    answer = client.send(dismissal(announced), {"next": "/o/harbour/calls"})
    assert (answer.status_code, answer.location) == (303, "/o/harbour/calls")
    assert WORDS not in client.get("/o/harbour/calls").text
    assert client.send(dismissal(announced)).location == "/", "again is no mistake"
    other = app.test_client()
    assert isinstance(other, PageCheckingClient)
    other.sign_in(cast.olive)
    assert WORDS in other.get("/o/harbour/calls").text, "each puts it away for themselves"


def test_a_member_sees_it_long_after_it_took_effect(
    client: PageCheckingClient, cast: Cast, announced: Announcement
) -> None:
    with time_machine.travel(announced.created_at + timedelta(days=200)):
        client.sign_in(cast.vera)
        assert WORDS in client.get("/o/harbour/calls").text
        assert WORDS not in client.get("/privacy").text


def test_what_one_was_not_told_one_cannot_put_away(
    client: PageCheckingClient, cast: Cast, database: Database, announced: Announcement
) -> None:
    client.sign_in(cast.nora)
    assert client.send(dismissal(announced)).status_code == 404
    assert client.send(f"/notices/{spell_id(new_id())}/dismiss").status_code == 404
    with reading_session(database) as session:
        assert (
            session.scalars(select(AnnouncementPerson).where(AnnouncementPerson.dismissed_at.is_not(None))).all() == []
        )


def test_putting_away_takes_a_post_with_its_token_and_leads_nowhere_else(
    client: PageCheckingClient, cast: Cast, announced: Announcement
) -> None:
    assert client.get(dismissal(announced)).status_code == 405
    client.sign_in(cast.vera)
    assert client.post(dismissal(announced)).status_code == 400
    assert WORDS in client.get("/o/harbour/calls").text
    assert client.send(dismissal(announced), {"next": "//evil.example"}).location == "/"


def test_putting_away_leads_back_to_what_one_looked_at(
    client: PageCheckingClient, cast: Cast, announced: Announcement
) -> None:
    """With what was chosen on it; and to no address that a form alone can ask for."""
    client.sign_in(cast.vera)
    page = client.get("/o/harbour/calls?direction=inbound&outcome=missed").text
    assert 'name="next" value="/o/harbour/calls?direction=inbound&amp;outcome=missed"' in page
    assert 'name="next" value="/o/harbour/calls"' in client.get("/o/harbour/calls").text
    wrong = client.send("/account/addresses", {"email": "no address"})
    assert wrong.status_code == 422 and AWAY in wrong.text
    assert 'value="/account/addresses"' not in wrong.text


def test_an_incident_is_for_those_alone_whom_it_concerns(
    app: Flask, client: PageCheckingClient, cast: Cast, database: Database, settings: Settings
) -> None:
    with writing_session(database) as session:
        words = Incident("A disk was stolen", "On Monday. It was <b>encrypted</b>.", cast.harbour)
        tell_of_incident(session, words, BY_COMMAND)
        session.commit()
    Worker(database, settings).run_due()
    assert "A disk was stolen" not in client.get("/sign-in").text
    client.sign_in(cast.vera)
    page = client.get("/o/harbour/calls").text
    assert "A disk was stolen" in page and "&lt;b&gt;encrypted" in page
    other = app.test_client()
    assert isinstance(other, PageCheckingClient)
    other.sign_in(cast.quentin)
    assert "A disk was stolen" not in other.get("/o/quayside/calls").text


def test_an_incident_has_a_page_with_every_word_for_those_who_were_told(
    app: Flask, client: PageCheckingClient, cast: Cast, database: Database, settings: Settings
) -> None:
    """Also once it is put away; the notice is cut short, and says whose it is."""
    words = f"On Monday <b>at</b> night. {'It was taken. ' * 60}\n\nWhat you should do:\nchange your password."
    with writing_session(database) as session:
        told = tell_of_incident(session, Incident("A disk was stolen", words, cast.harbour), BY_COMMAND)
        session.commit()
    Worker(database, settings).run_due()
    mail = text_of(Mailbox(database, settings).newest(cast.vera.email))
    assert "once to the people of Harbour Boats" in mail
    page = f"/notices/{spell_id(told.id)}"
    assert client.get(page).status_code == 303
    client.sign_in(cast.vera)
    notice = client.get("/o/harbour/calls").text
    assert page in notice and "Harbour Boats: A disk" in notice and "What you should do" not in notice
    client.send(f"{page}/dismiss")
    whole = client.get(page).text
    assert "<p>What you should do:\nchange your password.</p>" in whole
    assert "Monday &lt;b&gt;at" in whole and "<strong>Harbour Boats</strong>" in whole
    other = app.test_client()
    assert isinstance(other, PageCheckingClient)
    other.sign_in(cast.quentin)
    assert other.get(page).status_code == 404


@contextmanager
def reads_of(database: Database) -> Iterator[list[str]]:
    asked: list[str] = []

    def listen(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        if "announcement" in statement:
            asked.append(statement)

    event.listen(database.engine, "before_cursor_execute", listen)
    yield asked
    event.remove(database.engine, "before_cursor_execute", listen)


def test_a_page_of_somebody_without_one_asks_once_a_minute_and_a_part_never(
    client: PageCheckingClient, cast: Cast, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.sign_in(cast.vera)
    notices.forget(database)
    with reads_of(database) as asked:
        client.get("/o/harbour/calls", headers=PART)
        assert asked == []
        for _turn in range(4):
            client.get("/o/harbour/calls")
        assert len(asked) == 1
        monkeypatch.setattr(notices, "_EVERY_SECONDS", 0.0)
        client.get("/o/harbour/calls")
        assert len(asked) == 2


def test_pages_stand_where_it_cannot_be_read(
    client: PageCheckingClient, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_session: object) -> object:
        raise notices.SQLAlchemyError("no database")

    notices.forget(database)
    monkeypatch.setattr(notices, "_find_public", fail)
    assert client.get("/no-such-page").status_code == 404
    assert client.get("/sign-in").status_code == 200
