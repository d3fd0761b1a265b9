"""The export, as a browser downloads it: its rows, the page's figure and the button say the same number."""

import csv
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.gallery import answered_pbx, firm_calls
from tests.ingest.importing import Importing
from tests.make import Make


def number_in(text: str) -> int:
    found = re.search(r"[\d,]+", text)
    assert found
    return int(found[0].replace(",", ""))


@pytest.mark.parametrize(
    "query", ["period=all", "period=all&direction=inbound&outcome=missed", "period=7d&talk_min=60"]
)
def test_page_totals_and_file_agree(
    signed_in: Callable[..., Page], make: Make, importing: Importing, tmp_path: Path, query: str
) -> None:
    importing.load(answered_pbx(make).id, firm_calls())
    page = signed_in("vera")
    page.goto(f"/o/harbour/calls?{query}")
    button = page.get_by_role("link", name="Export")
    told = number_in(button.inner_text())
    while page.locator("#calls-rows a").count():
        shown = page.locator("a.row-link").count()
        page.locator("#calls-rows").scroll_into_view_if_needed()
        expect(page.locator("a.row-link")).not_to_have_count(shown)
    with page.expect_download() as waiting:
        button.click()
    download = waiting.value
    path = tmp_path / "calls.csv"
    download.save_as(path)

    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    figure = number_in(page.locator(".figures dd").first.inner_text())
    assert len(rows) == told == figure == page.locator("a.row-link").count() > 0
    assert re.fullmatch(r"harbour-calls-\d{4}-\d\d-\d\d\.csv", download.suggested_filename)


def test_nothing_to_export_offers_no_export(signed_in: Callable[..., Page], make: Make) -> None:
    make.pbx()
    page = signed_in("vera")
    page.goto("/o/harbour/calls")
    expect(page.get_by_role("heading", name="No calls yet.")).to_be_visible()
    assert page.get_by_role("link", name="Export").count() == 0
    expect(page.locator(".empty").get_by_role("link", name="Phone systems")).to_be_visible()
