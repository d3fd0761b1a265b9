"""The sender against a real SMTP server: what arrives, what waits, what is refused. Both engines."""

import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from config import Settings
from tests.mailbox import text_of
from tests.outbox.conftest import TOKEN, Queue, Relay, free_port, read, running, with_relay
from webapp import create_app
from webapp.database.engine import Database
from webapp.jobs import worker as jobs_worker
from webapp.jobs.worker import Worker
from webapp.outbox import claims, sender
from webapp.outbox.models import MailState
from webapp.outbox.sender import send_due

START = datetime(2026, 5, 4, 9, tzinfo=UTC)


def test_mails_go_in_order_over_one_connection(
    database: Database, mailing: Settings, relay: Relay, queue: Queue
) -> None:
    ids = [queue(f"{name}@example.com") for name in ("olive", "max", "vera")]

    send_due(database, mailing)

    assert relay.recipients == ["olive@example.com", "max@example.com", "vera@example.com"]
    assert relay.connections == 1
    rows = [read(database, mail_id) for mail_id in ids]
    assert [mail["Message-ID"] for mail in relay.mails] == [row.message_id for row in rows]
    assert {(row.state, row.attempts, row.secret, row.lease_owner, row.error) for row in rows} == {
        (MailState.HANDED_OVER, 1, None, None, None)
    }
    assert all(row.ended_at for row in rows)
    assert TOKEN in text_of(relay.mails[0])
    send_due(database, mailing)
    assert len(relay.mails) == 3


def test_security_53_no_name_server_is_asked_for_our_own_name(
    database: Database, mailing: Settings, relay: Relay, queue: Queue
) -> None:
    queue()
    send_due(database, mailing)

    assert relay.sessions[0].host_name == "localhost"  # of BASE_URL


def test_without_a_relay_mails_wait_and_go_when_there_is_one(
    database: Database, settings: Settings, mailing: Settings, relay: Relay, queue: Queue
) -> None:
    mail_id = queue()
    send_due(database, settings)
    row = read(database, mail_id)
    assert (row.state, row.attempts) == (MailState.WAITING, 0)

    send_due(database, mailing)

    assert len(relay.mails) == 1
    assert read(database, mail_id).state == MailState.HANDED_OVER


def test_a_recipient_that_is_refused_is_refused_for_good_and_the_others_go(
    database: Database, mailing: Settings, relay: Relay, queue: Queue, caplog: pytest.LogCaptureFixture
) -> None:
    relay.answers_to_recipients = ["550 no mailbox nobody@example.com here"]
    refused, other = queue("nobody@example.com"), queue("max@example.com")

    send_due(database, mailing)

    row = read(database, refused)
    assert (row.state, row.error, row.attempts) == (MailState.REFUSED, "550 refused by the relay", 1)
    assert row.ended_at
    assert read(database, other).state == MailState.HANDED_OVER
    assert relay.connections == 1
    assert "nobody" not in caplog.text
    assert "mailbox" not in caplog.text


def test_a_mail_whose_content_is_refused_is_refused_for_good(
    database: Database, mailing: Settings, relay: Relay, queue: Queue
) -> None:
    relay.answers_to_mails = ["554 looks like an advertisement"]
    mail_id = queue()

    send_due(database, mailing)

    assert (read(database, mail_id).state, read(database, mail_id).error) == (
        MailState.REFUSED,
        "554 refused by the relay",
    )


