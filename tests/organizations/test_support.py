"""Support, for owners: the page, the strip, answering, inviting help, ending."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse

from config import Settings
from tests.audit.test_recorded import events_of
from tests.cast import Cast
from tests.client import PageCheckingClient
from tests.mailbox import Mailbox, html_of, text_of
from tests.make import Make
from webapp.accounts.models import UserAccount
from webapp.audit.service_chain import SERVICE_ID
from webapp.audit.verify import verify_chain
from webapp.clock import now
from webapp.database.engine import Database
from webapp.database.ids import new_id, spell_id
from webapp.database.staff_rights import EVERYTHING, Area
from webapp.errors import Refused
from webapp.organizations import support, support_views
from webapp.tenancy.consent import terms_of_request
from webapp.tenancy.consent_models import AccessGrant, AccessOpening, AccessRequest, RequestState
from webapp.tenancy.members import hold_organization
from webapp.tenancy.models import Numbers, Organization, OrganizationState, Role
from webapp.tenancy.sessions import reading_session

SUPPORT = "/o/harbour/support"
INVITED: dict[str, Any] = {
    "areas": ["4"],
    "numbers": "masked",
    "hours": "3",
    "starts": "",
    "reason": "Nothing arrives since Monday",
}


def requests_of(database: Database, cast: Cast) -> list[AccessRequest]:
    with reading_session(database, cast.harbour.id) as session:
        return list(session.scalars(select(AccessRequest).order_by(AccessRequest.id)))


def grants_of(database: Database, cast: Cast) -> list[AccessGrant]:
    with reading_session(database, cast.harbour.id) as session:
        return list(session.scalars(select(AccessGrant).order_by(AccessGrant.id)))


def openings_of(database: Database, cast: Cast) -> list[AccessOpening]:
    with reading_session(database, cast.harbour.id) as session:
        return list(session.scalars(select(AccessOpening).order_by(AccessOpening.id)))


def page_of(request: AccessRequest) -> str:
    return f"{SUPPORT}/requests/{spell_id(request.id)}"


def end_of(grant: AccessGrant) -> str:
    return f"{SUPPORT}/allowed/{spell_id(grant.id)}/end"


def whole(request: AccessRequest, **changes: Any) -> dict[str, Any]:
    """The form as it is shown: all that was asked."""
    return {
        "areas": [str(int(area)) for area in Area if area & request.areas],
        "numbers": "full" if request.full_numbers else "masked",
        "hours": str(request.hours),
        "starts": "",
        **({"may_download": "y"} if request.may_download else {}),
        **changes,
    }


@pytest.fixture
def asked(make: Make, cast: Cast) -> AccessRequest:
    """Stella asks for calls and people, in full, without downloads, for eight hours."""
    return make.access_request(Area.CALLS | Area.PEOPLE, staff_id=cast.stella.id)


@pytest.fixture
def owner(client: PageCheckingClient, cast: Cast) -> PageCheckingClient:
    client.sign_in(cast.olive)
    return client


def answer(client: PageCheckingClient, request: AccessRequest, **changes: Any) -> TestResponse:
    client.get(page_of(request))
    return client.send(page_of(request), whole(request, **changes))


# --------------------------------------------------------------------------------------------- the page, the strip


def test_the_page_says_what_support_sees_without_anybodys_yes(owner: PageCheckingClient) -> None:
    page = owner.get(SUPPORT).text
    assert "Nothing. Support sees how many calls" in page
    assert "Waiting for your answer" not in page


def test_a_request_stands_there_with_its_words(owner: PageCheckingClient, asked: AccessRequest) -> None:
    page = owner.get(SUPPORT).text
    for words in ("stella@example.com", "the call log; people and invitations", asked.reason, "ticket T-100"):
        assert words in page
    assert "Outside numbers in full, no downloads, for 8 hours" in page


def test_owners_are_asked_on_every_page_until_there_is_an_answer(
    owner: PageCheckingClient, asked: AccessRequest, make: Make, cast: Cast
) -> None:
    strip = "<b>stella@example.com of support</b> asks to see the call log; people and invitations."
    for path in ("/o/harbour/calls", "/o/harbour/people"):
        page = owner.get(path).text
        assert strip in page
        assert f'href="{page_of(asked)}"' in page
    assert strip not in owner.get(SUPPORT).text, "there it stands with its words"
    owner.send(f"{page_of(asked)}/refuse")
    assert strip not in owner.get("/o/harbour/calls").text
    with time_machine.travel(now() + timedelta(days=20, minutes=1), tick=False):
        make.access_request(staff_id=cast.stella.id, expires_at=now() - timedelta(seconds=1))
        owner.sign_in(cast.olive)
        assert strip not in owner.get("/o/harbour/calls").text


@pytest.mark.parametrize("name", ["max", "vera", "nina"])
def test_the_strip_is_for_owners(client: PageCheckingClient, cast: Cast, asked: AccessRequest, name: str) -> None:
    client.sign_in(getattr(cast, name))
    page = client.get("/o/harbour/", follow_redirects=True).text
    assert "asks to see" not in page
    assert asked.state == RequestState.WAITS


@pytest.mark.parametrize("name", ["max", "vera", "nina"])
def test_managers_and_viewers_answer_nothing_and_end_nothing(
    client: PageCheckingClient, cast: Cast, make: Make, database: Database, asked: AccessRequest, name: str
) -> None:
    grant = make.grant(cast.olive, staff_id=cast.stella.id)
    client.sign_in(getattr(cast, name))
    for path in (SUPPORT, page_of(asked), f"{SUPPORT}/invite"):
        assert client.get(path).status_code == 403
    for path, data in (
        (page_of(asked), whole(asked)),
        (f"{page_of(asked)}/refuse", {}),
        (f"{SUPPORT}/invite", INVITED),
        (end_of(grant), {}),
    ):
        assert client.send(path, data).status_code == 403
    assert [each.id for each in grants_of(database, cast)] == [grant.id]
    assert grants_of(database, cast)[0].ended_at is None
    assert requests_of(database, cast)[0].state == RequestState.WAITS


def test_outsiders_have_no_such_page(client: PageCheckingClient, cast: Cast, asked: AccessRequest) -> None:
    client.sign_in(cast.quentin)
    for path in (SUPPORT, page_of(asked), f"/o/quayside/support/requests/{spell_id(asked.id)}"):
        assert client.get(path).status_code == 404
    assert client.send(f"/o/quayside/support/requests/{spell_id(asked.id)}", whole(asked)).status_code == 404


def test_what_is_not_there_is_not_found(owner: PageCheckingClient) -> None:
    nothing = spell_id(new_id())
    assert owner.get(f"{SUPPORT}/requests/{nothing}").status_code == 404
    assert owner.send(f"{SUPPORT}/requests/{nothing}/refuse").status_code == 404
    assert owner.send(f"{SUPPORT}/allowed/{nothing}/end").status_code == 404
    assert owner.get(f"{SUPPORT}/allowed/{nothing}/end").status_code == 405


# ------------------------------------------------------------------------------------------------------- answering


def test_allowing_what_was_asked(
    owner: PageCheckingClient, cast: Cast, database: Database, asked: AccessRequest
) -> None:
    assert answer(owner, asked).location == SUPPORT
    [grant] = grants_of(database, cast)
    assert (grant.request_id, grant.staff_id, grant.allowed_by) == (asked.id, cast.stella.id, cast.olive.id)
    assert (grant.areas, grant.full_numbers, grant.may_download) == (asked.areas, True, False)
    assert grant.ends_at - grant.starts_at == timedelta(hours=8)
    assert abs(grant.starts_at - now()) < timedelta(minutes=1)
    [request] = requests_of(database, cast)
    assert (request.state, request.answered_by) == (RequestState.ALLOWED, cast.olive.id)
    kind, actor, thing, words = events_of(database, cast.harbour)[-1]
    assert (kind, actor, thing) == ("support.allowed", cast.olive.id, asked.id)
    assert words["staff"] == "stella@example.com"
    page = owner.get(SUPPORT).text
    assert "Allowed by olive@example.com" in page
    assert "Nobody has opened it." in page
    assert "End now" in page
    service = events_of(database, Organization(id=SERVICE_ID))
    assert service[-1][1:3] == (cast.olive.id, cast.harbour.id)
    assert service[-1][3]["happened"].startswith("Allowed stella@example.com of support to see the call log")
    for organization_id in (cast.harbour.id, SERVICE_ID):
        assert verify_chain(database, organization_id).wrong is None


def test_allowing_less_and_shorter_and_later(
    client: PageCheckingClient, cast: Cast, database: Database, asked: AccessRequest
) -> None:
    with time_machine.travel(datetime(2026, 7, 15, 12, tzinfo=UTC), tick=False):
        client.sign_in(cast.olive)
        answer(client, asked, areas=["1"], numbers="masked", hours="2", starts="2026-07-16T09:30")
        [grant] = grants_of(database, cast)
        assert (grant.areas, grant.full_numbers) == (Area.CALLS, False)
        assert grant.starts_at == datetime(2026, 7, 16, 8, 30, tzinfo=UTC), "the time of London in summer"
        assert grant.ends_at == datetime(2026, 7, 16, 10, 30, tzinfo=UTC)
        page = client.get(SUPPORT).text
        assert "begins later" in page
        assert "From <strong>16 July at 09:30</strong> to <strong>16 July at 11:30</strong>." in page


def test_owners_and_whoever_asked_are_told_by_mail(
    owner: PageCheckingClient, cast: Cast, make: Make, database: Database, settings: Settings, asked: AccessRequest
) -> None:
    make.member(Role.OWNER, "otto@example.com")
    refused = make.access_request(staff_id=cast.steven.id)
    answer(owner, asked)
    owner.send(f"{page_of(refused)}/refuse")
    box = Mailbox(database, settings)
    told = [row.to_address for row in box.rows() if row.template == "support_answered"]
    assert sorted(told) == ["olive@example.com", "otto@example.com", "stella@example.com", "steven@example.com"]
    for address, words in (
        ("otto@example.com", "Allowed stella@example.com of support to see the call log"),
        ("stella@example.com", f"/staff/organizations/{spell_id(cast.harbour.id)}/requests/{spell_id(asked.id)}"),
        ("steven@example.com", "Refused steven@example.com of support"),
    ):
        for part in (text_of(box.newest(address)), html_of(box.newest(address))):
            assert words in part


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"areas": ["1", "2"]}, "not a valid choice"),
        ({"areas": ["15"]}, "not a valid choice"),
        ({"areas": []}, "Choose at least one thing to see."),
        ({"hours": "9"}, "No more than 8 hours were asked for."),
        ({"hours": "72"}, "No more than 8 hours were asked for."),
        ({"hours": "-1"}, "Give a number of hours"),
        ({"may_download": "y"}, "Downloads were not asked for."),
        ({"starts": "2020-01-01T09:00"}, "This time is over."),
        ({"starts": "2199-01-01T09:00"}, "within 7 days"),
        ({"starts": "soon"}, "This is no day and time. Write it as 2026-12-24T18:00, or leave it empty."),
    ],
)
def test_a_form_cannot_widen_what_was_asked(
    owner: PageCheckingClient,
    cast: Cast,
    database: Database,
    asked: AccessRequest,
    changes: dict[str, Any],
    words: str,
) -> None:
    refused = answer(owner, asked, **changes)
    assert refused.status_code == 422
    assert words in refused.text
    assert grants_of(database, cast) == []
    assert requests_of(database, cast)[0].state == RequestState.WAITS


def test_masked_is_not_made_full(owner: PageCheckingClient, cast: Cast, make: Make, database: Database) -> None:
    masked = make.access_request(Area.CALLS, staff_id=cast.stella.id, full_numbers=False)
    assert answer(owner, masked, numbers="full").status_code == 422
    assert "In full" not in owner.get(page_of(masked)).text
    assert grants_of(database, cast) == []


def test_other_fields_count_for_nothing(
    owner: PageCheckingClient, cast: Cast, database: Database, asked: AccessRequest
) -> None:
    answer(owner, asked, staff_id=str(cast.steven.id), ends_at="2199-01-01", allowed_by="1", id="5")
    [grant] = grants_of(database, cast)
    assert (grant.staff_id, grant.allowed_by) == (cast.stella.id, cast.olive.id)
    assert grant.ends_at - grant.starts_at == timedelta(hours=8)


def test_an_owner_gives_no_more_than_they_have(
    owner: PageCheckingClient, cast: Cast, make: Make, database: Database, asked: AccessRequest
) -> None:
    make.member(Role.OWNER)
    make.membership(cast.olive, numbers=Numbers.MASKED, may_export=False)
    assert answer(owner, asked, numbers="full").status_code == 422
    assert answer(owner, asked, numbers="masked").status_code == 303
    assert not grants_of(database, cast)[0].full_numbers


def test_refusing(owner: PageCheckingClient, cast: Cast, database: Database, asked: AccessRequest) -> None:
    owner.get(page_of(asked))
    assert owner.send(f"{page_of(asked)}/refuse").location == SUPPORT
    assert requests_of(database, cast)[0].state == RequestState.REFUSED
    assert grants_of(database, cast) == []
    assert events_of(database, cast.harbour)[-1][:3] == ("support.refused", cast.olive.id, asked.id)
    assert "Refused by olive@example.com" in owner.get(SUPPORT).text


def test_the_second_owner_sees_what_the_first_decided(
    app: Flask, owner: PageCheckingClient, cast: Cast, make: Make, database: Database, asked: AccessRequest
) -> None:
    other = app.test_client()
    assert isinstance(other, PageCheckingClient)
    other.sign_in(make.member(Role.OWNER, "otto@example.com"))
    other.get(page_of(asked))
    answer(owner, asked, hours="1")
    for path, data in ((page_of(asked), whole(asked)), (f"{page_of(asked)}/refuse", {})):
        assert other.send(path, data).location == SUPPORT
        assert "olive@example.com has allowed this meanwhile." in other.get(SUPPORT).text
    [grant] = grants_of(database, cast)
    assert grant.ends_at - grant.starts_at == timedelta(hours=1)
    assert requests_of(database, cast)[0].state == RequestState.ALLOWED


def test_the_action_itself_answers_once(make: Make, cast: Cast, asked: AccessRequest) -> None:
    """Whatever its caller has looked at before."""
    with make.session() as session:
        request = support.get_request(session, asked.id)
        given = terms_of_request(request)
        support.allow(session, cast.olive, request, given, None)
        with pytest.raises(Refused, match="has allowed this meanwhile"):
            support.allow(session, cast.olive, request, given, None)
        with pytest.raises(Refused, match="has allowed this meanwhile"):
            support.refuse(session, cast.olive, request)


def test_two_owners_at_the_very_same_moment_give_one_grant(
    app: Flask, cast: Cast, make: Make, database: Database, asked: AccessRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both have read that it waits before either holds the organization."""
    meet, hold = threading.Barrier(2, timeout=20), support_views.hold_and_check

    def meet_then_hold() -> None:
        meet.wait()
        hold()

    monkeypatch.setattr(support_views, "hold_and_check", meet_then_hold)
    answers: list[TestResponse] = []

    def allow(person: UserAccount, hours: str) -> None:
        browser = app.test_client()
        assert isinstance(browser, PageCheckingClient)
        browser.sign_in(person)
        browser.get(page_of(asked))
        answers.append(browser.send(page_of(asked), whole(asked, hours=hours)))

    people = (cast.olive, make.member(Role.OWNER, "otto@example.com"))
    threads = [threading.Thread(target=allow, args=pair) for pair in zip(people, ("1", "2"), strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [each.status_code for each in answers] == [303, 303]
    assert len(grants_of(database, cast)) == 1
    assert [kind for kind, *_rest in events_of(database, cast.harbour)].count("support.allowed") == 1


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"expires_at": now() - timedelta(days=1)}, "Nobody answered in time"),
        ({"state": RequestState.TAKEN_BACK, "answered_at": now()}, "Support has taken this back"),
        ({"state": RequestState.REFUSED, "answered_at": now()}, "Another owner has refused this meanwhile"),
    ],
)
def test_what_waits_no_more_is_not_answered(
    owner: PageCheckingClient, cast: Cast, make: Make, database: Database, fields: dict[str, Any], words: str
) -> None:
    over = make.access_request(staff_id=cast.stella.id, **fields)
    assert owner.get(page_of(over)).location == SUPPORT
    assert words in owner.get(SUPPORT).text
    owner.send(page_of(over), whole(over))
    owner.send(f"{page_of(over)}/refuse")
    assert grants_of(database, cast) == []


