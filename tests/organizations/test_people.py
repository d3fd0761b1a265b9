"""The People page: who is in, who is invited, and what may be changed by whom."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask
from sqlalchemy import select

from tests.cast import Cast
from tests.client import PageCheckingClient
from tests.make import Make
from webapp import clock
from webapp.accounts.models import UserAccount, WebSession
from webapp.audit.models import AuditDetail, AuditEvent
from webapp.database.engine import Database
from webapp.database.ids import spell_id
from webapp.invitations.actions import cause_of_mail, file_unconfirmed
from webapp.invitations.extensions import read_extensions
from webapp.organizations.actions import add_member
from webapp.organizations.models import Invitation, InvitationParty, InvitationState
from webapp.organizations.offers import Offer
from webapp.outbox.models import MailState, OutboxMessage
from webapp.tenancy.models import Membership, MembershipParty, Numbers, Organization, Role
from webapp.tenancy.narrowing import PartyDays
from webapp.tenancy.sessions import reading_session, writing_session

PEOPLE = "/o/harbour/people"
VIEWER = {"emails": "ada@example.com", "role": "viewer", "numbers": "full", "may_export": "y"}
EVERYTHING = {"role": "owner", "numbers": "full", "may_export": "y"}


def invitations(database: Database, cast: Cast) -> dict[str, Invitation]:
    with reading_session(database, cast.harbour.id) as session:
        found = session.scalars(select(Invitation).where(Invitation.state != InvitationState.ACCEPTED))
        return {each.email: each for each in found}


def membership(database: Database, cast: Cast, person: UserAccount) -> Membership | None:
    with reading_session(database, cast.harbour.id) as session:
        return session.get(Membership, (cast.harbour.id, person.id))


def kinds(database: Database, cast: Cast) -> list[str]:
    with reading_session(database, cast.harbour.id) as session:
        return [event.kind for event in session.scalars(select(AuditEvent).order_by(AuditEvent.position))]


def change(make: Make, cast: Cast, person: UserAccount, **fields: Any) -> None:
    with make.session() as session:
        found = session.get_one(Membership, (cast.harbour.id, person.id))
        for name, value in fields.items():
            setattr(found, name, value)
        session.commit()


def narrow(make: Make, cast: Cast, person: UserAccount, text: str) -> None:
    """The person sees these extensions only."""
    change(make, cast, person, narrowed=True)
    with make.session() as session:
        for span in read_extensions(session, text, "Europe/London").spans:
            session.add(
                MembershipParty(
                    user_account_id=person.id, party_id=span.party_id, from_at=span.from_at, until_at=span.until_at
                )
            )
        session.commit()


def browser(app: Flask) -> PageCheckingClient:
    client = app.test_client()
    assert isinstance(client, PageCheckingClient)
    return client


# --------------------------------------------------------------------------------------------------------- the page


def test_it_lists_people_with_what_they_see(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    make.party("204")
    narrow(make, cast, cast.vera, "204 until 2026-05-03")
    change(make, cast, cast.vera, numbers=Numbers.MASKED, may_export=False)
    client.sign_in(cast.olive)
    client.get("/o/harbour/")
    page = client.get(PEOPLE).text
    for person in (cast.olive, cast.max, cast.vera):
        assert person.email in page
    assert "only calls of extension 204 until 3 May 2026, numbers without their last four digits, no export" in page
    assert "all calls, numbers in full, may export" in page
    assert "Last used today." in page
    assert "Not used yet." in page


@pytest.mark.parametrize(("name", "status"), [("olive", 200), ("max", 200), ("vera", 403), ("quentin", 404)])
def test_security_22_managers_and_owners_see_it(client: PageCheckingClient, cast: Cast, name: str, status: int) -> None:
    client.sign_in(getattr(cast, name))
    assert client.get(PEOPLE).status_code == status
    assert client.get(f"{PEOPLE}/invite").status_code == status
    assert (f'href="{PEOPLE}"' in client.get("/o/harbour/").text) == (status == 200)


def test_the_state_of_each_mail_is_told(
    client: PageCheckingClient, cast: Cast, make: Make, database: Database, app: Flask
) -> None:
    invitation = make.invitation("ada@example.com")
    client.sign_in(cast.olive)
    assert "this service has no mail set up: its mail waits" in client.get(PEOPLE).text
    told = {
        (MailState.HANDED_OVER, None): "its mail was handed over",
        (MailState.REFUSED, "550"): "its mail was refused (550)",
    }
    for (state, error), words in told.items():
        with writing_session(database) as session:
            cause = f"{cause_of_mail(invitation)}:{invitation.email}"
            mail = session.scalars(select(OutboxMessage).where(OutboxMessage.cause == cause)).one()
            mail.state, mail.error = state, error
            session.commit()
        assert words in client.get(PEOPLE).text


# --------------------------------------------------------------------------------------------------------- inviting


def test_several_are_invited_each_with_a_result(
    client: PageCheckingClient, cast: Cast, make: Make, database: Database
) -> None:
    make.invitation("known@example.com")
    client.sign_in(cast.olive)
    client.get(f"{PEOPLE}/invite")
    lines = "Ada@Example.com\n\nvera@example.com\nnobody\nknown@example.com\nBabbage@example.com\nada@example.com"
    answer = client.send(f"{PEOPLE}/invite", {**VIEWER, "emails": lines, "words": "Hello"})
    assert (answer.status_code, answer.location) == (303, PEOPLE)
    page = client.get(PEOPLE).text
    assert "Invited: ada@example.com, babbage@example.com." in page
    assert "vera@example.com is a member already." in page
    assert "known@example.com has an open invitation already." in page
    assert "is no e-mail address" in page
    made = invitations(database, cast)
    assert set(made) == {"known@example.com", "ada@example.com", "babbage@example.com"}
    assert (made["ada@example.com"].invited_by, made["ada@example.com"].words) == (cast.olive.id, "Hello")
    assert kinds(database, cast)[-2:] == ["invitation.made", "invitation.made"]
    with reading_session(database) as session:
        assert len(session.scalars(select(OutboxMessage)).all()) == 3


def test_where_nobody_is_invited_the_form_says_why(client: PageCheckingClient, cast: Cast, database: Database) -> None:
    client.sign_in(cast.olive)
    client.get(f"{PEOPLE}/invite")
    for emails, words in (("vera@example.com", "is a member already"), ("", "at least one"), (" \n ", "at least one")):
        answer = client.send(f"{PEOPLE}/invite", {**VIEWER, "emails": emails})
        assert answer.status_code == 422
        assert words in answer.text
    many = "\n".join(f"a{number}@example.com" for number in range(51))
    assert "at most 50" in client.send(f"{PEOPLE}/invite", {**VIEWER, "emails": many}).text
    assert invitations(database, cast) == {}


def test_one_that_has_run_out_gives_way(client: PageCheckingClient, cast: Cast, make: Make, database: Database) -> None:
    old = make.invitation("ada@example.com", expires_at=clock.now() - timedelta(minutes=1))
    client.sign_in(cast.olive)
    assert "Expired" in client.get(PEOPLE).text
    assert client.send(f"{PEOPLE}/invite", VIEWER).status_code == 303
    with reading_session(database, cast.harbour.id) as session:
        assert session.get_one(Invitation, (cast.harbour.id, old.id)).state == InvitationState.REVOKED
    assert invitations(database, cast)["ada@example.com"].state in (InvitationState.OPEN, InvitationState.REVOKED)


def test_extensions_are_read_with_their_days(
    client: PageCheckingClient, cast: Cast, make: Make, database: Database
) -> None:
    party = make.party("204")
    twice = [make.party("205"), make.party("205", make.pbx("Branch"))]
    client.sign_in(cast.olive)
    assert 'data-line="204"' in client.get(f"{PEOPLE}/invite").text
    lines = "204 from 2026-05-03 until 2026-06-01\n205"
    assert client.send(f"{PEOPLE}/invite", {**VIEWER, "extensions": lines, "ends_on": "2099-12-31"}).status_code == 303
    page = client.get(PEOPLE).text
    assert "Extension 205 is in 2 phone systems: it stands for all of them." in page
    assert "only calls of extensions 204 from 3 May 2026 until 1 June 2026 and 205" in page
    assert "Last day: 31 December 2099." in page
    made = invitations(database, cast)["ada@example.com"]
    assert made.narrowed
    assert made.ends_at is not None and made.ends_at.date() == date(2100, 1, 1)
    with reading_session(database, cast.harbour.id) as session:
        rows = session.scalars(select(InvitationParty).where(InvitationParty.invitation_id == made.id)).all()
    assert {row.party_id for row in rows} == {party.id, *(each.id for each in twice)}
    [dated] = [row for row in rows if row.party_id == party.id]
    assert dated.until_at is not None
    assert (dated.from_at.isoformat(), dated.until_at.isoformat()) == (
        "2026-05-02T23:00:00+00:00",
        "2026-06-01T23:00:00+00:00",  # the first of June belongs to it
    )
    assert "204 from 2026-05-03 until 2026-06-01" in client.get(f"{PEOPLE}/invitations/{spell_id(made.id)}").text


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("extensions", "999", "No phone system here has had a call of extension 999"),
        ("extensions", "the workshop", "cannot be read"),
        ("extensions", "204 from May", "“May” is no day"),
        ("extensions", "204 from 2026-05-03 until 2026-05-02", "ends before it begins"),
        ("extensions", "204 since 2026-05-03", "cannot be read"),
        ("ends_on", "2020-01-01", "Give a day to come"),
        ("ends_on", "soon", "This is no day of the calendar. Write it as 2026-05-03, or leave it empty."),
        ("role", "admin", "Not a valid choice"),
        ("numbers", "none", "Not a valid choice"),
        ("words", "x" * 501, "at most 500"),
    ],
)
def test_what_cannot_be_is_told_beside_its_field(
    client: PageCheckingClient, cast: Cast, make: Make, database: Database, field: str, value: str, words: str
) -> None:
    make.party("204")
    client.sign_in(cast.olive)
    client.get(f"{PEOPLE}/invite")
    answer = client.send(f"{PEOPLE}/invite", {**VIEWER, field: value})
    assert answer.status_code == 422
    assert words in answer.text
    assert f'id="{field}-error"' in answer.text
    assert "ada@example.com" in answer.text
    assert invitations(database, cast) == {}


def test_an_extension_of_another_organization_is_unknown(
    client: PageCheckingClient, cast: Cast, make: Make, database: Database
) -> None:
    make.at(cast.quayside).party("204")
    client.sign_in(cast.olive)
    client.get(f"{PEOPLE}/invite")
    assert client.send(f"{PEOPLE}/invite", {**VIEWER, "extensions": "204"}).status_code == 422


# ----------------------------------------------------------------------------------- nobody gives more than they have


def test_security_29_a_manager_makes_no_owner(client: PageCheckingClient, cast: Cast, database: Database) -> None:
    client.sign_in(cast.max)
    page = client.get(f"{PEOPLE}/invite").text
    assert 'value="manager"' in page and 'value="owner"' not in page
    assert client.send(f"{PEOPLE}/invite", {**VIEWER, "role": "owner"}).status_code == 422
    assert invitations(database, cast) == {}
    assert client.send(f"{PEOPLE}/invite", {**VIEWER, "role": "manager"}).status_code == 303


@pytest.mark.parametrize(
    ("extensions", "status"),
    [
        ("", 422),
        ("205", 422),
        ("204", 422),
        ("204 from 2026-05-03", 303),
        ("204 from 2026-05-02", 422),
        ("204 from 2026-06-01 until 2026-07-01", 303),
        ("204 from 2026-05-03\n205", 422),
    ],
)
def test_security_29_a_narrowed_manager_invites_within_the_narrowing(
    client: PageCheckingClient, cast: Cast, make: Make, extensions: str, status: int
) -> None:
    for digits in ("204", "205"):
        make.call(callee=digits)
    narrow(make, cast, cast.max, "204 from 2026-05-03")
    client.sign_in(cast.max)
    client.get(f"{PEOPLE}/invite")
    assert client.send(f"{PEOPLE}/invite", {**VIEWER, "extensions": extensions}).status_code == status


@pytest.mark.parametrize(
    ("mine", "given", "status"),
    [
        ({"numbers": Numbers.MASKED}, {"numbers": "full"}, 422),
        ({"numbers": Numbers.MASKED}, {"numbers": "shown_one_by_one"}, 422),
        ({"numbers": Numbers.MASKED}, {"numbers": "masked"}, 303),
        ({"numbers": Numbers.SHOWN_ONE_BY_ONE}, {"numbers": "full"}, 422),
        ({"numbers": Numbers.SHOWN_ONE_BY_ONE}, {"numbers": "shown_one_by_one"}, 303),
        ({"may_export": False}, {"may_export": "y"}, 422),
        ({"may_export": False}, {"may_export": ""}, 303),
        ({"ends_at": clock.from_ms(4_000_000_000_000)}, {"ends_on": ""}, 422),
        ({"ends_at": clock.from_ms(4_000_000_000_000)}, {"ends_on": "2090-01-01"}, 303),
    ],
)
def test_security_29_nobody_gives_more_than_they_have(
    client: PageCheckingClient,
    cast: Cast,
    make: Make,
    mine: dict[str, Any],
    given: dict[str, str],
    status: int,
) -> None:
    change(make, cast, cast.max, **mine)
    client.sign_in(cast.max)
    client.get(f"{PEOPLE}/invite")
    posted = {key: value for key, value in {**VIEWER, **given}.items() if value}
    assert client.send(f"{PEOPLE}/invite", posted).status_code == status


def test_security_29_a_manager_touches_nobody_who_has_more(
    client: PageCheckingClient, cast: Cast, make: Make, database: Database
) -> None:
    owners = make.invitation("ada@example.com", Offer(Role.OWNER, Numbers.FULL, True, False, (), None))
    client.sign_in(cast.max)
    client.get(PEOPLE)
    olive, ada = spell_id(cast.olive.id), spell_id(owners.id)
    assert client.get(f"{PEOPLE}/members/{olive}").status_code == 403
    assert client.send(f"{PEOPLE}/members/{olive}", {"role": "viewer", "numbers": "full"}).status_code == 403
    assert client.send(f"{PEOPLE}/members/{olive}/remove", {"sure": "y"}).status_code == 403
    for what in ("", "/resend", "/revoke"):
        assert client.send(f"{PEOPLE}/invitations/{ada}{what}", {"role": "viewer"}).status_code == 403
    assert client.send(f"{PEOPLE}/invitations/{ada}/confirm").status_code == 403
    assert invitations(database, cast)["ada@example.com"].mail_count == 1


@pytest.mark.parametrize("name", ["max", "vera"])
def test_security_29_nobody_raises_their_own_role(
    client: PageCheckingClient, cast: Cast, database: Database, name: str
) -> None:
    person = getattr(cast, name)
    before = membership(database, cast, person)
    client.sign_in(person)
    answer = client.send(f"{PEOPLE}/members/{spell_id(person.id)}", EVERYTHING)
    assert answer.status_code in (403, 422)
    after = membership(database, cast, person)
    assert before is not None and after is not None and after.role == before.role


def test_security_29_extra_fields_are_ignored(client: PageCheckingClient, cast: Cast, database: Database) -> None:
    client.sign_in(cast.max)
    client.get(PEOPLE)
    extra = {"organization_id": str(cast.quayside.id), "user_account_id": str(cast.max.id), "state": "2", "id": "7"}
    posted = {**VIEWER, **extra, "invited_by": str(cast.olive.id), "narrowed": "y", "is_staff": "y", "ends_at": "0"}
    assert client.send(f"{PEOPLE}/invite", posted).status_code == 303
    made = invitations(database, cast)["ada@example.com"]
    assert (made.organization_id, made.invited_by, made.narrowed) == (cast.harbour.id, cast.max.id, False)
    assert (made.state, made.ends_at, made.role) == (InvitationState.OPEN, None, Role.VIEWER)
    vera = spell_id(cast.vera.id)
    assert client.send(f"{PEOPLE}/members/{vera}", {**posted, "role": "manager"}).status_code == 303
    assert (membership(database, cast, cast.vera) or made).role == Role.MANAGER
    assert (membership(database, cast, cast.max) or made).role == Role.MANAGER


# -------------------------------------------------------------------------------------------------- changing a member


def test_a_member_is_changed_and_it_counts_at_once(
    app: Flask, client: PageCheckingClient, cast: Cast, make: Make, database: Database
) -> None:
    make.party("204")
    vera = browser(app)
    vera.sign_in(cast.vera)
    assert vera.get(f"{PEOPLE}/invite").status_code == 403
    client.sign_in(cast.olive)
    address = f"{PEOPLE}/members/{spell_id(cast.vera.id)}"
    assert 'selected value="viewer"' in client.get(address).text
    answer = client.send(address, {"role": "manager", "numbers": "masked", "extensions": "204"})
    assert answer.location == PEOPLE
    found = membership(database, cast, cast.vera)
    assert found is not None
    assert (found.role, found.numbers, found.may_export, found.narrowed) == (Role.MANAGER, Numbers.MASKED, False, True)
    assert vera.get(f"{PEOPLE}/invite").status_code == 200
    assert vera.get("/o/harbour/phone-systems/new").status_code == 403  # of the organization as a whole
    with reading_session(database, cast.harbour.id) as session:
        detail = session.scalars(select(AuditDetail).order_by(AuditDetail.position.desc())).first()
    assert detail is not None and detail.words is not None
    assert "viewer: all calls" in detail.words and "manager: only calls of extension 204" in detail.words
    assert "204" in client.get(address).text


def test_the_same_again_is_no_change(client: PageCheckingClient, cast: Cast, database: Database) -> None:
    client.sign_in(cast.olive)
    client.get(PEOPLE)
    before = kinds(database, cast)
    fields = {"role": "viewer", "numbers": "full", "may_export": "y"}
    assert client.send(f"{PEOPLE}/members/{spell_id(cast.vera.id)}", fields).status_code == 303
    assert kinds(database, cast) == before


def test_in_another_time_zone_a_form_stored_unchanged_lets_nobody_stay_longer(
    client: PageCheckingClient, cast: Cast, make: Make, database: Database
) -> None:
    """The last day is shown as one of the new zone; the moment stays until somebody names another day."""
    end = datetime(2098, 12, 31, tzinfo=UTC)  # in London the end of the 30th, in Tokyo 9 o'clock on the 31st
    make.party("204")
    change(make, cast, cast.vera, ends_at=end)
    narrow(make, cast, cast.vera, "204 from 2026-05-03")
    before = spans(database, cast, MembershipParty)
    with writing_session(database) as session:
        session.get_one(Organization, cast.harbour.id).time_zone = "Asia/Tokyo"
        session.commit()
    client.sign_in(cast.olive)
    address = f"{PEOPLE}/members/{spell_id(cast.vera.id)}"
    page = client.get(address).text
    assert 'value="2098-12-31"' in page
    lines = FIELD.findall(page)[0]
    fields = {"role": "viewer", "numbers": "masked", "extensions": lines, "ends_on": "2098-12-31"}
    for day, ends_at in (("2098-12-31", end), ("2099-01-01", datetime(2099, 1, 1, 15, tzinfo=UTC))):
        client.get(address)
        assert client.send(address, {**fields, "ends_on": day}).status_code == 303
        found = membership(database, cast, cast.vera)
        assert found is not None and found.ends_at == ends_at
        assert spans(database, cast, MembershipParty) == before


def spans(database: Database, cast: Cast, mapped: Any) -> set[tuple[int, int, Any, Any]]:
    """Whose, of which party, in which days, as stored."""
    with reading_session(database, cast.harbour.id) as session:
        return {
            (
                row.user_account_id if mapped is MembershipParty else row.invitation_id,
                row.party_id,
                row.from_at,
                row.until_at,
            )
            for row in session.scalars(select(mapped))
        }


FIELD = re.compile(r'<textarea[^>]*name="extensions"[^>]*>([^<]*)</textarea>')


def test_a_form_stored_unchanged_changes_no_extension(
    client: PageCheckingClient, cast: Cast, make: Make, database: Database
) -> None:
    """204 is an extension of two phone systems, and Vera sees that of one: her form does not open the other's calls."""
    head, branch = make.pbx("Head office"), make.pbx("Branch")
    for pbx in (head, branch):
        make.party("204", pbx), make.party("205", pbx)
    make.membership(cast.vera, narrowed=True)
    key = {"user_account_id": cast.vera.id, "until_at": None}
    party = make.party("204", branch)
    make.store(MembershipParty(**key, party_id=party.id, from_at=clock.from_ms(1_780_000_000_000)))
    make.store(MembershipParty(**key, party_id=make.party("205", head).id, from_at=clock.from_ms(0)))
    span = PartyDays(party.id)
    invitation = make.invitation("ada@example.com", Offer(Role.VIEWER, Numbers.FULL, True, True, (span,), None))
    client.sign_in(cast.olive)
    addresses = (f"members/{spell_id(cast.vera.id)}", f"invitations/{spell_id(invitation.id)}")
    for address, mapped in zip(addresses, (MembershipParty, InvitationParty), strict=True):
        before = spans(database, cast, mapped)
        [text] = FIELD.findall(client.get(f"{PEOPLE}/{address}").text)
        for written in (text, "\r\n".join(reversed(text.split("\n")))):
            fields = {"role": "viewer", "numbers": "full", "may_export": "y", "extensions": written}
            assert client.send(f"{PEOPLE}/{address}", fields).status_code == 303
            assert spans(database, cast, mapped) == before
        assert "it stands for all of them" not in client.get(PEOPLE).text
    assert "member.changed" not in kinds(database, cast) and "invitation.changed" not in kinds(database, cast)

    with_207 = {"role": "viewer", "numbers": "full", "extensions": f"{text}\n207"}
    added = {make.party("207", pbx).id for pbx in (head, branch)}
    assert client.send(f"{PEOPLE}/{addresses[1]}", with_207).status_code == 303
    assert {row[1] for row in spans(database, cast, InvitationParty)} == {party.id, *added}


