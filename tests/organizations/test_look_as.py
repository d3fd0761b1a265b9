"""See what they will see: the pages as a smaller role finds them, narrowed, masked; nothing is changed meanwhile."""

import json
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from sqlalchemy import select

from tests.cast import Cast
from tests.client import PageCheckingClient
from tests.make import NOON, Make
from webapp.accounts.models import WebSession
from webapp.calls.models import Call
from webapp.clock import now
from webapp.database.engine import Database
from webapp.database.ids import spell_id
from webapp.organizations.offers import Offer
from webapp.tenancy.models import Numbers, Role
from webapp.tenancy.narrowing import PartyDays
from webapp.tenancy.sessions import reading_session

LOOK = "/o/harbour/look-as"
LOG = "/o/harbour/calls?period=all"
VIEWER = {"role": "viewer", "numbers": "masked", "extensions": "201"}


@pytest.fixture
def calls(make: Make) -> dict[str, Call]:
    return {digits: make.call(callee=digits, caller="+442079460182") for digits in ("201", "205")}


@pytest.fixture
def max_(client: PageCheckingClient, cast: Cast) -> PageCheckingClient:
    client.sign_in(cast.max)
    return client


def begin(client: PageCheckingClient, **fields: Any) -> None:
    client.get(LOOK)
    answer = client.send(LOOK, {**VIEWER, **fields})
    assert answer.status_code == 303, answer.text


def rows(text: str) -> int:
    return text.count("data-row-link")


def test_every_page_is_as_they_would_find_it(max_: PageCheckingClient, calls: dict[str, Call]) -> None:
    assert rows(max_.get(LOG).text) == 2
    begin(max_)
    page = max_.get(LOG).text
    assert rows(page) == 1
    assert "020 7946 ••••" in page
    assert "0182" not in page
    assert "Export" not in page
    home = max_.get("/o/harbour/").text
    assert "<h1>My calls</h1>" in home
    for text in (page, home):
        assert "<b>a viewer who sees extension 201, with masked numbers, without export</b>" in text
        assert "look-as/stop" in text
        assert "Phone systems</a>" not in text
    assert max_.get(f"/o/harbour/calls/{spell_id(calls['205'].call_key)}").status_code == 404
    assert max_.get("/o/harbour/phone-systems").status_code == 403
    assert max_.get("/o/harbour/calls/export?period=all").status_code == 403
    assert max_.get(LOOK).status_code == 403


def test_nothing_can_be_changed_meanwhile(max_: PageCheckingClient, calls: dict[str, Call], make: Make) -> None:
    begin(max_)
    for path, fields in (
        ("/o/harbour/phone-systems/new", {"name": "Head office"}),
        (LOOK, {"role": "manager", "numbers": "full"}),
    ):
        refused = max_.send(path, fields)
        assert refused.status_code == 403, path
        assert "You are looking at the pages as somebody else." in refused.text


def test_a_search_is_no_change(max_: PageCheckingClient, calls: dict[str, Call]) -> None:
    """It finds what the other person would find: nothing of the extensions that are closed to them."""
    begin(max_)
    for words, found in (("201", 1), ("205", 0)):
        answer = max_.send("/o/harbour/calls/search", {"words": words, "period": "all"})
        assert answer.status_code == 303
        assert rows(max_.get(answer.location).text) == found, words


def test_stop_ends_it(max_: PageCheckingClient, calls: dict[str, Call]) -> None:
    begin(max_)
    assert max_.send(f"{LOOK}/stop").status_code == 303
    page = max_.get(LOG).text
    assert rows(page) == 2
    assert "0182" in page
    assert "You see these pages as" not in page
    assert max_.send(f"{LOOK}/stop").status_code == 303


def test_it_ends_by_itself(max_: PageCheckingClient, calls: dict[str, Call]) -> None:
    begin(max_)
    with time_machine.travel(now() + timedelta(minutes=29)):
        assert rows(max_.get(LOG).text) == 1
    with time_machine.travel(now() + timedelta(minutes=31)):
        assert rows(max_.get(LOG).text) == 2


def test_it_is_of_one_organization_and_one_browser(
    max_: PageCheckingClient, cast: Cast, make: Make, database: Database, calls: dict[str, Call]
) -> None:
    begin(max_)
    other = max_.application.test_client()
    assert isinstance(other, PageCheckingClient)
    other.sign_in(cast.max)
    assert rows(other.get(LOG).text) == 2
    with reading_session(database) as session:
        payloads = [json.loads(row) for row in session.scalars(select(WebSession.payload))]
    assert sum("looking_as" in payload for payload in payloads) == 1


@pytest.mark.parametrize("extensions", ["", "   \n "])
def test_without_extensions_every_call_is_seen(
    max_: PageCheckingClient, calls: dict[str, Call], extensions: str
) -> None:
    begin(max_, extensions=extensions, numbers="full", may_export="y")
    page = max_.get(LOG).text
    assert rows(page) == 2
    assert "Export 2 calls" in page
    assert "You see these pages as <b>a viewer</b>" in page


