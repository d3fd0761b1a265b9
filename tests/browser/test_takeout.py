"""A takeout in a real browser: asked for, watched until it is ready, downloaded; axe finds nothing on its pages."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PHONE
from tests.browser.test_every_page import look_at
from tests.cast import Cast
from tests.make import Make
from webapp.privacy.models import Takeout, TakeoutState
from webapp.tenancy.models import Numbers

pytestmark = pytest.mark.browser
TAKEOUT, UNNAMED = "/o/harbour/takeout", "/o/harbour/destinations/unnamed"


def test_an_owner_asks_watches_and_downloads(signed_in: Callable[..., Page], make: Make, tmp_path: Path) -> None:
    make.call(caller="+441632960123", callee="204")
    page = signed_in("olive", viewport=PHONE)
    page.goto(TAKEOUT)
    page.get_by_role("button", name="Prepare a takeout").click()
    expect(page.get_by_role("heading", name="Ready to be fetched")).to_be_visible(timeout=60_000)
    with page.expect_download() as fetching:
        page.get_by_role("button", name="Download the archive").click()
    assert fetching.value.suggested_filename.startswith("harbour-takeout-")
    fetching.value.save_as(tmp_path / "taken.zip")
    with zipfile.ZipFile(tmp_path / "taken.zip") as archive:
        assert archive.testzip() is None
        assert b"+441632960123" in archive.read("calls/calls.csv")
    expect(page.get_by_role("heading", name="Takeout", exact=True)).to_be_visible()  # still here


def test_the_page_does_not_dim_while_it_asks_how_far_it_is(signed_in: Callable[..., Page], make: Make) -> None:
    make.takeout(state=TakeoutState.IS_WRITTEN, step=30, steps=120)
    page = signed_in("olive")
    page.route("**/takeout/progress", lambda route: None)  # an answer that never comes
    with page.expect_request("**/takeout/progress"):
        page.goto(TAKEOUT)
    region = page.locator("#privacy-takeout")
    expect(region).to_have_class("region htmx-request")
    expect(region).to_have_css("opacity", "1")
    expect(region).to_have_css("pointer-events", "auto")


def test_the_one_before_can_be_fetched_while_the_page_asks(signed_in: Callable[..., Page], make: Make) -> None:
    """A button that each answer replaced would lose the focus each second, and a press that it came between."""
    make.takeout()
    writing = make.takeout(state=TakeoutState.IS_WRITTEN, step=30, steps=120)
    page = signed_in("olive")
    page.goto(TAKEOUT)
    button = page.get_by_role("button", name="Download the archive")
    button.focus()
    with make.session() as session:
        session.get_one(Takeout, (make.organization.id, writing.id)).step = 31
        session.commit()
    expect(page.get_by_text("31 of 120 files")).to_be_visible()
    expect(button).to_be_focused()


@pytest.mark.parametrize("state", ["none", "written", "ready", "failed", "kept from"])
def test_the_page_reads_well_in_each_state(signed_in: Callable[..., Page], make: Make, cast: Cast, state: str) -> None:
    if state == "written":
        make.takeout(state=TakeoutState.GONE)
        make.takeout(state=TakeoutState.IS_WRITTEN, step=30, steps=120, row_count=1_234_567, byte_count=9_000_000)
    elif state == "failed":
        make.takeout(state=TakeoutState.FAILED)
    elif state != "none":
        make.takeout(byte_count=1_234_567_890, steps=121, by_staff=True)
    page = signed_in("olive")
    if state == "kept from":
        make.membership(cast.olive, numbers=Numbers.MASKED)
    assert look_at(page, [(f"takeout, {state}", TAKEOUT)]) == []


def test_the_inventory_and_what_was_passed_over_read_well(signed_in: Callable[..., Page], make: Make) -> None:
    make.call(caller="+441632960123", callee="204")
    page = signed_in("max")
    page.goto(UNNAMED)
    page.get_by_role("button", name="Skip 01632 960123").click()
    expect(page.get_by_text("is passed over, for everybody.")).to_be_visible()
    expect(page.get_by_label("Name of 204")).to_be_focused()  # on to the next name
    page.get_by_role("button", name="Take back: 01632 960123").click()
    expect(page.get_by_role("button", name="Skip 01632 960123")).to_be_visible()
    page.get_by_role("button", name="Skip 01632 960123").click()
    expect(page.get_by_text("is passed over, for everybody.")).to_be_visible()
    found = look_at(page, [("passed over", f"{UNNAMED}/passed-over"), ("unnamed", UNNAMED)])
    assert [*found, *look_at(page, [("what Callbook holds", "/privacy/data")])] == []
