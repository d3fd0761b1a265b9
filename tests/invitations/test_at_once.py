"""Two at once: what a race between two connections may leave of invitations, and what it may not."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from werkzeug.test import TestResponse

from tests.cast import Cast
from tests.client import PageCheckingClient
from tests.make import Make
from webapp.clock import now
from webapp.database.ids import new_id, spell_id
from webapp.invitations import actions, people_views
from webapp.invitations.actions import file_unconfirmed
from webapp.organizations.models import Invitation, InvitationState
from webapp.outbox.models import OutboxMessage
from webapp.tenancy.members import hold_organization
from webapp.tenancy.models import Membership, MembershipParty, Numbers, Role

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


# ------------------------------------------------------- who waits for the organization may have lost it meanwhile

#: What a person may do to others, by its address; all of it is open to an owner.
CHANGES = {
    "invite": ("invite", ADA),
    "resend": ("invitations/{open}/resend", {}),
    "revoke": ("invitations/{open}/revoke", {}),
    "confirm": ("invitations/{filed}/confirm", {}),
    "change invitation": ("invitations/{open}", {"role": "viewer", "numbers": "full"}),
    "change member": ("members/{vera}", {"role": "viewer", "numbers": "full"}),
    "remove member": ("members/{vera}/remove", {"sure": "y"}),
    "sign out member": ("members/{vera}/sign-out", {}),
}
#: What happens to that person meanwhile, and what the marker would answer from then on.
LOSSES: dict[str, tuple[dict[str, Any], int]] = {
    "removed": ({}, 404),
    "ended": ({"ends_at": now() - timedelta(minutes=1)}, 404),
    "a viewer": ({"role": Role.VIEWER}, 403),
    "narrowed": ({"narrowed": True}, 403),
}


class Scene:
    """Max, an owner for now, is at the People page; somebody else holds the organization and changes him."""

    def __init__(self, client: PageCheckingClient, cast: Cast, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
        self.client, self.cast, self.make = client, cast, make
        make.membership(cast.max, role=Role.OWNER)
        with make.session() as session:
            filed = file_unconfirmed(session, make._operator(), "filed@example.com", Role.VIEWER)
            session.commit()
        self.ids = {
            "vera": spell_id(cast.vera.id),
            "open": spell_id(make.invitation("open@example.com").id),
            "filed": spell_id(filed.id),
        }
        self.waits = threading.Event()
        hold_and_check = people_views.hold_and_check
        monkeypatch.setattr(people_views, "hold_and_check", lambda: self.waits.set() or hold_and_check())
        client.sign_in(cast.max)
        client.get(PEOPLE)

    def ask(self, what: str, form: dict[str, Any] | None = None, **after: Any) -> TestResponse:
        """Max's answer, whose request has passed the guard before his membership becomes what `after` says."""
        path, usual = CHANGES[what]
        answers: list[TestResponse] = []
        form = usual if form is None else form
        asking = threading.Thread(
            target=lambda: answers.append(self.client.send(f"{PEOPLE}/{path.format(**self.ids)}", form))
        )
        with self.make.session() as session:
            hold_organization(session)
            membership = session.get_one(Membership, (self.cast.harbour.id, self.cast.max.id))
            if not after:
                session.delete(membership)
            for name, value in after.items():
                setattr(membership, name, value)
            session.flush()
            asking.start()
            assert self.waits.wait(20)
            asking.join(0.1)
            assert asking.is_alive(), "it does not wait for whoever holds the organization"
            session.commit()
        asking.join(20)
        [answer] = answers
        return answer

    def stored(self) -> set[tuple[Any, ...]]:
        """All that Max could have changed."""
        with self.make.session() as session:
            invitations = session.scalars(select(Invitation).where(Invitation.state != InvitationState.ACCEPTED))
            found = {(each.email, each.state, each.mail_count, each.may_export) for each in invitations}
            vera = session.get(Membership, (self.cast.harbour.id, self.cast.vera.id))
            mails = len(session.scalars(select(OutboxMessage)).all())
        return {*found, (vera is not None, vera is not None and vera.may_export, mails)}


@pytest.fixture
def scene(client: PageCheckingClient, cast: Cast, make: Make, monkeypatch: pytest.MonkeyPatch) -> Scene:
    return Scene(client, cast, make, monkeypatch)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("what", CHANGES)
def test_what_is_lost_while_waiting_is_not_done(scene: Scene, what: str, loss: str) -> None:
    after, status = LOSSES[loss]
    before = scene.stored()

    assert scene.ask(what, **after).status_code == status
    assert scene.stored() == before


@pytest.mark.parametrize("what", CHANGES)
def test_who_waits_and_has_lost_nothing_goes_on(scene: Scene, what: str) -> None:
    before = scene.stored()

    assert scene.ask(what, last_used_at=now()).status_code == 303
    assert (scene.stored() == before) == (what == "sign out member")


@pytest.mark.parametrize(
    ("what", "status"),
    [("confirm", 403), ("sign out member", 403), ("revoke", 303), ("invite", 303), ("remove member", 303)],
)
def test_a_smaller_role_leaves_what_it_may_do(scene: Scene, what: str, status: int) -> None:
    assert scene.ask(what, role=Role.MANAGER).status_code == status


@pytest.mark.parametrize(
    ("what", "less", "status"),
    [
        ("invite", {"numbers": Numbers.MASKED}, 422),
        ("invite", {"may_export": False}, 422),
        ("change invitation", {"numbers": Numbers.MASKED}, 403),
        ("change member", {"may_export": False}, 403),
        ("resend", {"ends_at": now() + timedelta(days=1)}, 403),
        ("remove member", {"numbers": Numbers.SHOWN_ONE_BY_ONE}, 403),
    ],
)
def test_nobody_gives_what_they_have_no_more(scene: Scene, what: str, less: dict[str, Any], status: int) -> None:
    before = scene.stored()

    assert scene.ask(what, **less).status_code == status
    assert scene.stored() == before


def test_another_narrowing_than_the_request_began_with_is_refused(scene: Scene, cast: Cast, make: Make) -> None:
    [party] = make.narrow(cast.max, "204")
    make.store(MembershipParty(user_account_id=cast.max.id, party_id=party.id, from_at=now(), until_at=None))
    form = {**ADA, "extensions": "204"}

    assert scene.ask("invite", form, narrowed=False).status_code == 403
    make.membership(cast.max, narrowed=True)
    assert scene.ask("invite", form, last_used_at=now()).status_code == 303
