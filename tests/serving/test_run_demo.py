"""`make run`: a demo of its own, through the real import path, with a new password at every start."""

import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from config import Settings
from tests.client import PageCheckingClient
from webapp import clock, create_app, run_demo
from webapp.accounts.queries import find_person
from webapp.calls.models import Call, ImportFile, ImportState, Pbx
from webapp.database.engine import Database
from webapp.database.installation import list_problems, open_database
from webapp.run_demo import EMAIL, SLUG, demo_settings, prepare
from webapp.tenancy.models import Organization
from webapp.tenancy.sessions import reading_session


@pytest.fixture
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Of a demo whose history is four days, so that the test is quick."""
    monkeypatch.setattr(run_demo, "first_instant", lambda until: until - timedelta(days=4))
    environ = {"DATA_DIR": str(tmp_path / "instance"), "DATABASE_URL": f"sqlite:///{tmp_path}/real.sqlite"}
    return replace(demo_settings(environ), trusted_hosts=("localhost",), base_url="http://localhost:8080")


@pytest.fixture
def database(demo: Settings) -> Iterator[Database]:
    database = open_database(demo)
    yield database
    database.dispose()


def harbour(database: Database) -> Organization:
    with reading_session(database) as session:
        return session.scalars(select(Organization).where(Organization.slug == SLUG)).one()


def imports(database: Database) -> list[ImportFile]:
    with reading_session(database, harbour(database).id) as session:
        return list(session.scalars(select(ImportFile).order_by(ImportFile.created_at, ImportFile.id)))


def sign_in(database: Database, demo: Settings, password: str) -> int:
    app = create_app(demo, database)
    app.testing = True
    app.test_client_class = PageCheckingClient
    client = app.test_client()
    assert isinstance(client, PageCheckingClient)
    with reading_session(database) as session:
        person = find_person(session, EMAIL)
    assert person is not None
    return client.send("/sign-in", {"email": EMAIL, "password": password}).status_code


def test_the_first_start_fills_it_and_lets_one_in(demo: Settings, database: Database, tmp_path: Path) -> None:
    told: list[str] = []
    password = prepare(demo, database, told.append)

    assert list_problems(database, demo) == []
    assert {file.state for file in imports(database)} == {ImportState.DONE}
    assert all(file.refused_count == 0 for file in imports(database))
    with reading_session(database, harbour(database).id) as session:
        answered = {pbx.name: pbx.answered_at is not None for pbx in session.scalars(select(Pbx))}
        assert answered == {system.name: system.outside_lines is not None for system in run_demo._SYSTEMS}
        assert len(answered) == 5
        newest = session.scalar(select(func.max(Call.started_at)))
    assert newest is not None
    assert clock.now() - newest < timedelta(minutes=30)
    assert sign_in(database, demo, password) == 303
    assert any("calls." in line for line in told)
    assert not (tmp_path / "real.sqlite").exists()
    assert list((demo.data_dir / "tmp").iterdir()) == []


def test_each_later_start_adds_what_is_missing_and_a_new_password(
    demo: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = prepare(demo, database, lambda _line: None)
    before = imports(database)
    later = clock.now() + timedelta(days=2)
    monkeypatch.setattr(run_demo.clock, "now", lambda: later)
    second = prepare(demo, database, lambda _line: None)
    added = imports(database)[len(before) :]

    assert [file.created_at for file in added] == [later] * len(added)
    assert {file.state for file in added} == {ImportState.DONE}
    assert all(file.stored_count > 0 for file in added)
    assert sum(file.duplicate_count for file in added) == 0
    assert first != second
    monkeypatch.undo()
    assert sign_in(database, demo, first) == 422
    assert sign_in(database, demo, second) == 303


def test_a_real_server_refuses_the_demo(demo: Settings, database: Database) -> None:
    prepare(demo, database, lambda _line: None)

    assert "holds the demo" in "".join(list_problems(database, replace(demo, demo=False)))


def test_the_demo_takes_nothing_of_the_real_installation(tmp_path: Path) -> None:
    real = {
        "DATABASE_URL": "postgresql://web:secret@db.example.com/real",
        "DATABASE_OWNER_URL": "postgresql://owner:secret@db.example.com/real",
        "NUMBER_KEY_FILE": "/nowhere",
        "SECRET_KEY": "a key of the real installation, long enough",
        "SMTP_URL": "smtp://mail.example.com",
        "PORT": "9000",
        "DATA_DIR": str(tmp_path),
    }
    settings = demo_settings(real)

    assert settings.database_url == f"sqlite:///{tmp_path / 'demo.sqlite'}"
    assert (settings.database_owner_url, settings.number_key, settings.smtp_url) == (None, None, None)
    assert settings.secret_key != real["SECRET_KEY"]
    assert (settings.port, settings.demo) == (9000, True)


def test_passwords_are_of_one_run_and_strong_enough() -> None:
    made = {run_demo._new_password() for _ in range(200)}

    assert len(made) == 200
    assert all(len(password) == 19 for password in made)


def test_an_import_that_fails_is_said(demo: Settings, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    def write_nonsense(path: Path, since: datetime, until: datetime) -> int:
        return path.write_bytes(os.urandom(5000))

    broken = [system._replace(write=write_nonsense) for system in run_demo._SYSTEMS]
    monkeypatch.setattr(run_demo, "_SYSTEMS", broken)

    monkeypatch.setattr(run_demo, "demo_settings", lambda _environ: demo)
    with pytest.raises(SystemExit, match=r"The demo does not start\.\n.*no call log"):
        run_demo.main()
