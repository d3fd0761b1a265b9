"""init-db makes everything once; a database that is not the right one is not served."""

import stat
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from config import Settings
from webapp.database import installation
from webapp.database.engine import Database
from webapp.database.installation import (
    InstallationError,
    check_start,
    initialize,
    list_problems,
    number_key,
    number_key_file,
    open_as_owner,
    open_database,
)
from webapp.database.upgrade_files import newest_version


def change(settings: Settings, statement: str) -> None:
    """As the owner, who alone may write what the database is."""
    owner = open_as_owner(settings)
    with owner.writing.begin() as connection:
        connection.execute(text(statement))
    owner.dispose()


def problems(settings: Settings) -> str:
    database = open_database(settings)
    try:
        return "\n".join(list_problems(database, settings))
    finally:
        database.dispose()


def test_init_db_makes_a_database_that_can_be_served(fresh: Settings) -> None:
    assert initialize(fresh) is True

    database = open_database(fresh)
    check_start(database, fresh)
    with database.reading.connect() as connection:
        row = connection.execute(text("SELECT * FROM installation")).one()
    database.dispose()
    assert (row.id, row.schema_version, bool(row.holds_demo)) == (1, newest_version(fresh.dialect), False)


def test_init_db_again_changes_nothing(fresh: Settings) -> None:
    initialize(fresh)
    before = number_key(replace(fresh, number_key=None)) if fresh.number_key is None else fresh.number_key

    assert initialize(fresh) is False
    assert fresh.number_key == before
    assert problems(fresh) == ""


def test_the_number_key_is_made_once_and_for_this_user_only(fresh: Settings) -> None:
    own = replace(fresh, number_key=None)
    initialize(own)
    path = number_key_file(own)
    first = number_key(own)
    initialize(own)

    assert path.parent == own.data_dir
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(first) == 32
    assert number_key(own) == first
    assert problems(own) == ""


def test_a_given_number_key_makes_no_file(fresh: Settings) -> None:
    initialize(fresh)

    assert not number_key_file(fresh).exists()


def test_nobody_else_may_read_the_data(fresh: Settings) -> None:
    initialize(fresh)

    assert stat.S_IMODE(fresh.data_dir.stat().st_mode) == 0o700
    for path in fresh.data_dir.glob("*.sqlite*"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_another_number_key_is_refused(fresh: Settings) -> None:
    initialize(fresh)

    assert "is not the key that this database was made with" in problems(replace(fresh, number_key=b"x" * 32))


def test_a_lost_number_key_is_named(fresh: Settings) -> None:
    own = replace(fresh, number_key=None)
    initialize(own)
    number_key_file(own).unlink()

    assert "put your copy of the file back" in problems(own)


@pytest.mark.parametrize("content", ["", "not hex", "ab" * 8])
def test_a_damaged_number_key_is_named(content: str, fresh: Settings) -> None:
    own = replace(fresh, number_key=None)
    initialize(own)
    number_key_file(own).write_text(content)

    assert "your copy of it back" in problems(own)


def test_a_number_key_is_not_made_anew_for_a_database_that_is_there(fresh: Settings) -> None:
    own = replace(fresh, number_key=None)
    initialize(own)
    number_key_file(own).unlink()
    initialize(own)

    assert not number_key_file(own).exists()


def test_a_database_that_is_not_there_says_init_db(fresh: Settings) -> None:
    fresh.data_dir.mkdir(parents=True)

    assert "flask init-db" in problems(fresh)
    assert list(fresh.data_dir.glob("*.sqlite")) == [], "looking made a file"


def test_a_database_that_does_not_answer_is_named(fresh: Settings) -> None:
    url = (
        fresh.database_url.replace("@127.0.0.1:", "@127.0.0.1:1")
        if fresh.dialect == "postgresql"
        else "sqlite:////proc/x/y.sqlite"
    )

    assert "Run `flask init-db`" in (words := problems(replace(fresh, database_url=url))) or "does not answer" in words


def test_an_older_schema_is_refused_and_named(fresh: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    initialize(fresh)
    monkeypatch.setattr(installation, "newest_version", lambda _dialect: 99)

    database = open_database(fresh)
    with pytest.raises(InstallationError, match=r"has schema \d+, .* needs 99\..*flask upgrade-db"):
        check_start(database, fresh)
    database.dispose()


def test_a_newer_schema_is_refused(fresh: Settings) -> None:
    initialize(fresh)
    change(fresh, "UPDATE installation SET schema_version = 99")

    assert f"has schema 99, this version of Callbook knows only {newest_version(fresh.dialect)}" in problems(fresh)


def test_a_real_installation_is_not_served_on_a_demo(fresh: Settings) -> None:
    initialize(fresh, holds_demo=True)

    assert "holds the demo" in problems(fresh)


def test_a_demo_is_not_served_on_a_real_installation(fresh: Settings) -> None:
    initialize(fresh)

    assert "real installation" in problems(replace(fresh, demo=True))


def test_tables_of_something_else_are_left_alone(fresh: Settings) -> None:
    fresh.data_dir.mkdir(parents=True)
    change(fresh, "CREATE TABLE theirs (id INTEGER)")

    with pytest.raises(InstallationError, match="tables of something else"):
        initialize(fresh)
    change(fresh, "INSERT INTO theirs VALUES (1)")


def test_a_failed_init_db_leaves_nothing(fresh: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def half(connection: object) -> None:
        connection.exec_driver_sql("CREATE TABLE organization (id INTEGER)")  # type: ignore[attr-defined]
        connection.exec_driver_sql("CREATE TABLE organization (id INTEGER)")  # type: ignore[attr-defined]

    with monkeypatch.context() as patch:
        patch.setattr(installation, "create_schema", half)
        with pytest.raises(InstallationError, match="nothing was changed"):
            initialize(fresh)

    assert initialize(fresh) is True
    assert problems(fresh) == ""


def test_a_data_directory_that_cannot_be_made_is_named(fresh: Settings, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(InstallationError, match="DATA_DIR"):
        initialize(replace(fresh, data_dir=tmp_path / "file" / "data"))


def test_opening_checks_and_connects_to_nothing(fresh: Settings) -> None:
    assert isinstance(open_database(fresh), Database)
    assert not fresh.data_dir.exists()
