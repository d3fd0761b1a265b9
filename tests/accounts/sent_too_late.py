"""What a page carries in hidden fields, as a browser would send it. For tests of forms that were sent too late."""

from typing import Any

import html5lib
from werkzeug.test import TestResponse


def hidden_fields(page: TestResponse, action: str = "") -> dict[str, str]:
    """Those of the page's last form, or of the one with this action; no token. Lines end as forms send them."""
    tree: Any = html5lib.parse(page.text, namespaceHTMLElements=False)
    form = [form for form in tree.iter("form") if not action or form.get("action") == action][-1]
    hidden = [each for each in form.iter("input") if each.get("type") == "hidden" and each.get("name") != "csrf_token"]
    return {each.get("name"): (each.get("value") or "").replace("\n", "\r\n") for each in hidden}
