"""Support asks, an owner answers or invites, somebody looks: the pages of both sides, and the whole path."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Site
from tests.browser.test_every_page import look_at, problems_of
from tests.cast import Cast
from tests.make import Make
from tests.staff.conftest import SignIn, sign_in_staff
from webapp.database.ids import spell_id

__all__ = ["sign_in_staff"]

WHY = "You wrote that two calls of Monday are missing: we look which line of the file they were in"


@pytest.fixture
def of_staff(open_browser: Callable[..., Page], sign_in_staff: SignIn, cast: Cast, site: Site) -> Page:
    """A browser in which Stella is signed in."""
    cookie = sign_in_staff(cast.stella).get_cookie("sid")
    assert cookie is not None
    page = open_browser()
    page.context.add_cookies(
        [{"name": "sid", "value": cookie.value, "url": site.address, "httpOnly": True, "sameSite": "Lax"}]
    )
    return page


def test_from_asking_to_the_end(
    of_staff: Page, signed_in: Callable[..., Page], cast: Cast, make: Make, site: Site
) -> None:
    make.call(caller="+442079460123", callee="201", talk=60)
    found = look_at(of_staff, [("nobody asked", "/staff/requests")])
    of_staff.goto(f"/staff/organizations/{spell_id(cast.harbour.id)}/ask")
    found += problems_of(of_staff, "ask")
    of_staff.get_by_label("Why").fill("Briefly")
    of_staff.get_by_role("button", name="Ask").click()
    expect(of_staff.get_by_role("alert").first).to_be_visible()
    found += problems_of(of_staff, "ask, refused")
    of_staff.get_by_label("The call log").check()
    of_staff.get_by_label("Ticket").fill("4711")
    of_staff.get_by_label("Why").fill(WHY)
    of_staff.get_by_role("button", name="Ask").click()
    expect(of_staff.get_by_role("button", name="Take it back")).to_be_visible()
    found += problems_of(of_staff, "asked")
    request_page = site.path(of_staff)

    olive = signed_in("olive")
    olive.goto("/o/harbour/calls?period=all")
    expect(olive.get_by_text("asks to see")).to_be_visible()
    found += problems_of(olive, "the strip that asks")
    found += look_at(olive, [("an owner's support page, asked", "/o/harbour/support")])
    olive.get_by_role("link", name="Answer").click()
    found += problems_of(olive, "answer")
    olive.get_by_label("The call log").uncheck()
    olive.get_by_role("button", name="Allow").click()
    expect(olive.get_by_role("alert").first).to_be_visible()
    found += problems_of(olive, "answer, refused")
    olive.get_by_label("The call log").check()
    olive.get_by_label("Hours", exact=True).fill("2")
    olive.get_by_role("button", name="Allow").click()
    expect(olive.get_by_role("button", name="End now")).to_be_visible()
    found += problems_of(olive, "allowed")

    of_staff.goto(request_page)
    found += problems_of(of_staff, "allowed, not opened")
    of_staff.get_by_role("button", name="Open for two hours").click()
    expect(of_staff.get_by_text("with their permission")).to_be_visible()
    of_staff.goto("/o/harbour/calls?period=all")
    found += problems_of(of_staff, "the customer's page, as support sees it")
    found += look_at(of_staff, [("opened", request_page), ("asked and allowed", "/staff/requests")])

    olive.wait_for_timeout(5_000)  # a process that found nobody looking asks again after some seconds
    olive.goto("/o/harbour/calls?period=all")
    expect(olive.get_by_text("is looking at your call log")).to_be_visible()
    found += problems_of(olive, "the banner")
    found += look_at(olive, [("while they look", "/o/harbour/support")])
    found += look_at(olive, [("who looked, support", "/o/harbour/who-looked?what=support")])
    expect(olive.get_by_text("looked at the call log").first).to_be_visible()
    olive.goto("/o/harbour/calls")
    olive.get_by_role("button", name="End now").click()
    expect(olive.get_by_text("Ended: support sees nothing of it any more.")).to_be_visible()
    found += problems_of(olive, "ended")
    of_staff.goto("/o/harbour/calls")
    expect(of_staff.get_by_role("heading", level=1)).to_have_text("There is no such page")
    found += look_at(of_staff, [("ended, for staff", request_page)])
    assert found == []


def test_an_owner_invites_help(signed_in: Callable[..., Page], of_staff: Page) -> None:
    olive = signed_in("olive")
    found = look_at(olive, [("nothing", "/o/harbour/support"), ("invite help", "/o/harbour/support/invite")])
    olive.get_by_label("What is it about").fill("Calls of the workshop show as missed. " + "Averylongword" * 8)
    olive.get_by_role("button", name="Let support look").click()
    expect(olive.get_by_role("alert").first).to_be_visible()
    found += problems_of(olive, "invite help, refused")
    olive.get_by_label("Phone systems, files and raw lines").check()
    olive.get_by_label("The hours start").fill("2040-01-01T08:00")
    olive.get_by_role("button", name="Let support look").click()
    expect(olive.get_by_text("Let the hours start within 7 days.", exact=True)).to_be_visible()
    found += problems_of(olive, "invite help, too late")
    olive.get_by_label("The hours start").fill("")
    olive.get_by_role("button", name="Let support look").click()
    expect(olive.get_by_role("button", name="End now")).to_be_visible()
    found += problems_of(olive, "invited")
    found += look_at(of_staff, [("invited, for staff", "/staff/requests")])
    assert found == []
