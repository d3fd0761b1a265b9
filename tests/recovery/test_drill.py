"""`flask restore-drill`: the newest backup in a scratch database, compared with its manifest, noted in the live one."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError

from config import Settings
from tests import postgresql
from tests.cast import Cast
from tests.make import Make
from tests.recovery.conftest import Run, left_behind
from tests.staff.chains import sentences
from webapp.database import dumps
from webapp.database.engine import Database
from webapp.recovery import drilling
from webapp.recovery.folder import Kept, manifest_path
from webapp.recovery.models import RecoveryRun
from webapp.recovery.queries import latest_drill
from webapp.tenancy.sessions import reading_session


def last_drill(database: Database) -> RecoveryRun:
    with reading_session(database) as session:
        found = latest_drill(session)
    assert found is not None
    return found


def scratch_is_gone(settings: Settings) -> bool:
    if settings.dialect == "sqlite":
        return left_behind(settings) == []
    assert settings.database_owner_url
    with postgresql.connect(settings.database_owner_url) as connection:
        name = f"{make_url(settings.database_owner_url).database}_drill"
        there = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone()
    return there is None and left_behind(settings) == []


def test_security_50_a_good_backup_restores(
    run: Run, make: Make, settings: Settings, backed_up: Callable[[], Kept]
) -> None:
    make.call()
    kept = backed_up()
    make.call()
    result = run("restore-drill")

    assert result.exit_code == 0, result.output
    assert f"{kept.path.name} restores: 1 call of 2 organizations" in result.output and " s." in result.output
    found = last_drill(make.database)
    assert found.succeeded and found.words == "" and found.ended_at is not None
    assert (found.backup_name, found.digest, found.calls) == (kept.path.name, kept.manifest.digest, 1)
    assert sentences(make.database, 0)[-1] == f"Restoring the backup {kept.path.name} was tried: done"
    assert scratch_is_gone(settings)


def change(kept: Kept, alter: Callable[[dict[str, Any]], None]) -> None:
    path = manifest_path(kept.path)
    told = json.loads(path.read_text())
    alter(told)
    path.write_text(json.dumps(told))


def count_one_more(told: dict[str, Any]) -> None:
    told["tables"]["call"] += 1


def another_head(told: dict[str, Any]) -> None:
    chain = sorted(told["heads"])[0]
    told["heads"][chain][1] = "11" * 32


def one_chain_less(told: dict[str, Any]) -> None:
    del told["heads"][sorted(told["heads"])[0]]


def another_day(told: dict[str, Any]) -> None:
    told["moment"] = "2026-01-01T00:00:00+00:00"


def another_checksum(told: dict[str, Any]) -> None:
    told["sha256"] = "00" * 32


@pytest.mark.parametrize(
    ("alter", "words"),
    [
        (count_one_more, "rows of call: 2 in the manifest, 1 found"),
        (another_head, "another head of the audit chain "),
        (one_chain_less, "another head of the audit chain "),
        (another_day, "moment: 2026-01-01 00:00:00+00:00 in the manifest"),
        (another_checksum, "is another file than"),
    ],
)
def test_security_50_a_difference_is_found_and_noted(
    run: Run, make: Make, settings: Settings, backed_up: Callable[[], Kept], alter: Any, words: str
) -> None:
    make.call()
    kept = backed_up()
    change(kept, alter)
    result = run("restore-drill", kept.path)

    assert result.exit_code == 1
    assert words in result.output and "does not restore as it should" in result.output
    found = last_drill(make.database)
    assert not found.succeeded and words in found.words
    assert sentences(make.database, 0)[-1].endswith("was tried: failed")
    assert scratch_is_gone(settings)


def test_a_backup_that_does_not_open(run: Run, make: Make, settings: Settings, backed_up: Callable[[], Kept]) -> None:
    kept = backed_up()
    content = bytearray(kept.path.read_bytes())
    content[len(content) // 2] ^= 1
    kept.path.write_bytes(content)
    result = run("restore-drill")
    assert result.exit_code == 1 and "was changed or cut off" in result.output
    found = last_drill(make.database)
    assert not found.succeeded and "was changed or cut off" in found.words and str(settings.data_dir) not in found.words
    assert scratch_is_gone(settings)


def test_a_chain_that_is_not_whole(
    run: Run, make: Make, cast: Cast, backed_up: Callable[[], Kept], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counts and heads are right, and a row in the middle is not the one that was written."""
    kept = backed_up()
    verify = drilling.verify_chain

    def verify_changed(database: Database, organization_id: int) -> Any:
        if organization_id == cast.quayside.id:
            with database.writing.connect() as connection, connection.begin():
                for table in ("audit_event",):
                    _change_row(connection, table, organization_id)
        return verify(database, organization_id)

    monkeypatch.setattr(drilling, "verify_chain", verify_changed)
    if make.database.dialect == "postgresql":
        return  # the web role cannot change it, and the owner's triggers would have to go first
    result = run("restore-drill", kept.path)
    assert result.exit_code == 1 and "its row was changed" in result.output, result.output
    assert "quayside" not in last_drill(make.database).words


def _change_row(connection: Any, table: str, organization_id: int) -> None:
    triggers = connection.exec_driver_sql(
        "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ?", (table,)
    ).all()
    for (name,) in triggers:
        connection.exec_driver_sql(f"DROP TRIGGER {name}")
    connection.exec_driver_sql(f"UPDATE {table} SET kind = 'member.left' WHERE organization_id = ?", (organization_id,))


