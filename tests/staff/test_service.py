"""The console's page of the service: queue, mail, workers, limited networks; and letting what failed go again."""

import json
import platform
import re
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from tests.cast import Cast
from tests.client import PageCheckingClient
from tests.make import Make
from webapp.audit.models import AuditDetail, AuditEvent
from webapp.clock import now
from webapp.database.engine import Database
from webapp.database.ids import new_id, spell_id
from webapp.jobs.models import Job, JobState, LiveWorker
from webapp.outbox.actions import queue_mail
from webapp.outbox.models import MailState, OutboxMessage
from webapp.rate_limits import LIMITED_NETWORKS
from webapp.recovery.models import RecoveryRun, RunKind
from webapp.tallies import add, today, write_down
from webapp.tenancy.sessions import reading_session

SERVICE = "/staff/service"
CANARY = "canary"


def told(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page[page.index("<main") :]).split())


def job(make: Make, state: JobState = JobState.DEAD, **fields: Any) -> Job:
    values: dict[str, Any] = {
        "id": new_id(),
        "kind": "sources.import",
        "organization_id": make.organization.id,
        "payload": json.dumps({CANARY: CANARY}),
        "state": state,
        "run_at": now() - timedelta(minutes=5),
        "attempts": 8,
        "error_class": "DataError",
        "created_at": now() - timedelta(minutes=9),
        "ended_at": now() if state == JobState.DEAD else None,
    }
    stored: Job = make.store(Job(**{**values, **fields}))
    return stored


def mail(make: Make, state: MailState = MailState.REFUSED, error: str | None = "550 refused by the relay") -> int:
    with make.session() as session:
        queued = queue_mail(
            session, "invitation", f"{CANARY}{new_id()}@example.com", cause=CANARY, words={CANARY: CANARY}
        )
        queued.state, queued.error, queued.attempts = state, error, 3
        queued.ended_at = now() if state == MailState.REFUSED else None
        session.commit()
        return queued.id


def events(database: Database, organization_id: int = 0) -> list[tuple[str, int | None, str]]:
    with reading_session(database, organization_id) as session:
        rows = session.execute(
            select(AuditEvent.kind, AuditEvent.actor_id, AuditDetail.words)
            .join(
                AuditDetail,
                (AuditDetail.organization_id == AuditEvent.organization_id)
                & (AuditDetail.position == AuditEvent.position),
            )
            .where(AuditEvent.kind.startswith("service."))
        )
        return [(kind, actor_id, words or "") for kind, actor_id, words in rows]


def test_how_everything_is_doing(staff_client: PageCheckingClient, make: Make, database: Database) -> None:
    job(make, JobState.WAITING)
    job(make, JobState.WAITING, run_at=now() + timedelta(hours=1))
    job(make, JobState.RUNNING)
    job(make)
    for state, error in ((MailState.WAITING, None), (MailState.REFUSED, "550 refused"), (MailState.REFUSED, "too old")):
        mail(make, state, error)
    make.store(LiveWorker(name="host:1:x", seen_at=now()))
    add(database, LIMITED_NETWORKS, today(), "192.0.2.7", "sign-in:network", times=4)
    add(database, LIMITED_NETWORKS, today() - 6, "192.0.2.7", "sign-in:network", times=1)
    add(database, LIMITED_NETWORKS, today() - 7, "192.0.2.8", "sign-in:network", times=9)
    write_down(database)

    page = told(staff_client.get(SERVICE).text)

    for words in ("Jobs waiting 1", "1 for later", "Jobs running 1", "Failed jobs 1", "Mails waiting 1"):
        assert words in page, page
    assert "Mails refused 2 1 by the receiving side" in page
    assert "Workers alive 1" in page and "No worker is alive" not in page
    assert re.search(r"Database \d[\d.,]* (kB|MB) ", page)
    assert "192.0.2.7 sign-in:network 5 times" in page and "192.0.2.8" not in page
    assert f"Python {platform.python_version()}" in page and "Schema 7" in page
    assert re.search(r"(SQLite|PostgreSQL) \d+\.\d+", page) and re.search(r"Callbook \d+\.\d+", page)


def run(make: Make, kind: RunKind, hours: float, **fields: Any) -> None:
    at = now() - timedelta(hours=hours)
    values: dict[str, Any] = {
        "started_at": at, "ended_at": at, "succeeded": True, "backup_name": "b", "backup_at": at,
        "byte_count": 2_300_000, "digest": b"", "organizations": 2, "calls": 1234, "heads_digest": b"", "words": "",
    }  # fmt: skip
    make.store(RecoveryRun(id=new_id(), kind=kind, **{**values, **fields}))


def test_the_last_backup_and_drill(staff_client: PageCheckingClient, make: Make) -> None:
    page = told(staff_client.get(SERVICE).text)
    assert "No backup was made yet." in page and "Last drill Never" in page
    run(make, RunKind.BACKUP, 3.5)
    run(make, RunKind.DRILL, 50)
    run(make, RunKind.BACKUP, 0.1, ended_at=None, succeeded=False)  # it runs
    page = told(staff_client.get(SERVICE).text)
    assert "Last backup 3 hours old, as of" in page and "2.3 MB, 1,234 calls of 2 organizations" in page
    assert re.search(r"Last drill 2 days ago: the backup as of .+ restored as its manifest says", page)
    assert "failed" not in page.lower().replace("failed jobs", "")


