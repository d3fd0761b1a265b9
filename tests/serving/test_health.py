"""/healthz: whether the database answers, and nothing else."""

from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy.exc import OperationalError

from config import Settings
from tests.client import PageCheckingClient
from webapp import create_app
from webapp.database.engine import Database
from webapp.health import database_answers


def test_it_is_well(client: PageCheckingClient) -> None:
    answer = client.get("/healthz")

    assert (answer.status_code, answer.get_json()) == (200, {"ok": True})
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("name", ["nothing.sqlite", "empty.sqlite"])
def test_without_a_database_it_is_not(name: str, settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "empty.sqlite").touch()
    app = create_app(replace(settings, database_url=f"sqlite:///{tmp_path / name}"))

    answer = app.test_client().get("/healthz", headers={"Host": "localhost"})

    assert (answer.status_code, answer.get_json()) == (503, {"ok": False})
    assert not (tmp_path / "nothing.sqlite").exists()


def test_a_database_that_does_not_answer(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise OperationalError("SELECT", {}, Exception("gone"))

    monkeypatch.setattr(database.reading, "connect", refuse)

    assert database_answers(database) is False


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_it_is_only_looked_at(method: str, app: Flask) -> None:
    assert app.test_client().open("/healthz", method=method).status_code in (400, 405)
