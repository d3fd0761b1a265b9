"""Hand-over: a pattern passes from one destination to another on a day, and party_holder follows by one row."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from tests.make import EPOCH, Make
from webapp.audit.models import AuditDetail
from webapp.clock import now
from webapp.destinations.actions import Described, add_destination, archive, change_destination
from webapp.destinations.matching import Pattern
from webapp.destinations.models import Destination, DestinationKind, DestinationPattern, Party, PartyHolder, PatternKind
from webapp.destinations.turns import hand_over, take_turn_back
from webapp.errors import NotFound, Refused

MAY_3 = datetime(2026, 5, 3, tzinfo=UTC)
EXTENSION = Pattern(PatternKind.EXTENSION, "204")


def add(make: Make, name: str, *patterns: Pattern, kind: DestinationKind = DestinationKind.PERSON) -> Destination:
    with make.session() as session:
        destination = add_destination(session, Described(kind, name, patterns), actor_id=None)
        session.commit()
    return destination


def holders(make: Make, party: Party) -> list[tuple[datetime, int | None]]:
    with make.session() as session:
        rows = session.scalars(
            select(PartyHolder).where(PartyHolder.party_id == party.id).order_by(PartyHolder.from_at)
        )
        return [(row.from_at, row.destination_id) for row in rows]


def test_an_extension_passes_on_by_one_row(make: Make) -> None:
    party = make.party("204")
    ann, ben = add(make, "Ann", EXTENSION), add(make, "Ben")
    assert holders(make, party) == [(EPOCH, ann.id)]

    with make.session() as session:
        hand_over(session, EXTENSION, ben.id, MAY_3, actor_id=None)
        session.commit()
    assert holders(make, party) == [(EPOCH, ann.id), (MAY_3, ben.id)]

    with make.session() as session:
        take_turn_back(session, EXTENSION, MAY_3, actor_id=None)
        session.commit()
    assert holders(make, party) == [(EPOCH, ann.id)]


def test_a_day_in_between_changes_only_what_lies_between(make: Make) -> None:
    party = make.party("204")
    ann, ben, cat = add(make, "Ann", EXTENSION), add(make, "Ben"), add(make, "Cat")
    for to_id, day in ((cat.id, MAY_3 + timedelta(days=30)), (ben.id, MAY_3), (None, MAY_3 + timedelta(days=10))):
        with make.session() as session:
            hand_over(session, EXTENSION, to_id, day, actor_id=None)
            session.commit()
    assert holders(make, party) == [
        (EPOCH, ann.id),
        (MAY_3, ben.id),
        (MAY_3 + timedelta(days=10), None),
        (MAY_3 + timedelta(days=30), cat.id),
    ]


def test_a_second_hand_over_on_the_day_takes_the_place_of_the_first(make: Make) -> None:
    party = make.party("204")
    ann, ben, cat = add(make, "Ann", EXTENSION), add(make, "Ben"), add(make, "Cat")
    for taker in (ben, cat):
        with make.session() as session:
            hand_over(session, EXTENSION, taker.id, MAY_3, actor_id=None)
            session.commit()
    assert holders(make, party) == [(EPOCH, ann.id), (MAY_3, cat.id)]


def test_the_audit_names_the_local_day(make: Make) -> None:
    """In summer a day of London begins at 23:00 of the day before in UTC."""
    day = datetime(2026, 5, 3, tzinfo=ZoneInfo("Europe/London"))
    add(make, "Ann", EXTENSION)
    ben = add(make, "Ben")
    for act in (
        lambda session: hand_over(session, EXTENSION, ben.id, day, actor_id=None),
        lambda session: take_turn_back(session, EXTENSION, day, actor_id=None),
    ):
        with make.session() as session:
            act(session)
            session.commit()
    with make.session() as session:
        words = [row.words for row in session.scalars(select(AuditDetail).order_by(AuditDetail.position))]
    told = [text for text in words if "Extension 204" in text]
    assert len(told) == 2 and all("3 May 2026" in text for text in told)


def test_nothing_is_handed_over_to_an_archived_one_or_to_whom_it_is(make: Make) -> None:
    ann, ben = add(make, "Ann", EXTENSION), add(make, "Ben")
    with make.session() as session:
        archive(session, ben.id, actor_id=None)
        session.commit()
    for to_id, words in ((ben.id, "Ben is archived"), (ann.id, "It is so already")):
        with make.session() as session, pytest.raises(Refused, match=words):
            hand_over(session, EXTENSION, to_id, MAY_3, actor_id=None)
    with make.session() as session, pytest.raises(NotFound):
        hand_over(session, EXTENSION, 1, MAY_3, actor_id=None)
    with make.session() as session, pytest.raises(NotFound):
        take_turn_back(session, EXTENSION, MAY_3, actor_id=None)


@pytest.mark.postgresql
def test_what_somebody_else_stored_meanwhile_counts(make: Make) -> None:
    """A form was filled from patterns that have changed since: under the lock they are read anew. (On SQLite a session
    that writes has had the lock since it began.)
    """
    add(make, "Ann", EXTENSION)
    ben = add(make, "Ben")
    with make.session() as session:
        seen = session.scalars(select(DestinationPattern)).all()
        with make.session() as other:
            hand_over(other, EXTENSION, ben.id, EPOCH, actor_id=None)
            other.commit()
        with pytest.raises(Refused, match="Extension 204 is Ben already"):
            add_destination(session, Described(DestinationKind.PERSON, "Cat", (EXTENSION,)), actor_id=None)
        assert [row.destination_id for row in seen] == [ben.id]


def test_a_pattern_that_was_given_up_begins_now_for_the_next_one(make: Make) -> None:
    party = make.party("204")
    ann = add(make, "Ann", EXTENSION)
    with make.session() as session:
        hand_over(session, EXTENSION, None, MAY_3, actor_id=None)
        session.commit()
    before = now()
    ben = add(make, "Ben", EXTENSION)
    first, gap, last = holders(make, party)
    assert (first, gap) == ((EPOCH, ann.id), (MAY_3, None))
    assert last[1] == ben.id and before <= last[0] <= now()


def take_off(make: Make, destination: Destination) -> None:
    with make.session() as session:
        stored = session.get_one(Destination, (session.organization_id, destination.id))
        nothing = Described(stored.kind, stored.name, ())
        change_destination(session, stored.id, stored.version, nothing, actor_id=None)
        session.commit()


def test_what_is_taken_off_goes_to_nobody_where_somebody_else_had_it(make: Make) -> None:
    """Ann had it until 3 May: that Ben's line was wrong gives her none of his calls."""
    party = make.party("204")
    ann, ben = add(make, "Ann", EXTENSION), add(make, "Ben")
    with make.session() as session:
        hand_over(session, EXTENSION, ben.id, MAY_3, actor_id=None)
        session.commit()
    take_off(make, ben)
    assert holders(make, party) == [(EPOCH, ann.id), (MAY_3, None)]


