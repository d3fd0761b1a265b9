"""SECURITY 23: a narrowed person sees the calls of their extensions, on every page, each once, without colleagues."""

import csv
import io
import re
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from tests.cast import Cast
from tests.client import PageCheckingClient
from tests.make import NOON, Make
from webapp.calls import browse, export, own_days, totals
from webapp.calls.models import Call
from webapp.calls.outcomes import Direction, Outcome
from webapp.clock import now
from webapp.database.ids import spell_id
from webapp.errors import Forbidden
from webapp.tenancy.models import Numbers

LOG = "/o/harbour/calls"
ALL = f"{LOG}?period=all"
MINE, COLLEAGUES = "+442079460123", "+442079460777"


@pytest.fixture
def nina(client: PageCheckingClient, cast: Cast, make: Make, monkeypatch: pytest.MonkeyPatch) -> PageCheckingClient:
    """Sees the calls of 201 and 202; with full numbers, so that what is shown can be told."""
    monkeypatch.setattr(browse, "SEARCH_MS", 60_000.0)  # a slow machine would show what was found so far
    make.membership(cast.nina, numbers=Numbers.FULL)
    make.narrow(cast.nina, "201", "202")
    client.sign_in(cast.nina)
    return client


@pytest.fixture
def colleague(make: Make) -> Call:
    """A call of an extension that is not theirs."""
    return make.call(callee="205", caller=COLLEAGUES, names={"205": "Grace Stone"}, talk=61)


def words_of(page: str) -> str:
    """What stands below the bar, without the addresses in it."""
    return re.sub(r'(?:href|action|datetime|value)="[^"]*"', "", page[page.find("<main") :])


def rows(text: str) -> int:
    return text.count("data-row-link")


def search(client: PageCheckingClient, **words: str) -> str:
    answer = client.send(f"{LOG}/search", {"period": "all", **words})
    return client.get(answer.location).text


def exported(client: PageCheckingClient, query: str = "period=all") -> list[dict[str, str]]:
    text = client.get(f"{LOG}/export?{query}").data.decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))


def test_the_log_shows_their_calls_only(nina: PageCheckingClient, make: Make, colleague: Call) -> None:
    make.call(callee="201", caller=MINE)
    page = nina.get(ALL).text
    assert rows(page) == 1
    assert "You see extensions 201 and 202" in page
    assert spell_id(colleague.call_key) not in page
    assert "That is all: 1 call." in page


def test_security_22_a_call_of_a_colleague_is_not_there(nina: PageCheckingClient, colleague: Call) -> None:
    answer = nina.get(f"{LOG}/{spell_id(colleague.call_key)}")
    assert answer.status_code == 404
    assert "Grace" not in answer.text


def test_nor_is_the_colleague_a_filter_or_a_number_of_a_colleague(
    nina: PageCheckingClient, make: Make, colleague: Call
) -> None:
    for digits in ("205", COLLEAGUES):
        assert nina.get(f"{ALL}&party={spell_id(make.party(digits).id)}").status_code == 404


@pytest.mark.parametrize("words", ["Grace", "205", "0777", COLLEAGUES, "Stone"])
@pytest.mark.parametrize("field", ["words", "caller", "callee"])
def test_searching_finds_no_colleague(
    nina: PageCheckingClient, make: Make, colleague: Call, words: str, field: str
) -> None:
    """Not even where the colleague took part in a call of theirs."""
    make.call(caller="205", callee="201", names={"205": "Grace Stone"})
    assert rows(search(nina, **{field: words})) == 0


def test_searching_finds_their_own(nina: PageCheckingClient, make: Make, colleague: Call) -> None:
    make.call(callee="201", caller=MINE, names={MINE: "Bright & Sons"})
    make.call(callee="202", caller=MINE)
    assert rows(search(nina, words="Bright")) == 2
    assert rows(search(nina, words="201")) == 1
    assert rows(search(nina, caller="0123", callee="202")) == 1
    assert rows(nina.get(f"{ALL}&party={spell_id(make.party(MINE).id)}").text) == 2
    assert rows(nina.get(f"{ALL}&party={spell_id(make.party(MINE).id)}&order=oldest").text) == 2
    assert rows(nina.get(f"{ALL}&party={spell_id(make.party('202').id)}").text) == 1


def test_a_call_between_two_of_theirs_counts_once(nina: PageCheckingClient, make: Make) -> None:
    make.call(caller="201", callee="202", direction=Direction.INTERNAL)
    page = nina.get(ALL).text
    assert rows(page) == 1
    assert "That is all: 1 call." in page
    assert len(exported(nina)) == 1
    assert "1 call" in page


