"""The way in: the first page after signing in."""

from tests.cast import Cast
from tests.client import PageCheckingClient
from webapp.accounts.models import UserAccount
from webapp.database.engine import Database
from webapp.organizations.actions import add_member
from webapp.tenancy.models import Organization, OrganizationState, Role
from webapp.tenancy.sessions import writing_session


def test_the_only_organization_is_opened(client: PageCheckingClient, cast: Cast) -> None:
    client.sign_in(cast.quentin)
    answer = client.get("/")
    assert (answer.status_code, answer.location) == (303, "/o/quayside/")


def test_several_are_listed(client: PageCheckingClient, cast: Cast, database: Database) -> None:
    with writing_session(database, cast.quayside.id) as session:
        add_member(session, session.get_one(UserAccount, cast.olive.id), Role.VIEWER)
        session.commit()
    client.sign_in(cast.olive)
    page = client.get("/")
    assert page.status_code == 200
    assert '<a href="/o/harbour/">Harbour Boats</a>' in page.text
    assert '<a href="/o/quayside/">Quayside Ltd</a>' in page.text
    assert "(viewer)" in page.text


def test_none_is_explained(client: PageCheckingClient, cast: Cast) -> None:
    client.sign_in(cast.nora)
    page = client.get("/")
    assert "No organization has let you in yet" in page.text
    assert cast.nora.email in page.text


def test_a_closed_organization_is_not_there(client: PageCheckingClient, cast: Cast, database: Database) -> None:
    with writing_session(database) as session:
        session.get_one(Organization, cast.harbour.id).state = OrganizationState.CLOSED
        session.commit()
    client.sign_in(cast.olive)
    assert "No organization has let you in yet" in client.get("/").text
    assert client.get("/o/harbour/").status_code == 404


def test_it_takes_no_post(client: PageCheckingClient, cast: Cast) -> None:
    client.sign_in(cast.olive)
    assert client.send("/").status_code == 405
