"""An owner closes the organization: its people are told, phone systems stopped, and for 14 days it can come back."""

from datetime import timedelta
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest
import time_machine
from flask import Flask
from sqlalchemy import select, update

from config import Settings
from tests.accounts.authenticator import clock
from tests.cast import Cast
from tests.client import PageCheckingClient
from tests.mailbox import Mailbox
from tests.make import Make
from tests.sources.delivering import Delivering, own_call, token_of
from webapp.audit.models import AuditEvent
from webapp.database.engine import Database
from webapp.database.ids import spell_id
from webapp.errors import Refused
from webapp.jobs.models import Job, JobState
from webapp.jobs.worker import Worker
from webapp.outbox.models import OutboxMessage
from webapp.privacy import erasing_jobs
from webapp.privacy.closing import ERASE, erasure_of, take_back
from webapp.privacy.erasing import note_erasure
from webapp.privacy.erasures import read_log
from webapp.privacy.models import Erasure, ErasureKind
from webapp.tenancy.models import Organization, OrganizationState
from webapp.tenancy.sessions import reading_session, writing_session

__all__ = ["clock"]
CLOSE, CLOSING = "/o/harbour/settings/close", "/o/harbour/settings/closing"
SURE = {"name": "Harbour Boats", "sure": "y"}


def state(database: Database, cast: Cast) -> OrganizationState:
    with reading_session(database) as session:
        return session.get_one(Organization, cast.harbour.id).state


def mails(database: Database, template: str) -> list[str]:
    with reading_session(database) as session:
        found = select(OutboxMessage.to_address).where(OutboxMessage.template == template)
        return sorted(session.scalars(found))


def kinds(database: Database, cast: Cast) -> list[str]:
    with reading_session(database, cast.harbour.id) as session:
        return list(session.scalars(select(AuditEvent.kind).order_by(AuditEvent.position)))


@pytest.fixture
def closed(clock: time_machine.Traveller, client: PageCheckingClient, cast: Cast) -> PageCheckingClient:
    """Olive's browser, in which she has just closed Harbour."""
    client.sign_in(cast.olive)
    assert client.send(CLOSE, SURE).location == CLOSING
    return client


def other(app: Flask) -> PageCheckingClient:
    found = app.test_client()
    assert isinstance(found, PageCheckingClient)
    return found


def test_owners_are_told_and_it_is_recorded(closed: PageCheckingClient, cast: Cast, database: Database) -> None:
    assert state(database, cast) is OrganizationState.CLOSED
    assert mails(database, "closing_begun") == ["olive@example.com"]
    assert kinds(database, cast)[-1] == "organization.closed"
    page = closed.get(CLOSING).text
    assert "Take it back" in page and "olive@example.com" in page


@pytest.mark.parametrize(
    "wrong", [{"name": "Harbour"}, {"name": ""}, {"sure": ""}, {"name": "Quayside Ltd"}, {"name": "Harbour Boats\x00"}]
)
def test_without_its_name_and_a_yes_nothing_happens(
    client: PageCheckingClient, cast: Cast, database: Database, wrong: dict[str, str]
) -> None:
    client.sign_in(cast.olive)
    fields = {name: value for name, value in {**SURE, **wrong}.items() if value}
    assert client.send(CLOSE, fields).status_code in (422, 400)
    assert state(database, cast) is OrganizationState.OPEN


def test_a_name_typed_in_other_letters_is_the_name(client: PageCheckingClient, cast: Cast, database: Database) -> None:
    client.sign_in(cast.olive)
    assert client.send(CLOSE, {**SURE, "name": " harbour  boats "}).location == CLOSING


def test_the_foot_and_the_policy_say_that_nobody_sees_its_calls(closed: PageCheckingClient) -> None:
    for path in (CLOSING, "/o/harbour/takeout", "/o/harbour/privacy"):
        page = " ".join(closed.get(path).text.split())
        line = "Nobody can see these calls while Harbour Boats is closed, our staff neither; owners can take them out"
        assert f"{line}</a>" in page and "people can see" not in page
    assert "nobody while it is closed" in page


def test_its_people_are_told_on_every_page(closed: PageCheckingClient, app: Flask, cast: Cast) -> None:
    vera = other(app)
    vera.sign_in(cast.vera)
    for path in ("/o/harbour/", "/o/harbour/calls", "/o/harbour/people"):
        answer = vera.get(path)
        assert answer.status_code == 403
        assert "Harbour Boats is closed" in answer.text and CLOSING in answer.text
    assert "Harbour Boats is closed" in vera.get("/").text
    page = vera.get(CLOSING)
    assert page.status_code == 200 and "olive@example.com" in page.text and "Take it back" not in page.text
    assert vera.send(f"{CLOSING}/take-back").status_code == 403
    assert vera.get("/o/harbour/takeout").status_code == 403
    assert closed.get("/o/harbour/calls").status_code == 403, "the owner as well"
    assert closed.get("/o/harbour/takeout").status_code == 200


