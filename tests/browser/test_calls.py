"""The call log in a browser: filter, search, scroll, with JavaScript and without, one call and back to its row."""

import re
from collections.abc import Callable
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PHONE, Site
from tests.browser.gallery import answered_pbx
from tests.ingest.importing import Importing
from tests.make import NOON, Make

LOG = "/o/harbour/calls"
EVERYTHING = f"{LOG}?period=all"
LONDON = ZoneInfo("Europe/London")
COUNT = 130  # two pages and a half


@pytest.fixture
def calls(make: Make, importing: Importing) -> None:
    """One every ten minutes, backwards from noon, from and to numbers that tell their turn."""
    importing.load(answered_pbx(make).id, "".join(_row(turn) for turn in reversed(range(COUNT))).encode())


def _row(turn: int) -> str:
    """As Asterisk writes it: every other call comes in, and every fifth is not answered."""
    start = NOON.astimezone(LONDON).replace(tzinfo=None) - timedelta(minutes=10 * turn)
    number, answered = f"0207946{turn:04}", turn % 5 != 0
    people = (number, "201") if turn % 2 == 0 else ("201", number)
    lines = ("PJSIP/provider", "PJSIP/201") if turn % 2 == 0 else ("PJSIP/201", "PJSIP/provider")
    answer, end = start + timedelta(seconds=5), start + timedelta(seconds=35)
    result = f'"{answer}","{end}",35,30,"ANSWERED"' if answered else f',"{end}",35,0,"NO ANSWER"'
    return (
        f'"","{people[0]}","{people[1]}","office","{people[0]}","{lines[0]}-{turn:08x}","{lines[1]}-{turn:08x}",'
        f'"Dial","x","{start}",{result},"DOCUMENTATION","{1784113200 - 600 * turn}.{turn}",""\n'
    )


def addresses(page: Page) -> list[str]:
    """Of the calls that are shown, in their order."""
    return [str(link.get_attribute("href")) for link in page.locator("a.row-link").all()]


def calls_figure(page: Page) -> int:
    return int(page.locator(".figures dd").first.inner_text().replace(",", ""))


def scroll_to_the_end(page: Page) -> None:
    while page.locator("#calls-rows a").count():
        shown = page.locator("a.row-link").count()
        page.locator("#calls-rows").scroll_into_view_if_needed()
        expect(page.locator("a.row-link")).not_to_have_count(shown)


@pytest.mark.usefixtures("calls")
def test_scrolling_brings_every_call_once(signed_in: Callable[..., Page]) -> None:
    page = signed_in("vera")
    page.goto(EVERYTHING)
    assert page.locator("a.row-link").count() == 50
    scroll_to_the_end(page)

    shown = addresses(page)
    assert len(shown) == len(set(shown)) == COUNT == calls_figure(page)
    times = [str(time.get_attribute("datetime")) for time in page.locator("td.when time").all()]
    assert times == sorted(times, reverse=True)
    page.wait_for_url("**after=**")
    headings = page.locator("tr.day th").all_inner_texts()
    assert len(headings) == len(set(headings)) > 1


@pytest.mark.usefixtures("calls")
def test_without_javascript_plain_links_bring_every_call_once(signed_in: Callable[..., Page]) -> None:
    page = signed_in("vera", java_script_enabled=False)
    page.goto(EVERYTHING)
    shown = addresses(page)
    while page.locator("#calls-rows a").count():
        page.locator("#calls-rows a").click()
        page.wait_for_load_state()  # the click ends when the next page begins to come
        shown += addresses(page)
    assert len(shown) == len(set(shown)) == COUNT

    page.get_by_role("link", name="Calls", exact=True).first.click()
    page.get_by_label("Period", exact=True).select_option("all")
    page.get_by_label("Direction", exact=True).select_option("outbound")
    page.get_by_role("button", name="Search").click()
    expect(page.locator(".chips")).to_contain_text("Outbound")
    assert calls_figure(page) == COUNT // 2


