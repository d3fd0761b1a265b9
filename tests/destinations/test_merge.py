"""Merging: what one was known by, its people and its readers become another's; it leads there and is archived."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from tests.make import EPOCH, Make
from webapp.destinations.actions import Described, add_destination, archive, bring_back, change_destination, merge
from webapp.destinations.matching import Pattern
from webapp.destinations.models import (
    Destination,
    DestinationKind,
    DestinationMember,
    DestinationPattern,
    Party,
    PartyHolder,
    PatternKind,
)
from webapp.destinations.passing import tell_merge
from webapp.destinations.queries import get_destination
from webapp.destinations.turns import hand_over
from webapp.errors import Refused
from webapp.organizations.models import InvitationDestination, InvitationState
from webapp.tenancy.models import MembershipDestination

MAY_3 = datetime(2026, 5, 3, tzinfo=UTC)


def add(make: Make, name: str, *digits: str, kind: DestinationKind = DestinationKind.PERSON) -> Destination:
    patterns = tuple(Pattern(PatternKind.EXTENSION, each) for each in digits)
    with make.session() as session:
        destination = add_destination(session, Described(kind, name, patterns), actor_id=None)
        session.commit()
    return destination


def team(make: Make, name: str, *people: Destination) -> Destination:
    described = Described(DestinationKind.TEAM, name, (), members=frozenset(person.id for person in people))
    with make.session() as session:
        destination = add_destination(session, described, actor_id=None)
        session.commit()
    return destination


def unite(make: Make, source: Destination, into: Destination) -> None:
    with make.session() as session:
        merge(session, source.id, into.id, actor_id=None)
        session.commit()


def holders(make: Make, party: Party) -> list[tuple[datetime, int | None]]:
    with make.session() as session:
        rows = session.scalars(
            select(PartyHolder).where(PartyHolder.party_id == party.id).order_by(PartyHolder.from_at)
        )
        return [(row.from_at, row.destination_id) for row in rows]


def pairs(make: Make) -> set[tuple[int, int]]:
    with make.session() as session:
        return {(row.team_id, row.person_id) for row in session.scalars(select(DestinationMember))}


def test_the_other_has_the_patterns_as_far_back_as_the_one_had_them(make: Make) -> None:
    first, passed = make.party("204"), make.party("205")
    ann, ann_again, ben = add(make, "Ann", "204", "205"), add(make, "Ann B"), add(make, "Ben")
    with make.session() as session:
        hand_over(session, Pattern(PatternKind.EXTENSION, "205"), ben.id, MAY_3, actor_id=None)
        session.commit()
    unite(make, ann, ann_again)
    assert holders(make, first) == [(EPOCH, ann_again.id)]
    assert holders(make, passed) == [(EPOCH, ann_again.id), (MAY_3, ben.id)]
    with make.session() as session:
        gone = get_destination(session, ann.id)
        assert gone.merged_into_id == ann_again.id and gone.archived_at is not None
        with pytest.raises(Refused, match="merged into another one"):
            bring_back(session, ann.id, actor_id=None)


def test_a_hand_over_between_the_two_is_none_any_more(make: Make) -> None:
    party = make.party("204")
    ann, ben = add(make, "Ann", "204"), add(make, "Ben")
    with make.session() as session:
        hand_over(session, Pattern(PatternKind.EXTENSION, "204"), ben.id, MAY_3, actor_id=None)
        session.commit()
    unite(make, ann, ben)
    assert holders(make, party) == [(EPOCH, ben.id)]


def test_teams_unite_and_a_person_keeps_its_teams(make: Make) -> None:
    ann, ben, ben_again = add(make, "Ann"), add(make, "Ben"), add(make, "Ben B")
    sales, selling = team(make, "Sales", ann, ben), team(make, "Selling", ben_again)
    unite(make, ben, ben_again)
    assert pairs(make) == {(sales.id, ann.id), (sales.id, ben_again.id), (selling.id, ben_again.id)}
    unite(make, sales, selling)
    assert pairs(make) == {(selling.id, ann.id), (selling.id, ben_again.id)}


def test_what_is_no_person_is_in_no_team(make: Make) -> None:
    ann, ben, mailbox = add(make, "Ann"), add(make, "Ben"), add(make, "Mailbox", kind=DestinationKind.VOICEMAIL)
    team(make, "Sales", ann, ben)
    unite(make, ann, mailbox)
    with make.session() as session:
        change_destination(session, ben.id, 1, Described(DestinationKind.MENU, "Ben", ()), actor_id=None)
        session.commit()
    assert pairs(make) == set()


def test_who_was_narrowed_to_the_one_sees_the_other(make: Make) -> None:
    ann, ben = add(make, "Ann"), add(make, "Ben")
    reader, invitation = make.member(), make.invitation()
    until = MAY_3 + timedelta(days=5)
    for destination, from_at, until_at in ((ann, EPOCH, until), (ben, EPOCH, MAY_3), (ann, MAY_3, None)):
        spans = {"destination_id": destination.id, "from_at": from_at, "until_at": until_at}
        make.store(MembershipDestination(user_account_id=reader.id, **spans))
        make.store(InvitationDestination(invitation_id=invitation.id, **spans))
    unite(make, ann, ben)
    with make.session() as session:
        for mapped in (MembershipDestination, InvitationDestination):
            rows = session.scalars(select(mapped)).all()
            assert {(row.destination_id, row.from_at, row.until_at) for row in rows} == {
                (ben.id, EPOCH, until),
                (ben.id, MAY_3, None),
            }


def test_who_would_read_other_calls_is_said_before(make: Make) -> None:
    ann, ben, customer = add(make, "Ann"), add(make, "Ben"), add(make, "Customer", kind=DestinationKind.CUSTOMER)
    waiting, revoked = make.invitation(), make.invitation(email="gone@example.com", state=InvitationState.REVOKED)
    with make.session() as session:
        assert "given or offered" not in tell_merge(session, ann, ben)
    for invitation in (waiting, revoked):
        make.store(InvitationDestination(invitation_id=invitation.id, destination_id=ann.id, from_at=EPOCH))
    with make.session() as session:
        assert "1 person who was given or offered its calls will see those of Ben." in tell_merge(session, ann, ben)
    reader = make.member()
    for from_at in (EPOCH, MAY_3):
        make.store(MembershipDestination(user_account_id=reader.id, destination_id=ann.id, from_at=from_at))
    with make.session() as session:
        told = tell_merge(session, ann, customer)
    assert "2 people who were given or offered its calls will not see them any more" in told


def test_what_cannot_be_merged_is_refused(make: Make) -> None:
    ann, ben, gone, sales = add(make, "Ann"), add(make, "Ben"), add(make, "Gone"), team(make, "Sales")
    with make.session() as session:
        archive(session, gone.id, actor_id=None)
        session.commit()
    for source, into in ((ann, ann), (ann, gone), (ann, sales), (sales, ann)):
        with make.session() as session, pytest.raises(Refused) as refusal:
            merge(session, source.id, into.id, actor_id=None)
        assert refusal.value.field == "into"
    unite(make, ann, ben)
    with make.session() as session, pytest.raises(Refused):
        merge(session, ann.id, ben.id, actor_id=None)


def test_three_thousand_contacts_become_another_s(make: Make) -> None:
    """More than one statement has keys: all of them, none of anybody else."""
    digits = [f"4416329{turn:05d}" for turn in range(3000)]
    customer, other = add(make, "Customer", kind=DestinationKind.CUSTOMER), add(make, "Other")
    with make.session() as session:
        session.add_all(_pattern(each, customer) for each in digits)
        session.add_all(_pattern(each, other) for each in ("441632800001", "441632800002"))
        session.commit()
    for each in (*digits[::500], "441632800001"):
        make.party(f"+{each}")
    unite(make, customer, into := add(make, "Into", kind=DestinationKind.CUSTOMER))
    with make.session() as session:
        counts = session.execute(
            select(DestinationPattern.destination_id, func.count()).group_by(DestinationPattern.destination_id)
        )
        assert {tuple(row) for row in counts} == {(into.id, 3000), (other.id, 2)}
        held = Counter(session.scalars(select(PartyHolder.destination_id)))
    assert held == {into.id: 6, other.id: 1}


def _pattern(digits: str, destination: Destination) -> DestinationPattern:
    pattern = Pattern(PatternKind.NUMBER, digits)
    return DestinationPattern(
        pattern_key=pattern.key,
        from_at=EPOCH,
        destination_id=destination.id,
        kind=pattern.kind,
        digits=digits,
        pbx_id=None,
        created_at=EPOCH,
        created_by=None,
    )
