"""Staff ask an organization to be let in, see what became of it, and take it back."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask
from sqlalchemy import select

from config import Settings
from tests.audit.test_recorded import events_of
from tests.cast import Cast
from tests.client import PageCheckingClient
from tests.mailbox import Mailbox, html_of, text_of
from tests.make import Make
from tests.staff.conftest import SignIn
from webapp.audit.service_chain import SERVICE_ID
from webapp.clock import now
from webapp.database.engine import Database
from webapp.database.ids import new_id, spell_id
from webapp.database.staff_rights import Area
from webapp.jobs.worker import Worker
from webapp.organizations.jobs import CLOSE_UNANSWERED
from webapp.outbox.models import OutboxMessage
from webapp.tenancy.consent_models import AccessRequest, RequestState
from webapp.tenancy.models import Organization, Role
from webapp.tenancy.sessions import reading_session

ASKED: dict[str, Any] = {
    "areas": ["1", "8"],
    "numbers": "masked",
    "hours": "6",
    "ticket": "T-17",
    "reason": "Two calls of Monday are missing in the log",
}


def address(organization: Organization) -> str:
    return f"/staff/organizations/{spell_id(organization.id)}/ask"


def page_of(request: AccessRequest) -> str:
    return f"/staff/organizations/{spell_id(request.organization_id)}/requests/{spell_id(request.id)}"


def requests_of(database: Database, organization: Organization) -> list[AccessRequest]:
    with reading_session(database, organization.id) as session:
        return list(session.scalars(select(AccessRequest).order_by(AccessRequest.id)))


def service_words(database: Database) -> list[str]:
    """Of the service's own chain."""
    return [words["happened"] for _kind, _actor, _thing, words in events_of(database, Organization(id=SERVICE_ID))]


def ask(client: PageCheckingClient, organization: Organization, **changes: Any) -> Any:
    client.get(address(organization))
    return client.send(address(organization), {**ASKED, **changes})


def test_asking_is_stored_and_told_to_everybody(
    staff_client: PageCheckingClient, cast: Cast, database: Database, settings: Settings, make: Make
) -> None:
    second = make.member(Role.OWNER, "otto@example.com")
    answer = ask(staff_client, cast.harbour)
    [request] = requests_of(database, cast.harbour)
    assert answer.location == page_of(request)
    assert request.areas == Area.CALLS | Area.PEOPLE
    assert (request.staff_id, request.hours, request.state) == (cast.stella.id, 6, RequestState.WAITS)
    assert (request.full_numbers, request.may_download, request.ticket) == (False, False, "T-17")
    assert timedelta(days=19, hours=23) < request.expires_at - now() <= timedelta(days=20)

    box = Mailbox(database, settings)
    for owner in ("olive@example.com", second.email):
        mail = box.newest(owner)
        assert mail["Subject"] == "Support asks to look at Harbour Boats"
        for part in (text_of(mail), html_of(mail)):
            assert "stella@example.com" in part
            assert ASKED["reason"] in part
            assert "the call log; people and invitations" in part
            assert "/o/harbour/support" in part
    assert {row.to_address for row in box.rows() if row.template == "support_asks"} == {
        "olive@example.com",
        second.email,
    }

    kind, actor, thing, words = events_of(database, cast.harbour)[-1]
    assert (kind, actor, thing) == ("support.asked", cast.stella.id, request.id)
    assert words["reason"] == f"T-17, {ASKED['reason']}"
    assert words["what"].startswith("the call log; people and invitations; without the last digits")
    [told] = service_words(database)
    assert told.startswith("stella@example.com of support asked to see the call log")


def test_what_is_missing_is_told_beside_its_field(
    staff_client: PageCheckingClient, cast: Cast, database: Database
) -> None:
    for changes, words in (
        ({"areas": []}, "Choose at least one thing to see."),
        ({"areas": ["16"]}, "not a valid choice"),
        ({"numbers": "some"}, "Not a valid choice"),
        ({"hours": "73"}, "Give a number of hours from 1 to 72."),
        ({"hours": "0"}, "Give a number of hours from 1 to 72."),
        ({"hours": "many"}, "Not a valid integer value"),
        ({"reason": "  too short  "[:9]}, "at least 10 characters"),
        ({"reason": "x" * 501}, "at most 500 characters"),
        ({"ticket": "x" * 41}, "at most 40 characters"),
    ):
        answer = ask(staff_client, cast.harbour, **changes)
        assert answer.status_code == 422, changes
        assert words in answer.text, changes
        assert "T-17" in answer.text or "ticket" in changes
    assert requests_of(database, cast.harbour) == []


