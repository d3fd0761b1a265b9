"""An erasure that stands still somewhere: it is gone on with, and until then alarms nobody."""

import json
from datetime import timedelta

import pytest
import time_machine
from sqlalchemy import select

from config import Settings
from tests.accounts.authenticator import clock
from tests.cast import Cast
from tests.make import Make
from tests.privacy.canary import Planted
from tests.privacy.test_erasing import close, counts, planted
from webapp import tallies
from webapp.audit.actions import record
from webapp.audit.verify import verify_chain
from webapp.clock import now
from webapp.database.engine import Database
from webapp.jobs.queue import enqueue
from webapp.jobs.worker import Worker
from webapp.policies import chains
from webapp.privacy import erasing
from webapp.privacy.catalogue import TABLES, mapped_class
from webapp.privacy.erasing_end import end_erasure
from webapp.privacy.models import Erasure
from webapp.recovery.settling import settle
from webapp.staff.feature_use import FEATURE_USE
from webapp.tenancy.models import Organization
from webapp.tenancy.sessions import reading_session, writing_session

__all__ = ["clock", "planted"]


def begin(database: Database, organization_id: int) -> None:
    with writing_session(database, organization_id) as session:
        erasing.begin_erasure(session, organization_id)
        session.commit()


@pytest.mark.parametrize("steps", [1, 7, 30])
def test_an_erasure_that_broke_off_is_gone_on_with_and_counted_once(
    clock: time_machine.Traveller,
    planted: Planted,
    make: Make,
    cast: Cast,
    database: Database,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    steps: int,
) -> None:
    monkeypatch.setattr(erasing, "_AT_ONCE", 1)
    before = counts(database, cast.harbour.id)
    close(make, cast)
    clock.shift(timedelta(days=14))
    turns = iter(range(steps))
    begin(database, cast.harbour.id)
    assert not erasing.erase_rows(database, cast.harbour.id, lambda: next(turns, None) is not None)
    with reading_session(database) as session:
        assert session.get(Organization, cast.harbour.id) is not None
    Worker(database, settings).run_due()
    with reading_session(database) as session:
        assert session.get(Organization, cast.harbour.id) is None
        rows = json.loads(session.scalars(select(Erasure)).one().receipt)
    for name in ("call", "party", "audit_viewing", "stored_chunk", "pbx"):
        assert rows[name] == before[name], name


def test_rows_that_name_each_other_go_whichever_comes_first(
    planted: Planted, make: Make, cast: Cast, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasing, "_AT_ONCE", 1)
    tables = [table for table in TABLES.values() if table.names_its_own]
    with make.session() as session:
        for mapped, own in [(mapped_class(table), table.names_its_own) for table in tables]:
            found = select(mapped).where(getattr(mapped, own).is_not(None))
            newer = session.scalars(found).one()
            older = session.get_one(mapped, (cast.harbour.id, getattr(newer, own)))
            setattr(older, own, newer.id)
        session.commit()
    begin(database, cast.harbour.id)
    assert erasing.erase_rows(database, cast.harbour.id)
    assert {table.name for table in tables} & counts(database, cast.harbour.id).keys() == set()


def test_its_chain_is_whole_wherever_its_erasure_stands(
    clock: time_machine.Traveller, planted: Planted, make: Make, cast: Cast, database: Database, settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Nobody is alarmed in public by an erasure, and a backup of any of its moments is restored."""
    monkeypatch.setattr(erasing, "_AT_ONCE", 1)
    close(make, cast)
    clock.shift(timedelta(days=14))
    begin(database, cast.harbour.id)
    ids = [cast.harbour.id, cast.quayside.id]
    wrong: list[object] = []

    def look() -> bool:
        wrong.extend((verify_chain(database, cast.harbour.id).wrong, *chains.look(database, ids, now()).broken))
        return True

    look()
    assert erasing.erase_rows(database, cast.harbour.id, look)
    assert len(wrong) > 40
    settle(database, now())
    look()
    assert verify_chain(database, cast.harbour.id).wrong is None
    Worker(database, settings).run_due()
    look()
    assert set(wrong) == {None}
    assert verify_chain(database, cast.harbour.id).wrong is None
    assert counts(database, cast.harbour.id).keys() == {"audit_checkpoint"}


def test_what_is_written_in_its_last_moments_goes_too(
    planted: Planted, make: Make, cast: Cast, database: Database
) -> None:
    """Into tables that no key ties to it, and into its chain."""
    begin(database, cast.harbour.id)
    assert erasing.erase_rows(database, cast.harbour.id)
    tallies.add(database, FEATURE_USE, tallies.today(), cast.harbour.id, "calls")
    tallies.write_down(database)
    with make.session() as session:
        record(session, "overview.viewed", actor_id=cast.olive.id)
        enqueue(session, "privacy.run_retention", {}, cast.harbour.id)
        session.commit()
    assert counts(database, cast.harbour.id).keys() > {"feature_use", "audit_event", "job"}
    receipt = end_erasure(database, cast.harbour.id, tell=False)
    assert receipt is not None and receipt.rows["job"] == 2, "counted with the one from before"
    assert counts(database, cast.harbour.id).keys() == {"audit_checkpoint"}