def test_who_sees_no_call_is_not_opened_all_of_them(client: PageCheckingClient, cast: Cast, database: Database) -> None:
    """Nina is narrowed to nothing: the field of her form is empty, and stays so."""
    client.sign_in(cast.olive)
    address = f"{PEOPLE}/members/{spell_id(cast.nina.id)}"
    client.get(address)
    assert client.send(address, {"role": "manager", "numbers": "masked"}).status_code == 303
    found = membership(database, cast, cast.nina)
    assert found is not None and (found.role, found.narrowed) == (Role.MANAGER, True)


def test_a_narrowed_manager_invites_to_the_parties_that_are_theirs(
    client: PageCheckingClient, cast: Cast, make: Make, database: Database
) -> None:
    """The form is filled with their own lines, and these stand for their own parties."""
    [party] = make.narrow(cast.max, "204")
    make.call(callee="204")
    make.party("204", make.pbx("Branch"))
    client.sign_in(cast.max)
    [text] = FIELD.findall(client.get(f"{PEOPLE}/invite").text)
    assert client.send(f"{PEOPLE}/invite", {**VIEWER, "extensions": text}).status_code == 303
    assert [row[1] for row in spans(database, cast, InvitationParty)] == [party.id]


@pytest.mark.parametrize(
    "less",
    [
        {"role": "manager"},
        {"numbers": "masked"},
        {"may_export": ""},
        {"extensions": "204"},
        {"ends_on": "2099-01-01"},
    ],
)
def test_security_29_the_last_owner_stays_a_whole_one(
    client: PageCheckingClient, cast: Cast, make: Make, database: Database, less: dict[str, str]
) -> None:
    make.party("204")
    client.sign_in(cast.olive)
    address = f"{PEOPLE}/members/{spell_id(cast.olive.id)}"
    client.get(address)
    fields = {key: value for key, value in {**EVERYTHING, **less}.items() if value}
    answer = client.send(address, fields)
    assert answer.status_code == 422
    assert "is the last owner" in answer.text
    found = membership(database, cast, cast.olive)
    assert found is not None and (found.role, found.narrowed, found.ends_at) == (Role.OWNER, False, None)


