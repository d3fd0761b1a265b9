"""The chains of the audit, verified in steps: what is new first, then all in turn; what was found is not forgotten."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
import time_machine
from flask import Flask
from sqlalchemy import select

from config import Settings
from tests.cast import Cast
from tests.policies.sound_service import Execute
from webapp import create_app
from webapp.audit.actions import record
from webapp.audit.checkpoints import Head
from webapp.audit.verify import verify_rows
from webapp.clock import now
from webapp.database.engine import Database
from webapp.policies import chains
from webapp.policies.checking import check_promises
from webapp.policies.models import PromiseChange
from webapp.policies.states import State, list_states
from webapp.tenancy.sessions import reading_session, writing_session


def grow(database: Database, organization_id: int, count: int) -> None:
    with writing_session(database, organization_id) as session:
        for _each in range(count):
            record(session, "overview.viewed", actor_id=7)
        session.commit()


def change(past_locks: Execute, cast: Cast, position: int, kind: str = "x") -> str:
    """Of a row; gives what it was, to put it back."""
    past_locks(
        "UPDATE audit_event SET kind = ? WHERE organization_id = ? AND position = ?", kind, cast.harbour.id, position
    )
    return "overview.viewed"


def test_a_look_is_bounded_and_a_pass_comes_to_its_end(database: Database, cast: Cast) -> None:
    grow(database, cast.harbour.id, 30)
    ids = [cast.harbour.id, cast.quayside.id]
    looks, began_at = 0, now()
    while not (watch := chains.look(database, ids, began_at + timedelta(hours=looks), at_least=7)).whole_since:
        looks += 1
        assert looks < 30
    assert looks >= 3
    assert watch.whole_since == began_at
    assert watch.broken == set()
    assert watch.ends[cast.harbour.id].position > 30


def test_what_is_new_is_looked_at_at_once(database: Database, cast: Cast, past_locks: Execute) -> None:
    ids = [cast.harbour.id, cast.quayside.id]
    end = chains.look(database, ids, now()).ends[cast.harbour.id].position
    grow(database, cast.harbour.id, 4)
    change(past_locks, cast, end + 2)
    assert chains.look(database, ids, now(), at_least=5).broken == {cast.harbour.id}


def test_a_chain_that_is_put_right_is_whole_again(database: Database, cast: Cast, past_locks: Execute) -> None:
    ids = [cast.harbour.id]
    past_locks("UPDATE audit_event SET kind = 'x' WHERE organization_id = ? AND position = 1", cast.harbour.id)
    assert chains.look(database, ids, now()).broken == {cast.harbour.id}
    past_locks(
        "UPDATE audit_event SET kind = 'organization.made' WHERE organization_id = ? AND position = 1", cast.harbour.id
    )
    assert chains.look(database, ids, now()).broken == set()


def audit_state(database: Database) -> State:
    with reading_session(database) as session:
        return list_states(session)["audit-whole"]


def turns(database: Database) -> list[bool]:
    with reading_session(database) as session:
        mine = select(PromiseChange).where(PromiseChange.promise == "audit-whole").order_by(PromiseChange.id)
        return [change.kept for change in session.scalars(mine)]


@pytest.fixture
def another(settings: Settings) -> Iterator[Flask]:
    """As a second process of the same service sees it."""
    other = Database(settings.database_url)
    yield create_app(settings, other)
    other.dispose()


def test_what_one_process_has_seen_another_does_not_call_kept(
    sound: Flask,
    another: Flask,
    database: Database,
    cast: Cast,
    past_locks: Execute,
    monkeypatch: pytest.MonkeyPatch,
    time_machine: time_machine.TimeMachineFixture,
) -> None:
    grow(database, cast.harbour.id, 30)
    check_promises(sound)
    kind = change(past_locks, cast, 20)
    check_promises(sound)
    seen = audit_state(database)
    assert not seen.kept

    with monkeypatch.context() as patch:
        patch.setattr(chains, "ROWS_AT_LEAST", 8)  # the other begins, and is hours from coming to it
        time_machine.move_to(now() + timedelta(hours=1))
        assert "audit-whole" not in check_promises(another)
        assert audit_state(database) == seen
        came: list[str] = []
        while not came:
            time_machine.move_to(now() + timedelta(hours=1))
            came += filter(None, [check_promises(another).get("audit-whole")])
    change(past_locks, cast, 20, kind)
    time_machine.move_to(now() + timedelta(hours=1))
    assert check_promises(sound)["audit-whole"] == ""
    time_machine.move_to(now() + timedelta(hours=1))
    assert check_promises(another)["audit-whole"] == ""
    assert turns(database) == [False, True]


def test_a_mended_chain_longer_than_a_look_is_kept_again_and_holds_up_no_other(
    sound: Flask,
    database: Database,
    cast: Cast,
    past_locks: Execute,
    monkeypatch: pytest.MonkeyPatch,
    time_machine: time_machine.TimeMachineFixture,
) -> None:
    monkeypatch.setattr(chains, "ROWS_AT_LEAST", 8)
    monkeypatch.setattr(chains, "ROWS_OF_A_CHAIN", 1)
    grow(database, cast.harbour.id, 30)
    kind = change(past_locks, cast, 20)

    def hours(count: int) -> list[str | None]:
        came = []
        for _hour in range(count):
            time_machine.move_to(now() + timedelta(hours=1))
            came.append(check_promises(sound).get("audit-whole"))
        return came

    assert any(hours(12))
    end = chains._watches[database].ends[cast.quayside.id]
    grow(database, cast.quayside.id, 1)
    hours(1)
    assert chains._watches[database].ends[cast.quayside.id].position == end.position + 1
    change(past_locks, cast, 20, kind)
    assert hours(25)[-1] == ""
    assert turns(database) == [False, True]


def test_before_everything_was_looked_at_once_nothing_is_said(
    sound: Flask, database: Database, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    grow(database, cast.harbour.id, 30)
    monkeypatch.setattr(chains, "ROWS_AT_LEAST", 8)
    assert "audit-whole" not in check_promises(sound)
    monkeypatch.undo()
    assert check_promises(sound)["audit-whole"] == ""


def test_the_beginning_that_was_purged_is_passed_over(database: Database, cast: Cast, past_locks: Execute) -> None:
    grow(database, cast.harbour.id, 10)
    third = verify_rows(database, cast.harbour.id, chains.START, 3).head
    instant = 0 if database.dialect == "sqlite" else now()
    past_locks(
        "INSERT INTO audit_checkpoint (organization_id, position, row_hash, purged_at) VALUES (?, ?, ?, ?)",
        cast.harbour.id, third.position, third.row_hash, instant,
    )  # fmt: skip
    for table in ("audit_detail", "audit_event"):
        past_locks(f"DELETE FROM {table} WHERE organization_id = ? AND position <= 3", cast.harbour.id)
    assert chains.look(database, [cast.harbour.id], now()).broken == {cast.harbour.id}, (
        "nothing says that it was removed"
    )
    with writing_session(database, cast.harbour.id) as session:
        words = {"position": third.position, "hash": third.row_hash.hex()}
        record(session, "retention.audit_removed", actor_id=None, object_id=third.position, **words)
        session.commit()
    assert chains.look(database, [cast.harbour.id], now()).broken == set()
    found = verify_rows(database, cast.harbour.id, Head(0, chains.START.row_hash), 100)
    assert found.wrong is None
    assert found.head.position > 10
