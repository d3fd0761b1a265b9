"""Where a chain begins: what was removed is told of in the chain itself; a checkpoint that somebody put in is found.

The hand is that of whoever has the web role's password: nothing is taken off, the database lets it through.
"""

from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import update

from tests.cast import Cast
from webapp.audit.actions import record
from webapp.audit.checkpoints import Head, remove_covered, set_checkpoint
from webapp.audit.models import AuditCheckpoint, AuditDetail
from webapp.audit.verify import verify_chain
from webapp.clock import now
from webapp.database.engine import Database
from webapp.tenancy.sessions import writing_session

Cut = Callable[[int], Head]


@pytest.fixture
def cut(database: Database) -> Cut:
    """The chain loses all that it has, and gets three events more."""

    def cut_chain(organization_id: int) -> Head:
        grow(database, organization_id)
        with writing_session(database, organization_id) as session:
            head = set_checkpoint(session, now())
            assert head is not None and remove_covered(session, 100)
            session.commit()
        grow(database, organization_id)
        return head

    return cut_chain


def grow(database: Database, organization_id: int) -> None:
    with writing_session(database, organization_id) as session:
        for _turn in range(3):
            record(session, "pbx.closed", actor_id=None, name="Front desk")
        session.commit()


def say(database: Database, organization_id: int, head: Head, position: int, *, erased: bool = False) -> None:
    with writing_session(database, organization_id) as session:
        words = {"position": position, "hash": head.row_hash.hex()}
        event = record(session, "retention.audit_removed", actor_id=None, object_id=position, **words)
        if erased:
            session.execute(update(AuditDetail).where(AuditDetail.position == event.position).values(words=None))
        session.commit()


def wrong(database: Database, organization_id: int) -> str:
    found = verify_chain(database, organization_id).wrong
    return "" if found is None else f"{found.position}: {found.what}"


def test_a_checkpoint_that_nothing_tells_of_is_found(database: Database, cast: Cast, cut: Cut) -> None:
    head = cut(cast.harbour.id)
    unsaid = f"{head.position}: what stands before it was cut off: no event says that it was removed"
    assert wrong(database, cast.harbour.id) == unsaid
    say(database, cast.harbour.id, head, head.position - 1)
    assert wrong(database, cast.harbour.id) == unsaid, "that is of another"
    say(database, cast.harbour.id, Head(head.position, bytes(32)), head.position)
    assert wrong(database, cast.harbour.id) == unsaid, "another hash"


@pytest.mark.parametrize("erased", [False, True])
def test_one_that_the_chain_tells_of_is_right(database: Database, cast: Cast, cut: Cut, erased: bool) -> None:
    head = cut(cast.harbour.id)
    say(database, cast.harbour.id, head, head.position, erased=erased)
    assert wrong(database, cast.harbour.id) == ""


def test_one_that_is_put_before_what_was_removed_is_found(database: Database, cast: Cast, cut: Cut) -> None:
    head = cut(cast.harbour.id)
    say(database, cast.harbour.id, head, head.position)
    with writing_session(database, cast.harbour.id) as session:
        session.add(AuditCheckpoint(position=head.position + 3, row_hash=bytes(32), purged_at=now()))
        session.commit()
    assert "no event says that it was removed" in wrong(database, cast.harbour.id)


def test_of_the_services_own_chain_nothing_is_ever_removed(database: Database, cast: Cast, cut: Cut) -> None:
    head = cut(0)
    say(database, 0, head, head.position)
    assert "of this chain nothing is ever removed" in wrong(database, 0)


def test_a_kept_head_of_what_was_removed_is_told_as_not_compared(
    app: Flask, database: Database, cast: Cast, cut: Cut, tmp_path: Path
) -> None:
    kept = tmp_path / "heads"
    kept.write_text(f"head harbour 2 {bytes(32).hex()}\n")
    head = cut(cast.harbour.id)
    say(database, cast.harbour.id, head, head.position)
    result = app.test_cli_runner().invoke(args=["verify-audit", "--organization", "harbour", "--head", str(kept)])
    assert result.exit_code == 0, result.output
    assert f"not compared harbour 2: removed, with all up to {head.position}" in result.output
