"""Everything by keyboard alone: from signing in to one call and back, the shortcuts, the menu, the help."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.gallery import answered_pbx, firm_calls
from tests.cast import PASSWORD
from tests.ingest.importing import Importing
from tests.make import Make

LOG = "/o/harbour/calls"


@pytest.fixture
def calls(make: Make, importing: Importing) -> None:
    importing.load(answered_pbx(make).id, firm_calls())


def tab_to(page: Page, name: str) -> None:
    """Press Tab until the thing of that name has the focus, and see that the focus shows."""
    for _step in range(60):
        page.keyboard.press("Tab")
        focused = page.locator(":focus")
        if focused.count() and name in (focused.get_attribute("aria-label") or focused.inner_text() or ""):
            outline = focused.evaluate(
                "(it) => getComputedStyle(it).outlineStyle + getComputedStyle(it, '::after').outlineStyle"
            )
            assert "solid" in outline, f"nothing shows that {name} has the focus"
            return
    raise AssertionError(f"Tab does not reach {name}")


@pytest.mark.usefixtures("calls")
def test_from_signing_in_to_a_call_and_back(page: Page) -> None:
    page.goto("/sign-in")
    expect(page.get_by_label("E-mail")).to_be_focused()
    page.keyboard.type("vera@example.com")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Overview")

    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("Skip to the page")
    tab_to(page, "Calls")
    page.keyboard.press("Enter")
    expect(page.locator("a.row-link")).to_have_count(50)

    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    page.keyboard.press("j")
    row = page.locator("a.row-link").nth(1)
    expect(row).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".lead")).to_be_visible()

    page.keyboard.press("Escape")
    expect(page.get_by_role("heading", level=1)).to_have_text("Calls")
    expect(page.locator("a.row-link").nth(1)).to_be_focused()


@pytest.mark.usefixtures("calls")
def test_the_skip_link_leads_past_the_bar(signed_in: Callable[..., Page]) -> None:
    page = signed_in("vera")
    page.goto("/o/harbour/")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.locator("main :focus")).to_have_count(1)


@pytest.mark.usefixtures("calls")
def test_j_goes_on_into_the_rows_that_come(signed_in: Callable[..., Page]) -> None:
    page = signed_in("vera")
    page.goto(LOG)
    for _press in range(50):
        page.keyboard.press("j")
    expect(page.locator("a.row-link")).not_to_have_count(50)
    page.keyboard.press("j")
    expect(page.locator("a.row-link").nth(50)).to_be_focused()


@pytest.mark.usefixtures("calls")
def test_slash_searches_and_escape_leaves_the_field(signed_in: Callable[..., Page]) -> None:
    page = signed_in("vera")
    page.goto(LOG)
    page.keyboard.press("/")
    field = page.get_by_placeholder("Name, number or extension")
    expect(field).to_be_focused()
    page.keyboard.type("j/k? 201")
    expect(field).to_have_value("j/k? 201")  # letters in a field are letters
    page.keyboard.press("Escape")
    expect(field).not_to_be_focused()
    page.keyboard.press("/")
    field.fill("201")
    page.keyboard.press("Enter")
    expect(page.locator(".chips")).to_contain_text("“201”")


@pytest.mark.usefixtures("calls")
def test_help_and_menu_open_and_close(signed_in: Callable[..., Page]) -> None:
    page = signed_in("vera")
    page.goto("/o/harbour/")
    page.keyboard.press("?")
    help_ = page.get_by_role("dialog", name="Keyboard")
    expect(help_).to_be_visible()
    page.keyboard.press("j")
    assert page.locator("a.row-link:focus").count() == 0  # the page behind it rests
    page.keyboard.press("Escape")
    expect(help_).to_be_hidden()

    tab_to(page, "Harbour Boats")
    page.keyboard.press("Enter")
    out = page.get_by_role("button", name="Sign out")
    expect(out).to_be_visible()
    page.keyboard.press("Escape")
    expect(out).to_be_hidden()
    expect(page.locator(".menu summary")).to_be_focused()
    page.keyboard.press("Enter")
    tab_to(page, "Sign out")
    page.keyboard.press("Enter")
    expect(page.get_by_text("You are signed out.")).to_be_visible()


def test_a_file_is_imported_by_keyboard(signed_in: Callable[..., Page], make: Make) -> None:
    make.pbx("Head office")
    page = signed_in("max")
    # From the beginning: Playwright waits for no answer when it tells the browser, which could be asked before it knew.
    page.on("filechooser", lambda _chooser: None)
    page.goto("/o/harbour/phone-systems")
    tab_to(page, "Import a file")
    page.keyboard.press("Enter")
    # Only then Tab: else a slow machine spends the presses on the page that is being left.
    expect(page.get_by_role("heading", level=1)).to_have_text("Import into Head office")
    chooser = page.locator("input[type=file]")
    for _step in range(20):
        page.keyboard.press("Tab")
        if chooser.evaluate("(it) => it === document.activeElement"):
            break
    expect(chooser).to_be_focused()
    with page.expect_file_chooser() as waiting:
        page.keyboard.press("Space")
    waiting.value.set_files({"name": "Master.csv", "mimeType": "text/csv", "buffer": firm_calls()})
    expect(page.get_by_role("heading", level=1)).to_have_text("Master.csv")
    tab_to(page, "Import this file")
    page.keyboard.press("Enter")
    expect(page.get_by_text("The file is imported.")).to_be_visible()
