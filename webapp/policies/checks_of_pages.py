"""Checks of what a browser gets: the app is asked for its public pages, within this process, as a stranger would.

Bounded by the number of public pages without anything in their address. Called by promises.py.
"""

import re
from collections.abc import Iterator
from datetime import datetime

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.http import parse_cookie
from werkzeug.test import TestResponse

from webapp import access
from webapp.policies.checks_of_people import disclosures_registered
from webapp.policies.promise import CheckContext

SECURITY_TXT = "/.well-known/security.txt"
#: Read by strangers, without a form: no cookie at all.
_WITHOUT = ("/", "/privacy", "/security")
_OURS = {"'self'", "'none'"}
_ORDERED = {"default-src", "form-action", "base-uri"}  #: the last two do not follow the first
_SHAPE = re.compile(r"[\w-]{43}\.[\w-]{43}")  #: 32 random bytes, and their signature


def ask(context: CheckContext, path: str) -> TestResponse:
    """As a browser that was never here."""
    client = FlaskClient(context.app, use_cookies=False)
    return client.get(path, base_url=context.settings.base_url)


def list_public_paths(app: Flask) -> Iterator[str]:
    """Of the pages that everybody may open and whose address names nothing."""
    for rule in app.url_map.iter_rules():
        mark = access.of(app.view_functions[rule.endpoint])
        if "GET" in (rule.methods or ()) and not rule.arguments and not mark.signed_in and not mark.pbx:
            yield rule.rule


def one_cookie(context: CheckContext) -> str:
    """At most the one cookie, for this session only, out of reach of scripts, of random characters and a signature."""
    name = context.app.config["SESSION_COOKIE_NAME"]
    for path in dict.fromkeys((*_WITHOUT, *list_public_paths(context.app))):
        context.rest()
        cookies = ask(context, path).headers.getlist("Set-Cookie")
        if len(cookies) > 1 or any(not cookie.startswith(f"{name}=") for cookie in cookies):
            return "A page sets another cookie than the one that signing in needs."
        if cookies and path in _WITHOUT:
            return "A page without a form sets a cookie."
        if any(not _is_as_said(cookie, name, secure=context.settings.secure) for cookie in cookies):
            return "The cookie is not as it should be: it lasts too long, can be read by scripts, or says something."
    return ""


def _is_as_said(cookie: str, name: str, *, secure: bool) -> bool:
    words = {part.strip().partition("=")[0].lower() for part in cookie.split(";")[1:]}
    value = parse_cookie(cookie.split(";")[0]).get(name, "")
    kept_for_ever = words & {"expires", "max-age", "domain"}
    guarded = {"httponly", "samesite"} <= words and ("secure" in words or not secure)
    return guarded and not kept_for_ever and _SHAPE.fullmatch(value) is not None


def no_third_party(context: CheckContext) -> str:
    """Browsers are told to ask nobody but us; what the law made us hand out is in the register."""
    for path in list_public_paths(context.app):
        context.rest()
        if _lets_ask_others(ask(context, path).headers.get("Content-Security-Policy", "")):
            return "A page is sent without the order to browsers that they ask nobody but us."
    return disclosures_registered(context)


def _lets_ask_others(policy: str) -> bool:
    """Whether a browser is left free by it to load something, or to send a form, anywhere but from and to us."""
    orders = {name: set(sources) for name, *sources in (part.split() for part in policy.split(";") if part.strip())}
    return not orders.keys() >= _ORDERED or any(sources - _OURS for sources in orders.values())


def security_txt(context: CheckContext) -> str:
    """It is there, names whom to write to, and has not run out (RFC 9116)."""
    answer = ask(context, SECURITY_TXT)
    if answer.status_code != 200 or answer.mimetype != "text/plain":
        return "There is no security.txt that says where to report a hole."
    lines = [line.partition(":") for line in answer.text.splitlines()]
    fields = {name.strip().lower(): value.strip() for name, colon, value in lines if colon}
    if not fields.get("contact"):
        return "security.txt names nobody to write to."
    try:
        expires = datetime.fromisoformat(fields.get("expires", "").replace("Z", "+00:00"))
    except ValueError:
        return "security.txt does not say until when it holds."
    if expires.tzinfo is None or expires <= context.moment:
        return "security.txt has run out."
    return ""