def test_security_29_the_last_owner_can_neither_leave_nor_be_removed(
    client: PageCheckingClient, cast: Cast, database: Database
) -> None:
    client.sign_in(cast.olive)
    client.get(PEOPLE)
    for address in (f"{PEOPLE}/leave", f"{PEOPLE}/members/{spell_id(cast.olive.id)}/remove"):
        answer = client.send(address, {"sure": "y"})
        assert answer.status_code == 422
        assert "Make somebody else an owner first" in answer.text
    assert membership(database, cast, cast.olive) is not None


def test_with_a_second_owner_the_first_may_go(
    client: PageCheckingClient, cast: Cast, make: Make, database: Database
) -> None:
    change(make, cast, cast.max, role=Role.OWNER)
    client.sign_in(cast.olive)
    client.get(PEOPLE)
    answer = client.send(f"{PEOPLE}/members/{spell_id(cast.olive.id)}", {"role": "viewer", "numbers": "full"})
    assert (answer.status_code, answer.location) == (303, "/")
    assert client.get(PEOPLE).status_code == 403
    assert client.send(f"{PEOPLE}/leave", {"sure": "y"}).location == "/"
    assert membership(database, cast, cast.olive) is None
    assert "You have left Harbour Boats." in client.get("/").text
    assert kinds(database, cast)[-1] == "member.left"


