"""The call log: rows in order, every call once whatever the way to it, parts for htmx, and bounded work."""

import random
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from sqlalchemy import event, select
from werkzeug.datastructures import MultiDict

from tests.cast import Cast
from tests.client import PageCheckingClient
from tests.make import NOON, Make
from webapp.calls import browse, selection, windows
from webapp.calls.browse import page_of_calls
from webapp.calls.filters import read_filter
from webapp.calls.models import Call
from webapp.calls.outcomes import Direction, Outcome, is_missed
from webapp.calls.searches import SearchWords
from webapp.calls.selection import select_calls
from webapp.calls.totals import total_calls
from webapp.calls.windows import Budget
from webapp.database.engine import Database
from webapp.database.ids import spell_id
from webapp.destinations.models import Party
from webapp.tenancy.reader import SEES_ALL
from webapp.tenancy.row_security import set_local
from webapp.tenancy.sessions import reading_session

LONDON = ZoneInfo("Europe/London")
LOG = "/o/harbour/calls"
NOW = datetime(2026, 7, 15, 18, 0, tzinfo=UTC)
NUMBERS = ("+442079460123", "+442079460182", "+447700900461", "+33199001234", None)
EXTENSIONS = ("201", "202", "203")


@pytest.fixture(autouse=True)
def _in_july() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@contextmanager
def statements(database: Database) -> Iterator[list[tuple[str, Any]]]:
    """Every SQL statement that runs meanwhile, with its values."""
    seen: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, values: Any, _context: Any, _many: bool) -> None:
        seen.append((statement, values))

    event.listen(database.engine, "before_cursor_execute", note)
    yield seen
    event.remove(database.engine, "before_cursor_execute", note)


def many_calls(make: Make, number: int, seed: int = 1) -> list[Call]:
    """Calls of all kinds over some weeks, several at the same instant."""
    chance = random.Random(seed)
    pbxes = [make.pbx("Head office"), make.pbx("Cloud trunk")]
    calls = []
    started_at = NOON - timedelta(days=40)
    for turn in range(number):
        started_at += timedelta(minutes=chance.choice((0, 0, 7, 90, 2_000)))
        direction = chance.choice(list(Direction))
        outside, inside = chance.choice(NUMBERS), chance.choice(EXTENSIONS)
        caller, callee = (outside, inside) if direction != Direction.OUTBOUND else (inside, outside or NUMBERS[0])
        outcome = chance.choice(list(Outcome))
        calls.append(
            make.call(
                pbx=pbxes[turn % 2],
                started_at=started_at,
                direction=direction,
                outcome=outcome,
                caller=caller,
                callee=callee,
                did="+442079460100" if direction == Direction.INBOUND else None,
                talk=chance.choice((5, 65, 600)) if outcome == Outcome.ANSWERED else 0,
                names={"+442079460182": "Harbour Dental", "202": "Priya"},
            )
        )
    return calls


def keys_of(calls: list[Call], *, newest: bool = True) -> list[int]:
    return [call.call_key for call in sorted(calls, key=lambda call: (call.started_at, call.call_key), reverse=newest)]


