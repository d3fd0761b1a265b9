"""flask list-mail, flask retry-mail, and the line of flask check."""

import json
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from click.testing import Result
from flask import Flask

from config import Settings, SettingsError, load_settings
from tests.cast import Cast
from tests.outbox.conftest import TOKEN, Queue, Relay, read
from webapp import clock
from webapp.checkup import check_everything
from webapp.database.engine import Database
from webapp.database.ids import new_id, spell_id
from webapp.jobs.models import LiveWorker
from webapp.outbox.actions import queue_mail
from webapp.outbox.models import MailState
from webapp.outbox.sender import send_due
from webapp.tenancy.sessions import writing_session


def run(app: Flask, *words: str) -> Result:
    return app.test_cli_runner().invoke(args=list(words))


def of_harbour(database: Database, cast: Cast) -> int:
    with writing_session(database, cast.harbour.id) as session:
        message = queue_mail(session, "test_link", "harbour@example.com", cause="h", words={"name": "H"})
        session.commit()
    return message.id


def test_list_mail_shows_every_mail_and_no_secret(
    app: Flask, database: Database, mailing: Settings, relay: Relay, queue: Queue
) -> None:
    relay.answers_to_recipients = ["550 no such person", "451 later"]
    refused, put_off, gone = (queue(f"{name}@example.com") for name in ("a", "b", "c"))
    send_due(database, mailing)
    waiting = queue("d@example.com")
    done = run(app, "list-mail")

    assert done.exit_code == 0
    lines = {line.split()[0]: line for line in done.output.splitlines()}
    assert lines[spell_id(refused)].endswith(": refused: 550 refused by the relay")
    assert lines[spell_id(put_off)].endswith(": waiting: 451 not now, says the relay")
    assert lines[spell_id(gone)].endswith(": handed over")
    assert lines[spell_id(waiting)].endswith("test_link for d@example.com, queued just now: waiting")
    assert (
        "In all, 2 mails wait to go, 1 was refused (flask list-mail --dead). This service has no mail set up"
        in done.output
    )
    assert TOKEN not in done.output
    assert "Olive" not in done.output, "nothing of its words"


def test_list_mail_as_json_is_an_object_a_line(app: Flask, queue: Queue) -> None:
    mail_id = queue()
    [line] = run(app, "list-mail", "--json").output.splitlines()

    shown = json.loads(line)
    assert shown.pop("queued_at") == shown.pop("due_at")
    assert shown == {
        "id": spell_id(mail_id),
        "template": "test_link",
        "to": "olive@example.com",
        "state": "waiting",
        "attempts": 0,
        "error": None,
        "ended_at": None,
    }


def test_list_mail_of_one_organization(app: Flask, database: Database, cast: Cast, queue: Queue) -> None:
    queue()
    mail_id = of_harbour(database, cast)

    listed = run(app, "list-mail", "--json", "--organization", "harbour").output.splitlines()
    assert [json.loads(line)["id"] for line in listed] == [spell_id(mail_id)]
    assert run(app, "list-mail", "--json", "--organization", "quayside").output == ""
    missing = run(app, "list-mail", "--organization", "nowhere")
    assert (missing.exit_code, "no organization nowhere" in missing.output) == (1, True)


def test_list_mail_of_the_dead_alone(
    app: Flask, database: Database, mailing: Settings, relay: Relay, queue: Queue
) -> None:
    relay.answers_to_recipients = ["550 no"]
    refused = queue("a@example.com")
    send_due(database, mailing)
    queue("b@example.com")

    [line] = run(app, "list-mail", "--dead", "--json").output.splitlines()
    assert json.loads(line)["id"] == spell_id(refused)


def test_retry_mail_sends_what_was_refused(
    app: Flask, database: Database, mailing: Settings, relay: Relay, queue: Queue
) -> None:
    relay.answers_to_recipients = ["550 no"]
    mail_id = queue()
    send_due(database, mailing)
    done = run(app, "retry-mail", spell_id(mail_id))

    assert done.exit_code == 0, done.output
    row = read(database, mail_id)
    assert (row.state, row.attempts, row.error, row.ended_at) == (MailState.WAITING, 0, None, None)
    send_due(database, mailing)
    assert read(database, mail_id).state == MailState.HANDED_OVER
    assert len(relay.mails) == 1


