"""What a page may never do in a browser: run what a file holds, ask another host, keep anything but the one cookie."""

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Site, sign_in
from tests.browser.gallery import answered_pbx, firm_calls
from tests.browser.watch import Watch
from tests.ingest.importing import Importing
from tests.make import Make

CANARIES = (
    "<img src=x onerror=\"tellViolation('ran')\">",
    '"><svg onload=tellViolation(1)>',
    "sum {{7*7}} ${7*7}",
    "javascript:tellViolation(1)",
    "</script><script>tellViolation(1)</script>",
    "'-tellViolation(1)-'",
)


def a_line(turn: int, words: str) -> str:
    """As Asterisk writes it, with the same words in every field that holds free text."""
    quoted = words.replace('"', '""')
    moment = f"2026-07-15 12:{turn:02}:00"
    return (
        f'"{quoted}","02079460{turn:03}","201","{quoted}","""{quoted}"" <02079460{turn:03}>",'
        f'"PJSIP/{quoted}-{turn:08}","PJSIP/201-{turn:08}","{quoted}","{quoted}","{moment}","{moment}","{moment}",20,20,'
        f'"ANSWERED","DOCUMENTATION","{1784113200 + 60 * turn}.{turn}","{quoted}"\n'
    )


@pytest.fixture
def poisoned(tmp_path: Path) -> Path:
    lines = [a_line(turn, words) for turn, words in enumerate(CANARIES)]
    path = tmp_path / '<img src=x onerror=tellViolation("name")>.csv'
    path.write_text("".join(lines) + f'"{CANARIES[0]}"\n')
    return path


def test_security_36_nothing_of_a_file_runs_on_any_page(
    signed_in: Callable[..., Page], make: Make, poisoned: Path, importing: Importing
) -> None:
    make.pbx(CANARIES[0][:80], outside_lines="[]", answered_at=None)
    page = signed_in("olive")
    page.goto("/o/harbour/phone-systems")
    page.get_by_role("link", name="Import a file").click()
    page.locator("input[type=file]").set_input_files(poisoned)
    expect(page.get_by_role("heading", level=1)).to_have_text(poisoned.name)
    expect(page.get_by_text(CANARIES[0]).first).to_be_visible()  # as text
    page.get_by_role("button", name="Import this file").click()
    expect(page.get_by_text("The file is imported.")).to_be_visible()
    page.get_by_role("link", name="refused").first.click()
    expect(page.locator("td.raw")).to_contain_text("<img src=x")

    page.goto("/o/harbour/calls?period=all")
    shown = page.locator("#calls-log").inner_text()
    assert [words for words in CANARIES if words not in shown] == []
    for address in [str(link.get_attribute("href")) for link in page.locator("a.row-link").all()]:
        page.goto(address)
        page.evaluate("for (const fold of document.querySelectorAll('details')) fold.open = true")
        expect(page.locator(".lead")).to_be_visible()
    page.goto("/o/harbour/phone-systems")
    page.get_by_role("link", name="Answer three questions").first.click()
    expect(page.get_by_label("Country")).to_be_visible()
    page.goto("/o/harbour/")
    expect(page.get_by_text("Newest calls").first).to_be_visible()
    assert len(importing.calls()) == len(CANARIES)


@pytest.mark.parametrize("words", CANARIES)
def test_security_36_words_searched_for_do_not_run(signed_in: Callable[..., Page], make: Make, words: str) -> None:
    make.call()
    page = signed_in("vera")
    page.goto("/o/harbour/calls?period=all")
    page.get_by_placeholder("Name, number or extension").fill(words)
    page.keyboard.press("Enter")
    expect(page.locator(".chips")).to_contain_text(words)
    expect(page.get_by_placeholder("Name, number or extension")).to_have_value(words)
    page.goto(f"/o/harbour/calls?from={words}&talk_min={words}&direction={words}")
    expect(page.get_by_text("Nothing was looked for yet.")).to_be_visible()


def test_security_1_52_a_visit_asks_no_other_host_and_keeps_only_the_cookie(
    open_browser: Callable[..., Page], make: Make, importing: Importing
) -> None:
    """Of every page, and that nothing is stored: each browser's watch says so at the end of its test (watch.py)."""
    importing.load(answered_pbx(make).id, firm_calls())
    page = open_browser()
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    sign_in(page, "vera")
    page.get_by_role("link", name="Calls", exact=True).first.click()
    expect(page.locator("a.row-link")).to_have_count(50)
    page.locator("#calls-rows").scroll_into_view_if_needed()
    expect(page.locator("a.row-link")).to_have_count(100)
    page.locator("a.row-link").first.click()
    expect(page.locator(".lead")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_have_text("Calls")

    assert len(requests) > 10
    assert {urlsplit(address).netloc for address in requests} == {urlsplit(page.url).netloc}
    [cookie] = page.context.cookies()
    assert (cookie["name"], cookie["expires"], cookie["httpOnly"]) == ("sid", -1, True)
    assert page.evaluate("document.cookie") == ""


def test_the_watch_over_browsers_watches(browser: Browser, site: Site) -> None:
    """It sees each of the things that it is there for."""
    context = browser.new_context(base_url=site.address)
    watch = Watch(context, site.address)
    page = context.new_page()
    page.goto("/sign-in")
    with context.expect_event("weberror"), context.expect_event("dialog"):
        page.evaluate("""() => {
          localStorage.setItem("a", "1"); document.cookie = "more=1";
          const script = document.createElement("script"); script.textContent = "1"; document.head.append(script);
          setTimeout(() => { throw new Error("broken"); });
          setTimeout(() => alert("hello")); }""")
    other = context.new_page()
    with pytest.raises(Exception, match="ERR_NAME_NOT_RESOLVED"):
        other.goto("http://elsewhere.example/")
    found = "\n".join(watch.end())
    context.close()

    for words in ("content security policy: script-src-elem inline", "script: ", "dialog: alert", "'local': ['a']"):
        assert words in found
    assert "cookies: ['more']" in found
    assert "request to elsewhere.example" in found
