"""The upgrade runner, with files written here, on a database with rows in it."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import inspect, select, text

from config import Settings
from tests.cast import Cast, assemble_cast
from tests.make import Make
from webapp.calls.models import Pbx
from webapp.database import installation, upgrades
from webapp.database.engine import Database
from webapp.database.installation import InstallationError, initialize, list_problems, open_as_owner, open_database
from webapp.database.upgrade_files import UpgradeFilesError, list_upgrade_files, newest_version
from webapp.tenancy.row_security import set_local
from webapp.tenancy.sessions import reading_session

ADD_COLUMN = "ALTER TABLE pbx ADD COLUMN serial_number TEXT NOT NULL DEFAULT '';\n"
FILL_COLUMN = "UPDATE pbx SET serial_number = 'SN ' || name;\n"
NEW_TABLE = """CREATE TABLE note (
    organization_id BIGINT NOT NULL,
    id BIGINT NOT NULL, -- 100 % ours
    words TEXT NOT NULL,
    CONSTRAINT note_pkey PRIMARY KEY (organization_id, id)
);
INSERT INTO note SELECT organization_id, id, name FROM pbx WHERE name LIKE '%s';
--postgresql: ALTER TABLE note ENABLE ROW LEVEL SECURITY;
--postgresql: CREATE POLICY note_of_organization ON note
--postgresql:   USING (organization_id = nullif(current_setting('app.organization_id', true), '')::bigint);
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "upgrades"
    found.mkdir()
    return found