def test_retry_mail_sends_at_once_what_was_put_off(
    app: Flask, database: Database, mailing: Settings, relay: Relay, queue: Queue
) -> None:
    relay.answers_to_recipients = ["450 later"]
    mail_id = queue()
    send_due(database, mailing)
    assert run(app, "retry-mail", spell_id(mail_id)).exit_code == 0
    send_due(database, mailing)

    assert read(database, mail_id).state == MailState.HANDED_OVER


def test_retry_mail_refuses_what_makes_no_sense(
    app: Flask, database: Database, mailing: Settings, relay: Relay, queue: Queue
) -> None:
    gone = queue()
    send_due(database, mailing)
    with time_machine.travel(datetime.now(UTC) - timedelta(days=7)):
        old = queue("old@example.com")
    for argument, words in (
        (spell_id(gone), "not sent twice"),
        (spell_id(old), "older than 7 days"),
        (spell_id(new_id()), "There is no such mail"),
        ("???", "is no id of a mail"),
    ):
        done = run(app, "retry-mail", argument)
        assert (done.exit_code, words in done.output) == (1, True), done.output
    assert len(relay.mails) == 1


# -------------------------------------------------------------------------------------------------------- flask check


def check_mail(settings: Settings, database: Database, **environ: str) -> tuple[bool, str]:
    assert settings.number_key
    with writing_session(database) as session:
        session.merge(LiveWorker(name="here", seen_at=clock.now()))
        session.commit()
    found = check_everything(
        {
            "DATA_DIR": str(settings.data_dir),
            "SECRET_KEY": settings.secret_key,
            "NUMBER_KEY": settings.number_key.hex(),
            "DATABASE_URL": settings.database_url,
            "DATABASE_OWNER_URL": settings.database_owner_url or "",
            **environ,
        }
    )
    [mail] = [finding for finding in found if finding.subject == "mail"]
    return mail.ok, mail.words


def test_check_without_a_relay_is_right_until_mail_waits(settings: Settings, database: Database, queue: Queue) -> None:
    assert check_mail(settings, database) == (
        True,
        "no relay is set, so none goes. 0 mails wait to go, none was refused. "
        "Set SMTP_URL and MAIL_FROM, and what waits goes.",
    )
    queue()
    ok, words = check_mail(settings, database)
    assert (ok, "1 mail waits to go, none" in words) == (False, True)


def test_check_with_a_relay_counts(
    settings: Settings, database: Database, mailing: Settings, relay: Relay, queue: Queue
) -> None:
    relay.answers_to_recipients = ["550 no"]
    queue("a@example.com")
    send_due(database, mailing)
    queue("b@example.com")

    ok, words = check_mail(settings, database, SMTP_URL=f"smtp://127.0.0.1:{relay.port}", MAIL_FROM="calls@example.com")
    assert ok
    assert "127.0.0.1 answers" in words
    assert "1 mail waits to go, 1 was refused (flask list-mail --dead)." in words


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("smtp://user:secret@mail.example.com", "readable"),
        ("smtp://mail.example.com:99999", "no mail relay"),
        ("http://mail.example.com", "no mail relay"),
        ("smtps://", "no mail relay"),
    ],
)
def test_a_wrong_relay_is_refused_at_start_and_its_password_is_not_told(url: str, words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings({"SECRET_KEY": "for this test alone: 0123456789 abcdefghij", "SMTP_URL": url})

    assert words in caught.value.problems["SMTP_URL"]
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["smtp://mail.example.com", "smtp://user:pw@127.0.0.1:25", "smtps://user:pw@mail.example.com"]
)
def test_a_right_relay(url: str) -> None:
    assert load_settings({"SECRET_KEY": "for this test alone: 0123456789 abcdefghij", "SMTP_URL": url}).smtp_url == url