def test_a_stranger_learns_nothing(closed: PageCheckingClient, app: Flask, cast: Cast) -> None:
    quentin = other(app)
    quentin.sign_in(cast.quentin)
    assert quentin.get(CLOSING).status_code == quentin.get("/o/harbour/calls").status_code == 404
    assert quentin.send(f"{CLOSING}/take-back").status_code == 404


def test_an_owner_takes_it_back(closed: PageCheckingClient, cast: Cast, database: Database, make: Make) -> None:
    assert closed.send(f"{CLOSING}/take-back").location == "/o/harbour/"
    assert state(database, cast) is OrganizationState.OPEN
    assert closed.get("/o/harbour/calls").status_code == 200
    assert "organization.reopened" in kinds(database, cast)
    assert mails(database, "closing_taken_back") == ["olive@example.com"], "another owner may wait for the receipt"
    assert closed.get(CLOSING).location == "/o/harbour/"


def test_after_the_days_of_grace_nobody_brings_it_back(
    clock: time_machine.Traveller, closed: PageCheckingClient, app: Flask, cast: Cast, database: Database
) -> None:
    clock.shift(timedelta(days=14))
    olive = other(app)
    olive.sign_in(cast.olive)
    assert olive.get(CLOSING).status_code == 403
    assert olive.send(f"{CLOSING}/take-back").status_code == 403
    assert state(database, cast) is OrganizationState.CLOSED


def test_owners_are_reminded_three_days_before(
    clock: time_machine.Traveller, closed: PageCheckingClient, database: Database, settings: Settings
) -> None:
    Worker(database, settings).run_due()
    assert mails(database, "closing_soon") == []
    clock.shift(timedelta(days=11))
    Worker(database, settings).run_due()
    assert mails(database, "closing_soon") == ["olive@example.com"]


def test_a_closing_that_was_taken_back_erases_nothing(
    clock: time_machine.Traveller, closed: PageCheckingClient, cast: Cast, database: Database, settings: Settings
) -> None:
    closed.send(f"{CLOSING}/take-back")
    clock.shift(timedelta(days=15))
    Worker(database, settings).run_due()
    assert mails(database, "closing_soon") == []
    assert state(database, cast) is OrganizationState.OPEN


def test_phone_systems_are_told_to_stop(app: Flask, cast: Cast, make: Make, client: PageCheckingClient) -> None:
    pbx = make.pbx()
    delivering = Delivering(app, make.database, pbx, token_of(make.database, pbx))
    assert delivering.send_json(own_call(1)).status_code == 200
    client.sign_in(cast.olive)
    client.send(CLOSE, SURE)
    answer = delivering.send_json(own_call(2))
    assert answer.status_code == 410
    assert "stop sending" in answer.text and "Harbour" not in answer.text
    client.send(f"{CLOSING}/take-back")
    assert delivering.send_json(own_call(2)).status_code == 200


# --------------------------------------------------------------------------------------------------------- suspended


@pytest.fixture
def suspended(clock: time_machine.Traveller, client: PageCheckingClient, cast: Cast, make: Make) -> PageCheckingClient:
    """Olive's browser, her organization being suspended."""
    client.sign_in(cast.olive)
    with make.session() as session:
        found = session.get_one(Organization, cast.harbour.id)
        found.state, found.suspended_for = OrganizationState.SUSPENDED, "The bill of May"
        session.commit()
    return client


def test_an_owner_of_a_suspended_organization_is_led_to_what_stays_open(suspended: PageCheckingClient) -> None:
    refused = suspended.get("/o/harbour/calls")
    assert refused.status_code == 403
    for page in (refused.text, suspended.get("/").text):
        assert all(f'href="{address}"' in page for address in ("/o/harbour/support", "/o/harbour/takeout", CLOSE))
    assert all(suspended.get(address).status_code == 200 for address in ("/o/harbour/takeout", CLOSE))
    assert "Nobody can see these calls while Harbour Boats is suspended" in suspended.get("/o/harbour/takeout").text


def test_a_suspended_organization_is_closed_and_is_suspended_again_once_that_is_taken_back(
    suspended: PageCheckingClient, cast: Cast, database: Database
) -> None:
    suspended.get(CLOSE)
    assert suspended.send(CLOSE, SURE).location == CLOSING
    assert state(database, cast) is OrganizationState.CLOSED
    suspended.get(CLOSING)
    assert suspended.send(f"{CLOSING}/take-back").location == "/o/harbour/takeout"
    assert state(database, cast) is OrganizationState.SUSPENDED
    assert "still suspended" in suspended.get("/o/harbour/takeout").text
    assert suspended.get("/o/harbour/calls").status_code == 403


