"""The packages that Callbook is built on each do real work here: named, and seen at it."""

import re
from pathlib import Path

import flask_login
import pytest
import sqlalchemy
from flask import Flask, render_template_string
from flask_login import LoginManager
from flask_wtf import FlaskForm
from itsdangerous import BadSignature, Signer
from jinja2 import StrictUndefined, UndefinedError
from waitress.channel import HTTPChannel
from werkzeug.routing import BaseConverter
from wtforms import Form

from config import Settings
from scripts.write_sbom import read_pins
from tests.cast import Cast
from tests.client import PageCheckingClient
from webapp import serving
from webapp.accounts import forms, session_cookie
from webapp.body_limits import LingeringChannel
from webapp.database.engine import Database
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.sessions import reading_session

ROOT = Path(__file__).resolve().parents[2]

#: Distribution -> the module that our code imports of it.
MODULES = {
    "flask": "flask",
    "werkzeug": "werkzeug",
    "flask-login": "flask_login",
    "flask-wtf": "flask_wtf",
    "wtforms": "wtforms",
    "htmx-flask": "htmx_flask",
    "sqlalchemy": "sqlalchemy",
    "jinja2": "jinja2",
    "itsdangerous": "itsdangerous",
    "waitress": "waitress",
    "argon2-cffi": "argon2",
    "cryptography": "cryptography",
    "webauthn": "webauthn",
    "pyotp": "pyotp",
    "segno": "segno",
    "zxcvbn": "zxcvbn",
    "phonenumbers": "phonenumbers",
    "email-validator": "email_validator",
    "markdown-it-py": "markdown_it",
    "nh3": "nh3",
    "psycopg": "psycopg",
}
#: Data that Python's zoneinfo finds by itself.
NOT_IMPORTED = {"tzdata"}


def test_every_package_that_is_asked_for_is_used() -> None:
    asked = re.findall(r"^([\w-]+)", (ROOT / "requirements.in").read_text("utf-8"), re.MULTILINE)
    source = "\n".join(path.read_text("utf-8") for path in (ROOT / "webapp").rglob("*.py"))

    assert set(asked) == set(MODULES) | NOT_IMPORTED
    for module in MODULES.values():
        assert re.search(rf"^(?:from|import) {module}\b", source, re.MULTILINE), f"{module} is not imported"
    assert set(asked) <= set(read_pins((ROOT / "requirements.txt").read_text("utf-8")))


def test_flask_serves_the_pages_and_werkzeug_reads_addresses(app: Flask) -> None:
    assert isinstance(app, Flask)
    assert all(issubclass(app.url_map.converters[name], BaseConverter) for name in ("id", "slug"))


def test_flask_login_knows_who_is_there_and_sets_no_cookie_of_its_own(
    app: Flask, client: PageCheckingClient, cast: Cast
) -> None:
    assert isinstance(app.login_manager, LoginManager)  # type: ignore[attr-defined]
    assert app.login_manager.session_protection is None  # type: ignore[attr-defined]
    client.sign_in(cast.olive)
    with client:
        client.get("/")
        assert flask_login.current_user.id == cast.olive.id
    assert client.get_cookie("remember_token") is None


def test_flask_wtf_refuses_a_form_without_its_token(client: PageCheckingClient, cast: Cast) -> None:
    client.get("/sign-in")
    answer = client.post("/sign-in", data={"email": cast.olive.email, "password": "x"})

    assert answer.status_code == 400
    assert any(
        issubclass(kind, FlaskForm) and issubclass(kind, Form)
        for kind in vars(forms).values()
        if isinstance(kind, type)
    )


def test_htmx_flask_reads_who_asks(client: PageCheckingClient, cast: Cast) -> None:
    """Signed out, a page is answered by a redirect, and a part by a header that htmx follows."""
    page = client.get("/o/harbour/calls")
    part = client.get("/o/harbour/calls", headers={"HX-Request": "true", "HX-Request-Type": "partial"})

    assert page.status_code in (302, 303)
    assert (part.status_code, "HX-Redirect" in part.headers) == (401, True)


def test_sqlalchemy_carries_the_lock(database: Database, cast: Cast) -> None:
    with reading_session(database, cast.harbour.id) as session:
        assert isinstance(session, LockedSession)
        assert isinstance(session, sqlalchemy.orm.Session)


def test_jinja_escapes_and_is_strict(app: Flask) -> None:
    assert app.jinja_env.undefined is StrictUndefined
    with app.test_request_context("/"):
        assert render_template_string("{{ name }}", name="<b>") == "&lt;b&gt;"
        with pytest.raises(UndefinedError):
            render_template_string("{{ nobody_set_this }}")


def test_itsdangerous_signs_the_cookie(app: Flask, client: PageCheckingClient, settings: Settings) -> None:
    client.get("/sign-in")
    cookie = client.get_cookie("sid")
    assert cookie is not None
    signer = session_cookie._signer(app)
    assert isinstance(signer, Signer)

    assert signer.unsign(cookie.value)
    with pytest.raises(BadSignature):
        Signer("another key of at least 32 characters", salt=signer.salt).unsign(cookie.value)


def test_waitress_serves(app: Flask, settings: Settings) -> None:
    server = serving.Server(app, settings, port=0)
    try:
        assert server.port > 0
        assert issubclass(LingeringChannel, HTTPChannel)
    finally:
        server.close()
