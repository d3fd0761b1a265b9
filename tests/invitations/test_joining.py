"""Accepting: somebody new chooses a password, a person with an account signs in first, nobody else gets in."""

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from tests.cast import PASSWORD, Cast
from tests.client import PageCheckingClient
from tests.invitations.test_link import assert_neutral, held
from tests.make import Make
from webapp import clock
from webapp.accounts.models import UserAccount, UserEmail, WebSession
from webapp.accounts.queries import find_person
from webapp.audit.models import AuditEvent
from webapp.database.engine import Database
from webapp.invitations.actions import whole_offer
from webapp.invitations.extensions import read_extensions
from webapp.organizations.members import remove_member
from webapp.organizations.models import Invitation, InvitationState
from webapp.organizations.offers import Offer
from webapp.outbox.models import OutboxMessage
from webapp.tenancy.models import Membership, MembershipParty, Numbers, Role
from webapp.tenancy.sessions import reading_session, writing_session

NEW = {"name": "Ada Lovelace", "password": "seven large ships in fog"}


def test_somebody_new_is_let_in(client: PageCheckingClient, cast: Cast, make: Make, database: Database) -> None:
    invitation = make.invitation("ada@example.com", by=cast.olive)
    token = make.token_of(invitation)
    held(client, token)
    before = client.get_cookie("sid")
    answer = client.send("/invitation", NEW)
    assert (answer.status_code, answer.location) == (303, "/o/harbour/")
    after = client.get_cookie("sid")
    assert before is not None and after is not None and before.value != after.value
    page = client.get("/o/harbour/")
    assert page.status_code == 200
    assert "Welcome to Harbour Boats." in page.text
    with reading_session(database, cast.harbour.id) as session:
        ada = find_person(session, "ada@example.com")
        assert ada is not None
        assert (ada.name, ada.alone_since) == ("Ada Lovelace", None)
        membership = session.get_one(Membership, (cast.harbour.id, ada.id))
        assert (membership.invitation_id, membership.role) == (invitation.id, Role.VIEWER)
        kinds = [event.kind for event in session.scalars(select(AuditEvent).order_by(AuditEvent.position))]
        assert kinds[-2:] == ["member.joined", "sign_in.done"]
        [told] = session.scalars(select(OutboxMessage).where(OutboxMessage.template == "invitation_accepted"))
    assert (told.to_address, "Ada Lovelace" in told.words) == ("olive@example.com", True)
    assert_neutral(client, token)


def test_security_19_a_second_post_is_neutral(
    app: Flask, client: PageCheckingClient, make: Make, database: Database
) -> None:
    """Two browsers hold the same invitation; the first one takes it."""
    token = make.token_of(make.invitation("ada@example.com"))
    other = app.test_client()
    assert isinstance(other, PageCheckingClient)
    held(client, token)
    held(other, token)
    client.get("/invitation")
    other.get("/invitation")
    assert client.send("/invitation", NEW).status_code == 303
    second = other.send("/invitation", NEW)
    assert second.status_code == 404
    assert "This link opens nothing" in second.text
    assert other.get("/o/harbour/").location.startswith("/sign-in")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"name": "   "}, "Give your name"),
        ({"name": "x" * 101}, "at most 100"),
        ({"password": ""}, "Choose a password"),
        ({"password": "short"}, "at least 12"),
        ({"password": "harbour boats 2026"}, "first that somebody would guess"),
        ({"password": "x" * 129}, "at most 128"),
    ],
)
def test_what_cannot_be_is_told_beside_its_field(
    client: PageCheckingClient, make: Make, database: Database, wrong: dict[str, str], words: str
) -> None:
    held(client, make.token_of(make.invitation("ada@example.com")))
    client.get("/invitation")
    answer = client.send("/invitation", {**NEW, **wrong})
    assert answer.status_code == 422
    assert words in answer.text
    with reading_session(database) as session:
        assert find_person(session, "ada@example.com") is None


def test_security_19_nobody_joins_without_holding_an_invitation(client: PageCheckingClient, cast: Cast) -> None:
    client.get("/sign-in")
    assert client.send("/invitation", NEW).status_code == 404
    client.sign_in(cast.nora)
    assert client.send("/invitation").status_code == 404


