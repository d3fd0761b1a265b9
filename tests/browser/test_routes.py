"""The editor of routes in a real browser: what would happen is told as one writes; Enter stores nothing."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import func, select

from tests.browser.gallery import route_pages
from tests.browser.test_every_page import look_at
from tests.make import Make
from webapp.database.ids import spell_id
from webapp.destinations.route_models import RouteCondition, RoutePlan
from webapp.destinations.routing import RouteLine

pytestmark = pytest.mark.browser


def test_what_would_happen_is_told_as_one_writes(signed_in: Callable[..., Page], make: Make) -> None:
    reception, voicemail = make.destination("Reception"), make.destination("Voicemail")
    number = make.number(label="Main line")
    make.route_plan(number, RouteLine(RouteCondition.ALWAYS, reception.id))
    page = signed_in("max")
    address = f"/o/harbour/destinations/numbers/{spell_id(number.id)}/routes"
    page.goto(address)
    told = page.locator("#destinations-try")
    expect(told).to_contain_text("Now Reception rings.")
    page.select_option("#rows-0-destination", spell_id(voicemail.id))
    expect(told).to_contain_text("Now Voicemail rings.")
    page.get_by_role("button", name="Add a route").click()
    expect(page.locator("li.route")).to_have_count(2)
    expect(told).to_contain_text("not complete yet")
    page.select_option("#rows-1-when", "no_answer")
    page.select_option("#rows-1-destination", spell_id(reception.id))
    page.fill("#rows-1-seconds", "35")
    page.press("#rows-1-seconds", "Enter")
    expect(told).to_contain_text("If nobody answers for 35 s, it goes to Reception.")
    with make.session() as session:
        assert session.scalar(select(func.count()).select_from(RoutePlan)) == 1
    page.get_by_role("button", name="Move route 2 up").click()
    expect(page.locator("#rows-0-when")).to_have_value("no_answer")
    page.get_by_role("button", name="Store the routes").click()
    page.wait_for_url(f"**{address}/history")
    expect(page.locator("#page-messages")).to_contain_text("The routes are stored.")


def test_its_pages_are_easy_to_use(signed_in: Callable[..., Page], make: Make) -> None:
    assert look_at(signed_in("olive"), route_pages(make).items()) == []
