"""Queueing: with its cause or not at all, once for each cause and person, and no secret that a dump would show."""

import base64
import sqlite3
import threading
from contextlib import closing

import pytest
from sqlalchemy import func, select

from config import Settings
from tests import postgresql
from tests.cast import Cast
from tests.outbox.conftest import TOKEN, Queue, Relay, read
from webapp import alarms
from webapp.database.engine import Database
from webapp.outbox.actions import queue_mail
from webapp.outbox.models import OutboxMessage
from webapp.outbox.sender import send_due
from webapp.sealing import unseal
from webapp.tenancy.sessions import reading_session, writing_session


def count(database: Database) -> int:
    with reading_session(database) as session:
        return session.scalar(select(func.count(OutboxMessage.id))) or 0


def test_a_mail_is_queued_once_for_a_cause_and_person(database: Database, queue: Queue) -> None:
    first = queue("olive@example.com", cause="invitation:7:1")

    assert queue("olive@example.com", cause="invitation:7:1") == first
    assert queue("max@example.com", cause="invitation:7:1") != first
    assert queue("olive@example.com", cause="invitation:7:2") != first
    assert count(database) == 3


def test_two_at_once_queue_one_mail(database: Database, queue: Queue) -> None:
    together = threading.Barrier(4)
    ids: list[int] = []

    def put() -> None:
        together.wait()
        ids.append(queue("olive@example.com", cause="invitation:7:1"))

    threads = [threading.Thread(target=put) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(ids) == 4
    assert len(set(ids)) == 1
    assert count(database) == 1


def test_a_mail_of_a_transaction_that_rolls_back_never_was(database: Database) -> None:
    with writing_session(database) as session:
        queue_mail(session, "test_link", "olive@example.com", cause="x", words={})
        session.rollback()

    assert count(database) == 0


def test_a_mail_names_the_organization_of_its_session(database: Database, cast: Cast, queue: Queue) -> None:
    with writing_session(database, cast.harbour.id) as session:
        message = queue_mail(session, "test_link", "max@example.com", cause="x", words={})
        session.commit()

    assert read(database, message.id).organization_id == cast.harbour.id
    assert read(database, queue()).organization_id is None


def test_a_message_id_says_nothing_and_none_is_like_another(database: Database, queue: Queue) -> None:
    ids = {read(database, queue(f"{number}@example.com")).message_id for number in range(20)}

    assert len(ids) == 20
    assert not any("example" in message_id for message_id in ids)


def test_workers_wake_when_it_is_committed_and_not_before(database: Database) -> None:
    alarm = threading.Event()
    alarms.add_sleeper(alarm)
    with writing_session(database) as session:
        queue_mail(session, "test_link", "olive@example.com", cause="x", words={})
        assert not alarm.is_set()
        session.commit()
    assert alarm.is_set()


def dump(settings: Settings) -> bytes:
    """Everything that the database holds about mails, as somebody who stole it would read it."""
    if settings.dialect == "sqlite":
        with closing(sqlite3.connect(settings.data_dir / "callbook.sqlite")) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return (settings.data_dir / "callbook.sqlite").read_bytes()
    with postgresql.connect(str(settings.database_owner_url)) as connection:
        return repr(connection.execute("SELECT * FROM outbox_message").fetchall()).encode()


def test_security_51_no_dump_shows_the_token_and_none_is_left_once_sent(
    database: Database, settings: Settings, mailing: Settings, relay: Relay, queue: Queue
) -> None:
    mail_id = queue()
    secret = read(database, mail_id).secret
    assert secret is not None
    assert unseal(settings.secret_key, secret).decode() == TOKEN

    held = dump(settings)
    assert b"olive@example.com" in held, "the dump holds the row"
    for spelling in (TOKEN.encode(), TOKEN.encode().hex().encode(), base64.b64encode(TOKEN.encode())[:-4]):
        assert spelling not in held

    send_due(database, mailing)
    assert len(relay.mails) == 1
    assert read(database, mail_id).secret is None
    assert TOKEN.encode() not in dump(settings)


@pytest.mark.parametrize("answer", ["550 no", "450 later"])
def test_a_mail_that_did_not_go_keeps_its_secret_for_the_next_try(
    answer: str, database: Database, mailing: Settings, relay: Relay, queue: Queue
) -> None:
    relay.answers_to_recipients = [answer]
    mail_id = queue()
    send_due(database, mailing)

    assert read(database, mail_id).secret is not None
