"""Ids: ordered, never the same, and spelt in one way only."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapp.database import ids
from webapp.database.ids import new_id, read_id, spell_id


def test_a_later_id_is_larger_and_none_comes_twice() -> None:
    made = [new_id() for _ in range(100_000)]

    assert made == sorted(set(made))
    assert all(0 < one < 1 << 63 for one in made)


def test_threads_share_no_id() -> None:
    made: list[int] = []

    def make_many() -> None:
        made.extend([new_id() for _ in range(5_000)])

    threads = [threading.Thread(target=make_many) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(made)) == 20_000


def test_a_clock_that_goes_back_makes_no_smaller_id(monkeypatch: pytest.MonkeyPatch) -> None:
    before = new_id()
    monkeypatch.setattr(ids.time, "time_ns", lambda: 1_600_000_000 * 10**9)

    assert new_id() > before


@given(st.integers(0, (1 << 63) - 1))
def test_an_id_survives_its_address(number: int) -> None:
    assert read_id(spell_id(number)) == number


@pytest.mark.parametrize(
    "text",
    ["", "i", "o", "u", "L", "A", "00", "01", "-1", "1 ", " 1", "8000000000000", "zzzzzzzzzzzzz", "0" * 14, "é", "١"],
)
def test_no_other_spelling_is_an_id(text: str) -> None:
    with pytest.raises(ValueError, match="not an id"):
        read_id(text)
