"""The one cookie: a signed, opaque id that names the browser's session (web_sessions.py). Set up by views.py."""

import hashlib

from flask import Flask, Request, Response, request
from flask.sessions import SessionInterface, SessionMixin
from itsdangerous import BadSignature, Signer

from webapp import access
from webapp.accounts.web_sessions import BrowserSession
from webapp.database.engine import Database

_SALT = "callbook.session"


class BrowserSessions(SessionInterface):
    """Reads and sets the cookie."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def open_session(self, app: Flask, request: Request) -> BrowserSession:
        assert isinstance(app.secret_key, str)
        key = hashlib.sha256(b"callbook.csrf:" + app.secret_key.encode()).digest()
        cookie = request.cookies.get(app.config["SESSION_COOKIE_NAME"], "")
        if not cookie:  # a phone system has none, 300 times a second
            return BrowserSession(self.database, key, None)
        try:
            return BrowserSession(self.database, key, _signer(app).unsign(cookie).decode("ascii"))
        except (BadSignature, UnicodeDecodeError):
            return BrowserSession(self.database, key, None)

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        assert isinstance(session, BrowserSession)
        session.save(polled=_is_polling(app, request.endpoint))
        if session.session_id == session.sent_id:
            return
        name, secure = app.config["SESSION_COOKIE_NAME"], app.config["SESSION_COOKIE_SECURE"]
        if session.session_id is None:
            response.delete_cookie(name, path="/", secure=secure, httponly=True, samesite="Lax")
        else:
            signed = _signer(app).sign(session.session_id).decode("ascii")
            response.set_cookie(name, signed, path="/", secure=secure, httponly=True, samesite="Lax")


def _is_polling(app: Flask, endpoint: str | None) -> bool:
    return endpoint is not None and access.of(app.view_functions[endpoint]).polling


def _signer(app: Flask) -> Signer:
    """Signs with the present key; what an earlier key signed (SECRET_KEY_FALLBACKS) still counts."""
    keys = [*(app.config.get("SECRET_KEY_FALLBACKS") or []), app.secret_key]
    return Signer(keys, salt=_SALT, key_derivation="hmac", digest_method=hashlib.sha256)
