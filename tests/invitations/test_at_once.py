"""Two at once: what a race between two connections may leave of invitations, and what it may not."""

import threading

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from tests.cast import Cast
from tests.client import PageCheckingClient
from tests.make import Make
from webapp.clock import now
from webapp.database.ids import new_id
from webapp.invitations import actions
from webapp.invitations.actions import file_unconfirmed
from webapp.organizations.models import Invitation, InvitationState
from webapp.outbox.models import OutboxMessage
from webapp.tenancy.models import Numbers, Role

PEOPLE = "/o/harbour/people"
ADA = {"emails": "ada@example.com", "role": "viewer", "numbers": "full", "may_export": "y"}


# ------------------------------------------------------------------------------------ one address, one invitation


def a_row(state: InvitationState, email: str = "ada@example.com") -> Invitation:
    """As no action makes one: without a look at the others."""
    return Invitation(
        id=new_id(),
        email=email,
        role=Role.VIEWER,
        numbers=Numbers.FULL,
        may_export=True,
        narrowed=False,
        ends_at=None,
        words="",
        token_digest=b"",
        state=state,
        mail_count=0,
        invited_by=None,
        created_at=now(),
        expires_at=now(),
        ended_at=None,
    )


@pytest.mark.parametrize("second", [InvitationState.OPEN, InvitationState.UNCONFIRMED])
@pytest.mark.parametrize("first", [InvitationState.OPEN, InvitationState.UNCONFIRMED])
def test_the_database_itself_keeps_one_that_waits(
    make: Make, cast: Cast, first: InvitationState, second: InvitationState
) -> None:
    for ended in (InvitationState.REVOKED, InvitationState.REVOKED, InvitationState.ACCEPTED):
        make.store(a_row(ended))
    make.store(a_row(first))
    make.store(a_row(second, "babbage@example.com"))
    make.at(cast.quayside).store(a_row(second))
    with pytest.raises(IntegrityError):
        make.store(a_row(second))


@pytest.mark.parametrize(
    ("state", "words"),
    [(InvitationState.OPEN, "has an open invitation already"), (InvitationState.UNCONFIRMED, "waits for an owner")],
)
def test_what_the_database_refuses_is_told_beside_its_address(
    client: PageCheckingClient,
    cast: Cast,
    make: Make,
    monkeypatch: pytest.MonkeyPatch,
    state: InvitationState,
    words: str,
) -> None:
    """The look before sees nothing yet, as of a row that another connection has not committed."""
    row = a_row(state)
    row.expires_at = now() + actions.LIVES
    make.store(row)
    looks = iter([True])
    look = actions._refuse_a_second
    monkeypatch.setattr(actions, "_refuse_a_second", lambda *asked: next(looks, False) or look(*asked))
    client.sign_in(cast.olive)
    client.get(f"{PEOPLE}/invite")

    answer = client.send(f"{PEOPLE}/invite", ADA)
    assert (answer.status_code, words in answer.text) == (422, True)
    looks = iter([True])
    several = client.send(f"{PEOPLE}/invite", {**ADA, "emails": "ada@example.com\nbabbage@example.com"})
    assert several.status_code == 303, "the other address is invited all the same"
    assert [mail.to_address for mail in all_mails(make)] == ["babbage@example.com"]


def all_mails(make: Make) -> list[OutboxMessage]:
    with make.session() as session:
        return list(session.scalars(select(OutboxMessage)))


def test_of_a_command_and_a_page_at_once_one_invites(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    """The command holds no organization; on PostgreSQL the page waits for its row alone."""
    client.sign_in(cast.olive)
    client.get(f"{PEOPLE}/invite")
    answers = []
    with make.session() as session:
        file_unconfirmed(session, make._operator(), "ada@example.com", Role.VIEWER)
        page = threading.Thread(target=lambda: answers.append(client.send(f"{PEOPLE}/invite", ADA)))
        page.start()
        page.join(0.3)
        assert page.is_alive(), "it does not wait"
        session.commit()
    page.join(20)

    [answer] = answers
    assert (answer.status_code, "waits for an owner to confirm it already" in answer.text) == (422, True)
    with make.session() as session:
        states = [each.state for each in session.scalars(select(Invitation)) if each.email == "ada@example.com"]
    assert states == [InvitationState.UNCONFIRMED]
