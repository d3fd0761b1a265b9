"""Every page of the app in Chromium: one cookie, nothing else stored, no request to anybody else.

The watch of each browser (watch.py) says at the end what any of its pages asked for or kept; here each page is looked
at as it stands, by a stranger, by an owner, and by whoever sees only some calls.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import Page

from tests.cast import Cast
from tests.every_address import addresses, ids_of
from tests.make import Make

_STORED = """async () => ({
  local: localStorage.length, session: sessionStorage.length,
  databases: (await indexedDB.databases()).length, caches: (await caches.keys()).length,
  workers: (await navigator.serviceWorker.getRegistrations()).length, readable: document.cookie,
})"""
_NOTHING = {"local": 0, "session": 0, "databases": 0, "caches": 0, "workers": 0, "readable": ""}


def page_paths(page: Page, paths: Iterable[str]) -> Iterator[str]:
    """Those that answer with a page: no file to take away, nothing for a machine, no way to somewhere else."""
    for path in paths:
        answer = page.request.get(path, max_redirects=0)
        if answer.headers.get("content-type", "").startswith("text/html") and answer.status in (200, 404):
            yield path


def what_is_kept(page: Page, path: str) -> list[str]:
    """What is wrong after a visit."""
    page.goto(path)
    stored: dict[str, Any] = page.evaluate(_STORED)
    wrong = [] if stored == _NOTHING else [f"{path} keeps {stored}"]
    cookies = page.context.cookies()
    # -1: gone when the browser closes.
    names = [(cookie.get("name"), cookie.get("expires"), cookie.get("httpOnly")) for cookie in cookies]
    return wrong if set(names) <= {("sid", -1, True)} else [*wrong, f"{path}: {names}"]


@pytest.mark.parametrize("name", ["stranger", "olive", "nina"])
def test_every_page_keeps_one_cookie_and_nothing_else(
    open_browser: Callable[..., Page], signed_in: Callable[..., Page], app: Flask, make: Make, cast: Cast, name: str
) -> None:
    ids = ids_of(make)
    page = open_browser() if name == "stranger" else signed_in(name)
    paths = sorted({each.path for each in addresses(app, "harbour", ids) if each.method == "GET"})
    if name == "stranger":
        paths = [path for path in paths if not path.startswith("/o/")]

    shown = list(page_paths(page, paths))
    wrong = [words for path in shown for words in what_is_kept(page, path)]

    assert len(shown) > (5 if name == "stranger" else 30)
    assert wrong == []
    assert len(page.context.cookies()) == 1


def test_a_second_cookie_would_be_seen(open_browser: Callable[..., Page]) -> None:
    page = open_browser()
    page.goto("/sign-in")
    page.evaluate("document.cookie = 'sid2=1'")
    page.context.add_cookies([{"name": "sid", "value": "x", "url": page.url, "expires": 4_000_000_000}])
    assert what_is_kept(page, "/privacy") != []
    page.context.clear_cookies()
