"""A stranger at the door: what they see without a cookie, and that they leave without one."""

import pytest
from sqlalchemy import select

from tests.cast import Cast
from tests.client import PageCheckingClient
from webapp.accounts.models import WebSession
from webapp.database.engine import Database
from webapp.tenancy.sessions import reading_session

PUBLIC = ("/", "/privacy", "/security")


@pytest.mark.parametrize("path", PUBLIC)
def test_it_is_a_page_that_sets_no_cookie(client: PageCheckingClient, path: str) -> None:
    page = client.get(path)
    assert page.status_code == 200
    assert "Set-Cookie" not in page.headers
    assert "<form" not in page.text


def test_the_first_page_says_how_one_gets_in_and_whom_to_ask(client: PageCheckingClient) -> None:
    page = client.get("/").text
    assert "By invitation only." in page
    assert "Ask whoever looks after the telephones" in page
    for path in ("/sign-in", "/privacy", "/security"):
        assert f'href="{path}"' in page


def test_security_8_a_thousand_visits_leave_no_row(client: PageCheckingClient, database: Database) -> None:
    for _visit in range(40):
        for path in (*PUBLIC, "/sign-in", "/invitations/nonsense", "/invitation"):
            client.get(path)
    with reading_session(database) as session:
        assert session.scalars(select(WebSession)).all() == []


def test_policies_are_linked_where_one_comes_in(client: PageCheckingClient, cast: Cast) -> None:
    for path in ("/sign-in", "/no-such-page", "/invitations/nonsense"):
        page = client.get(path).text
        assert 'href="/privacy"' in page and 'href="/security"' in page, path
    client.sign_in(cast.vera)
    assert 'href="/privacy"' in client.get("/o/harbour/").text


def test_a_person_reads_the_policies_too(client: PageCheckingClient, cast: Cast) -> None:
    client.sign_in(cast.vera)
    assert client.get("/privacy").status_code == 200
    assert client.get("/").location == "/o/harbour/"


def test_nothing_of_a_company_is_told(client: PageCheckingClient, cast: Cast) -> None:
    for path in PUBLIC:
        assert "Harbour" not in client.get(path).text


NEXTS = (
    "//evil.example",
    "https://evil.example",
    "http:evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/%5cevil.example",
    "/%2fevil.example",
    "/%252fevil.example",
    "/%255cevil.example",
    "javascript:alert(1)",
    "/\tevil",
    "/a//b",
    "/..//evil.example",
    "evil.example",
    " /o/harbour/",
    "",
)


@pytest.mark.parametrize("address", NEXTS)
def test_security_40_after_signing_in_to_join_nobody_is_led_elsewhere(
    client: PageCheckingClient, cast: Cast, address: str
) -> None:
    client.sign_in(cast.olive)
    assert client.get("/sign-in", query_string={"next": address}).location == "/"
