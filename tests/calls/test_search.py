"""Search: any spelling of a number, names, extensions; digits stand in no address and no log."""

import logging
import re
from datetime import timedelta

import pytest
import time_machine
from sqlalchemy import select

from tests.cast import Cast
from tests.client import PageCheckingClient
from tests.make import NOON, Make
from webapp.calls.models import CallSearch
from webapp.calls.searches import KEPT_FOR, SearchWords, find_words, keep_words, party_condition
from webapp.database.engine import Database
from webapp.database.ids import spell_id
from webapp.destinations.models import Party
from webapp.destinations.search_words import clean_words
from webapp.tenancy.reader import SEES_ALL
from webapp.tenancy.sessions import reading_session, writing_session

LOG = "/o/harbour/calls"
SEARCH = f"{LOG}/search"


def found(database: Database, make: Make, words: str, region: str = "GB") -> set[str]:
    with reading_session(database, make.organization.id) as session:
        return {
            party.identity.split(":")[-1]
            for party in session.scalars(select(Party).where(party_condition(words, region, SEES_ALL)))
        }


@pytest.mark.parametrize(
    "words",
    [
        "020 7946", "0207946", "+44 20", "+44 (0)20 7946", "0044 20 7946 0460", "00442079460460", "442079460460",
        "02079460460", "(020) 7946-0460", "0460", "460", "7946", "20 7946 04", "dockside", "DOCKSIDE", "boats dock",
    ],
)  # fmt: skip
def test_a_number_is_found_in_any_spelling(database: Database, make: Make, words: str) -> None:
    make.party("+442079460460", name="Dockside Boats")
    make.party("+441174960023", name="Tyne Valley")
    assert found(database, make, words) == {"+442079460460"}


@pytest.mark.parametrize(
    ("words", "numbers"),
    [
        ("201", {"201"}),
        ("20", {"201", "205"}),
        ("2", {"201", "205"}),
        ("+33", {"+33199001234"}),
        ("0033 1", {"+33199001234"}),
        ("zoé", {"+33199001234"}),
        ("ZOÉ", {"+33199001234"}),
        ("Reception", {"201"}),
        ("reception 201", set()),
        ("%", set()),
        ("_", set()),
        ("100%", set()),
        ("\\", set()),
        ("' OR '1'='1", set()),
        ("*97", set()),
    ],
)
def test_what_words_mean(database: Database, make: Make, words: str, numbers: set[str]) -> None:
    make.party("201", name="Reception")
    make.party("205")
    make.party("+33199001234", name="Zoé Marchand")
    assert found(database, make, words) == numbers


def test_security_44_wildcards_are_letters(database: Database, make: Make) -> None:
    make.party("+441174960023", name="100% Boats_Ltd\\UK")
    make.party("+441174960024", name="100 Boats Ltd UK")
    for words in ("100%", "Boats_", "Ltd\\", "%"):
        assert found(database, make, words) == {"+441174960023"}, words


def test_national_numbers_follow_the_region(database: Database, make: Make) -> None:
    make.party("+390612345678")
    make.party("+12125550123")
    assert found(database, make, "06 1234", "IT") == {"+390612345678"}
    assert found(database, make, "1 212 555", "US") == {"+12125550123"}
    assert found(database, make, "011 39 06", "US") == {"+390612345678"}


def test_words_are_cleaned() -> None:
    assert clean_words("  a\x00b \r\n c\u0085 ") == "a b c"
    assert clean_words("é" * 500) == "é" * 100
    assert clean_words("\ud800x") == "x"


