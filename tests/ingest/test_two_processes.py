"""Two importers at the same time, in real processes: calls and totals are exactly right, whoever comes first."""

from collections import Counter

import pytest

from tests.cast import Cast
from tests.ingest.importing import Importing, asterisk_row, ring_all_row
from tests.ingest.processes import Processes, processes  # noqa: F401 - a fixture
from webapp.calls.models import CallRecord, ImportState
from webapp.calls.outcomes import Outcome
from webapp.database.engine import Database
from webapp.destinations.models import DestinationPattern, PartyHolder


def halves() -> tuple[bytes, bytes]:
    """60 calls, of each the row of the phone that lost in one file and of the one that answered in the other."""
    files: list[list[bytes]] = [[], []]
    for turn in range(60):
        for half, extension in enumerate(("202", "203")):
            row = ring_all_row(f"{1784116800 + turn}.{turn}", 2 * turn + half, extension, half == 1, minute=turn)
            files[half].append(row)
    return b"".join(files[0]), b"".join(reversed(files[1]))


def plain_rows(count: int) -> list[bytes]:
    return [asterisk_row(unique=f"{1784120000 + turn}.{turn}", sequence=turn) for turn in range(count)]


def run_together(processes: Processes, harbour: Importing, *orders: tuple[str, int]) -> None:  # noqa: F811
    children = [processes.start(do, harbour, id_) for do, id_ in orders]
    assert [processes.wait(child) for child in children] == [0] * len(orders)


def test_of_one_phone_system(harbour: Importing, processes: Processes) -> None:  # noqa: F811
    for _ in range(3):
        pbx = harbour.pbx()
        ids = [harbour.queue(pbx, half) for half in halves()]
        run_together(processes, harbour, *(("import", id_) for id_ in ids))
        results = [harbour.result(id_) for id_ in ids]
        assert [(result.state, result.stored_count) for result in results] == [(ImportState.DONE, 60)] * 2
        calls = [call for call in harbour.calls() if call.pbx_id == pbx]
        assert len(calls) == 60 == sum(result.call_count for result in results)
        assert {(call.outcome, call.record_count, call.talk_seconds) for call in calls} == {(Outcome.ANSWERED, 2, 20)}
    harbour.check()


def test_of_two_phone_systems_with_the_same_numbers(harbour: Importing, processes: Processes) -> None:  # noqa: F811
    ids = [harbour.queue(harbour.pbx(), b"".join(plain_rows(300))) for _ in range(2)]
    run_together(processes, harbour, *(("import", id_) for id_ in ids))
    assert [harbour.result(id_).call_count for id_ in ids] == [300, 300]
    assert len(harbour.calls()) == 600
    harbour.check()


def test_of_two_organizations(database: Database, cast: Cast, processes: Processes) -> None:  # noqa: F811
    places = [Importing(database, organization) for organization in (cast.harbour, cast.quayside)]
    ids = [place.queue(place.pbx(), b"".join(plain_rows(300))) for place in places]
    children = [processes.start("import", place, id_) for place, id_ in zip(places, ids, strict=True)]
    assert [processes.wait(child) for child in children] == [0, 0]
    for place in places:
        assert len(place.calls()) == 300
        place.check()


def test_of_overlapping_files(harbour: Importing, processes: Processes) -> None:  # noqa: F811
    pbx, rows = harbour.pbx(), plain_rows(400)
    ids = [harbour.queue(pbx, b"".join(rows[:300])), harbour.queue(pbx, b"".join(rows[100:]))]
    run_together(processes, harbour, *(("import", id_) for id_ in ids))
    results = [harbour.result(id_) for id_ in ids]
    assert sum(result.stored_count for result in results) == 400 == len(harbour.calls())
    assert sum(result.duplicate_count for result in results) == 200
    harbour.check()


def test_one_import_taken_up_twice(harbour: Importing, processes: Processes) -> None:  # noqa: F811
    """A worker that was taken for dead wakes up while another goes on: nothing is counted twice."""
    import_file_id = harbour.queue(harbour.pbx(), b"no call\n" * 60 + b"".join(plain_rows(300)))
    run_together(processes, harbour, *[("import", import_file_id)] * 3)
    result = harbour.run(import_file_id)  # where each left off to the other, it is taken up again like any
    assert (result.state, result.read_count, result.stored_count, result.refused_count) == (
        ImportState.DONE,
        360,
        300,
        60,
    )
    assert len(harbour.calls()) == 300
    harbour.check()


@pytest.mark.parametrize("turn", range(2))
def test_an_undo_beside_an_import_of_the_same_rows(
    harbour: Importing,
    processes: Processes,  # noqa: F811
    turn: int,
) -> None:
    pbx, rows = harbour.pbx(), plain_rows(300)
    first = harbour.load(pbx, b"".join(rows[:200]))
    second = harbour.queue(pbx, b"".join(rows[100:]))
    harbour.change(first.id, state=ImportState.UNDOING)
    orders = [("undo", first.id), ("import", second)]
    run_together(processes, harbour, *(orders if turn else reversed(orders)))
    assert harbour.result(first.id).state == ImportState.UNDONE
    after = harbour.result(second)
    assert (after.state, after.read_count, after.stored_count, after.duplicate_count) == (ImportState.DONE, 200, 200, 0)
    assert {record.import_file_id for record in harbour.all(CallRecord)} == {second}
    assert len(harbour.calls()) == 200
    harbour.check()


def test_patterns_that_are_stored_beside_an_import_of_new_numbers(
    harbour: Importing,
    processes: Processes,  # noqa: F811
) -> None:
    """No party is left without its holder, whoever comes first: the pattern finds it, or it finds the pattern."""
    rows = [
        asterisk_row(unique=f"1784120000.{turn}", sequence=turn, source=f"0207946{turn:04d}") for turn in range(300)
    ]
    import_file_id = harbour.queue(harbour.pbx(), b"".join(rows))
    run_together(processes, harbour, ("name", 0), ("import", import_file_id))
    assert harbour.result(import_file_id).stored_count == 300
    prefixes = {row.pattern_key: row.destination_id for row in harbour.all(DestinationPattern)}
    assert len(prefixes) == 10
    held = Counter(row.destination_id for row in harbour.all(PartyHolder))
    assert held[prefixes["+44207946000*"]] == 10
    harbour.check()


def test_reading_again_beside_an_import(harbour: Importing, processes: Processes) -> None:  # noqa: F811
    pbx = harbour.pbx()
    first, second = halves()
    harbour.load(pbx, first + b"".join(plain_rows(100)))
    import_file_id = harbour.queue(pbx, second)
    run_together(processes, harbour, ("read again", pbx), ("import", import_file_id))
    assert len(harbour.calls()) == 160
    assert sorted(call.record_count for call in harbour.calls()) == [1] * 100 + [2] * 60
    harbour.check()
