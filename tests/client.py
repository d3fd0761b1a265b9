"""The browser of the tests: Flask's test client, which looks at every page it fetches.

client.sign_in(cast.olive)                       # or cast.stella, of staff
page = client.get("/o/harbour/calls")            # a whole page
part = client.get_part("/o/harbour/calls")       # what htmx would get
answer = client.send("/o/harbour/...", {"name": "x"})   # a POST with the token of the page last seen
"""

import re
from collections import Counter
from typing import Any
from xml.etree import ElementTree as ET

import html5lib
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.cast import PASSWORD
from tests.passkeys import SoftPasskey
from webapp.accounts.models import UserAccount
from webapp.headers import ALWAYS, VARY

PART = {"HX-Request": "true", "HX-Request-Type": "partial"}
_TOKEN = re.compile(r'name="csrf[-_]token"[^>]*?(?:content|value)="([^"]+)"')
_WITHIN = {"tr": "tbody", "td": "tr", "th": "tr", "tbody": "table", "thead": "table", "option": "select", "li": "ul"}


class PageCheckingClient(FlaskClient):
    """Fails on a page that is no valid HTML, has no headers of ours, or is hard to use with a screen reader."""

    csrf_token = ""

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        response = super().open(*args, **kwargs)
        check_headers(response)
        if response.mimetype == "text/html":
            check_html(response.text)
            found = _TOKEN.search(response.text)
            self.csrf_token = found[1] if found else self.csrf_token
        return response

    def sign_in(self, person: UserAccount, password: str = PASSWORD) -> TestResponse:
        """Through the real page; the answer is where it leads. Staff: with a passkey, set up at the first time."""
        if person.is_staff:
            return self._sign_in_staff(person, password)
        self.get("/sign-in")
        answer = self.send("/sign-in", {"email": person.email, "password": password})
        assert answer.status_code == 303, answer.text
        answer = self.get(answer.location)
        self.csrf_token = ""
        return answer

    def _sign_in_staff(self, person: UserAccount, password: str) -> TestResponse:
        self.get("/staff/sign-in")
        passkeys = self.application.extensions.setdefault("passkeys of staff", {})
        passkey = passkeys.get(person.id)
        if passkey is None:
            answer = self.send("/staff/sign-in", {"email": person.email, "password": password})
            assert answer.status_code == 303, answer.text
            answer = self.get(answer.location)
            passkeys[person.id] = self.add_passkey("Work laptop")
        else:
            question = self.send("/sign-in/passkey/question").json
            answer = self.send("/staff/sign-in/passkey", {"credential": passkey.show(question)})
            assert answer.status_code == 303, answer.text
            answer = self.get(answer.location)
        self.csrf_token = ""
        return answer

    def add_passkey(self, name: str) -> SoftPasskey:
        """Through the real page, by whoever is signed in."""
        passkey = SoftPasskey()
        self.csrf_token = ""
        self.get("/security-settings/passkeys")
        question = self.send("/security-settings/passkeys/question").json
        done = self.send("/security-settings/passkeys", {"name": name, "credential": passkey.make(question)})
        assert done.status_code in (200, 303), done.text
        self.csrf_token = ""
        return passkey

    def get_part(self, path: str, **kwargs: Any) -> TestResponse:
        """As htmx asks for a part of a page."""
        return self.get(path, headers={**PART, **kwargs.pop("headers", {})}, **kwargs)

    def send(self, path: str, data: dict[str, Any] | None = None, *, part: bool = False, **kwargs: Any) -> TestResponse:
        """POST a form, with the token of the page last seen; with part=True as htmx does."""
        headers = {"X-CSRFToken": self.token(), **(PART if part else {}), **kwargs.pop("headers", {})}
        return self.post(path, data=data or {}, headers=headers, **kwargs)

    def token(self) -> str:
        """The token of the page last seen; fetches a page when none was seen since signing in."""
        if not self.csrf_token:
            self.get("/", follow_redirects=True)
        if not self.csrf_token:
            self.get("/sign-in")  # the first page of a stranger has no form
        if not self.csrf_token:
            self.get("/security-settings", follow_redirects=True)  # of staff, who have no first page like others
        if not self.csrf_token:
            self.get("/no-such-page")  # no page to be had with a form: sign-out alone has one then
        return self.csrf_token


def check_headers(response: TestResponse) -> None:
    for name, value in ALWAYS.items():
        assert response.headers.get(name) == value, f"{response.request.path}: {name} is {response.headers.get(name)!r}"
    if not response.request.path.startswith("/static/"):
        assert response.headers["Cache-Control"] == "no-store", response.request.path
        assert response.headers["Vary"] == VARY, response.request.path


def check_html(text: str) -> None:
    """Valid HTML, one h1 with which the title begins, no id twice, nothing inline that the policy would stop."""
    if not text.strip():
        return
    whole = text.lstrip().lower().startswith("<!doctype")
    parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
    first = re.match(r"\s*(?:<!--.*?-->\s*)*<([a-z0-9]+)", text, re.S)
    container = _WITHIN.get(first[1] if first else "", "div")
    tree = parser.parse(text) if whole else parser.parseFragment(text, container=container)
    check_tree(tree, whole)


def check_tree(tree: ET.Element, whole: bool) -> None:
    elements = [element for element in tree.iter() if isinstance(element.tag, str)]
    twice = [name for name, count in Counter(e.get("id") for e in elements if e.get("id")).items() if count > 1]
    assert not twice, f"ids that stand twice: {twice}"
    for element in elements:
        assert element.tag != "style", "inline style"
        assert element.get("style") is None, f"inline style in <{element.tag}>"
        assert element.tag != "script" or element.get("src"), "inline script"
        bad = [name for name in element.attrib if str(name).startswith(("on", "hx-on", "data-hx-on", "js:"))]
        assert not bad, f"<{element.tag}> has {bad}"
        if element.tag == "form" and (element.get("method") or "get").lower() == "post":
            assert element.get("action", "/").startswith("/"), f"a form goes to {element.get('action')}"
    if whole:
        check_title(tree, elements)


def check_title(tree: ET.Element, elements: list[ET.Element]) -> None:
    headings = [words(element) for element in elements if element.tag == "h1"]
    assert len(headings) == 1, f"a page has one h1, not {headings}"
    title = words(next(element for element in elements if element.tag == "title"))
    assert headings[0], "the h1 says nothing"
    assert title.startswith(headings[0]), f"the title {title!r} does not begin with the h1 {headings[0]!r}"
    assert tree.get("lang"), "the page names no language"


def words(element: ET.Element) -> str:
    """The text in an element, as one line."""
    return " ".join("".join(element.itertext()).split())
