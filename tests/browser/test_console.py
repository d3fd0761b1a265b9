"""The staff console in a browser: each page, wide and on a phone, light and dark, and by the keyboard."""

from collections.abc import Callable

import pytest
from flask import Flask
from playwright.sync_api import Page, expect

from tests.browser.conftest import PHONE, Site
from tests.browser.test_every_page import look_at
from tests.cast import Cast
from tests.client import PageCheckingClient
from tests.make import Make
from tests.staff.signed_in import sign_in_as_staff
from tests.staff.test_organizations import more
from tests.staff.test_seen import filled
from tests.staff.test_service import job, mail
from webapp.database.engine import Database
from webapp.database.ids import spell_id
from webapp.jobs.models import JobState
from webapp.rate_limits import LIMITED_NETWORKS
from webapp.staff.jobs import count_organizations
from webapp.tallies import add, today, write_down

__all__ = ["filled"]


@pytest.fixture
def of_staff(
    open_browser: Callable[..., Page], app: Flask, cast: Cast, site: Site, database: Database
) -> Callable[..., Page]:
    """An empty page of a new browser, in which Stella is signed in."""

    def open_page(**options: object) -> Page:
        client = app.test_client()
        assert isinstance(client, PageCheckingClient)
        sign_in_as_staff(app, client, database, cast.stella)
        cookie = client.get_cookie("sid")
        assert cookie is not None
        page = open_browser(**options)
        page.context.add_cookies(
            [{"name": "sid", "value": cookie.value, "url": site.address, "httpOnly": True, "sameSite": "Lax"}]
        )
        return page

    return open_page


def test_each_page_of_the_console(of_staff: Callable[..., Page], cast: Cast, filled: Make, database: Database) -> None:
    more(database, 60, calls=1_000_000, people=12, failing_sources=0, silent_sources=0, sources=3)
    dead = job(filled)
    mail(filled)
    job(filled, JobState.WAITING, kind="of.nobody")
    add(database, LIMITED_NETWORKS, today(), "2001:db8:1234:5678::/64", "sign-in:person+network", times=12)
    write_down(database)
    count_organizations(database)
    pages = {
        "organizations": "/staff/",
        "organizations, most calls": "/staff/?sort=calls",
        "organizations, none closed": "/staff/?state=closed",
        "organization": f"/staff/organizations/{spell_id(cast.harbour.id)}",
        "organization, empty": f"/staff/organizations/{spell_id(cast.quayside.id)}",
        "service": "/staff/service",
        "retry": f"/staff/service/jobs/{spell_id(dead.id)}/retry",
    }
    assert look_at(of_staff(), pages.items()) == []


def test_looking_for_an_organization_by_the_keyboard(of_staff: Callable[..., Page], site: Site, make: Make) -> None:
    more(make.database, 60)
    page = of_staff(viewport=PHONE)
    page.goto("/staff/")
    page.keyboard.press("/")
    page.keyboard.type("quay")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Quayside Ltd")).to_be_visible()
    expect(page.get_by_role("link", name="Harbour Boats")).to_have_count(0)
    assert site.path(page) == "/staff/find"
    page.get_by_role("link", name="Quayside Ltd").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Quayside Ltd")


def test_the_list_goes_on_by_itself(of_staff: Callable[..., Page], make: Make) -> None:
    more(make.database, 120)
    page = of_staff()
    page.goto("/staff/?sort=newest")
    rows = page.locator("table.organizations tbody:not(.more) tr")
    expect(rows).to_have_count(50)
    page.get_by_role("link", name="Show more organizations").scroll_into_view_if_needed()
    expect(rows).to_have_count(100)
