"""Lines that name people, teams and own numbers: read, told apart, spelt back, given, accepted."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from tests.cast import Cast
from tests.client import PageCheckingClient
from tests.make import EPOCH, NOON, Make
from tests.tenancy.test_opened import NINE_DAYS, calls_of, keys, seen
from webapp.audit.models import AuditDetail
from webapp.database.engine import Database
from webapp.database.ids import spell_id
from webapp.destinations.models import Destination, DestinationKind, DestinationMember
from webapp.errors import NotFound, Refused
from webapp.invitations import extensions, people_views
from webapp.invitations.extensions import Spelt, name_extensions, read_extensions, spell_extensions
from webapp.invitations.joining import accept_as_newcomer, open_invitation, read_token
from webapp.invitations.subjects import list_offered, names_of
from webapp.organizations.models import Invitation, InvitationDestination
from webapp.organizations.offers import Offer, offer_of_invitation
from webapp.outbox.models import OutboxMessage
from webapp.tenancy import narrowing
from webapp.tenancy.models import MembershipDestination, MembershipParty, Numbers, Role
from webapp.tenancy.narrowing import DestinationDays, PartyDays, Span

ZONE = "Europe/London"
PEOPLE = "/o/harbour/people"
LOG = "/o/harbour/calls?period=all"
VIEWER = {"emails": "ada@example.com", "role": "viewer", "numbers": "full", "may_export": "y"}
LINE, MOBILE = "+442079460100", "+447700900123"


@pytest.fixture
def house(make: Make) -> dict[str, Destination]:
    """Ann has 204, Ben 205; both are of Sales. Two own numbers, one with a label."""
    found = {
        "ann": make.destination("Ann Archer"),
        "ben": make.destination("Ben Baker"),
        "sales": make.destination("Sales", DestinationKind.TEAM),
        "acme": make.destination("Acme Ltd", DestinationKind.CUSTOMER),
    }
    for digits, whose in (("204", "ann"), ("205", "ben")):
        make.holder(make.party(digits), found[whose])
        make.store(DestinationMember(team_id=found["sales"].id, person_id=found[whose].id))
    make.own_number(LINE, "Sales line")
    make.own_number(MOBILE)
    return found


def read(make: Make, text: str, spelt: Spelt | None = None) -> tuple[Span, ...]:
    with make.session() as session:
        return read_extensions(session, text, ZONE, spelt).spans


def spell(make: Make, spans: tuple[Span, ...]) -> str:
    with make.session() as session:
        return spell_extensions(spans, names_of(session, spans), ZONE)


def tell(make: Make, spans: tuple[Span, ...]) -> str:
    with make.session() as session:
        return name_extensions(spans, names_of(session, spans), ZONE)


@pytest.mark.parametrize(
    ("written", "spelt", "told"),
    [
        ("Ann Archer", "Ann Archer", "Ann Archer"),
        ("  ann   ARCHER ", "Ann Archer", "Ann Archer"),
        ("Sales\nann archer", "Ann Archer\nSales", "Ann Archer and Sales"),
        ("Sales line", "Sales line", "Sales line"),
        ("020 7946 0100", "Sales line", "Sales line"),
        ("+44 (20) 7946-0100", "Sales line", "Sales line"),
        ("02079460100", "Sales line", "Sales line"),
        (MOBILE, "+44 7700 90••••", "+44 7700 90••••"),
        (
            "204 from 2026-05-03\nAnn Archer\nSales until 2026-05-02",
            "Ann Archer\nSales until 2026-05-02\n204 from 2026-05-03",
            "Ann Archer and Sales until 2 May 2026; extension 204 from 3 May 2026",
        ),
        ("205\n204\nSales", "Sales\n204\n205", "Sales; extensions 204 and 205"),
    ],
)
def test_what_is_written_comes_back(
    make: Make, house: dict[str, Destination], written: str, spelt: str, told: str
) -> None:
    spans = read(make, written)
    assert spell(make, spans) == spelt
    assert tell(make, spans) == told
    assert read(make, spelt) == spans
    assert read(make, spelt, Spelt(spans, held=True)) == spans


def test_a_person_is_a_destination_and_a_number_is_a_party(make: Make, house: dict[str, Destination]) -> None:
    wanted = {DestinationDays(house["sales"].id), PartyDays(make.party(LINE).id)}
    assert set(read(make, "Sales\nSales line")) == wanted


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("Ann Acher", "“Ann Acher” cannot be read: nothing here has that name."),
        ("Acme Ltd", "Acme Ltd is outside the company. Name people, teams"),
        ("acme ltd from 2026-05-03", "Acme Ltd is outside the company."),
        ("020 7946 0999", "“020 7946 0999” is none of your own numbers."),
        ("Sales from May", "“May” is no day. Write it as 2026-05-03."),
        ("Sales from 2026-05-03 until 2026-05-02", "ends before it begins"),
        ("999", "No phone system here has had a call of extension 999"),
    ],
)
def test_what_is_no_name_is_told(make: Make, house: dict[str, Destination], text: str, sentence: str) -> None:
    with pytest.raises(Refused) as refusal:
        read(make, text)
    assert sentence in refusal.value.sentence
    assert refusal.value.field == "extensions"


def test_a_number_without_a_label_has_dots_for_who_sees_dots(make: Make, house: dict[str, Destination]) -> None:
    spans = read(make, MOBILE)
    for masked, line in ((True, "+44 7700 90••••"), (False, "+44 7700 900123")):
        with make.session() as session:
            assert spell_extensions(spans, names_of(session, spans, masked=masked), ZONE) == line
            assert (line, "") in list_offered(session, masked=masked).numbers
        assert read(make, line, Spelt(spans, held=True, masked=masked)) == spans
        assert read(make, line) == spans
    other = make.party("+442079460182")
    with make.session() as session:
        assert names_of(session, [PartyDays(other.id)]) == {other.id: "+44 20 7946 ••••"}


def test_who_is_archived_is_given_no_more_but_stays(make: Make, house: dict[str, Destination]) -> None:
    old = make.destination("Old Hand", archived_at=NOON)
    with pytest.raises(Refused, match="Old Hand is archived"):
        read(make, "Old Hand")
    held = (DestinationDays(old.id),)
    assert read(make, "old hand\nSales", Spelt(held, held=True)) == (DestinationDays(house["sales"].id), *held)
    with make.session() as session:
        assert list_offered(session, masked=True).named == [("Ann Archer", ""), ("Ben Baker", ""), ("Sales", "team")]


def test_names_that_two_have_are_told_apart(make: Make, house: dict[str, Destination]) -> None:
    other = make.destination("ann archer")
    desk = make.own_number("+442079460101", "sales")
    with pytest.raises(Refused, match=r"2 are named Ann Archer. Write Ann Archer \(204\) or ann archer \(person\)."):
        read(make, "Ann Archer")
    assert read(make, "Ann Archer (204)") == (DestinationDays(house["ann"].id),)
    assert read(make, "ann archer (person)") == (DestinationDays(other.id),)
    assert spell(make, (DestinationDays(house["ann"].id),)) == "Ann Archer (204)"
    assert read(make, "Sales (team)") == (DestinationDays(house["sales"].id),)
    assert spell(make, (PartyDays(desk.party_id),)) == "sales (+44 20 7946 ••••)"
    make.destination("Ann Archer")
    with pytest.raises(Refused, match=r"2 are named Ann Archer \(person\), and nothing tells them apart."):
        read(make, "Ann Archer (person)")
    both = read(make, "Ann Archer (204)", Spelt((DestinationDays(other.id),), held=True))
    assert both == (DestinationDays(house["ann"].id),)


def test_a_name_of_digits_is_no_extension(make: Make, house: dict[str, Destination]) -> None:
    room = make.destination("204", DestinationKind.CONFERENCE)
    extension = make.party("204")
    assert read(make, "204") == (PartyDays(extension.id),)
    assert read(make, "204 (conference)") == (DestinationDays(room.id),)
    assert spell(make, (DestinationDays(room.id),)) == "204 (conference)"


def test_a_name_may_hold_the_words_of_days(make: Make, house: dict[str, Destination]) -> None:
    menu = make.destination("Greetings from us", DestinationKind.MENU)
    assert read(make, "Greetings from us") == (DestinationDays(menu.id),)
    [span] = read(make, "greetings from us from 2026-05-03")
    assert spell(make, (span,)) == "Greetings from us from 2026-05-03"


def test_a_name_goes_on_to_stand_for_the_same_person(make: Make, house: dict[str, Destination]) -> None:
    """A namesake that came later, other days, a new name: the line is theirs."""
    held = Spelt((DestinationDays(house["ann"].id),), held=True)
    make.destination("Ann Archer")
    line = spell(make, held.spans)
    assert line == "Ann Archer (204)"
    assert read(make, line, held) == held.spans
    [span] = read(make, f"{line} from 2026-05-03", held)
    assert isinstance(span, DestinationDays)
    assert (span.destination_id, span.from_ms > 0) == (house["ann"].id, True)
    with make.session() as session:
        session.get_one(Destination, (make.organization.id, house["ann"].id)).name = "Ann Bowman"
        session.commit()
    assert spell(make, held.spans) == "Ann Bowman"
    assert read(make, "Ann Bowman", held) == held.spans


def test_more_than_somebody_can_be_narrowed_to(
    make: Make, house: dict[str, Destination], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (extensions, narrowing):
        monkeypatch.setattr(module, "MOST_WINDOWS", 2)
    assert len(read(make, "Sales")) == 1
    with pytest.raises(Refused, match="more than 2 numbers and extensions between them"):
        read(make, "Sales\nSales line")


# --------------------------------------------------------------------------------- from the form to the membership


def send(client: PageCheckingClient, lines: str, **fields: Any) -> Any:
    client.get(f"{PEOPLE}/invite")
    return client.send(f"{PEOPLE}/invite", {**VIEWER, "extensions": lines, **fields})


def test_an_invitation_is_to_people_and_teams(
    client: PageCheckingClient, cast: Cast, make: Make, house: dict[str, Destination], database: Database
) -> None:
    client.sign_in(cast.olive)
    form = client.get(f"{PEOPLE}/invite").text
    for line in ("Ann Archer", "Sales", "Sales line", "+44 7700 900123", "204"):
        assert f'data-line="{line}"' in form
    assert "Acme" not in form
    assert send(client, "Ann Archer\nSales\n204 from 2026-05-03").status_code == 303

    words = "calls of Ann Archer and Sales; extension 204 from 3 May 2026"
    assert words in client.get(PEOPLE).text
    with make.session() as session:
        [invitation] = session.scalars(select(Invitation).where(Invitation.email == "ada@example.com"))
        [mail] = session.scalars(select(OutboxMessage))
        assert words in str(mail.words)
        assert any(words in str(detail.words) for detail in session.scalars(select(AuditDetail)))
    address = f"{PEOPLE}/invitations/{spell_id(invitation.id)}"
    assert "Ann Archer\nSales\n204 from 2026-05-03</textarea>" in client.get(address).text
    fields = {"role": "viewer", "numbers": "full", "may_export": "y"}
    assert client.send(address, {**fields, "extensions": "Sales"}).status_code == 303
    with make.session() as session:
        offer = offer_of_invitation(session, session.get_one(Invitation, (cast.harbour.id, invitation.id)))
    assert offer.spans == (DestinationDays(house["sales"].id),)


def test_what_is_accepted_is_what_the_team_has_then(
    cast: Cast, make: Make, house: dict[str, Destination], database: Database
) -> None:
    """A hand-over between the form and the acceptance, and one after it."""
    calls = {digits: calls_of(make, digits) for digits in ("204", "205")}
    offer = Offer(Role.VIEWER, Numbers.FULL, True, True, read(make, "Ann Archer"), None)
    invitation = make.invitation("ada@example.com", offer, by=cast.olive)
    make.holder(make.party("204"), house["ben"], NINE_DAYS[3])
    with make.session() as session:
        opened = open_invitation(session, read_token(make.token_of(invitation)), to_accept=True)
        ada = accept_as_newcomer(session, opened, "Ada", "a long word of her own 77")
        session.commit()
        [row] = session.scalars(select(MembershipDestination))
    assert (row.user_account_id, row.destination_id, row.until_at) == (ada.id, house["ann"].id, None)
    assert seen(database, cast, ada) == keys(calls["204"][:3])
    make.holder(make.party("205"), house["ann"], NINE_DAYS[8])
    assert seen(database, cast, ada) == keys(calls["204"][:3] + calls["205"][8:])


def test_a_member_is_changed_and_removed(
    client: PageCheckingClient, cast: Cast, make: Make, house: dict[str, Destination]
) -> None:
    def stored() -> list[int]:
        with make.session() as session:
            return [row.destination_id for row in session.scalars(select(MembershipDestination))]

    client.sign_in(cast.olive)
    address = f"{PEOPLE}/members/{spell_id(cast.vera.id)}"
    client.get(address)
    fields = {"role": "viewer", "numbers": "full", "may_export": "y"}
    assert client.send(address, {**fields, "extensions": "Ann Archer"}).status_code == 303
    assert stored() == [house["ann"].id]
    assert "Sees only calls of Ann Archer, numbers in full" in client.get(PEOPLE).text
    assert client.send(address, {**fields, "extensions": "Sales"}).status_code == 303
    assert stored() == [house["sales"].id]
    assert client.send(f"{address}/remove", {"sure": "y"}).status_code == 303
    assert stored() == []


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ("Sales", 303),
        ("Sales from 2026-05-03", 303),
        ("Sales line", 303),
        ("", 422),
        ("Ann Archer", 422),
        ("Ben Baker", 422),
        ("204", 422),
        ("Sales\n205", 422),
    ],
)
def test_security_29_a_narrowed_manager_gives_what_they_were_given(
    client: PageCheckingClient, cast: Cast, make: Make, house: dict[str, Destination], lines: str, status: int
) -> None:
    make.narrow_to(cast.max, house["sales"])
    line = {"user_account_id": cast.max.id, "party_id": make.party(LINE).id}
    make.store(MembershipParty(**line, from_at=EPOCH, until_at=None))
    client.sign_in(cast.max)
    form = client.get(f"{PEOPLE}/invite").text
    assert "Sales\nSales line</textarea>" in form
    assert 'data-line="Ann Archer"' not in form
    answer = send(client, lines)
    assert answer.status_code == status
    if status == 422 and lines:
        assert "Acme" not in answer.text


def test_an_invitation_ends_with_what_its_inviter_had(cast: Cast, make: Make, house: dict[str, Destination]) -> None:
    make.narrow_to(cast.max, house["sales"])
    offer = Offer(Role.VIEWER, Numbers.FULL, True, True, (DestinationDays(house["sales"].id),), None)
    invitation = make.invitation("ada@example.com", offer, by=cast.max)
    with make.session() as session:
        assert open_invitation(session, read_token(make.token_of(invitation)))
        for row in session.scalars(select(MembershipDestination)):
            row.until_at = NOON
        session.commit()
    with make.session() as session, pytest.raises(NotFound):
        open_invitation(session, read_token(make.token_of(invitation)))


def test_looking_as_somebody_follows_what_they_hold(
    client: PageCheckingClient, cast: Cast, make: Make, house: dict[str, Destination]
) -> None:
    calls_of(make, "204")
    client.sign_in(cast.max)
    client.get("/o/harbour/look-as")
    fields = {"role": "viewer", "numbers": "full", "may_export": "y", "extensions": "Ann Archer"}
    assert client.send("/o/harbour/look-as", fields).status_code == 303
    page = client.get(LOG).text
    assert page.count("data-row-link") == 9
    assert "a viewer who sees Ann Archer" in page
    make.holder(make.party("204"), house["ben"], NINE_DAYS[4])
    assert client.get(LOG).text.count("data-row-link") == 4


def test_a_hand_over_while_a_narrowed_manager_waits_is_noticed(
    client: PageCheckingClient, cast: Cast, make: Make, house: dict[str, Destination], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their session shows what was theirs when the request began."""
    make.narrow_to(cast.max, house["sales"])
    client.sign_in(cast.max)
    client.get(f"{PEOPLE}/invite")
    check = people_views.hold_and_check
    meanwhile = [lambda: make.holder(make.party("206"), house["ann"], NOON + timedelta(days=1))]
    monkeypatch.setattr(people_views, "hold_and_check", lambda: (meanwhile and meanwhile.pop()(), check()))
    fields = {**VIEWER, "extensions": "Sales"}
    assert client.send(f"{PEOPLE}/invite", fields).status_code == 403
    assert client.send(f"{PEOPLE}/invite", fields).status_code == 303
    with make.session() as session:
        [row] = session.scalars(select(InvitationDestination))
    assert row.destination_id == house["sales"].id
