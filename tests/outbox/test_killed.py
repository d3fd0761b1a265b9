"""kill -9 between the relay's answer and the commit: nothing is lost, and what comes twice can be recognised."""

import json
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from config import Settings
from tests.outbox.conftest import Queue, Relay, read
from webapp.database.engine import Database
from webapp.outbox import rendering
from webapp.outbox.models import MailState

KILLED = -9
KILLS = 20
MAILS = 60


class Senders:
    """Sends in child processes, one after the other."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(self, die_at: int = 0) -> int:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(f"{json.dumps({'die_at': die_at})}\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


@pytest.fixture
def senders(mailing: Settings) -> Iterator[Senders]:
    script = Path(__file__).with_name("sender_process.py")
    arguments = (mailing.database_url, str(mailing.smtp_url), mailing.secret_key, str(rendering.TEMPLATES))
    process = subprocess.Popen(
        [sys.executable, str(script), *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    yield Senders(process)
    assert process.stdin and process.stdout
    process.stdin.close()
    process.wait(timeout=60)
    process.stdout.close()


def test_after_20_kills_every_mail_has_arrived_and_at_most_20_came_twice(
    database: Database, relay: Relay, queue: Queue, senders: Senders
) -> None:
    ids = [queue(f"{number}@example.com") for number in range(MAILS)]
    chosen = random.Random(1)
    for _kill in range(KILLS):
        assert senders.run(die_at=chosen.randint(1, 3)) == KILLED
    assert senders.run() == 0

    arrived = [str(mail["Message-ID"]) for mail in relay.mails]
    rows = [read(database, mail_id) for mail_id in ids]
    assert set(arrived) == {row.message_id for row in rows}
    assert len(arrived) == MAILS + KILLS
    assert {(row.state, row.secret) for row in rows} == {(MailState.HANDED_OVER, None)}
    # A repeat is the same mail, byte for byte, but for the boundary between its parts.
    first = {str(mail["Message-ID"]): mail for mail in reversed(relay.mails)}
    for mail in relay.mails:
        same = first[str(mail["Message-ID"])]
        assert (mail["To"], mail["Date"], mail["Subject"]) == (same["To"], same["Date"], same["Subject"])
