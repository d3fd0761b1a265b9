"""What the tests of accounts share: an authenticator app, the mails that wait, and the worker that does what is due."""

import json
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pyotp
import pytest
import time_machine
from sqlalchemy import select

from config import Settings
from tests.cast import PASSWORD
from tests.client import PageCheckingClient
from webapp.accounts.models import AccountEvent, UserAccount
from webapp.clock import now_ms
from webapp.database.engine import Database
from webapp.jobs.worker import Worker
from webapp.outbox.models import OutboxMessage
from webapp.sealing import unseal
from webapp.tenancy.sessions import reading_session

SET_UP = "/security-settings/second-factor"


def code_of(secret: str, steps: int = 0) -> str:
    """What the app shows now, or so many times 30 seconds from now."""
    return pyotp.TOTP(secret).at(now_ms() // 1000 + 30 * steps)


def set_up_app(client: PageCheckingClient) -> tuple[str, list[str]]:
    """Through the pages, by whoever is signed in: the secret, and the recovery codes."""
    assert client.send(f"{SET_UP}/begin").status_code == 303
    page = client.get(SET_UP)
    secret = re.sub(r"\s", "", re.findall(r'<code class="key">([^<]+)</code>', page.text)[0])
    done = client.send(SET_UP, {"code": code_of(secret)})
    assert done.status_code == 200, done.text
    return secret, re.findall(r"<li><code>([^<]+)</code>", done.text)


def give_password(client: PageCheckingClient, person: UserAccount, password: str = PASSWORD) -> str:
    """The first step of signing in; gives where it leads."""
    client.get("/sign-in")
    answer = client.send("/sign-in", {"email": person.email, "password": password})
    assert answer.status_code == 303, answer.text
    client.get(answer.location)
    return str(answer.location)


def mails(database: Database, template: str = "") -> list[OutboxMessage]:
    with reading_session(database) as session:
        every = list(session.scalars(select(OutboxMessage).order_by(OutboxMessage.id)))
    return [mail for mail in every if template in ("", mail.template)]


def token_in(mail: OutboxMessage, settings: Settings) -> str:
    assert mail.secret is not None
    return unseal(settings.secret_key, mail.secret).decode()


def words_of(mail: OutboxMessage) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(mail.words)
    return found


def events(database: Database, person: UserAccount) -> list[str]:
    """Their kinds, the oldest first."""
    mine = select(AccountEvent.kind).where(AccountEvent.user_account_id == person.id).order_by(AccountEvent.id)
    with reading_session(database) as session:
        return list(session.scalars(mine))


def stored(database: Database, person: UserAccount) -> UserAccount:
    with reading_session(database) as session:
        return session.get_one(UserAccount, person.id)


def work(database: Database, settings: Settings) -> None:
    """Do the jobs that are due."""
    Worker(database, settings).run_due()


def dump(database: Database) -> str:
    """Every text and byte that accounts keep, as one string, to look for what may not be there."""
    tables = ("user_account", "user_email", "recovery_code", "account_link", "account_event", "web_session")
    with database.reading.connect() as connection:
        rows = [
            row
            for table in (*tables, "outbox_message", "job", "throttle")
            for row in connection.exec_driver_sql(f"SELECT * FROM {table}")
        ]
    return "\n".join(
        value.decode("latin-1") if isinstance(value, bytes) else str(value) for row in rows for value in row
    )


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    """Stands still until it is moved."""
    with time_machine.travel(datetime.fromisoformat("2026-07-15T12:00:00+00:00"), tick=False) as traveller:
        yield traveller
