"""The editor of routes in a real browser: what would happen is told as one writes; Enter stores nothing."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Page, Route, expect
from sqlalchemy import func, select

from tests.browser.gallery import route_pages
from tests.browser.test_every_page import look_at
from tests.make import Make
from webapp.database.ids import spell_id
from webapp.destinations.models import DestinationKind
from webapp.destinations.route_models import RouteCondition, RoutePlan, ScheduleVersion
from webapp.destinations.routing import Hours, RouteLine, Span

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
    expect(told).to_contain_text("Route 2: Choose where the call goes.")
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


@contextmanager
def hold_the_first(page: Page, addresses: str) -> Iterator[None]:
    """What is done within asks one of these addresses, and is never answered; what asks them later is."""
    held: list[Route] = []
    page.route(addresses, lambda route: route.continue_() if held else held.append(route))
    with page.expect_request(addresses):
        yield


def test_the_last_change_is_told_though_an_answer_before_it_is_late(signed_in: Callable[..., Page], make: Make) -> None:
    reception, voicemail, sales = (make.destination(name) for name in ("Reception", "Voicemail", "Sales"))
    number = make.number()
    make.route_plan(number, RouteLine(RouteCondition.ALWAYS, reception.id))
    page = signed_in("max")
    page.goto(f"/o/harbour/destinations/numbers/{spell_id(number.id)}/routes")
    with hold_the_first(page, "**/routes/try"):
        page.select_option("#rows-0-destination", spell_id(voicemail.id))
    page.select_option("#rows-0-destination", spell_id(sales.id))
    expect(page.locator("#destinations-try")).to_contain_text("Now Sales rings.")


def test_the_focus_stays_with_the_route_that_is_moved(signed_in: Callable[..., Page], make: Make) -> None:
    """Whoever uses the keyboard would begin at the top of the page after each press."""
    number, places = make.number(), [make.destination(name) for name in ("Reception", "Voicemail", "Sales")]
    make.route_plan(number, *(RouteLine(RouteCondition.ALWAYS, place.id) for place in places))
    page = signed_in("max")
    page.goto(f"/o/harbour/destinations/numbers/{spell_id(number.id)}/routes")
    page.get_by_role("button", name="Move route 1 down").focus()
    for key in ("Move route 2 down", "Move route 3 up", "Move route 2 up", "Move route 1 down"):
        page.keyboard.press("Enter")
        expect(page.get_by_role("button", name=key)).to_be_focused()
    page.get_by_role("button", name="Add a route").press("Enter")
    expect(page.locator("#rows-3-when")).to_be_focused()
    for key in ("Remove route 3", "Remove route 2", "Remove route 1"):
        page.get_by_role("button", name=key).press("Enter")
        expect(page.locator("li.route")).to_have_count(int(key[-1]))
        expect(page.get_by_role("button", name=key)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Add a route")).to_be_focused()
    page.goto(f"/o/harbour/destinations/numbers/{spell_id(number.id)}/routes/history")
    page.get_by_role("button", name="Tell me").press("Enter")
    expect(page.locator("#destinations-where-rang")).to_contain_text("Reception rang.")
    expect(page.get_by_role("button", name="Tell me")).to_be_focused()


def test_hours_are_tried_as_one_writes(signed_in: Callable[..., Page], make: Make) -> None:
    hours = make.schedule("Office hours", Hours("Europe/London", tuple(Span(day, 0, 1440) for day in range(1, 8))))
    reception, voicemail = make.destination("Reception"), make.destination("Voicemail", DestinationKind.VOICEMAIL)
    lines = RouteLine(RouteCondition.OPEN, reception.id, hours.id), RouteLine(RouteCondition.ALWAYS, voicemail.id)
    make.route_plan(make.number(label="Main line"), *lines)
    page = signed_in("max")
    page.goto(f"/o/harbour/destinations/schedules/{spell_id(hours.id)}")
    told = page.locator("#destinations-schedule-try")
    expect(told).to_contain_text("Now Reception rings.")
    expect(told).to_contain_text("at 19:00 Reception rings.")
    page.fill("#day_7", "9:00-25:00")
    page.press("#day_7", "Tab")
    expect(told).to_contain_text("Sunday: “9:00-25:00” is no time of the day")
    page.fill("#day_7", "9:00-17:00")
    page.press("#day_7", "Enter")
    expect(told).to_contain_text("at 19:00 Voicemail takes the call.")
    page.fill("#try_at", "2026-12-25T10:00")
    page.get_by_role("button", name="Try", exact=True).click()
    expect(told).to_contain_text("On 25 December 2026 at 10:00 Reception rings.")
    with make.session() as session:
        assert session.scalar(select(func.count()).select_from(ScheduleVersion)) == 1
    with hold_the_first(page, "**/try"):
        page.select_option("#time_zone", "Europe/Paris")
    page.fill("#try_at", "2026-12-25T11:00")
    page.press("#try_at", "Tab")
    expect(told).to_contain_text("On 25 December 2026 at 11:00 Reception rings.")
    page.get_by_role("button", name="Store").click()
    page.wait_for_url("**/o/harbour/destinations/routes")
    expect(page.locator("#page-messages")).to_contain_text("Routes go by it from now on.")


def test_its_pages_are_easy_to_use(signed_in: Callable[..., Page], make: Make) -> None:
    assert look_at(signed_in("olive"), route_pages(make).items()) == []