def test_not_now_puts_off_longer_each_time_and_gives_up_after_three_days(
    database: Database, mailing: Settings, relay: Relay, queue: Queue
) -> None:
    relay.answers_to_recipients = ["451 try again later"] * 100
    with time_machine.travel(START, tick=False) as clock:
        mail_id = queue()
        waits = []
        for attempt in range(1, claims.MOST_ATTEMPTS):
            send_due(database, mailing)
            row = read(database, mail_id)
            assert (row.state, row.attempts, row.error) == (MailState.WAITING, attempt, "451 not now, says the relay")
            waits.append((row.due_at - datetime.now(UTC)) // timedelta(minutes=1))
            send_due(database, mailing)
            assert read(database, mail_id).attempts == attempt, "not before its time"
            clock.move_to(row.due_at)
        send_due(database, mailing)
        row = read(database, mail_id)

    assert waits[:5] == [1, 2, 4, 8, 16]
    assert max(waits) == 6 * 60
    assert 2.5 < sum(waits) / (24 * 60) < 3.5
    assert (row.state, row.error) == (MailState.REFUSED, "given up: 451 not now, says the relay")
    assert relay.mails == []


def test_one_mail_that_is_put_off_holds_up_no_other(
    database: Database, mailing: Settings, relay: Relay, queue: Queue
) -> None:
    relay.answers_to_recipients = ["450 greylisted"]
    first, second = queue("olive@example.com"), queue("max@example.com")

    send_due(database, mailing)

    assert read(database, first).state == MailState.WAITING
    assert read(database, second).state == MailState.HANDED_OVER


def test_a_relay_that_is_down_costs_one_attempt_and_all_wait_a_minute(
    database: Database, settings: Settings, queue: Queue, mailing: Settings, relay: Relay
) -> None:
    down = with_relay(settings, f"smtp://127.0.0.1:{free_port()}")
    with time_machine.travel(START, tick=False) as clock:
        ids = [queue(f"{number}@example.com") for number in range(3)]
        send_due(database, down)
        rows = [read(database, mail_id) for mail_id in ids]
        assert [row.attempts for row in rows] == [1, 0, 0]
        assert {row.state for row in rows} == {MailState.WAITING}
        assert {row.due_at for row in rows} == {START + timedelta(minutes=1)}
        assert {row.error for row in rows} == {"no connection: ConnectionRefusedError"}
        assert not claims.is_any_due(database)
        clock.shift(timedelta(minutes=1))
        send_due(database, mailing)

    assert len(relay.mails) == 3


def test_a_relay_that_closes_in_the_middle(database: Database, mailing: Settings, relay: Relay, queue: Queue) -> None:
    relay.answers_to_recipients = ["250 OK", "421 closing"]
    ids = [queue(f"{number}@example.com") for number in range(3)]

    send_due(database, mailing)

    assert [read(database, mail_id).state for mail_id in ids] == [
        MailState.HANDED_OVER,
        MailState.WAITING,
        MailState.WAITING,
    ]
    assert [read(database, mail_id).attempts for mail_id in ids] == [1, 1, 0]


def test_what_a_dead_sender_left_is_held_back_too(
    database: Database, settings: Settings, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "MOST_AN_HOUR", 0)
    with time_machine.travel(START, tick=False) as clock:
        mail_id = queue()
        assert claims.claim(database)
        clock.shift(claims.LEASE)
        assert claims.is_any_due(database)
        send_due(database, with_relay(settings, f"smtp://127.0.0.1:{free_port()}"))
        assert not claims.is_any_due(database)
        assert read(database, mail_id).state == MailState.WAITING


def test_an_address_that_the_relay_cannot_take(database: Database, settings: Settings, queue: Queue) -> None:
    relay = Relay()
    with running(relay, enable_SMTPUTF8=False):
        mail_id, other = queue("ölive@example.com"), queue()
        send_due(database, with_relay(settings, f"smtp://127.0.0.1:{relay.port}"))

    assert (read(database, mail_id).state, read(database, mail_id).error) == (
        MailState.REFUSED,
        "the relay takes no such address",
    )
    assert read(database, other).state == MailState.HANDED_OVER


def test_an_address_beyond_ascii_goes_where_the_relay_can(database: Database, settings: Settings, queue: Queue) -> None:
    relay = Relay()
    with running(relay, enable_SMTPUTF8=True):
        queue("ölive@exämple.com")
        send_due(database, with_relay(settings, f"smtp://127.0.0.1:{relay.port}"))

    assert relay.recipients == ["ölive@exämple.com"]


def test_several_senders_at_once_send_each_mail_once(
    database: Database, mailing: Settings, relay: Relay, queue: Queue
) -> None:
    for number in range(30):
        queue(f"{number}@example.com")
    threads = [threading.Thread(target=send_due, args=(database, mailing)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(relay.recipients) == sorted(f"{number}@example.com" for number in range(30))
    assert relay.connections > 1, "they worked side by side"


def test_a_mail_older_than_a_week_is_not_sent(
    database: Database, mailing: Settings, relay: Relay, queue: Queue
) -> None:
    with time_machine.travel(START, tick=False) as clock:
        old = queue("olive@example.com")
        clock.shift(timedelta(days=7))
        new = queue("max@example.com")
        send_due(database, mailing)
        claims.sweep(database)

    assert (read(database, old).state, read(database, old).error) == (MailState.REFUSED, "too old")
    assert read(database, old).secret is None
    assert read(database, new).state == MailState.HANDED_OVER
    assert relay.recipients == ["max@example.com"]


def test_ended_mails_are_forgotten_after_30_days_and_waiting_ones_are_not_lost_to_the_sweep(
    database: Database, mailing: Settings, queue: Queue
) -> None:
    with time_machine.travel(START, tick=False) as clock:
        gone = queue("olive@example.com")
        send_due(database, mailing)
        clock.shift(timedelta(days=30))
        waiting = queue("max@example.com")
        claims.sweep(database)
        assert read(database, gone).state == MailState.HANDED_OVER
        clock.shift(timedelta(seconds=1))
        claims.sweep(database)
        assert read(database, waiting).state == MailState.WAITING
        with pytest.raises(Exception, match="No row"):
            read(database, gone)


def test_no_more_than_the_cap_go_in_an_hour(
    database: Database, mailing: Settings, relay: Relay, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "MOST_AN_HOUR", 3)
    with time_machine.travel(START, tick=False) as clock:
        for number in range(5):
            queue(f"{number}@example.com")
        send_due(database, mailing)
        assert len(relay.mails) == 3
        for _minute in range(59):
            clock.shift(timedelta(minutes=1))
            send_due(database, mailing)
        assert len(relay.mails) == 3
        clock.shift(timedelta(minutes=2))
        send_due(database, mailing)
    assert len(relay.mails) == 5


def test_many_mails_take_several_connections(
    database: Database, mailing: Settings, relay: Relay, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "_MOST_A_CONNECTION", 2)
    for number in range(5):
        queue(f"{number}@example.com")
    send_due(database, mailing)

    assert (len(relay.mails), relay.connections) == (5, 3)


def test_a_mail_that_cannot_be_written_is_refused_and_the_others_go(
    database: Database, mailing: Settings, relay: Relay, queue: Queue
) -> None:
    missing, word, other = queue("a@example.com", template="no_such"), queue("b@example.com", words={}), queue()

    send_due(database, mailing)

    assert read(database, missing).error == "could not be written: TemplateNotFound"
    assert read(database, word).error == "could not be written: UndefinedError"
    assert read(database, other).state == MailState.HANDED_OVER


def test_a_sender_that_comes_too_late_changes_nothing(database: Database, queue: Queue) -> None:
    with time_machine.travel(START, tick=False) as clock:
        mail_id = queue()
        late = claims.claim(database)
        assert late
        assert claims.claim(database) is None
        clock.shift(claims.LEASE)
        second = claims.claim(database)
        assert second
        assert (second.id, second.attempts) == (mail_id, 2)
        assert not claims.mark_handed_over(database, late)
        assert not claims.refuse(database, late, "no")
        assert not claims.put_off(database, late, "no")
        assert read(database, mail_id).lease_owner == second.lease_owner
        assert claims.mark_handed_over(database, second)


def test_the_sender_stops_after_the_mail_in_hand(
    database: Database, mailing: Settings, relay: Relay, queue: Queue
) -> None:
    for number in range(5):
        queue(f"{number}@example.com")

    send_due(database, mailing, lambda: len(relay.mails) >= 2)

    assert len(relay.mails) == 2


def test_a_worker_sends_at_the_commit_and_not_at_its_next_look(
    database: Database, mailing: Settings, relay: Relay, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs_worker, "POLL_SECONDS", 600.0)
    create_app(mailing, database)  # registers what workers do
    worker = Worker(database, mailing)
    worker.start()
    try:
        for mails in range(1, 4):
            queue(f"{mails}@example.com")
            until = time.monotonic() + 60
            while len(relay.mails) < mails:
                assert time.monotonic() < until, "it waits for the next look"
                time.sleep(0.01)
    finally:
        worker.stop()
    assert [mail["To"] for mail in relay.mails] == ["1@example.com", "2@example.com", "3@example.com"]
