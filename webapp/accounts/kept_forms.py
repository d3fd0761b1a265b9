"""A form that was sent too late for its proof: the page that asks for it carries what was typed, and sends it on.

It stands in hidden fields of pages alone, never in an address, a cookie, the database or a log. Not in another tab: to
prove who one is gives the browser a new session id, and with it every form that is still open an old token. Called by
gates.py, which keeps, and by the views that prove.
"""

import json
from dataclasses import dataclass

from flask import request

from webapp.accounts.entering import own

#: No password and nothing like it goes into a page: such a form is typed anew.
_SECRETS = frozenset({"password", "present", "code", "credential"})
_NOT_TYPED = "csrf_token"
_CHARACTERS_AT_MOST = 40_000  #: of what is carried; a body of form fields may have 500,000 bytes


@dataclass(frozen=True)
class KeptForm:
    """`path`: where it was sent. `fields`: names and values, in their order."""

    path: str
    fields: list[tuple[str, str]]


def keep_form() -> str:
    """The present request's form as the text of one hidden field; "" where it is not kept."""
    fields = [(name, value) for name, value in request.form.items(multi=True) if name != _NOT_TYPED]
    if request.files or not fields or any(name in _SECRETS for name, _value in fields):
        return ""
    text = json.dumps([request.full_path.rstrip("?"), fields], ensure_ascii=False)
    return text if len(text) <= _CHARACTERS_AT_MOST else ""


def read_form(text: str | None) -> KeptForm | None:
    """What keep_form() made, come back from a browser: None for anything else."""
    try:
        path, fields = json.loads(text or "null")
        kept = KeptForm(path, [(name, value) for name, value in fields])
    except (TypeError, ValueError, RecursionError):
        return None
    texts = [kept.path, *(each for pair in kept.fields for each in pair)]
    return kept if all(isinstance(each, str) for each in texts) and own(kept.path) else None
