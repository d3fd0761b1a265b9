"""Times and seconds as phone systems write them, and the id of a row that has none. Called by the readers."""

from datetime import datetime
from hashlib import blake2b

from webapp.ingest.records import BadLine, SourceLine

_INT32_MIN, _INT32_MAX = -(2**31), 2**31 - 1
#: Spellings of "no time" in exports of databases and by tools that rewrite logs.
NO_TIME = frozenset({"", "0000-00-00 00:00:00", "0000-00-00", "NULL", "null", "\\N", "NOT_AVAILABLE"})
_SHOWN_OF_A_VALUE = 60
#: How many rows back two identical rows are still told apart (the window is between this and twice this).
TURN_WINDOW_ROWS = 20_000


def whole_seconds(text: str) -> int | None:
    """Seconds written as an integer or a decimal, cut to 32 bits; None where the text is no number."""
    try:
        seconds = int(text)
    except ValueError:
        try:
            seconds = int(float(text))
        except (ValueError, OverflowError):  # OverflowError: "inf", "1e999"
            return None
    return max(_INT32_MIN, min(_INT32_MAX, seconds))


def seconds_between(start: datetime, end: datetime | None) -> int | None:
    """None where there is no end, or where one of the two has a zone and the other has none."""
    if end is None or (start.tzinfo is None) != (end.tzinfo is None):
        return None
    try:
        return max(_INT32_MIN, min(_INT32_MAX, int((end - start).total_seconds())))
    except OverflowError:
        return None


def iso_time(text: str) -> datetime | None:
    """The time, or None where the text says that there is none. ValueError where it is neither."""
    return None if text in NO_TIME else datetime.fromisoformat(text)


def not_a_date(line: SourceLine, which: str, text: str) -> BadLine:
    """`which`: "start", "answer" or "end"."""
    fault = f"{shown(text)} is not a date" if text.strip() else "is missing"
    return BadLine(line.number, line.raw, f"The {which} time {fault}. Expected 2026-11-22 12:30:25.")


def shown(text: str) -> str:
    """A value of the file in a sentence: quoted, on one line and not endless."""
    cut = text if len(text) <= _SHOWN_OF_A_VALUE else text[: _SHOWN_OF_A_VALUE - 1] + "…"
    return f"'{' '.join(cut.split())}'"


class RowDigests:
    """Ids for rows that carry none: a digest of all fields, and the row's turn among identical rows of this file.

    Two identical rows can both be real (two phones of a ring group that rang as long), so the second gets "/2"; the
    same file again gives the same ids, so it stores nothing twice. Turns are counted in a window of rows, so that
    memory stays flat: identical rows belong to one call and stand close together. Of two that stand further apart
    the second counts as the same row; a log that repeats a stretch of itself (logrotate with copytruncate) does that.
    Fields, not bytes, so that a tool that quotes differently changes nothing.
    """

    def __init__(self) -> None:
        self._recent: dict[bytes, int] = {}
        self._older: dict[bytes, int] = {}

    def id_of(self, fields: list[str]) -> str:
        digest = blake2b("\x1f".join(fields).encode("utf-8", "surrogatepass"), digest_size=16).digest()
        turn = (self._recent.get(digest) or self._older.get(digest, 0)) + 1
        self._recent[digest] = turn
        if len(self._recent) >= TURN_WINDOW_ROWS:
            self._older, self._recent = self._recent, {}
        return digest.hex() if turn == 1 else f"{digest.hex()}/{turn}"
