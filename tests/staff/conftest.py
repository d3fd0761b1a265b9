"""Browsers in which staff are signed in, with a second factor shown just now."""

import hashlib
import secrets
from collections.abc import Callable

import pytest
from flask import Flask
from itsdangerous import Signer

from tests.cast import Cast
from tests.client import PageCheckingClient
from webapp.accounts.models import SessionState, UserAccount, WebSession
from webapp.clock import now, now_ms
from webapp.database.engine import Database
from webapp.database.ids import new_id
from webapp.tenancy.sessions import writing_session

SignIn = Callable[[UserAccount], PageCheckingClient]


@pytest.fixture
def sign_in_staff(app: Flask, database: Database) -> SignIn:
    """As the sign-in of staff leaves it: a row of web_session, and the cookie that names it."""

    def sign_in(person: UserAccount) -> PageCheckingClient:
        session_id = secrets.token_urlsafe(32)
        row = WebSession(
            id_digest=hashlib.sha256(session_id.encode()).digest(),
            id=new_id(),
            user_account_id=person.id,
            state=SessionState.SIGNED_IN,
            created_at=now(),
            last_seen_at=now(),
            proved_at=now(),
            idle_minutes=30,
            network="127.0.0.1",
            browser="Firefox on Linux",
            payload="{}",
            renewal_due=False,
            factor_ms=now_ms(),
            is_staff=True,
        )
        with writing_session(database) as session:
            session.add(row)
            session.commit()
        signer = Signer(
            app.config["SECRET_KEY"], salt="callbook.session", key_derivation="hmac", digest_method=hashlib.sha256
        )
        client = app.test_client()
        assert isinstance(client, PageCheckingClient)
        client.set_cookie(app.config["SESSION_COOKIE_NAME"], signer.sign(session_id).decode())
        return client

    return sign_in


@pytest.fixture
def staff_client(sign_in_staff: SignIn, cast: Cast) -> PageCheckingClient:
    """Stella's."""
    return sign_in_staff(cast.stella)