def test_digits_stand_in_no_address_and_no_log(
    client: PageCheckingClient, cast: Cast, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    make.call(started_at=NOON)
    make.call(caller="+441174960023", started_at=NOON)
    client.sign_in(cast.vera)
    with caplog.at_level(logging.DEBUG):
        answer = client.send(SEARCH, {"words": "020 7946", "period": "all"})
        assert answer.status_code == 303
        page = client.get(answer.location)
        client.get(f"{LOG}/export?{answer.location.split('?')[1]}")
    logged = [record.getMessage() for record in caplog.records if record.name != "sqlalchemy.engine"]
    for text in (answer.location, *logged):
        assert not re.search(r"20(\+|%20| )?7946", text)
    assert page.text.count("data-row-link") == 1
    assert 'value="020 7946"' in page.text
    assert "“020 7946”" in page.text


def test_caller_and_callee_mean_their_part(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    client.sign_in(cast.vera)
    inward = make.call(caller="+442079460123", callee="201")
    outward = make.call(caller="201", callee="+442079460123")
    for field, words, call in (
        ("caller", "0123", inward),
        ("callee", "0123", outward),
        ("caller", "201", outward),
        ("callee", "201", inward),
    ):
        page = client.get(client.send(SEARCH, {field: words, "period": "all"}).location)
        assert page.text.count("data-row-link") == 1, (field, words)
        assert spell_id(call.call_key) in page.text


def test_filters_survive_a_search_and_a_search_survives_filters(
    client: PageCheckingClient, cast: Cast, make: Make
) -> None:
    make.call()
    client.sign_in(cast.vera)
    first = client.send(SEARCH, {"words": "0123", "period": "all", "outcome": "answered", "talk_min": "5"})
    assert "outcome=answered" in first.location
    assert "talk_min=5" in first.location
    key = first.location.rpartition("search=")[2]
    second = client.send(SEARCH, {"words": "0123", "search": key, "period": "2026-07", "was": "all"})
    assert second.location == f"{LOG}?period=2026-07&search={key}"  # the same words keep their key
    assert client.send(SEARCH, {"search": key, "words": ""}).location == LOG
    assert client.send(SEARCH, {"direction": "sideways", "page": "7"}).location == f"{LOG}?direction=sideways"


def test_days_that_were_typed_win_over_an_old_period_and_a_new_period_over_old_days(
    client: PageCheckingClient, cast: Cast
) -> None:
    client.sign_in(cast.vera)
    days = {"from": "2026-07-01", "to": "2026-07-02"}
    assert (
        client.send(SEARCH, {**days, "period": "30d", "was": "30d"}).location == f"{LOG}?from=2026-07-01&to=2026-07-02"
    )
    assert client.send(SEARCH, {**days, "period": "today", "was": "between"}).location == f"{LOG}?period=today"
    assert client.get(client.send(SEARCH, {"period": "between", "was": "30d"}).location).status_code == 422


def test_words_belong_to_one_person_for_a_day(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    make.call()
    with time_machine.travel(NOON, tick=False) as clock:
        client.sign_in(cast.vera)
        address = client.send(SEARCH, {"words": "0123"}).location
        assert "data-row-link" in client.get(address).text
        olive = client.application.test_client()
        olive.sign_in(cast.olive)  # type: ignore[attr-defined]
        theirs = olive.get(address)
        assert theirs.status_code == 200
        assert "This search is over." in theirs.text
        assert "data-row-link" not in theirs.text
        assert "0123" not in theirs.text.replace("2026", "")
        assert olive.get(address.replace("calls?", "calls/export?")).status_code == 422
        clock.shift(KEPT_FOR + timedelta(seconds=1))
        client.sign_in(cast.vera)
        assert "This search is over." in client.get(address).text


def test_old_words_are_swept(database: Database, cast: Cast) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        with writing_session(database, cast.harbour.id) as session:
            key = keep_words(session, cast.vera.id, SearchWords("0123"))
            session.commit()
            assert find_words(session, cast.vera.id, key) == SearchWords("0123")
        clock.shift(KEPT_FOR + timedelta(seconds=1))
        with writing_session(database, cast.harbour.id) as session:
            assert find_words(session, cast.vera.id, key) is None
            keep_words(session, cast.vera.id, SearchWords("new"))
            session.commit()
            assert [row.id == key for row in session.scalars(select(CallSearch))] == [False]


def test_access(client: PageCheckingClient, cast: Cast, database: Database) -> None:
    client.sign_in(cast.quentin)
    assert client.send(SEARCH, {"words": "0123"}).status_code == 404
    assert client.get(SEARCH).status_code in (404, 405)
    with reading_session(database, cast.harbour.id) as session:
        assert not session.scalars(select(CallSearch)).all()
    anonymous = client.application.test_client()
    assert anonymous.post(SEARCH, data={"words": "0123"}).status_code in (302, 303, 400, 401)