def test_security_19_29_extra_fields_change_nothing(
    client: PageCheckingClient, cast: Cast, make: Make, database: Database
) -> None:
    held(client, make.token_of(make.invitation("ada@example.com")))
    client.get("/invitation")
    extra = {"role": "owner", "organization_id": str(cast.quayside.id), "email": "eve@example.com", "narrowed": ""}
    assert client.send("/invitation", {**NEW, **extra}).status_code == 303
    with reading_session(database, cast.harbour.id) as session:
        ada = find_person(session, "ada@example.com")
        assert ada is not None and find_person(session, "eve@example.com") is None
        assert session.get_one(Membership, (cast.harbour.id, ada.id)).role == Role.VIEWER


def test_a_person_with_an_account_signs_in_and_joins(
    client: PageCheckingClient, cast: Cast, make: Make, database: Database
) -> None:
    held(client, make.token_of(make.invitation(cast.nora.email)))
    page = client.get("/invitation")
    assert "Sign in to join" in page.text
    assert "Choose a password" not in page.text
    stolen = client.send("/invitation", NEW)
    assert stolen.status_code == 200
    assert client.get("/o/harbour/").status_code == 303
    client.get("/sign-in?next=/invitation")
    checked = client.send("/sign-in", {"email": cast.nora.email, "password": PASSWORD, "next": "/invitation"})
    assert client.get(checked.location).location == "/invitation"
    assert "Join as nora@example.com" in client.get("/invitation").text
    assert client.send("/invitation").location == "/o/harbour/"
    assert client.get("/o/harbour/").status_code == 200
    with reading_session(database) as session:
        nora = session.get_one(UserAccount, cast.nora.id)
        assert (nora.password_digest, nora.alone_since) == (cast.nora.password_digest, None)


def test_who_is_signed_in_already_joins_with_any_confirmed_address(
    client: PageCheckingClient, cast: Cast, make: Make, database: Database
) -> None:
    with writing_session(database) as session:
        session.add(UserEmail(email="nora@work.example", user_account_id=cast.nora.id, confirmed_at=clock.now()))
        session.commit()
    client.sign_in(cast.nora)
    held(client, make.token_of(make.invitation("nora@work.example")))
    client.get("/invitation")
    assert client.send("/invitation").location == "/o/harbour/"


def test_security_19_another_account_is_refused_with_the_reason(
    client: PageCheckingClient, cast: Cast, make: Make, database: Database
) -> None:
    invitation = make.invitation("ada@example.com")
    client.sign_in(cast.quentin)
    held(client, make.token_of(invitation))
    page = client.get("/invitation")
    assert "This invitation is for somebody else" in page.text
    assert "Harbour" not in page.text
    assert "ada@example.com" not in page.text
    answer = client.send("/invitation")
    assert answer.status_code == 422
    assert "went to another address" in answer.text
    assert client.get("/o/harbour/").status_code == 404
    with reading_session(database, cast.harbour.id) as session:
        stored = session.get_one(Invitation, (cast.harbour.id, invitation.id))
        assert stored.state == InvitationState.OPEN


def test_security_19_an_address_that_was_not_invited_is_of_no_use(
    client: PageCheckingClient, make: Make, database: Database
) -> None:
    """Whoever posts another address with the form gets an account of the invited one, or none."""
    held(client, make.token_of(make.invitation("ada@example.com")))
    client.get("/invitation")
    client.send("/invitation", {**NEW, "username": "eve@example.com"})
    with reading_session(database) as session:
        assert find_person(session, "eve@example.com") is None


def test_a_member_who_is_invited_by_another_address_stays_what_they_are(
    client: PageCheckingClient, cast: Cast, make: Make, database: Database
) -> None:
    invitation = make.invitation("vera@work.example")
    with writing_session(database) as session:
        session.add(UserEmail(email="vera@work.example", user_account_id=cast.vera.id, confirmed_at=clock.now()))
        session.commit()
    client.sign_in(cast.vera)
    held(client, make.token_of(invitation))
    client.get("/invitation")
    answer = client.send("/invitation")
    assert answer.status_code == 422
    assert "member of Harbour Boats already" in answer.text


