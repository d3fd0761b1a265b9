"""Whether a change was told is asked of the mails that left, from a day after it was announced."""

from datetime import timedelta

import pytest
import time_machine
from flask import Flask
from sqlalchemy import delete, update

from tests.cast import Cast
from tests.client import PageCheckingClient
from tests.policies.conftest import Publish
from tests.policies.sound_service import BY_COMMAND
from tests.policies.test_organization_policy import figures
from webapp.clock import now
from webapp.database.engine import Database
from webapp.jobs.worker import Worker
from webapp.outbox import claims
from webapp.outbox.models import MailState, OutboxMessage
from webapp.policies import checks_of_telling
from webapp.policies.checking import check_promises
from webapp.policies.incidents import Incident, tell_of_incident
from webapp.policies.models import Announcement, AnnouncementPerson, Outcome, Policy
from webapp.tenancy.sessions import writing_session

NAME = "version 3 of the privacy policy"
MISSED = f"Not everybody was sent {NAME}."
STUCK = f"Mails that tell of {NAME} were written and did not leave."
REFUSED_BY_RELAY = "550 refused by the relay"


@pytest.fixture
def changing(sound: Flask, publish_now: Publish) -> Flask:
    """Version 3, which is significant, is announced and comes in 20 days; version 2 is small and in force."""
    publish_now(Policy.PRIVACY)
    publish_now(Policy.PRIVACY, law='"France"', significant=True, effective_at=now() + timedelta(days=20))
    return sound


@pytest.fixture
def told(changing: Flask, database: Database) -> Flask:
    Worker(database, changing.extensions["callbook"].settings).run_due()
    return changing


def end_mails(database: Database, state: MailState, error: str | None = None, *addresses: str) -> None:
    """Of these people, or of all."""
    with writing_session(database) as session:
        mails = update(OutboxMessage).where(OutboxMessage.template == "policy_changes")
        mails = mails.where(OutboxMessage.to_address.in_(addresses)) if addresses else mails
        session.execute(mails.values(state=state, error=error, ended_at=now()))
        session.commit()


def why(app: Flask) -> str:
    return check_promises(app)["changes-told"]


def test_a_change_that_was_sent_to_everybody_is_kept(
    told: Flask, database: Database, cast: Cast, time_machine: time_machine.TimeMachineFixture
) -> None:
    end_mails(database, MailState.HANDED_OVER)
    for days in (2, 21):
        time_machine.move_to(now() + timedelta(days=days))
        assert why(told) == ""
    with writing_session(database) as session:
        session.execute(delete(AnnouncementPerson).where(AnnouncementPerson.user_account_id == cast.vera.id))
        session.commit()
    assert why(told) == MISSED


def test_an_announcement_that_is_stuck_is_found_before_its_day(
    changing: Flask, time_machine: time_machine.TimeMachineFixture
) -> None:
    assert why(changing) == ""
    time_machine.move_to(now() + timedelta(hours=25))
    assert why(changing) == MISSED


def test_mails_that_wait_for_a_day_were_not_sent(
    told: Flask, database: Database, time_machine: time_machine.TimeMachineFixture
) -> None:
    time_machine.move_to(now() + timedelta(hours=23))
    assert why(told) == ""
    time_machine.move_to(now() + timedelta(hours=2))
    assert why(told) == STUCK
    time_machine.move_to(now() + timedelta(days=7))
    claims.sweep(database)  # without a relay: too old to be sent
    assert why(told) == STUCK


def test_portions_that_are_due_later_have_their_day(
    told: Flask, monkeypatch: pytest.MonkeyPatch, time_machine: time_machine.TimeMachineFixture
) -> None:
    monkeypatch.setattr(checks_of_telling, "MAILS_AT_ONCE", 1)
    monkeypatch.setattr(checks_of_telling, "AT_ONCE_EVERY", timedelta(hours=1))
    time_machine.move_to(now() + timedelta(hours=25))
    assert why(told) == ""
    time_machine.move_to(now() + timedelta(hours=24))
    assert why(told) == STUCK


