"""Whose the parties are, after a change of many patterns or of one that meets many parties."""

import pytest
from sqlalchemy import select

from tests.cast import Cast
from tests.make import NOON, Make
from webapp.calls.phone_systems import list_phone_systems
from webapp.destinations import holders, plans
from webapp.destinations.actions import Described, add_destination, change_destination
from webapp.destinations.matching import Pattern
from webapp.destinations.models import Destination, DestinationKind, Party, PartyHolder, PatternKind


def prefix(digits: str) -> Pattern:
    return Pattern(PatternKind.PREFIX, digits)


def add(make: Make, name: str, *patterns: Pattern) -> Destination:
    with make.session() as session:
        destination = add_destination(session, Described(DestinationKind.CONTACT, name, patterns), actor_id=None)
        session.commit()
    return destination


def held(make: Make) -> dict[str, int | None]:
    with make.session() as session:
        digits = {party.id: party.digits for party in session.scalars(select(Party))}
        return {digits[row.party_id]: row.destination_id for row in session.scalars(select(PartyHolder))}


@pytest.fixture(autouse=True, params=["by key", "by what they are"])
def few_keys_at_once(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Of few parties the patterns are asked for by key, and extensions where the phone systems are known."""
    by_key = request.param == "by key"
    monkeypatch.setattr(holders, "_CHUNK", 3)
    monkeypatch.setattr(holders, "_FEW", 200 if by_key else 0)
    monkeypatch.setattr(plans, "_readers", {"phone systems": list_phone_systems} if by_key else {})


def test_a_prefix_names_what_begins_so_and_nothing_else(make: Make, cast: Cast) -> None:
    inside = ["4416329", "441632960123", "441632999999999"]
    for digits in (*inside, "44163", "441631999999", "441633000000", "4417", "9441632960"):
        make.party(f"+{digits}")
    make.party("4416325")  # an extension with such digits is none
    make.at(cast.quayside).party("+441632960123")
    town = add(make, "Town", prefix("441632"))
    assert held(make) == dict.fromkeys(inside, town.id)
    assert held(make.at(cast.quayside)) == {}


def test_a_prefix_leaves_what_a_longer_one_or_the_number_itself_names(make: Make) -> None:
    for digits in ("441632960123", "441632960124", "441632700000"):
        make.party(f"+{digits}")
    number = add(make, "Number", Pattern(PatternKind.NUMBER, "441632960123"))
    longer = add(make, "Longer", prefix("4416329"))
    shorter = add(make, "Shorter", prefix("441632"))
    expected = {"441632960123": number.id, "441632960124": longer.id, "441632700000": shorter.id}
    assert held(make) == expected
    with make.session() as session:
        described = Described(DestinationKind.CONTACT, "Shorter", (prefix("44163"),))
        change_destination(session, shorter.id, 1, described, actor_id=None)
        session.commit()
    assert held(make) == expected


def test_many_patterns_at_once_come_and_go(make: Make) -> None:
    numbers = [f"44163296{turn:04d}" for turn in range(10)]
    extensions = [str(turn) for turn in range(201, 211)]
    for digits in numbers:
        make.party(f"+{digits}")
    for digits in extensions:
        make.party(digits)
    patterns = [Pattern(PatternKind.NUMBER, digits) for digits in numbers]
    patterns += [Pattern(PatternKind.EXTENSION, digits) for digits in extensions]
    someone = add(make, "Someone", *patterns)
    assert held(make) == dict.fromkeys([*numbers, *extensions], someone.id)
    with make.session() as session:
        described = Described(DestinationKind.CONTACT, "Someone", (patterns[0],))
        change_destination(session, someone.id, 1, described, actor_id=None)
        session.commit()
    assert held(make) == {numbers[0]: someone.id}


def test_an_extension_is_named_at_every_phone_system_or_at_one(make: Make, cast: Cast) -> None:
    office, branch, closed = make.pbx("Head office"), make.pbx("Branch"), make.pbx("Old", closed_at=NOON)
    parties = {pbx.id: make.party("204", pbx=pbx).id for pbx in (office, branch, closed)}
    make.at(cast.quayside).party("204")
    make.party("+442079460204")
    everywhere = add(make, "Everywhere", Pattern(PatternKind.EXTENSION, "204"))
    one = add(make, "One", Pattern(PatternKind.EXTENSION, "204", branch.id))
    with make.session() as session:
        found = {row.party_id: row.destination_id for row in session.scalars(select(PartyHolder))}
    assert found == {
        parties[office.id]: everywhere.id,
        parties[branch.id]: one.id,
        parties[closed.id]: everywhere.id,
    }


def test_what_stays_as_it_is_is_not_written_again(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    make.party("204")
    ann = add(make, "Ann", Pattern(PatternKind.EXTENSION, "204"))
    written: list[int] = []
    monkeypatch.setattr(holders, "insert_rows", lambda _session, _mapped, _columns, rows: written.append(len(rows)))
    with make.session() as session:
        described = Described(DestinationKind.CONTACT, "Renamed", (Pattern(PatternKind.EXTENSION, "204"),))
        change_destination(session, ann.id, 1, described, actor_id=None)
        assert holders.write_holders(session, [Pattern(PatternKind.EXTENSION, "204")]) == 0
        session.commit()
    assert written == [0]
