"""One person in several organizations: a switcher, never mixed, and what has ended is closed and told."""

from datetime import timedelta

import pytest
import time_machine
from sqlalchemy import select

from tests.cast import Cast
from tests.client import PageCheckingClient
from tests.make import Make
from webapp import clock
from webapp.accounts.models import UserAccount
from webapp.database.engine import Database
from webapp.organizations.actions import add_member
from webapp.tenancy.models import Membership, Organization, Role
from webapp.tenancy.sessions import reading_session, writing_session


@pytest.fixture
def both(cast: Cast, database: Database) -> Cast:
    """Olive, an owner at Harbour, is a viewer at Quayside."""
    with writing_session(database, cast.quayside.id) as session:
        add_member(session, session.get_one(UserAccount, cast.olive.id), Role.VIEWER)
        session.commit()
    return cast


def last_used(database: Database, organization: Organization, person: UserAccount) -> object:
    with reading_session(database, organization.id) as session:
        return session.get_one(Membership, (organization.id, person.id)).last_used_at


def test_the_menu_leads_to_the_other_one(client: PageCheckingClient, both: Cast) -> None:
    client.sign_in(both.olive)
    page = client.get("/o/harbour/").text
    assert '<a href="/o/quayside/">Quayside Ltd</a>' in page
    assert '<a href="/o/harbour/">Harbour Boats</a>' in client.get("/o/quayside/").text
    client.sign_in(both.vera)
    assert "Quayside" not in client.get("/o/harbour/").text


def test_two_tabs_on_two_organizations_are_never_mixed(
    client: PageCheckingClient, both: Cast, make: Make, database: Database
) -> None:
    """One browser, one session, requests in turn: each shows and writes what its address names."""
    make.call(caller="+442079460111")
    make.at(both.quayside).call(caller="+33199001222")
    client.sign_in(both.olive)
    for _turn in range(3):
        ours, theirs = (client.get(f"/o/{slug}/calls?period=all").text for slug in ("harbour", "quayside"))
        assert "020 7946 0111" in ours and "99 00 12 22" not in ours
        assert "99 00 12 22" in theirs and "7946 0111" not in theirs
    form = client.get("/o/harbour/settings").text
    client.get("/o/quayside/")
    assert "Harbour Boats" in form
    fields = {"name": "Harbour & Co", "time_zone": "Europe/London", "region": "GB", "contact": ""}
    assert client.send("/o/harbour/settings", fields).status_code == 303
    assert client.send("/o/quayside/settings", {**fields, "time_zone": "Europe/Paris"}).status_code == 403
    with reading_session(database) as session:
        names = set(session.scalars(select(Organization.name)))
    assert names == {"Harbour & Co", "Quayside Ltd"}


def test_the_people_of_the_other_one_are_not_listed(client: PageCheckingClient, both: Cast) -> None:
    client.sign_in(both.olive)
    page = client.get("/o/harbour/people").text
    assert page.count('id="people-member-') == 4
    assert "quentin@example.com" not in page


def test_the_last_use_is_written_once_a_day(client: PageCheckingClient, both: Cast, database: Database) -> None:
    client.sign_in(both.olive)
    client.get("/o/harbour/")
    first = last_used(database, both.harbour, both.olive)
    assert first is not None
    assert last_used(database, both.quayside, both.olive) is None
    client.get("/o/harbour/calls")
    assert last_used(database, both.harbour, both.olive) == first
    with time_machine.travel(clock.now() + timedelta(days=1, minutes=1)):
        client.sign_in(both.olive)
        client.get("/o/harbour/")
        assert last_used(database, both.harbour, both.olive) != first


def test_nothing_is_written_for_who_is_refused(client: PageCheckingClient, cast: Cast, database: Database) -> None:
    client.sign_in(cast.vera)
    assert client.get("/o/harbour/settings").status_code == 403
    assert client.get("/o/harbour/calls/zzz").status_code == 404
    assert last_used(database, cast.harbour, cast.vera) is None


def test_an_ended_membership_opens_nothing_and_is_told(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    with make.session() as session:
        found = session.get_one(Membership, (cast.harbour.id, cast.vera.id))
        found.ends_at = clock.now() + timedelta(hours=2)
        session.commit()
    client.sign_in(cast.vera)
    assert client.get("/o/harbour/").status_code == 200
    assert found.ends_at is not None
    with time_machine.travel(found.ends_at + timedelta(seconds=1)):
        client.sign_in(cast.vera)
        assert client.get("/o/harbour/").status_code == 404
        assert client.get("/o/harbour/calls").status_code == 404
        page = client.get("/")
    assert page.status_code == 200
    assert "Your access to Harbour Boats ended on" in page.text


def test_an_ended_one_is_not_told_while_another_is_open(client: PageCheckingClient, both: Cast, make: Make) -> None:
    with make.at(both.quayside).session() as session:
        session.get_one(Membership, (both.quayside.id, both.olive.id)).ends_at = clock.now() - timedelta(hours=2)
        session.commit()
    client.sign_in(both.olive)
    assert client.get("/").location == "/o/harbour/"
    assert "Quayside" not in client.get("/o/harbour/").text
