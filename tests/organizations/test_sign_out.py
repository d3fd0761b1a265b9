"""SECURITY 6: an owner ends every session of one person; it is in the audit."""

from flask import Flask
from sqlalchemy import select

from tests.cast import Cast
from tests.client import PageCheckingClient
from webapp.audit.models import AuditEvent
from webapp.database.engine import Database
from webapp.database.ids import new_id, spell_id
from webapp.tenancy.sessions import reading_session

PEOPLE = "/o/harbour/people"


def address(person_id: int) -> str:
    return f"{PEOPLE}/members/{spell_id(person_id)}/sign-out"


def browser(app: Flask) -> PageCheckingClient:
    client = app.test_client()
    assert isinstance(client, PageCheckingClient)
    return client


def test_security_06_an_owner_signs_somebody_out_everywhere(
    app: Flask, client: PageCheckingClient, cast: Cast, database: Database
) -> None:
    desk, phone = browser(app), browser(app)
    for each in (desk, phone):
        each.sign_in(cast.vera)
        assert each.get("/o/harbour/").status_code == 200
    client.sign_in(cast.olive)
    assert f'action="{address(cast.vera.id)}"' in client.get(PEOPLE).text

    answer = client.send(address(cast.vera.id))

    assert (answer.status_code, answer.location) == (303, PEOPLE)
    assert "vera@example.com is signed out everywhere." in client.get(PEOPLE).text
    for each in (desk, phone):
        assert each.get("/o/harbour/").location.startswith("/sign-in")
    with reading_session(database, cast.harbour.id) as session:
        event = session.scalars(select(AuditEvent).where(AuditEvent.kind == "member.signed_out")).one()
    assert (event.actor_id, event.object_id) == (cast.olive.id, cast.vera.id)


def test_who_may_not(client: PageCheckingClient, cast: Cast) -> None:
    client.sign_in(cast.max)
    assert client.send(address(cast.vera.id)).status_code == 403
    assert "Sign out vera" not in client.get(PEOPLE).text
    client.sign_in(cast.olive)
    assert client.send(address(new_id())).status_code == 404
    assert client.send(address(cast.quentin.id)).status_code == 404
    assert client.get(address(cast.vera.id)).status_code == 405
