"""Looks over the shoulder of a browser: what must never happen, whatever a test does in it.

No request to another host, no violation of the content security policy, no error of a script, no dialog that a page
opened, nothing in any storage of the browser but the one cookie. Used by conftest.py.
"""

from collections.abc import Sequence
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Dialog, Error, Page, Request

#: What Chromium itself says of an answer that is a refusal on purpose (404, 422 ...), or of a request that was cut off.
_ORDINARY = ("Failed to load resource: the server responded with a status of 4", "net::ERR_ABORTED")
_WHAT_IS_STORED = """async () => ({
  local: Object.keys(localStorage), session: Object.keys(sessionStorage),
  databases: (await indexedDB.databases()).map((each) => each.name), caches: await caches.keys(),
  workers: (await navigator.serviceWorker.getRegistrations()).length,
})"""
_NOTHING: dict[str, object] = {"local": [], "session": [], "databases": [], "caches": [], "workers": 0}
_TELL_VIOLATIONS = """document.addEventListener("securitypolicyviolation",
  (event) => tellViolation(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`))"""


class Watch:
    """Watches one browser context from its beginning."""

    def __init__(self, context: BrowserContext, address: str) -> None:
        self.context = context
        self.requests: list[str] = []
        self.problems: list[str] = []
        self._address = address
        self._host = urlsplit(address).netloc
        context.expose_binding("tellViolation", self._on_violation)
        context.add_init_script(_TELL_VIOLATIONS)
        context.on("console", self._on_console)
        context.on("weberror", lambda error: self.problems.append(f"script: {error.error}"))
        context.on("request", self._on_request)
        context.on("dialog", self._on_dialog)

    def end(self) -> Sequence[str]:
        """What went wrong; looks into the stores of every page that is still open."""
        for page in self.context.pages:
            if page.url.startswith(self._address):
                self._look_into(page)
        more = sorted({str(cookie.get("name")) for cookie in self.context.cookies()} - {"sid"})
        if more:
            self.problems.append(f"cookies: {more}")
        return self.problems

    def _look_into(self, page: Page) -> None:
        try:
            stored = page.evaluate(_WHAT_IS_STORED)
        except Error as error:
            self.problems.append(f"{page.url} cannot be asked: {error}")
            return
        if stored != _NOTHING:
            self.problems.append(f"{page.url} keeps {stored}")

    def _on_violation(self, source: object, words: str) -> None:
        self.problems.append(f"content security policy: {words}")

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not any(words in message.text for words in _ORDINARY):
            self.problems.append(f"console: {message.text}")

    def _on_request(self, request: Request) -> None:
        self.requests.append(request.url)
        parts = urlsplit(request.url)
        if parts.scheme not in ("data", "blob") and parts.netloc != self._host:
            self.problems.append(f"request to {parts.netloc or request.url}")

    def _on_dialog(self, dialog: Dialog) -> None:
        self.problems.append(f"dialog: {dialog.type} {dialog.message!r}")
        dialog.dismiss()
