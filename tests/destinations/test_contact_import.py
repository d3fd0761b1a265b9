"""What the look at a file of contacts promises is what storing does, line for line, whatever stands in the file."""

import io
import random
from collections.abc import Iterator

import pytest
from sqlalchemy import delete, func, select

from tests.destinations.test_people_pages import EXTENSION, NUMBER, add
from tests.make import Make
from webapp.audit.models import AuditEvent
from webapp.destinations.contact_import import Batch, Tally
from webapp.destinations.contact_known import Directory
from webapp.destinations.contact_rows import BadContact, Contact, read_contacts
from webapp.destinations.holders import write_holders
from webapp.destinations.listing import list_members, list_patterns
from webapp.destinations.matching import Pattern
from webapp.destinations.models import Destination, DestinationKind, DestinationPattern, PartyHolder, PatternKind
from webapp.destinations.patterns import Plan
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.members import hold_organization
from webapp.tenancy.sessions import reading_session

Line = Contact | BadContact
Outcome = tuple[str, str]
PLAN = Plan("GB", {}, frozenset({3}))


class Told(Tally):
    """Keeps what became of each line, in order: which count went up, and why it was refused."""

    outcomes: list[Outcome]

    def __init__(self) -> None:
        self.outcomes = []
        super().__init__()

    def __setattr__(self, name: str, value: object) -> None:
        if name in ("added", "changed", "same") and value:
            self.outcomes.append((name, ""))
        super().__setattr__(name, value)

    def refuse(self, line: BadContact) -> None:
        self.outcomes.append(("refused", line.reason))
        super().refuse(line)


def lines_of(text: str) -> list[Line]:
    return list(read_contacts(io.BytesIO(text.encode()), PLAN))


def batches(lines: list[Line], at_once: int) -> Iterator[list[Line]]:
    return (lines[start : start + at_once] for start in range(0, len(lines), at_once))


def look(make: Make, lines: list[Line], at_once: int) -> list[Outcome]:
    told = Told()
    with reading_session(make.database, make.organization.id) as session:
        directory = Directory(session)
    for some in batches(lines, at_once):
        with reading_session(make.database, make.organization.id) as session:
            Batch(session, directory, some).look(told)
    return told.outcomes


def store(make: Make, lines: list[Line], at_once: int) -> list[Outcome]:
    told = Told()
    with make.session() as session:
        directory = Directory(session)
    for some in batches(lines, at_once):
        with make.session() as session:
            hold_organization(session)
            Batch(session, directory, some).store(told, None)
            session.commit()
    return told.outcomes


def both(make: Make, text: str, at_once: int = 3) -> list[Outcome]:
    """What becomes of each line, which the look has said before."""
    lines = lines_of(text)
    promised = look(make, lines, at_once)
    assert store(make, lines, at_once) == promised
    return promised


def of(make: Make, name: str) -> Destination:
    with make.session() as session:
        return session.scalars(select(Destination).where(Destination.name == name)).one()


def people_of(make: Make, team: str) -> list[str]:
    with make.session() as session:
        return [each.name for each in list_members(session, of(make, team).id)]


@pytest.mark.parametrize("at_once", [1, 2, 100])
def test_a_team_finds_its_people_in_the_same_file(make: Make, at_once: int) -> None:
    outcomes = both(
        make,
        "name,kind,patterns,members\n"
        "Early,team,,Ann\n"
        "Ann,person,204,\n"
        "Ben,,205,\n"
        "Crew,team,,ann; Ben\n"
        "Crew,,,Ann\n"
        "Ann,,,Ben\n",
        at_once,
    )
    assert [each for each, _why in outcomes] == ["refused", "added", "added", "added", "same", "refused"]
    assert outcomes[0][1] == "There is no person called Ann. Import the people first, then their teams."
    assert outcomes[5][1] == "Only a team has people. Write Team as its kind, or leave its people out."
    assert people_of(make, "Crew") == ["Ann", "Ben"]


@pytest.mark.parametrize("at_once", [1, 100])
def test_lines_build_upon_the_lines_before(make: Make, at_once: int) -> None:
    add(make, "Ann", EXTENSION)
    outcomes = both(
        make,
        "name,kind,patterns,note,colour\n"
        "Ann,,,by the quay,\n"
        "Ann,,,by the quay,\n"
        "Rome,,,,\n"
        "Rome,zone,,,\n"
        "Rome,zone,+39*,,\n"
        "Rome,,,far,\n"
        "New,,01632 960123,,blue\n"
        "NEW,,,,blue\n"
        "Ann,,01632 960123,,\n",
        at_once,
    )
    found = [each for each, _why in outcomes]
    assert found == ["changed", "same", "added", "refused", "changed", "changed", "added", "same", "refused"]
    assert of(make, "Ann").note == "by the quay"
    assert (of(make, "Rome").kind, of(make, "Rome").note) == (DestinationKind.ZONE, "far")


