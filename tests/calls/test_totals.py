"""Totals: of exactly the selection, from the cheapest place that knows them, and honest where it is not known."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import time_machine
from werkzeug.datastructures import MultiDict

from tests.calls.test_browse import many_calls, statements
from tests.cast import Cast
from tests.client import PageCheckingClient
from tests.make import NOON, Make
from webapp.calls import totals as totals_module
from webapp.calls import windows
from webapp.calls.figures import Figures
from webapp.calls.filters import read_filter
from webapp.calls.models import Call
from webapp.calls.outcomes import Direction, Outcome, is_missed
from webapp.calls.periods import day_number, local_day
from webapp.calls.searches import SearchWords
from webapp.calls.selection import select_calls
from webapp.calls.totals import Totals, count_by_day, total_calls
from webapp.calls.windows import Budget
from webapp.database.engine import Database
from webapp.database.ids import spell_id
from webapp.tenancy.reader import SEES_ALL
from webapp.tenancy.sessions import reading_session

LONDON = ZoneInfo("Europe/London")
NOW = datetime(2026, 7, 15, 18, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _in_july() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


def totals_of(
    database: Database, make: Make, query: dict[str, str], words: SearchWords | None = None, milliseconds: int = 60_000
) -> Totals:
    read = read_filter(MultiDict(query), LONDON, NOW)
    assert not read.errors
    with reading_session(database, make.organization.id) as session:
        selected = select_calls(session, read.call_filter, words, LONDON, "GB", SEES_ALL)
        return total_calls(session, selected, Budget(milliseconds))


def counted(calls: list[Call]) -> Figures:
    """The figures said a second time."""
    inbound = [call for call in calls if call.direction == Direction.INBOUND]
    return Figures(
        calls=len(calls),
        talk_seconds=sum(call.talk_seconds for call in calls),
        answered_anyway=sum(call.outcome == Outcome.ANSWERED for call in calls),
        inbound=len(inbound),
        answered=sum(call.outcome == Outcome.ANSWERED for call in inbound),
        voicemail=sum(call.outcome == Outcome.VOICEMAIL for call in inbound),
        missed=sum(is_missed(call.direction, call.outcome) for call in calls),
        unknown=sum(call.outcome == Outcome.UNKNOWN for call in inbound),
    )


def within(calls: list[Call], query: dict[str, str]) -> list[Call]:
    period = read_filter(MultiDict(query), LONDON, NOW).call_filter.period
    return [
        call
        for call in calls
        if (period.start is None or call.started_at >= period.start)
        and (period.end is None or call.started_at < period.end)
    ]


@pytest.mark.parametrize(
    "query",
    [
        {"period": "all"},
        {"period": "30d"},
        {"period": "2026-06"},
        {"from": "2026-06-20", "to": "2026-06-28"},
        {"from": "2026-06-20T12:30", "to": "2026-07-01T09:15"},
        {"from": "2026-06-20T12:30", "to": "2026-06-20T18:00"},
        {"from": "2026-06-20T12:30"},
        {"to": "2026-07-01T09:15"},
    ],
)
def test_totals_are_those_of_the_calls(database: Database, make: Make, query: dict[str, str]) -> None:
    calls = many_calls(make, 60)
    found = totals_of(database, make, query)
    assert found.exact
    assert found.figures == counted(within(calls, query))
    assert found.figures.inbound == sum(
        (found.figures.answered, found.figures.voicemail, found.figures.missed, found.figures.unknown)
    )


def test_conditions_narrow_them(database: Database, make: Make) -> None:
    calls = many_calls(make, 60)
    pbx_id = calls[0].pbx_id
    cases = [
        ({"direction": "outbound"}, [call for call in calls if call.direction == Direction.OUTBOUND]),
        ({"outcome": "missed"}, [call for call in calls if is_missed(call.direction, call.outcome)]),
        ({"outcome": "missed", "direction": "outbound"}, []),
        ({"pbx": spell_id(pbx_id)}, [call for call in calls if call.pbx_id == pbx_id]),
        ({"talk_min": "60"}, [call for call in calls if call.talk_seconds >= 60]),
    ]
    for query, expected in cases:
        found = totals_of(database, make, {"period": "all", **query})
        assert found.exact
        assert found.figures == counted(expected), query


def test_one_party_is_read_from_its_totals(database: Database, make: Make) -> None:
    calls = many_calls(make, 40)
    party_id = make.party("+442079460123").id
    theirs = [call for call in calls if party_id in (call.caller_id, call.callee_id, call.dialed_id)]
    with statements(database) as seen:
        found = totals_of(database, make, {"period": "all", "party": spell_id(party_id)})
    assert len([sql for sql, _values in seen if "party_total" in sql]) == 1
    assert not [sql for sql, _values in seen if "FROM call" in sql]
    expected = counted(theirs)
    assert not found.sides_known
    assert (found.figures.calls, found.figures.missed) == (expected.calls, expected.missed)
    assert (found.figures.answered_anyway, found.figures.talk_seconds) == (
        expected.answered_anyway,
        expected.talk_seconds,
    )


def test_what_totals_know_is_never_counted_in_calls(database: Database, make: Make) -> None:
    many_calls(make, 10)
    with statements(database) as seen:
        totals_of(database, make, {"period": "all", "direction": "inbound"})
        totals_of(database, make, {"from": "2026-06-20T12:30", "to": "2026-07-01T09:15"})
    tables = {table for sql, _values in seen for table in re.findall(r"FROM (\w+)", sql)}
    assert tables == {"call_month", "call_day", "call_total"}


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ("2026-01-01", "2026-12-31"),
        ("2026-01-02", "2026-12-31"),
        ("2025-12-31", "2026-12-30"),
        ("2026-01-31", "2026-07-01"),
        ("2025-11-15T12:15", "2026-08-15T23:45"),
        ("2026-02-01", "2026-04-30"),
        ("2026-03-01", ""),
        ("", "2026-07-14"),
    ],
)
def test_months_days_and_slots_add_up_to_the_period(database: Database, make: Make, first: str, last: str) -> None:
    """Midnights, ends of months and the clock change of a year, each on both sides."""
    times = [
        datetime(2025, 12, 31, 23, 59, tzinfo=UTC),
        datetime(2026, 1, 1, tzinfo=UTC),
        datetime(2026, 1, 31, 23, 59, tzinfo=UTC),
        datetime(2026, 2, 1, tzinfo=UTC),
        datetime(2026, 3, 29, 1, 0, tzinfo=UTC),
        datetime(2026, 3, 31, 22, 59, tzinfo=UTC),
        datetime(2026, 3, 31, 23, 0, tzinfo=UTC),  # 1 April in London
        datetime(2026, 4, 30, 22, 59, tzinfo=UTC),
        datetime(2026, 4, 30, 23, 0, tzinfo=UTC),
        datetime(2026, 7, 1, 12, 0, tzinfo=UTC),
        datetime(2026, 7, 14, 22, 59, tzinfo=UTC),
        datetime(2026, 12, 31, 23, 59, tzinfo=UTC),
        datetime(2027, 1, 1, tzinfo=UTC),
    ]
    calls = [make.call(started_at=at, talk=10 + place) for place, at in enumerate(times)]
    query = {key: value for key, value in (("from", first), ("to", last)) if value}
    period = read_filter(MultiDict(query), LONDON, NOW).call_filter.period
    inside = [
        call
        for call in calls
        if (period.start is None or call.started_at >= period.start)
        and (period.end is None or call.started_at < period.end)
    ]
    assert totals_of(database, make, query).figures == counted(inside)


@pytest.mark.parametrize(
    "query",
    [
        {"from": "2025-01-10", "to": "2026-07-20"},
        {"from": "2025-01-01", "to": "2026-07-20"},
        {"from": "2025-01-10"},
        {"to": "2026-07-20"},
        {"from": "2025-01-10T12:15", "to": "2026-07-20T09:30"},
        {"from": "2025-01-10", "to": "2026-07-20", "direction": "inbound"},
    ],
)
def test_a_ragged_period_of_many_months_has_its_totals_and_its_days(
    client: PageCheckingClient, cast: Cast, make: Make, query: dict[str, str]
) -> None:
    """Months, days and slots in one statement with the days of the page: four kinds of rows, on both engines."""
    make.call(started_at=NOON)
    client.sign_in(cast.vera)
    page = client.get("/o/harbour/calls", query_string=query)
    assert page.status_code == 200
    assert "Export 1 call" in page.text
    assert ("· 1 call" in page.text or "> 1 call" in page.text or "<span>1 call" in page.text) == (
        "T" not in query.get("from", "")
    )


def test_days_add_up_to_the_whole(database: Database, make: Make) -> None:
    calls = many_calls(make, 50)
    days = {day_number(local_day(call.started_at, LONDON)) for call in calls}
    with reading_session(database, make.organization.id) as session:
        chosen = read_filter(MultiDict({"period": "all"}), LONDON, NOW).call_filter
        by_day = count_by_day(session, select_calls(session, chosen, None, LONDON, "GB", SEES_ALL), days)
    assert set(by_day) == days
    assert sum(figures.calls for figures in by_day.values()) == 50
    assert sum(figures.missed for figures in by_day.values()) == counted(calls).missed


def test_a_search_that_takes_long_is_counted_so_far(
    database: Database, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(windows, "MOST_CALLS", 2)
    monkeypatch.setattr(totals_module, "_CHUNK", 2)
    for day in range(6):
        make.call(started_at=NOON - timedelta(days=day), talk=100)
    for query, words in (({"talk_min": "60"}, None), ({"search": "1"}, SearchWords("", "0123"))):
        found = totals_of(database, make, {"period": "all", **query}, words, milliseconds=0)
        assert not found.exact
        assert found.counted_to is not None
        assert 0 < found.figures.calls < 6
        assert totals_of(database, make, {"period": "all", **query}, words).figures.calls == 6


def test_more_than_the_limit_is_said_so(
    client: PageCheckingClient, cast: Cast, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(totals_module, "COUNTED_AT_MOST", 30)
    monkeypatch.setattr(totals_module, "COUNT_MS", 60_000)
    monkeypatch.setattr(windows, "MOST_CALLS", 20)
    for minute in range(60):
        make.call(started_at=NOON - timedelta(minutes=15 * minute), talk=100)
    client.sign_in(cast.vera)
    text = client.get("/o/harbour/calls?talk_min=60").text
    assert "more than" in text
    assert "Export these calls" in text


def test_page_button_and_figures_agree(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    calls = many_calls(make, 70)
    expected = counted(calls)
    client.sign_in(cast.vera)
    text = " ".join(client.get("/o/harbour/calls?period=all").text.split())
    assert f"Export {expected.calls} calls" in text
    words = ("answered", "missed", "voicemail", "unknown")
    sides = " + ".join(f"{getattr(expected, word)} {word}" for word in words)
    assert f"{expected.inbound} <small>{sides}</small>" in text
    assert "An outside call in that no person answered and that left no voicemail." in text