def test_security_17_allowing_needs_a_fresh_proof_and_ending_none(
    owner: PageCheckingClient, cast: Cast, make: Make, database: Database, asked: AccessRequest
) -> None:
    grant = make.grant(cast.olive, staff_id=cast.stella.id, ends_at=now() + timedelta(hours=30))
    owner.get(SUPPORT)
    with time_machine.travel(now() + timedelta(minutes=11), tick=False):
        for path, data in (
            (page_of(asked), whole(asked)),
            (f"{page_of(asked)}/refuse", {}),
            (f"{SUPPORT}/invite", INVITED),
        ):
            assert owner.send(path, data).status_code == 401
        assert len(grants_of(database, cast)) == 1
        assert owner.send(end_of(grant)).location == SUPPORT
    assert grants_of(database, cast)[0].ended_at is not None


# --------------------------------------------------------------------------------------------------- inviting help


def test_inviting_help_is_a_request_that_is_allowed_already(
    owner: PageCheckingClient, cast: Cast, database: Database
) -> None:
    owner.get(f"{SUPPORT}/invite")
    assert owner.send(f"{SUPPORT}/invite", INVITED).location == SUPPORT
    [request] = requests_of(database, cast)
    [grant] = grants_of(database, cast)
    assert (request.staff_id, request.state, request.reason) == (None, RequestState.ALLOWED, INVITED["reason"])
    assert (grant.staff_id, grant.request_id, grant.areas) == (None, request.id, Area.SOURCES)
    assert (grant.full_numbers, grant.may_download) == (False, False)
    assert grant.ends_at - grant.starts_at == timedelta(hours=3)
    kind, actor, thing, words = events_of(database, cast.harbour)[-1]
    assert (kind, actor, thing, words["reason"]) == (
        "support.invited",
        cast.olive.id,
        request.id,
        INVITED["reason"],
    )
    assert "Invited by olive@example.com" in owner.get(SUPPORT).text
    again = owner.send(f"{SUPPORT}/invite", INVITED)
    assert again.status_code == 422
    assert "Support is invited already." in again.text
    assert len(grants_of(database, cast)) == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"areas": []}, "Choose at least one thing to see."),
        ({"hours": "73"}, "from 1 to 72"),
        ({"reason": "  "}, "Say what support should look at."),
        ({"numbers": ""}, "Not a valid choice"),
    ],
)
def test_an_invitation_that_says_too_little_comes_back(
    owner: PageCheckingClient, cast: Cast, database: Database, changes: dict[str, Any], words: str
) -> None:
    owner.get(f"{SUPPORT}/invite")
    refused = owner.send(f"{SUPPORT}/invite", {**INVITED, **changes})
    assert refused.status_code == 422
    assert words in refused.text
    assert grants_of(database, cast) == []


