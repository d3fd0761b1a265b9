"""Required by law: entered, agreed to by a second, the archive, its key, its gag, and what owners read."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskCliRunner
from playwright.sync_api import Page, expect

from tests.browser.conftest import Site
from tests.browser.test_every_page import look_at, problems_of
from tests.cast import Cast
from tests.make import Make
from tests.staff.conftest import SignIn, sign_in_staff
from webapp.accounts.models import UserAccount
from webapp.clock import now

__all__ = ["sign_in_staff"]


@pytest.fixture
def of_staff(open_browser: Callable[..., Page], sign_in_staff: SignIn, site: Site) -> Callable[[UserAccount], Page]:
    """A browser in which this person of staff is signed in."""

    def open_page(person: UserAccount) -> Page:
        cookie = sign_in_staff(person).get_cookie("sid")
        assert cookie is not None
        page = open_browser()
        page.context.add_cookies(
            [{"name": "sid", "value": cookie.value, "url": site.address, "httpOnly": True, "sameSite": "Lax"}]
        )
        return page

    return open_page


@pytest.fixture
def runner(app: Flask) -> FlaskCliRunner:
    return app.test_cli_runner()


def fill(page: Page) -> None:
    """All but what is handed out."""
    page.get_by_label("Organization", exact=True).fill("harbour")
    page.get_by_label("Legal basis").fill("Code of Procedure, section 100, order 7/2026")
    page.get_by_label("Authority").fill("Court of Harbourtown, 1 Castle Street")
    page.get_by_label("Scope, in words").fill("All calls of the office in the last month, with numbers")
    page.get_by_label("By whose order").fill("Court of Harbourtown, order 8/2026")
    page.get_by_label("Not before").fill((now() + timedelta(days=30)).date().isoformat())


def test_the_whole_path(
    of_staff: Callable[[UserAccount], Page],
    signed_in: Callable[..., Page],
    runner: FlaskCliRunner,
    site: Site,
    cast: Cast,
    make: Make,
    tmp_path: Path,
) -> None:
    make.call(caller="+442079460123", callee="201", talk=60)
    stella, steven, olive = of_staff(cast.stella), of_staff(cast.steven), signed_in("olive")
    found = look_at(stella, [("register, empty", "/staff/disclosures"), ("enter", "/staff/disclosures/new")])
    fill(stella)
    stella.get_by_role("button", name="Enter it").click()
    expect(stella.get_by_role("alert").first).to_be_visible()
    found += problems_of(stella, "enter, refused")
    stella.get_by_label("Calls, with who took part").check()
    stella.get_by_role("button", name="Enter it").click()
    expect(stella.get_by_text("another member of staff must agree")).to_be_visible()
    found += problems_of(stella, "entered")
    page_of_it = site.path(stella)

    steven.goto(page_of_it)
    found += problems_of(steven, "to be agreed to")
    steven.get_by_role("button", name="Agree").click()
    expect(steven.get_by_text("Agreed. The archive is being made.")).to_be_visible()
    expect(
        steven.get_by_role("link", name="Fetch the archive").or_(steven.get_by_role("link", name="Reload"))
    ).to_be_visible()
    while steven.get_by_role("link", name="Reload").count():
        steven.reload()
    expect(steven.get_by_text("Its key is shown to stella@example.com, once.")).to_be_visible()
    found += problems_of(steven, "made")

    stella.goto(page_of_it)
    stella.get_by_role("button", name="Show the key, once").click()
    key = stella.locator("code.key").inner_text()
    found += problems_of(stella, "the key")
    with stella.expect_download() as waiting:
        stella.get_by_role("link", name="Fetch the archive").click()
    sealed = tmp_path / waiting.value.suggested_filename
    waiting.value.save_as(sealed)
    opened = runner.invoke(args=["open-disclosure", str(sealed), "--key-stdin"], input=key)
    assert "every file in it is as its manifest says" in opened.output
    stella.goto(page_of_it)
    expect(stella.get_by_text("Its key was shown already")).to_be_visible()

    found += look_at(olive, [("gagged", "/o/harbour/who-looked/required-by-law")])
    expect(olive.get_by_text("Disclosures that we may tell you about: 0")).to_be_visible()
    stella.get_by_role("link", name="Lengthen the gag").click()
    found += problems_of(stella, "lengthen")
    stella.get_by_label("The order that lengthens it").fill("Court of Harbourtown, order 9/2026")
    stella.get_by_label("Not before").fill(now().date().isoformat())
    stella.get_by_label("Why").fill("The order was served yesterday")
    stella.get_by_role("button", name="Lengthen it").click()
    expect(stella.get_by_role("alert").first).to_be_visible()
    found += problems_of(stella, "lengthen, refused")
    stella.goto(page_of_it)
    stella.get_by_role("link", name="End the gag now").click()
    found += problems_of(stella, "end the gag")
    stella.get_by_label("Why").fill("The court let it go on 3 May")
    stella.get_by_role("button", name="End it and tell them").click()
    expect(stella.get_by_text("The gag is ended.")).to_be_visible()
    found += problems_of(stella, "told")
    found += look_at(stella, [("register", "/staff/disclosures")])
    found += look_at(olive, [("told, for owners", "/o/harbour/who-looked/required-by-law")])
    expect(olive.get_by_text("Disclosures that we may tell you about: 1")).to_be_visible()
    assert found == []
