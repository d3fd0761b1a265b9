"""The page "Test a number": posted, answered with who wins and why, and nothing in an address."""

import html
import re
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from tests.cast import Cast
from tests.client import PageCheckingClient
from tests.destinations.test_people_pages import EXTENSION, LIST, NUMBER, add, page_of
from tests.make import Make
from webapp.database.ids import spell_id
from webapp.destinations.matching import Pattern
from webapp.destinations.models import DestinationKind, PatternKind
from webapp.destinations.turns import hand_over

TEST = f"{LIST}/test"


@pytest.fixture
def vera(client: PageCheckingClient, cast: Cast) -> PageCheckingClient:
    client.sign_in(cast.vera)
    return client


def test_the_longest_wins_and_the_others_are_told(vera: PageCheckingClient, make: Make) -> None:
    tyne = add(make, "Tyne Valley", NUMBER, kind=DestinationKind.CUSTOMER)
    add(make, "Town", Pattern(PatternKind.PREFIX, "441632"), kind=DestinationKind.ZONE)
    for part in (False, True):
        answer = vera.send(TEST, {"number": "01632 960123"}, part=part)
        assert answer.status_code == 200
        assert f'<a href="{page_of(tyne)}">Tyne Valley</a>, by 01632 960123.' in answer.text
        assert "The number itself comes before any prefix." in answer.text
        assert "<li>+44 1632*: Town</li>" in answer.text
    assert "+44 1632*" in vera.send(TEST, {"number": "+44 1632 960999"}).text


def test_what_nothing_names_is_told_so(vera: PageCheckingClient, make: Make) -> None:
    add(make, "Ann", EXTENSION)
    assert "Nothing names it." in vera.send(TEST, {"number": "205"}).text


def test_a_number_of_our_own_is_no_outside_number(vera: PageCheckingClient, make: Make) -> None:
    """Nobody's name stands on it, and where it rings is another page."""
    assert "The outside number 020 7946 0199 (+442079460199)" in vera.send(TEST, {"number": "020 7946 0199"}).text
    own = make.number("+442079460199", label="Main line")
    answer = vera.send(TEST, {"number": "020 7946 0199"})
    assert "Our own number 020 7946 0199 (+442079460199)" in answer.text and "outside number" not in answer.text
    page = f"{LIST}/numbers/{spell_id(own.id)}/routes/history"
    assert f'Where it rings: <a href="{page}">the routes of Main line</a>.' in answer.text
    assert "</strong> is without a destination. Nothing names it." in answer.text and "nobody’s" not in answer.text
    assert vera.get(page).status_code == 200


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("", "Type a number or an extension."),
        ("9" * 61, "That is too long for a number."),
        ("+44*", "Type a whole number or extension"),
        ("? !", "is no extension"),
    ],
)
def test_what_is_no_number_is_refused_beside_the_field(vera: PageCheckingClient, typed: str, told: str) -> None:
    answer = vera.send(TEST, {"number": typed}, part=True)
    assert answer.status_code == 422
    assert told in answer.text
    assert f'value="{typed}"' in answer.text


def test_it_is_asked_as_of_a_day_and_a_time(vera: PageCheckingClient, make: Make) -> None:
    """Of a day without a time all of it counts, what changes at noon too."""
    add(make, "Ann", EXTENSION)
    ben = add(make, "Ben")
    with make.session() as session:
        hand_over(session, EXTENSION, ben.id, datetime(2026, 5, 3, 12, tzinfo=ZoneInfo("Europe/London")), actor_id=None)
        session.commit()

    def ask(on: str, at: str = "") -> str:
        return html.unescape(vera.send(TEST, {"number": "204", "on": on, "at": at}, part=True).text)

    assert "is <span" in ask("")
    assert whose(ask("")) == ["Ben"]
    whole = ask("2026-05-03")
    assert whose(whole) == ["Ann", "Ben"]
    assert "On Sunday 3 May 2026: <strong>Extension 204</strong> was <span" in whole
    assert "From 12:00 on that day: " in whole
    assert 'value="2026-05-03"' in whole
    assert whose(ask("2026-05-03", "11:59")) == ["Ann"]
    noon = ask("2026-05-03", "12:00")
    assert whose(noon) == ["Ben"]
    assert "On Sunday 3 May 2026 at 12:00: " in noon
    assert "will be <span" in ask("2199-12-31")


def whose(text: str) -> list[str]:
    return re.findall(r'<a href="/o/harbour/destinations/[^"]+">([^<]+)</a>', text)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"on": "soon"}, "This is no day of the calendar. Write it as 2026-05-03, or leave it empty."),
        ({"on": "0001-01-01"}, "Give a day between 1970 and 2199."),
        ({"on": "9999-12-31"}, "Give a day between 1970 and 2199."),
        ({"at": "12:00"}, "Give the day of this time too"),
        ({"on": "2026-05-03", "at": "25:00"}, "This is no time of the day. Write it as 19:00, or leave it empty."),
    ],
)
def test_a_day_that_is_none_is_refused(vera: PageCheckingClient, fields: dict[str, str], told: str) -> None:
    answer = vera.send(TEST, {"number": "204", **fields}, part=True)
    assert answer.status_code == 422
    assert told in answer.text
    assert 'value="204"' in answer.text


def test_an_address_tests_nothing(vera: PageCheckingClient, make: Make) -> None:
    add(make, "Ann", EXTENSION)
    assert "Ann" not in vera.get(f"{TEST}?number=204").text
