"""Who looked in a real browser: choices apply at once, earlier events come as the reader scrolls, axe finds nothing."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PHONE
from tests.browser.test_every_page import look_at, problems_of
from tests.make import Make
from webapp.audit.actions import record

pytestmark = pytest.mark.browser
LOOKED = "/o/harbour/who-looked"


@pytest.fixture
def looked(signed_in: Callable[..., Page], make: Make) -> Page:
    """Olive's browser, and 120 events."""
    with make.session() as session:
        for turn in range(120):
            record(session, "pbx.closed", actor_id=None, name=f"{'A very long name ' * 4}{turn}")
        session.commit()
    return signed_in("olive")


def test_who_looked_reads_well_everywhere(looked: Page) -> None:
    found = look_at(
        looked,
        [
            ("who looked", LOOKED),
            ("who looked, filtered", f"{LOOKED}?who=operator&what=imports&from=2026-01-01"),
            ("who looked, wrong", f"{LOOKED}?from=soon&what=nothing"),
            ("who looked, none", f"{LOOKED}?to=2015-01-01"),
        ],
    )
    looked.goto(LOOKED)
    looked.get_by_text("Days", exact=True).click()
    assert [*found, *problems_of(looked, "who looked, days")] == []


def test_earlier_events_come_as_the_reader_scrolls(looked: Page) -> None:
    looked.goto(LOOKED)
    rows = looked.locator("td.what")
    expect(rows).to_have_count(50)
    while looked.get_by_text("That is all.").count() == 0:
        count = rows.count()
        looked.locator("tbody.more").scroll_into_view_if_needed()
        expect(rows).not_to_have_count(count)
    assert rows.count() > 120
    assert rows.last.inner_text() == "The organization was made"


def test_a_choice_applies_at_once(looked: Page) -> None:
    looked.set_viewport_size(PHONE)
    looked.goto(LOOKED)
    looked.get_by_label("What", exact=True).select_option("Sign-ins")
    looked.wait_for_url("**/who-looked?*what=sign-ins*")
    expect(looked.locator("td.what")).to_have_text(["Signed in"])
    looked.get_by_role("link", name="Remove: What Sign-ins").click()
    expect(looked.locator("td.what")).to_have_count(50)