# ---------------------------------------------------------------------------------------------------------- removing


def test_removing_signs_out_whose_last_organization_it_was(
    app: Flask, client: PageCheckingClient, cast: Cast, database: Database
) -> None:
    vera = browser(app)
    vera.sign_in(cast.vera)
    client.sign_in(cast.olive)
    address = f"{PEOPLE}/members/{spell_id(cast.vera.id)}/remove"
    assert "Remove vera@example.com" in client.get(address).text
    assert client.send(address).status_code == 422
    assert membership(database, cast, cast.vera) is not None
    assert client.send(address, {"sure": "y"}).location == PEOPLE
    assert membership(database, cast, cast.vera) is None
    assert vera.get("/o/harbour/").location.startswith("/sign-in")
    with reading_session(database) as session:
        assert session.get_one(UserAccount, cast.vera.id).alone_since is not None
        assert session.scalars(select(WebSession).where(WebSession.user_account_id == cast.vera.id)).all() == []
    assert kinds(database, cast)[-1] == "member.removed"


def test_removing_leaves_the_other_organization_open(
    app: Flask, client: PageCheckingClient, cast: Cast, database: Database
) -> None:
    with writing_session(database, cast.quayside.id) as session:
        add_member(session, session.get_one(UserAccount, cast.vera.id), Role.VIEWER)
        session.commit()
    vera = browser(app)
    vera.sign_in(cast.vera)
    assert vera.get("/o/harbour/").status_code == 200
    client.sign_in(cast.olive)
    client.get(PEOPLE)
    client.send(f"{PEOPLE}/members/{spell_id(cast.vera.id)}/remove", {"sure": "y"})
    assert vera.get("/o/harbour/").status_code == 404
    assert vera.get("/o/quayside/").status_code == 200
    with reading_session(database) as session:
        assert session.get_one(UserAccount, cast.vera.id).alone_since is None


