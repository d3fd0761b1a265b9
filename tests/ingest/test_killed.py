"""kill -9 at any moment: what was begun is finished by whoever takes it up, and nobody can tell afterwards.

Real processes, killed before a step in the database that a fixed seed chooses: a BEGIN, a statement, a COMMIT.
"""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cast import Cast
from tests.conftest import NUMBER_KEY
from tests.ingest.faults import Steps
from tests.ingest.importing import Importing, asterisk_row, ring_all_row
from tests.ingest.processes import KILLED, Processes, processes  # noqa: F401 - a fixture
from webapp.calls.models import CallRecord, ImportFile, ImportState, Pbx, RejectedLine
from webapp.clock import now
from webapp.database.engine import Database
from webapp.ingest import importer
from webapp.ingest.reread import read_again
from webapp.ingest.undo import undo_import
from webapp.tenancy.sessions import writing_session

PARALLEL = Path(__file__).parents[1] / "data" / "readers" / "asterisk_cdr_csv" / "master_18col_parallel.csv"
KILLS = 10
COUNTS = ("state", "read_count", "stored_count", "duplicate_count", "skipped_count", "refused_count", "call_count")


def content() -> bytes:
    """Calls of one row and of several, rows of one call far apart, lines that are none, a row that comes again."""
    rings = [
        ring_all_row(f"{1784116800 + turn}.{turn}", 10 * turn + phone, str(201 + phone), phone == 1, minute=turn)
        for phone in range(3)
        for turn in range(20)
    ]
    again = asterisk_row(unique="1784116899.99") + asterisk_row(unique="1784116899.99", billsec=100)
    return b"no call\n" + PARALLEL.read_bytes() + b"".join(rings) + again + b"nor,this\n" * 30


@pytest.fixture
def quayside(database: Database, cast: Cast) -> Importing:
    """Where the same is done undisturbed."""
    return Importing(database, cast.quayside)


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importer, "_FIRST_BATCH", 20)
    monkeypatch.setattr(importer, "_LARGEST_BATCH", 20)


def counts(file: ImportFile) -> tuple[object, ...]:
    return tuple(getattr(file, name) for name in COUNTS)


def moments(steps: int, seed: int) -> Iterator[int]:
    """At which step each of ten processes dies: some early, some late, each a bit further than the work left."""
    chosen = random.Random(seed)
    for turn in range(KILLS):
        yield chosen.randint(1, max(2, 2 * steps // (KILLS - turn // 2)))


def steps_of(database: Database, work: object) -> int:
    with Steps(lambda _steps: None).install(database) as steps:
        work()  # type: ignore[operator]
        return steps.number


@pytest.mark.parametrize("seed", [1, 2])
def test_an_import(
    harbour: Importing,
    quayside: Importing,
    processes: Processes,  # noqa: F811
    small_batches: None,
    seed: int,
) -> None:
    undisturbed = quayside.queue(quayside.pbx(), content())
    steps = steps_of(quayside.database, lambda: quayside.run(undisturbed))
    killed = harbour.queue(harbour.pbx(), content())
    for die_at in moments(steps, seed):
        assert processes.wait(processes.start("import", harbour, killed, die_at=die_at)) in (KILLED, 0)
        harbour.check()
    assert processes.wait(processes.start("import", harbour, killed)) == 0
    assert counts(harbour.result(killed)) == counts(quayside.result(undisturbed))
    assert harbour.told() == quayside.told()
    assert len(harbour.all(RejectedLine)) == len(quayside.all(RejectedLine)) == harbour.result(killed).refused_count
    harbour.check()


def test_an_undo(harbour: Importing, quayside: Importing, processes: Processes) -> None:  # noqa: F811
    lines = content().splitlines(keepends=True)
    for here in (harbour, quayside):
        pbx = here.pbx()
        first = here.load(pbx, b"".join(lines[:200]))
        here.load(pbx, b"".join(lines[100:]))
        here.change(first.id, state=ImportState.UNDOING)
    [undisturbed, same] = sorted(quayside.all(ImportFile), key=lambda file: file.id)
    [killed, other] = sorted(harbour.all(ImportFile), key=lambda file: file.id)

    def undo() -> None:
        undo_import(quayside.database, NUMBER_KEY, quayside.organization.id, undisturbed.id)

    steps = steps_of(quayside.database, undo)
    for die_at in moments(steps, seed=3):
        assert processes.wait(processes.start("undo", harbour, killed.id, die_at=die_at)) in (KILLED, 0)
        harbour.check()
    assert processes.wait(processes.start("undo", harbour, killed.id)) == 0
    assert harbour.result(killed.id).state == ImportState.UNDONE
    assert harbour.told() == quayside.told()
    assert {record.import_file_id for record in harbour.all(CallRecord)} == {other.id}
    assert len(harbour.all(RejectedLine)) == len(quayside.all(RejectedLine)) == harbour.result(other.id).refused_count
    assert counts(harbour.result(other.id)) == counts(quayside.result(same.id)) != counts(other)
    harbour.check()


def test_reading_again(harbour: Importing, quayside: Importing, processes: Processes) -> None:  # noqa: F811
    systems = {}
    for here in (harbour, quayside):
        systems[here] = here.pbx(lines=None)
        here.load(systems[here], content())
        with writing_session(here.database, here.organization.id) as session:
            row = session.get_one(Pbx, (here.organization.id, systems[here]))
            row.outside_lines, row.extension_digits, row.answered_at = (
                '["PJSIP/provider", "SIP/provider"]',
                "3,4",
                now(),
            )
            session.commit()
    before = harbour.told()

    def again() -> None:
        read_again(quayside.database, NUMBER_KEY, quayside.organization.id, systems[quayside])

    steps = steps_of(quayside.database, again)
    for die_at in moments(steps, seed=4):
        assert processes.wait(processes.start("read again", harbour, systems[harbour], die_at=die_at)) in (KILLED, 0)
        harbour.check()
    assert processes.wait(processes.start("read again", harbour, systems[harbour])) == 0
    assert harbour.told() == quayside.told() != before
    harbour.check()
