"""Guesses at the three things that no file says: outside lines, extensions and line prefix, country and area code.

Called by the set-up page with the first parsed rows of a file (preview_file); a person confirms or corrects them.
"""

from collections import Counter, defaultdict
from typing import NamedTuple

import phonenumbers

from webapp.ingest.records import ParsedRecord

_WORDS_OF_OUTSIDE = (
    "trunk",
    "provider",
    "pstn",
    "outside",
    "carrier",
    "gateway",
    "sip-in",
    "did",
    "public",
    "incoming",
    "inbound",
    "from-ext",
)
_WORDS_OF_INSIDE = ("internal", "default", "phones", "local/")
_MOST_SHOWN = 40


class LineGuess(NamedTuple):
    """One line or context that the file names. `outside`: whether it looks like one that leads outside."""

    name: str
    is_context: bool
    rows: int
    example: str  #: a caller or number seen on it
    outside: bool


class Answers(NamedTuple):
    """Guessed answers to the questions of the set-up page."""

    lines: list[LineGuess]
    extension_digits: str
    outside_prefix: str
    region: str
    area_code: str


def guess_answers(rows: list[ParsedRecord], region: str) -> Answers:
    """Guess from the first rows of a file; `region` is the organization's."""
    digits = _extension_digits(rows)
    return Answers(
        _lines(rows, digits),
        ",".join(str(length) for length in sorted(digits)),
        _prefix(rows, digits),
        region,
        _area_code(rows, region),
    )


def _digits(text: str) -> str:
    return (
        "".join(letter for letter in text if letter.isdigit()) if not any(letter.isalpha() for letter in text) else ""
    )


def _extension_digits(rows: list[ParsedRecord]) -> set[int]:
    """Lengths of short callers and reached ends that are seen often: nobody outside has a number of 2 to 5 digits."""
    lengths: Counter[int] = Counter()
    for row in rows:
        for text in (row.caller, row.reached):
            if text.isascii() and text.isdigit() and 2 <= len(text) <= 5:
                lengths[len(text)] += 1
    total = sum(lengths.values())
    return {length for length, count in lengths.items() if count * 10 >= total}


def _lines(rows: list[ParsedRecord], extension_digits: set[int]) -> list[LineGuess]:
    """Lines and contexts with what was seen on them: mostly outside callers, or a telling name, means outside."""
    seen: Counter[tuple[str, bool]] = Counter()
    outside: Counter[tuple[str, bool]] = Counter()
    examples: dict[tuple[str, bool], str] = {}
    far: Counter[str] = Counter()
    reached: defaultdict[str, Counter[bool]] = defaultdict(Counter)
    for row in rows:
        stranger = len(_digits(row.caller)) > max(extension_digits or {5}) or not _digits(row.caller)
        for name, is_context in ((row.line, False), (row.context, True)):
            if name and name != "NOT_AVAILABLE":
                seen[name, is_context] += 1
                outside[name, is_context] += stranger
                examples.setdefault((name, is_context), row.caller)
        if row.peer_line and row.peer_line != "NOT_AVAILABLE":
            far[row.peer_line] += 1
            reached[row.peer_line][len(_digits(row.reached)) > max(extension_digits or {5})] += 1
            examples.setdefault((row.peer_line, False), row.reached)
    for name, count in far.items():
        seen[name, False] += count
        outside[name, False] += reached[name][True]
    guesses = [
        LineGuess(
            name,
            is_context,
            count,
            examples.get((name, is_context), ""),
            _looks_outside(name, is_context, outside[name, is_context], count),
        )
        for (name, is_context), count in seen.most_common()
        if not _is_a_phone(name, extension_digits)
    ]
    return guesses[:_MOST_SHOWN]


def _is_a_phone(name: str, extension_digits: set[int]) -> bool:
    device = name.rsplit("/", 1)[-1].split("@", 1)[0]
    return "/" in name and device.isdigit() and (len(device) in extension_digits or name.lower().startswith("local/"))


def _looks_outside(name: str, is_context: bool, strangers: int, count: int) -> bool:
    lowered = name.lower()
    if any(word in lowered for word in _WORDS_OF_INSIDE):
        return False
    if any(word in lowered for word in _WORDS_OF_OUTSIDE):
        return True
    return not is_context and strangers * 10 >= count * 9


def _prefix(rows: list[ParsedRecord], extension_digits: set[int]) -> str:
    """A 9 or 0 that begins nearly every long number that extensions dial, before the 0 or 1 of a number."""
    dialled = [
        _digits(row.dialed)
        for row in rows
        if len(row.caller) in extension_digits and row.caller.isdigit() and len(_digits(row.dialed)) >= 8
    ]
    for prefix, follows in (("9", "01"), ("0", "01")):
        fitting = sum(number.startswith(prefix) and number[1:2] in follows and number[1:2] != "" for number in dialled)
        if (
            len(dialled) >= 5
            and fitting * 10 >= len(dialled) * 9
            and not (prefix == "0" and fitting and not _all_international(dialled))
        ):
            return prefix
    return ""


def _all_international(numbers: list[str]) -> bool:
    """Whether every number begins 00: then the first 0 may be a prefix only if three stand there."""
    return all(number.startswith("000") or (number.startswith("00") and len(number) <= 12) for number in numbers)


def _area_code(rows: list[ParsedRecord], region: str) -> str:
    """The commonest area code of own numbers, with its trunk prefix; "" where numbers have none."""
    codes: Counter[str] = Counter()
    for row in rows:
        for text in (row.did, row.dialed):
            code = _area_code_of(text, region)
            if code:
                codes[code] += 1
    return codes.most_common(1)[0][0] if codes else ""


def _area_code_of(text: str, region: str) -> str:
    digits = _digits(text)
    if len(digits) < 8 or digits.startswith("00"):
        return ""
    try:
        number = phonenumbers.parse(digits, region)
    except phonenumbers.NumberParseException:
        return ""
    length = phonenumbers.length_of_geographical_area_code(number)
    prefix = phonenumbers.ndd_prefix_for_region(region, True) or ""
    return prefix + str(number.national_number)[:length] if length else ""
