"""How long it is kept, and leaving, in a real browser: what would go, storing it, closing and taking back; axe."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_every_page import look_at, problems_of
from tests.make import NOON, Make
from webapp.clock import now
from webapp.database.ids import new_id
from webapp.privacy.models import RetentionRun

pytestmark = pytest.mark.browser
RETENTION = "/o/harbour/settings/retention"


def test_an_owner_sees_what_goes_before_it_is_stored(signed_in: Callable[..., Page], make: Make) -> None:
    make.call(caller="+441632960123", callee="204", started_at=NOON - timedelta(days=900))
    counts = {"calls": 1_234_567, "records": 2_345_678, "parties": 3210, "files": 12, "audit_events": 3, "archives": 1}
    make.store(RetentionRun(id=new_id(), started_at=now(), ended_at=now(), **counts))
    page = signed_in("olive")
    found = look_at(page, [("retention", RETENTION)])
    page.get_by_label("Calls and their records").select_option(label="1 year")
    page.get_by_role("button", name="Show what would go").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("What would go")
    expect(page.get_by_text("that no other call has")).to_be_visible()
    found += problems_of(page, "preview")
    page.get_by_role("button", name="Store").click()
    expect(page.get_by_text("It takes effect with the next run")).to_be_visible()
    expect(page.get_by_label("Calls and their records")).to_have_value("365")
    found += problems_of(page, "stored")
    assert found == []


def test_an_owner_closes_and_takes_back(signed_in: Callable[..., Page]) -> None:
    page, vera = signed_in("olive"), signed_in("vera")
    found = look_at(page, [("close", "/o/harbour/settings/close")])
    page.get_by_role("button", name="Close it").click()
    page.get_by_label("Its name").fill("Harbour")
    page.get_by_label("I know that everything").check()
    page.get_by_role("button", name="Close it").click()
    expect(page.get_by_role("alert")).to_contain_text("Type the name as it stands here")
    found += problems_of(page, "close, refused")
    page.get_by_label("Its name").fill("Harbour Boats")
    page.get_by_label("I know that everything").check()
    page.get_by_role("button", name="Close it").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Harbour Boats is closed")
    found += problems_of(page, "closed, for an owner")
    vera.goto("/o/harbour/calls")
    expect(vera.get_by_role("heading", level=1)).to_have_text("Harbour Boats is closed")
    found += problems_of(vera, "closed, any page")
    vera.get_by_role("link", name="Who to ask").click()
    expect(vera.get_by_text("olive@example.com")).to_be_visible()
    found += problems_of(vera, "closed, for a viewer")
    page.get_by_role("link", name="Take everything with you").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Takeout")
    found += problems_of(page, "closed, takeout")
    page.get_by_role("link", name="What can be done").click()
    page.get_by_role("button", name="Take it back").click()
    expect(page.get_by_text("is open again, with everything that was there")).to_be_visible()
    assert found == []