def test_without_a_backup(run: Run, make: Make) -> None:
    result = run("restore-drill")
    assert result.exit_code == 1 and "holds no whole backup of this installation" in result.output
    found = last_drill(make.database)
    assert not found.succeeded and "holds no whole backup" in found.words
    assert sentences(make.database, 0)[-1] == "Restoring the backup (none) was tried: failed"


def test_of_the_live_database_nothing_else_is_touched(
    run: Run, make: Make, cast: Cast, backed_up: Callable[[], Kept]
) -> None:
    def chains() -> list[list[str]]:
        return [sentences(make.database, each) for each in (cast.harbour.id, cast.quayside.id)]

    backed_up()
    before = chains()
    assert run("restore-drill").exit_code == 0
    assert chains() == before


@pytest.mark.postgresql
def test_a_database_of_that_name_which_is_no_scratch_is_left_alone(
    run: Run, make: Make, settings: Settings, backed_up: Callable[[], Kept]
) -> None:
    backed_up()
    assert settings.database_owner_url
    name = f"{make_url(settings.database_owner_url).database}_drill"
    url = postgresql.create_database(name).owner
    try:
        with postgresql.connect(url) as connection:
            connection.execute("CREATE TABLE theirs (id bigint)")
        result = run("restore-drill")
        assert result.exit_code == 1 and "is there that no drill made" in result.output
        with postgresql.connect(settings.database_owner_url) as connection:
            connection.execute(f"COMMENT ON DATABASE {name} IS 'callbook: scratch of a restore drill'")  # type: ignore[arg-type]
        assert run("restore-drill").exit_code == 0  # one that a killed drill left goes first
        assert scratch_is_gone(settings)
    finally:
        postgresql.drop_database(name)


@pytest.mark.postgresql
def test_one_that_was_killed_before_its_scratch_was_marked_blocks_no_other(
    run: Run, make: Make, settings: Settings, backed_up: Callable[[], Kept]
) -> None:
    backed_up()
    postgresql.create_database(f"{make_url(settings.database_owner_url or '').database}_drill")
    result = run("restore-drill")
    assert result.exit_code == 0, result.output
    assert scratch_is_gone(settings)


@pytest.mark.postgresql
def test_a_role_that_may_make_no_database_is_told_how(make: Make, settings: Settings) -> None:
    with pytest.raises(dumps.ToolFailed, match="Allow it once: ALTER ROLE callbook_web CREATEDB"):
        with dumps.scratch_database(settings.database_url):
            pass


@pytest.mark.postgresql
def test_drills_of_two_machines_do_not_meet(
    run: Run, make: Make, settings: Settings, backed_up: Callable[[], Kept], monkeypatch: pytest.MonkeyPatch
) -> None:
    backed_up()
    monkeypatch.setattr(dumps, "_PATIENCE", "200ms")
    assert settings.database_owner_url
    with dumps.scratch_database(settings.database_owner_url) as name:
        result = run("restore-drill")
        assert result.exit_code == 1 and "Another drill of this database is running" in result.output
        with postgresql.connect(settings.database_owner_url) as connection:
            assert connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone()
    assert run("restore-drill").exit_code == 0


@pytest.mark.postgresql
@pytest.mark.parametrize("cut", ["the idle connection", "the way to drop it"])
def test_a_good_drill_is_good_whatever_becomes_of_its_scratch(
    run: Run,
    make: Make,
    settings: Settings,
    backed_up: Callable[[], Kept],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    cut: str,
) -> None:
    backed_up()
    assert settings.database_owner_url
    owner_url, name = settings.database_owner_url, f"{make_url(settings.database_owner_url).database}_drill"
    verify = drilling.verify_chain

    def verify_and_cut(database: Database, organization_id: int) -> Any:
        with postgresql.connect(owner_url) as connection:
            if cut == "the idle connection":
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = current_user"
                    " AND datname = current_database() AND pid <> pg_backend_pid()"
                )
            else:
                connection.execute(f"COMMENT ON DATABASE {name} IS 'somebody else took it'")  # type: ignore[arg-type]
        return verify(database, organization_id)

    monkeypatch.setattr(drilling, "verify_chain", verify_and_cut)
    try:
        result = run("restore-drill")
        assert result.exit_code == 0, result.output
        assert last_drill(make.database).succeeded
        assert scratch_is_gone(settings) == (cut == "the idle connection")
        assert ("was not dropped" in caplog.text) == (cut == "the way to drop it")
    finally:
        postgresql.drop_database(name)


def test_a_named_file_from_elsewhere(run: Run, make: Make, tmp_path: Path, backed_up: Callable[[], Kept]) -> None:
    kept = backed_up()
    elsewhere = tmp_path / "from-the-other-site.backup"
    kept.path.rename(elsewhere)
    result = run("restore-drill", elsewhere)
    assert result.exit_code == 1 and "there is no manifest beside the backup" in result.output


@pytest.mark.parametrize("step", ["begin_run", "end_run"])
def test_a_database_that_cannot_be_written_is_told_in_a_line(
    run: Run, make: Make, backed_up: Callable[[], Kept], monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def busy(*_arguments: object) -> None:
        raise OperationalError("INSERT", {}, Exception("database is locked"))

    backed_up()
    monkeypatch.setattr(drilling, step, busy)
    result = run("restore-drill")
    assert result.exit_code == 1 and "The database: database is locked" in result.output, result.exception
