"""What staff have open ends with the session of their browser, whichever way that ends; no banner tells it longer."""

from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine
from sqlalchemy import select

from config import Settings
from tests.audit.test_recorded import events_of
from tests.cast import Cast
from tests.client import PageCheckingClient
from tests.make import Make
from tests.staff.conftest import SignIn, StaffClient
from tests.staff.test_open import open_it, openings_of
from webapp.accounts.jobs import sweep_sessions
from webapp.accounts.models import UserAccount
from webapp.accounts.people import end_all_sessions, set_password
from webapp.accounts.staff import disable_staff
from webapp.clock import now
from webapp.database.engine import Database
from webapp.database.staff_rights import Area
from webapp.jobs.models import Job
from webapp.jobs.worker import Worker
from webapp.organizations import looks
from webapp.tenancy.consent_models import AccessOpening
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.sessions import reading_session, writing_session

LOG = "/o/harbour/calls"


@pytest.fixture
def opened(staff_client: StaffClient, make: Make, cast: Cast) -> StaffClient:
    """Stella has the calls open in this browser."""
    open_it(staff_client, make.grant(cast.olive, Area.CALLS, staff_id=cast.stella.id))
    assert staff_client.get(LOG).status_code == 200
    return staff_client


@pytest.fixture
def owner(client: PageCheckingClient, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> PageCheckingClient:
    """Olive; nothing of the banner is remembered for some seconds."""
    monkeypatch.setattr(looks, "_QUIET_MS", 0)
    client.sign_in(cast.olive)
    return client


def banner(owner: PageCheckingClient) -> bool:
    return "is looking" in owner.get(LOG).text


def only_opening(database: Database, cast: Cast) -> AccessOpening:
    [opening] = openings_of(database, cast.harbour)
    return opening


def disable(session: LockedSession, person: UserAccount) -> None:
    disable_staff(session, person.email)


def sign_out_everywhere(session: LockedSession, person: UserAccount) -> None:
    end_all_sessions(session, person)


def change_password(session: LockedSession, person: UserAccount) -> None:
    set_password(session, session.get_one(UserAccount, person.id), "grey herons wade at low tide")


@pytest.mark.parametrize("end", [disable, sign_out_everywhere, change_password])
def test_it_ends_where_the_session_is_ended_from_elsewhere(
    opened: StaffClient,
    owner: PageCheckingClient,
    cast: Cast,
    database: Database,
    settings: Settings,
    end: Callable[[LockedSession, UserAccount], None],
) -> None:
    assert banner(owner)
    with writing_session(database) as session:
        end(session, cast.stella)
        session.commit()
    assert not banner(owner), "before the worker has come by"
    Worker(database, settings).run_due()
    assert only_opening(database, cast).ended_at is not None
    kind, actor, _thing, _words = events_of(database, cast.harbour)[-1]
    assert (kind, actor) == ("support.closed", cast.stella.id)


def test_what_is_undone_ends_nothing(
    opened: StaffClient, owner: PageCheckingClient, cast: Cast, database: Database, settings: Settings
) -> None:
    with writing_session(database) as session:
        end_all_sessions(session, cast.stella)
        session.rollback()
    Worker(database, settings).run_due()
    assert only_opening(database, cast).ended_at is None
    assert banner(owner) and opened.get(LOG).status_code == 200


def test_another_browser_of_theirs_keeps_what_it_has(
    opened: StaffClient, sign_in_staff: SignIn, cast: Cast, database: Database, settings: Settings
) -> None:
    sign_in_staff(cast.stella)
    with writing_session(database) as session:
        end_all_sessions(session, cast.stella, but=opened.web_session_id)
        session.commit()
    Worker(database, settings).run_due()
    assert only_opening(database, cast).ended_at is None
    assert opened.get(LOG).status_code == 200


def test_whoever_is_idle_sees_nothing_and_no_banner_says_they_do(
    opened: StaffClient, owner: PageCheckingClient, cast: Cast, database: Database, settings: Settings
) -> None:
    opening = only_opening(database, cast)
    began = opening.opened_at
    with time_machine.travel(began + timedelta(minutes=14, seconds=30), tick=False):
        assert banner(owner)
    with time_machine.travel(began + timedelta(minutes=16), tick=False):
        assert not banner(owner)
        assert "is looking now" not in owner.get("/o/harbour/support").text
        assert opened.get(LOG).status_code == 303, "to the sign-in"
    with time_machine.travel(began + timedelta(minutes=50), tick=False):
        sweep_sessions(database)
        Worker(database, settings).run_due()
        ended_at = only_opening(database, cast).ended_at
    assert ended_at is not None
    assert timedelta(minutes=14) < ended_at - began <= timedelta(minutes=15), "when it ran out, not when it was swept"


def test_eight_hours_after_the_sign_in_it_is_over(
    opened: StaffClient, cast: Cast, database: Database, settings: Settings
) -> None:
    with time_machine.travel(now() + timedelta(hours=9), tick=False):
        sweep_sessions(database)
        Worker(database, settings).run_due()
    assert only_opening(database, cast).ended_at is not None


def test_signing_out_leaves_nothing_for_the_worker(opened: StaffClient, cast: Cast, database: Database) -> None:
    opened.send("/sign-out")
    assert only_opening(database, cast).ended_at is not None
    with reading_session(database) as session:
        assert session.scalars(select(Job.id).where(Job.kind == "staff.close_what_was_open")).all() == []


def test_what_an_owner_ended_before_is_not_ended_again(
    opened: StaffClient, cast: Cast, database: Database, settings: Settings
) -> None:
    earlier = now()
    with writing_session(database, cast.harbour.id) as session:
        session.get_one(AccessOpening, (cast.harbour.id, only_opening(database, cast).id)).ended_at = earlier
        session.commit()
    before = events_of(database, cast.harbour)
    with writing_session(database) as session:
        end_all_sessions(session, cast.stella)
        session.commit()
    Worker(database, settings).run_due()
    assert only_opening(database, cast).ended_at == earlier
    assert events_of(database, cast.harbour) == before
