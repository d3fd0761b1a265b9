"""A disk that is full at any moment of an import: it ends with words or waits for space, and nothing is lost."""

from collections.abc import Callable

import pytest

from tests.ingest.faults import Steps, disk_full
from tests.ingest.importing import Importing, asterisk_row, ring_all_row
from webapp.calls.models import ImportState
from webapp.database.engine import Database
from webapp.jobs.stored_files import is_disk_full

#: Everything that a batch may write: calls, one of several rows, a refused line, a row that comes again.
CONTENT = (
    b"".join(ring_all_row("1784116800.7", phone, str(201 + phone), phone == 1) for phone in range(3))
    + asterisk_row(unique="1784116899.99", sequence=9)
    + b"no call\n"
    + asterisk_row(unique="1784116899.99", sequence=9, billsec=100)
)


def full_from(database: Database, first: int, last: int) -> Callable[[Steps], None]:
    """The disk is full from one step to another, both included."""

    def act(steps: Steps) -> None:
        if first <= steps.number <= last:
            raise disk_full(database, steps.kind)

    return act


def undisturbed(harbour: Importing) -> int:
    """Import once; gives the number of steps."""
    import_file_id = harbour.queue(harbour.pbx(), CONTENT)
    with Steps(lambda _steps: None).install(harbour.database) as steps:
        result = harbour.run(import_file_id)
    assert (result.state, result.read_count, result.stored_count, result.refused_count) == (ImportState.DONE, 6, 5, 1)
    return steps.number


def test_full_once_at_every_step(harbour: Importing, database: Database) -> None:
    last = undisturbed(harbour)
    told = harbour.told()
    for step in range(1, last + 1):
        import_file_id = harbour.queue(harbour.pbx(), CONTENT)
        with Steps(full_from(database, step, step)).install(database):
            stopped = harbour.run(import_file_id)
        assert stopped.state == ImportState.FAILED, step
        assert stopped.error and "The server's disk is full" in stopped.error and "choose Go on" in stopped.error
        resumed = harbour.run(import_file_id)
        assert (resumed.state, resumed.error, resumed.stored_count) == (ImportState.DONE, None, 5), step
    assert harbour.told() == sorted(told * (last + 1))
    harbour.check()


@pytest.mark.parametrize("part", [0.0, 0.3, 0.6, 0.9])
def test_full_for_long_so_that_not_even_the_end_can_be_noted(
    harbour: Importing, database: Database, part: float
) -> None:
    last = undisturbed(harbour)
    told = harbour.told()
    import_file_id = harbour.queue(harbour.pbx(), CONTENT)
    with Steps(full_from(database, 1 + int(part * last), 10**9)).install(database):
        for _ in range(3):  # the job is tried again by itself
            with pytest.raises(Exception) as caught:
                harbour.run(import_file_id)
            assert is_disk_full(caught.value)
            assert harbour.result(import_file_id).state in (ImportState.QUEUED, ImportState.RUNNING)
    harbour.check()
    assert harbour.run(import_file_id).state == ImportState.DONE
    assert harbour.told() == sorted(told * 2)
    harbour.check()