def test_a_page_goes_on_where_it_ended(nina: PageCheckingClient, make: Make, colleague: Call) -> None:
    """Over both extensions, in one order, none twice and none left out."""
    made = [
        make.call(callee="201" if turn % 3 else "202", started_at=NOON + timedelta(minutes=turn)) for turn in range(60)
    ]
    for order in ("newest", "oldest"):
        first = nina.get(f"{ALL}&order={order}").text
        assert rows(first) == 50
        following = first[first.index("after=") :].split('"')[0].replace("&amp;", "&")
        rest = nina.get(f"{ALL}&order={order}&{following}").text
        seen = [key for call in made if (key := spell_id(call.call_key)) in first or key in rest]
        assert len(seen) == 60
        assert rows(rest) == 10


def test_an_extension_that_passes_on(nina: PageCheckingClient, cast: Cast, make: Make) -> None:
    """From that day it is theirs; in the calls before, whoever had it is a colleague, even beside one of theirs."""
    passed = NOON + timedelta(days=1)
    make.narrow(cast.nina, "204", from_at=passed)
    make.call(callee="204", started_at=passed - timedelta(milliseconds=1))
    both = make.call(callee="204", caller="201", started_at=NOON, names={"204": "Ada Reed"})
    make.call(callee="204", started_at=passed)
    page = nina.get(ALL).text
    assert rows(page) == 2
    assert "204 from" in page
    assert "A colleague" in page
    detail = nina.get(f"{LOG}/{spell_id(both.call_key)}").text
    assert "Ada" not in detail
    assert "204" not in words_of(detail)
    assert [row["Reached name"] for row in exported(nina)] == ["Ada Reed", "A colleague"]
    assert rows(nina.get(f"{ALL}&party={spell_id(make.party('204').id)}").text) == 1
    assert rows(search(nina, words="Ada")) == 1


def test_of_a_call_that_went_on_they_see_their_own_part(nina: PageCheckingClient, make: Make) -> None:
    """The colleague is one: in the rows, the page and its title, the export."""
    grace, names = make.party("205", name="Grace Stone"), {"205": "Grace Stone"}
    answered = {"talk": 240, "talks": {"201": 60, "205": 180}, "answered_by_id": make.party("201").id}
    call = make.call(caller=MINE, dialed="201", callee="205", names=names, **answered)
    own = {"caller": MINE, "dialed": "201", "reached": "201", "billsec": 60}
    make.record(call, **own)
    later = call.started_at + timedelta(seconds=70)
    make.record(call, started_at=later, answered_at=later, caller=MINE, dialed="205", reached="205", billsec=180)
    other = {"started_at": later, "answered_at": None, "billsec": 0, "result": 2, "disposition": "NO ANSWER"}
    make.record(call, caller=MINE, dialed="206", reached="206", **other)
    page, detail = nina.get(ALL).text, nina.get(f"{LOG}/{spell_id(call.call_key)}").text
    assert "Extension 201" in page
    assert "Then with a colleague, 3 min" in detail
    assert "was answered, talked 1 min and was transferred to a colleague." in detail
    assert "4 min" not in detail and "4:00" not in page
    [row] = exported(nina)
    assert row["Reached"] == "201"
    for text in (page, detail, str(row)):
        assert spell_id(grace.id) not in text
        for word in ("Grace", "205", "206"):
            assert word not in words_of(text), word
    assert "are not shown to you: you see only some of the calls" in detail


def test_of_a_call_that_came_to_them_the_talk_is_told_after_the_colleague(nina: PageCheckingClient, make: Make) -> None:
    answered = {"talk": 240, "talks": {"201": 180, "205": 60}, "answered_by_id": make.party("205").id}
    call = make.call(caller=MINE, dialed="205", callee="201", **answered)
    make.record(call, caller=MINE, dialed="205", reached="205", billsec=60)
    later = call.started_at + timedelta(seconds=70)
    make.record(call, started_at=later, answered_at=later, caller=MINE, dialed="201", reached="201", billsec=180)
    detail = nina.get(f"{LOG}/{spell_id(call.call_key)}").text
    assert "was answered, was transferred to extension 201 and talked 3 min." in detail
    assert "Taken by a colleague, 1 min" in detail


def test_they_land_on_my_calls(nina: PageCheckingClient, make: Make, colleague: Call) -> None:
    make.call(callee="201", caller=MINE, started_at=now(), talk=120)
    page = nina.get("/", follow_redirects=True).text
    assert "<h1>My calls</h1>" in page
    assert "You see extensions 201 and 202." in page
    assert rows(page) == 1
    assert "Overview" not in page
    assert "2 min" in page
    assert "Grace" not in page


