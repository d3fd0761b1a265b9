"""What the tests of the console share: browsers in which staff are signed in, and what chains and mails say."""

from collections.abc import Callable

import pytest
from flask import Flask

from tests.accounts.authenticator import clock
from tests.cast import Cast
from tests.client import PageCheckingClient
from webapp.accounts.models import SessionState, UserAccount, WebSession
from webapp.accounts.session_cookie import _signer
from webapp.accounts.web_sessions import digest_of
from webapp.clock import now, now_ms
from webapp.database.engine import Database
from webapp.database.ids import new_id, spell_id
from webapp.tenancy.sessions import writing_session

__all__ = ["clock"]


@pytest.fixture
def staff_client(app: Flask, database: Database, cast: Cast) -> PageCheckingClient:
    """A browser in which Stella is signed in, with a factor shown just now."""
    return enter_console(app, database, cast.stella)


@pytest.fixture
def steven_client(app: Flask, database: Database, cast: Cast) -> PageCheckingClient:
    """Another one, of Steven."""
    return enter_console(app, database, cast.steven)


@pytest.fixture
def enter(app: Flask, database: Database) -> Callable[[UserAccount], PageCheckingClient]:
    """A new browser of a member of staff, for tests that move the clock: sessions run out."""
    return lambda person: enter_console(app, database, person)


def enter_console(app: Flask, database: Database, person: UserAccount) -> PageCheckingClient:
    """A browser in which a member of staff is signed in, as their sign-in would leave it."""
    own_id = spell_id(new_id())
    with writing_session(database) as session:
        session.add(
            WebSession(
                id_digest=digest_of(own_id),
                id=new_id(),
                user_account_id=person.id,
                state=SessionState.SIGNED_IN,
                created_at=now(),
                last_seen_at=now(),
                proved_at=now(),
                idle_minutes=15,
                network="192.0.2.7",
                browser="Firefox on Linux",
                payload="{}",
                renewal_due=False,
                factor_ms=now_ms(),
                is_staff=True,
            )
        )
        session.commit()
    client = app.test_client()
    assert isinstance(client, PageCheckingClient)
    client.set_cookie("sid", _signer(app).sign(own_id).decode("ascii"))
    return client
