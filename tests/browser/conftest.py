"""Real Chromium against a real server with a real worker, over the database of the test.

    page = signed_in("olive")       # a page of a browser of its own, in which Olive is signed in

Every browser that a test opens is watched (watch.py): at the end of the test nothing may have gone wrong in it.
"""

import functools
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page, expect

from config import Settings
from tests.browser.watch import Watch
from tests.cast import PASSWORD, Cast
from tests.client import PageCheckingClient
from tests.ingest.importing import Importing
from tests.serving.wire import serving
from webapp.database.engine import Database
from webapp.jobs.worker import ClaimedWork, Worker

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = (
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
PATIENCE_MS = 15_000
expect.set_options(timeout=PATIENCE_MS)
WIDE = {"width": 1240, "height": 900}
PHONE = {"width": 390, "height": 844}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    """For pytest-playwright's `browser`, one for all tests of a worker."""
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is not there")
    return {"executable_path": CHROMIUM, "args": list(ARGUMENTS)}


@dataclass(frozen=True)
class Site:
    """The running app."""

    address: str
    worker: Worker

    def path(self, page: Page) -> str:
        """Where a page is: path and query."""
        return page.url.removeprefix(self.address)


@pytest.fixture
def site(app: Flask, settings: Settings, database: Database, cast: Cast) -> Iterator[Site]:
    """The app with the cast, served as `make serve` serves it, on a free port."""
    app.testing = False  # errors are pages here too
    worker = Worker(database, settings)
    worker.start()
    with serving(app, settings) as running:
        yield Site(f"http://127.0.0.1:{running.port}", worker)
    worker.stop()


@pytest.fixture
def open_browser(browser: Browser, site: Site) -> Iterator[Callable[..., Page]]:
    """Opens a page in a browser context of its own; options are those of playwright's new_context()."""
    watches: list[Watch] = []

    def open_page(**options: Any) -> Page:
        context = browser.new_context(
            **{"base_url": site.address, "viewport": WIDE, "reduced_motion": "reduce", "locale": "en-GB", **options}
        )
        context.set_default_timeout(PATIENCE_MS)
        watches.append(Watch(context, site.address))
        return context.new_page()

    yield open_page
    problems = [problem for watch in watches for problem in watch.end()]
    for watch in watches:
        watch.context.close()
    assert problems == []


@pytest.fixture
def page(open_browser: Callable[..., Page]) -> Page:
    """Of a browser in which nobody has signed in."""
    return open_browser()


@pytest.fixture
def signed_in(open_browser: Callable[..., Page], app: Flask, cast: Cast, site: Site) -> Callable[..., Page]:
    """`signed_in("max", viewport=PHONE)`: an empty page of a new browser, in which that person is signed in.

    Through the sign-in page, but not by the browser: that is test_sign_in.py's, and a second saved in each other test.
    """

    def open_page(name: str = "olive", **options: Any) -> Page:
        client = app.test_client()
        assert isinstance(client, PageCheckingClient)
        client.get("/sign-in")
        client.send("/sign-in", {"email": getattr(cast, name).email, "password": PASSWORD})
        cookie = client.get_cookie("sid")
        assert cookie is not None
        page = open_browser(**options)
        page.context.add_cookies(
            [{"name": "sid", "value": cookie.value, "url": site.address, "httpOnly": True, "sameSite": "Lax"}]
        )
        return page

    return open_page


def sign_in(page: Page, name: str = "olive", password: str = PASSWORD) -> None:
    """As a person does."""
    page.goto("/sign-in")
    page.get_by_label("E-mail").fill(f"{name}@example.com")
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url(lambda address: "/sign-in" not in address)


@pytest.fixture
def importing(database: Database, cast: Cast) -> Importing:
    """Imports into Harbour without a browser, for tests that are about something else."""
    return Importing(database, cast.harbour)


class Gate:
    """Holds background work between two batches, so that a test sees it under way however fast the machine is."""

    def __init__(self) -> None:
        self._turns = threading.Semaphore(0)
        self._open = threading.Event()

    def pass_on(self) -> None:
        """Let one more batch be done."""
        self._turns.release()

    def open(self) -> None:
        """Hold nothing any more."""
        self._open.set()
        self._turns.release()

    def hold(self) -> None:
        if not self._open.is_set():
            self._turns.acquire(timeout=PATIENCE_MS / 1000)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch, site: Site) -> Iterator[Gate]:
    """A gate at which every job waits after each batch."""
    gate = Gate()
    keep = ClaimedWork.keep

    @functools.wraps(keep)
    def held(work: ClaimedWork) -> bool:
        gate.hold()
        return keep(work)

    monkeypatch.setattr(ClaimedWork, "keep", held)
    yield gate
    gate.open()
