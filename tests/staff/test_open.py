"""Staff open what was allowed: two hours at a time, in this browser, after a factor shown just now."""

import re
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from sqlalchemy import select, update
from werkzeug.test import TestResponse

from tests.audit.test_recorded import events_of
from tests.cast import Cast
from tests.client import PageCheckingClient
from tests.make import Make
from tests.staff.conftest import SignIn
from tests.staff.test_ask import ask, page_of, service_words
from webapp.accounts.models import WebSession
from webapp.clock import now, now_ms
from webapp.database.engine import Database
from webapp.database.ids import spell_id
from webapp.database.staff_rights import EVERYTHING, Area
from webapp.tenancy.consent_models import AccessGrant, AccessOpening, AccessRequest
from webapp.tenancy.models import Organization
from webapp.tenancy.sessions import reading_session, writing_session


def openings_of(database: Database, organization: Organization) -> list[AccessOpening]:
    with reading_session(database, organization.id) as session:
        return list(session.scalars(select(AccessOpening).order_by(AccessOpening.id)))


def page(grant: AccessGrant) -> str:
    return page_of(AccessRequest(organization_id=grant.organization_id, id=grant.request_id))


def open_it(client: PageCheckingClient, grant: AccessGrant) -> TestResponse:
    client.get(page(grant))
    return client.send(f"{page(grant)}/open")


def browser_of(database: Database, person_id: int) -> int:
    with reading_session(database) as session:
        return session.scalars(select(WebSession.id).where(WebSession.user_account_id == person_id)).one()


@pytest.fixture
def allowed(make: Make, cast: Cast) -> AccessGrant:
    """Olive allowed Stella the calls, since a minute, for eight hours."""
    return make.grant(cast.olive, Area.CALLS, staff_id=cast.stella.id)


def test_opening_leads_to_the_customers_page(
    staff_client: PageCheckingClient, cast: Cast, database: Database, allowed: AccessGrant
) -> None:
    shown = staff_client.get(page(allowed)).text
    assert "Open for two hours" in shown
    assert "the call log" in shown
    assert open_it(staff_client, allowed).location == "/o/harbour/calls"
    [opening] = openings_of(database, cast.harbour)
    assert (opening.grant_id, opening.staff_id) == (allowed.id, cast.stella.id)
    assert opening.web_session_id == browser_of(database, cast.stella.id)
    assert opening.until_at - opening.opened_at == timedelta(hours=2)
    assert opening.ended_at is None
    kind, actor, thing, words = events_of(database, cast.harbour)[-1]
    assert (kind, actor, thing) == ("support.opened", cast.stella.id, allowed.request_id)
    assert words["staff"] == "stella@example.com"
    assert service_words(database)[-1].startswith("stella@example.com of support opened what was allowed")
    assert "Open in this browser" in staff_client.get(page(allowed)).text


def test_from_asking_to_the_end(
    client: PageCheckingClient, staff_client: PageCheckingClient, cast: Cast, make: Make, database: Database
) -> None:
    """As people do it, page by page: nothing shows before an owner allows and staff open, nothing after the end."""
    make.call(caller="+442079460123", callee="201", talk=60)
    calls, people = "/o/harbour/calls", "/o/harbour/people"
    ask(staff_client, cast.harbour)
    assert staff_client.get(calls).status_code == 404
    client.sign_in(cast.olive)
    [request_id] = re.findall(r'href="/o/harbour/support/requests/(\w+)"', client.get(calls).text)
    answer = f"/o/harbour/support/requests/{request_id}"
    client.get(answer)
    assert client.send(answer, {"areas": ["1"], "numbers": "masked", "hours": "1"}).status_code == 303
    assert staff_client.get(calls).status_code == 404
    staff_page = f"/staff/organizations/{spell_id(cast.harbour.id)}/requests/{request_id}"
    assert "Allowed now" in staff_client.get(staff_page).text
    assert staff_client.send(f"{staff_page}/open").location == calls
    shown = staff_client.get(calls)
    assert shown.status_code == 200
    assert "0123" not in shown.text, "masked, as the owner chose"
    assert staff_client.get(people).status_code == 404, "asked for, and not allowed"
    assert "is looking now" in client.get("/o/harbour/support").text
    [grant_id] = re.findall(r'action="/o/harbour/support/allowed/(\w+)/end"', client.get("/o/harbour/support").text)[:1]
    assert client.send(f"/o/harbour/support/allowed/{grant_id}/end").status_code == 303
    assert staff_client.get(calls).status_code == 404
    kinds = [kind for kind, *_rest in events_of(database, cast.harbour)]
    steps = [kind for kind in kinds if kind in ("support.asked", "support.allowed", "support.opened", "support.ended")]
    assert steps == ["support.asked", "support.allowed", "support.opened", "support.ended"]


