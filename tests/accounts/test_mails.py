"""The mails about an account: each renders from the words that it is queued with, in text and HTML."""

import re

import pytest
from flask import Flask

from config import Settings
from tests.accounts.authenticator import mails, set_up_app, token_in, words_of
from tests.cast import Cast
from tests.client import PageCheckingClient
from webapp.database.engine import Database

TEMPLATES = ("reset_password", "confirm_address", "password_changed", "address_changed", "second_factor_changed")
NOTICE = {
    "happened": "Password changed",
    "at": "15 July 2026, 12:00 UTC",
    "browser": "Opera",
    "account": "o@example.com",
}


@pytest.mark.parametrize("template", [*TEMPLATES, "recovery_code_used", "new_network"])
def test_a_mail_has_a_subject_a_text_and_a_page(app: Flask, template: str) -> None:
    words = {
        **NOTICE,
        "place": "IPv4 network 203.0.113.7",
        "minutes": 60,
        "token": "the-token",
        "base_url": "https://calls.example.com",
    }
    with app.app_context():
        subject, text, page = (
            app.jinja_env.get_template(f"emails/{template}.{ending}").render(**words)
            for ending in ("subject.txt", "txt", "html")
        )
    assert 10 < len(subject.strip()) < 78
    assert "\n" not in subject.strip()
    for body in (text, page):
        assert "https://calls.example.com/" in body
        assert "{{" not in body
    assert not re.findall(r"<img|<script|src=", page)
    if template in TEMPLATES[:2]:
        assert "https://calls.example.com/account-link/the-token" in text
        assert 'href="https://calls.example.com/account-link/the-token"' in page
    else:
        assert "the-token" not in text + page


def test_what_is_queued_is_what_the_template_needs(
    client: PageCheckingClient, cast: Cast, database: Database, settings: Settings
) -> None:
    client.sign_in(cast.olive)
    set_up_app(client)
    client.send("/account/addresses", {"email": "olive@home.example"})
    [notice] = mails(database, "second_factor_changed")
    assert set(words_of(notice)) == set(NOTICE)
    assert notice.secret is None
    [link] = mails(database, "confirm_address")
    assert words_of(link) == {"minutes": 60}
    assert len(token_in(link, settings)) == 43
    assert token_in(link, settings) not in link.cause
