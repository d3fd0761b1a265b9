"""Noting views: once in a quarter of an hour whoever asks at the same time, and from then on at no cost."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from sqlalchemy import event, select, text

from tests.cast import Cast
from webapp.audit import viewing
from webapp.audit.models import AuditEvent
from webapp.audit.viewing import note, note_view
from webapp.database.engine import ACCESS, Database
from webapp.tenancy.row_security import set_local
from webapp.tenancy.sessions import reading_session


@contextmanager
def watched(database: Database) -> Iterator[tuple[list[str], list[str]]]:
    """How each transaction began meanwhile, and each statement."""
    begun: list[str] = []
    statements: list[str] = []

    def begin(connection: Any) -> None:
        begun.append(connection.get_execution_options()[ACCESS])

    def execute(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if not statement.startswith("SET "):
            statements.append(statement)

    event.listen(database.engine, "begin", begin)
    event.listen(database.engine, "before_cursor_execute", execute)
    yield begun, statements
    event.remove(database.engine, "begin", begin)
    event.remove(database.engine, "before_cursor_execute", execute)


def viewed(database: Database, organization_id: int) -> list[AuditEvent]:
    with reading_session(database, organization_id) as session:
        views = select(AuditEvent).where(AuditEvent.kind.like("%.viewed"))
        return list(session.scalars(views.order_by(AuditEvent.position)))


def test_the_second_view_asks_nothing_and_in_another_process_it_is_one_read(database: Database, cast: Cast) -> None:
    note_view(database, cast.harbour.id, cast.vera.id, "call.viewed", 7, started="x")
    with watched(database) as (begun, statements):
        note_view(database, cast.harbour.id, cast.vera.id, "call.viewed", 7, started="x")
    assert (begun, statements) == ([], [])
    elsewhere = Database(database.url.render_as_string(hide_password=False))
    with watched(elsewhere) as (begun, statements):
        note_view(elsewhere, cast.harbour.id, cast.vera.id, "call.viewed", 7, started="x")
    elsewhere.dispose()
    assert begun == ["read"]
    assert len(statements) == 1
    assert len(viewed(database, cast.harbour.id)) == 1


def test_what_could_not_be_noted_is_asked_again(
    database: Database, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_anything: object, **_words: object) -> None:
        raise RuntimeError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(viewing, "record", fail)
        with pytest.raises(RuntimeError):
            note_view(database, cast.harbour.id, cast.vera.id, "call_log.viewed")
    note_view(database, cast.harbour.id, cast.vera.id, "call_log.viewed")
    assert len(viewed(database, cast.harbour.id)) == 1


def test_the_next_quarter_of_an_hour_is_another_view(database: Database, cast: Cast) -> None:
    with time_machine.travel(datetime(2026, 6, 24, 12, 14, tzinfo=UTC), tick=False) as clock:
        for _view in range(3):
            note_view(database, cast.harbour.id, cast.vera.id, "call_log.viewed")
            clock.shift(timedelta(minutes=1))
    assert len(viewed(database, cast.harbour.id)) == 2


def test_that_read_goes_by_the_key(database: Database, cast: Cast) -> None:
    if database.dialect != "sqlite":
        return  # an empty table is scanned there, whatever keys it has
    with database.reading.connect() as connection:
        set_local(connection, cast.harbour.id, None)
        plan = connection.execute(
            text(
                "EXPLAIN QUERY PLAN SELECT slot FROM audit_viewing WHERE organization_id = 1 AND user_account_id = 1"
                " AND kind = 'call.viewed' AND object_id = 7 AND slot = 1"
            )
        ).all()
    assert len(plan) == 1
    assert "SEARCH audit_viewing USING PRIMARY KEY" in plan[0][3]
    assert plan[0][3].count("=?") == 5


def test_another_person_another_call_another_kind_are_noted(database: Database, cast: Cast) -> None:
    for person, thing in ((cast.vera, 7), (cast.vera, 8), (cast.max, 7), (cast.vera, 7)):
        note_view(database, cast.harbour.id, person.id, "call.viewed", thing, started="x")
    for _twice in range(2):
        note_view(database, cast.harbour.id, cast.vera.id, "call_log.viewed")
    assert [(each.actor_id, each.object_id) for each in viewed(database, cast.harbour.id)] == [
        (cast.vera.id, 7),
        (cast.vera.id, 8),
        (cast.max.id, 7),
        (cast.vera.id, None),
    ]
    assert viewed(database, cast.quayside.id) == []


def test_looks_at_the_same_time_are_noted_once(database: Database, cast: Cast) -> None:
    failed: list[BaseException] = []
    together = threading.Barrier(6)

    def look() -> None:
        try:
            together.wait(10)
            note_view(database, cast.harbour.id, cast.vera.id, "call_log.viewed")
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=look) for _turn in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert len(viewed(database, cast.harbour.id)) == 1


def test_what_is_taken_away_is_noted_each_time(database: Database, cast: Cast) -> None:
    for _twice in range(2):
        note(database, cast.harbour.id, cast.vera.id, "export.made", selection="everything")
    with reading_session(database, cast.harbour.id) as session:
        assert len(session.scalars(select(AuditEvent).where(AuditEvent.kind == "export.made")).all()) == 2


def test_a_kind_that_is_not_known_is_refused(database: Database, cast: Cast) -> None:
    with pytest.raises(KeyError):
        note_view(database, cast.harbour.id, cast.vera.id, "moon.viewed")
