"""The checks as a whole: a turn is kept and told once, what cannot be checked is not kept, and nothing is faked."""

import dataclasses
import json
import re
from datetime import datetime, timedelta

import pytest
import time_machine
from flask import Flask
from sqlalchemy import select

from tests.cast import Cast
from tests.client import PageCheckingClient
from tests.policies.sound_service import Execute, backup
from webapp.audit.models import AuditDetail, AuditEvent
from webapp.clock import now
from webapp.database.engine import Database
from webapp.jobs.worker import Worker
from webapp.outbox.models import OutboxMessage
from webapp.policies import checking
from webapp.policies.checking import COULD_NOT_RUN, TEMPLATE, check_promises
from webapp.policies.models import PromiseChange
from webapp.policies.promise import CheckContext
from webapp.policies.promises import PROMISES
from webapp.policies.said import Said
from webapp.policies.states import FRESH_FOR, State, list_states
from webapp.tenancy.sessions import reading_session, writing_session

KEY = "backups-young"


def state_of(database: Database, key: str = KEY) -> State:
    with reading_session(database) as session:
        return list_states(session)[key]


def changes(database: Database, key: str = KEY) -> list[bool]:
    with reading_session(database) as session:
        rows = session.scalars(select(PromiseChange).where(PromiseChange.promise == key).order_by(PromiseChange.id))
        return [row.kept for row in rows]


def mails(database: Database) -> list[OutboxMessage]:
    with reading_session(database) as session:
        return list(session.scalars(select(OutboxMessage).where(OutboxMessage.template == TEMPLATE)))


def told_in_the_chain(database: Database) -> list[tuple[str, str]]:
    with reading_session(database, 0) as session:
        rows = session.scalars(
            select(AuditDetail.words)
            .join(AuditEvent, AuditDetail.position == AuditEvent.position)
            .where(AuditEvent.kind == "service.promise_turned")
            .order_by(AuditEvent.position)
        ).all()
    told = [json.loads(words or "{}") for words in rows]
    return [(words["promise"], words["state"]) for words in told]


def test_a_sound_service_keeps_all(sound: Flask, database: Database) -> None:
    came = check_promises(sound)
    assert {key: why for key, why in came.items() if why} == {}
    assert set(came) == {promise.key for promise in PROMISES}
    assert mails(database) == []
    assert told_in_the_chain(database) == []


def test_a_new_installation_says_what_is_missing(app: Flask, cast: Cast) -> None:
    """Nobody has filled anything in, and no backup was ever made: the page says so, also at the first look."""
    came = check_promises(app)
    assert {"backups-young", "drill-young", "own-database", "security-txt"} <= {key for key, why in came.items() if why}
    assert came["only-invited"] == came["tenants-apart"] == came["audit-whole"] == ""


def test_each_turn_is_told_once(
    sound: Flask, database: Database, cast: Cast, time_machine: time_machine.TimeMachineFixture
) -> None:
    check_promises(sound)
    start = now()
    time_machine.move_to(start + timedelta(days=5), tick=True)
    check_promises(sound)
    red = state_of(database)
    time_machine.move_to(start + timedelta(days=5, hours=1), tick=True)
    check_promises(sound)

    assert not red.kept
    assert state_of(database).since_at == red.since_at
    assert state_of(database).checked_at > red.checked_at
    assert {mail.to_address for mail in mails(database)} == {cast.stella.email, cast.steven.email}
    assert len(mails(database)) == 2

    backup(database, ago=timedelta(hours=1))
    check_promises(sound)
    assert state_of(database).kept
    assert changes(database) == [False, True]
    assert told_in_the_chain(database) == [
        ("There is a young backup", "not kept: The data of the newest backup is older than 24 hours."),
        ("There is a young backup", "kept again"),
    ]
    time_machine.move_to(start + timedelta(days=12), tick=True)
    check_promises(sound)
    assert len(mails(database)) == 4
    assert changes(database) == [False, True, False]


def test_a_mail_holds_all_that_turned_and_no_name(sound: Flask, database: Database, past_locks: Execute) -> None:
    past_locks("DELETE FROM recovery_run")
    (sound.extensions["callbook"].settings.data_dir / "policy.toml").unlink()
    check_promises(sound)
    first = mails(database)[0]
    words = json.loads(first.words)
    assert words["count"] == len(words["lines"].splitlines()) > 2
    assert "Harbour" not in first.words


