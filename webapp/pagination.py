"""The cursor of pages that are read by key: where the next page begins, as it stands in an address.

Opaque to people, checked when it comes back. Used by calls/; a cursor is a place, not a permission.
"""

import re
from typing import NamedTuple

from webapp.database.ids import read_id, spell_id

#: Of a place before any row of its instant (oldest first) or after all of them (newest first): no row has this key.
NO_KEY = -1
_SHIFT = 1 << 46  # instants before 1970 are spelt as positive numbers too
_SHAPE = re.compile(r"([0-9a-z]{1,13})-([0-9a-z]{1,13})(?:-([0-9a-z]{1,5}))?")


class Cursor(NamedTuple):
    """Rows go on after this place. `key` is NO_KEY where a search stopped between two rows."""

    ms: int  #: milliseconds since 1970, UTC
    key: int
    day: int | None = None  #: local day (since 1970) of the last row that was shown before it, if one was


def spell_cursor(cursor: Cursor) -> str:
    """A cursor as it stands in an address."""
    day = "" if cursor.day is None or cursor.day < 0 else f"-{spell_id(cursor.day)}"
    return f"{spell_id(cursor.ms + _SHIFT)}-{spell_id(cursor.key + 1)}{day}"


def read_cursor(text: str) -> Cursor:
    """The cursor that `spell_cursor` spelt. Raises ValueError for anything else."""
    shape = _SHAPE.fullmatch(text)
    if shape is None:
        raise ValueError("not a cursor")
    ms, key = read_id(shape[1]) - _SHIFT, read_id(shape[2]) - 1
    if not -(_SHIFT >> 1) <= ms < _SHIFT:  # years 855 to 4199
        raise ValueError("not a cursor")
    return Cursor(ms, key, read_id(shape[3]) if shape[3] else None)
