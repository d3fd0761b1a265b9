"""The link in a mail: opening it changes nothing, its button shows who invites to what, and what is bad looks alike."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine
from flask import Flask
from sqlalchemy import select

from tests.cast import Cast
from tests.client import PageCheckingClient
from tests.make import Make
from webapp import clock
from webapp.accounts.models import WebSession
from webapp.database.engine import Database
from webapp.database.ids import spell_id
from webapp.invitations import views
from webapp.organizations.models import Invitation, InvitationState
from webapp.tenancy.models import Organization, OrganizationState
from webapp.tenancy.sessions import reading_session


def held(client: PageCheckingClient, token: str) -> None:
    """As far as the page that shows the invitation."""
    client.get(f"/invitations/{token}")
    answer = client.send(f"/invitations/{token}")
    assert (answer.status_code, answer.location) == (303, "/invitation")
    client.csrf_token = ""  # the id of the session is a new one


def test_security_19_get_twice_then_post_works(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    token = make.token_of(make.invitation(by=cast.olive))
    for _time in range(2):
        page = client.get(f"/invitations/{token}")
        assert page.status_code == 200
        assert "Show the invitation" in page.text
        assert "Harbour" not in page.text
    held(client, token)
    page = client.get("/invitation")
    assert page.status_code == 200
    assert "olive@example.com" in page.text
    assert "Harbour Boats" in page.text
    assert "Welcome aboard" in page.text
    assert token not in page.text


def test_security_19_a_get_sets_no_row_and_changes_nothing(
    client: PageCheckingClient, database: Database, make: Make
) -> None:
    invitation = make.invitation()
    client.get(f"/invitations/{make.token_of(invitation)}")
    client.head(f"/invitations/{make.token_of(invitation)}")
    with reading_session(database, make.organization.id) as session:
        assert session.scalars(select(WebSession)).all() == []
        stored = session.get_one(Invitation, (make.organization.id, invitation.id))
        assert (stored.state, stored.ended_at) == (InvitationState.OPEN, None)


def test_security_19_the_token_is_long_random_and_stored_as_a_digest_alone(database: Database, make: Make) -> None:
    invitation = make.invitation()
    token = make.token_of(invitation)
    spelt, _, secret = token.partition("-")
    assert spelt == spell_id(make.organization.id)
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", secret)
    assert timedelta() <= invitation.expires_at - invitation.created_at - timedelta(days=7) < timedelta(seconds=5)
    for table in ("invitation", "outbox_message", "audit_event", "audit_detail", "web_session"):
        with database.engine.connect() as connection:
            rows = connection.exec_driver_sql(f'SELECT * FROM "{table}"').all()
        assert secret not in repr(rows), table
    assert "viewer" not in token
    assert make.token_of(make.invitation()) != token


BAD: dict[str, Callable[[Make, str], str]] = {
    "nonsense": lambda _make, _token: "nonsense",
    "cut": lambda _make, token: token[:-1],
    "another secret": lambda _make, token: token[:-4] + "AAAA",
    "not ASCII": lambda _make, token: token[:-1] + "é",
    "nobody's organization": lambda _make, token: "7" + token,
    "too large an id": lambda _make, token: "z" * 13 + token[token.index("-") :],
    "no id": lambda _make, token: token[token.index("-") :],
}


@pytest.mark.parametrize("kind", BAD)
def test_security_19_what_is_no_link_of_ours_looks_like_any_other_bad_one(
    client: PageCheckingClient, make: Make, kind: str
) -> None:
    assert_neutral(client, BAD[kind](make, make.token_of(make.invitation())))


def assert_neutral(client: PageCheckingClient, token: str) -> None:
    """GET, POST and the page behind answer the one page, whose words say whom to ask."""
    client.csrf_token = ""
    pages = [client.get(f"/invitations/{token}"), client.send(f"/invitations/{token}"), client.get("/invitation")]
    pages += [client.send("/invitation", {"name": "Ada", "password": "seven large ships in fog"})]
    assert [page.status_code for page in pages] == [404] * 4
    assert len({page.text for page in pages}) == 1
    assert "Ask the person who invited you" in pages[0].text
    assert "Harbour" not in pages[0].text


def test_security_19_an_expired_one_is_neutral(client: PageCheckingClient, make: Make) -> None:
    token = make.token_of(make.invitation())
    with time_machine.travel(clock.now() + timedelta(days=7, seconds=1)):
        assert_neutral(client, token)
    with time_machine.travel(clock.now() + timedelta(days=7, seconds=-5)):
        assert client.get(f"/invitations/{token}").status_code == 200


def test_security_19_one_that_ends_before_it_is_accepted_is_neutral(client: PageCheckingClient, make: Make) -> None:
    invitation = make.invitation(ends_at=clock.now() + timedelta(days=1))
    with time_machine.travel(clock.now() + timedelta(days=2)):
        assert_neutral(client, make.token_of(invitation))


def test_security_19_a_revoked_one_is_neutral(app: Flask, client: PageCheckingClient, cast: Cast, make: Make) -> None:
    invitation = make.invitation()
    token = make.token_of(invitation)
    held(client, token)
    owner = app.test_client()
    assert isinstance(owner, PageCheckingClient)
    owner.sign_in(cast.olive)
    assert owner.send(f"/o/harbour/people/invitations/{spell_id(invitation.id)}/revoke").status_code == 303
    assert_neutral(client, token)


def test_security_19_the_link_before_a_new_one_is_neutral(
    app: Flask, client: PageCheckingClient, cast: Cast, make: Make
) -> None:
    invitation = make.invitation()
    token = make.token_of(invitation)
    owner = app.test_client()
    assert isinstance(owner, PageCheckingClient)
    owner.sign_in(cast.olive)
    assert owner.send(f"/o/harbour/people/invitations/{spell_id(invitation.id)}/resend").status_code == 303
    assert_neutral(client, token)


def test_security_19_a_wrong_organization_in_the_token_is_neutral(
    client: PageCheckingClient, cast: Cast, make: Make
) -> None:
    token = make.token_of(make.invitation())
    foreign = spell_id(cast.quayside.id) + token[token.index("-") :]
    assert_neutral(client, foreign)


def test_security_19_of_a_suspended_organization_it_is_neutral(client: PageCheckingClient, make: Make) -> None:
    token = make.token_of(make.invitation())
    with make.session() as session:
        session.get_one(Organization, make.organization.id).state = OrganizationState.SUSPENDED
        session.commit()
    assert_neutral(client, token)


def test_security_41_links_are_pressed_so_often_from_one_network(client: PageCheckingClient, make: Make) -> None:
    token = make.token_of(make.invitation())
    client.get(f"/invitations/{token}")
    with time_machine.travel(clock.now(), tick=False):  # on a slow machine one more was free before the last
        answers = [
            client.send("/invitations/nonsense", headers={"X-Forwarded-For": f"192.0.2.{turn}"}).status_code
            for turn in range(views.PER_NETWORK.burst + 1)
        ]
        refused = client.send(f"/invitations/{token}")
    assert answers == [404] * views.PER_NETWORK.burst + [429]
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) > 0


def test_security_41_no_other_host_gets_a_page(client: PageCheckingClient, make: Make) -> None:
    token = make.token_of(make.invitation())
    assert client.get(f"/invitations/{token}", headers={"Host": "evil.example"}).status_code == 400


def test_other_methods_are_refused(client: PageCheckingClient, make: Make) -> None:
    token = make.token_of(make.invitation())
    assert client.put(f"/invitations/{token}").status_code == 405
    assert client.delete("/invitation").status_code == 405
