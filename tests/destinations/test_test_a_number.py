"""The page "Test a number": posted, answered with who wins and why, and nothing in an address."""

import pytest

from tests.cast import Cast
from tests.client import PageCheckingClient
from tests.destinations.test_people_pages import EXTENSION, LIST, NUMBER, add, page_of
from tests.make import Make
from webapp.destinations.matching import Pattern
from webapp.destinations.models import DestinationKind, PatternKind

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
    assert "Nothing names it yet." in vera.send(TEST, {"number": "205"}).text


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


def test_an_address_tests_nothing(vera: PageCheckingClient, make: Make) -> None:
    add(make, "Ann", EXTENSION)
    assert "Ann" not in vera.get(f"{TEST}?number=204").text
