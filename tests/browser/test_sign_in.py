"""Signing in and out in a browser, the browser that refuses the cookie, and what stays behind afterwards."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import BrowserType, Page, expect

from tests.browser.conftest import ARGUMENTS, CHROMIUM, Site, sign_in
from tests.make import Make

CALLER = "Thameside Joinery"


def test_signing_in_leads_to_the_organization_and_out_again(page: Page, site: Site) -> None:
    page.goto("/")
    page.get_by_role("link", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    expect(page.get_by_label("E-mail")).to_be_focused()
    sign_in(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("Overview")
    [cookie] = page.context.cookies()
    assert (cookie["name"], cookie["httpOnly"], cookie["sameSite"], cookie["expires"]) == ("sid", True, "Lax", -1)

    page.get_by_text("Harbour Boats").first.click()
    page.get_by_role("button", name="Sign out").click()

    expect(page.get_by_text("You are signed out.")).to_be_visible()
    [of_the_form] = page.context.cookies()
    assert of_the_form["value"] != cookie["value"]
    page.context.add_cookies([cookie])
    page.goto("/o/harbour/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")


def test_a_wrong_password_says_what_to_do(page: Page) -> None:
    page.goto("/sign-in?next=/o/harbour/calls")
    page.get_by_label("E-mail").fill("olive@example.com")
    page.get_by_label("Password").fill("not this one, surely")
    page.get_by_role("button", name="Sign in", exact=True).click()

    expect(page.get_by_role("alert")).to_contain_text("do not belong together")
    expect(page.get_by_label("E-mail")).to_have_value("olive@example.com")
    expect(page.get_by_label("Password")).to_be_focused()

    page.keyboard.type("six small boats at anchor")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Calls")


def test_security_38_back_after_signing_out_shows_nothing_private(
    signed_in: Callable[..., Page], make: Make, site: Site
) -> None:
    call = make.call(names={"+442079460123": CALLER})
    assert call.caller_id
    page = signed_in("vera")
    page.goto("/o/harbour/calls?period=all")
    expect(page.get_by_text(CALLER)).to_be_visible()
    page.locator("a.row-link").first.click()
    expect(page.locator(".lead")).to_contain_text(CALLER)
    page.get_by_text("Harbour Boats").first.click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")

    for _step in range(2):
        page.go_back()
        expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
        assert CALLER not in page.content()
    page.reload()
    assert CALLER not in page.content()


def test_signing_out_in_one_tab_ends_the_other(signed_in: Callable[..., Page], make: Make) -> None:
    make.call(names={"+442079460123": CALLER})
    page = signed_in("olive")
    page.goto("/o/harbour/calls?period=all&direction=inbound")
    other = page.context.new_page()
    other.goto("/o/harbour/")
    other.get_by_text("Harbour Boats").first.click()
    other.get_by_role("button", name="Sign out").click()
    expect(other.get_by_text("You are signed out.")).to_be_visible()

    page.locator(".chips a").last.click()  # htmx asks for a part, and is sent to the sign-in page
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    sign_in_here(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("Calls")


def sign_in_here(page: Page) -> None:
    """On the page that asks, so that what it remembers is kept."""
    page.get_by_label("E-mail").fill("olive@example.com")
    page.get_by_label("Password").fill("six small boats at anchor")
    page.get_by_role("button", name="Sign in", exact=True).click()


@pytest.fixture
def refusing(
    browser_type: BrowserType, browser_type_launch_args: dict[str, object], tmp_path: Path, site: Site
) -> Page:
    """A page of a browser whose owner has forbidden all cookies."""
    profile = tmp_path / "profile" / "Default"
    profile.mkdir(parents=True)
    settings = {"profile": {"default_content_setting_values": {"cookies": 2}, "cookie_controls_mode": 0}}
    (profile / "Preferences").write_text(json.dumps(settings))
    context = browser_type.launch_persistent_context(
        profile.parent, executable_path=CHROMIUM, args=list(ARGUMENTS), base_url=site.address
    )
    return context.pages[0]


def test_a_browser_that_refuses_the_cookie_is_told_so(refusing: Page) -> None:
    try:
        refusing.goto("/sign-in")
        sign_in_here(refusing)

        expect(refusing.get_by_role("heading", level=1)).to_have_text("Your browser did not send the cookie back")
        assert refusing.context.cookies() == []
    finally:
        refusing.context.close()
