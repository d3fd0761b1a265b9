"""Staff have a takeout prepared: with a reason, told to the customer, and never theirs to fetch."""

import pytest
from sqlalchemy import update

from config import Settings
from tests.cast import Cast
from tests.client import PageCheckingClient
from tests.mailbox import Mailbox
from tests.make import Make
from tests.privacy.taking import row_of, work
from tests.staff.told import told
from webapp.accounts.models import UserAccount
from webapp.database.engine import Database
from webapp.database.ids import spell_id
from webapp.privacy.models import TakeoutState
from webapp.privacy.takeouts import list_takeouts
from webapp.tenancy.sessions import reading_session, writing_session

WHY = "Ticket 4711: the owner cannot sign in before Friday"


@pytest.fixture
def page(cast: Cast, database: Database) -> str:
    with writing_session(database) as session:
        session.execute(update(UserAccount).where(UserAccount.id == cast.stella.id).values(name="Stella"))
        session.commit()
    return f"/staff/organizations/{spell_id(cast.harbour.id)}"


def test_it_is_prepared_told_and_fetched_by_the_owner_alone(
    staff_client: PageCheckingClient,
    client: PageCheckingClient,
    cast: Cast,
    database: Database,
    settings: Settings,
    page: str,
) -> None:
    assert f'href="{page}/takeout"' in staff_client.get(page).text
    staff_client.get(f"{page}/takeout")
    answer = staff_client.send(f"{page}/takeout", {"reason": WHY})
    assert (answer.status_code, answer.location) == (303, page), answer.text
    with reading_session(database, cast.harbour.id) as session:
        [takeout] = list_takeouts(session)
    assert (takeout.by_staff, takeout.asked_by) == (True, cast.stella.id)
    words = {"staff": "Stella", "reason": WHY}
    assert told(database, cast.harbour.id, "support.takeout") == [("support.takeout_started", cast.stella.id, words)]
    assert told(database, beginning="service.takeout") == [
        ("service.takeout_started", cast.stella.id, {**words, "organization": "harbour"})
    ]
    work(database, settings)
    assert row_of(database, cast.harbour.id, takeout.id).state == TakeoutState.READY
    assert [mail["To"] for mail in Mailbox(database, settings).messages()] == [cast.olive.email]

    archive = f"/o/harbour/takeout/{spell_id(takeout.id)}/archive"
    assert staff_client.get("/o/harbour/takeout").status_code == 404
    assert staff_client.send(archive).status_code == 404
    client.sign_in(cast.olive)
    assert "by support" in client.get("/o/harbour/takeout").text
    assert client.send(archive).status_code == 200


def test_a_grant_does_not_let_staff_fetch_it(
    staff_client: PageCheckingClient, make: Make, cast: Cast, page: str
) -> None:
    takeout = make.takeout()
    make.grant(cast.olive, staff_id=cast.stella.id, may_download=True)
    assert staff_client.send(f"/o/harbour/takeout/{spell_id(takeout.id)}/archive").status_code == 404


def test_without_a_reason_nothing_is_started(
    staff_client: PageCheckingClient, cast: Cast, database: Database, page: str
) -> None:
    staff_client.get(f"{page}/takeout")
    answer = staff_client.send(f"{page}/takeout", {"reason": " x"})
    assert answer.status_code == 422 and "Say why, in 3 to 300 characters" in answer.text
    with reading_session(database, cast.harbour.id) as session:
        assert list_takeouts(session) == []


def test_a_second_one_is_refused(staff_client: PageCheckingClient, make: Make, page: str) -> None:
    make.takeout(state=TakeoutState.IS_WRITTEN)
    staff_client.get(f"{page}/takeout")
    answer = staff_client.send(f"{page}/takeout", {"reason": WHY})
    assert answer.status_code == 422 and "A takeout is being made already" in answer.text


def test_nobody_else_has_the_page(client: PageCheckingClient, cast: Cast, page: str) -> None:
    client.sign_in(cast.olive)
    assert client.get(f"{page}/takeout").status_code == 404
    assert client.send(f"{page}/takeout", {"reason": WHY}).status_code == 404