# ---------------------------------------------------------------------------------------------------------- ending


def test_ending_ends_what_is_open_in_the_same_moment(
    owner: PageCheckingClient, cast: Cast, make: Make, database: Database
) -> None:
    grant = make.grant(cast.olive, EVERYTHING, staff_id=cast.stella.id)
    make.opening(grant, cast.stella, until_at=now() - timedelta(minutes=5), opened_at=now() - timedelta(hours=2))
    make.opening(grant, cast.stella)
    other = make.opening(make.grant(cast.olive, staff_id=cast.steven.id), cast.steven)
    owner.get(SUPPORT)
    assert owner.send(end_of(grant)).location == SUPPORT
    ended = grants_of(database, cast)[0]
    assert ended.ended_by == cast.olive.id
    past, present, untouched = openings_of(database, cast)
    assert past.ended_at == past.until_at
    assert present.ended_at == ended.ended_at
    assert (untouched.id, untouched.ended_at) == (other.id, None)
    assert events_of(database, cast.harbour)[-1][0] == "support.ended"
    page = owner.get(SUPPORT).text
    assert "when olive@example.com ended it" in page
    assert page.count("stella@example.com looked") == 2

    before = len(events_of(database, cast.harbour))
    owner.send(end_of(grant))
    assert grants_of(database, cast)[0].ended_at == ended.ended_at
    assert len(events_of(database, cast.harbour)) == before, "what is over is not ended again"


