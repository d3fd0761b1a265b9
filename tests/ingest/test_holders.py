"""Parties that are new with an import are at once whose the patterns say; what goes takes its holders with it."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.cast import Cast
from tests.ingest.importing import Importing, asterisk_row
from webapp.clock import from_ms
from webapp.database.bulk import BulkTransaction
from webapp.database.engine import Database
from webapp.destinations.actions import Described, add_destination
from webapp.destinations.matching import Pattern
from webapp.destinations.models import DestinationKind, Party, PartyHolder, PatternKind
from webapp.destinations.turns import hand_over
from webapp.tenancy.sessions import writing_session

MAY_3 = datetime(2026, 5, 3, tzinfo=UTC)
ALWAYS = from_ms(0)
LONDON = Pattern(PatternKind.PREFIX, "4420")
CALLER = Pattern(PatternKind.NUMBER, "442079460123")
EXTENSION = Pattern(PatternKind.EXTENSION, "201")


def name(harbour: Importing, title: str, *patterns: Pattern) -> int:
    with writing_session(harbour.database, harbour.organization.id) as session:
        destination = add_destination(session, Described(DestinationKind.PERSON, title, patterns), actor_id=None)
        session.commit()
    return destination.id


def held(harbour: Importing) -> dict[str | None, list[tuple[datetime, int | None]]]:
    """By number: from when on it is whose."""
    found: dict[str | None, list[tuple[datetime, int | None]]] = {}
    for row in sorted(harbour.all(PartyHolder), key=lambda row: row.from_at):
        found.setdefault(harbour.number(row.party_id), []).append((row.from_at, row.destination_id))
    return found


def test_new_parties_have_their_holders_with_the_import(harbour: Importing) -> None:
    london, caller, ann, ben = (
        name(harbour, "London", LONDON),
        name(harbour, "Tyne Valley", CALLER),
        name(harbour, "Ann", EXTENSION),
        name(harbour, "Ben"),
    )
    with writing_session(harbour.database, harbour.organization.id) as session:
        hand_over(session, EXTENSION, ben, MAY_3, actor_id=None)
        session.commit()
    harbour.load(harbour.pbx(), asterisk_row())
    assert held(harbour) == {
        "+442079460123": [(ALWAYS, caller)],
        "+442079460100": [(ALWAYS, london)],
        "201": [(ALWAYS, ann), (MAY_3, ben)],
    }
    harbour.check()


def test_a_pattern_of_one_phone_system_is_not_for_another(harbour: Importing) -> None:
    head, branch = harbour.pbx(), harbour.pbx()
    ann = name(harbour, "Ann", Pattern(PatternKind.EXTENSION, "201", branch))
    harbour.load(head, asterisk_row())
    assert held(harbour) == {}
    harbour.load(branch, asterisk_row())
    [row] = harbour.all(PartyHolder)
    assert row.destination_id == ann
    [party] = [party for party in harbour.all(Party) if party.id == row.party_id]
    assert party.pbx_id == branch


def test_an_undo_takes_the_holders_of_the_parties_that_go(harbour: Importing) -> None:
    ann = name(harbour, "Ann", EXTENSION, LONDON)
    file = harbour.load(harbour.pbx(), asterisk_row())
    assert {held for turns in held(harbour).values() for _, held in turns} == {ann}
    harbour.undo(file.id)
    assert harbour.all(Party) == [] == harbour.all(PartyHolder)


def test_patterns_of_another_organization_name_nobody_here(harbour: Importing, database: Database, cast: Cast) -> None:
    name(Importing(database, cast.quayside), "Theirs", LONDON, EXTENSION)
    harbour.load(harbour.pbx(), asterisk_row())
    assert harbour.all(PartyHolder) == []


@pytest.mark.parametrize(("named", "statements"), [(False, 1), (True, 2)])
def test_what_an_import_asks_for_patterns(
    harbour: Importing, monkeypatch: pytest.MonkeyPatch, named: bool, statements: int
) -> None:
    """Where nobody has named anything: one row, in batches with new parties alone. Else one more statement a batch."""
    if named:
        name(harbour, "London", LONDON)
    monkeypatch.setattr("webapp.ingest.importer._FIRST_BATCH", 20)
    monkeypatch.setattr("webapp.ingest.importer._LARGEST_BATCH", 20)
    asked: list[str] = []
    for reading in ("rows", "rows_in"):
        monkeypatch.setattr(BulkTransaction, reading, noting(getattr(BulkTransaction, reading), asked))
    harbour.load(harbour.pbx(), b"".join(asterisk_row(unique=f"17841168{turn}.1") for turn in range(10, 70)))
    assert len(harbour.calls()) == 60
    assert sum("destination_pattern" in sql for sql in asked) == statements


def noting(real: Callable[..., Any], asked: list[str]) -> Callable[..., Any]:
    def noted(self: BulkTransaction, sql: str, *values: Any) -> Any:
        asked.append(sql)
        return real(self, sql, *values)

    return noted