@pytest.mark.parametrize(
    ("areas", "home"),
    [
        (Area.DESTINATIONS | Area.PEOPLE, "/o/harbour/destinations"),
        (Area.SOURCES, "/o/harbour/phone-systems"),
        (Area.PEOPLE, "/o/harbour/people"),
    ],
)
def test_it_leads_to_the_first_area_that_is_open(
    staff_client: PageCheckingClient, cast: Cast, make: Make, areas: Area, home: str
) -> None:
    assert open_it(staff_client, make.grant(cast.olive, areas, staff_id=cast.stella.id)).location == home


def test_never_beyond_what_was_allowed(
    staff_client: PageCheckingClient, cast: Cast, make: Make, database: Database
) -> None:
    ends_at = now() + timedelta(minutes=40)
    open_it(staff_client, make.grant(cast.olive, staff_id=cast.stella.id, ends_at=ends_at))
    assert openings_of(database, cast.harbour)[0].until_at == ends_at


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"starts_at": now() + timedelta(hours=1)}, "have not begun yet"),
        ({"ends_at": now() - timedelta(days=1), "starts_at": now() - timedelta(days=2)}, "are over"),
        ({"ended_at": now() - timedelta(minutes=1), "ended_by": 1}, "An owner has ended this"),
    ],
)
def test_outside_its_hours_it_does_not_open(
    staff_client: PageCheckingClient,
    cast: Cast,
    make: Make,
    database: Database,
    fields: dict[str, Any],
    words: str,
) -> None:
    grant = make.grant(cast.olive, EVERYTHING, staff_id=cast.stella.id, **fields)
    assert "Open for two hours" not in staff_client.get(page(grant)).text
    assert open_it(staff_client, grant).location == page(grant)
    assert words in staff_client.get(page(grant)).text
    assert openings_of(database, cast.harbour) == []


def test_what_is_not_allowed_does_not_open(
    staff_client: PageCheckingClient, cast: Cast, make: Make, database: Database
) -> None:
    request = make.access_request(staff_id=cast.stella.id)
    assert staff_client.send(f"{page_of(request)}/open").status_code == 404
    assert openings_of(database, cast.harbour) == []


def test_it_is_one_persons_unless_support_was_invited(
    sign_in_staff: SignIn, cast: Cast, make: Make, database: Database, allowed: AccessGrant
) -> None:
    steven = sign_in_staff(cast.steven)
    shown = steven.get(page(allowed)).text
    assert "stella@example.com’s to open" in shown
    assert "What was allowed</h2>" not in shown
    assert steven.send(f"{page(allowed)}/open").status_code == 404
    assert openings_of(database, cast.harbour) == []

    invited = make.grant(cast.olive, Area.SOURCES)
    assert open_it(steven, invited).location == "/o/harbour/phone-systems"
    assert open_it(sign_in_staff(cast.stella), invited).location == "/o/harbour/phone-systems"
    assert [each.staff_id for each in openings_of(database, cast.harbour)] == [cast.steven.id, cast.stella.id]


def set_factor(database: Database, person_id: int, factor_ms: int | None) -> None:
    with writing_session(database) as session:
        session.execute(update(WebSession).where(WebSession.user_account_id == person_id).values(factor_ms=factor_ms))
        session.commit()