@pytest.mark.parametrize("at_once", [1, 2, 100])
def test_who_is_no_person_any_more_is_of_no_team(make: Make, at_once: int) -> None:
    ann, ben = add(make, "Ann"), add(make, "Ben")
    add(make, "Crew", kind=DestinationKind.TEAM, members=frozenset({ann.id, ben.id}))
    outcomes = both(
        make,
        "name,kind,members\nAnn,customer,\nCrew,,Ann\nAnn,person,\nCrew,,Ann\nCrew,,Ben\nBen,supplier,\n",
        at_once,
    )
    assert [each for each, _why in outcomes] == ["changed", "refused", "changed", "changed", "same", "changed"]
    assert people_of(make, "Crew") == ["Ann"]


def test_a_team_cannot_be_one_of_its_people_nor_one_of_two(make: Make) -> None:
    add(make, "Ann")
    add(make, "Twin")
    add(make, "twin")
    outcomes = both(make, "name,kind,members\nAnn,team,Ann\nCrew,team,Twin\nSales,team,Ann\n")
    assert outcomes == [
        ("refused", "It cannot be one of its own people."),
        ("refused", "More than one person is called Twin, so it is not clear who is meant."),
        ("added", ""),
    ]


def mixed(chance: random.Random, lines: int) -> str:
    """Doubles, formulas, teams and their people, numbers that two want, and lines that are none."""
    names = [f"Person {turn}" for turn in range(lines // 8)] + ["=1+1", "Twin", "Crew", "crew", "Zone", "x" * 81]
    numbers = [str(turn) for turn in range(200, 200 + lines // 8)] + ["+44 1632*", "01632 960123", "nonsense!", ""]
    kinds = ["", "", "", "person", "team", "customer", "zone", "boat"]
    rows = ["name,kind,patterns,colour,note,members"]
    for _ in range(lines):
        cells = [
            chance.choice(names),
            chance.choice(kinds),
            "; ".join(chance.choice(numbers) for _ in range(chance.randrange(3))),
            chance.choice(["", "", "blue", "red"]),
            chance.choice(["", "", "@SUM(A1)", "a note"]),
            "; ".join(chance.choice(names[:4]) for _ in range(chance.choice([0, 0, 0, 1, 2]))),
        ]
        rows.append(rows[-1] if len(rows) > 1 and chance.random() < 0.2 else ",".join(cells))
    return "\n".join(rows)


@pytest.mark.parametrize("seed", range(6))
def test_the_look_and_the_storing_of_a_mixed_file_agree_line_for_line(make: Make, seed: int) -> None:
    chance = random.Random(seed)
    ben, twin = add(make, "Ben", EXTENSION, NUMBER), add(make, "Twin")
    add(make, "twin", kind=DestinationKind.CUSTOMER)
    add(make, "Zone", Pattern(PatternKind.PREFIX, "33"), kind=DestinationKind.ZONE)
    add(make, "Crew", kind=DestinationKind.TEAM, members=frozenset({ben.id, twin.id}))
    make.party("+441632960999")
    outcomes = both(make, mixed(chance, 120), chance.choice([1, 7, 40, 500]))
    assert len(outcomes) == 120
    assert {each for each, _why in outcomes} == {"added", "changed", "same", "refused"}
    check_stored(make)


def check_stored(make: Make) -> None:
    """Each pattern is one destination's, teams consist of persons, and whose the parties are is as it is worked out."""
    with make.session() as session:
        patterns = session.scalars(select(DestinationPattern)).all()
        assert len(patterns) == len({each.pattern_key for each in patterns})
        for team in session.scalars(select(Destination).where(Destination.kind == DestinationKind.TEAM)):
            assert {each.kind for each in list_members(session, team.id)} <= {DestinationKind.PERSON}
        zones = session.scalars(select(Destination.id).where(Destination.kind == DestinationKind.ZONE)).all()
        assert all(list_patterns(session, zones).values())
        holders = held(session)
        session.execute(delete(PartyHolder))
        write_holders(session, [Pattern(each.kind, each.digits, each.pbx_id) for each in patterns])
        assert held(session) == holders


def held(session: LockedSession) -> list[tuple[int, int | None]]:
    holders = session.scalars(select(PartyHolder).order_by(PartyHolder.party_id, PartyHolder.from_at))
    return [(each.party_id, each.destination_id) for each in holders]


def test_a_file_that_was_stored_changes_nothing_more(make: Make) -> None:
    text = "name,kind,patterns,note,members\nAnn,,204,=1+1,\nCrew,team,,,Ann\nTyne,customer,01632 960123,,\n"
    assert both(make, text) == [("added", "")] * 3
    assert both(make, text) == [("same", "")] * 3


def test_each_one_that_is_changed_is_in_the_audit(make: Make) -> None:
    ann, ben = add(make, "Ann"), add(make, "Ben")
    both(make, "name,note\nAnn,one\nBen,two\nAnn,three\nNew,four\nBen,two\n", 100)
    with make.session() as session:
        told = select(AuditEvent.object_id).where(AuditEvent.kind == "destination.changed")
        assert sorted(session.scalars(told), key=str) == sorted([ann.id, ben.id], key=str)
        assert session.scalar(select(func.count(Destination.id))) == 3
    assert (of(make, "Ann").version, of(make, "Ann").note) == (2, "three")
