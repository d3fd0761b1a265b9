"""A signed-in reader who asks the app itself, with no server between; can render a page's template alone."""

import contextvars
import functools
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from flask import Flask, g, template_rendered
from jinja2 import Template
from werkzeug.datastructures import Headers
from werkzeug.test import EnvironBuilder, run_wsgi_app

from bench.data import EMAIL, PASSWORD
from webapp.database.engine import Database

BASE_URL = "http://localhost:8080"
_TOKEN = re.compile(r'name="csrf_token"[^>]*value="([^"]+)"')
_PART = {"HX-Request": "true", "HX-Request-Type": "partial"}


@dataclass(frozen=True)
class Page:
    """An answer: its status, its text, and the address of the rows that follow ("" at the end)."""

    status: int
    text: str

    @property
    def rows(self) -> int:
        return self.text.count("data-row-link")

    @property
    def next_rows(self) -> str:
        found = re.search(r'href="(/o/[^"]*[?;]after=[^"]*)"', self.text)
        return found[1].replace("&amp;", "&") if found else ""


class Browser:
    """Signed in by the real form; the session is the row that this made."""

    def __init__(self, app: Flask, database: Database, email: str = EMAIL) -> None:
        self.app = app
        self.database = database
        self._cookie = _sign_in(app, email)

    def get(self, path: str, *, part: bool = False) -> Page:
        pieces, status = self.answer(path, part=part)
        return Page(status, b"".join(pieces).decode())

    def answer(self, path: str, *, part: bool = False) -> tuple[Iterable[bytes], int]:
        """The pieces of an answer as they come."""
        pieces, status, _headers = run_wsgi_app(self.app, self._environ(path, part))
        return pieces, int(status.split()[0])

    def run(self, path: str, *, part: bool = False) -> Callable[[], None]:
        """A request to be measured: made ready beforehand, answered whole, refused unless it is a 200."""
        environ = self._environ(path, part)

        def run() -> None:
            pieces, status, _headers = run_wsgi_app(self.app, environ.copy())
            for _ in pieces:
                pass
            if not status.startswith("200"):
                raise RuntimeError(f"{path} answered {status}")

        return run

    def template_alone(self, path: str) -> Callable[[], str]:
        """The template with the very values that the page was made of: nothing is asked, nothing worked out."""
        template, context, text = self._catch(path)
        inside = contextvars.copy_context()  # url_for() and csrf_token() of the template need the request
        inside.run(self._enter, self._environ(path, part=False))
        if _without_tokens(inside.run(template.render, context)) != _without_tokens(text):
            raise RuntimeError(f"{path}: the template alone does not make the page")

        def render() -> str:
            g.pop("csrf_token", None)  # which the template asks for: each page has one of its own
            return template.render(context)

        return lambda: inside.run(render)

    def view_of_constants(self, path: str, endpoint: str) -> Callable[[], None]:
        """The request with sign-in and guard, but its view does nothing besides rendering the same values."""
        template, context, _text = self._catch(path)
        views, run = self.app.view_functions, self.run(path)
        real = views[endpoint]

        @functools.wraps(real)  # with its access marker
        def constant() -> str:
            return template.render(context)

        def run_constant() -> None:
            views[endpoint] = constant
            try:
                run()
            finally:
                views[endpoint] = real

        return run_constant

    def _catch(self, path: str) -> tuple[Template, dict[str, Any], str]:
        """The template of a page, what it was given, and the page."""
        caught: list[tuple[Template, dict[str, Any]]] = []

        def catch(_app: Flask, template: Template, context: dict[str, Any], **_more: Any) -> None:
            caught.append((template, context))

        with template_rendered.connected_to(catch, self.app):
            page = self.get(path)
        [(template, context)] = caught
        return template, context, page.text

    def _enter(self, environ: dict[str, Any]) -> None:
        self.app.request_context(environ).push()
        self.app.preprocess_request()

    def _environ(self, path: str, part: bool) -> dict[str, Any]:
        headers = Headers({"Cookie": self._cookie, **(_PART if part else {})})
        return EnvironBuilder(path=path, base_url=BASE_URL, headers=headers).get_environ()


def _sign_in(app: Flask, email: str) -> str:
    client = app.test_client()
    token = token_of(client.get("/sign-in", base_url=BASE_URL).text)
    form = {"csrf_token": token, "email": email, "password": PASSWORD}
    answer = client.post("/sign-in", base_url=BASE_URL, data=form)
    cookie = client.get_cookie("sid", "localhost")
    if answer.status_code != 303 or cookie is None:
        raise RuntimeError(f"signing in answered {answer.status_code}")
    return f"sid={cookie.value}"


def _without_tokens(text: str) -> str:
    """CSRF tokens hold the second in which they were made."""
    return re.sub(r'(csrf[-_]token"[^>]*?(?:content|value)=")[^"]*', r"\1", text)


def token_of(text: str) -> str:
    found = _TOKEN.search(text)
    if found is None:
        raise RuntimeError("a page without a form was taken for one with a form")
    return found[1]


def follow(browser: Browser, path: str, most: int) -> Iterator[str]:
    """The addresses of the rows that follow, as the page goes on by itself."""
    page = browser.get(path)
    for _ in range(most):
        path = page.next_rows
        if not path:
            return
        yield path
        page = browser.get(path, part=True)
