"""Page or part, and where an answer sends the browser."""

import pytest
from flask import Flask
from jinja2 import DictLoader

from tests.client import PART
from webapp import htmx

WHOLE = {"HX-Request": "true", "HX-Request-Type": "full"}


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, "page"),
        (PART, "part"),
        (WHOLE, "page"),
        ({"HX-Request": "true"}, "page"),
        ({"HX-Request-Type": "partial"}, "page"),
        ({**PART, "HX-History-Restore-Request": "true"}, "page"),
        ({**PART, "HX-Boosted": "true"}, "page"),
        ({**PART, "HX-Request": "false"}, "page"),
    ],
)
def test_the_part_is_for_those_who_put_it_into_a_page(app: Flask, headers: dict[str, str], expected: str) -> None:
    app.jinja_env.loader = DictLoader({"page": "page {{ word }}", "part": "part {{ word }}"})
    with app.test_request_context("/", headers=headers):
        response = htmx.render("page", "part", status=422, replace_url="/rows?at=2", word="of it")
    assert response.get_data(as_text=True) == f"{expected} of it"
    assert response.status_code == 422
    assert response.headers.get("HX-Replace-Url") == ("/rows?at=2" if expected == "part" else None)


def test_a_form_gets_303(app: Flask) -> None:
    with app.test_request_context("/", method="POST"):
        response = htmx.go_to("/o/harbour/")
    assert response.status_code == 303
    assert response.location == "/o/harbour/"


@pytest.mark.parametrize("headers", [PART, WHOLE])
def test_htmx_never_gets_3xx(app: Flask, headers: dict[str, str]) -> None:
    with app.test_request_context("/", method="POST", headers=headers):
        response = htmx.go_to("/o/harbour/")
    assert response.status_code == 204
    assert response.headers["HX-Location"] == "/o/harbour/"
    assert "Location" not in response.headers


def test_a_word_that_a_template_needs_and_does_not_get_is_a_mistake(app: Flask) -> None:
    app.jinja_env.loader = DictLoader({"page": "{{ missing }}"})
    with app.test_request_context("/"), pytest.raises(Exception, match="'missing' is undefined"):
        htmx.render("page", "page")
