"""Whose a party was as a call began is what every page, export and search calls it."""

import csv
import io
from datetime import timedelta

import pytest

from tests.calls.handed_over import ALL, CUSTOMER, LOG, PASSED, hand_over, keys, row_of, rows, search
from tests.calls.test_browse import statements
from tests.cast import Cast
from tests.client import PageCheckingClient
from tests.make import NOON, Make
from webapp.calls import browse, selection
from webapp.calls.outcomes import Direction
from webapp.database.engine import Database
from webapp.database.ids import spell_id
from webapp.destinations.models import DestinationKind
from webapp.tenancy.models import Numbers


@pytest.fixture(autouse=True)
def _unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browse, "SEARCH_MS", 60_000.0)


@pytest.fixture
def vera(client: PageCheckingClient, cast: Cast) -> PageCheckingClient:
    client.sign_in(cast.vera)
    return client


def test_one_page_shows_a_party_under_two_names(vera: PageCheckingClient, make: Make) -> None:
    scene = hand_over(make)
    page = vera.get(ALL).text
    assert "Anna Quill ext 204" in row_of(page, scene.before)
    assert "Ben Carter ext 204" in row_of(page, scene.after)
    assert "mark-3" in page
    assert "mark-5" in page
    assert f"destination={spell_id(scene.ben.id)}" in page
    assert f"party={spell_id(scene.party.id)}" in page


def test_a_caller_has_the_name_of_that_day(vera: PageCheckingClient, make: Make) -> None:
    scene = hand_over(make)
    made = make.call(started_at=PASSED, caller="204", callee="201", direction=Direction.INTERNAL)
    assert "Ben Carter ext 204" in row_of(vera.get(ALL).text, made)
    page = vera.get(f"{LOG}/{spell_id(made.call_key)}").text
    assert "Inside call from Ben Carter (204)" in page
    assert "Anna" not in page[: page.index("Other calls with")]
    assert f"destination={spell_id(scene.ben.id)}" in page


def test_one_call_tells_who_held_it(vera: PageCheckingClient, make: Make) -> None:
    scene = hand_over(make)
    before, after = (vera.get(f"{LOG}/{spell_id(call.call_key)}").text for call in (scene.before, scene.after))
    assert "was answered by Anna Quill (204)" in before
    assert "Ben Carter" in after.split("Other calls with")[0]
    assert "Anna" not in after.split("Other calls with")[0]


def test_a_name_wins_over_that_of_the_phone_system_while_it_holds(vera: PageCheckingClient, make: Make) -> None:
    party = make.party("204", name="Desk 4")
    make.holder(party, make.destination("Anna Quill"), PASSED)
    make.holder(party, None, PASSED + timedelta(days=2))
    first, second, third = (make.call(callee="204", started_at=PASSED + timedelta(days=days)) for days in (-1, 1, 3))
    page = vera.get(ALL).text
    assert "Desk 4 ext 204" in row_of(page, first)
    assert "Anna Quill ext 204" in row_of(page, second)
    assert "Desk 4 ext 204" in row_of(page, third)


def test_an_archived_destination_keeps_its_name(vera: PageCheckingClient, make: Make) -> None:
    make.holder(make.party("204"), make.destination("Old Team", archived_at=NOON))
    made = make.call(callee="204")
    assert "Old Team ext 204" in row_of(vera.get(ALL).text, made)
    assert rows(search(vera, words="Old Team")) == 1


def test_the_file_has_the_names_of_each_call(vera: PageCheckingClient, make: Make) -> None:
    scene = hand_over(make)
    text = vera.get(f"{LOG}/export?period=all").data.decode("utf-8-sig")
    told = {row["Started (UTC)"]: row["Reached name"] for row in csv.DictReader(io.StringIO(text))}
    assert told == {"2026-05-03T07:59:59Z": "Anna Quill", "2026-05-03T08:00:00Z": "Ben Carter"}
    assert scene.after.started_at == PASSED


def test_the_names_cost_no_statement(vera: PageCheckingClient, make: Make, database: Database) -> None:
    make.call(callee="204")
    vera.get(ALL)
    with statements(database) as few:
        vera.get(ALL)
    hand_over(make)
    for turn in range(8):
        make.holder(make.party("204"), make.destination(f"Person {turn}"), PASSED + timedelta(days=turn + 1))
    with statements(database) as many:
        vera.get(ALL)
    assert len(many) == len(few)
    assert len([sql for sql, _values in many if "party_holder" in sql]) == 1


