"""Objects in text: where one ends that never ended, and how little a text can cost that only looks like objects."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapp.ingest.readers import json_rows
from webapp.ingest.records import SourceLine


def rows_of(text: str) -> list[tuple[bool, str]]:
    """Whether each row is an object, and its text."""
    lines = (SourceLine(number, line.encode(), line) for number, line in enumerate(text.splitlines(), start=1))
    return [(not row.problem, row.raw.decode()) for row in json_rows.json_rows(lines)]


@pytest.fixture
def parses(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was parsed."""
    parsed: list[str] = []
    read_object = json_rows.read_object

    def counted(text: str):  # type: ignore[no-untyped-def]
        parsed.append(text)
        return read_object(text)

    monkeypatch.setattr(json_rows, "read_object", counted)
    return parsed


@pytest.mark.parametrize("line", ["{", "{{", '{"a":', "{x}", '{"}'])
def test_what_only_begins_like_objects_is_not_parsed_over_and_over(parses: list[str], line: str) -> None:
    rows_of('{"open": [\n' + f"{line}\n" * 20_000)
    assert len(parses) <= 1000


def test_nor_where_each_few_end(parses: list[str]) -> None:
    rows_of(("{\n" + "{x}\n" * 100 + "}\n") * 200)
    assert len(parses) <= 200 * 7 + 1000


def test_an_object_that_never_ends_takes_no_other_with_it() -> None:
    whole = '{"a": 1}'
    assert rows_of(f'{{"b": "x\n{{x}}\n{whole},\n{whole}') == [(False, '{"b": "x\n{x}'), (True, whole), (True, whole)]


@given(st.lists(st.sampled_from(['{"a":1}', "{", "}", '"', "\\", "a", ":", ",", "[", "]", "1", " ", "\n", '{"b":{}}'])))
def test_objects_that_are_read_at_once_are_those_that_end_at_their_signs(pieces: list[str]) -> None:
    text = "".join(pieces)
    with pytest.MonkeyPatch.context() as by_signs:
        by_signs.setattr(json_rows, "_object_at", lambda _text, _at: None)
        slowly = rows_of(text)
    assert rows_of(text) == slowly
