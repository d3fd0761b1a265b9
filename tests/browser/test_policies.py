"""The policies in a browser: each page, wide and on a phone, light and dark; nothing is stored; staff publish."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PHONE, Site
from tests.browser.test_console import of_staff
from tests.browser.test_every_page import look_at, problems_of
from tests.policies.conftest import Fill, Publish, fill, publish_now
from webapp.clock import now
from webapp.database.ids import spell_id
from webapp.policies import text, versions
from webapp.policies.models import Announcement, Policy
from webapp.tenancy.sessions import reading_session

__all__ = ["fill", "of_staff", "publish_now"]
CANARIES = ("<img src=x onerror=alert(1)>", '"><svg onload=alert(1)>', "[a](javascript:alert(1))")


@pytest.fixture
def published(publish_now: Publish) -> None:
    """Two versions of the privacy policy and one to come, which is significant; the security policy."""
    publish_now(summary="The first version of all.")
    publish_now(Policy.SECURITY, summary="The first version of this.")
    publish_now(regions='["Germany", "France"]', summary="We store in France too.")
    ahead = now() + timedelta(days=20)
    publish_now(law='"France"', summary="Another law applies.", significant=True, effective_at=ahead)


def test_each_page_of_the_policies(page: Page, published: None) -> None:
    pages = {
        "privacy": "/privacy",
        "security": "/security",
        "versions": "/privacy/versions",
        "to come": "/privacy/3",
        "older": "/privacy/1",
        "difference": "/privacy/1/to/3",
        "employees": "/privacy/employees",
        "held": "/privacy/data",
    }
    assert look_at(page, pages.items()) == []
    page.goto("/privacy/1/to/3")
    page.evaluate("for (const fold of document.querySelectorAll('details')) fold.open = true")
    assert problems_of(page, "difference, unfolded") == []
    assert page.context.cookies() == []


def test_a_draft_with_gaps(page: Page) -> None:
    assert look_at(page, [("draft", "/privacy"), ("no versions", "/privacy/versions")]) == []


def test_two_versions_are_compared_by_the_keyboard(page: Page, site: Site, published: None) -> None:
    page.set_viewport_size(PHONE)
    page.goto("/privacy/versions")
    page.get_by_label("Compare version").select_option("1")
    page.get_by_label("with version", exact=True).select_option("2")
    page.get_by_label("with version", exact=True).focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("from version 1 to 2")
    assert site.path(page) == "/privacy/1/to/2"
    expect(page.locator("ins").filter(has_text="Germany and France.")).to_be_visible()


def test_on_paper_there_is_the_text_and_no_furniture(page: Page, published: None) -> None:
    page.goto("/privacy")
    page.emulate_media(media="print")
    expect(page.get_by_role("navigation")).to_be_hidden()
    expect(page.get_by_text("I have read it")).to_have_count(0)
    expect(page.get_by_role("heading", name="Your data is yours")).to_be_visible()
    expect(page.locator(".told")).to_be_hidden()
    expect(page.get_by_role("link", name="Feed of versions")).to_be_hidden()


def test_security_36_canaries_in_a_text_stay_words(
    page: Page, publish_now: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The watch over the browser fails on a dialog and on what the policy of content stops."""
    body = text.load_body(Policy.PRIVACY)
    publish_now()
    words = "\n\n".join((*CANARIES, *(f"* {canary}" for canary in CANARIES)))
    monkeypatch.setattr(versions, "load_body", lambda _policy: f"{body}\n\n## {CANARIES[0]}\n{words}\n")
    publish_now(summary=f"Beware of {CANARIES[0]}", operator=f"'{CANARIES[1]}'")
    for address in ("/privacy", "/privacy/1/to/2", "/privacy/versions"):
        page.goto(address)
        expect(page.get_by_text(CANARIES[0]).first).to_be_visible()
        assert page.locator("main img, main svg").count() == 0


def test_a_member_puts_a_notice_away(signed_in: Callable[..., Page], site: Site, published: None) -> None:
    page = signed_in("vera", viewport=PHONE)
    page.goto("/o/harbour/calls")
    notice = page.get_by_text("Another law applies.")
    for _turn in range(100):  # the worker is telling everybody
        if notice.count():
            break
        page.wait_for_timeout(500)
        page.goto("/o/harbour/people")
        page.goto("/o/harbour/calls")
    expect(notice).to_be_visible()
    assert problems_of(page, "a notice") == []
    page.get_by_role("button", name="I have read it").click()
    expect(notice).to_have_count(0)
    assert site.path(page) == "/o/harbour/calls"


def test_staff_publish_and_see_who_was_told(
    of_staff: Callable[..., Page], publish_now: Publish, fill: Fill, site: Site
) -> None:
    publish_now()
    fill(law='"France"')
    page = of_staff()
    assert look_at(page, [("policies", "/staff/policies"), ("incident", "/staff/announcements/new")]) == []
    page.goto("/staff/policies/privacy/publish")
    assert problems_of(page, "publish") == []
    page.get_by_label("What changes, in plain words").fill("short")
    page.get_by_label("Significant: everybody is told ahead").check()
    page.get_by_label("Why").fill("We move to France")
    page.get_by_role("button", name="Publish for good").click()
    expect(page.get_by_text("Say what changes, in 10 to 600 characters").first).to_be_visible()
    assert problems_of(page, "publish, mistaken") == []
    page.get_by_label("What changes, in plain words").fill("Another law applies from January.")
    page.get_by_label("In force from (UTC)").fill(f"{now() + timedelta(days=20):%Y-%m-%d}")
    page.get_by_role("button", name="Publish for good").click()
    expect(page.get_by_text("Version 2 of the privacy policy is published.")).to_be_visible()
    assert problems_of(page, "policies, published") == []
    with reading_session(site.worker.database) as session:
        announcement = session.query(Announcement).one()
    page.goto(f"/staff/announcements/{spell_id(announcement.id)}")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Privacy policy changes on")
    assert problems_of(page, "who was told") == []