@pytest.mark.parametrize("field", ["words", "callee"])
def test_a_search_finds_the_name_of_that_day(vera: PageCheckingClient, make: Make, field: str) -> None:
    scene = hand_over(make)
    make.call(callee="205", caller=CUSTOMER)
    assert keys(search(vera, **{field: "Ben"})) == [spell_id(scene.after.call_key)]
    assert keys(search(vera, **{field: "quill"})) == [spell_id(scene.before.call_key)]
    assert rows(search(vera, **{field: "204"})) == 2
    assert rows(search(vera, caller="Ben")) == 0


def test_a_name_of_the_phone_system_is_found_only_where_it_shows(vera: PageCheckingClient, make: Make) -> None:
    scene = hand_over(make)
    make.call(callee="204", names={"204": "Desk 4"}, started_at=NOON)
    assert rows(search(vera, words="Desk")) == 0
    make.holder(scene.party, None, NOON - timedelta(hours=1))
    assert rows(search(vera, words="Desk")) == 1


@pytest.mark.parametrize("listed", [0, 1000])
def test_words_that_mean_many_find_the_same(
    vera: PageCheckingClient, make: Make, monkeypatch: pytest.MonkeyPatch, listed: int
) -> None:
    """Listed, or tested call by call."""
    monkeypatch.setattr(selection, "MOST_PARTIES", listed)
    scene = hand_over(make)
    assert keys(search(vera, words="Ben")) == [spell_id(scene.after.call_key)]
    assert keys(search(vera, callee="Anna", caller="0182")) == [spell_id(scene.before.call_key)]


def test_masked_readers_see_no_number_in_an_outside_name(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    make.membership(cast.vera, numbers=Numbers.MASKED)
    hand_over(make)
    make.holder(make.party(CUSTOMER), make.destination("Boats 020 7946 0182", DestinationKind.CUSTOMER))
    client.sign_in(cast.vera)
    page = client.get(ALL).text
    assert "Boats 020••••" in page
    assert "Anna Quill" in page
    assert "0182" not in page
    file = client.get(f"{LOG}/export?period=all").data.decode("utf-8-sig")
    assert "Boats" in file
    assert "0182" not in file
    assert rows(search(client, words="Boats")) == 2
    assert rows(search(client, words="Boats 0182")) == 0
    assert rows(search(client, words="Anna")) == 1


def test_a_narrowed_reader_sees_their_own_names_and_no_colleague(
    client: PageCheckingClient, cast: Cast, make: Make
) -> None:
    scene = hand_over(make)
    make.membership(cast.nina, numbers=Numbers.FULL)
    make.narrow(cast.nina, "204", from_at=PASSED)
    make.holder(make.party("205"), make.destination("Grace Stone"))
    make.call(started_at=PASSED + timedelta(hours=1), caller="205", callee="204", direction=Direction.INTERNAL)
    client.sign_in(cast.nina)
    page = client.get(ALL).text
    assert "Ben Carter ext 204" in row_of(page, scene.after)
    assert "A colleague" in page
    for hidden in ("Anna", "Grace"):
        assert hidden not in page
        assert rows(search(client, words=hidden)) == 0
    assert rows(search(client, words="Ben")) == 2
    mine = client.get("/o/harbour/").text
    assert "Ben Carter" in mine
    assert "Grace" not in mine


def test_a_narrowed_reader_is_not_told_whose_mobile_of_the_house_it_is(
    client: PageCheckingClient, cast: Cast, make: Make
) -> None:
    """A customer had the number before: that name ends where the colleague's begins."""
    make.membership(cast.nina, numbers=Numbers.FULL)
    make.narrow(cast.nina, "204")
    mobile = make.party("+447700900123")
    make.holder(mobile, make.destination("Tyne Valley", DestinationKind.CUSTOMER))
    make.holder(mobile, make.destination("Grace Stone"), PASSED)
    before, after = (
        make.call(started_at=PASSED + timedelta(hours=hours), caller="+447700900123", callee="204") for hours in (-1, 1)
    )
    client.sign_in(cast.nina)
    page = client.get(ALL).text
    assert "Tyne Valley" in row_of(page, before)
    assert "Tyne Valley" not in row_of(page, after)
    assert "Grace" not in page
    assert rows(search(client, words="Grace")) == 0


def test_the_overview_shows_them(vera: PageCheckingClient, make: Make) -> None:
    hand_over(make)
    page = vera.get("/o/harbour/").text
    assert "Anna Quill" in page
    assert "Ben Carter" in page