@pytest.fixture
def settings(fresh: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Of a database of this test alone, for upgrades change tables; it is at the version of the files in `folder`."""
    monkeypatch.setattr(installation, "newest_version", lambda dialect: newest_version(dialect, folder))
    initialize(fresh)
    return fresh


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    database = open_database(settings)
    yield database
    database.dispose()


@pytest.fixture
def cast(database: Database) -> Cast:
    return assemble_cast(database)


@pytest.fixture
def rows(database: Database, cast: Cast) -> Cast:
    """Phone systems in both organizations."""
    make = Make(database, cast.harbour)
    make.pbx("Ours")
    make.at(cast.quayside).pbx("Theirs")
    return cast


def write(folder: Path, name: str, content: str) -> None:
    (folder / name).write_text(content, "utf-8")


def columns(database: Database, table: str) -> set[str]:
    return {column["name"] for column in inspect(database.engine).get_columns(table)}


def version(database: Database) -> int:
    with database.reading.connect() as connection:
        return int(connection.execute(text("SELECT schema_version FROM installation")).scalar_one())


def serial_numbers(database: Database, organization_id: int) -> list[str]:
    with database.reading.connect() as connection:
        set_local(connection, organization_id, None)
        found = connection.execute(
            text("SELECT serial_number FROM pbx WHERE organization_id = :id"), {"id": organization_id}
        )
        return list(found.scalars())


def test_upgrades_reach_the_rows_of_every_organization(
    settings: Settings, database: Database, rows: Cast, folder: Path
) -> None:
    """On PostgreSQL the owner, under FORCE, would update nothing and say nothing."""
    write(folder, "0001_serial_number.sql", ADD_COLUMN)
    write(folder, "0002_fill_it.sql", FILL_COLUMN)

    assert upgrades.upgrade(settings, folder) == ["0001_serial_number", "0002_fill_it"]
    assert version(database) == 2
    assert serial_numbers(database, rows.harbour.id) == ["SN Ours"]
    assert serial_numbers(database, rows.quayside.id) == ["SN Theirs"]


def test_what_is_applied_is_written_down_and_not_applied_again(
    settings: Settings, database: Database, rows: Cast, folder: Path
) -> None:
    write(folder, "0001_serial_number.sql", ADD_COLUMN)
    upgrades.upgrade(settings, folder)

    assert upgrades.upgrade(settings, folder) == []
    with database.reading.connect() as connection:
        row = connection.execute(text("SELECT version, name, checksum FROM schema_upgrade")).one()
    assert (row.version, row.name) == (1, "serial_number")
    assert row.checksum == list_upgrade_files(database.dialect, folder)[0].checksum


def test_a_failing_upgrade_leaves_nothing_behind(
    settings: Settings, database: Database, rows: Cast, folder: Path
) -> None:
    write(folder, "0001_serial_number.sql", ADD_COLUMN)
    write(folder, "0002_half.sql", FILL_COLUMN + "CREATE TABLE half (id INTEGER);\nUPDATE nowhere SET x = 1;\n")

    with pytest.raises(InstallationError, match=r"0002_half failed and changed nothing.*as it was at schema 1"):
        upgrades.upgrade(settings, folder)
    assert version(database) == 1
    assert "half" not in inspect(database.engine).get_table_names()
    assert serial_numbers(database, rows.harbour.id) == [""]
    assert list_problems_but_version(database, settings) == []


def list_problems_but_version(database: Database, settings: Settings) -> list[str]:
    return [problem for problem in list_problems(database, settings) if "schema" not in problem]


def test_after_a_failure_the_corrected_file_goes_on(
    settings: Settings, database: Database, rows: Cast, folder: Path
) -> None:
    write(folder, "0001_serial_number.sql", ADD_COLUMN + "UPDATE nowhere SET x = 1;\n")
    with pytest.raises(InstallationError):
        upgrades.upgrade(settings, folder)
    write(folder, "0001_serial_number.sql", ADD_COLUMN)

    assert upgrades.upgrade(settings, folder) == ["0001_serial_number"]


def test_an_applied_file_that_changed_is_refused(settings: Settings, database: Database, folder: Path) -> None:
    write(folder, "0001_serial_number.sql", ADD_COLUMN)
    upgrades.upgrade(settings, folder)
    write(folder, "0001_serial_number.sql", ADD_COLUMN + "-- and a word\n")

    with pytest.raises(InstallationError, match="is not the one that was applied"):
        upgrades.upgrade(settings, folder)


def test_a_database_from_a_newer_version_is_refused(settings: Settings, database: Database, folder: Path) -> None:
    write(folder, "0001_serial_number.sql", ADD_COLUMN)
    upgrades.upgrade(settings, folder)
    (folder / "0001_serial_number.sql").unlink()

    with pytest.raises(InstallationError, match=r"has schema 1, .* knows only 0"):
        upgrades.upgrade(settings, folder)


def test_a_server_refuses_until_the_upgrade_has_run(settings: Settings, database: Database, folder: Path) -> None:
    write(folder, "0001_serial_number.sql", ADD_COLUMN)

    assert "has schema 0, this version of Callbook needs 1" in list_problems(database, settings)[0]
    upgrades.upgrade(settings, folder)
    assert list_problems(database, settings) == []


def test_a_new_table_is_granted_and_under_row_level_security(
    settings: Settings, database: Database, rows: Cast, folder: Path
) -> None:
    write(folder, "0001_note.sql", NEW_TABLE)
    upgrades.upgrade(settings, folder)

    with database.writing.connect() as connection:
        set_local(connection, rows.harbour.id, None)
        found = connection.execute(text("SELECT words FROM note WHERE organization_id = :id"), {"id": rows.harbour.id})
        assert list(found.scalars()) == ["Ours"]
        connection.execute(
            text("UPDATE note SET words = 'changed' WHERE organization_id = :id"), {"id": rows.harbour.id}
        )


@pytest.mark.postgresql
def test_force_stands_again_on_every_table(settings: Settings, database: Database, rows: Cast, folder: Path) -> None:
    write(folder, "0001_note.sql", NEW_TABLE)
    upgrades.upgrade(settings, folder)

    with database.reading.connect() as connection:
        lax = connection.execute(
            text("SELECT relname FROM pg_class WHERE relkind = 'r' AND relrowsecurity AND NOT relforcerowsecurity")
        ).all()
    assert lax == []
    with reading_session(database, rows.harbour.id) as session:
        assert list(session.scalars(select(Pbx.name))) == ["Ours"]


@pytest.mark.postgresql
def test_force_stands_again_after_a_failure(settings: Settings, database: Database, rows: Cast, folder: Path) -> None:
    write(folder, "0001_wrong.sql", "UPDATE nowhere SET x = 1;\n")
    with pytest.raises(InstallationError):
        upgrades.upgrade(settings, folder)

    owner = open_as_owner(settings)
    with owner.reading.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM pbx")).scalar_one() == 0
    owner.dispose()


REBUILD = """CREATE TABLE new_pbx AS SELECT * FROM pbx;
DROP VIEW call_log;
DROP TABLE pbx;
CREATE TABLE pbx (
    organization_id BIGINT NOT NULL, id BIGINT NOT NULL, name TEXT NOT NULL, format TEXT, time_zone TEXT NOT NULL,
    region TEXT NOT NULL, area_code TEXT NOT NULL, outside_prefix TEXT NOT NULL, extension_digits TEXT NOT NULL,
    outside_lines TEXT NOT NULL, answered_at TIMESTAMPTZ, column_map TEXT, settings_version INTEGER NOT NULL,
    created_at TIMESTAMPTZ NOT NULL, closed_at TIMESTAMPTZ,
    CONSTRAINT pbx_pkey PRIMARY KEY (organization_id, id)
);
INSERT INTO pbx SELECT * FROM new_pbx {where};
DROP TABLE new_pbx;
"""


def rebuilt(folder: Path, where: str) -> None:
    write(folder, "0001_rebuild.sqlite.sql", REBUILD.format(where=where))
    write(folder, "0001_rebuild.postgresql.sql", "ALTER TABLE pbx DROP CONSTRAINT pbx_name_unique;\n")


def test_sqlite_rebuilds_a_table_that_others_refer_to(
    settings: Settings, database: Database, rows: Cast, folder: Path
) -> None:
    rebuilt(folder, "")
    upgrades.upgrade(settings, folder)

    with reading_session(database, rows.harbour.id) as session:
        assert list(session.scalars(select(Pbx.name))) == ["Ours"]


def test_a_rebuild_that_loses_rows_others_refer_to_is_undone(
    settings: Settings, database: Database, rows: Cast, folder: Path
) -> None:
    if database.dialect != "sqlite":
        return  # PostgreSQL refuses such a statement by itself
    Make(database, rows.harbour).import_file()
    rebuilt(folder, "WHERE name = 'Theirs'")

    with pytest.raises(InstallationError, match="refer to nothing: nothing was changed"):
        upgrades.upgrade(settings, folder)
    assert version(database) == 0
    assert "call_log" in inspect(database.engine).get_view_names()
    with reading_session(database, rows.harbour.id) as session:
        assert "Ours" in set(session.scalars(select(Pbx.name)))


def test_two_at_a_time_apply_each_file_once(settings: Settings, database: Database, rows: Cast, folder: Path) -> None:
    write(folder, "0001_serial_number.sql", ADD_COLUMN)
    write(folder, "0002_fill_it.sql", FILL_COLUMN)
    applied: list[str] = []
    begin = threading.Barrier(2)

    def run() -> None:
        begin.wait(10)
        applied.extend(upgrades.upgrade(settings, folder))

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert sorted(applied) == ["0001_serial_number", "0002_fill_it"]


def test_an_empty_database_is_told_to_init_db(fresh: Settings, folder: Path) -> None:
    with pytest.raises(InstallationError, match="flask init-db"):
        upgrades.upgrade(fresh, folder)


# -------------------------------------------------------------------------------------------------------- the files


def test_files_are_numbered_without_a_gap(folder: Path) -> None:
    write(folder, "0001_one.sql", "")
    write(folder, "0003_three.sql", "")

    with pytest.raises(UpgradeFilesError, match="gap: 0001, 0003"):
        list_upgrade_files("sqlite", folder)


def test_a_twin_is_missed_by_the_other_engine(folder: Path) -> None:
    write(folder, "0001_one.sqlite.sql", "")
    write(folder, "0002_two.sql", "")

    assert [file.name for file in list_upgrade_files("sqlite", folder)] == ["one", "two"]
    with pytest.raises(UpgradeFilesError, match="gap"):
        list_upgrade_files("postgresql", folder)


@pytest.mark.parametrize("other", ["0001_other.sql", "0001_one.sqlite.sql"])
def test_a_number_is_given_once(other: str, folder: Path) -> None:
    write(folder, "0001_one.sql", "")
    write(folder, other, "")

    with pytest.raises(UpgradeFilesError, match="number 0001"):
        list_upgrade_files("sqlite", folder)


@pytest.mark.parametrize("name", ["1_one.sql", "0001-one.sql", "0001_One.sql", "0001_one.mysql.sql"])
def test_other_names_are_refused(name: str, folder: Path) -> None:
    write(folder, name, "")

    with pytest.raises(UpgradeFilesError, match="is not named"):
        list_upgrade_files("sqlite", folder)