def test_security_22_people_of_others_are_nobody(client: PageCheckingClient, cast: Cast) -> None:
    """Quentin belongs to Quayside, Nora to none: to Harbour both are as unknown as an id that nobody has."""
    client.sign_in(cast.olive)
    client.get(PEOPLE)
    for person_id in (cast.quentin.id, cast.nora.id, 12345):
        address = f"{PEOPLE}/members/{spell_id(person_id)}"
        assert client.get(address).status_code == 404
        assert client.send(address, EVERYTHING).status_code == 404
        assert client.send(f"{address}/remove", {"sure": "y"}).status_code == 404


# -------------------------------------------------------------------------------------------------------- invitations


def test_an_invitation_is_sent_again_with_a_new_link(
    client: PageCheckingClient, cast: Cast, make: Make, database: Database
) -> None:
    invitation = make.invitation("ada@example.com")
    client.sign_in(cast.olive)
    client.get(PEOPLE)
    with time_machine.travel(clock.now() + timedelta(minutes=5)):
        part = client.send(f"{PEOPLE}/invitations/{spell_id(invitation.id)}/resend", part=True)
    assert part.status_code == 200
    assert 'id="people-invitations"' in part.text
    assert "<html" not in part.text
    assert "A new link goes to ada@example.com" in part.text
    again = invitations(database, cast)["ada@example.com"]
    assert (again.mail_count, again.token_digest != invitation.token_digest) == (2, True)
    assert again.expires_at > invitation.expires_at
    with reading_session(database) as session:
        assert len(session.scalars(select(OutboxMessage)).all()) == 2


