"""Test a number: how it is read, what meets it, who wins on a day, and why, in words."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.make import NOON, Make
from webapp.destinations.actions import Described, add_destination
from webapp.destinations.explaining import Explanation, Reading, explain
from webapp.destinations.matching import Pattern
from webapp.destinations.models import Destination, DestinationKind
from webapp.destinations.patterns import Plan, read_patterns
from webapp.destinations.turns import hand_over
from webapp.errors import Refused
from webapp.tenancy.sessions import reading_session

MAY_3 = datetime(2026, 5, 3, tzinfo=UTC)


@pytest.fixture
def plan(make: Make) -> Plan:
    return Plan("GB", {make.pbx(name).id: name for name in ("Head office", "Branch", "Depot")}, frozenset({3}))


def add(make: Make, plan: Plan, name: str, lines: str) -> Destination:
    with make.session() as session:
        described = Described(DestinationKind.CONTACT, name, tuple(read_patterns(lines, plan)))
        destination = add_destination(session, described, actor_id=None)
        session.commit()
    return destination


def ask(make: Make, plan: Plan, text: str, at: datetime = NOON) -> Explanation:
    with reading_session(make.database, make.organization.id) as session:
        return explain(session, text, plan, at)


def told(reading: Reading) -> list[tuple[str, str | None, bool]]:
    return [(each.spelt, each.destination and each.destination.name, each.wins) for each in reading.candidates]


def test_the_longest_prefix_wins_and_the_number_itself_before_it(make: Make, plan: Plan) -> None:
    add(make, plan, "Britain", "+44*")
    add(make, plan, "Town", "+44 1632*")
    [reading] = ask(make, plan, "01632 960123").readings
    assert reading.what == "The outside number 01632 960123 (+441632960123)"
    assert told(reading) == [("+44 1632*", "Town", True), ("+44*", "Britain", False)]
    assert reading.why == "+44 1632* is longer than +44*."
    assert reading.winner is reading.candidates[0]

    add(make, plan, "Tyne Valley", "01632 960123")
    [reading] = ask(make, plan, "+441632960123").readings
    assert told(reading)[0] == ("01632 960123", "Tyne Valley", True)
    assert reading.why == "The number itself comes before any prefix."


def test_the_extension_of_one_phone_system_comes_before_that_of_all(make: Make, plan: Plan) -> None:
    add(make, plan, "Ann", "204")
    assert [each.what for each in ask(make, plan, "204").readings] == ["Extension 204 at every phone system"]
    add(make, plan, "Ben", "204 at Branch")
    everywhere, branch = ask(make, plan, "204").readings
    assert everywhere.what == "Extension 204 at Head office, Depot"
    assert (told(everywhere), everywhere.why) == ([("204", "Ann", True)], "Nothing else names it at that time.")
    assert branch.what == "Extension 204 at Branch"
    assert told(branch) == [("204 at Branch", "Ben", True), ("204", "Ann", False)]
    assert branch.why == "204 at Branch comes before 204 of all phone systems."
    [alone] = ask(make, plan, "204 at Branch").readings
    assert (alone.what, told(alone), alone.why) == (branch.what, told(branch), branch.why)


def test_what_is_nobody_s_on_that_day_is_passed_over(make: Make, plan: Plan) -> None:
    add(make, plan, "Britain", "+44*")
    town = add(make, plan, "Town", "+44 1632*")
    [prefix] = read_patterns("+44 1632*", plan)
    give(make, prefix, None)
    [before] = ask(make, plan, "01632 960123", MAY_3 - timedelta(milliseconds=1)).readings
    [after] = ask(make, plan, "01632 960123", MAY_3).readings
    assert before.winner is not None and before.winner.destination is not None
    assert before.winner.destination.id == town.id
    assert told(after) == [("+44 1632*", None, False), ("+44*", "Britain", True)]
    assert after.why == "+44 1632* is nobody's at that time, so it is passed over. Nothing else names it at that time."


def test_whose_it_becomes_before_the_end_is_told(make: Make, plan: Plan) -> None:
    add(make, plan, "Britain", "+44*")
    tyne = add(make, plan, "Tyne Valley", "01632 960123")
    noon, [number] = MAY_3 + timedelta(hours=12), read_patterns("01632 960123", plan)
    with make.session() as session:
        hand_over(session, number, None, noon, actor_id=None)
        hand_over(session, number, tyne.id, noon + timedelta(days=1), actor_id=None)
        session.commit()
    with reading_session(make.database, make.organization.id) as session:
        [reading] = explain(session, "01632 960123", plan, MAY_3, MAY_3 + timedelta(days=1)).readings
        [at_noon] = explain(session, "01632 960123", plan, noon).readings
    assert reading.winner is not None
    assert reading.winner.spelt == "01632 960123"
    assert [(each.at, each.destination and each.destination.name) for each in reading.changes] == [(noon, "Britain")]
    assert (told(at_noon)[1], at_noon.changes) == (("+44*", "Britain", True), ())


def give(make: Make, pattern: Pattern, to_id: int | None) -> None:
    with make.session() as session:
        hand_over(session, pattern, to_id, MAY_3, actor_id=None)
        session.commit()


def test_what_nothing_names(make: Make, plan: Plan) -> None:
    [reading] = ask(make, plan, "01632 960123").readings
    assert (reading.candidates, reading.winner, reading.why) == ((), None, "Nothing names it.")
    add(make, plan, "Town", "+44 1632*")
    give(make, read_patterns("+44 1632*", plan)[0], None)
    [reading] = ask(make, plan, "01632 960123").readings
    assert (reading.winner, reading.why) == (None, "What would name it is nobody's at that time.")


def test_without_a_phone_system_an_extension_is_one_of_all(make: Make) -> None:
    plan = Plan("GB", {}, frozenset())
    add(make, plan, "Ann", "204")
    [reading] = ask(make, plan, "204").readings
    assert (reading.what, told(reading)) == ("Extension 204", [("204", "Ann", True)])


@pytest.mark.parametrize(
    ("text", "words"),
    [("+44 1632*", "Type a whole number"), ("hello there", "is no extension"), ("", "is no extension")],
)
def test_what_is_no_number_is_refused(make: Make, plan: Plan, text: str, words: str) -> None:
    with pytest.raises(Refused, match=words) as refusal:
        ask(make, plan, text)
    assert refusal.value.field == "number"
