"""Notices: on every page of everybody in their time, read once a minute, put up and taken down with a reason."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from flask import Flask
from sqlalchemy import event, select

from tests.cast import Cast
from tests.client import PART, PageCheckingClient
from tests.staff.told import told
from webapp.clock import now
from webapp.database.engine import Database
from webapp.database.ids import new_id, spell_id
from webapp.staff import notices
from webapp.staff.models import ServiceNotice
from webapp.tenancy.sessions import reading_session, writing_session

PAGE = "/staff/notices"
WORDS = "Callbook is away on Sunday from 06:00 to 06:30 UTC."
WHY = "New disk"


def fields(starts_at: datetime, ends_at: datetime, **more: str) -> dict[str, str]:
    form = "%Y-%m-%dT%H:%M"
    span = {"starts_at": starts_at.strftime(form), "ends_at": ends_at.strftime(form)}
    return {"words": WORDS, **span, "reason": WHY, **more}


@pytest.fixture
def put_up(database: Database, cast: Cast) -> ServiceNotice:
    """One that stands from now on for an hour."""
    notice = ServiceNotice(
        id=new_id(),
        words=WORDS,
        starts_at=now() - timedelta(minutes=1),
        ends_at=now() + timedelta(hours=1),
        created_by=cast.stella.id,
        created_at=now(),
    )
    with writing_session(database) as session:
        session.add(notice)
        session.commit()
    notices.forget(database)
    return notice


@contextmanager
def reads_of(database: Database) -> Iterator[list[str]]:
    """The statements that ask for notices."""
    asked: list[str] = []

    def listen(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        if "service_notice" in statement:
            asked.append(statement)

    event.listen(database.engine, "before_cursor_execute", listen)
    yield asked
    event.remove(database.engine, "before_cursor_execute", listen)


def test_everybody_reads_it_on_every_page(
    app: Flask, client: PageCheckingClient, staff_client: PageCheckingClient, cast: Cast, put_up: ServiceNotice
) -> None:
    for path in ("/", "/sign-in", "/privacy", "/no-such-page"):
        assert WORDS in client.get(path).text, path
    client.sign_in(cast.vera)
    for path in ("/o/harbour/calls", "/o/harbour/settings", "/account"):
        assert WORDS in client.get(path).text, path
    assert WORDS in staff_client.get(PAGE).text
    assert WORDS not in client.get("/o/harbour/calls", headers=PART).text


def test_only_in_its_time(client: PageCheckingClient, database: Database, put_up: ServiceNotice) -> None:
    for moment, is_there in (
        (put_up.starts_at - timedelta(seconds=1), False),
        (put_up.starts_at, True),
        (put_up.ends_at - timedelta(seconds=1), True),
        (put_up.ends_at, False),
    ):
        notices.forget(database)
        with time_machine.travel(moment, tick=False):
            assert (WORDS in client.get("/sign-in").text) is is_there, moment


def test_it_is_read_once_a_minute(
    client: PageCheckingClient, database: Database, put_up: ServiceNotice, monkeypatch: pytest.MonkeyPatch
) -> None:
    with reads_of(database) as asked:
        for _turn in range(5):
            assert WORDS in client.get("/sign-in").text
        assert len(asked) == 1
        monkeypatch.setattr(notices, "_EVERY_SECONDS", 0.0)
        client.get("/sign-in")
        assert len(asked) == 2


def test_a_part_does_not_ask(client: PageCheckingClient, cast: Cast, database: Database, put_up: ServiceNotice) -> None:
    client.sign_in(cast.olive)
    notices.forget(database)
    with reads_of(database) as asked:
        assert client.get("/o/harbour/calls", headers=PART).status_code == 200
    assert asked == []


def test_pages_stand_where_it_cannot_be_read(
    client: PageCheckingClient, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_session: object) -> object:
        raise notices.SQLAlchemyError("no database")

    notices.forget(database)
    monkeypatch.setattr(notices, "list_to_come", fail)
    assert client.get("/no-such-page").status_code == 404
    assert client.get("/sign-in").status_code == 200


def test_it_is_put_up_and_taken_down(
    staff_client: PageCheckingClient, client: PageCheckingClient, cast: Cast, database: Database
) -> None:
    staff_client.get(PAGE)
    moment = now()
    answer = staff_client.send(PAGE, fields(moment - timedelta(minutes=2), moment + timedelta(hours=2)))
    assert (answer.status_code, answer.location) == (303, PAGE)
    assert WORDS in client.get("/sign-in").text, "it is there at once in this process"
    with reading_session(database) as session:
        notice = session.scalars(select(ServiceNotice)).one()
    down = f"{PAGE}/{spell_id(notice.id)}/take-down"
    answer = staff_client.send(down, {"reason": "x"})
    assert answer.status_code == 422 and "Say why" in answer.text and 'value="x"' in answer.text
    assert staff_client.send(down, {"reason": "Done sooner"}).location == PAGE
    assert WORDS not in client.get("/sign-in").text
    assert "It is down already." in staff_client.get(staff_client.send(down, {"reason": "Once more"}).location).text
    assert [(kind, actor, words["words"], words["reason"]) for kind, actor, words in told(database)] == [
        ("service.notice_put_up", cast.stella.id, WORDS, WHY),
        ("service.notice_taken_down", cast.stella.id, WORDS, "Done sooner"),
    ]
    assert staff_client.send(f"{PAGE}/{spell_id(new_id())}/take-down", {"reason": WHY}).status_code == 404


@pytest.mark.parametrize(
    ("starts", "ends", "more", "words"),
    [
        (0, -1, {}, "not after the beginning"),
        (-5, -3, {}, "over already"),
        (0, 24 * 40, {}, "31 days at most"),
        (0, 1, {"words": ""}, "Write what everybody reads."),
        (0, 1, {"words": "x" * 301}, "at most 300 characters"),
        (0, 1, {"starts_at": "soon"}, "Write it as 2026-12-24T18:00."),
        (0, 1, {"reason": ""}, "Say why"),
    ],
)
def test_what_is_wrong_is_said_and_kept(
    staff_client: PageCheckingClient,
    database: Database,
    starts: int,
    ends: int,
    more: dict[str, str],
    words: str,
) -> None:
    at = datetime.now(UTC)
    staff_client.get(PAGE)
    sent = {**fields(at + timedelta(hours=starts), at + timedelta(hours=ends)), **more}
    answer = staff_client.send(PAGE, sent)
    assert answer.status_code == 422
    assert words in answer.text
    with reading_session(database) as session:
        assert session.scalars(select(ServiceNotice)).all() == []
    assert told(database) == []


def test_it_says_what_it_says(staff_client: PageCheckingClient, client: PageCheckingClient) -> None:
    staff_client.get(PAGE)
    staff_client.send(PAGE, fields(now() - timedelta(hours=1), now() + timedelta(hours=1), words="<b>away</b>\r\nsoon"))
    assert "&lt;b&gt;away&lt;/b&gt; soon" in client.get("/sign-in").text


def test_to_everybody_else_there_is_no_such_page(client: PageCheckingClient, cast: Cast) -> None:
    assert client.get(PAGE).location.startswith("/staff/sign-in")
    client.sign_in(cast.olive)
    assert client.get(PAGE).status_code == 404
    assert client.send(PAGE, fields(now(), now() + timedelta(hours=1))).status_code == 404
    assert client.send(f"{PAGE}/{spell_id(new_id())}/take-down", {"reason": WHY}).status_code == 404
