"""Still without a name: who stands there, what is suggested, and what one key stores."""

import re
from datetime import timedelta

import pytest
from sqlalchemy import select

from tests.cast import Cast
from tests.client import PageCheckingClient
from tests.destinations.test_people_pages import EXTENSION, LIST, add
from tests.make import NOON, Make
from webapp.calls import unnamed_parties
from webapp.database.ids import new_id, spell_id
from webapp.destinations.models import Destination, DestinationKind, DestinationPattern, Party, PartyHolder
from webapp.tenancy.models import Numbers

PAGE = f"{LIST}/unnamed"


@pytest.fixture
def max_(client: PageCheckingClient, cast: Cast) -> PageCheckingClient:
    client.sign_in(cast.max)
    return client


def shown(text: str) -> list[tuple[str, str]]:
    """Number and suggested name, in order."""
    numbers = re.findall(r'<b class="number"[^>]*>([^<]+)</b>', text)
    suggested = re.findall(r'<input id="destinations-name-[^>]*? value="([^"]*)"', text)
    return list(zip(numbers, suggested, strict=True))


def address_of(party: Party) -> str:
    return f"{PAGE}/{spell_id(party.id)}"


def test_the_most_called_stand_first_with_a_suggestion(max_: PageCheckingClient, make: Make) -> None:
    for turn in range(3):
        make.call(caller="+441632960123", callee="201", did="+442079460000", started_at=NOON + timedelta(minutes=turn))
    make.call(caller="+33612345678", callee="202", names={"202": "Ann"}, started_at=NOON + timedelta(hours=1))
    page = max_.get(PAGE)
    assert shown(page.text) == [
        ("01632 960123", ""),
        ("201", "Extension 201"),
        ("+33 6 12 34 56 78", ""),
        ("202", "Ann"),
    ]
    assert "0 of 4 numbers and extensions in your last 4 calls have a name" in page.text


def test_what_has_a_name_or_is_ones_own_number_is_not_offered(max_: PageCheckingClient, make: Make) -> None:
    make.call(caller="+441632960123", callee="204", did="+442079460000")
    add(make, "Ann", EXTENSION)
    page = max_.get(PAGE)
    assert [number for number, _name in shown(page.text)] == ["01632 960123"]
    assert "1 of 2 numbers and extensions in your last 1 call have a name" in page.text


def test_only_the_newest_calls_are_counted(
    max_: PageCheckingClient, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unnamed_parties, "CALLS_LOOKED_AT", 2)
    make.call(caller="+441632960123", callee="201", started_at=NOON)
    for turn in (1, 2):
        make.call(caller="+441632960999", callee="202", started_at=NOON + timedelta(hours=turn))
    assert [number for number, _name in shown(max_.get(PAGE).text)] == ["01632 960999", "202"]


def test_one_key_names_a_row_and_tells_what_became_of_it(max_: PageCheckingClient, make: Make) -> None:
    make.call(caller="+441632960123", callee="204")
    party = make.party("204")
    answer = max_.send(address_of(party), {"name": "Ann", "kind": "person"}, part=True)
    assert answer.status_code == 200
    assert f'<li id="destinations-unnamed-{spell_id(party.id)}" class="done" data-named>' in answer.text
    with make.session() as session:
        [ann] = session.scalars(select(Destination))
        [holder] = session.scalars(select(PartyHolder))
    assert (ann.name, ann.kind) == ("Ann", DestinationKind.PERSON)
    assert (holder.party_id, holder.destination_id) == (party.id, ann.id)
    assert [number for number, _name in shown(max_.get(PAGE).text)] == ["01632 960123"]


def test_a_name_that_is_there_gets_the_number_too(max_: PageCheckingClient, make: Make) -> None:
    make.call(caller="+441632960123", callee="204")
    ann = add(make, "Ann", EXTENSION)
    party = make.party("+441632960123")
    answer = max_.send(address_of(party), {"name": "ann", "kind": "customer"})
    assert answer.location == PAGE
    assert "01632 960123 is now one of Ann’s numbers." in max_.get(PAGE).text
    with make.session() as session:
        keys = session.scalars(select(DestinationPattern.pattern_key).order_by(DestinationPattern.pattern_key)).all()
        assert keys == ["*:204", "+441632960123"]
        assert session.get_one(Destination, (make.organization.id, ann.id)).kind == DestinationKind.PERSON


