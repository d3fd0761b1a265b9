"""What staff do without looking, in a browser: each page at every width and in both schemes; a suspension."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Site
from tests.browser.test_every_page import look_at, problems_of
from tests.cast import Cast
from tests.staff.conftest import SignIn, sign_in_staff
from webapp.database.ids import spell_id

__all__ = ["sign_in_staff"]
pytestmark = pytest.mark.browser


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


def test_each_page_reads_well_everywhere(of_staff: Page, cast: Cast) -> None:
    home = f"/staff/organizations/{spell_id(cast.harbour.id)}"
    names = ("suspend", "resume", "limits", "resend-invitation", "sign-out")
    found = look_at(of_staff, [("set up", "/staff/organizations/new"), *((name, f"{home}/{name}") for name in names)])
    of_staff.goto(f"{home}/suspend")
    of_staff.get_by_role("button", name="Suspend").click()
    expect(of_staff.get_by_role("alert")).to_contain_text("Say why")
    found += problems_of(of_staff, "suspend, refused")
    of_staff.goto("/staff/notices")
    of_staff.get_by_label("What everybody reads").fill("Callbook is away on Sunday. " + "Averylongword" * 8)
    of_staff.get_by_label("Why", exact=True).fill("New disk")
    of_staff.get_by_role("button", name="Put it up").click()
    expect(of_staff.get_by_text("Notice:")).to_be_visible()
    assert [*found, *problems_of(of_staff, "notices")] == []


def test_a_suspension_from_both_sides(of_staff: Page, signed_in: Callable[..., Page], cast: Cast) -> None:
    olive = signed_in("olive")
    olive.goto("/o/harbour/calls")
    expect(olive.get_by_role("heading", level=1)).to_have_text("Calls")
    of_staff.goto(f"/staff/organizations/{spell_id(cast.harbour.id)}/suspend")
    of_staff.get_by_label("Why").fill("The bill of May is not paid yet")
    with of_staff.expect_response(lambda answer: answer.request.method == "POST") as answered:
        of_staff.get_by_role("button", name="Suspend").click()
    assert answered.value.status == 303
    olive.goto("/")
    expect(olive.get_by_text("The bill of May is not paid yet")).to_be_visible()
    found = problems_of(olive, "a suspended organization, first page")
    olive.goto("/o/harbour/calls")
    found += problems_of(olive, "a suspended organization, its page")
    olive.get_by_role("link", name="Support", exact=True).click()
    expect(olive.get_by_role("heading", level=1)).to_have_text("Support")
    assert [*found, *problems_of(olive, "a suspended organization, support")] == []
