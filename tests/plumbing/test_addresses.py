"""Which addresses are ours, and how they are spelt."""

import pytest
from flask import Flask, url_for
from werkzeug.exceptions import NotFound

from tests.client import PART, PageCheckingClient
from webapp import access, htmx
from webapp.addresses import own_path, static_version
from webapp.database.ids import new_id, spell_id
from webapp.tenancy.models import Role

ELSEWHERE = [
    "",
    "https://evil.example/",
    "//evil.example/",
    "///evil.example/",
    "////evil.example",
    "/\\evil.example/",
    "\\\\evil.example",
    "\\/evil.example",
    "/\\/evil.example",
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "data:text/html,x",
    "/\t/evil.example",
    "\t//evil.example",
    " //evil.example",
    " https://evil.example",
    "/%2f/evil.example",
    "/%2Fevil.example",
    "/%252f/evil.example",
    "/%5cevil.example",
    "/%255cevil.example",
    "/%09/evil.example",
    "/%0d%0aSet-Cookie:x=1",
    "/\r\nSet-Cookie: x=1",
    "/o/harbour/\x00",
    "/\u00a0/evil.example",
    "/../..//evil.example",
    "/o/%2e%2e/%2e%2e//evil.example",
    "/./x",
    "evil.example",
    "evil.example/o/harbour",
    "@evil.example",
    ".evil.example",
    "?next=//evil.example",
    "#//evil.example",
    "/" + "x" * 2000,
]
OURS = [
    "/",
    "/o/harbour/",
    "/o/harbour/calls?direction=inbound&from=2026-07-01#row-3",
    "/o/harbour/calls?search=0abc%20def",
    "/o/harbour/calls?note=a//b%2f%2fc",
    "/@evil.example",
]


@pytest.mark.parametrize("text", ELSEWHERE)
def test_security_40_other_places_are_not_followed(client: PageCheckingClient, text: str) -> None:
    assert own_path(text) is None
    page = client.get("/sign-in", query_string={"next": text})
    assert 'name="next" type="hidden" value=""' in page.text


@pytest.mark.parametrize("text", ELSEWHERE)
@pytest.mark.parametrize("headers", [{}, PART])
def test_security_40_no_answer_sends_a_browser_there(app: Flask, text: str, headers: dict[str, str]) -> None:
    with app.test_request_context("/", headers=headers):
        with pytest.raises(ValueError, match="not a path of this service"):
            htmx.go_to(text)


@pytest.mark.parametrize("text", OURS)
def test_own_pages_are(text: str) -> None:
    assert own_path(text) == text


def test_ids_have_one_spelling(app: Flask) -> None:
    @access.public
    def show(thing_id: int) -> str:
        return f"{thing_id}"

    app.add_url_rule("/things/<id:thing_id>", view_func=show, endpoint="things.show")
    number = new_id()
    with app.test_request_context():
        assert url_for("things.show", thing_id=number) == f"/things/{spell_id(number)}"
    client = app.test_client()
    assert client.get(f"/things/{spell_id(number)}").text == str(number)
    assert client.get("/things/0").text == "0"
    for text in (spell_id(number).upper(), "0" + spell_id(number), "z" * 13, "z" * 14, "-1", "1.5", "é", "l"):
        assert client.get(f"/things/{text}").status_code == 404, text


def test_slugs_are_as_they_are_made(app: Flask) -> None:
    view = access.member(Role.VIEWER)(lambda: "")
    app.add_url_rule("/o/<slug:slug>/x", view_func=view, endpoint="x")
    adapter = app.url_map.bind("localhost")
    assert adapter.match("/o/two-words-2/x") == ("x", {"slug": "two-words-2"})
    for text in ("Harbour", "two--words", "-x", "x-", "x_y", "x" * 41, "é"):
        with pytest.raises(NotFound):
            adapter.match(f"/o/{text}/x")


def test_static_files_have_a_version_and_are_kept(app: Flask, client: PageCheckingClient) -> None:
    with app.app_context():
        version = static_version("callbook.css")
        assert static_version("no-such-file.css") == ""
        assert static_version("../config.py") == ""
    kept = client.get(f"/static/callbook.css?v={version}")
    assert kept.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert f"/static/callbook.css?v={version}" in client.get("/sign-in").text
    for other in ("", "?v=", "?v=0123456789abcdef"):
        assert client.get(f"/static/callbook.css{other}").headers["Cache-Control"] == "no-cache"
    assert client.get("/static/no-such-file.css").headers["Cache-Control"] == "no-store"