def test_an_invitation_is_revoked_once(client: PageCheckingClient, cast: Cast, make: Make, database: Database) -> None:
    invitation = make.invitation("ada@example.com")
    client.sign_in(cast.max)
    address = f"{PEOPLE}/invitations/{spell_id(invitation.id)}/revoke"
    assert client.send(address).location == PEOPLE
    assert "ada@example.com is revoked" in client.get(PEOPLE).text
    assert invitations(database, cast)["ada@example.com"].state == InvitationState.REVOKED
    assert client.send(address).status_code == 404
    assert kinds(database, cast)[-1] == "invitation.revoked"


def test_an_invitation_is_changed_behind_the_same_link(
    client: PageCheckingClient, cast: Cast, make: Make, database: Database
) -> None:
    invitation = make.invitation("ada@example.com")
    token = make.token_of(invitation)
    client.sign_in(cast.olive)
    address = f"{PEOPLE}/invitations/{spell_id(invitation.id)}"
    part = client.get_part(address)
    assert part.text.lstrip().startswith("<form")
    answer = client.send(address, {"role": "manager", "numbers": "masked"}, part=True)
    assert (answer.status_code, answer.headers["HX-Location"]) == (204, PEOPLE)
    changed = invitations(database, cast)["ada@example.com"]
    assert (changed.role, changed.numbers, changed.may_export) == (Role.MANAGER, Numbers.MASKED, False)
    assert changed.token_digest == invitation.token_digest
    assert client.get(f"/invitations/{token}").status_code == 200
    assert kinds(database, cast)[-1] == "invitation.changed"


def test_what_the_operator_asks_for_waits_for_an_owner(
    app: Flask, client: PageCheckingClient, cast: Cast, make: Make, database: Database
) -> None:
    with make.session() as session:
        filed = file_unconfirmed(session, make._operator(), "ada@example.com", Role.MANAGER)
        session.commit()
    address = f"{PEOPLE}/invitations/{spell_id(filed.id)}"
    manager = browser(app)
    manager.sign_in(cast.max)
    page = manager.get(PEOPLE).text
    assert "Not confirmed." in page and "/confirm" not in page
    assert manager.send(f"{address}/confirm").status_code == 403
    client.sign_in(cast.olive)
    client.get(PEOPLE)
    assert client.send(f"{address}/resend").status_code == 422
    assert client.send(f"{address}/confirm").location == PEOPLE
    confirmed = invitations(database, cast)["ada@example.com"]
    assert (confirmed.state, confirmed.invited_by, confirmed.mail_count) == (InvitationState.OPEN, cast.olive.id, 1)
    assert client.get(f"/invitations/{make.token_of(confirmed)}").status_code == 200
    assert client.send(f"{address}/confirm").status_code == 422
