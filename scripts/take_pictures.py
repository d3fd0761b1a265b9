"""Takes the README's pictures: starts the demo on a free port with a data directory of its own and drives Chromium.

`make pictures`. Writes docs/pictures/*.png. Needs Chromium (CHROMIUM names it when it is not /usr/bin/chromium).
"""

import os
import re
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from demo.write_call_records import write_master_csv  # noqa: E402

PICTURES = ROOT / "docs" / "pictures"
WIDE = {"width": 1240, "height": 860}
PHONE = {"width": 390, "height": 780}
_FIRST_START_SECONDS = 300


class Demo(NamedTuple):
    """A running demo: where it is, and the sign-in of this run."""

    address: str
    email: str
    password: str


@contextmanager
def running_demo(data_dir: Path) -> Iterator[Demo]:
    """Start `make run`'s program; stop it at the end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environ = {**os.environ, "DATA_DIR": str(data_dir), "PORT": str(port), "PYTHONUNBUFFERED": "1"}
    log_file = data_dir / "demo.log"
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "webapp.run_demo"], cwd=ROOT, env=environ, stdout=log, stderr=log
        )
        try:
            yield _wait_for(process, log_file)
        finally:
            process.terminate()
            process.wait(30)


def _wait_for(process: "subprocess.Popen[bytes]", log_file: Path) -> Demo:
    until = datetime.now(UTC) + timedelta(seconds=_FIRST_START_SECONDS)
    while datetime.now(UTC) < until:
        text = log_file.read_text("utf-8", "replace")
        found = {word: re.search(rf"{word}:\s+(\S+)", text) for word in ("Address", "E-mail", "Password")}
        if all(found.values()):
            return Demo(*(match[1] for match in found.values() if match))
        try:
            process.wait(0.5)
        except subprocess.TimeoutExpired:
            continue
        raise SystemExit(f"The demo ended before it served:\n{text}")
    raise SystemExit("The demo did not start in time.")


def sign_in(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.address}sign-in")
    page.get_by_label("E-mail").fill(demo.email)
    page.get_by_label("Password").fill(demo.password)
    page.locator("main").get_by_role("button").click()
    page.wait_for_url("**/o/harbour/")


def take_wide(browser: Browser, demo: Demo, upload: Path) -> None:
    context = browser.new_context(viewport=WIDE, color_scheme="light", reduced_motion="reduce")
    page = context.new_page()
    sign_in(page, demo)
    shoot(page, "overview")
    page.get_by_role("link", name="Calls", exact=True).first.click()
    page.locator("table.calls").wait_for()
    shoot(page, "calls")
    open_a_transferred_call(page)
    shoot(page, "call")
    page.get_by_role("link", name="People", exact=True).first.click()
    page.locator("ul.people").first.wait_for()
    shoot(page, "people")
    page.get_by_role("link", name="Phone systems", exact=True).first.click()
    page.locator("a[href*='/phone-systems/'][href$='/imports']").last.click()
    page.locator("input[type=file]").set_input_files(upload)
    page.wait_for_url("**/o/harbour/imports/*")
    shoot(page, "import")
    context.close()


def open_a_transferred_call(page: Page) -> None:
    """The newest call with more than one thing to tell, else the newest."""
    page.goto(f"{page.url}?direction=inbound&outcome=answered")
    addresses = [link.get_attribute("href") or "" for link in page.locator("a.row-link").all()]
    for address in (*addresses, addresses[0]):
        page.goto(page.url.partition("/o/")[0] + address)
        if "transferred to" in page.locator(".lead").inner_text():
            return


def take_phone(browser: Browser, demo: Demo) -> None:
    context = browser.new_context(viewport=PHONE, color_scheme="dark", reduced_motion="reduce", device_scale_factor=2)
    page = context.new_page()
    sign_in(page, demo)
    page.goto(f"{demo.address}o/harbour/calls")
    page.locator("table.calls").wait_for()
    shoot(page, "phone")
    context.close()


def shoot(page: Page, name: str) -> None:
    page.wait_for_load_state("networkidle")
    page.screenshot(path=PICTURES / f"{name}.png")
    print(f"docs/pictures/{name}.png: {page.title()}")


def main() -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, running_demo(Path(folder)) as demo, sync_playwright() as playwright:
        upload = Path(folder) / "Master.csv"
        until = datetime.now(UTC)
        write_master_csv(upload, until - timedelta(days=4), until - timedelta(days=2))
        chromium = os.environ.get("CHROMIUM", "/usr/bin/chromium")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--disable-dev-shm-usage"])
        take_wide(browser, demo, upload)
        take_phone(browser, demo)
        browser.close()


if __name__ == "__main__":
    main()