def test_an_ended_member_comes_back_by_a_new_invitation(
    client: PageCheckingClient, cast: Cast, make: Make, database: Database
) -> None:
    with make.session() as session:
        session.get_one(Membership, (cast.harbour.id, cast.vera.id)).ends_at = clock.now() - timedelta(days=1)
        session.commit()
    client.sign_in(cast.vera)
    assert client.get("/o/harbour/").status_code == 404
    held(client, make.token_of(make.invitation(cast.vera.email)))
    client.get("/invitation")
    assert client.send("/invitation").location == "/o/harbour/"
    assert client.get("/o/harbour/").status_code == 200


def test_what_was_offered_is_what_they_get(
    client: PageCheckingClient, cast: Cast, make: Make, database: Database
) -> None:
    party = make.party("204")
    with make.session() as session:
        spans = read_extensions(session, "204 from 2026-05-03", "Europe/London").spans
    offer = Offer(Role.VIEWER, Numbers.MASKED, False, True, spans, None)
    held(client, make.token_of(make.invitation("ada@example.com", offer)))
    page = client.get("/invitation")
    assert "only calls of extension 204 from 3 May 2026" in page.text
    assert client.send("/invitation", NEW).status_code == 303
    with reading_session(database, cast.harbour.id) as session:
        ada = find_person(session, "ada@example.com")
        assert ada is not None
        membership = session.get_one(Membership, (cast.harbour.id, ada.id))
        [row] = session.scalars(select(MembershipParty).where(MembershipParty.user_account_id == ada.id))
    assert (membership.numbers, membership.may_export, membership.narrowed) == (Numbers.MASKED, False, True)
    assert (row.party_id, row.from_at.isoformat()) == (party.id, "2026-05-02T23:00:00+00:00")


def test_who_holds_an_invitation_is_nobody_yet(client: PageCheckingClient, make: Make, database: Database) -> None:
    token = make.token_of(make.invitation())
    held(client, token)
    with reading_session(database) as session:
        [row] = session.scalars(select(WebSession))
    assert row.user_account_id is None
    assert token not in row.payload
    assert client.get("/o/harbour/").location.startswith("/sign-in")


@pytest.mark.parametrize("what", ["removed", "demoted", "masked", "ended"])
def test_security_19_an_invitation_holds_as_long_as_its_inviter_could_give_it(
    client: PageCheckingClient, cast: Cast, make: Make, what: str
) -> None:
    """Else somebody who expects to be removed would come back by a link of their own making."""
    token = make.token_of(make.invitation("ada@example.com", whole_offer(Role.MANAGER), by=cast.max))
    assert client.get(f"/invitations/{token}").status_code == 200
    with make.session() as session:
        membership = session.get_one(Membership, (cast.harbour.id, cast.max.id))
        if what == "removed":
            session.delete(membership)
        elif what == "demoted":
            membership.role = Role.VIEWER
        elif what == "masked":
            membership.numbers = Numbers.MASKED
        else:
            membership.ends_at = clock.now()
        session.commit()
    assert_neutral(client, token)


def test_security_19_who_is_removed_comes_in_by_no_other_invitation(
    client: PageCheckingClient, cast: Cast, make: Make
) -> None:
    token = make.token_of(make.invitation("vera@home.example"))
    with make.session() as session:
        session.add(UserEmail(email="vera@home.example", user_account_id=cast.vera.id, confirmed_at=clock.now()))
        session.commit()
    with make.session() as session:
        olive = session.get_one(Membership, (cast.harbour.id, cast.olive.id))
        remove_member(session, olive, cast.vera.id, elsewhere=False)
        session.commit()
    assert_neutral(client, token)


@pytest.mark.parametrize("name", ["", "  ", "x" * 101])
def test_a_newcomer_has_a_name(client: PageCheckingClient, cast: Cast, make: Make, name: str) -> None:
    held(client, make.token_of(make.invitation("ada@example.com")))
    assert client.send("/invitation", {**NEW, "name": name}).status_code == 422


def test_a_name_stands_in_one_line(client: PageCheckingClient, cast: Cast, make: Make, database: Database) -> None:
    """It comes into subjects of mails, which would be refused with a line end in them."""
    held(client, make.token_of(make.invitation("ada@example.com")))
    assert client.send("/invitation", {**NEW, "name": "Ada\r\n Lovelace"}).status_code == 303
    with reading_session(database) as session:
        ada = find_person(session, "ada@example.com")
    assert ada is not None
    assert ada.name == "Ada Lovelace"