def test_rows_tell_who_called_whom_and_how_it_ended(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    make.pbx("Head office")
    make.call(names={"+442079460123": "Harbour Dental", "201": "Reception"}, ring=8, talk=192)
    make.call(caller="+33199001234", outcome=Outcome.BUSY, started_at=NOON - timedelta(days=1))
    make.call(caller=None, outcome=Outcome.VOICEMAIL, started_at=NOON - timedelta(days=3))
    client.sign_in(cast.vera)
    text = client.get(LOG).text
    for words in ("Harbour Dental", "020 7946 0123", "Reception", "ext 201", "8 s", "3:12", "13:00", "Head office"):
        assert words in text, words
    assert "+33 1 99 00 12 34" in text
    assert 'title="+33199001234"' in text
    assert "Withheld number" in text
    assert "outcome missed" in text  # busy, and inbound
    assert "Last 30 days, 16 June to 15 July" in text
    headings = re.findall(r'<tr class="day"><th[^>]*>([A-Za-z0-9 ]+)', text)
    assert [heading.strip() for heading in headings] == ["Today", "Yesterday", "Sunday 12 July"]
    assert "Wednesday 15 July · 1 call" in text
    assert "1 call, 1 missed" in text


def test_pages_go_on_by_plain_links_until_every_call_was_shown_once(
    client: PageCheckingClient, cast: Cast, make: Make
) -> None:
    calls = many_calls(make, 120)
    client.sign_in(cast.vera)
    for order in ("newest", "oldest"):
        found, address = [], f"{LOG}?period=all&order={order}"
        while address:
            text = client.get(address).text
            found += re.findall(r'data-row-link href="/o/harbour/calls/([0-9a-z]+)"', text)
            more = re.search(r'id="calls-rows" class="more">\s*<tr><td[^>]*><a href="([^"]+)"', text)
            address = more[1].replace("&amp;", "&") if more else ""
        assert found == [spell_id(key) for key in keys_of(calls, newest=order == "newest")]


def test_a_part_has_the_next_rows_only_and_moves_the_address(
    client: PageCheckingClient, cast: Cast, make: Make
) -> None:
    for minute in range(60):
        make.call(started_at=NOON - timedelta(minutes=minute))
    client.sign_in(cast.vera)
    first = client.get(LOG).text
    more = re.search(r'data-hx-get="([^"]+after=[^"]+)"', first)
    assert more
    part = client.get_part(more[1])
    assert part.text.count("data-row-link") == 10
    assert "<h1" not in part.text
    assert 'class="day"' not in part.text  # the day began on the page above
    again = client.get(more[1])  # as a page
    assert re.findall("data-row-link[^>]*", again.text) == re.findall("data-row-link[^>]*", part.text)
    assert "From the newest" in again.text
    assert 'class="day"' in again.text


def test_back_and_reload_return_to_the_rows_that_were_read(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    """While a part comes in below, the reader is at the end of the rows above it: the address names these."""
    for minute in range(160):
        make.call(started_at=NOON - timedelta(minutes=minute))
    client.sign_in(cast.vera)
    address, shown = LOG, [client.get(LOG).text]
    for _turn in range(3):
        more = re.search(r'data-hx-get="([^"]+after=[^"]+)"', shown[-1])
        assert more
        part = client.get_part(more[1].replace("&amp;", "&"))
        address = part.headers["HX-Replace-Url"]
        reloaded = client.get(address).text
        assert re.findall("data-row-link[^>]*", reloaded) == re.findall("data-row-link[^>]*", shown[-1])
        again = re.search(r'data-hx-get="([^"]+after=[^"]+)"', reloaded)
        assert again
        followed = client.get_part(again[1].replace("&amp;", "&"))
        assert followed.text.count("data-row-link") == part.text.count("data-row-link")
        assert followed.headers["HX-Replace-Url"] == address  # reloading again and again stays there
        shown.append(part.text)


def test_a_part_without_a_cursor_is_the_whole_log(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    make.call()
    client.sign_in(cast.vera)
    part = client.get_part(f"{LOG}?direction=inbound")
    assert "<html" not in part.text
    assert 'id="calls-log"' in part.text
    assert re.search(r"<span>Direction</span> Inbound", part.text)


FILTERS: list[dict[str, str]] = [
    {"direction": "inbound"},
    {"outcome": "missed"},
    {"outcome": "busy", "direction": "outbound"},
    {"talk_min": "60"},
    {"talk_min": "1", "talk_max": "59", "direction": "internal"},
    {"period": "2026-06", "outcome": "answered"},
    {"from": "2026-06-20T12:30", "to": "2026-07-01T09:15"},
    {"from": "2026-06-20T12:30", "to": "2026-06-20T23:00", "outcome": "voicemail"},
]
WORDS = [
    SearchWords("Dental"),
    SearchWords("020 7946"),
    SearchWords("20"),
    SearchWords("", "0461"),
    SearchWords("", "", "202"),
    SearchWords("Priya", "+44"),
    SearchWords("", "201", "020 7946"),
    SearchWords("nobody"),
]


@pytest.fixture
def tight_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows, chunks and lists so small that a few calls use every way of looking."""
    monkeypatch.setattr(windows, "MOST_CALLS", 3)
    monkeypatch.setattr(windows, "MOST_CALLS_OF_PARTIES", 2)
    monkeypatch.setattr(windows, "_DAYS_AT_ONCE", 2)
    monkeypatch.setattr(windows, "_FIRST_STRETCH_DAYS", 2)
    monkeypatch.setattr(browse, "_CHUNK", 4)


@pytest.mark.parametrize("listed", [0, 1, 1000])
@pytest.mark.parametrize("order", ["newest", "oldest"])
@pytest.mark.parametrize("milliseconds", [0, 60_000])
@pytest.mark.usefixtures("tight_limits")
def test_every_way_of_looking_finds_the_same_calls(
    database: Database, make: Make, monkeypatch: pytest.MonkeyPatch, listed: int, order: str, milliseconds: int
) -> None:
    """Against a plain loop over all calls, with budgets that are spent at once and ones that never are."""
    monkeypatch.setattr(selection, "MOST_PARTIES", listed)
    calls = many_calls(make, 45, seed=listed)
    pbx, party = spell_id(calls[0].pbx_id), spell_id(calls[0].callee_id or 0)
    cases: list[tuple[dict[str, str], SearchWords | None]] = [(chosen, None) for chosen in FILTERS]
    cases += [({"search": "1"}, words) for words in WORDS]
    cases += [({"pbx": pbx}, None), ({"party": party}, None), ({"party": party, "outcome": "missed"}, None)]
    cases += [({"search": "1", "talk_min": "60", "pbx": pbx}, WORDS[1]), ({"search": "1", "party": party}, WORDS[3])]
    for chosen, words in cases:
        query = {"order": order, **chosen}
        if not {"period", "from"} & query.keys():
            query["period"] = "all"
        expected = keys_of([call for call in calls if matches(make, call, query, words)], newest=order == "newest")
        assert walk(database, make, query, words, milliseconds) == expected, (query, words)


def walk(
    database: Database, make: Make, query: dict[str, str], words: SearchWords | None, milliseconds: int
) -> list[int]:
    """The calls of all pages, three rows each; the totals are looked at on the way."""
    read = read_filter(MultiDict(query), LONDON, NOW)
    assert not read.errors
    found: list[int] = []
    with reading_session(database, make.organization.id) as session:
        chosen = select_calls(session, read.call_filter, words, LONDON, "GB", SEES_ALL)
        cursor = None
        for _page in range(400):
            page = page_of_calls(session, chosen, "GB", cursor, 3, Budget(milliseconds))
            assert len(page.rows) <= 3
            assert page.searched_to is None or page.next_cursor is not None
            found += [row.call_key for row in page.rows]
            cursor = page.next_cursor
            if cursor is None:
                break
        assert cursor is None
        totals = total_calls(session, chosen, Budget(60_000))
    assert totals.exact
    assert totals.figures.calls == len(found)
    return found


def matches(make: Make, call: Call, query: dict[str, str], words: SearchWords | None) -> bool:
    """What the filters mean, said a second time and as simply as can be."""
    read = read_filter(MultiDict(query), LONDON, NOW).call_filter
    people = party_digits(make)
    everyone = {
        people[party_id] for party_id in (call.caller_id, call.dialed_id, call.callee_id, call.did_id) if party_id
    }
    reached = {people[party_id] for party_id in (call.dialed_id, call.callee_id) if party_id}
    caller = {people[call.caller_id]} if call.caller_id else set()
    outcome = query.get("outcome")
    return all(
        (
            read.period.start is None or call.started_at >= read.period.start,
            read.period.end is None or call.started_at < read.period.end,
            "direction" not in query or call.direction.word == query["direction"],
            outcome is None
            or (is_missed(call.direction, call.outcome) if outcome == "missed" else call.outcome.word == outcome),
            not read.pbx_ids or call.pbx_id in read.pbx_ids,
            call.talk_seconds >= (read.talk_min or 0),
            read.talk_max is None or call.talk_seconds <= read.talk_max,
            read.party_id in (None, call.caller_id, call.dialed_id, call.callee_id, call.did_id),
            words is None
            or all(
                not typed or any(means(typed, digits) for digits in group)
                for typed, group in ((words.search, everyone), (words.caller, caller), (words.callee, reached))
            ),
        )
    )


def means(typed: str, digits: str) -> bool:
    return (
        digits
        in {
            "Dental": {"442079460182"},
            "020 7946": {"442079460123", "442079460182", "442079460100"},
            "20": {"201", "202", "203"},
            "0461": {"447700900461"},
            "202": {"202"},
            "201": {"201"},
            "Priya": {"202"},
            "+44": {"442079460123", "442079460182", "442079460100", "447700900461"},
            "nobody": set(),
        }[typed]
    )


def party_digits(make: Make) -> dict[int, str]:
    cached: dict[int, str] | None = getattr(make, "_digits_seen", None)
    if cached is None:
        with make.session() as session:
            cached = {party.id: party.digits for party in session.scalars(select(Party))}
        make._digits_seen = cached  # type: ignore[attr-defined]
    return cached


def test_a_page_says_how_far_it_has_looked(
    client: PageCheckingClient, cast: Cast, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(windows, "MOST_CALLS", 1)
    monkeypatch.setattr(browse, "SEARCH_MS", 0)
    for days in range(5):
        make.call(started_at=NOON - timedelta(days=days), talk=600 if days == 4 else 5)
    client.sign_in(cast.vera)
    text = client.get(f"{LOG}?talk_min=300").text
    assert "Searched back to 15 July. Go on" in text
    assert "data-row-link" not in text
    assert "counted so far" in text
    assert "Export these calls" in text
    monkeypatch.setattr(browse, "SEARCH_MS", 60_000)
    assert "That is all: 1 call." in client.get(f"{LOG}?talk_min=300").text


@pytest.mark.parametrize(
    "query",
    [
        {"period": "all"},
        {"period": "30d"},
        {"period": "all", "order": "oldest"},
        {"period": "all", "direction": "inbound", "talk_min": "5"},
        {"period": "all", "party": "+442079460123"},
        {"period": "30d", "party": "+442079460123", "outcome": "answered"},
    ],
)
@pytest.mark.parametrize("is_first", [True, False])
def test_the_plan_of_every_hot_query_is_the_key_in_its_order(
    database: Database, make: Make, query: dict[str, str], is_first: bool
) -> None:
    """On a database that was never analysed: calls are read by ranges of their key, and nothing is sorted."""
    for minute in range(8):
        make.call(started_at=NOON - timedelta(minutes=minute))
    if "party" in query:
        query = {**query, "party": spell_id(make.party("+442079460123").id)}
    chosen = read_filter(MultiDict(query), LONDON, NOW).call_filter
    with reading_session(database, make.organization.id) as session:
        selected = select_calls(session, chosen, None, LONDON, "GB", SEES_ALL)
        cursor = None if is_first else page_of_calls(session, selected, "GB", None, 3).next_cursor
        with statements(database) as seen:
            assert len(page_of_calls(session, selected, "GB", cursor, 3).rows) == 3
    walked = [(sql, values) for sql, values in seen if "FROM call" in sql]
    assert walked
    for sql, values in walked:
        plan = explain(database, make, sql, values)
        unbounded = is_first and query["period"] == "all" and "party" not in query
        if database.dialect == "sqlite":
            assert "USING PRIMARY KEY (organization_id=?" in plan, plan
            assert "TEMP B-TREE" not in plan, plan
            assert unbounded or " AND " in plan.split("(organization_id=?")[1], plan
        else:
            assert "_pkey" in plan or "call_call_key_unique" in plan, plan
            assert "Sort" not in plan, plan


def explain(database: Database, make: Make, sql: str, values: Any) -> str:
    with database.engine.connect() as connection:
        if database.dialect == "sqlite":
            return " ".join(row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", values))
        set_local(connection, make.organization.id, None)
        for way in ("seqscan", "bitmapscan", "hashagg"):  # which a table of eight rows would be read by
            connection.exec_driver_sql(f"SET LOCAL enable_{way} = off")
        return " ".join(row[0] for row in connection.exec_driver_sql(f"EXPLAIN {sql}", values))


def test_a_page_asks_the_same_few_statements_whatever_it_shows(
    client: PageCheckingClient, cast: Cast, make: Make, database: Database
) -> None:
    client.sign_in(cast.vera)
    make.call()
    client.get(LOG)  # the day of the last use, and that she looked, are written now
    with statements(database) as few:
        client.get(LOG)
    for minute in range(1, 60):
        make.call(started_at=NOON - timedelta(minutes=minute), caller=f"+4420794601{minute:02}")
    with statements(database) as many:
        client.get(LOG)
    assert len(many) == len(few)
    assert len([sql for sql, _values in many if sql.startswith("SELECT")]) <= 8
    assert not [sql for sql, _values in many if "count(" in sql.lower()]
    assert not [sql for sql, _values in many if sql.startswith(("INSERT", "UPDATE", "DELETE"))]


def test_an_empty_period_offers_the_nearest_with_calls(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    client.sign_in(cast.vera)
    assert "No calls yet." in client.get(LOG).text
    make.call(started_at=datetime(2017, 6, 27, 9, 0, tzinfo=UTC))
    text = client.get(LOG).text
    assert "No calls in the last 30 days." in text
    assert "The newest is of 27 June 2017." in text
    link = re.search(r'href="([^"]+)">Show the 30 days up to it', text)
    assert link
    assert "data-row-link" in client.get(link[1].replace("&amp;", "&")).text
    later = client.get(f"{LOG}?period=2016-01").text
    assert "The next is of 27 June 2017." in later
    assert "No calls match" in client.get(f"{LOG}?outcome=busy").text


def test_access(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    make.call()
    assert client.get(LOG).status_code in (302, 303)
    for person in (cast.olive, cast.max, cast.vera):
        browser = client.application.test_client()
        browser.sign_in(person)  # type: ignore[attr-defined]
        assert browser.get(LOG).status_code == 200
    client.sign_in(cast.quentin)
    assert client.get(LOG).status_code == 404
    assert client.get("/o/nowhere/calls").status_code == 404
    assert client.send(LOG).status_code == 405


def test_another_organization_shows_none_of_ours(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    make.call()
    client.sign_in(cast.quentin)
    text = client.get("/o/quayside/calls?period=all").text
    assert "data-row-link" not in text
    assert "No calls yet." in text


@pytest.mark.parametrize("canary", ["<img src=x onerror=alert(1)>", '"><svg onload=alert(1)>', "{{7*7}}"])
def test_names_are_text(client: PageCheckingClient, cast: Cast, make: Make, canary: str) -> None:
    make.call(names={"+442079460123": canary})
    client.sign_in(cast.vera)
    text = client.get(LOG).text
    assert canary not in text or canary == "{{7*7}}"
    shown = re.sub("<[^>]*>", " ", text.split('class="calls"')[1].split("</tbody>")[0])  # ids in addresses may hold 49
    assert "49" not in re.sub(r"[0-9]{3,}", "", shown)
