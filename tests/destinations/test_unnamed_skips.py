"""Pass a number over in "Still without a name": it is remembered, shown with who and when, and can be taken back."""

import re

import pytest
from sqlalchemy import select

from tests.cast import Cast
from tests.client import PageCheckingClient
from tests.destinations.test_unnamed import PAGE, address_of, shown
from tests.make import Make
from tests.staff.told import told
from webapp.database.engine import Database
from webapp.database.ids import new_id, spell_id
from webapp.destinations.models import UnnamedSkip
from webapp.tenancy.models import Numbers

PASSED_OVER = f"{PAGE}/passed-over"


@pytest.fixture
def max_(client: PageCheckingClient, cast: Cast, make: Make) -> PageCheckingClient:
    make.call(caller="+441632960123", callee="204")
    client.sign_in(cast.max)
    return client


def numbers(text: str) -> list[str]:
    return re.findall(r'<b class="number"[^>]*>([^<]+)</b>', text)


def test_what_is_skipped_is_offered_no_more_to_anybody(
    max_: PageCheckingClient, make: Make, cast: Cast, database: Database
) -> None:
    address = address_of(make.party("204"))
    answer = max_.send(f"{address}/skip")
    assert (answer.status_code, answer.location) == (303, PAGE)
    page = max_.get(PAGE)
    assert "204 is passed over." in page.text
    assert [number for number, _name in shown(page.text)] == ["01632 960123"]
    assert "Show those passed over (1)" in page.text
    assert "0 of 2 numbers" in page.text  # of the calls it still is one

    max_.sign_in(cast.olive)
    assert [number for number, _name in shown(max_.get(PAGE).text)] == ["01632 960123"]
    with make.session() as session:
        [kept] = session.scalars(select(UnnamedSkip))
    assert (kept.party_id, kept.skipped_by) == (make.party("204").id, cast.max.id)
    assert told(database, make.organization.id, "destination.") == [("destination.passed_over", cast.max.id, {})]


def test_htmx_puts_what_became_of_it_in_its_place(max_: PageCheckingClient, make: Make) -> None:
    party = make.party("204")
    answer = max_.send(f"{address_of(party)}/skip", part=True)
    assert answer.status_code == 200 and "<html" not in answer.text
    assert f'<li id="destinations-unnamed-{spell_id(party.id)}" class="passed" data-named>' in answer.text
    back = max_.send(f"{address_of(party)}/take-back", part=True)
    assert back.status_code == 200
    assert shown(back.text) == [("204", "Extension 204")]


def test_those_passed_over_are_shown_with_who_and_when_and_taken_back(
    max_: PageCheckingClient, make: Make, cast: Cast
) -> None:
    assert "Nobody was passed over" in max_.get(PASSED_OVER).text
    address = address_of(make.party("204"))
    max_.send(f"{address}/skip")
    page = max_.get(PASSED_OVER)
    assert numbers(page.text) == ["204"]
    assert cast.max.email in page.text
    answer = max_.send(f"{address}/take-back")
    assert (answer.status_code, answer.location) == (303, PASSED_OVER)
    assert {number for number, _name in shown(max_.get(PAGE).text)} == {"01632 960123", "204"}


def test_skipped_twice_is_skipped_once_and_taken_back_once(max_: PageCheckingClient, make: Make) -> None:
    address = address_of(make.party("204"))
    for _turn in range(2):
        assert max_.send(f"{address}/skip").status_code == 303
    with make.session() as session:
        assert len(session.scalars(select(UnnamedSkip)).all()) == 1
    assert max_.send(f"{address}/take-back").status_code == 303
    assert max_.send(f"{address}/take-back").status_code == 404


def test_when_the_rest_is_passed_over_the_page_says_so(max_: PageCheckingClient, make: Make) -> None:
    for digits in ("+441632960123", "204"):
        max_.send(f"{address_of(make.party(digits))}/skip")
    page = max_.get(PAGE)
    assert "Nobody is left to name" in page.text
    assert "Show those passed over (2)" in page.text


def test_a_viewer_looks_and_cannot_skip(max_: PageCheckingClient, make: Make, cast: Cast) -> None:
    address = address_of(make.party("204"))
    max_.send(f"{address}/skip")
    max_.sign_in(cast.vera)
    page = max_.get(PASSED_OVER)
    assert numbers(page.text) == ["204"] and "Take back" not in page.text
    for what in ("skip", "take-back"):
        assert max_.send(f"{address}/{what}").status_code == 403


def test_a_masked_manager_sees_dots(max_: PageCheckingClient, make: Make, cast: Cast) -> None:
    make.membership(cast.max, numbers=Numbers.MASKED)
    address = address_of(make.party("+441632960123"))
    assert "01632 96••••" in max_.send(f"{address}/skip", part=True).text
    assert numbers(max_.get(PASSED_OVER).text) == ["01632 96••••"]


def test_an_unknown_number_and_an_outsider_get_404(max_: PageCheckingClient, make: Make, cast: Cast) -> None:
    address = address_of(make.party("204"))
    assert max_.send(f"{PAGE}/{spell_id(new_id())}/skip").status_code == 404
    max_.sign_in(cast.quentin)
    assert max_.send(f"{address}/skip").status_code == 404
    assert max_.get(PASSED_OVER).status_code == 404
