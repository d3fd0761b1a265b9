"""Each page in each state, wide and on a phone, light and dark: axe finds no violation, nothing scrolls sideways."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PHONE, WIDE, sign_in
from tests.browser.gallery import hang
from tests.ingest.importing import Importing
from tests.make import Make

AXE = (Path(__file__).resolve().parents[1] / "vendor" / "axe.min.js").read_text("utf-8")
TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
NARROWEST = {"width": 320, "height": 640}
_ALL = {"runOnly": {"type": "tag", "values": list(TAGS)}, "resultTypes": ["violations"]}
#: What width and colours can change.
_LAYOUT = {
    "runOnly": {"type": "rule", "values": ["color-contrast", "target-size", "scrollable-region-focusable"]},
    "resultTypes": ["violations"],
}
_COLOURS = {"runOnly": {"type": "rule", "values": ["color-contrast"]}, "resultTypes": ["violations"]}
_RUN = """async (options) => (await axe.run(document, options)).violations.flatMap((each) =>
  each.nodes.map((node) => `${each.id}: ${node.target} (${node.failureSummary.split("\\n")[1]?.trim()})`))"""
#: How wide the page has become, and what reaches beyond it.
_SIDEWAYS = """() => document.documentElement.scrollWidth > innerWidth
  ? [`${document.documentElement.scrollWidth} px`].concat(
      [...document.querySelectorAll("body *")].filter((it) => it.getBoundingClientRect().right > innerWidth + 1)
        .slice(0, 5).map((it) => `${it.tagName} ${it.className} ${it.textContent.trim().slice(0, 40)}`))
  : []"""


def problems_of(page: Page, name: str) -> list[str]:
    """What is wrong with the page as it stands, at every width and in both schemes."""
    wait_until_it_rests(page)
    page.evaluate(AXE)
    found = []
    for size, rules in ((WIDE, _ALL), (PHONE, _LAYOUT), (NARROWEST, None)):
        page.set_viewport_size(size)
        where = f"{name} at {size['width']}"
        found += [f"{where} scrolls sideways: {what}" for what in page.evaluate(_SIDEWAYS)]
        if rules is not None:
            found += [f"{where}, light: {what}" for what in page.evaluate(_RUN, rules)]
    page.set_viewport_size(WIDE)
    page.emulate_media(color_scheme="dark")
    found += [f"{name}, dark: {what}" for what in page.evaluate(_RUN, _COLOURS)]
    page.emulate_media(color_scheme="light")
    return found


def wait_until_it_rests(page: Page) -> None:
    """A click ends when the next page begins to come; and htmx may be bringing a part. Only a page that asks how far
    the work is goes on asking."""
    page.wait_for_load_state()
    expect(page.locator(".htmx-request:not([data-hx-trigger^=every])")).to_have_count(0)


def look_at(page: Page, pages: Iterable[tuple[str, str]]) -> list[str]:
    found: list[str] = []
    for name, address in pages:
        page.goto(address)
        found += problems_of(page, name)
    return found


@pytest.mark.parametrize("part", [0, 1, 2])
def test_pages_of_an_organization_with_everything(
    signed_in: Callable[..., Page], make: Make, importing: Importing, part: int
) -> None:
    pages = sorted(hang(make, importing).items())[part::3]
    assert look_at(signed_in("olive"), pages) == []


def test_pages_of_an_empty_organization_and_of_none(signed_in: Callable[..., Page]) -> None:
    page = signed_in("quentin")
    names = ("", "calls", "phone-systems", "phone-systems/new", "imports")
    found = look_at(page, [(f"empty {name}", f"/o/quayside/{name}") for name in names])
    assert found == []
    assert look_at(signed_in("nora"), [("no organization", "/")]) == []


def test_pages_before_signing_in(open_browser: Callable[..., Page], signed_in: Callable[..., Page]) -> None:
    page = open_browser()
    found = look_at(
        page, [("sign in", "/sign-in"), ("signed out", "/sign-in?left=yes"), ("no cookie", "/sign-in/check")]
    )
    found += look_at(
        page,
        [("stranger", "/"), ("privacy", "/privacy"), ("security", "/security"), ("bad link", "/invitations/nonsense")],
    )
    page.goto("/sign-in")
    page.get_by_label("E-mail").fill("nobody@example.com")
    page.get_by_label("Password").fill("mistaken")
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_role("alert").wait_for()
    found += problems_of(page, "wrong password")
    sign_in(page, "vera")
    found += look_at(page, [("role too small", "/o/harbour/phone-systems/new"), ("outsider", "/o/quayside/")])
    assert found == []


def test_what_opens_on_a_page(signed_in: Callable[..., Page], make: Make, importing: Importing) -> None:
    """Menus, folds, the help, the questions after a mistake, calls before and after other answers."""
    addresses = hang(make, importing)
    page = signed_in("olive")
    page.goto(addresses["calls"])
    page.evaluate("for (const fold of document.querySelectorAll('details')) fold.open = true")
    found = problems_of(page, "calls, all unfolded")
    page.goto(addresses["overview"])
    page.evaluate("for (const fold of document.querySelectorAll('.chart details')) fold.open = true")
    found += problems_of(page, "overview, tables")
    page.goto(addresses["call 1"])
    page.evaluate("for (const fold of document.querySelectorAll('details.fold')) fold.open = true")
    found += problems_of(page, "call, records")
    page.keyboard.press("?")
    found += problems_of(page, "help")
    page.goto(addresses["set up"])
    answer(page, {"How many digits": "four"})
    found += problems_of(page, "set up, mistaken")
    answer(page, {"How many digits": "4"})
    page.get_by_role("button", name="again").wait_for()
    found += problems_of(page, "before and after")
    assert found == []


def answer(page: Page, answers: dict[str, Any]) -> None:
    for label, value in answers.items():
        page.get_by_label(label).fill(value)
    page.get_by_role("button", name="See what changes").click()


def test_the_watch_over_pages_watches(signed_in: Callable[..., Page]) -> None:
    page = signed_in("vera")
    page.goto("/o/harbour/")
    page.evaluate("""() => { document.body.append(document.createElement("img"));
      const wide = document.createElement("p"); wide.textContent = "x".repeat(3000); wide.className = "wide-one";
      document.querySelector("main").append(wide); wide.style.whiteSpace = "nowrap";
      wide.style.color = "#999"; wide.style.background = "#aaa"; }""")
    found = "\n".join(problems_of(page, "spoilt"))
    assert "image-alt" in found
    assert "spoilt at 320 scrolls sideways: " in found
    assert "dark: color-contrast" in found