def test_if_it_cannot_be_recorded_nothing_is_ended_by_half(
    owner: PageCheckingClient, cast: Cast, make: Make, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    grant = make.grant(cast.olive, staff_id=cast.stella.id)
    make.opening(grant, cast.stella)
    owner.get(SUPPORT)

    def fail(*_arguments: Any, **_words: Any) -> None:
        raise OSError("the disk is gone")

    monkeypatch.setattr(support, "record", fail)
    owner.application.testing = False
    assert owner.send(end_of(grant)).status_code == 500
    assert grants_of(database, cast)[0].ended_at is None
    assert openings_of(database, cast)[0].ended_at is None


def test_an_owner_ends_it_while_the_organization_is_suspended(
    owner: PageCheckingClient, cast: Cast, make: Make, database: Database, asked: AccessRequest
) -> None:
    grant = make.grant(cast.olive, staff_id=cast.stella.id)
    owner.get(SUPPORT)
    with make.session() as session:
        found = session.get_one(Organization, cast.harbour.id)
        found.state, found.suspended_for = OrganizationState.SUSPENDED, "The bill of May"
        session.commit()
    assert owner.get("/o/harbour/calls").status_code in (403, 404)
    assert owner.get(page_of(asked)).status_code in (403, 404)
    page = owner.get(SUPPORT).text
    assert "End now" in page and '<a href="/o/harbour/settings" aria-current="page">Settings</a>' in page
    assert owner.send(end_of(grant)).status_code == 303
    assert grants_of(database, cast)[0].ended_at is not None

    stranger = owner.application.test_client()
    assert isinstance(stranger, PageCheckingClient)
    stranger.sign_in(cast.quentin)
    assert stranger.get(SUPPORT).status_code == 404
    stranger.sign_in(cast.max)
    assert stranger.get(SUPPORT).status_code == 403


def test_ending_waits_for_whoever_opens(make: Make, cast: Cast, owner: PageCheckingClient, database: Database) -> None:
    """Both hold the organization: an opening is either before the end, and ended, or after it, and refused."""
    grant = make.grant(cast.olive, staff_id=cast.stella.id)
    owner.get(SUPPORT)
    answers: list[int] = []
    with make.session() as session:
        hold_organization(session)
        ending = threading.Thread(target=lambda: answers.append(owner.send(end_of(grant)).status_code))
        ending.start()
        ending.join(0.5)
        assert answers == [], "it waits"
        session.add(
            AccessOpening(
                id=new_id(),
                grant_id=grant.id,
                staff_id=cast.stella.id,
                web_session_id=1,
                opened_at=now(),
                until_at=now() + timedelta(hours=2),
                ended_at=None,
            )
        )
        session.commit()
    ending.join(20)
    assert answers == [303]
    assert [each.ended_at is not None for each in openings_of(database, cast)] == [True]
