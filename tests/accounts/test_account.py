"""My account: the name, what is held about a person, and deleting it."""

import json

import pytest
import sqlalchemy
from flask import Flask
from sqlalchemy import select

from tests.accounts.authenticator import events, set_up_app, stored
from tests.cast import Cast
from tests.client import PageCheckingClient
from webapp.accounts.holdings import list_holdings
from webapp.accounts.models import UserAccount
from webapp.audit.models import AuditEvent
from webapp.database.base import Base
from webapp.database.engine import Database
from webapp.organizations.actions import add_member
from webapp.tenancy.models import Membership, Role
from webapp.tenancy.sessions import reading_session, writing_session

#: Tables that name a person and are not theirs alone: the organization's, or swept within a day.
OF_THE_ORGANIZATION = {
    "membership_party",
    "membership_destination",
    "contact_import",
    "route_plan",
    "schedule_version",
    "import_file",
    "audit_viewing",
    "call_search",
    "recovery_code",
    "return_mail",
}


def test_a_name_is_changed(client: PageCheckingClient, cast: Cast, database: Database) -> None:
    client.sign_in(cast.olive)
    assert client.send("/account", {"name": "  Olive   Grove "}).status_code == 303
    assert stored(database, cast.olive).name == "Olive Grove"
    assert 'value="Olive Grove"' in client.get("/account").text
    assert client.send("/account", {"name": "x" * 101}).status_code == 422
    assert client.send("/account", {"name": ""}).status_code == 303
    assert stored(database, cast.olive).name == ""


def test_security_29_nothing_else_can_be_set(client: PageCheckingClient, cast: Cast, database: Database) -> None:
    client.sign_in(cast.max)
    data = {"name": "Max", "state": "2", "email": "evil@example.com", "role": "3", "id": "1", "totp_secret": "x"}
    client.send("/account", data)
    after = stored(database, cast.max)
    assert (after.name, after.email, after.state, after.totp_secret) == ("Max", cast.max.email, cast.max.state, None)


def test_what_is_held_is_told_whole(client: PageCheckingClient, cast: Cast, database: Database) -> None:
    client.sign_in(cast.olive)
    set_up_app(client)
    answer = client.send("/account/download")
    assert answer.mimetype == "application/json"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="callbook-account.json"'
    held = json.loads(answer.text)
    assert held["user_account"]["email"] == cast.olive.email
    assert held["second_factor"] is True
    assert [row["email"] for row in held["user_email"]] == [cast.olive.email]
    assert [(row["organization"], row["role"]) for row in held["membership"]] == [("Harbour Boats", 3)]
    assert len(held["web_session"]) == 1
    assert len(held["recovery_code"]) == 10
    assert held["account_event"][0]["kind"] == "data.downloaded"
    assert "data.downloaded" in events(database, cast.olive)
    for other in (cast.max, cast.quentin):
        assert other.email not in answer.text
    for secret in ("argon2", "digest", "totp", "payload"):
        assert secret not in answer.text


def test_security_49_every_table_of_a_person_is_told_or_listed(app: Flask, cast: Cast, database: Database) -> None:
    """`app`: later packages name their tables while it is put together."""
    naming = {mapper.local_table.name for mapper in Base.registry.mappers if "user_account_id" in mapper.columns}
    with reading_session(database) as session:
        session.bind_person(cast.olive.id)
        told = set(list_holdings(session, cast.olive))
    assert naming - told <= OF_THE_ORGANIZATION


def test_an_account_is_deleted(client: PageCheckingClient, cast: Cast, database: Database) -> None:
    client.sign_in(cast.max)
    set_up_app(client)
    assert "you leave Harbour Boats" in client.get("/account/delete").text
    answer = client.send("/account/delete")
    assert answer.location == "/sign-in?deleted=yes"
    assert client.get_cookie("sid") is None
    assert "Your account is deleted." in client.get(answer.location).text
    with reading_session(database, cast.harbour.id) as session:
        assert session.get(UserAccount, cast.max.id) is None
        members = set(session.scalars(select(Membership.user_account_id)))
        newest = session.scalars(select(AuditEvent).order_by(AuditEvent.position.desc())).first()
    assert members == {cast.olive.id, cast.vera.id, cast.nina.id}
    assert newest is not None
    assert (newest.kind, newest.actor_id) == ("member.left", cast.max.id)
    with database.reading.connect() as connection:
        for table in ("user_email", "recovery_code", "account_event", "web_session", "account_link"):
            left = connection.execute(
                sqlalchemy.text(f"SELECT count(*) FROM {table} WHERE user_account_id = :id"),
                {"id": cast.max.id},
            )
            assert left.scalar_one() == 0, table


def test_the_only_owner_stays(client: PageCheckingClient, cast: Cast, database: Database) -> None:
    client.sign_in(cast.olive)
    for answer in (client.get("/account/delete"), client.send("/account/delete")):
        assert "You are the only owner of Harbour Boats." in answer.text
        assert "Make another person its owner first" in answer.text
    assert answer.status_code == 422
    assert stored(database, cast.olive).email == cast.olive.email


@pytest.mark.parametrize("other_is", ["owner", "disabled", "ended"])
def test_an_owner_may_go_when_another_can_sign_in(
    client: PageCheckingClient, cast: Cast, database: Database, other_is: str
) -> None:
    with writing_session(database, cast.harbour.id) as session:
        quentin = session.get_one(UserAccount, cast.quentin.id)
        membership = add_member(session, quentin, Role.OWNER)
        if other_is == "ended":
            membership.ends_at = membership.created_at
        if other_is == "disabled":
            quentin.state = type(quentin.state)(2)
        session.commit()
    client.sign_in(cast.olive)
    assert client.send("/account/delete").status_code == (303 if other_is == "owner" else 422)


def test_of_several_organizations_nothing_is_left_when_one_refuses(
    client: PageCheckingClient, cast: Cast, database: Database
) -> None:
    with writing_session(database, cast.quayside.id) as session:
        add_member(session, session.get_one(UserAccount, cast.olive.id), Role.VIEWER)
        session.commit()
    client.sign_in(cast.olive)
    assert client.send("/account/delete").status_code == 422
    assert client.get("/o/quayside/calls").status_code == 200


def test_who_has_no_organization_can_go(client: PageCheckingClient, cast: Cast, database: Database) -> None:
    client.sign_in(cast.nora)
    assert client.send("/account/delete").status_code == 303
    with reading_session(database) as session:
        assert session.get(UserAccount, cast.nora.id) is None
