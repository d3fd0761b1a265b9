"""SECURITY 23: of the talk time of a call a narrowed person sees their own part, the same wherever it stands."""

import csv
import io
import re
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from tests.cast import Cast
from tests.client import PageCheckingClient
from tests.make import EPOCH, Make
from webapp.calls import browse, totals, views
from webapp.calls.models import Call
from webapp.calls.outcomes import Direction, Outcome
from webapp.calls.totals import total_calls
from webapp.database.ids import spell_id
from webapp.reports import my_calls
from webapp.tenancy.models import Numbers

LOG, MY_CALLS = "/o/harbour/calls", "/o/harbour/"
CUSTOMER = "+442079460123"
PRESENT = datetime(2026, 7, 15, 16, tzinfo=UTC)
PASSED = datetime(2026, 7, 15, 14, tzinfo=UTC)  #: from then on 204 is theirs too


@pytest.fixture
def house(make: Make, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> dict[int, Call]:
    """Calls by the seconds that Nina sees of each: she has 201 and 202, and 204 since it was passed on."""
    monkeypatch.setattr(browse, "SEARCH_MS", 60_000.0)
    monkeypatch.setattr(totals, "COUNT_NARROWED_MS", 60_000.0)
    make.membership(cast.nina, numbers=Numbers.FULL)
    make.narrow(cast.nina, "201", "202")
    make.narrow(cast.nina, "204", from_at=PASSED)
    make.narrow(cast.nina, "201", from_at=EPOCH + timedelta(days=1))  # the same days twice open nothing twice

    def call(hour: int, *parties: str, talk: int, direction: Direction = Direction.INBOUND, **talks: int) -> Call:
        caller, dialed, callee = parties
        kind = {"outcome": Outcome.ANSWERED if talk else Outcome.NO_ANSWER, "direction": direction}
        told = {digits.removeprefix("of_"): seconds for digits, seconds in talks.items()} | {caller: talk}
        at = PRESENT.replace(hour=hour)
        return make.call(caller=caller, dialed=dialed, callee=callee, talk=talk, talks=told, started_at=at, **kind)

    return {
        240: call(9, CUSTOMER, "201", "205", talk=600, of_201=240, of_205=360),  # went on to a colleague
        90: call(10, CUSTOMER, "201", "202", talk=90, of_201=50, of_202=40),  # from one of theirs to the other
        70: call(11, "201", "202", "202", talk=70, of_202=70, direction=Direction.INTERNAL),  # with each other
        20: call(12, CUSTOMER, "201", "204", talk=100, of_201=20, of_204=80),  # 204 was a colleague's then
        180: call(15, CUSTOMER, "201", "204", talk=180, of_201=100, of_204=80),  # and is theirs now
        0: call(13, CUSTOMER, "201", "205", talk=300, of_205=300),  # a colleague took it
    }


@pytest.fixture
def nina(client: PageCheckingClient, cast: Cast, house: dict[int, Call]) -> PageCheckingClient:
    with time_machine.travel(PRESENT, tick=False):
        client.sign_in(cast.nina)
    return client


def shown(client: PageCheckingClient, path: str) -> str:
    with time_machine.travel(PRESENT, tick=False):
        return client.get(path).text


def exported(client: PageCheckingClient, query: str) -> list[int]:
    with time_machine.travel(PRESENT, tick=False):
        data = client.get(f"{LOG}/export?{query}").data.decode("utf-8-sig")
    return sorted(int(row["Talk seconds"]) for row in csv.DictReader(io.StringIO(data)))


def rows(page: str) -> dict[str, str]:
    """What stands under Talked, by the address of the call."""
    cells = re.findall(r'data-row-link href="[^"]*/([^"/]+)".*?<td class="end seconds talk">([^<]*)</td>', page, re.S)
    return dict(cells)


def talk_times(page: str) -> list[str]:
    """The figures called talk time."""
    return re.findall(r"<dt>Talk time</dt>\s*<dd>([^<]*)</dd>", page)


WRITTEN_LONG = {240: "4 min", 90: "1 min 30 s", 70: "1 min 10 s", 20: "20 s", 180: "3 min"}
WRITTEN = {240: "4:00", 90: "1:30", 70: "1:10", 20: "0:20", 180: "3:00", 0: ""}


def by_address(calls: dict[int, Call], *seen: int) -> dict[str, str]:
    return {spell_id(calls[each].call_key): WRITTEN[each] for each in seen}


def test_rows_sums_chart_export_and_page_tell_the_same(nina: PageCheckingClient, house: dict[int, Call]) -> None:
    """Ten minutes in all: each of the figures would tell more of the whole calls, or of what counts twice."""
    page, mine = shown(nina, f"{LOG}?period=30d"), shown(nina, MY_CALLS)
    assert rows(page) == rows(mine) == by_address(house, *WRITTEN)
    assert exported(nina, "period=30d") == sorted(WRITTEN)
    assert sum(WRITTEN) == 600
    assert talk_times(page) == ["10 min"]
    assert talk_times(mine) == ["10 min", "10 min"], "today and the 30 days, from the days of the chart"
    for seconds, call in house.items():
        detail = shown(nina, f"{LOG}/{spell_id(call.call_key)}")
        told = re.findall(r"<dt>Talked</dt><dd>([^<]*)</dd>", detail)
        assert told == ([WRITTEN_LONG[seconds]] if seconds else [])


def test_without_a_chart_the_sums_are_the_same(
    nina: PageCheckingClient, house: dict[int, Call], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(my_calls, "count_own_days", lambda *_arguments: None)
    assert talk_times(shown(nina, MY_CALLS)) == ["10 min", "10 min"]


@pytest.mark.parametrize(
    ("query", "seen"),
    [
        ("party=201", (240, 90, 70, 20, 180, 0)),
        ("party=202", (90, 70)),
        ("party=204", (180,)),
        (f"party={CUSTOMER}", (240, 90, 20, 180, 0)),
        ("talk_min=90", (240, 90, 180)),
        ("talk_min=241", ()),
        ("talk_max=70", (70, 20, 0)),
        ("talk_min=20&talk_max=70&direction=inbound", (20,)),
        ("direction=internal", (70,)),
        ("outcome=answered&order=oldest", (240, 90, 70, 20, 180, 0)),
    ],
)
@pytest.mark.parametrize("apart", [False, True], ids=["summed from the page", "summed apart"])
def test_filters_ask_for_what_is_shown(
    nina: PageCheckingClient,
    make: Make,
    house: dict[int, Call],
    monkeypatch: pytest.MonkeyPatch,
    query: str,
    seen: tuple[int, ...],
    apart: bool,
) -> None:
    """Whichever party's calls are read, the talk is that of all of theirs. Of more calls than a page holds, sums are
    asked for apart.
    """
    if apart:
        monkeypatch.setattr(
            views, "total_page", lambda session, selection, _page: (total_calls(session, selection), {})
        )
    asked = re.sub(r"party=([+0-9]+)", lambda found: f"party={spell_id(make.party(found[1]).id)}", query)
    page = shown(nina, f"{LOG}?period=30d&{asked}")
    assert rows(page) == by_address(house, *seen)
    assert exported(nina, f"period=30d&{asked}") == sorted(seen)
    whole, seconds = talk_times(page), sum(seen)
    assert whole == ([f"{seconds // 60} min" if seconds >= 60 else f"{seconds} s"] if seen else whole)


def test_who_sees_every_call_sees_all_of_it(client: PageCheckingClient, cast: Cast, house: dict[int, Call]) -> None:
    with time_machine.travel(PRESENT, tick=False):
        client.sign_in(cast.olive)
    page = shown(client, f"{LOG}?period=30d")
    assert sorted(rows(page).values()) == ["10:00", "1:10", "1:30", "1:40", "3:00", "5:00"]
    assert exported(client, "period=30d&talk_min=100") == [100, 180, 300, 600]
    assert talk_times(page) == ["22 min"]
