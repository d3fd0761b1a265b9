"""The mails of invitations: they have every word they need, and their links are of BASE_URL."""

import json

import pytest
from flask import Flask
from sqlalchemy import select

from tests.cast import Cast
from tests.client import PageCheckingClient
from tests.invitations.test_joining import NEW
from tests.invitations.test_link import held
from tests.make import Make
from webapp.database.engine import Database
from webapp.database.ids import spell_id
from webapp.invitations import people_views
from webapp.invitations.actions import file_unconfirmed
from webapp.outbox.models import OutboxMessage
from webapp.rate_limits import Limit
from webapp.tenancy.models import Role
from webapp.tenancy.sessions import reading_session

PEOPLE = "/o/harbour/people"
BASE = "https://calls.example.com"


def mails(database: Database, template: str) -> list[OutboxMessage]:
    with reading_session(database) as session:
        return list(session.scalars(select(OutboxMessage).where(OutboxMessage.template == template)))


def render(app: Flask, mail: OutboxMessage, ending: str) -> str:
    """As the sender does: the mail's words, base_url and token."""
    words = {**json.loads(mail.words), "base_url": BASE, "token": "7-secret"}
    return app.jinja_env.get_template(f"emails/{mail.template}{ending}").render(**words)


@pytest.mark.parametrize("by_operator", [True, False])
def test_security_41_an_invitation_links_to_base_url(
    app: Flask, cast: Cast, make: Make, database: Database, by_operator: bool
) -> None:
    make.invitation("ada@example.com", by=None if by_operator else cast.olive)
    [mail] = mails(database, "invitation")
    assert "secret" not in mail.words and "token" not in mail.words
    for ending in (".txt", ".html"):
        text = render(app, mail, ending)
        assert f"{BASE}/invitations/7-secret" in text
        assert f"{BASE}/privacy" in text and f"{BASE}/security" in text
        assert "Harbour Boats" in text and "Welcome aboard" in text
        assert ("olive@example.com" in text) == (not by_operator)
    subject = render(app, mail, ".subject.txt")
    assert len(subject.splitlines()) == 1 and "Harbour Boats" in subject


def test_security_41_the_request_names_no_host_in_a_mail(
    client: PageCheckingClient, cast: Cast, database: Database
) -> None:
    client.sign_in(cast.olive)
    client.get("/o/harbour/people/invite")
    evil = {"X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example"}
    fields = {"emails": "ada@example.com", "role": "viewer", "numbers": "full"}
    assert client.send("/o/harbour/people/invite", fields, headers=evil).status_code == 303
    refused = client.send("/o/harbour/people/invite", fields, headers={"Host": "evil.example"})
    assert refused.status_code == 400
    [mail] = mails(database, "invitation")
    assert "evil" not in mail.words


def test_the_inviter_is_told_who_joined(
    app: Flask, client: PageCheckingClient, cast: Cast, make: Make, database: Database
) -> None:
    held(client, make.token_of(make.invitation("ada@example.com", by=cast.max)))
    client.get("/invitation")
    client.send("/invitation", NEW)
    [mail] = mails(database, "invitation_accepted")
    assert (mail.to_address, mail.secret) == (cast.max.email, None)
    for ending in (".txt", ".html"):
        text = render(app, mail, ending)
        assert "Ada Lovelace" in text and f"{BASE}/o/harbour/people" in text
    assert render(app, mail, ".subject.txt").strip() == "Ada Lovelace has joined Harbour Boats"


def test_see_what_they_will_see_is_offered_where_there_is_such_a_page(
    app: Flask, client: PageCheckingClient, cast: Cast, make: Make
) -> None:
    make.invitation("ada@example.com")
    client.sign_in(cast.olive)
    page = client.get("/o/harbour/people").text
    assert page.count('action="/o/harbour/look-as"') == 5
    assert 'formaction="/o/harbour/look-as"' in client.get("/o/harbour/people/invite").text


def test_security_6_1_1_one_organization_does_not_use_up_the_relay(
    client: PageCheckingClient, cast: Cast, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(people_views, "MAILS_PER_ORGANIZATION", Limit("test", 2, 60_000))
    client.sign_in(cast.olive)
    client.get("/o/harbour/people/invite")
    fields = {"role": "viewer", "numbers": "full"}
    two = client.send("/o/harbour/people/invite", {**fields, "emails": "ada@example.com\neve@example.com"})
    assert two.status_code == 303
    third = client.send("/o/harbour/people/invite", {**fields, "emails": "ben@example.com"})
    assert third.status_code == 429
    assert sorted(mail.to_address for mail in mails(database, "invitation")) == ["ada@example.com", "eve@example.com"]


def test_too_many_addresses_are_named_and_count_for_nothing(
    client: PageCheckingClient, cast: Cast, database: Database
) -> None:
    client.sign_in(cast.olive)
    client.get("/o/harbour/people/invite")
    many = "\n".join(f"p{number}@example.com" for number in range(2 * people_views.MAILS_PER_ORGANIZATION.burst))
    fields = {"role": "viewer", "numbers": "full"}
    refused = client.send("/o/harbour/people/invite", {**fields, "emails": many})
    assert refused.status_code == 422 and "p0@example.com" in refused.text
    assert client.send("/o/harbour/people/invite", {**fields, "emails": "ada@example.com"}).status_code == 303
    assert len(mails(database, "invitation")) == 1


def test_security_6_1_1_what_mails_nothing_uses_up_nothing(
    client: PageCheckingClient, cast: Cast, make: Make, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another field is refused, an address is a member's, an invitation is not open: nobody is mailed."""
    waiting = spell_id(make.invitation("waits@example.com", by=cast.olive).id)
    with make.session() as session:
        filed = spell_id(file_unconfirmed(session, make._operator(), "filed@example.com", Role.VIEWER).id)
        session.commit()
    monkeypatch.setattr(people_views, "MAILS_PER_ORGANIZATION", Limit("test", 2, 60_000))
    client.sign_in(cast.olive)
    client.get(f"{PEOPLE}/invite")
    fields = {"role": "viewer", "numbers": "full", "emails": "ada@example.com\neve@example.com"}
    for wrong in ({"ends_on": "soon"}, {"extensions": "999"}, {"role": "king"}, {"emails": cast.vera.email}):
        assert client.send(f"{PEOPLE}/invite", {**fields, **wrong}).status_code == 422
    assert client.send(f"{PEOPLE}/invitations/{filed}/resend").status_code == 422
    assert client.send(f"{PEOPLE}/invitations/{waiting}/confirm").status_code == 422

    lines = f"ada@example.com\n{cast.vera.email}\nnobody\nwaits@example.com"
    assert client.send(f"{PEOPLE}/invite", {**fields, "emails": lines}).status_code == 303, "one of the two"
    too_many = client.send(f"{PEOPLE}/invite", {**fields, "emails": "ben@example.com\neve@example.com"})
    assert (too_many.status_code, "as many invitations as it may" in too_many.text) == (429, True)
    assert client.send(f"{PEOPLE}/invitations/{waiting}/resend").status_code == 303, "the other"
    assert client.send(f"{PEOPLE}/invitations/{waiting}/resend").status_code == 429
    assert client.send(f"{PEOPLE}/invitations/{filed}/confirm").status_code == 429
    told = [mail.to_address for mail in mails(database, "invitation")]
    assert sorted(told) == ["ada@example.com", "waits@example.com", "waits@example.com"]
