"""Passkeys in Chromium with its virtual authenticator: two registered, signed in without a password, removed.

Passkeys belong to a name, so here the service is opened as localhost, which every other test's browser does not know.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from flask import Flask
from playwright.sync_api import BrowserType, Page, expect
from sqlalchemy import select

from tests.browser.conftest import CHROMIUM, PATIENCE_MS, WIDE, Site, sign_in
from tests.browser.test_second_factor import seen
from tests.browser.watch import Watch
from tests.cast import PASSWORD, Cast
from webapp.accounts.models import Passkey
from webapp.database.engine import Database
from webapp.tenancy.sessions import reading_session

ARGUMENTS = (
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
)


@pytest.fixture
def named(app: Flask, site: Site) -> str:
    """The address of the site by its name, which is its BASE_URL too."""
    address = site.address.replace("127.0.0.1", "localhost")
    services = app.extensions["callbook"]
    app.extensions["callbook"] = replace(services, settings=replace(services.settings, base_url=address))
    return address


@pytest.fixture
def browse(browser_type: BrowserType, named: str) -> Iterator[Callable[[], Page]]:
    """Opens a page of a new browser on a device that has a finger to put on it."""
    browser = browser_type.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
    watches: list[Watch] = []

    def open_page() -> Page:
        context = browser.new_context(base_url=named, viewport=WIDE, reduced_motion="reduce", locale="en-GB")
        context.set_default_timeout(PATIENCE_MS)
        watches.append(Watch(context, named))
        return context.new_page()

    yield open_page
    problems = [problem for watch in watches for problem in watch.end()]
    browser.close()
    assert problems == []


class Device:
    """The virtual authenticator of a page: it asks for a finger, and `consents` or not."""

    def __init__(self, page: Page) -> None:
        self.session = page.context.new_cdp_session(page)
        self.session.send("WebAuthn.enable", {"enableUI": False})
        self.ids = [self._add("internal")]

    def _add(self, transport: str) -> str:
        options = {
            "protocol": "ctap2",
            "transport": transport,
            "hasResidentKey": True,
            "hasUserVerification": True,
            "isUserVerified": True,
            "automaticPresenceSimulation": True,
        }
        found: str = self.session.send("WebAuthn.addVirtualAuthenticator", {"options": options})["authenticatorId"]
        return found

    def plug_in_another(self) -> None:
        """A security key; the one before is taken away, and keeps what it holds."""
        self.session.send("WebAuthn.setAutomaticPresenceSimulation", {"authenticatorId": self.ids[0], "enabled": False})
        self.ids.append(self._add("usb"))

    def refuse(self) -> None:
        for each in self.ids:
            verified = {"authenticatorId": each, "isUserVerified": False}
            self.session.send("WebAuthn.setUserVerified", verified)

    def passkeys(self) -> list[int]:
        """How many each authenticator holds."""
        return [
            len(self.session.send("WebAuthn.getCredentials", {"authenticatorId": each})["credentials"])
            for each in self.ids
        ]


def add(page: Page, name: str) -> None:
    page.goto("/security-settings")
    page.get_by_role("link", name="Add a passkey").click()
    page.get_by_label("Name").fill(name)
    page.get_by_role("button", name="Add it").click()


def sign_out(page: Page) -> None:
    page.goto("/security-settings")
    page.locator(".menu > summary").click()
    page.get_by_role("button", name="Sign out", exact=True).click()
    expect(page.get_by_text("You are signed out.")).to_be_visible()


def test_two_passkeys_sign_in_without_a_password_until_they_are_removed(
    browse: Callable[[], Page], cast: Cast, database: Database
) -> None:
    page = browse()
    device = Device(page)
    sign_in(page)
    page.goto("/security-settings/passkeys")
    found = seen(page, "new-passkey")
    add(page, "Work laptop")
    expect(page.get_by_role("heading", level=1)).to_have_text("Keep these recovery codes")
    expect(page.get_by_text("The passkey Work laptop is added.")).to_be_visible()
    device.plug_in_another()
    add(page, "Key ring")
    expect(page.get_by_role("row", name="Key ring")).to_be_visible()
    expect(page.get_by_role("row", name="Work laptop")).to_be_visible()
    assert device.passkeys() == [1, 1]
    found += seen(page, "security-with-passkeys")

    sign_out(page)
    found += seen(page, "sign-in-with-passkey")
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Overview")
    with reading_session(database) as session:
        used = [row.last_used_at is not None for row in session.scalars(select(Passkey).order_by(Passkey.id))]
    assert sorted(used) == [False, True]

    for name in ("Work laptop", "Key ring"):
        page.goto("/security-settings")
        page.get_by_role("link", name=f"Change the passkey {name}").click()
        if name == "Key ring":
            found += seen(page, "change-passkey")
        page.get_by_role("button", name="Remove this passkey").click()
        expect(page.get_by_text("The passkey is removed.")).to_be_visible()
    sign_out(page)
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_role("alert")).to_contain_text("This passkey does not sign anybody in here.")
    assert found == []


def test_a_passkey_proves_and_follows_a_password(browse: Callable[[], Page], cast: Cast) -> None:
    page = browse()
    Device(page)
    sign_in(page)
    add(page, "Work laptop")
    expect(page.get_by_role("heading", level=1)).to_have_text("Keep these recovery codes")
    page.goto("/prove?next=/security-settings/password")
    found = seen(page, "prove-with-passkey")
    page.get_by_role("button", name="Show it with a passkey").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Change your password")
    sign_out(page)
    page.get_by_label("E-mail").fill("olive@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Show your passkey")
    found += seen(page, "second-step-with-passkey")
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Overview")
    assert found == []


def test_a_finger_that_is_not_recognised_changes_nothing(browse: Callable[[], Page], cast: Cast) -> None:
    page = browse()
    device = Device(page)
    sign_in(page)
    add(page, "Work laptop")
    expect(page.get_by_role("heading", level=1)).to_have_text("Keep these recovery codes")
    sign_out(page)
    device.refuse()
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_text("No passkey was chosen, or it took too long.")).to_be_visible()


def test_staff_set_one_up_before_anything_opens(browse: Callable[[], Page], cast: Cast) -> None:
    page = browse()
    Device(page)
    page.goto("/staff/sign-in")
    found = seen(page, "staff-sign-in")
    page.get_by_label("E-mail").fill(cast.stella.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.goto("/account")
    expect(page.get_by_role("heading", level=1)).to_have_text("Set up a second factor")
    expect(page.get_by_text("The console lets nobody in by a password alone.")).to_be_visible()
    found += seen(page, "staff-set-up")
    page.get_by_role("link", name="Add a passkey").click()
    page.get_by_label("Name").fill("Work laptop")
    page.get_by_role("button", name="Add it").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Keep these recovery codes")
    page.goto("/account")
    expect(page.get_by_role("heading", level=1)).to_have_text("My account")
    assert found == []


def test_without_javascript_the_page_says_so(open_browser: Callable[..., Page], cast: Cast) -> None:
    page = open_browser(java_script_enabled=False)
    page.goto("/sign-in")
    expect(page.get_by_text("Passkeys need JavaScript, which this browser has turned off.")).to_be_visible()
    expect(page.get_by_role("button", name="Sign in with a passkey")).to_be_hidden()
    expect(page.get_by_role("button", name="Sign in", exact=True)).to_be_visible()
