"""What is used is counted by day, organization and feature, in memory: never who, and no request writes for it."""

import pytest
from flask import Flask
from sqlalchemy import event, select

from tests.cast import Cast
from tests.client import PageCheckingClient
from tests.make import Make
from tests.sources.delivering import Delivering, token_of
from webapp import tallies
from webapp.database.engine import Database
from webapp.staff.feature_use import FEATURE_USE, SOURCE_FAILURE
from webapp.staff.models import FeatureUse, SourceFailure
from webapp.tallies import today, write_down
from webapp.tenancy.sessions import reading_session


def used(database: Database) -> dict[str, int]:
    with reading_session(database) as session:
        rows = session.scalars(select(FeatureUse)).all()
    assert {row.day for row in rows} <= {today()}
    return {row.feature: row.uses for row in rows}


def test_counted_by_feature_and_written_together(client: PageCheckingClient, cast: Cast, database: Database) -> None:
    client.sign_in(cast.olive)
    write_down(database)
    before = used(database)
    for _ in range(3):
        client.get("/o/harbour/calls")
    client.get("/o/harbour/people")
    assert used(database) == before
    write_down(database)
    after = used(database)
    assert after["calls"] - before.get("calls", 0) == 3
    assert after["people"] - before.get("people", 0) == 1
    write_down(database)
    assert used(database) == after


def test_nobody_is_named() -> None:
    assert set(FeatureUse.__table__.columns.keys()) == {"day", "organization_id", "feature", "uses"}


def test_what_is_refused_or_asked_by_itself_is_no_use(
    client: PageCheckingClient, cast: Cast, database: Database
) -> None:
    client.sign_in(cast.vera)
    write_down(database)
    before = used(database)
    client.get("/o/harbour/settings")
    client.get("/o/quayside/calls")
    client.get("/o/harbour/no-such-page")
    client.get("/security")
    write_down(database)
    assert used(database) == before


def test_staff_are_not_counted(staff_client: PageCheckingClient, database: Database) -> None:
    staff_client.get("/staff/")
    write_down(database)
    assert used(database) == {}


def test_a_page_writes_nothing_for_it(
    client: PageCheckingClient, cast: Cast, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a minute later one request writes all of it, by one statement, once its own session is closed."""
    client.sign_in(cast.olive)
    client.get("/o/harbour/calls")  # notes the view and the day of the last use
    write_down(database)
    written: list[str] = []

    def catch(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        if not statement.lstrip().upper().startswith(("SELECT", "PRAGMA", "BEGIN", "SET", "WITH")):
            written.append(statement)

    event.listen(database.engine, "before_cursor_execute", catch)
    try:
        for _ in range(3):
            client.get("/o/harbour/calls")
        assert written == []
        monkeypatch.setattr(tallies, "EVERY_SECONDS", 0.0)
        client.get("/o/harbour/calls")
        assert len(written) == 1 and "INTO feature_use" in written[0]
    finally:
        event.remove(database.engine, "before_cursor_execute", catch)
    assert used(database)["calls"] >= 4


def test_a_database_that_does_not_take_it_costs_no_answer(
    client: PageCheckingClient, cast: Cast, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.sign_in(cast.olive)
    monkeypatch.setattr(tallies, "EVERY_SECONDS", 0.0)
    monkeypatch.setattr(tallies.Tally, "upsert", "INSERT INTO nothing VALUES (:day)")
    assert client.get("/o/harbour/calls").status_code == 200


def test_what_a_phone_system_was_refused(app: Flask, make: Make, cast: Cast) -> None:
    pbx = make.pbx()
    sender = Delivering(app, make.database, pbx, token_of(make.database, pbx))
    assert sender.send(b"").status_code == 400
    assert sender.send(b"").status_code == 400
    write_down(make.database)
    with reading_session(make.database) as session:
        [row] = session.scalars(select(SourceFailure)).all()
    assert (row.organization_id, row.pbx_id, row.kind) == (cast.harbour.id, pbx.id, "push")
    assert (row.error_class, row.failures, row.day) == ("BadRequest", 2, today())


def test_of_an_organization_that_was_erased_meanwhile_nothing_is_written(
    app: Flask, cast: Cast, database: Database
) -> None:
    for organization_id in (cast.harbour.id, cast.harbour.id + 1):
        tallies.add(database, FEATURE_USE, today(), organization_id, "calls")
        tallies.add(database, SOURCE_FAILURE, today(), organization_id, 1, "push", "BadRequest")
    write_down(database)
    with reading_session(database) as session:
        assert list(session.scalars(select(FeatureUse.organization_id))) == [cast.harbour.id]
        assert list(session.scalars(select(SourceFailure.organization_id))) == [cast.harbour.id]