def test_one_request_waits_at_a_time(
    staff_client: PageCheckingClient, sign_in_staff: SignIn, cast: Cast, database: Database
) -> None:
    ask(staff_client, cast.harbour)
    answer = ask(staff_client, cast.harbour)
    assert answer.status_code == 422
    assert "You have asked them already" in answer.text
    assert ask(staff_client, cast.quayside).status_code == 303, "another organization"
    assert ask(sign_in_staff(cast.steven), cast.harbour).status_code == 303, "another member of staff"
    assert len(requests_of(database, cast.harbour)) == 2


def test_where_nobody_can_answer_nobody_is_asked(
    staff_client: PageCheckingClient, cast: Cast, make: Make, database: Database
) -> None:
    make.membership(cast.olive, ends_at=now() - timedelta(days=1))
    answer = ask(staff_client, cast.harbour)
    assert answer.status_code == 422
    assert "Nobody can answer" in answer.text
    assert requests_of(database, cast.harbour) == []


def test_one_takes_back_ones_own_as_long_as_nobody_has_answered(
    staff_client: PageCheckingClient, sign_in_staff: SignIn, cast: Cast, database: Database
) -> None:
    ask(staff_client, cast.harbour)
    [request] = requests_of(database, cast.harbour)
    assert sign_in_staff(cast.steven).send(f"{page_of(request)}/take-back").status_code == 404
    assert requests_of(database, cast.harbour)[0].state == RequestState.WAITS

    assert "Take it back" in staff_client.get(page_of(request)).text
    staff_client.send(f"{page_of(request)}/take-back")
    assert requests_of(database, cast.harbour)[0].state == RequestState.TAKEN_BACK
    assert events_of(database, cast.harbour)[-1][0] == "support.taken_back"
    assert "Taken back" in staff_client.get(page_of(request)).text
    staff_client.send(f"{page_of(request)}/take-back")
    assert "answered meanwhile" in staff_client.get(page_of(request)).text
    assert len(service_words(database)) == 2
    assert ask(staff_client, cast.harbour).status_code == 303, "then one may ask anew"


def test_without_an_answer_it_is_refused_by_its_time_and_then_by_the_job(
    staff_client: PageCheckingClient, cast: Cast, database: Database, settings: Settings
) -> None:
    ask(staff_client, cast.harbour)
    [request] = requests_of(database, cast.harbour)
    with time_machine.travel(request.expires_at - timedelta(seconds=1), tick=False):
        Worker(database, settings).run_due()
    assert requests_of(database, cast.harbour)[0].state == RequestState.WAITS
    with time_machine.travel(request.expires_at, tick=False):
        Worker(database, settings).run_due()
    stored = requests_of(database, cast.harbour)[0]
    assert (stored.state, stored.answered_at, stored.answered_by) == (
        RequestState.UNANSWERED,
        request.expires_at,
        None,
    )
    kinds = [(kind, actor) for kind, actor, _thing, _words in events_of(database, cast.harbour)]
    assert kinds.count(("support.unanswered", None)) == 1


def test_the_job_leaves_what_was_answered(
    staff_client: PageCheckingClient, cast: Cast, database: Database, settings: Settings
) -> None:
    ask(staff_client, cast.harbour)
    [request] = requests_of(database, cast.harbour)
    staff_client.send(f"{page_of(request)}/take-back")
    with time_machine.travel(request.expires_at + timedelta(minutes=1), tick=False):
        Worker(database, settings).run_due()
    assert requests_of(database, cast.harbour)[0].state == RequestState.TAKEN_BACK
    assert CLOSE_UNANSWERED == "support.close_unanswered"


def test_the_list_tells_of_every_organization(
    staff_client: PageCheckingClient, cast: Cast, make: Make, sign_in_staff: SignIn
) -> None:
    make.access_request(Area.CALLS, staff_id=cast.stella.id, reason="of mine")
    make.at(cast.quayside).access_request(Area.PEOPLE, staff_id=cast.steven.id)
    make.at(cast.quayside).access_request(Area.SOURCES, staff_id=None, state=RequestState.ALLOWED)
    make.access_request(Area.CALLS, staff_id=cast.stella.id, expires_at=now() - timedelta(minutes=1))
    page = staff_client.get("/staff/requests").text
    assert "Quayside Ltd invites support" in page
    assert "steven@example.com" in page
    assert page.count(">You<") == 2
    assert "Nobody answered: refused" in page
    assert page.index("Nobody answered") < page.index("invites support"), "newest first"


