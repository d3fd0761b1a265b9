"""Signs staff in as their sign-in would leave it: a row and its cookie, with a second factor that was shown just now.

Used by conftest.py, the browser tests and the bench.
"""

import secrets

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update

from webapp.accounts.models import SessionState, UserAccount, WebSession
from webapp.accounts.session_cookie import _signer
from webapp.accounts.web_sessions import digest_of
from webapp.clock import now, now_ms
from webapp.database.engine import Database
from webapp.database.ids import new_id
from webapp.tenancy.sessions import writing_session


def sign_in_as_staff(app: Flask, client: FlaskClient, database: Database, person: UserAccount) -> int:
    """By the row and the cookie that signing in would leave; gives the id of the row."""
    session_id, moment = secrets.token_urlsafe(32), now()
    row = WebSession(
        id_digest=digest_of(session_id),
        id=new_id(),
        user_account_id=person.id,
        state=SessionState.SIGNED_IN,
        created_at=moment,
        last_seen_at=moment,
        proved_at=moment,
        idle_minutes=15,
        network="127.0.0.1",
        browser="A browser of the tests",
        payload="{}",
        renewal_due=False,
        factor_ms=now_ms(),
        is_staff=True,
    )
    with writing_session(database) as session:
        session.add(row)
        # Without a factor every page sends them to set one up. Nobody reads a code from this one.
        without = (UserAccount.id == person.id) & UserAccount.totp_secret.is_(None)
        session.execute(update(UserAccount).where(without).values(totp_secret=b"of the tests"))
        session.commit()
    cookie = _signer(app).sign(session_id).decode("ascii")
    client.set_cookie(app.config["SESSION_COOKIE_NAME"], cookie, domain="localhost", httponly=True, samesite="Lax")
    return row.id
