"""Names that people give: one line, and something to be seen in it. Called by whatever stores a name."""

import re
import unicodedata

_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def clean_name(text: str) -> str:
    """On one line, without what turns the direction of the text around it; "" where there is nothing to be seen."""
    name = " ".join(_UNSEEN.sub(" ", text).split())
    return name if any(unicodedata.category(letter)[0] not in "CZ" for letter in name) else ""