def test_a_backup_or_drill_that_failed(staff_client: PageCheckingClient, make: Make) -> None:
    run(make, RunKind.BACKUP, 30)
    run(make, RunKind.BACKUP, 1, succeeded=False, words="OSError")
    run(make, RunKind.DRILL, 1, succeeded=False, words="rows of call: 2 in the manifest, 1 found")
    page = told(staff_client.get(SERVICE).text)
    assert "The last backup failed." in page and "ended with OSError" in page
    assert "Failed 60 minutes ago: rows of call: 2 in the manifest, 1 found" in page
    run(make, RunKind.BACKUP, 7, ended_at=None, succeeded=False)
    assert "and was killed" in told(staff_client.get(SERVICE).text)


def test_nothing_to_tell(staff_client: PageCheckingClient) -> None:
    page = told(staff_client.get(SERVICE).text)
    for words in ("No worker is alive.", "every job was done", "every mail was handed over", "None in the last 7 days"):
        assert words in page


def test_a_worker_that_was_seen_long_ago(staff_client: PageCheckingClient, make: Make) -> None:
    make.store(LiveWorker(name="host:1:x", seen_at=now() - timedelta(minutes=10)))
    page = told(staff_client.get(SERVICE).text)
    assert "No worker is alive. The last was seen" in page


def test_of_what_failed_kind_whose_when_and_class(staff_client: PageCheckingClient, make: Make) -> None:
    job(make)
    job(make, kind="accounts.sweep", organization_id=None, error_class=None)
    mail(make, error=f"{CANARY}@example.com did not like {CANARY}")
    page = staff_client.get(SERVICE).text
    words = told(page)
    assert "sources.import Harbour Boats DataError 8 tries today at" in words
    assert "accounts.sweep the service Other 8 tries" in words
    assert "invitation Harbour Boats Other 3 tries" in words
    assert CANARY not in page


@pytest.mark.parametrize("what", ["job", "mail"])
def test_what_failed_goes_again_with_a_reason(
    staff_client: PageCheckingClient, make: Make, cast: Cast, database: Database, what: str
) -> None:
    its_id = job(make).id if what == "job" else mail(make)
    address = f"{SERVICE}/{what}s/{spell_id(its_id)}/retry"
    form = staff_client.get(address)
    assert form.status_code == 200 and CANARY not in form.text

    answer = staff_client.send(address, {"reason": "The disk has room again"})

    assert answer.location == SERVICE
    assert "goes again" in staff_client.get(SERVICE).text
    with reading_session(database) as session:
        found: Any = session.get_one(Job if what == "job" else OutboxMessage, its_id)
    assert (found.state, found.attempts, found.ended_at) == (1, 0, None)
    [(kind, actor_id, words)] = events(database)
    assert (kind, actor_id) == (f"service.{what}_retried", cast.stella.id)
    assert json.loads(words)["reason"] == "The disk has room again"
    assert json.loads(words)["staff"] == cast.stella.email
    assert events(database, cast.harbour.id) == []
    assert staff_client.send(address, {"reason": "Again"}).status_code == 404, "it has gone already"


@pytest.mark.parametrize("reason", ["", "   ", "x" * 301])
def test_without_a_reason_nothing_goes(staff_client: PageCheckingClient, make: Make, reason: str) -> None:
    its_id = job(make).id
    address = f"{SERVICE}/jobs/{spell_id(its_id)}/retry"
    staff_client.get(address)
    for part in (False, True):
        answer = staff_client.send(address, {"reason": reason}, part=part)
        assert answer.status_code == 422
    assert events(make.database) == []
    with reading_session(make.database) as session:
        assert session.get_one(Job, its_id).state == JobState.DEAD


def test_a_mail_that_is_too_old_says_so(staff_client: PageCheckingClient, make: Make) -> None:
    its_id = mail(make)
    with make.session() as session:
        session.get_one(OutboxMessage, its_id).created_at = now() - timedelta(days=8)
        session.commit()
    address = f"{SERVICE}/mails/{spell_id(its_id)}/retry"
    staff_client.get(address)
    answer = staff_client.send(address, {"reason": "They asked"})
    assert answer.status_code == 422 and "older than 7 days" in answer.text
    assert events(make.database) == []


@pytest.mark.parametrize("state", [JobState.WAITING, JobState.RUNNING, JobState.DONE])
def test_only_what_is_dead_goes_again(staff_client: PageCheckingClient, make: Make, state: JobState) -> None:
    address = f"{SERVICE}/jobs/{spell_id(job(make, state).id)}/retry"
    assert staff_client.get(address).status_code == 404
    assert staff_client.send(address, {"reason": "Now"}).status_code == 404
    assert staff_client.get(f"{SERVICE}/mails/{spell_id(mail(make, MailState.WAITING))}/retry").status_code == 404


def test_customers_cannot_let_anything_go(client: PageCheckingClient, make: Make, cast: Cast) -> None:
    its_id = job(make).id
    client.sign_in(cast.olive)
    assert client.send(f"{SERVICE}/jobs/{spell_id(its_id)}/retry", {"reason": "Mine"}).status_code == 404
    with reading_session(make.database) as session:
        assert session.get_one(Job, its_id).state == JobState.DEAD
