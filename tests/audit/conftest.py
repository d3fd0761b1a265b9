"""What the tests of the audit share: a hand that reaches past every lock, as whoever has the database file would."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from config import Settings
from tests import postgresql
from webapp.database.engine import Database

TRIGGERS = {
    "sqlite": {
        "audit_event": ("audit_event_stays", "audit_event_is_kept", "audit_event_is_not_replaced"),
        "audit_detail": ("audit_detail_stays", "audit_detail_is_kept", "audit_detail_is_not_replaced"),
    },
    "postgresql": {
        "audit_event": ("audit_event_stays",),
        "audit_detail": ("audit_detail_stays", "audit_detail_is_kept"),
    },
}


class Tamperer:
    """Statements with ? for values, as the owner of the tables, with every trigger taken off."""

    def __init__(self, settings: Settings, organization_id: int) -> None:
        self.settings = settings
        self.organization_id = organization_id

    def __call__(self, *statements: str, values: tuple[Any, ...] = ()) -> None:
        with self._connection() as execute:
            for statement in statements:
                execute(statement, values)

    @contextmanager
    def _connection(self) -> Iterator[Any]:
        if self.settings.dialect == "sqlite":
            database = Database(self.settings.database_url)
            with database.engine.connect() as connection:
                raw: Any = connection.connection.dbapi_connection
                found = raw.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
                for name, _sql in found:
                    raw.execute(f"DROP TRIGGER {name}")
                raw.execute("PRAGMA foreign_keys = OFF")
                yield raw.execute
                for _name, sql in found:
                    raw.execute(sql)
                raw.execute("PRAGMA foreign_keys = ON")
            database.dispose()
            return
        assert self.settings.database_owner_url
        with postgresql.connect(self.settings.database_owner_url) as connection:
            connection.execute(f"SET app.organization_id = '{self.organization_id}'")  # type: ignore[arg-type]
            for table in ("audit_event", "audit_detail"):
                connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")  # type: ignore[arg-type]
            connection.execute("ALTER TABLE audit_detail DROP CONSTRAINT audit_detail_event_fkey")
            try:
                yield lambda statement, values: connection.execute(statement.replace("?", "%s"), values)
            finally:
                for table in ("audit_event", "audit_detail"):
                    connection.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")  # type: ignore[arg-type]
                connection.execute(
                    "ALTER TABLE audit_detail ADD CONSTRAINT audit_detail_event_fkey"
                    " FOREIGN KEY (organization_id, position)"
                    " REFERENCES audit_event (organization_id, position) NOT VALID"
                )


@pytest.fixture
def tamper(settings: Settings, cast: Any) -> Tamperer:
    """`tamper("UPDATE audit_event SET ...")`: rows of Harbour's chain."""
    return Tamperer(settings, cast.harbour.id)
