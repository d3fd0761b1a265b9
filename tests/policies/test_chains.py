"""The chains of the audit, verified in steps: what is new first, then all in turn; what was found is not forgotten."""

import pytest
from flask import Flask

from tests.cast import Cast
from tests.policies.sound_service import Execute
from webapp.audit.actions import record
from webapp.audit.checkpoints import Head
from webapp.audit.verify import verify_rows
from webapp.clock import now
from webapp.database.engine import Database
from webapp.policies import chains
from webapp.policies.checks_of_database import audit_whole
from webapp.policies.promise import CheckContext
from webapp.policies.said import Said
from webapp.policies.states import State
from webapp.tenancy.sessions import writing_session


def grow(database: Database, organization_id: int, count: int) -> None:
    with writing_session(database, organization_id) as session:
        for _each in range(count):
            record(session, "overview.viewed", actor_id=7)
        session.commit()


def change(past_locks: Execute, cast: Cast, position: int) -> None:
    past_locks(
        "UPDATE audit_event SET kind = 'x' WHERE organization_id = ? AND position = ?", cast.harbour.id, position
    )


def test_a_look_is_bounded_and_a_pass_comes_to_its_end(database: Database, cast: Cast) -> None:
    grow(database, cast.harbour.id, 30)
    ids = [cast.harbour.id, cast.quayside.id]
    looks = 0
    while not (watch := chains.look(database, ids, at_least=7)).passes:
        looks += 1
        assert looks < 30
    assert looks >= 3
    assert watch.broken == set()
    assert watch.ends[cast.harbour.id].position > 30


def test_what_is_new_is_looked_at_at_once(database: Database, cast: Cast, past_locks: Execute) -> None:
    ids = [cast.harbour.id, cast.quayside.id]
    end = chains.look(database, ids).ends[cast.harbour.id].position
    grow(database, cast.harbour.id, 4)
    change(past_locks, cast, end + 2)
    assert chains.look(database, ids, at_least=5).broken == {cast.harbour.id}


def test_what_is_old_is_looked_at_in_turn_and_stays_found(database: Database, cast: Cast, past_locks: Execute) -> None:
    grow(database, cast.harbour.id, 30)
    ids = [cast.harbour.id, cast.quayside.id]
    chains.look(database, ids)
    change(past_locks, cast, 2)
    found = [bool(chains.look(database, ids, at_least=10).broken) for _look in range(12)]
    assert found[-1]
    assert found == sorted(found)


def test_a_chain_that_is_put_right_is_whole_again(database: Database, cast: Cast, past_locks: Execute) -> None:
    ids = [cast.harbour.id]
    past_locks("UPDATE audit_event SET kind = 'x' WHERE organization_id = ? AND position = 1", cast.harbour.id)
    assert chains.look(database, ids).broken == {cast.harbour.id}
    past_locks(
        "UPDATE audit_event SET kind = 'organization.made' WHERE organization_id = ? AND position = 1", cast.harbour.id
    )
    assert chains.look(database, ids).broken == set()


def test_red_stays_red_after_a_start_until_everything_was_looked_at(
    sound: Flask, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = sound.extensions["callbook"]
    before = {"audit-whole": State(False, now(), now(), "It was changed.")}
    context = CheckContext(sound, database, found.staff_database, found.settings, now(), Said({}, {}), before)
    monkeypatch.setattr(chains, "ROWS_AT_LEAST", 2)
    assert audit_whole(context) == "It was changed."
    monkeypatch.undo()
    assert audit_whole(context) == ""


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
    assert chains.look(database, [cast.harbour.id]).broken == {cast.harbour.id}, "nothing says that it was removed"
    with writing_session(database, cast.harbour.id) as session:
        words = {"position": third.position, "hash": third.row_hash.hex()}
        record(session, "retention.audit_removed", actor_id=None, object_id=third.position, **words)
        session.commit()
    assert chains.look(database, [cast.harbour.id]).broken == set()
    found = verify_rows(database, cast.harbour.id, Head(0, chains.START.row_hash), 100)
    assert found.wrong is None
    assert found.head.position > 10
