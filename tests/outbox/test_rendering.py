"""From a row to a mail: both parts, escaping, headers that nobody forges, links of BASE_URL alone."""

from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default

import pytest
import time_machine

from config import Settings
from tests.mailbox import Mailbox, html_of, text_of
from tests.outbox.conftest import TOKEN, Queue, read
from webapp.database.engine import Database
from webapp.outbox.rendering import Unwritable, render_mail, sender_address


def test_a_mail_has_a_text_and_the_same_as_html(mailbox: Mailbox, queue: Queue) -> None:
    queue(words={"name": "Olive & Söhne <b>"})
    mail = mailbox.newest()

    assert mail.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]
    assert mail["Subject"] == "A link for Olive & Söhne <b>"
    assert "Hello Olive & Söhne <b>," in text_of(mail)
    assert "Olive &amp; Söhne &lt;b&gt;" in html_of(mail)
    assert "<b>" not in html_of(mail)
    assert mailbox.link() == f"http://localhost:8080/open/{TOKEN}"
    assert html_of(mail).count(f'"http://localhost:8080/open/{TOKEN}"') == 2


def test_the_headers(mailbox: Mailbox, queue: Queue, database: Database, settings: Settings) -> None:
    with time_machine.travel(datetime(2026, 5, 4, 9, 30, tzinfo=UTC), tick=False):
        row = read(database, queue())
    mail = render_mail(replace(settings, mail_from="calls@example.com"), row)

    assert str(mail["From"]) == "Callbook <calls@example.com>"
    assert mail["To"] == "olive@example.com"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Message-ID"] == row.message_id
    assert mail["Message-ID"].endswith("@callbook>")
    assert mail["Date"] == "Mon, 04 May 2026 09:30:00 +0000"


def test_the_same_row_is_the_same_mail(mailbox: Mailbox, queue: Queue) -> None:
    queue()
    with time_machine.travel(datetime(2030, 1, 1, tzinfo=UTC)):
        later = mailbox.newest()
    first = mailbox.newest()

    assert {name: first[name] for name in ("Message-ID", "Date", "Subject")} == {
        name: later[name] for name in ("Message-ID", "Date", "Subject")
    }
    assert text_of(first) == text_of(later)


def test_it_survives_the_way_over_the_wire(mailbox: Mailbox, queue: Queue) -> None:
    queue(words={"name": "Ærøskøbing " + "long " * 300})
    sent = mailbox.newest()
    arrived = message_from_bytes(sent.as_bytes(), policy=default)

    assert all(len(line) <= 998 for line in sent.as_bytes().splitlines())
    assert arrived["Subject"] == sent["Subject"]
    assert text_of(arrived).split() == text_of(sent).split()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("setting", "shown", "bare"),
    [
        ("calls@example.com", "Callbook <calls@example.com>", "calls@example.com"),
        ("Harbour calls <calls@example.com>", "Harbour calls <calls@example.com>", "calls@example.com"),
    ],
)
def test_mail_from_may_have_a_name(
    setting: str, shown: str, bare: str, settings: Settings, database: Database, queue: Queue
) -> None:
    settings = replace(settings, mail_from=setting)

    assert str(render_mail(settings, read(database, queue()))["From"]) == shown
    assert sender_address(settings) == bare


@pytest.mark.parametrize(
    "changes",
    [
        {"words": {"name": "Olive\r\nBcc: all@example.com"}},
        {"words": {"name": "Olive\nBcc: all@example.com"}},
        {"words": {"name": "Olive\rBcc: all@example.com"}},
        {"to": "olive@example.com\r\nBcc: all@example.com"},
        {"to": "olive@example.com, all@example.com"},
        {"to": "olive@example.com\n"},
        {"to": "Olive <olive@example.com>"},
        {"to": "ölive@example.com, all@example.com"},
        {"to": "olive@example.com\x1b[2J"},
        {"to": "@example.com"},
        {"to": "example.com"},
        {"message_id": "<a@callbook>\r\nBcc: all@example.com"},
    ],
)
def test_security_51_no_header_is_forged(
    changes: dict[str, object], settings: Settings, database: Database, queue: Queue
) -> None:
    row = read(database, queue(**changes))
    with pytest.raises(Unwritable) as caught:
        render_mail(settings, row)

    assert "example.com" not in str(caught.value)


def test_a_sender_with_a_line_end_is_refused(settings: Settings, database: Database, queue: Queue) -> None:
    row = read(database, queue())
    with pytest.raises(Unwritable):
        render_mail(replace(settings, mail_from="calls@example.com\nBcc: all@example.com"), row)


@pytest.mark.parametrize(
    "changes",
    [
        {"words": {}},
        {"template": "no_such"},
        {"template": "../test_link"},
        {"template": "_layout"},
        {"secret": b"not sealed"},
    ],
)
def test_what_cannot_be_written(
    changes: dict[str, object], settings: Settings, database: Database, queue: Queue
) -> None:
    row = read(database, queue(**changes))
    with pytest.raises(Unwritable):
        render_mail(settings, row)


def test_a_secret_of_another_key_opens_nothing(settings: Settings, database: Database, queue: Queue) -> None:
    row = read(database, queue())
    with pytest.raises(Unwritable, match="another SECRET_KEY"):
        render_mail(replace(settings, secret_key="another key of the tests, also long"), row)


def test_security_41_words_cannot_change_where_links_lead(mailbox: Mailbox, queue: Queue) -> None:
    queue(words={"name": "Olive", "base_url": "https://evil.example", "token": "guessed"})

    assert mailbox.link() == f"http://localhost:8080/open/{TOKEN}"
    assert "evil.example" not in mailbox.newest().as_string()
