"""A person's own account in a browser: the authenticator app by its page, signing in with a code, a forgotten password.

Each page on the way is looked at as test_every_page.py does.
"""

import os
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from config import Settings
from tests.accounts.authenticator import code_of, mails, token_in
from tests.browser.conftest import PHONE, WIDE, Site, sign_in
from tests.browser.test_every_page import look_at, problems_of
from tests.cast import PASSWORD
from webapp.database.engine import Database

NEW = "nine large ships at sea"


def seen(page: Page, name: str) -> list[str]:
    """What is wrong with the page; and its pictures, for whoever wants to look: PICTURES=folder."""
    folder = os.environ.get("PICTURES")
    if folder:
        for size, scheme in ((WIDE, "light"), (PHONE, "light"), (WIDE, "dark")):
            page.set_viewport_size(size)
            page.emulate_media(color_scheme=scheme)
            page.screenshot(path=Path(folder) / f"{name}-{size['width']}-{scheme}.png", full_page=True)
    return problems_of(page, name)


def set_up(page: Page) -> tuple[str, list[str]]:
    """From the menu on, to the recovery codes: the secret, and what is wrong with the pages on the way."""
    page.goto("/o/harbour/")
    page.get_by_text("Harbour Boats").first.click()
    page.locator(".menu").get_by_role("link", name="Security").click()
    page.get_by_role("link", name="Set up an app").click()
    found = seen(page, "before-the-app")
    page.get_by_role("button", name="Begin").click()
    expect(page.get_by_role("img", name="QR code")).to_be_visible()
    secret = page.locator(".key").inner_text().replace(" ", "")
    found += seen(page, "set-up")
    page.get_by_label("Code", exact=True).fill(code_of(secret))
    page.get_by_role("button", name="Turn it on").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Keep these recovery codes")
    expect(page.locator(".codes li")).to_have_count(10)
    return secret, found + seen(page, "recovery-codes")


def test_setting_up_an_app_and_signing_in_with_a_code(page: Page) -> None:
    sign_in(page)
    secret, found = set_up(page)
    page.get_by_role("link", name="I have kept them").click()
    page.get_by_text("Harbour Boats").first.click()
    page.get_by_role("button", name="Sign out").click()

    page.get_by_label("E-mail").fill("olive@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Enter the code")
    expect(page.get_by_label("Code", exact=True)).to_be_focused()
    page.keyboard.type("000000")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("This code is not right")
    found += seen(page, "code")
    page.get_by_label("Code", exact=True).fill(code_of(secret, 1))  # that of set-up is used
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Overview")
    page.goto("/security-settings")
    expect(page.get_by_text("10 of 10 recovery codes left")).to_be_visible()
    found += seen(page, "security")
    assert found == []


def test_the_pages_of_an_account(signed_in: Callable[..., Page], page: Page) -> None:
    sign_in(page, "max")  # a second browser
    page = signed_in("max")
    found: list[str] = []
    for name, address in (
        ("account", "/account"),
        ("security-without", "/security-settings"),
        ("change-password", "/security-settings/password"),
        ("delete", "/account/delete"),
        ("prove", "/prove?next=/account"),
    ):
        page.goto(address)
        found += seen(page, name)
    page.goto("/account")
    page.get_by_label("Another address").fill("no address")
    page.get_by_label("Another address").evaluate("it => it.form.noValidate = true")
    page.get_by_role("button", name="Add this address").click()
    expect(page.locator(".field.wrong")).to_contain_text("is no e-mail address")
    found += problems_of(page, "account, mistaken")
    page.goto("/security-settings")
    page.get_by_role("button", name="Sign out all others").click()
    expect(page.get_by_role("status")).to_contain_text("All other browsers are signed out.")
    owner = signed_in("olive")
    found += look_at(owner, [("only owner", "/account/delete")])
    assert found == []


def test_a_forgotten_password(page: Page, site: Site, database: Database, settings: Settings) -> None:
    page.goto("/sign-in")
    page.get_by_role("link", name="Forgotten your password?").click()
    found = seen(page, "forgotten")
    page.get_by_label("E-mail").fill("olive@example.com")
    page.get_by_role("button", name="Send me a link").click()
    expect(page.get_by_text("a mail is on its way")).to_be_visible()
    found += seen(page, "mail-on-its-way")
    while not (waiting := mails(database, "reset_password")):
        page.wait_for_timeout(100)
    token = token_in(waiting[0], settings)
    page.goto(f"/account-link/{token}")
    found += seen(page, "link")
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Choose a new password")
    assert token not in page.url
    found += seen(page, "new-password")
    page.get_by_label("New password").fill(NEW)
    page.get_by_role("button", name="Set this password").click()
    expect(page.get_by_text("Your new password is set.")).to_be_visible()
    sign_in(page, password=NEW)
    expect(page.get_by_role("heading", level=1)).to_have_text("Overview")
    found += look_at(page, [("link over", f"/account-link/{token}")])
    assert found == []