def bars(page: str) -> dict[str, str]:
    """The tip of each bar of the chart that says anything, by the day it leads to."""
    tips = re.findall(r'<a href="[^"]*from=([0-9-]+)[^"]*"[^>]*>\s*<rect[^>]*>\s*<title>([^<]*)</title>', page)
    return {day: tip.partition(": ")[2] for day, tip in tips if ": 0 calls" not in tip}


def test_the_chart_counts_each_of_their_calls_on_its_day(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    """Days are the organization's: the clocks of London go forward on 29 March, an hour after midnight."""
    make.narrow(cast.nina, "201")
    make.narrow(cast.nina, "202", from_at=datetime(2026, 3, 29, tzinfo=UTC))
    make.call(callee="205", started_at=datetime(2026, 3, 29, 9, tzinfo=UTC))
    make.call(callee="202", started_at=datetime(2026, 3, 28, 9, tzinfo=UTC))
    make.call(callee="201", started_at=datetime(2026, 3, 28, 23, 59, 59, 999_000, tzinfo=UTC))
    make.call(caller="201", callee="202", started_at=datetime(2026, 3, 29, tzinfo=UTC))
    make.call(callee="202", outcome=Outcome.NO_ANSWER, started_at=datetime(2026, 3, 29, 22, 59, 59, tzinfo=UTC))
    make.call(callee="201", started_at=datetime(2026, 3, 29, 23, tzinfo=UTC))
    with time_machine.travel(datetime(2026, 3, 31, 12, tzinfo=UTC), tick=False):
        client.sign_in(cast.nina)
        page = client.get("/o/harbour/").text
        assert bars(page) == {
            "2026-03-28": "1 call, 0 missed",
            "2026-03-29": "2 calls, 1 missed",
            "2026-03-30": "1 call, 0 missed",
        }
        for day, told in bars(page).items():
            assert rows(client.get(f"{LOG}?from={day}&to={day}").text) == int(told[0])


def test_of_more_calls_than_are_counted_there_is_no_chart(
    nina: PageCheckingClient, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        make.call(callee="201", started_at=now() - timedelta(minutes=number + 1))
    assert "Calls a day" in nina.get("/o/harbour/").text
    for module in (totals, own_days):
        monkeypatch.setattr(module, "COUNTED_AT_MOST", 2)
    page = nina.get("/o/harbour/").text
    assert "Calls a day" not in page
    assert "more than 2" in page


def test_without_an_extension_there_is_no_call(
    client: PageCheckingClient, cast: Cast, make: Make, colleague: Call
) -> None:
    client.sign_in(cast.nina)
    page = client.get("/o/harbour/").text
    assert "You see no extension yet." in page
    assert rows(client.get(ALL).text) == 0
    assert exported(client) == []


def test_the_bar_holds_what_they_can_open(nina: PageCheckingClient) -> None:
    page = nina.get("/o/harbour/").text
    bar = page[page.index('<nav aria-label="Pages">') : page.index("</nav>")]
    assert "Phone systems" not in bar
    assert "My calls" in bar
    for path in ("/phone-systems", "/imports"):
        assert nina.get(f"/o/harbour{path}").status_code == 403


def test_an_empty_period_offers_their_nearest_day(nina: PageCheckingClient, make: Make, colleague: Call) -> None:
    make.call(callee="201", started_at=datetime(2019, 5, 3, 12, tzinfo=UTC))
    assert "The newest is of 3 May 2019." in nina.get(f"{LOG}?from=2020-01-01&to=2020-01-31").text
    assert "The next is of 3 May 2019." in nina.get(f"{LOG}?from=2018-01-01&to=2018-01-31").text


def test_more_than_can_be_counted_is_told_so(
    nina: PageCheckingClient, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(totals, "COUNTED_AT_MOST", 55)
    for turn in range(60):
        make.call(callee="201", started_at=NOON + timedelta(minutes=turn), outcome=Outcome.NO_ANSWER)
    page = nina.get(ALL).text
    assert "more than 55" in page


def test_security_6_the_export_ends_when_less_may_be_seen(
    nina: PageCheckingClient, cast: Cast, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "_CHUNK_ROWS", 2)
    for turn in range(6):
        make.call(callee="201", caller=MINE, started_at=NOON + timedelta(minutes=turn))
    answer = nina.get(f"{LOG}/export?period=all", buffered=False)
    pieces = iter(answer.response)
    next(pieces)
    make.membership(cast.nina, may_export=False)
    with pytest.raises(Forbidden):
        list(pieces)


def test_who_may_not_export_is_not_offered_it(nina: PageCheckingClient, cast: Cast, make: Make) -> None:
    make.call(callee="201")
    assert "Export 1 call" in nina.get(ALL).text
    make.membership(cast.nina, may_export=False)
    assert "Export" not in nina.get(ALL).text
    assert nina.get(f"{LOG}/export?period=all").status_code == 403
