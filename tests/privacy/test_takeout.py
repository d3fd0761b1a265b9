"""The owners' page "Takeout": ask, watch, fetch; who may not, and what is recorded."""

import io
import zipfile
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
import time_machine

from config import Settings
from tests.cast import Cast
from tests.client import PageCheckingClient
from tests.make import Make
from tests.privacy.taking import chunks_of, row_of, work
from tests.staff.told import told
from webapp.accounts.session_limits import PROVED_FOR
from webapp.clock import now
from webapp.database.engine import Database
from webapp.database.ids import new_id, spell_id
from webapp.errors import Forbidden
from webapp.organizations.actions import add_member
from webapp.privacy.models import Takeout, TakeoutState
from webapp.privacy.takeouts import list_takeouts, read_takeout
from webapp.tenancy.models import Numbers, Organization, OrganizationState, Role
from webapp.tenancy.sessions import reading_session

PAGE = "/o/harbour/takeout"
PROGRESS = f"{PAGE}/progress"


@pytest.fixture
def olive(client: PageCheckingClient, cast: Cast) -> PageCheckingClient:
    client.sign_in(cast.olive)
    client.get(PAGE)
    return client


def archive_of(takeout_id: int) -> str:
    return f"{PAGE}/{spell_id(takeout_id)}/archive"


def test_an_owner_asks_watches_and_fetches(
    olive: PageCheckingClient, make: Make, cast: Cast, database: Database, settings: Settings
) -> None:
    make.call(caller="+441632960123", callee="204")
    assert "Prepare a takeout" in olive.get(PAGE).text
    answer = olive.send(PAGE)
    assert (answer.status_code, answer.location) == (303, PAGE)
    waiting = olive.get(PAGE).text
    assert "Waits for its turn" in waiting and f'data-hx-get="{PROGRESS}"' in waiting
    assert "Prepare a takeout" not in waiting
    work(database, settings)

    done = olive.get_part(PROGRESS).text
    assert "Ready to be fetched" in done and "data-hx-get" not in done  # the polling part ends itself
    page = olive.get(PAGE).text
    [takeout_id] = [each.id for each in takeouts(database, make.organization.id)]
    assert archive_of(takeout_id) in page and "not yet" in page
    fetched = olive.send(archive_of(takeout_id))
    assert fetched.status_code == 200
    day = now().astimezone(ZoneInfo(make.organization.time_zone)).date().isoformat()
    assert fetched.headers["Content-Disposition"] == f'attachment; filename="harbour-takeout-{day}.zip"'
    assert fetched.mimetype == "application/zip"
    assert int(fetched.headers["Content-Length"]) == len(fetched.data)
    with zipfile.ZipFile(io.BytesIO(fetched.data)) as archive:
        assert "calls/calls.csv" in archive.namelist()
    assert row_of(database, make.organization.id, takeout_id).fetched_at is not None
    kinds = [(kind, actor) for kind, actor, _words in told(database, make.organization.id, "takeout.")]
    assert kinds == [("takeout.asked", cast.olive.id), ("takeout.ready", None), ("takeout.fetched", cast.olive.id)]
    assert "Fetched a takeout of everything" in olive.get("/o/harbour/who-looked").text


def takeouts(database: Database, organization_id: int) -> list[Takeout]:
    with reading_session(database, organization_id) as session:
        return list(list_takeouts(session))


def test_another_one_is_refused_while_one_is_made(olive: PageCheckingClient) -> None:
    olive.send(PAGE)
    again = olive.send(PAGE)
    assert again.status_code == 422
    assert "A takeout is being made already" in again.text
    part = olive.send(PAGE, part=True)
    assert part.status_code == 422 and "<html" not in part.text


def test_how_far_it_is_is_told(olive: PageCheckingClient, make: Make) -> None:
    make.takeout(state=TakeoutState.IS_WRITTEN, step=34, steps=120, row_count=2_340_000, byte_count=90_000_000)
    part = olive.get_part(PROGRESS)
    assert "34 of 120 files, 2,340,000 rows" in part.text
    assert 'value="34" max="120"' in part.text
    assert olive.get(PROGRESS).location == PAGE  # it is no page


def test_one_that_waits_says_when_nobody_works(olive: PageCheckingClient) -> None:
    olive.send(PAGE)
    assert "no background worker" not in olive.get_part(PROGRESS).text
    with time_machine.travel(now() + timedelta(minutes=1)):
        part = olive.get_part(PROGRESS).text
    assert "Your request is kept and has its turn." in part and "no background worker" in part


def test_one_that_failed_says_what_to_do(olive: PageCheckingClient, make: Make) -> None:
    make.takeout(state=TakeoutState.FAILED)
    text = olive.get(PAGE).text
    assert "The takeout could not be made." in text and "Prepare a takeout" in text