def test_the_list_says_what_can_be_opened_now(
    staff_client: PageCheckingClient, sign_in_staff: SignIn, cast: Cast, make: Make
) -> None:
    moment, mine = now(), {"staff_id": cast.stella.id}
    make.grant(cast.olive, **mine)
    make.grant(cast.olive, starts_at=moment + timedelta(hours=1), **mine)
    make.at(cast.quayside).grant(cast.quentin, ends_at=moment - timedelta(hours=1), **mine)
    make.at(cast.quayside).grant(cast.quentin, ended_at=moment, ended_by=cast.quentin.id, **mine)
    words = (
        "<strong>Allowed now</strong>",
        "Allowed, begins later",
        "Allowed, and over",
        "Allowed, and ended by an owner",
    )
    page = staff_client.get("/staff/requests").text
    assert [page.count(each) for each in words] == [1, 1, 1, 1]
    theirs = sign_in_staff(cast.steven).get("/staff/requests").text
    assert [theirs.count(each) for each in words] == [0, 0, 0, 0], "what others were allowed is theirs to know"
    assert theirs.count("<td>Allowed</td>") == 4


def test_who_asked_has_a_name_in_who_looked(
    client: PageCheckingClient, staff_client: PageCheckingClient, cast: Cast
) -> None:
    ask(staff_client, cast.harbour)
    client.sign_in(cast.olive)
    page = client.get("/o/harbour/who-looked?what=support").text
    assert ">stella@example.com (support)</a>" in page
    assert "stella@example.com of support asked to see the call log" in page


def test_the_list_goes_on_by_key(staff_client: PageCheckingClient, cast: Cast, make: Make) -> None:
    made = [make.access_request(ticket=f"N-{turn}") for turn in range(51)]
    first = staff_client.get("/staff/requests").text
    assert "Show earlier requests" in first
    rest = staff_client.get_part(f"/staff/requests?before={spell_id(made[1].id)}").text
    assert spell_id(made[0].id) in rest
    assert "That is all." in rest
    assert staff_client.get("/staff/requests?before=-").status_code == 400


def test_nobody_but_staff_has_such_pages(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    request = make.access_request(staff_id=cast.stella.id)
    client.sign_in(cast.olive)
    for path in ("/staff/requests", address(cast.harbour), page_of(request)):
        assert client.get(path).status_code == 404
    assert client.send(f"{page_of(request)}/take-back").status_code == 404
    assert client.send(address(cast.harbour), ASKED).status_code == 404


def test_unknown_ids_are_unknown(staff_client: PageCheckingClient, cast: Cast, make: Make) -> None:
    request = make.access_request(staff_id=cast.stella.id)
    nowhere, nothing = spell_id(new_id()), spell_id(new_id())
    there = spell_id(cast.harbour.id)
    assert staff_client.get(f"/staff/organizations/{nowhere}/ask").status_code == 404
    assert staff_client.send(f"/staff/organizations/{nowhere}/ask", ASKED).status_code == 404
    for path in (
        f"{nowhere}/requests/{spell_id(request.id)}",
        f"{there}/requests/{nothing}",
        f"{spell_id(cast.quayside.id)}/requests/{spell_id(request.id)}",
    ):
        assert staff_client.get(f"/staff/organizations/{path}").status_code == 404
        for verb in ("take-back", "open", "close"):
            assert staff_client.send(f"/staff/organizations/{path}/{verb}").status_code == 404, (path, verb)


@pytest.mark.parametrize("path", ["take-back", "open", "close"])
def test_what_changes_something_is_a_post(staff_client: PageCheckingClient, make: Make, path: str) -> None:
    assert staff_client.get(f"{page_of(make.access_request())}/{path}").status_code == 405


def test_without_a_database_role_the_console_says_so(
    app: Flask, staff_client: PageCheckingClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(app.extensions, "callbook", replace(app.extensions["callbook"], staff_database=None))
    answer = staff_client.get("/staff/requests")
    assert answer.status_code == 503
    assert "DATABASE_STAFF_URL" in answer.text


def test_the_mail_of_a_refused_form_is_not_queued(
    staff_client: PageCheckingClient, cast: Cast, database: Database
) -> None:
    ask(staff_client, cast.harbour, reason="short")
    with reading_session(database) as session:
        assert session.scalars(select(OutboxMessage)).all() == []
