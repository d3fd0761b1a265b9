"""A browser of the operator's staff, signed in with a second factor shown just now."""

from collections.abc import Callable

import pytest
from flask import Flask

from tests.cast import Cast
from tests.client import PageCheckingClient
from webapp.accounts.models import SessionState, UserAccount, WebSession
from webapp.accounts.session_cookie import _signer
from webapp.accounts.web_sessions import digest_of
from webapp.clock import now, to_ms
from webapp.database.engine import Database
from webapp.database.ids import new_id
from webapp.tenancy.sessions import writing_session


class StaffClient(PageCheckingClient):
    """`web_session_id`: the row of its session, to which an opening is bound."""

    web_session_id = 0


StaffSignIn = Callable[[UserAccount], StaffClient]


@pytest.fixture
def sign_in_staff(app: Flask, database: Database) -> StaffSignIn:
    def sign_in(person: UserAccount) -> StaffClient:
        session_id, moment = f"of-{person.email}-{new_id()}", now()
        row = WebSession(
            id_digest=digest_of(session_id),
            id=new_id(),
            user_account_id=person.id,
            state=SessionState.SIGNED_IN,
            created_at=moment,
            last_seen_at=moment,
            proved_at=moment,
            idle_minutes=30,
            network="192.0.2.0/24",
            browser="A browser",
            payload="{}",
            renewal_due=False,
            factor_ms=to_ms(moment),
            is_staff=True,
        )
        with writing_session(database) as session:
            session.add(row)
            session.commit()
        client = StaffClient(app, app.response_class)
        client.set_cookie(app.config["SESSION_COOKIE_NAME"], _signer(app).sign(session_id).decode("ascii"))
        client.web_session_id = row.id
        return client

    return sign_in


@pytest.fixture
def staff_client(sign_in_staff: StaffSignIn, cast: Cast) -> StaffClient:
    """Stella's."""
    return sign_in_staff(cast.stella)