def test_one_that_is_over_is_listed_and_one_that_is_told_above_is_not(olive: PageCheckingClient, make: Make) -> None:
    """Its time has run out, and nobody has deleted it yet; then one is ready, and the newest has failed."""
    make.takeout(expires_at=now())
    assert "made, and deleted again" in olive.get(PAGE).text
    make.takeout()
    make.takeout(state=TakeoutState.FAILED)
    page = olive.get(PAGE).text
    assert "Ready to be fetched" in page and "The takeout could not be made." in page
    assert page.partition('id="privacy-earlier-title"')[2].count("<li>") == 1


def test_security_17_the_proof_is_asked_for_and_nothing_is_done(
    olive: PageCheckingClient, make: Make, database: Database
) -> None:
    takeout = make.takeout()
    token = olive.token()
    with time_machine.travel(now() + PROVED_FOR + timedelta(seconds=1)):
        assert olive.get(PAGE).status_code == 200
        for address in (PAGE, archive_of(takeout.id)):
            answer = olive.open(address, method="POST", headers={"X-CSRFToken": token})
            assert answer.status_code == 401 and "Is it still you?" in answer.text
    assert row_of(database, make.organization.id, takeout.id).fetched_at is None
    assert len(takeouts(database, make.organization.id)) == 1


@pytest.mark.parametrize(("name", "status"), [("max", 403), ("vera", 403), ("nina", 403), ("quentin", 404)])
def test_only_owners_of_the_organization_have_it(
    client: PageCheckingClient, make: Make, cast: Cast, name: str, status: int
) -> None:
    takeout = make.takeout()
    client.sign_in(getattr(cast, name))
    for answer in (client.get(PAGE), client.get_part(PROGRESS), client.send(PAGE), client.send(archive_of(takeout.id))):
        assert answer.status_code == status


def test_a_takeout_of_another_organization_is_not_there(
    olive: PageCheckingClient, make: Make, cast: Cast, database: Database
) -> None:
    """Even where the same person owns both: each is fetched at home."""
    other = make.at(cast.quayside)
    theirs = other.takeout()
    assert olive.send(archive_of(theirs.id)).status_code == 404
    with other.session() as session:
        add_member(session, cast.olive, Role.OWNER)
        session.commit()
    assert olive.send(archive_of(theirs.id)).status_code == 404
    assert olive.send(archive_of(new_id())).status_code == 404
    assert row_of(database, cast.quayside.id, theirs.id).fetched_at is None


@pytest.mark.parametrize("fields", [{"may_export": False}, {"numbers": Numbers.MASKED}])
def test_an_owner_from_whom_something_is_kept_gets_nothing(
    olive: PageCheckingClient, make: Make, cast: Cast, fields: dict[str, object]
) -> None:
    takeout = make.takeout()
    make.membership(cast.olive, **fields)
    page = olive.get(PAGE).text
    assert "Ask another owner" in page and "<button class=" not in page.partition('id="privacy-takeout"')[2]
    for address in (PAGE, archive_of(takeout.id)):
        answer = olive.send(address)
        assert answer.status_code == 403 and "A takeout holds everything" in answer.text


@pytest.mark.parametrize(
    "fields", [{"state": TakeoutState.GONE}, {"state": TakeoutState.IS_WRITTEN}, {"expires_at": now()}]
)
def test_what_is_not_ready_or_has_run_out_is_not_there(
    olive: PageCheckingClient, make: Make, fields: dict[str, object]
) -> None:
    takeout = make.takeout(**fields)
    assert olive.send(archive_of(takeout.id)).status_code == 404
    assert archive_of(takeout.id) not in olive.get(PAGE).text


def test_a_get_fetches_nothing(olive: PageCheckingClient, make: Make) -> None:
    assert olive.get(archive_of(make.takeout().id)).status_code == 405


def test_whoever_is_no_owner_any_more_gets_no_further_piece(make: Make, cast: Cast, database: Database) -> None:
    takeout = make.takeout()
    pieces = read_takeout(database, make.organization.id, takeout.id, cast.olive.id)
    assert next(pieces) == chunks_of(database, make.organization.id, takeout.id)[0]
    make.membership(cast.olive, role=Role.MANAGER)
    with pytest.raises(Forbidden):
        next(pieces)


def test_an_owner_of_a_suspended_organization_takes_everything_out(
    olive: PageCheckingClient, make: Make, cast: Cast, database: Database, settings: Settings
) -> None:
    with make.session() as session:
        found = session.get_one(Organization, cast.harbour.id)
        found.state, found.suspended_for = OrganizationState.SUSPENDED, "The bill of May"
        session.commit()
    assert olive.send(PAGE).location == PAGE
    work(database, settings)
    [takeout] = takeouts(database, cast.harbour.id)
    fetched = olive.send(archive_of(takeout.id))
    assert fetched.status_code == 200 and zipfile.is_zipfile(io.BytesIO(fetched.data))


def test_the_settings_lead_there(olive: PageCheckingClient) -> None:
    assert f'href="{PAGE}"' in olive.get("/o/harbour/settings").text