def test_what_cannot_be_checked_is_not_kept_and_holds_up_no_other(
    sound: Flask, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_context: CheckContext) -> str:
        raise OSError("secret words of an exception")

    changed = [dataclasses.replace(each, check=fail) if each.key == "one-cookie" else each for each in PROMISES]
    monkeypatch.setattr(checking, "PROMISES", tuple(changed))
    came = check_promises(sound)

    assert {key: why for key, why in came.items() if why} == {"one-cookie": COULD_NOT_RUN}
    assert state_of(database, "one-cookie").why == COULD_NOT_RUN


def test_what_another_process_found_meanwhile_stands(sound: Flask, database: Database) -> None:
    """This one has begun an hour ago, or before the other found something."""
    check_promises(sound)
    found, kept = sound.extensions["callbook"], state_of(database)

    def keep(why: str, moment: datetime) -> None:
        context = CheckContext(sound, database, None, found.settings, moment, Said({}, {}), {KEY: kept})
        with writing_session(database) as session:
            checking._keep(session, context, {KEY: why})
            session.commit()

    keep("It is old.", kept.checked_at - timedelta(hours=1))
    assert state_of(database) == kept
    keep("It is old.", kept.checked_at + timedelta(minutes=1))
    red = state_of(database)
    assert not red.kept and red.checked_at == kept.checked_at + timedelta(minutes=1)
    keep("", kept.checked_at + timedelta(minutes=2))
    assert state_of(database) == red


def test_without_the_console_nothing_is_said_of_it(
    sound: Flask, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_promises(sound)
    before = state_of(database, "staff-locked-out")
    without = dataclasses.replace(sound.extensions["callbook"], staff_database=None)
    monkeypatch.setitem(sound.extensions, "callbook", without)
    assert "staff-locked-out" not in check_promises(sound)
    assert state_of(database, "staff-locked-out") == before


def test_a_worker_checks_at_its_start(sound: Flask, database: Database) -> None:
    worker = Worker(database, sound.extensions["callbook"].settings)
    worker._do_chores()
    assert state_of(database, "one-cookie").kept


def test_what_nobody_checks_any_more_is_not_called_kept(
    sound: Flask, client: PageCheckingClient, time_machine: time_machine.TimeMachineFixture
) -> None:
    assert client.get("/privacy").text.count("Not checked yet") > 5
    check_promises(sound)
    page = client.get("/privacy").text
    assert page.count("Kept, as of") > 5
    assert "Not checked" not in page
    time_machine.move_to(now() + FRESH_FOR + timedelta(minutes=1))
    page = client.get("/privacy").text
    assert "Kept, as of" not in page
    assert page.count("Not checked since") > 5


def test_what_was_not_kept_stays_so_when_nobody_checks_any_more(
    sound: Flask, client: PageCheckingClient, past_locks: Execute, time_machine: time_machine.TimeMachineFixture
) -> None:
    time_machine.move_to(now(), tick=False)
    past_locks("DELETE FROM recovery_run WHERE kind = 1")
    check_promises(sound)
    checked = f"{now():%H:%M} UTC"
    assert f"Not kept since {checked}</h3>" in client.get("/security").text
    time_machine.move_to(now() + FRESH_FOR + timedelta(minutes=1))
    page = client.get("/security").text
    assert "No backup was ever made." in page
    assert re.search(rf"Not kept since [^<]*{checked}; last checked [^<]*{checked}", page)
    row = client.get("/privacy/kept").text.partition("There is a young backup")[2].partition("</tr>")[0]
    assert "Not kept since" in row


def test_staff_see_what_is_red(sound: Flask, staff_client: PageCheckingClient, database: Database) -> None:
    check_promises(sound)
    assert "Each is kept, as far as it was checked." in staff_client.get("/staff/service").text
    (sound.extensions["callbook"].settings.data_dir / "policy.toml").unlink()
    check_promises(sound)
    page = staff_client.get("/staff/service").text
    assert "You know where your data is, and with whom" in page
    assert "are not those that were published." in page


@pytest.fixture
def staff_client(app: Flask, cast: Cast) -> PageCheckingClient:
    client = app.test_client()
    assert isinstance(client, PageCheckingClient)
    client.sign_in(cast.stella)
    return client
