"""The job that makes an archive: killed, failing, run by two at once."""

from typing import Any

import pytest

from config import Settings
from tests.accounts.authenticator import work
from tests.cast import Cast
from tests.client import PageCheckingClient
from tests.make import Make
from tests.staff.chains import SERVICE, address_of, kinds, open_archive, positions, rows_of, show_key, stored
from webapp.clock import now
from webapp.database.engine import Database
from webapp.jobs.queue import MOST_ATTEMPTS
from webapp.staff import disclosure_archive, disclosure_jobs
from webapp.staff.disclosure_actions import enqueue_production
from webapp.tenancy.consent_models import Disclosure, DisclosureState
from webapp.tenancy.sessions import writing_session


class Given:
    """A job as a handler sees it. `pages`: after so many it is told to stop."""

    def __init__(self, database: Database, settings: Settings, disclosure: Disclosure, pages: int = 1000) -> None:
        self.database, self.settings, self.organization_id, self.attempts = database, settings, None, 1
        whose = {"organization_id": disclosure.organization_id, "disclosure_id": disclosure.id}
        self.payload: dict[str, Any] = whose
        self.pages = pages

    def keep(self) -> bool:
        self.pages -= 1
        return self.pages >= 0


@pytest.fixture
def agreed(make: Make, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> Disclosure:
    """Of five calls, in pages of two."""
    monkeypatch.setattr("webapp.staff.disclosure_rows._AT_ONCE", 2)
    monkeypatch.setattr("webapp.sealed.PIECE_BYTES", 64)
    for number in range(5):
        make.call(caller=f"+44207946010{number}")
    return make.disclosure(
        asked_by=cast.stella.id, agreed_by=cast.steven.id, agreed_at=now(), state=DisclosureState.AGREED
    )


def test_one_that_was_killed_starts_again_cleanly(
    staff_client: PageCheckingClient, agreed: Disclosure, database: Database, settings: Settings
) -> None:
    disclosure_jobs.produce(Given(database, settings, agreed, pages=4))
    left = positions(database, agreed)
    assert left[:2] == [-1, 0] and stored(database, agreed).state == DisclosureState.AGREED
    assert staff_client.get(address_of(agreed, "/archive")).status_code == 404
    assert staff_client.send(address_of(agreed, "/key")).status_code == 422

    disclosure_jobs.produce(Given(database, settings, agreed))
    assert stored(database, agreed).state == DisclosureState.PRODUCED
    archive = open_archive(staff_client, agreed, show_key(staff_client, agreed))
    assert len(rows_of(archive, "calls.csv")) == 5
    found = positions(database, agreed)
    assert found == list(range(len(found)))
    assert kinds(database, SERVICE) == ["legal.produced", "legal.key_shown", "legal.fetched"]


def test_once_it_is_made_another_run_changes_nothing(
    staff_client: PageCheckingClient, agreed: Disclosure, database: Database, settings: Settings
) -> None:
    disclosure_jobs.produce(Given(database, settings, agreed))
    before = positions(database, agreed), stored(database, agreed).manifest_digest
    disclosure_jobs.produce(Given(database, settings, agreed))
    assert (positions(database, agreed), stored(database, agreed).manifest_digest) == before
    assert len(rows_of(open_archive(staff_client, agreed, show_key(staff_client, agreed)), "calls.csv")) == 5


def test_of_two_at_a_time_the_older_one_gives_way(
    staff_client: PageCheckingClient,
    agreed: Disclosure,
    database: Database,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its lease ran out while it slept; another worker has made the archive meanwhile."""
    older, slept = Given(database, settings, agreed), []
    real = disclosure_archive.list_sheets

    def sleeping(disclosure: Disclosure) -> Any:
        if not slept:
            slept.append(True)
            disclosure_jobs.produce(Given(database, settings, agreed))
        return real(disclosure)

    monkeypatch.setattr(disclosure_archive, "list_sheets", sleeping)
    disclosure_jobs.produce(older)
    assert len(rows_of(open_archive(staff_client, agreed, show_key(staff_client, agreed)), "calls.csv")) == 5
    assert kinds(database, SERVICE, "legal.produced") == ["legal.produced"]


def test_one_that_fails_for_good_can_be_tried_again(
    staff_client: PageCheckingClient,
    agreed: Disclosure,
    database: Database,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    clock: Any,
) -> None:
    def fail(*_given: Any) -> Any:
        raise OSError("the disk is full")

    with writing_session(database, agreed.organization_id) as session:
        enqueue_production(session, agreed)
        session.commit()
    with monkeypatch.context() as broken:
        broken.setattr(disclosure_archive, "list_sheets", fail)
        for _ in range(MOST_ATTEMPTS):
            work(database, settings)
            clock.shift(3601)
    assert stored(database, agreed).state == DisclosureState.FAILED
    assert positions(database, agreed) == []
    assert kinds(database, SERVICE) == ["legal.failed"]


def test_trying_again(
    staff_client: PageCheckingClient, make: Make, cast: Cast, database: Database, settings: Settings
) -> None:
    failed = make.disclosure(asked_by=cast.stella.id, agreed_by=cast.steven.id, state=DisclosureState.FAILED)
    assert "The archive could not be made." in staff_client.get(address_of(failed)).text
    assert staff_client.send(address_of(failed, "/try-again")).status_code == 303
    again = staff_client.send(address_of(failed, "/try-again"))
    assert again.status_code == 422 and "not waiting to be made again" in again.text
    work(database, settings)
    assert stored(database, failed).state == DisclosureState.PRODUCED


def test_a_job_bears_no_organization(
    steven_client: PageCheckingClient, make: Make, cast: Cast, staff_database: Database
) -> None:
    """What tells an organization of its jobs must not tell it of this one."""
    disclosure = make.disclosure(asked_by=cast.stella.id)
    steven_client.send(address_of(disclosure, "/agree"))
    with staff_database.reading.connect() as connection:
        found = connection.exec_driver_sql("SELECT kind, organization_id FROM job").all()
    assert [tuple(row) for row in found] == [("staff.produce_disclosure", None)]
