"""A backup that is made while an import runs holds one moment: whole batches, and the audit as it was then."""

import threading
import time
from collections.abc import Callable

import pytest
from sqlalchemy import func, select

from config import Settings
from tests.cast import Cast
from tests.ingest.importing import Importing, asterisk_row
from tests.recovery.conftest import Run, newest, run_at
from webapp.audit.models import AuditEvent
from webapp.audit.service_chain import note_for_service
from webapp.calls.models import Call, ImportState
from webapp.database.engine import Database
from webapp.ingest import importer
from webapp.recovery.manifest import digest_id
from webapp.tenancy.sessions import reading_session

ROWS, BATCH = 1500, 10


def content() -> bytes:
    return b"".join(
        asterisk_row(unique=f"{1784116800 + turn}.{turn}", sequence=turn, source=f"0207946{turn:04d}")
        for turn in range(ROWS)
    )


def count_calls(database: Database, organization_id: int) -> int:
    with reading_session(database, organization_id) as session:
        return session.scalar(select(func.count(Call.call_key))) or 0


@pytest.fixture
def importing(database: Database, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> Importing:
    monkeypatch.setattr(importer, "_FIRST_BATCH", BATCH)
    monkeypatch.setattr(importer, "_LARGEST_BATCH", BATCH)
    return Importing(database, cast.harbour)


def test_security_50_restored_as_of_its_moment(
    importing: Importing, run: Run, settings: Settings, empty: Settings, database: Database
) -> None:
    import_file_id = importing.queue(importing.pbx(), content())
    backed_up = threading.Event()

    def keep_going() -> bool:
        """However quick the machine, the import's last calls come behind the backup."""
        return count_calls(database, importing.organization.id) < ROWS - 2 * BATCH or backed_up.wait(60)

    importer_thread = threading.Thread(target=importing.run, args=(import_file_id,), kwargs={"keep_going": keep_going})
    importer_thread.start()
    try:
        wait_until(lambda: count_calls(database, importing.organization.id) >= 3 * BATCH)
        note_for_service(database, "service.imported", None, organization="before")
        before = count_calls(database, importing.organization.id)
        result = run("backup")
        after = count_calls(database, importing.organization.id)
    finally:
        backed_up.set()
        importer_thread.join()
    assert result.exit_code == 0, result.output
    kept = newest(settings)
    assert before <= kept.manifest.facts.calls <= after < ROWS
    assert kept.manifest.facts.calls % BATCH == 0
    position, row_hash = kept.manifest.facts.heads[digest_id(0)]
    with reading_session(database, 0) as session:  # the live chain went on from there
        at_moment = session.scalars(select(AuditEvent).where(AuditEvent.position == position)).one()
        assert at_moment.kind == "service.imported" and bytes(at_moment.row_hash).hex() == row_hash

    result = run_at(empty, "restore", kept.path)
    assert result.exit_code == 0, result.output
    restored = Importing(Database(empty.database_url), importing.organization)
    try:
        assert count_calls(restored.database, importing.organization.id) == kept.manifest.facts.calls
        restored.check()  # totals, parties and links are those of the calls that are there
        assert restored.result(import_file_id).read_count == kept.manifest.facts.calls
        resumed = restored.run(import_file_id)  # and the import goes on where it was
        assert (resumed.state, resumed.stored_count) == (ImportState.DONE, ROWS)
        restored.check()
        assert restored.told() == importing.told()
    finally:
        restored.database.dispose()


def wait_until(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.02)