def test_of_two_phone_systems_the_one_that_is_meant_is_named(max_: PageCheckingClient, make: Make) -> None:
    make.party("204")
    branch = make.pbx("Branch")
    party = make.party("204", branch)
    max_.send(address_of(party), {"name": "Ann", "kind": "person"})
    with make.session() as session:
        assert session.scalars(select(PartyHolder.party_id)).all() == [party.id]


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ({"name": "", "kind": "person"}, "Give it a name."),
        ({"name": "Ann", "kind": "boat"}, "Not a valid choice"),
        ({"name": "Twin", "kind": "person"}, "More than one has this name already"),
    ],
)
@pytest.mark.parametrize("part", [False, True])
def test_what_cannot_be_stored_comes_back_as_typed(
    max_: PageCheckingClient, make: Make, typed: dict[str, str], told: str, part: bool
) -> None:
    add(make, "Twin")
    add(make, "twin")
    party = make.party("204")
    answer = max_.send(address_of(party), typed, part=part)
    assert answer.status_code == 422
    assert told in answer.text
    assert f'value="{typed["name"]}"' in answer.text


def test_a_number_that_somebody_named_meanwhile_is_refused(max_: PageCheckingClient, make: Make) -> None:
    party = make.party("204")
    add(make, "Ben", EXTENSION)
    answer = max_.send(address_of(party), {"name": "Ann", "kind": "person"}, part=True)
    assert answer.status_code == 422
    assert "Extension 204 is Ben already" in answer.text


def test_a_masked_manager_sees_dots_and_no_suggestion_that_holds_a_number(
    max_: PageCheckingClient, make: Make, cast: Cast
) -> None:
    make.membership(cast.max, numbers=Numbers.MASKED)
    make.call(caller="+441632960123", callee="201", names={"+441632960123": "01632960123"})
    text = max_.get(PAGE).text
    assert "01632 96••••" in text
    assert "0123" not in re.sub(r'(id|action|href|data-hx-\w+|for|content|value)="[^"]*"', "", text)
    assert ("01632 96••••", "") in shown(text)


def test_a_viewer_looks_and_cannot_name(client: PageCheckingClient, make: Make, cast: Cast) -> None:
    make.call(callee="204")
    party = make.party("204")
    client.sign_in(cast.vera)
    text = client.get(PAGE).text
    assert '<b class="number">204</b>' in text
    assert 'name="name"' not in text
    assert client.send(address_of(party), {"name": "Ann", "kind": "person"}).status_code == 403


def test_an_unknown_number_and_an_outsider_get_404(client: PageCheckingClient, make: Make, cast: Cast) -> None:
    party = make.party("204")
    client.sign_in(cast.max)
    assert client.send(f"{PAGE}/{spell_id(new_id())}", {"name": "Ann", "kind": "person"}).status_code == 404
    client.sign_in(cast.quentin)
    assert client.send(address_of(party), {"name": "Ann", "kind": "person"}).status_code == 404


def test_without_calls_the_page_says_what_comes_first(max_: PageCheckingClient) -> None:
    assert "No calls yet" in max_.get(PAGE).text


def test_a_masked_manager_reads_no_number_in_a_refusal(max_: PageCheckingClient, make: Make, cast: Cast) -> None:
    make.membership(cast.max, numbers=Numbers.MASKED)
    caller = make.party("+441632960123")
    address = f"/o/harbour/destinations/unnamed/{spell_id(caller.id)}"
    assert max_.send(address, {"name": "Tyne Valley", "kind": "customer"}).status_code == 303

    refused = max_.send(address, {"name": "Somebody else", "kind": "customer"})
    assert refused.status_code == 422
    assert "960123" not in refused.text