@pytest.mark.usefixtures("calls")
def test_back_from_a_call_returns_to_the_same_rows(signed_in: Callable[..., Page], site: Site) -> None:
    page = signed_in("vera")
    page.goto(f"{EVERYTHING}&direction=inbound")
    page.locator("#calls-rows").scroll_into_view_if_needed()
    expect(page.locator("a.row-link")).to_have_count(COUNT // 2)
    row = page.locator("a.row-link").nth(-3)
    address = str(row.get_attribute("href"))
    row.click()
    expect(page.locator(".lead")).to_be_visible()

    page.go_back()
    expect(page.locator(f'a.row-link[href="{address}"]')).to_be_in_viewport()
    there = site.path(page)
    assert "after=" in there
    expect(page.locator(".chips")).to_contain_text("Inbound")

    expect(page.locator(f'a.row-link[href="{address}"]')).to_be_focused()

    page.keyboard.press("Enter")
    page.locator("a[data-back]").click()  # the page's own way back is the same
    expect(page.locator(f'a.row-link[href="{address}"]')).to_be_in_viewport()
    assert site.path(page) == there
    page.reload()
    expect(page.locator(f'a.row-link[href="{address}"]')).to_be_visible()


@pytest.mark.usefixtures("calls")
def test_back_returns_to_a_row_above_those_that_came_last(signed_in: Callable[..., Page]) -> None:
    page = signed_in("vera")
    page.goto(EVERYTHING)
    scroll_to_the_end(page)
    for place in (3, 60):
        link = page.locator("a.row-link").nth(place)
        address = str(link.get_attribute("href"))
        link.click()
        expect(page.locator(".lead")).to_be_visible()
        page.go_back()
        expect(page.locator(f'a.row-link[href="{address}"]')).to_be_in_viewport()
        page.goto(EVERYTHING)
        scroll_to_the_end(page)


@pytest.mark.usefixtures("calls")
def test_a_call_opened_on_its_own_leads_back_to_the_log(signed_in: Callable[..., Page], site: Site) -> None:
    page = signed_in("vera")
    page.goto(EVERYTHING)
    [address, *_] = addresses(page)
    alone = page.context.new_page()
    alone.goto(address)
    alone.locator("a[data-back]").click()
    expect(alone.get_by_role("heading", level=1)).to_have_text("Calls")
    assert site.path(alone) == LOG


@pytest.mark.usefixtures("calls")
def test_filters_apply_at_once_live_in_the_address_and_come_off_by_their_chips(
    signed_in: Callable[..., Page], site: Site
) -> None:
    page = signed_in("vera")
    page.goto(EVERYTHING)
    page.get_by_label("Direction", exact=True).select_option("inbound")
    expect(page.locator(".chips")).to_contain_text("Inbound")
    page.get_by_label("Outcome", exact=True).select_option("missed")
    expect(page.locator(".chips")).to_contain_text("Missed")
    missed = len([turn for turn in range(COUNT) if turn % 10 == 0])
    expect(page.locator("a.row-link")).to_have_count(missed)
    assert calls_figure(page) == missed
    assert parse_qs(urlsplit(page.url).query)["outcome"] == ["missed"]

    page.get_by_role("link", name="Remove: Outcome Missed").click()  # htmx brings the log without it
    expect(page.locator(".figures dd").first).to_have_text(str(COUNT // 2))
    assert "outcome" not in page.url
    page.go_back()
    expect(page.locator(".figures dd").first).to_have_text(str(missed))
    expect(page.get_by_label("Outcome", exact=True)).to_have_value("missed")

    page.get_by_role("link", name="Remove all").click()
    expect(page.locator(".chips")).to_have_count(0)
    assert site.path(page) == LOG


@pytest.mark.usefixtures("calls")
def test_a_choice_counts_while_the_page_still_arrives(signed_in: Callable[..., Page]) -> None:
    """Else it would stand in its field over rows that are not of it."""
    page = signed_in("vera")
    page.route("**/htmx.min.js*", lambda route: None)  # on its way for ever
    page.goto(EVERYTHING, wait_until="commit")
    page.get_by_label("Direction", exact=True).select_option("inbound")
    expect(page.locator(".chips")).to_contain_text("Inbound")


@pytest.mark.usefixtures("calls")
def test_from_and_to_open_where_they_are_filled_in(signed_in: Callable[..., Page]) -> None:
    page = signed_in("vera")
    page.goto(EVERYTHING)
    page.get_by_label("Period", exact=True).select_option("between")
    expect(page.get_by_label("From")).to_be_focused()
    day = NOON.date().isoformat()
    page.get_by_label("From").fill(day)
    page.get_by_label("To, included").fill(day)
    page.get_by_role("button", name="Apply").click()

    expect(page.locator(".head .sub")).to_contain_text("Wednesday 15 July")
    expect(page.get_by_label("From")).to_be_hidden()  # the chip tells it; nothing lies over the rows
    page.locator(".further > summary").click()
    expect(page.get_by_label("From")).to_have_value(day)
    page.keyboard.press("Escape")
    expect(page.get_by_label("From")).to_be_hidden()


@pytest.mark.usefixtures("calls")
def test_nonsense_is_marked_beside_its_field(signed_in: Callable[..., Page]) -> None:
    page = signed_in("vera")
    page.goto(EVERYTHING)
    page.locator(".further > summary").click()
    page.get_by_label("Talked at least").fill("soon")
    page.get_by_role("button", name="Apply").click()

    field = page.get_by_label("Talked at least")
    expect(field).to_be_visible()
    expect(field).to_have_value("soon")
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_have_accessible_description(re.compile("Give seconds"))
    expect(page.get_by_text("Nothing was looked for yet.")).to_be_in_viewport()


@pytest.mark.usefixtures("calls")
def test_digits_searched_for_stay_out_of_the_address(signed_in: Callable[..., Page]) -> None:
    page = signed_in("vera")
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.goto(EVERYTHING)
    page.get_by_placeholder("Name, number or extension").fill("7946 0123")
    page.keyboard.press("Enter")

    expect(page.locator(".chips")).to_contain_text("7946 0123")
    expect(page.locator("a.row-link")).to_have_count(1)
    assert not [address for address in requests if "0123" in address or "7946" in address]
    page.go_back()
    page.go_forward()
    expect(page.locator(".chips")).to_contain_text("7946 0123")


@pytest.mark.usefixtures("calls")
def test_on_a_phone_the_filters_fold_behind_one_control(signed_in: Callable[..., Page]) -> None:
    page = signed_in("vera", viewport=PHONE, has_touch=True)
    page.goto(EVERYTHING)
    expect(page.get_by_label("Direction", exact=True)).to_be_hidden()
    search, button = (
        page.locator("#calls-words").bounding_box(),
        page.get_by_role("button", name="Search").bounding_box(),
    )
    assert search and button and search["y"] == button["y"]

    page.locator(".unfold summary").tap()
    page.get_by_label("Direction", exact=True).select_option("outbound")
    expect(page.locator(".chips")).to_contain_text("Outbound")
    assert calls_figure(page) == COUNT // 2
    page.locator("a.row-link").first.tap()
    expect(page.locator(".lead")).to_be_visible()


def test_a_period_without_calls_offers_the_nearest_with_some(signed_in: Callable[..., Page], make: Make) -> None:
    make.call(started_at=NOON.replace(year=2017))
    page = signed_in("vera")
    page.goto(LOG)
    expect(page.get_by_role("heading", level=2)).to_have_text("No calls in the last 30 days.")
    page.get_by_role("link", name="Show the 30 days up to it").click()
    expect(page.locator("a.row-link")).to_have_count(1)


def test_what_the_newest_calls_are_is_told_oldest_first_too(signed_in: Callable[..., Page], make: Make) -> None:
    first, last = make.call(started_at=NOON), make.call(started_at=NOON + timedelta(hours=1))
    assert first.started_at < last.started_at
    page = signed_in("vera")
    page.goto(EVERYTHING)
    newest_first = addresses(page)
    page.get_by_role("link", name="Oldest first").click()
    expect(page.get_by_role("link", name="Newest first")).to_be_visible()
    expect(page.locator("a.row-link")).to_have_count(2)
    assert addresses(page) == newest_first[::-1]
