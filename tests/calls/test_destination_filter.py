"""The calls of a destination: those that one of its parties took part in while it was its, in list, sums and file."""

import csv
import io
import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from werkzeug.datastructures import MultiDict

from tests.calls.handed_over import ALL, CUSTOMER, LOG, PASSED, hand_over, keys, of, rows
from tests.cast import Cast
from tests.client import PART, PageCheckingClient
from tests.make import NOON, Make
from webapp.calls import browse, selection
from webapp.calls import totals as totals_module
from webapp.calls.filters import read_filter
from webapp.calls.outcomes import Direction, Outcome
from webapp.calls.selection import select_calls
from webapp.calls.totals import find_nearest_day
from webapp.database.engine import Database
from webapp.database.ids import new_id, spell_id
from webapp.destinations.actions import merge
from webapp.destinations.models import Destination, DestinationKind, DestinationMember
from webapp.tenancy.models import Numbers
from webapp.tenancy.reader import SEES_ALL
from webapp.tenancy.sessions import reading_session

LONDON = ZoneInfo("Europe/London")
WAYS = pytest.mark.parametrize("way", ["walked", "driven", "tested"])


@pytest.fixture(autouse=True)
def _unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browse, "SEARCH_MS", 60_000.0)
    monkeypatch.setattr(totals_module, "COUNT_MS", 60_000.0)


@pytest.fixture
def vera(client: PageCheckingClient, cast: Cast) -> PageCheckingClient:
    client.sign_in(cast.vera)
    return client


