"""From lines of text to JSON objects: one a line, in one array, or one over many lines. Called by the JSON readers and
by whoever takes delivered records apart.

Nothing but one object is held at a time. What is no JSON is handed out too, as a row with its problem, so that it can
be kept with its reason; an object that never ends takes no other with it where the next one begins a line.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from webapp.ingest.records import BadLine, SourceLine
from webapp.ingest.source_lines import MAX_LINE_BYTES, TOO_LONG, UNBALANCED_QUOTE, decode

NOT_JSON = "This is not JSON, or is cut off: a call is an object in braces, with its names and texts in double quotes."

_BETWEEN = re.compile(r"[\s,\[\]]*")
_SIGN = re.compile(r'["\\{}]')
#: How many lines that look like an object inside an open one may be parsed in vain, and how many more for each object
#: that ended: what a body costs grows with its objects. Beyond that a line belongs to what is open.
_VAIN_TRIES, _VAIN_TRIES_AN_OBJECT = 500, 5
_DECODER = json.JSONDecoder(strict=False)  # phone systems write line breaks into texts as they are
#: A quote inside a text that was not escaped: neither before nor after it stands what JSON has there.
_STRAY_QUOTE = re.compile(r'(?<![{\[,:\\])"(?!\s*[,:}\]])')


class JsonRow(NamedTuple):
    """One object as it stands, or with `problem` what cannot be read as one."""

    line_number: int
    raw: bytes
    value: dict[str, Any]
    problem: str = ""


def json_rows(lines: Iterator[SourceLine | BadLine]) -> Iterator[JsonRow]:
    """Every object in the text, in order. An array gives its objects; its own signs and blank lines give nothing."""
    splitter = _Splitter()
    for line in lines:
        if isinstance(line, SourceLine):
            yield from splitter.take(line.number, line.text)
        elif line.reason == UNBALANCED_QUOTE:  # a rule of CSV
            yield from splitter.take(line.line_number, decode(line.raw))
        else:
            yield from splitter.end()
            yield JsonRow(line.line_number, line.raw, {}, line.reason)
    yield from splitter.end()


def read_object(text: str) -> dict[str, Any] | None:
    """The object, or None. Quotes that a phone system forgot to escape inside a text are taken as part of it."""
    for attempt in (text, _STRAY_QUOTE.sub(r"\"", text)):
        try:
            value = _DECODER.decode(attempt)
        except (ValueError, RecursionError):  # ValueError: also an integer of thousands of digits
            continue
        return value if isinstance(value, dict) else None
    return None


def _object_at(text: str, at: int) -> tuple[dict[str, Any], int] | None:
    """The object that begins at this place and its end, where it is JSON and all of it stands in this line.

    So do nearly all, and C finds that out in a tenth of the time that it takes to go from sign to sign. Where it fails
    it has read no further than the signs will.
    """
    try:
        return _DECODER.raw_decode(text, at)
    except (ValueError, RecursionError):
        return None


class _Splitter:
    """Holds the lines of an object that has not ended yet."""

    def __init__(self) -> None:
        self._number = 0
        self._parts: list[str] = []
        self._size = 0
        self._depth = 0
        self._in_text = False
        self._tries = _VAIN_TRIES

    def take(self, number: int, text: str) -> Iterator[JsonRow]:
        if self._parts and self._is_whole(text):
            yield from self.end()
        at = 0
        while at < len(text):
            if not self._parts:
                at = _BETWEEN.match(text, at).end()  # type: ignore[union-attr]
                if at == len(text):
                    return
                if text[at] != "{":
                    end = text.find("{", at)
                    end = end if end >= 0 else len(text)
                    yield _row(number, text[at:end].strip(), problem=NOT_JSON)
                    at = end
                    continue
                self._number = number
                whole = _object_at(text, at)
                if whole is not None:
                    value, end = whole
                    yield _row(number, text[at:end], value)
                    self._hope_again()
                    at = end
                    continue
            end = self._end_of_object(text, at)
            self._parts.append(text[at:end])
            self._size += end - at
            at = end
            if not self._depth:
                yield from self._whole()
            elif self._size > MAX_LINE_BYTES:
                yield from self.end(TOO_LONG)
                return

    def end(self, problem: str = NOT_JSON) -> Iterator[JsonRow]:
        """Nothing more belongs to what is held."""
        if self._parts:
            yield _row(self._number, "\n".join(self._parts), problem=problem)
        self._forget()

    def _is_whole(self, line: str) -> bool:
        """Whether the line is an object by itself, so that the open one never ended."""
        line = line.rstrip(", \t\r\n")
        if not (line.startswith("{") and line.endswith("}") and self._tries):
            return False
        found = read_object(line) is not None
        if not found:
            self._tries -= 1
        return found

    def _whole(self) -> Iterator[JsonRow]:
        text = "\n".join(self._parts)
        value = read_object(text)
        yield _row(self._number, text, value or {}, "" if value is not None else NOT_JSON)
        self._hope_again()
        self._forget()

    def _hope_again(self) -> None:
        """An object has ended."""
        self._tries = min(_VAIN_TRIES, self._tries + _VAIN_TRIES_AN_OBJECT)

    def _forget(self) -> None:
        self._parts, self._size, self._depth, self._in_text = [], 0, 0, False

    def _end_of_object(self, text: str, at: int) -> int:
        """Where the object ends that is open, or begins, at this place; the end of the text where it goes on."""
        while found := _SIGN.search(text, at):
            sign, at = found[0], found.end()
            if self._in_text:
                if sign == "\\":
                    at += 1
                elif sign == '"':
                    self._in_text = False
            elif sign == '"':
                self._in_text = True
            elif sign == "{":
                self._depth += 1
            elif sign == "}":
                self._depth -= 1
                if not self._depth:
                    return at
        return len(text)


def _row(number: int, text: str, value: dict[str, Any] | None = None, problem: str = "") -> JsonRow:
    return JsonRow(number, text.encode("utf-8", "surrogatepass"), value or {}, problem)