def test_others_of_a_suspended_organization_neither_close_it_nor_take_it_out(
    suspended: PageCheckingClient, app: Flask, cast: Cast
) -> None:
    for person, status in ((cast.max, 403), (cast.vera, 403), (cast.quentin, 404)):
        somebody = other(app)
        somebody.sign_in(person)
        assert somebody.get(CLOSE).status_code == somebody.get("/o/harbour/takeout").status_code == status


# ------------------------------------------------------------------------------------------------------------- staff


def test_staff_bring_it_back_with_a_reason(
    closed: PageCheckingClient, app: Flask, cast: Cast, database: Database, settings: Settings
) -> None:
    stella, path = other(app), f"/staff/organizations/{spell_id(cast.harbour.id)}"
    stella.sign_in(cast.stella)
    page = stella.get(path).text
    assert "Bring it back" in page and "all of it is erased on 29 July" in page
    assert "29 July 2026 at 12:00 UTC" in stella.get(f"{path}/bring-back").text
    assert stella.send(f"{path}/bring-back", {"reason": ""}).status_code == 422
    assert state(database, cast) is OrganizationState.CLOSED
    assert stella.send(f"{path}/bring-back", {"reason": "They called, it was a mistake"}).location == path
    assert state(database, cast) is OrganizationState.OPEN
    assert "support.reopened" in kinds(database, cast)
    told = Mailbox(database, settings).newest("olive@example.com").get_body(("plain",))
    assert told and f"{cast.stella.name} of support took the closing of Harbour Boats back" in told.get_content()
    assert "“They called, it was a mistake”" in told.get_content()
    again = stella.send(f"{path}/bring-back", {"reason": "Once more"})
    assert again.status_code == 422 and "not closed any more" in again.text
    assert "Nobody has closed it" in again.text


def test_staff_bring_nothing_back_after_the_days_of_grace(
    clock: time_machine.Traveller, closed: PageCheckingClient, app: Flask, cast: Cast, database: Database
) -> None:
    clock.shift(timedelta(days=14))
    stella = other(app)
    stella.sign_in(cast.stella)
    path = f"/staff/organizations/{spell_id(cast.harbour.id)}/bring-back"
    assert stella.send(path, {"reason": "Too late"}).status_code == 422
    answer = stella.send(path.replace("bring-back", "takeout"), {"reason": "Too late"})
    assert answer.status_code == 422 and "its owners can fetch nothing any more" in answer.text
    assert state(database, cast) is OrganizationState.CLOSED


# ------------------------------------------------------------------------------------------------ in the last moment


def test_who_brings_it_back_in_the_last_moment_has_it_back(
    clock: time_machine.Traveller, closed: PageCheckingClient, cast: Cast, database: Database, settings: Settings
) -> None:
    clock.shift(timedelta(days=14, seconds=-1))
    with reading_session(database) as reading:
        payload = erasure_of(reading.get_one(Organization, cast.harbour.id))
    work: Any = SimpleNamespace(database=database, settings=settings, payload=payload)
    job = Thread(target=erasing_jobs.erase, args=(work,))
    with writing_session(database, cast.harbour.id) as session:
        take_back(session, cast.olive.id)
        clock.shift(timedelta(seconds=2))
        job.start()
        job.join(0.5)  # by then it waits for the organization
        session.commit()
    job.join(20)
    assert state(database, cast) is OrganizationState.OPEN
    assert read_log(settings.data_dir) == []
    with reading_session(database) as reading:
        assert reading.scalars(select(Erasure)).all() == []
    assert kinds(database, cast)[-1] == "organization.reopened"


def test_once_it_is_being_erased_nothing_brings_it_back(
    clock: time_machine.Traveller, closed: PageCheckingClient, cast: Cast, database: Database
) -> None:
    with writing_session(database) as session:
        note_erasure(session, ErasureKind.ORGANIZATION, cast.harbour.id)
        session.commit()
    with writing_session(database, cast.harbour.id) as session:
        with pytest.raises(Refused, match="it is being erased"):
            take_back(session, cast.olive.id)


def test_nobody_is_reminded_of_what_is_over(
    clock: time_machine.Traveller, closed: PageCheckingClient, database: Database, settings: Settings
) -> None:
    with writing_session(database) as session:
        session.execute(update(Job).where(Job.kind == ERASE).values(state=JobState.DEAD))
        session.commit()
    clock.shift(timedelta(days=14))
    Worker(database, settings).run_due()
    assert mails(database, "closing_soon") == []
