"""Hand-over: a pattern passes from one destination to another on a day, and party_holder follows by one row."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from tests.make import EPOCH, Make
from webapp.destinations.actions import Described, add_destination, change_destination
from webapp.destinations.matching import Pattern
from webapp.destinations.models import Destination, DestinationKind, Party, PartyHolder, PatternKind
from webapp.destinations.turns import hand_over, take_turn_back
from webapp.errors import Refused

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