def test_what_is_taken_off_was_wrong_where_nobody_else_had_it(make: Make) -> None:
    party = make.party("204")
    ann = add(make, "Ann", EXTENSION)
    for to_id, day in ((None, MAY_3), (ann.id, MAY_3 + timedelta(days=5))):
        with make.session() as session:
            hand_over(session, EXTENSION, to_id, day, actor_id=None)
            session.commit()
    take_off(make, ann)
    assert holders(make, party) == []
    with make.session() as session:
        assert session.scalars(select(DestinationPattern)).all() == []


def test_an_equal_pattern_is_refused_with_both_named(make: Make) -> None:
    add(make, "Ann", EXTENSION)
    with make.session() as session, pytest.raises(Refused, match="Extension 204 is Ann already"):
        add_destination(session, Described(DestinationKind.PERSON, "Ben", (EXTENSION,)), actor_id=None)


def test_the_longest_prefix_names_a_number_until_the_number_itself_is_named(make: Make) -> None:
    party = make.party("+441632960123")
    zone = add(make, "Fiction", Pattern(PatternKind.PREFIX, "44"), kind=DestinationKind.ZONE)
    town = add(make, "Town", Pattern(PatternKind.PREFIX, "441632"), kind=DestinationKind.ZONE)
    assert holders(make, party) == [(EPOCH, town.id)]

    number = Pattern(PatternKind.NUMBER, "441632960123")
    customer = add(make, "Tyne Valley", number, kind=DestinationKind.CUSTOMER)
    assert holders(make, party) == [(EPOCH, customer.id)]

    with make.session() as session:
        nobody = Described(DestinationKind.CUSTOMER, "Tyne Valley", ())
        change_destination(session, customer.id, customer.version, nobody, actor_id=None)
        change_destination(
            session,
            town.id,
            1,
            Described(DestinationKind.ZONE, "Town", (Pattern(PatternKind.PREFIX, "33"),)),
            actor_id=None,
        )
        session.commit()
    assert holders(make, party) == [(EPOCH, zone.id)]