def test_one_address_that_the_relay_refuses_is_listed_and_many_are_a_fault(
    told: Flask, database: Database, cast: Cast, time_machine: time_machine.TimeMachineFixture
) -> None:
    end_mails(database, MailState.HANDED_OVER)
    end_mails(database, MailState.REFUSED, REFUSED_BY_RELAY, cast.vera.email)
    time_machine.move_to(now() + timedelta(days=2))
    assert why(told) == ""
    end_mails(database, MailState.REFUSED, REFUSED_BY_RELAY, cast.max.email)
    assert why(told) == f"The relay refused many of the mails that tell of {NAME}."


def test_what_never_left_is_red_until_somebody_has_noted_why(
    told: Flask, database: Database, cast: Cast, time_machine: time_machine.TimeMachineFixture
) -> None:
    end_mails(database, MailState.HANDED_OVER)
    end_mails(database, MailState.REFUSED, "given up: no connection", cast.vera.email)
    time_machine.move_to(now() + timedelta(days=2))
    assert why(told) == STUCK
    with writing_session(database) as session:
        session.execute(
            update(AnnouncementPerson)
            .where(AnnouncementPerson.user_account_id == cast.vera.id)
            .values(outcome=Outcome.CAME_BACK, outcome_at=now(), error="She has left.")
        )
        session.commit()
    assert why(told) == ""


def test_a_small_change_hides_no_significant_one(
    told: Flask, database: Database, publish_now: Publish, time_machine: time_machine.TimeMachineFixture
) -> None:
    publish_now(Policy.PRIVACY, law='"Spain"', effective_at=now() + timedelta(days=21))
    time_machine.move_to(now() + timedelta(days=22))
    assert why(told) == STUCK


def test_of_a_significant_change_nobody_announced(changing: Flask, database: Database, publish_now: Publish) -> None:
    with writing_session(database) as session:
        session.execute(delete(Announcement))
        session.commit()
    assert why(changing) == f"A significant change, {NAME}, was announced to nobody."


def test_an_incident_is_told_in_the_hours_that_are_promised(
    sound: Flask,
    client: PageCheckingClient,
    database: Database,
    cast: Cast,
    time_machine: time_machine.TimeMachineFixture,
) -> None:
    """It stuck, then its mails did not leave, then they left."""
    with writing_session(database) as session:
        tell_of_incident(session, Incident("A disk was stolen", "It held sealed backups.", cast.harbour), BY_COMMAND)
        session.commit()

    def came(*, after: timedelta) -> str:
        time_machine.move_to(now() + after)
        return check_promises(sound)["breach-told"]

    assert came(after=timedelta(hours=71)) == ""
    assert came(after=timedelta(hours=2)) == "Not everybody whom an incident concerns was told of it in time."
    Worker(database, sound.extensions["callbook"].settings).run_due()
    assert came(after=timedelta(hours=71)) == ""
    assert came(after=timedelta(hours=2)) == "Mails that tell of an incident were written and did not leave."
    assert figures(client.get("/security").text)["Incidents that everybody was told of"] == "0"  # it is of one alone
    with writing_session(database) as session:
        session.execute(update(OutboxMessage).values(state=MailState.HANDED_OVER, ended_at=now()))
        session.commit()
    assert came(after=timedelta(hours=1)) == ""


def test_a_person_reads_what_became_of_their_mail(
    told: Flask,
    client: PageCheckingClient,
    database: Database,
    cast: Cast,
    time_machine: time_machine.TimeMachineFixture,
) -> None:
    time_machine.move_to(now() + timedelta(days=21))
    client.sign_in(cast.vera)
    assert figures(client.get("/o/harbour/privacy").text)["Mail to you about it"].startswith("queued on ")
    end_mails(database, MailState.HANDED_OVER)
    assert figures(client.get("/o/harbour/privacy").text)["Mail to you about it"].startswith("handed over on ")
