"""`flask backup`: a sealed file of one moment, beside its manifest."""

import hashlib
import os
import stat

from config import Settings
from tests.make import Make
from tests.recovery.conftest import Run, left_behind, newest
from webapp.database.engine import Database
from webapp.recovery.models import RunKind
from webapp.recovery.queries import latest_backup, latest_drill, list_runs
from webapp.tenancy.sessions import reading_session


def test_one_sealed_file_and_its_manifest(run: Run, make: Make, settings: Settings, database: Database) -> None:
    make.call()
    result = run("backup")

    assert result.exit_code == 0, result.output
    kept = newest(settings)
    assert str(kept.path) in result.output and "1 calls" in result.output
    assert "NUMBER_KEY, SECRET_KEY" in result.output
    for path in (kept.path, kept.path.with_name(f"{kept.path.name}.json")):
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert hashlib.sha256(kept.path.read_bytes()).digest() == kept.manifest.digest
    assert left_behind(settings) == []
    with reading_session(database) as session:
        found = latest_backup(session)
        assert found is not None and found.ended_at is not None and found.succeeded
        assert (found.backup_name, found.digest) == (kept.path.name, kept.manifest.digest)
        assert (found.organizations, found.calls) == (2, 1)
        assert found.backup_at == kept.moment and found.heads_digest == kept.manifest.facts.heads_digest
        assert latest_drill(session) is None
        assert len(list_runs(session, RunKind.BACKUP, 10)) == 1


def test_restored_and_drilled(run: Run, make: Make, settings: Settings, empty: Settings) -> None:
    from tests.recovery.conftest import run_at

    make.call()
    assert run("backup").exit_code == 0
    result = run("restore-drill")
    assert result.exit_code == 0, result.output
    result = run_at(empty, "restore", newest(settings).path)
    assert result.exit_code == 0, (result.output, result.exception)
