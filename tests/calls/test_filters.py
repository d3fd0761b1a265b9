"""Filters in the address: read, spelt back, and told beside their field when they are nonsense."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict

from tests.cast import Cast
from tests.client import PageCheckingClient
from tests.make import Make
from webapp.calls.filters import KEYS, read_filter
from webapp.calls.outcomes import MISSED_OUTCOMES, Direction
from webapp.database.ids import spell_id
from webapp.pagination import NO_KEY, Cursor, read_cursor, spell_cursor

LONDON = ZoneInfo("Europe/London")
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
LOG = "/o/harbour/calls"

WRONG = [
    ("period", "fortnight"),
    ("from", "yesterday"),
    ("from", "2026-02-30"),
    ("to", "0001-01-01"),
    ("direction", "sideways"),
    ("outcome", "Answered"),
    ("pbx", "!!"),
    ("pbx", "0000000000000000"),
    ("talk_min", "-1"),
    ("talk_min", "1e9"),
    ("talk_min", "99999999999999999999"),
    ("talk_max", "1:75"),
    ("talk_max", "²"),
    ("party", "../../etc"),
    ("search", "' OR 1=1 --"),
    ("order", "started_at DESC; DROP TABLE call"),
    ("after", "x"),
    ("after", "0-0-0-0"),
]


@pytest.mark.parametrize(("key", "value"), WRONG)
def test_a_wrong_value_is_told_beside_its_field(client: PageCheckingClient, cast: Cast, key: str, value: str) -> None:
    client.sign_in(cast.vera)
    page = client.get(LOG, query_string={key: value})
    assert page.status_code == 422
    assert (
        f'id="calls-{key}-error"' in page.text or "This part of the address is damaged" in page.text or key == "order"
    )
    assert "There is no such choice" in page.text if key == "order" else True
    part = client.get_part(LOG, query_string={key: value})
    assert part.status_code == 422
    assert "<html" not in part.text


def test_what_was_typed_stays_in_its_field(client: PageCheckingClient, cast: Cast) -> None:
    client.sign_in(cast.vera)
    page = client.get(LOG, query_string={"talk_min": '"><svg onload=x>'})
    assert 'value="&#34;&gt;&lt;svg onload=x&gt;"' in page.text
    assert "<svg onload" not in page.text


def test_phone_systems_and_parties_of_others_are_not_found(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    other = make.at(cast.quayside)
    theirs, number = other.pbx("Quay"), other.party("+33199001234")
    client.sign_in(cast.olive)
    missing = client.get(LOG, query_string={"pbx": spell_id(12345)})
    assert missing.status_code == 404
    assert client.get(LOG, query_string={"pbx": spell_id(theirs.id)}).status_code == 404
    assert client.get(LOG, query_string={"party": spell_id(number.id)}).status_code == 404
    assert client.get(f"{LOG}/export", query_string={"party": spell_id(number.id)}).status_code == 404


def test_missed_is_inbound_only() -> None:
    chosen = read_filter(MultiDict({"outcome": "missed"}), LONDON, NOW).call_filter
    assert chosen.outcomes == MISSED_OUTCOMES
    assert chosen.directions == {Direction.INBOUND}
    outbound = read_filter(MultiDict({"outcome": "missed", "direction": "outbound"}), LONDON, NOW).call_filter
    assert outbound.directions == frozenset()


def test_talk_time_is_seconds_or_minutes_and_seconds() -> None:
    chosen = read_filter(MultiDict({"talk_min": "90", "talk_max": "2:30"}), LONDON, NOW).call_filter
    assert (chosen.talk_min, chosen.talk_max) == (90, 150)
    crossed = read_filter(MultiDict({"talk_min": "90", "talk_max": "30"}), LONDON, NOW)
    assert set(crossed.errors) == {"talk_max"}


_WORDS = st.one_of(
    st.sampled_from(
        ["", "today", "30d", "all", "2026-11", "between", "inbound", "missed", "busy", "oldest", "newest", "60", "1:30"]
    ),
    st.dates().map(str),
    st.text(max_size=12),
    st.integers(0, 2**63 - 1).map(spell_id),
)


@given(st.lists(st.tuples(st.sampled_from([*KEYS, "after", "utm"]), _WORDS), max_size=8))
def test_security_44_any_address_is_read_and_what_is_read_comes_back(pairs: list[tuple[str, str]]) -> None:
    read = read_filter(MultiDict(pairs), LONDON, NOW)
    assert set(read.errors) <= set(KEYS)
    again = read_filter(MultiDict(read.call_filter.to_query()), LONDON, NOW)
    assert not again.errors
    assert again.call_filter == read.call_filter


@given(
    st.integers(-(1 << 45), (1 << 46) - 1), st.integers(NO_KEY, 2**63 - 2), st.one_of(st.none(), st.integers(0, 80_000))
)
def test_a_cursor_comes_back(ms: int, key: int, day: int | None) -> None:
    cursor = Cursor(ms, key, day)
    assert read_cursor(spell_cursor(cursor)) == cursor


@given(st.text(max_size=40))
def test_what_is_no_cursor_is_refused(text: str) -> None:
    try:
        cursor = read_cursor(text)
    except ValueError:
        return
    assert spell_cursor(cursor) == text
