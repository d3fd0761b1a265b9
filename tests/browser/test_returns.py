"""Calls to return in a browser: taking, noting and marking as done change the row in its place."""

from collections.abc import Callable
from datetime import timedelta

from playwright.sync_api import Page, Route, expect

from tests.browser.test_every_page import problems_of
from tests.make import Make
from webapp.calls.outcomes import Outcome
from webapp.clock import now

PAGE = "/o/harbour/calls-to-return"


def test_two_things_done_quickly_to_a_row_both_show(signed_in: Callable[..., Page], make: Make) -> None:
    make.to_return(make.call(caller="+442079460181", started_at=now() - timedelta(hours=1), outcome=Outcome.VOICEMAIL))
    page = signed_in("vera")
    page.goto(PAGE)
    row = page.locator("tr[id^=returns-row]")
    assigning, doing = hold(page, "**/assign"), hold(page, "**/done")
    row.locator("select").select_option(label="I call")
    row.get_by_role("button", name="Done").press("Enter")
    let_go(page, assigning)
    expect(row.locator("input[name=seen]").first).not_to_have_value("")
    let_go(page, doing)
    expect(row).to_contain_text("by you")


def hold(page: Page, addresses: str) -> list[Route]:
    """What the page will ask these addresses; none is answered before it is let go."""
    held: list[Route] = []

    def keep(route: Route) -> None:
        held.append(route)

    page.route(addresses, keep)
    return held


def let_go(page: Page, held: list[Route]) -> None:
    while not held:
        page.wait_for_timeout(20)
    held[0].continue_()


def test_a_row_changes_in_its_place(signed_in: Callable[..., Page], make: Make) -> None:
    for turn, name in enumerate(("Tyne Valley Catering", "Avon Timber", "")):
        caller = f"+44207946018{turn}"
        call = make.call(
            caller=caller, names={caller: name}, started_at=now() - timedelta(hours=turn + 1), outcome=Outcome.VOICEMAIL
        )
        make.to_return(call, tries=turn + 1)
    page = signed_in("vera")
    page.goto(PAGE)
    rows = page.locator("tr[id^=returns-row]")
    expect(rows).to_have_count(3)
    first, second = rows.nth(0), rows.nth(1)
    first.locator("select").select_option(label="I call")
    expect(first.locator("select option:checked")).to_have_text("I call")
    second.get_by_text("Add a note").click()
    second.get_by_label("Note on Avon Timber").fill("Rings again on Friday")
    second.get_by_label("Note on Avon Timber").press("Enter")
    expect(second.locator("summary")).to_have_text("Rings again on Friday")
    expect(second.locator("summary")).to_be_focused()
    first.get_by_role("button", name="Done: Tyne Valley Catering").press("Enter")
    expect(first).to_contain_text("by you")
    expect(first.get_by_role("button", name="Not done: Tyne Valley Catering")).to_be_focused()
    assert problems_of(page, "calls to return") == []
    page.reload()
    expect(page.get_by_text("2 callers wait")).to_be_visible()
    page.get_by_text("Done today: 1").click()
    page.get_by_role("button", name="Not done: Tyne Valley Catering").click()
    expect(page.get_by_label("Who is to call Tyne Valley Catering")).to_be_visible()
    with page.expect_response(lambda response: response.request.method == "POST"):
        page.get_by_label("One mail a day").check()
    page.reload()
    expect(page.get_by_label("One mail a day")).to_be_checked()
    expect(page.get_by_text("3 callers wait")).to_be_visible()
