"""A file's way from the disk into the call log, as a person follows it on the pages."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from demo.write_call_records import master_lines_between
from tests.browser.conftest import Gate, Site
from tests.ingest.importing import Importing
from tests.make import Make
from webapp.database.ids import spell_id

READERS = Path(__file__).resolve().parents[1] / "data" / "readers"
CAPTURED = READERS / "asterisk_cdr_csv" / "captured_21col_office_a.csv"
GERMAN = READERS / "generic_csv" / "written_german_cp1252.csv"
#: Five weeks of the demo firm: enough for several batches.
SINCE, UNTIL = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 5, tzinfo=UTC)


@pytest.fixture
def larger_file(tmp_path: Path) -> Path:
    path = tmp_path / "Master.csv"
    path.write_text("".join(f"{line}\n" for line in master_lines_between(SINCE, UNTIL)))
    return path


@pytest.fixture
def one_week(tmp_path: Path) -> Path:
    path = tmp_path / "Master.csv"
    path.write_text("".join(f"{line}\n" for line in master_lines_between(SINCE, SINCE + timedelta(days=7))))
    return path


def add_phone_system(page: Page, name: str) -> None:
    page.get_by_role("link", name="Phone systems", exact=True).first.click()
    page.get_by_role("link", name="Add a phone system").first.click()
    page.get_by_label("Name").fill(name)
    page.get_by_role("button", name="Add and choose a file").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Import into {name}")


def hand_in(page: Page, path: Path) -> None:
    """Choosing the file sends it."""
    page.locator("input[type=file]").set_input_files(path)
    expect(page.get_by_role("heading", level=1)).to_have_text(path.name)


def count_of(page: Page, word: str) -> int:
    """One of the counts with which an import ends."""
    cell = page.locator(".counts > div").filter(has=page.get_by_text(word, exact=True)).locator("dd")
    return int(cell.inner_text().replace(",", ""))


def test_a_newcomer_imports_a_real_file_and_answers_the_three_questions(signed_in: Callable[..., Page]) -> None:
    page = signed_in("olive")
    page.goto("/")
    expect(page.get_by_role("link", name="Add a phone system")).to_be_visible()
    add_phone_system(page, "Head office")
    hand_in(page, CAPTURED)
    expect(page.get_by_text("confidence")).to_be_visible()
    expect(page.get_by_label("Format")).to_have_value("asterisk_cdr_csv")
    expect(page.locator("table.calls tbody tr:not(.day)")).to_have_count(20)

    page.get_by_role("button", name="Import this file").click()
    expect(page.get_by_text("The file is imported.")).to_be_visible()
    read, stored = count_of(page, "Read"), count_of(page, "Stored")
    rest = count_of(page, "Already there") + count_of(page, "Not a call") + count_of(page, "Refused")
    assert read == stored + rest
    assert count_of(page, "Calls made of them") == 23

    page.get_by_role("link", name="Show the calls").click()
    expect(page.locator(".figures")).to_contain_text("23")
    expect(page.locator("a.row-link")).to_have_count(23)
    assert page.locator(".outcome.missed").count() == 0  # nobody has said which lines lead outside
    page.go_back()

    page.get_by_role("link", name="Answer three questions").click()
    provider = page.get_by_label("IAX2/provider")
    expect(provider).to_be_checked()
    expect(page.get_by_label("How many digits do your extensions have?")).to_have_value("3")
    expect(page.get_by_label("Country")).to_have_value("GB")
    page.get_by_label("Area code").fill("0191")
    page.get_by_role("button", name="See what changes").click()
    page.get_by_role("button", name="again").click()
    expect(page.get_by_text("being read again").first).to_be_visible()

    def is_read_again() -> bool:
        page.goto("/o/harbour/calls?period=all&direction=unknown")
        return page.locator("a.row-link").count() == 0

    wait_for(page, is_read_again)
    page.goto("/o/harbour/calls?period=all")
    expect(page.locator(".figures")).to_contain_text("23")
    assert page.locator(".outcome.missed").count() > 0


def rows_read(words: Locator) -> int:
    found = re.search(r"([\d,]+) rows read", words.inner_text())
    assert found
    return int(found[1].replace(",", ""))


def place_of(bar: Locator) -> float:
    """How much of the bar is full, from 0 to 1."""
    place = bar.evaluate("(bar) => bar.position")
    assert 0 <= place <= 1
    return float(place)


def wait_for(page: Page, has_happened: Callable[[], bool]) -> None:
    """For work that no page follows by itself."""
    for _look in range(200):
        if has_happened():
            return
        page.wait_for_timeout(250)
    raise AssertionError("it did not happen")


def test_the_progress_bar_moves_and_the_page_goes_on_by_itself(
    signed_in: Callable[..., Page], make: Make, gate: Gate, larger_file: Path, site: Site
) -> None:
    pbx = make.pbx("Head office", outside_lines='["PJSIP/provider"]')
    page = signed_in("max")
    page.goto("/o/harbour/phone-systems")
    page.get_by_role("link", name="Import a file").click()
    hand_in(page, larger_file)
    page.get_by_role("button", name="Import this file").click()

    bar, words = page.get_by_role("progressbar"), page.locator(".progress-foot").first
    expect(words).to_contain_text("rows read")
    rows, places = [rows_read(words)], [place_of(bar)]
    while len(set(places)) < 2:
        before = words.inner_text()
        gate.pass_on()
        expect(words).not_to_have_text(before)
        rows.append(rows_read(words))
        places.append(place_of(bar))
    assert rows == sorted(set(rows))
    assert places == sorted(places)

    gate.open()
    expect(page.get_by_text("The file is imported.")).to_be_visible()
    assert count_of(page, "Read") == len(larger_file.read_text().splitlines())
    assert pbx.name in page.locator(".sub").first.inner_text()
    assert "progress" not in site.path(page)


def test_an_import_is_cancelled_and_undone(
    signed_in: Callable[..., Page], make: Make, gate: Gate, larger_file: Path, importing: Importing
) -> None:
    make.pbx("Head office")
    page = signed_in("olive")
    page.goto("/o/harbour/phone-systems")
    page.get_by_role("link", name="Import a file").click()
    hand_in(page, larger_file)
    page.get_by_role("button", name="Import this file").click()
    expect(page.locator(".progress-foot").first).to_contain_text("rows read")
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("button", name="Stopping…")).to_be_disabled()
    gate.open()

    expect(page.get_by_text("The import was cancelled.")).to_be_visible()
    stored = count_of(page, "Stored")
    assert 0 < stored < len(larger_file.read_text().splitlines())
    assert importing.calls()

    page.get_by_role("link", name="Undo this import").click()
    page.get_by_role("button", name=f"Undo: take back {stored:,} records").click()
    expect(page.get_by_text("This import was undone.")).to_be_visible()
    assert importing.calls() == []
    page.get_by_role("link", name="Calls", exact=True).click()
    expect(page.get_by_role("heading", name="No calls yet.")).to_be_visible()


def test_a_file_is_dropped_on_the_page_and_one_beside_the_zone_is_not(
    signed_in: Callable[..., Page], make: Make
) -> None:
    make.pbx("Head office")
    page = signed_in("max")
    page.goto("/o/harbour/phone-systems")
    page.get_by_role("link", name="Import a file").click()
    content = CAPTURED.read_text("latin-1")
    carried = page.evaluate_handle(
        """(text) => { const carried = new DataTransfer();
        carried.items.add(new File([text], "dropped.csv", {type: "text/csv"})); return carried; }""",
        content,
    )
    page.dispatch_event("h1", "drop", {"dataTransfer": carried})
    expect(page.get_by_role("heading", level=1)).to_have_text("Import into Head office")
    page.dispatch_event(".drop", "dragover", {"dataTransfer": carried})
    expect(page.locator(".drop")).to_have_class("drop over")
    page.dispatch_event(".drop", "drop", {"dataTransfer": carried})

    expect(page.get_by_role("heading", level=1)).to_have_text("dropped.csv")


def test_a_file_that_is_no_call_log_is_refused_where_it_was_chosen(
    signed_in: Callable[..., Page], make: Make, tmp_path: Path
) -> None:
    make.pbx("Head office")
    page = signed_in("max")
    page.goto("/o/harbour/phone-systems")
    page.get_by_role("link", name="Import a file").click()
    picture = tmp_path / "holiday.jpg"
    picture.write_bytes(b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + bytes(range(256)) * 40)

    page.locator("input[type=file]").set_input_files(picture)

    refusal = page.locator("[data-upload-error]")
    expect(refusal).to_contain_text("Nothing of the file was stored.")
    expect(page.locator("[data-upload-state]")).to_be_hidden()
    hand_in(page, CAPTURED)


def test_a_file_is_sent_that_was_chosen_while_the_page_still_arrived(
    signed_in: Callable[..., Page], make: Make
) -> None:
    """Else it would never be: where scripts run, there is no button that sends it."""
    pbx = make.pbx("Head office")
    page = signed_in("max")
    page.route("**/htmx.min.js*", lambda route: None)  # on its way for ever
    page.goto(f"/o/harbour/phone-systems/{spell_id(pbx.id)}/imports", wait_until="commit")
    hand_in(page, CAPTURED)


def test_the_columns_of_another_csv_are_said_once(signed_in: Callable[..., Page], make: Make) -> None:
    make.pbx("Old system", format=None)
    page = signed_in("max")
    page.goto("/o/harbour/phone-systems")
    page.get_by_role("link", name="Import a file").click()
    hand_in(page, GERMAN)
    page.get_by_role("link", name="columns").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Columns of {GERMAN.name}")
    expect(page.locator(".mapping .used")).not_to_have_count(0)
    page.get_by_role("button", name="Show the calls").click()
    expect(page.locator("table.calls a.party, table.calls .party")).not_to_have_count(0)
    page.get_by_role("button", name="Import this file").click()

    expect(page.get_by_text("The file is imported.")).to_be_visible()
    assert count_of(page, "Refused") == 0


def test_a_file_is_imported_without_javascript(signed_in: Callable[..., Page], make: Make) -> None:
    make.pbx("Head office")
    page = signed_in("max", java_script_enabled=False)
    page.goto("/o/harbour/phone-systems")
    page.get_by_role("link", name="Import a file").click()
    page.locator("input[type=file]").set_input_files(CAPTURED)
    page.get_by_role("button", name="Send the file").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(CAPTURED.name)
    page.get_by_label("Times in the file are of").select_option("Europe/Paris")
    page.get_by_role("button", name="Show the calls again").click()
    expect(page.get_by_label("Times in the file are of")).to_have_value("Europe/Paris")
    page.get_by_role("button", name="Import this file").click()

    def has_ended() -> bool:
        link = page.get_by_role("link", name="Show how far it is now")
        if link.count():
            link.click()
        return page.get_by_text("The file is imported.").count() == 1

    wait_for(page, has_ended)
    assert count_of(page, "Calls made of them") == 23


def test_two_tabs_import_at_the_same_time(
    signed_in: Callable[..., Page], make: Make, one_week: Path, importing: Importing
) -> None:
    make.pbx("Head office")
    one = signed_in("max")
    two = one.context.new_page()
    for page in (one, two):
        page.goto("/o/harbour/phone-systems")
        page.get_by_role("link", name="Import a file").click()
        hand_in(page, one_week)
    for page in (one, two):
        page.get_by_role("button", name="Import this file").click()
    for page in (one, two):
        expect(page.get_by_text(" imported.").or_(page.get_by_text("was there already"))).to_be_visible()

    assert count_of(one, "Stored") + count_of(two, "Stored") == len(one_week.read_text().splitlines())
    assert count_of(one, "Already there") + count_of(two, "Already there") == count_of(one, "Read")
    importing.check()