@pytest.mark.parametrize(
    ("extensions", "problem"),
    [
        ("201\nGrace", "cannot be read"),
        ("201 from yesterday", "is no day"),
        ("201 from 2026-05-03 until 2026-05-01", "ends before it begins"),
        ("299", "No phone system here has had a call of extension 299"),
        ("\n".join(str(number) for number in range(200, 401)), "at most 200"),
        ("201 from 9999-12-31 until 9999-12-31", "is too far away"),
    ],
)
def test_what_is_wrong_is_told_beside_the_field(
    max_: PageCheckingClient, calls: dict[str, Call], extensions: str, problem: str
) -> None:
    max_.get(LOOK)
    answer = max_.send(LOOK, {**VIEWER, "extensions": extensions})
    assert answer.status_code == 422
    assert problem in answer.text
    assert rows(max_.get(LOG).text) == 2


def test_days_are_of_the_organization(max_: PageCheckingClient, make: Make) -> None:
    """2026-05-03 in London begins at 23:00 UTC of the day before."""
    begins = NOON.replace(month=5, day=2, hour=23)
    make.call(callee="201", started_at=begins - timedelta(milliseconds=1))
    make.call(callee="201", started_at=begins)
    make.call(callee="201", started_at=begins + timedelta(days=1))
    begin(max_, extensions="201 from 2026-05-03 until 2026-05-03")
    page = max_.get(LOG).text
    assert rows(page) == 1
    assert "extension 201 from 3 May 2026 until 3 May 2026" in page


def test_what_a_member_or_an_invitation_has_is_looked_at(
    max_: PageCheckingClient, cast: Cast, make: Make, calls: dict[str, Call]
) -> None:
    """201 is an extension of two phone systems, and they see that of one: the pages show no call of the other."""
    [party] = make.narrow(cast.vera, "201")
    offer = Offer(Role.VIEWER, Numbers.MASKED, False, True, (PartyDays(party.id),), None)
    invitation = make.invitation("ada@example.com", offer)
    make.call(callee="201", pbx=make.pbx("Branch"))
    begin(max_)
    assert rows(max_.get(LOG).text) == 2, "the digits alone stand for both"
    max_.send(f"{LOOK}/stop")
    page = max_.get("/o/harbour/people").text
    for field, number in (("of_member", cast.vera.id), ("of_invitation", invitation.id)):
        hidden = f'<input type="hidden" name="{field}" value="{spell_id(number)}">'
        assert hidden in page
        assert hidden in max_.get(f"/o/harbour/people/{field[3:]}s/{spell_id(number)}").text
        begin(max_, **{field: spell_id(number)})
        assert rows(max_.get(LOG).text) == 1
        max_.send(f"{LOOK}/stop")
        wrong = max_.send(LOOK, {**VIEWER, "extensions": "Grace", field: spell_id(number)})
        assert (wrong.status_code, hidden.split(" value")[1] in wrong.text) == (422, True)
    for unknown in ("of_member", "of_invitation"):
        for number in ("!", spell_id(cast.quentin.id), spell_id(12345)):
            assert max_.send(LOOK, {**VIEWER, unknown: number}).status_code == 404


def test_as_somebody_who_sees_no_call_none_is_seen(max_: PageCheckingClient, cast: Cast, calls: Any) -> None:
    begin(max_, extensions="", of_member=spell_id(cast.nina.id))
    assert rows(max_.get(LOG).text) == 0


def test_nobody_looks_as_more_than_they_have(client: PageCheckingClient, cast: Cast, make: Make, calls: Any) -> None:
    make.membership(cast.max, numbers=Numbers.MASKED, may_export=False)
    make.narrow(cast.max, "201")
    client.sign_in(cast.max)
    form = client.get(LOOK).text
    assert ">201</textarea>" in form.replace("\r\n", "").replace("\n", "")
    for fields in (
        {"numbers": "full"},
        {"may_export": "y"},
        {"role": "owner"},
        {"extensions": ""},
        {"extensions": "205"},
        {"numbers": "shown_one_by_one"},
    ):
        assert client.send(LOOK, {**VIEWER, **fields}).status_code in (403, 422), fields
    assert client.send(LOOK, VIEWER).status_code == 303


def test_who_has_less_since_looks_no_more(max_: PageCheckingClient, cast: Cast, make: Make, calls: Any) -> None:
    begin(max_, extensions="205")
    assert rows(max_.get(LOG).text) == 1
    make.narrow(cast.max, "201")
    page = max_.get(LOG).text
    assert "You see these pages as" not in page
    assert spell_id(calls["201"].call_key) in page
    assert spell_id(calls["205"].call_key) not in page


def test_viewers_and_outsiders_do_not_look(client: PageCheckingClient, cast: Cast) -> None:
    client.sign_in(cast.vera)
    assert client.get(LOOK).status_code == 403
    assert client.send(LOOK, VIEWER).status_code == 403
    assert client.send(f"{LOOK}/stop").status_code == 303
    other = client.application.test_client()
    assert isinstance(other, PageCheckingClient)
    other.sign_in(cast.quentin)
    assert other.get(LOOK).status_code == 404


def test_nothing_else_may_be_slipped_in(max_: PageCheckingClient, cast: Cast, database: Database, calls: Any) -> None:
    """SECURITY 29: fields that the form does not have are passed over."""
    begin(max_, organization_id=str(cast.quayside.id), user_account_id="1", since_ms="99999999999999", windows="[]")
    with reading_session(database) as session:
        [kept] = [json.loads(row) for row in session.scalars(select(WebSession.payload)) if "looking_as" in row]
    assert kept["looking_as"]["organization_id"] == cast.harbour.id
