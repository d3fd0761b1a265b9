"""What a page says of a mail, and whose mails it sees."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from config import Settings
from tests.cast import Cast
from tests.outbox.conftest import Queue, Relay
from webapp.database.engine import Database
from webapp.outbox.actions import queue_mail
from webapp.outbox.queries import NOT_SET_UP, mail_state, mail_states
from webapp.outbox.sender import can_send, send_due
from webapp.tenancy.sessions import reading_session, writing_session

START = datetime(2026, 5, 4, 9, tzinfo=UTC)


def state(database: Database, cause: str, can: bool = True, organization_id: int | None = None) -> str | None:
    with reading_session(database, organization_id) as session:
        return mail_state(session, cause, can_send=can)


def test_the_words(database: Database, settings: Settings, mailing: Settings, relay: Relay, queue: Queue) -> None:
    relay.answers_to_recipients = ["550 no", "450 later", "250 OK"]
    with time_machine.travel(START, tick=False) as clock:
        for name in ("refused", "later", "gone"):
            queue(f"{name}@example.com", cause=f"invitation:{name}:1")
        assert state(database, "invitation:gone") == "waiting to go"
        assert state(database, "invitation:gone", can_send(settings)) == NOT_SET_UP
        send_due(database, mailing)
        assert state(database, "invitation:refused") == "refused: 550 refused by the relay"
        assert state(database, "invitation:refused", can=False) == "refused: 550 refused by the relay"
        assert state(database, "invitation:later") == "waiting to go: 450 not now, says the relay"
        assert state(database, "invitation:gone") == "handed over just now"
        for passed, words in (
            (timedelta(minutes=3, seconds=20), "handed over 3 min ago"),
            (timedelta(hours=2), "handed over 2 h ago"),
            (timedelta(days=4), "handed over 4 days ago"),
        ):
            clock.move_to(START + passed)
            assert state(database, "invitation:gone") == words
    assert state(database, "invitation:nobody") is None


def test_the_newest_mail_of_a_cause_counts(database: Database, mailing: Settings, relay: Relay, queue: Queue) -> None:
    relay.answers_to_recipients = ["550 no"]
    queue(cause="invitation:7:1")
    send_due(database, mailing)
    queue(cause="invitation:7:2")

    assert state(database, "invitation:7") == "waiting to go"
    assert state(database, "invitation:7:1") == "refused: 550 refused by the relay"


@pytest.mark.parametrize("other", ["invitation:70:1", "invitation:_:1", "xinvitation:7:1"])
def test_no_other_cause_is_taken_for_it(other: str, database: Database, queue: Queue) -> None:
    queue(cause=other)

    assert state(database, "invitation:7") is None
    assert state(database, "invitation:%") is None


def test_a_page_sees_the_mails_of_its_organization_alone(database: Database, cast: Cast, queue: Queue) -> None:
    queue(cause="invitation:7:1")
    with writing_session(database, cast.quayside.id) as session:
        queue_mail(session, "test_link", "max@example.com", cause="invitation:8:1", words={})
        session.commit()
    both = ["invitation:7", "invitation:8"]

    with reading_session(database, cast.quayside.id) as session:
        assert mail_states(session, both, can_send=True) == {"invitation:8": "waiting to go"}
    with reading_session(database, cast.harbour.id) as session:
        assert mail_states(session, both, can_send=True) == {}
    with reading_session(database) as session:
        assert mail_states(session, both, can_send=True) == {"invitation:7": "waiting to go"}
        assert mail_states(session, [], can_send=True) == {}


def test_mail_is_set_up_when_both_settings_are_there(settings: Settings, mailing: Settings) -> None:
    assert (can_send(settings), can_send(mailing)) == (False, True)