def take(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """How a selection is found depends on how many parties a destination has."""
    if way != "walked":
        monkeypatch.setattr(selection, "MOST_WALKS", 0)
    if way == "tested":
        monkeypatch.setattr(selection, "MOST_PARTIES", 0)


def figure(text: str, label: str) -> str:
    found = re.search(rf"<dt>{label}</dt>\s*<dd>(.*?)(?:<small>.*?)?</dd>", text, re.S)
    assert found, label
    return " ".join(re.sub(r"<[^>]*>", "", found[1]).split())


@WAYS
def test_a_hand_over_parts_list_sums_and_file(
    vera: PageCheckingClient, make: Make, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    take(way, monkeypatch)
    scene = hand_over(make)
    for destination, call, missed, talk in (
        (scene.anna, scene.before, "0", "2 min"),
        (scene.ben, scene.after, "1", "0 s"),
    ):
        page = vera.get(of(destination)).text
        assert keys(page) == [spell_id(call.call_key)]
        assert "That is all: 1 call." in page
        assert figure(page, "Calls") == "1"
        assert figure(page, "Missed") == missed
        assert figure(page, "Talk time") == talk
        assert f"Destination</span> {destination.name}" in page
        text = vera.get(of(destination).replace("?", "/export?")).data.decode("utf-8-sig")
        assert [row["Reached name"] for row in csv.DictReader(io.StringIO(text))] == [destination.name]
        assert keys(vera.get(f"{of(destination)}&order=oldest").text) == [spell_id(call.call_key)]


@WAYS
def test_a_call_between_two_of_one_destination_counts_once(
    vera: PageCheckingClient, make: Make, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    take(way, monkeypatch)
    team = make.destination("Sales", DestinationKind.TEAM)
    for digits in ("201", "202"):
        make.holder(make.party(digits), team, PASSED)
    make.call(caller="201", callee="202", direction=Direction.INTERNAL)
    make.call(caller=CUSTOMER, callee="202", started_at=PASSED - timedelta(days=1))
    page = vera.get(of(team)).text
    assert rows(page) == 1
    assert figure(page, "Calls") == "1"


@WAYS
def test_pages_follow_each_other_without_a_gap(
    vera: PageCheckingClient, make: Make, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    take(way, monkeypatch)
    monkeypatch.setattr(browse, "_CHUNK", 7)
    team = make.destination("Sales", DestinationKind.TEAM)
    for digits in ("201", "202"):
        make.holder(make.party(digits), team, NOON)
    made = [
        make.call(callee=("201", "202", "203")[turn % 3], started_at=NOON + timedelta(minutes=turn // 2 - 10))
        for turn in range(180)
    ]
    wanted = [call for turn, call in enumerate(made) if turn % 3 < 2 and call.started_at >= NOON]
    for order in ("newest", "oldest"):
        text = vera.get(f"{of(team)}&order={order}").text
        found = keys(text)
        while more := re.search(r'href="([^"]*[?;]after=[^"]*)"', text):
            text = vera.get(more[1].replace("&amp;", "&"), headers=PART).text
            found += keys(text)
            assert len(found) < 400
        ordered = sorted(wanted, key=lambda call: (call.started_at, call.call_key), reverse=order == "newest")
        assert found == [spell_id(call.call_key) for call in ordered]


@WAYS
def test_it_goes_with_other_filters(
    vera: PageCheckingClient, make: Make, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    take(way, monkeypatch)
    scene = hand_over(make)
    assert rows(vera.get(f"{of(scene.ben)}&outcome=missed").text) == 1
    assert rows(vera.get(f"{of(scene.ben)}&outcome=answered").text) == 0
    assert rows(vera.get(f"{of(scene.anna)}&talk_min=120").text) == 1
    assert rows(vera.get(f"{of(scene.anna)}&party={spell_id(make.party(CUSTOMER).id)}").text) == 1
    assert rows(vera.get(f"{of(scene.ben)}&party={spell_id(make.party('201').id)}").text) == 0


def test_one_party_all_the_time_is_summed_by_its_totals(vera: PageCheckingClient, make: Make) -> None:
    anna = make.destination("Anna Quill")
    make.holder(make.party("204"), anna)
    for outcome in (Outcome.ANSWERED, Outcome.NO_ANSWER, Outcome.VOICEMAIL):
        make.call(callee="204", outcome=outcome)
    page = vera.get(of(anna)).text
    assert rows(page) == 3
    assert (figure(page, "Calls"), figure(page, "Missed")) == ("3", "1")


def test_more_than_can_be_counted_is_said_so(
    vera: PageCheckingClient, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = hand_over(make)
    for minute in range(60):
        make.call(callee="204", started_at=PASSED + timedelta(minutes=minute))
    monkeypatch.setattr(totals_module, "COUNTED_AT_MOST", 55)
    assert figure(vera.get(of(scene.ben)).text, "Calls") == "more than 55"


def nearest(database: Database, make: Make, destination: Destination, query: dict[str, str]) -> object:
    asked = MultiDict({"destination": spell_id(destination.id), **query})
    with reading_session(database, make.organization.id) as session:
        chosen = read_filter(asked, LONDON, NOON).call_filter
        return find_nearest_day(session, select_calls(session, chosen, None, LONDON, "GB", SEES_ALL))


@WAYS
def test_the_nearest_day_is_one_of_its_own(
    database: Database, make: Make, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    take(way, monkeypatch)
    scene = hand_over(make)
    day = PASSED.date()
    assert nearest(database, make, scene.anna, {"period": "today"}) == day
    assert nearest(database, make, scene.ben, {"period": "today"}) == day
    assert nearest(database, make, scene.ben, {"period": "2026-01"}) == day
    assert nearest(database, make, make.destination("Nobody"), {"period": "today"}) is None
    other = make.destination("Later")
    make.holder(make.party("204"), other, datetime(2026, 6, 1, tzinfo=UTC))
    assert nearest(database, make, other, {"period": "today"}) is None


def test_one_without_parties_has_no_calls(vera: PageCheckingClient, make: Make) -> None:
    make.call()
    assert rows(vera.get(of(make.destination("Nobody"))).text) == 0


def test_one_that_was_merged_leads_to_the_other(vera: PageCheckingClient, make: Make) -> None:
    """As of now, whose calls the one's are: in list, form, addresses and file."""
    scene = hand_over(make)
    with make.session() as session:
        merge(session, scene.anna.id, scene.ben.id, actor_id=None)
        session.commit()
    page = vera.get(of(scene.anna)).text
    assert keys(page) == keys(vera.get(of(scene.ben)).text) == [spell_id(scene.after.call_key)]
    assert "Destination</span> Ben Carter" in page
    assert f'name="destination" value="{spell_id(scene.ben.id)}"' in page
    one, other = (vera.get(of(each).replace("?", "/export?")).data for each in (scene.anna, scene.ben))
    assert one == other


@WAYS
def test_the_calls_of_its_people_are_a_team_s(
    vera: PageCheckingClient, make: Make, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    take(way, monkeypatch)
    scene = hand_over(make)
    team = make.destination("Sales", DestinationKind.TEAM)
    make.store(DestinationMember(team_id=team.id, person_id=scene.ben.id))
    assert keys(vera.get(of(team)).text) == [spell_id(scene.after.call_key)]


def test_security_22_another_organization_has_none(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    foreign = make.at(cast.quayside).destination("Theirs")
    client.sign_in(cast.olive)
    for row_id in (foreign.id, new_id()):
        for path in (f"{ALL}&destination={spell_id(row_id)}", f"{LOG}/export?destination={spell_id(row_id)}"):
            assert client.get(path).status_code == 404


@pytest.mark.parametrize("text", ["!!", "x" * 30, "-1", "' OR 1=1"])
def test_a_damaged_id_is_told(vera: PageCheckingClient, text: str) -> None:
    answer = vera.get(LOG, query_string={"destination": text})
    assert answer.status_code == 422
    assert "The address of this page is damaged." in answer.text


def test_the_form_keeps_it(vera: PageCheckingClient, make: Make) -> None:
    scene = hand_over(make)
    assert f'name="destination" value="{spell_id(scene.ben.id)}"' in vera.get(of(scene.ben)).text
    answer = vera.send(f"{LOG}/search", {"period": "all", "destination": spell_id(scene.ben.id), "words": "0182"})
    assert rows(vera.get(answer.location).text) == 1


class TestNarrowedToATeam:
    """A reader who was given a team, and the calls of its people with it."""

    @WAYS
    def test_gets_its_calls(
        self, client: PageCheckingClient, cast: Cast, make: Make, monkeypatch: pytest.MonkeyPatch, way: str
    ) -> None:
        take(way, monkeypatch)
        scene = hand_over(make)
        make.call(callee="205")
        team, other = (make.destination(name, DestinationKind.TEAM) for name in ("Sales", "Yard"))
        for each in (team, other):
            make.store(DestinationMember(team_id=each.id, person_id=scene.ben.id))
        make.narrow_to(cast.nina, team)
        client.sign_in(cast.nina)
        page = client.get(of(team)).text
        assert keys(page) == [spell_id(scene.after.call_key)]
        assert figure(page, "Calls") == "1"
        for closed in (scene.anna, other):
            assert client.get(of(closed)).status_code == 404

    def test_finds_none_where_it_has_none(self, client: PageCheckingClient, cast: Cast, make: Make) -> None:
        make.call()
        team = make.destination("Sales", DestinationKind.TEAM)
        make.narrow_to(cast.nina, team)
        client.sign_in(cast.nina)
        answer = client.get(of(team))
        assert (answer.status_code, rows(answer.text)) == (200, 0)

    def test_follows_a_merge(self, client: PageCheckingClient, cast: Cast, make: Make) -> None:
        scene = hand_over(make)
        make.narrow_to(cast.nina, scene.ben)
        with make.session() as session:
            merge(session, scene.ben.id, scene.anna.id, actor_id=None)
            session.commit()
        client.sign_in(cast.nina)
        assert keys(client.get(of(scene.ben)).text) == [spell_id(scene.before.call_key)]


class TestNarrowed:
    """A reader who sees 204 from noon of 3 May on."""

    @pytest.fixture
    def nina(self, client: PageCheckingClient, cast: Cast, make: Make) -> PageCheckingClient:
        make.membership(cast.nina, numbers=Numbers.FULL)
        make.narrow(cast.nina, "204", from_at=PASSED + timedelta(hours=3))
        client.sign_in(cast.nina)
        return client

    def test_gets_what_both_open(self, nina: PageCheckingClient, make: Make) -> None:
        scene = hand_over(make)
        late = make.call(callee="204", started_at=PASSED + timedelta(hours=3))
        page = nina.get(of(scene.ben)).text
        assert keys(page) == [spell_id(late.call_key)]
        assert figure(page, "Calls") == "1"
        assert nina.get(of(scene.anna)).status_code == 404

    def test_sees_an_outside_one_in_their_calls_only(self, nina: PageCheckingClient, make: Make) -> None:
        boats = make.destination("Bright & Sons", DestinationKind.CUSTOMER)
        make.holder(make.party(CUSTOMER), boats)
        seen = make.call(caller=CUSTOMER, callee="204")
        make.call(caller=CUSTOMER, callee="205")
        page = nina.get(of(boats)).text
        assert keys(page) == [spell_id(seen.call_key)]
        assert figure(page, "Calls") == "1"

    def test_nothing_of_a_colleague(self, nina: PageCheckingClient, make: Make) -> None:
        grace = make.destination("Grace Stone")
        make.holder(make.party("205"), grace)
        make.call(caller="205", callee="204", direction=Direction.INTERNAL)
        assert nina.get(of(grace)).status_code == 404
