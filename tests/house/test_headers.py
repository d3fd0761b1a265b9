"""The headers of every answer of every address, signed in and not, pages, parts, redirects and errors."""

from pathlib import Path

import pytest
from flask import Flask

from config import Settings
from tests.cast import Cast
from tests.client import PART, PageCheckingClient
from tests.every_address import addresses, ids_of
from tests.make import Make
from webapp import create_app, headers
from webapp.database.engine import Database

ROOT = Path(__file__).resolve().parents[2]
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; font-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
EXPECTED = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "X-Frame-Options": "DENY",
}


@pytest.mark.parametrize("who", ["nobody", "viewer", "owner", "outsider"])
@pytest.mark.parametrize("form", [{}, PART])
def test_security_35_37_38_every_answer_has_them(
    app: Flask, client: PageCheckingClient, cast: Cast, make: Make, who: str, form: dict[str, str]
) -> None:
    app.config["PROPAGATE_EXCEPTIONS"] = False
    person = {"viewer": cast.vera, "owner": cast.olive, "outsider": cast.quentin}.get(who)
    if person is not None:
        client.sign_in(person)
    seen = set()
    for address in addresses(app, "harbour", ids_of(make)):
        answer = client.open(address.path, method=address.method, headers=form)
        seen.add(answer.status_code)
        assert answer.status_code != 500, address
        for name, value in EXPECTED.items():
            assert answer.headers.getlist(name) == [value], (address, name)
        assert "Server" not in answer.headers, address
        assert "X-Powered-By" not in answer.headers, address
        if address.endpoint != "static":
            assert answer.headers["Cache-Control"] == "no-store", address
            assert {"HX-Request", "HX-Request-Type", "Cookie"} <= set(answer.headers["Vary"].split(", ")), address
    assert 200 in seen


@pytest.mark.parametrize("path", ["/no-such-page", "/static/no-such-file", "/o/harbour", "/%00", "/o/harbour/%ff"])
def test_security_35_errors_and_redirects_have_them(client: PageCheckingClient, path: str) -> None:
    answer = client.get(path)
    for name, value in EXPECTED.items():
        assert answer.headers.getlist(name) == [value], name
    assert answer.headers["Cache-Control"] == "no-store"


def test_security_37_over_https_browsers_are_kept_there(
    settings: Settings, database: Database, client: PageCheckingClient
) -> None:
    assert "Strict-Transport-Security" not in client.get("/sign-in").headers
    secure = create_app(Settings(**{**vars(settings), "base_url": "https://localhost"}), database)
    answer = secure.test_client().get("/sign-in")
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"


def test_security_35_nothing_loosens_the_policy() -> None:
    assert headers.CONTENT_SECURITY_POLICY == POLICY
    assert "unsafe" not in POLICY
    assert "data:" not in POLICY


def test_htmx_is_told_to_keep_nothing(client: PageCheckingClient) -> None:
    text = client.get("/sign-in").text
    assert '"includeIndicatorCSS": false' in text
    assert '"history": "reload"' in text