def test_a_factor_of_just_now_is_needed(
    staff_client: PageCheckingClient, cast: Cast, database: Database, allowed: AccessGrant
) -> None:
    staff_client.get(page(allowed))
    set_factor(database, cast.stella.id, now_ms() - 1000 * 301)
    answer = staff_client.send(f"{page(allowed)}/open")
    assert answer.status_code == 401
    assert "Nothing of" in answer.text or "Is it still you" in answer.text
    assert openings_of(database, cast.harbour) == []
    set_factor(database, cast.stella.id, now_ms() - 1000 * 290)
    assert open_it(staff_client, allowed).location == "/o/harbour/calls"


def test_opening_again_takes_the_place_of_the_one_before(
    staff_client: PageCheckingClient, cast: Cast, database: Database, allowed: AccessGrant
) -> None:
    open_it(staff_client, allowed)
    with time_machine.travel(now() + timedelta(minutes=4), tick=False):
        assert "Open for two hours more" in staff_client.get(page(allowed)).text
        open_it(staff_client, allowed)
        first, second = openings_of(database, cast.harbour)
        assert first.ended_at == second.opened_at
        assert second.until_at == now() + timedelta(hours=2)


def test_closing_early(
    staff_client: PageCheckingClient, cast: Cast, make: Make, database: Database, allowed: AccessGrant
) -> None:
    open_it(staff_client, allowed)
    other = make.grant(cast.olive, Area.PEOPLE, staff_id=cast.stella.id)
    open_it(staff_client, other)
    assert staff_client.send(f"{page(allowed)}/close").location == page(allowed)
    closed, still_open = openings_of(database, cast.harbour)
    assert closed.ended_at is not None
    assert still_open.ended_at is None
    assert events_of(database, cast.harbour)[-1][0] == "support.closed"
    assert "Open in this browser" not in staff_client.get(page(allowed)).text
    before = len(events_of(database, cast.harbour))
    staff_client.send(f"{page(allowed)}/close")
    assert len(events_of(database, cast.harbour)) == before


def test_nobody_closes_what_another_browser_opened(
    staff_client: PageCheckingClient, sign_in_staff: SignIn, cast: Cast, make: Make, database: Database
) -> None:
    invited = make.grant(cast.olive, Area.SOURCES)
    open_it(staff_client, invited)
    for client in (sign_in_staff(cast.steven), sign_in_staff(cast.stella)):
        assert "Open in this browser" not in client.get(page(invited)).text
        client.send(f"{page(invited)}/close")
    assert openings_of(database, cast.harbour)[0].ended_at is None


def test_signing_out_ends_all_that_is_open(
    staff_client: PageCheckingClient, cast: Cast, make: Make, database: Database, allowed: AccessGrant
) -> None:
    elsewhere = make.at(cast.quayside).grant(cast.quentin, Area.CALLS, staff_id=cast.stella.id)
    open_it(staff_client, allowed)
    open_it(staff_client, elsewhere)
    staff_client.send("/sign-out")
    for organization in (cast.harbour, cast.quayside):
        [opening] = openings_of(database, organization)
        assert opening.ended_at is not None
        assert events_of(database, organization)[-1][0] == "support.closed"


def test_an_owner_sees_who_looks_and_no_longer_once_they_are_gone(
    client: PageCheckingClient, staff_client: PageCheckingClient, cast: Cast, database: Database, allowed: AccessGrant
) -> None:
    open_it(staff_client, allowed)
    client.sign_in(cast.olive)
    assert "stella@example.com is looking now" in client.get("/o/harbour/support").text
    with writing_session(database) as session:
        session.execute(
            update(WebSession)
            .where(WebSession.user_account_id == cast.stella.id)
            .values(last_seen_at=now() - timedelta(hours=2))
        )
        session.commit()
    shown = client.get("/o/harbour/support").text
    assert "is looking now" not in shown
    assert "stella@example.com looked" in shown


def test_if_it_cannot_be_recorded_nothing_opens(
    staff_client: PageCheckingClient,
    cast: Cast,
    database: Database,
    allowed: AccessGrant,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_arguments: Any, **_words: Any) -> None:
        raise OSError("the disk is gone")

    monkeypatch.setattr("webapp.staff.opening.tell_service", fail)
    staff_client.application.testing = False
    assert open_it(staff_client, allowed).status_code == 500
    assert openings_of(database, cast.harbour) == []
