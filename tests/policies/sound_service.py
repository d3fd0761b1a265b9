"""What the tests of promises share: a service in which every promise is kept, a hand that reaches past its locks."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from config import Settings
from tests import postgresql
from tests.cast import Cast
from webapp.accounts import session_limits
from webapp.accounts.models import SessionState, UserAccount, WebSession
from webapp.clock import now
from webapp.database.engine import Database
from webapp.database.ids import new_id
from webapp.policies import notices
from webapp.policies.models import Policy
from webapp.policies.publishing import Change, Publisher, publish
from webapp.policies.values import load_values
from webapp.policies.versions import draft_of
from webapp.recovery.models import RecoveryRun, RunKind
from webapp.tenancy.sessions import writing_session

VALUES = """
operator = "Harbour Hosting"
address = "1 Quay Street, Harbourtown"
law = "England and Wales"
contact = "hello@hosting.example"
security_contact = "security@hosting.example"
recovery_point = "a day"
recovery_time = "four hours"
backup_hours = 24
drill_days = 90
regions = ["England"]
[[partners]]
name = "Dockside Machines"
purpose = "machines and network"
region = "England"
"""
BY_COMMAND = Publisher(None, "The operator", "by command")


def backup(
    database: Database,
    *,
    kind: RunKind = RunKind.BACKUP,
    ago: timedelta,
    succeeded: bool = True,
    took: timedelta = timedelta(0),
    age: timedelta = timedelta(0),
) -> None:
    """What `flask backup`, or a drill, would have written down. `age`: of the backup when it ended."""
    moment = now() - ago
    values = {
        "byte_count": 4_000_000,
        "digest": b"d",
        "organizations": 2,
        "calls": 1,
        "heads_digest": b"h",
        "words": "",
    }
    with writing_session(database) as session:
        session.add(
            RecoveryRun(
                id=new_id(), kind=kind, started_at=moment - took, ended_at=moment, succeeded=succeeded,
                backup_name="callbook.backup", backup_at=moment - age, **values,
            )
        )  # fmt: skip
        session.commit()


def store_browser(database: Database, person: UserAccount, **fields: Any) -> int:
    """That a browser of the person is signed in; gives by which id."""
    values: dict[str, Any] = {
        "id_digest": b"x" * 32,
        "id": new_id(),
        "user_account_id": person.id,
        "state": SessionState.SIGNED_IN,
        "created_at": now(),
        "last_seen_at": now(),
        "proved_at": None,
        "idle_minutes": session_limits.USUAL_IDLE_MINUTES,
        "network": "192.0.2.1",
        "browser": "Firefox on Linux",
        "payload": "{}",
        "factor_ms": None,
        "is_staff": person.is_staff,
        "renewal_due": False,
    }
    row = WebSession(**{**values, **fields})
    with writing_session(database) as session:
        session.add(row)
        session.commit()
    return row.id


@pytest.fixture
def sound(app: Flask, settings: Settings, database: Database, cast: Cast) -> Flask:
    """An app whose policies are in force, and of which every promise is kept."""
    settings.data_dir.chmod(0o700)
    (settings.data_dir / "policy.toml").write_text(VALUES)
    with writing_session(database) as session:
        for policy in Policy:
            draft = draft_of(session, settings, load_values(settings), policy)
            publish(session, draft, Change("The first version of all.", significant=False), BY_COMMAND, 14)
        session.commit()
    notices.forget(database)
    backup(database, ago=timedelta(hours=3))
    backup(database, kind=RunKind.DRILL, ago=timedelta(days=10))
    return app


Execute = Callable[..., Any]


@pytest.fixture
def past_locks(settings: Settings, cast: Cast) -> Iterator[Execute]:
    """`past_locks("DELETE ...", values)`: as whoever has the database file, or owns the tables, with no trigger on.

    On PostgreSQL the rows are Harbour's. What it changes of the tables themselves is put back at the end.
    """
    if settings.dialect == "sqlite":
        with closing(sqlite3.connect(settings.database_url.removeprefix("sqlite:///"), timeout=20)) as raw:
            for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
                raw.execute(f"DROP TRIGGER {name}")
            raw.execute("PRAGMA foreign_keys = OFF")

            def execute(statement: str, *values: Any) -> None:
                raw.execute(statement, values)
                raw.commit()

            yield execute
        return
    assert settings.database_owner_url
    with postgresql.connect(settings.database_owner_url) as connection:
        connection.execute(f"SET app.organization_id = '{cast.harbour.id}'")  # type: ignore[arg-type]
        tables = ("audit_event", "audit_detail", "policy_version")
        for table in tables:
            connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")  # type: ignore[arg-type]
        try:
            yield lambda statement, *values: connection.execute(statement.replace("?", "%s"), values)
        finally:
            for table in tables:
                connection.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")  # type: ignore[arg-type]
