"""Destinations in a real browser: an extension named with one key, its row edited in place, axe finds nothing."""

import io
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PHONE
from tests.browser.test_every_page import look_at, problems_of
from tests.destinations.test_people_pages import EXTENSION, NUMBER, add, page_of
from tests.make import Make
from webapp.database.ids import spell_id
from webapp.destinations.models import DestinationKind
from webapp.jobs.stored_files import store_stream

pytestmark = pytest.mark.browser
LIST = "/o/harbour/destinations"


def test_one_key_names_and_leads_to_the_next(signed_in: Callable[..., Page], make: Make) -> None:
    make.call(caller="+442079460123", callee="204", names={"204": "Ann Lee"})
    page = signed_in("max")
    page.goto(f"{LIST}/unnamed")
    first, second = page.get_by_label("Name of 020 7946 0123"), page.get_by_label("Name of 204")
    first.fill("Tyne Valley")
    first.press("Enter")
    expect(page.get_by_text("is Tyne Valley now.")).to_be_visible()
    expect(second).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_text("is Ann Lee now.")).to_be_visible()
    page.reload()
    expect(page.get_by_text("2 of 2 numbers and extensions in your last 1 call have a name")).to_be_visible()


def test_a_row_is_edited_in_its_place(signed_in: Callable[..., Page], make: Make) -> None:
    add(make, "Ann", EXTENSION)
    add(make, "Ben")
    page = signed_in("max")
    page.goto(LIST)
    expect(page.get_by_text("0 calls").first).to_be_visible()  # brought by htmx after the page
    page.get_by_role("link", name="Edit Ann").click()
    expect(page.get_by_label("Name", exact=True)).to_be_focused()
    expect(page.get_by_text("People of the team")).to_be_hidden()
    page.get_by_label("Kind", exact=True).last.select_option("Team")
    expect(page.get_by_text("People of the team")).to_be_visible()
    page.get_by_label("Kind", exact=True).last.select_option("Person")
    page.get_by_label("Name", exact=True).fill("")
    page.get_by_label("Numbers and extensions").fill("204\n205")
    page.get_by_role("button", name="Store").click()
    page.get_by_label("Name", exact=True).fill("Ann Lee")
    assert problems_of(page, "row as a form") == []
    page.get_by_role("button", name="Store").click()
    expect(page.get_by_role("row", name="Ann Lee")).to_contain_text("205")
    expect(page.get_by_role("link", name="Edit Ann Lee")).to_be_focused()
    page.get_by_role("link", name="Edit Ben").click()
    page.get_by_role("link", name="Not now").click()
    expect(page.get_by_role("link", name="Edit Ben")).to_be_focused()
    assert page.url.endswith(LIST)


def test_a_number_is_tested_where_one_stands(signed_in: Callable[..., Page], make: Make) -> None:
    add(make, "Tyne Valley", NUMBER, kind=DestinationKind.CUSTOMER)
    page = signed_in("vera", viewport=PHONE)
    page.goto(LIST)
    page.get_by_label("Number or extension").fill("01632 960123")
    page.get_by_role("button", name="Test it").click()
    expect(page.get_by_text("Nothing else names it at that time.")).to_be_visible()
    assert page.url.endswith(LIST)
    assert problems_of(page, "a number tested") == []


def test_on_a_phone_the_page_that_is_shown_is_not_beyond_the_edge_of_its_row(signed_in: Callable[..., Page]) -> None:
    page = signed_in("olive", viewport=PHONE)
    for address, name in ((f"{LIST}/unnamed", "Still without a name"), ("/o/harbour/settings", "Settings")):
        page.goto(address)
        expect(page.get_by_role("link", name=name, exact=True)).to_be_in_viewport(ratio=0.95)
    page.goto(LIST)
    expect(page.get_by_role("link", name="People and places")).to_be_in_viewport(ratio=0.95)


@pytest.mark.parametrize("width", [1280, 1000, 760])
def test_a_long_name_pushes_nothing_over_something_else(signed_in: Callable[..., Page], make: Make, width: int) -> None:
    """Words and drawing of the figures stand beside each other, and the name keeps its room."""
    add(make, "A long name without an end " * 2 + "and so it goes on", kind=DestinationKind.CUSTOMER)
    add(make, "Tyne Valley", NUMBER, kind=DestinationKind.CUSTOMER)
    make.call(caller="+441632960123", callee="201")
    page = signed_in("max", viewport={"width": width, "height": 900})
    page.goto(LIST)
    row = page.get_by_role("row", name="Tyne Valley")
    words, drawing = row.locator("time").bounding_box(), row.locator(".spark svg").bounding_box()
    assert words and drawing
    beside = words["x"] + words["width"] <= drawing["x"]
    assert beside or words["y"] + words["height"] <= drawing["y"]
    name = page.get_by_role("rowheader", name="A long name").bounding_box()
    assert name and name["width"] >= 150


def test_destinations_read_well_everywhere(signed_in: Callable[..., Page], make: Make) -> None:
    ann = add(make, "Ann", EXTENSION, NUMBER, colour=3, note="In the office on Mondays " * 20)
    add(make, "A very long name of a company that " * 2, kind=DestinationKind.CUSTOMER)
    add(make, "Sales", kind=DestinationKind.TEAM, members=frozenset({ann.id}))
    make.call(caller="+442079460123", callee="201", names={"201": "Somebody with a very long name indeed " * 2})
    lines = f"name,number,note\n{'A long name ' * 6},01632 960999,{'and a long note ' * 9}\n".encode()
    file_id = store_stream(make.database, make.organization.id, io.BytesIO(lines))
    received = make.contact_import(
        stored_file_id=file_id,
        line_count=3,
        added_count=1,
        refused_count=2,
        refused='[[2, "It has no name."], [3, "It has no name."]]',
    )
    page = signed_in("olive")
    found = look_at(
        page,
        [
            ("destinations", LIST),
            ("destinations, none such", f"{LIST}?q=nobody"),
            ("a destination", page_of(ann)),
            ("a new destination", f"{LIST}/new"),
            ("change", page_of(ann, "/edit")),
            ("hand over", page_of(ann, "/hand-over")),
            ("merge", page_of(ann, "/merge")),
            ("unnamed", f"{LIST}/unnamed"),
            ("test", f"{LIST}/test"),
            ("import", f"{LIST}/import"),
            ("contacts", f"{LIST}/import/{spell_id(received.id)}"),
        ],
    )
    assert found == []
