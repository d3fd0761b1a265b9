"""The hourly count of each organization: from totals, in a transaction each, and nothing but figures."""

from datetime import timedelta

import pytest
import time_machine
from sqlalchemy import event, select
from sqlalchemy.exc import OperationalError

from tests.cast import Cast
from tests.make import Make
from webapp.calls.models import ImportState
from webapp.clock import now
from webapp.database.engine import Database
from webapp.database.ids import new_id
from webapp.ingest.models import SpooledDelivery
from webapp.jobs.models import StoredFile
from webapp.organizations.models import OrganizationUsage
from webapp.staff import jobs
from webapp.staff.feature_use import FEATURE_USE, SOURCE_FAILURE
from webapp.staff.jobs import count_organizations, sweep_counts
from webapp.staff.models import FeatureUse, LimitedNetwork, SourceFailure
from webapp.tallies import add, today, write_down
from webapp.tenancy.models import Organization
from webapp.tenancy.sessions import reading_session

LATER = timedelta(hours=1)


def usage_of(database: Database, organization: Organization) -> OrganizationUsage:
    with reading_session(database) as session:
        return session.get_one(OrganizationUsage, organization.id)


def failures(database: Database) -> list[tuple[str, str, int]]:
    with reading_session(database) as session:
        rows = session.scalars(select(SourceFailure).order_by(SourceFailure.kind))
        return [(row.kind, row.error_class, row.failures) for row in rows]


def count_later(database: Database) -> None:
    with time_machine.travel(now() + LATER, tick=False):
        count_organizations(database)


def test_the_figures_of_an_organization(make: Make, cast: Cast) -> None:
    pbx = make.pbx()
    for days in (0, 1, 2, 45):
        make.call(pbx=pbx, started_at=now() - timedelta(days=days, hours=1))
    make.pbx(closed_at=now())
    make.store(StoredFile(id=new_id(), byte_count=900, stored_count=300, digest=b"x", complete=True, created_at=now()))
    make.store(SpooledDelivery(id=new_id(), pbx_id=pbx.id, format="x", received_at=now(), body=b"12345"))
    make.membership(cast.vera, ends_at=now() - timedelta(minutes=1))
    make.membership(cast.max, last_used_at=now() - timedelta(days=3))
    make.opening(make.grant(cast.olive), cast.stella)

    count_organizations(make.database)

    found = usage_of(make.database, cast.harbour)
    assert (found.calls, found.recent_calls, found.people, found.owners) == (4, 3, 3, "olive@example.com")
    assert (found.file_bytes, found.waiting_bytes, found.openings) == (300, 5, 1)
    assert (found.sources, found.silent_sources, found.failing_sources) == (1, 0, 0)
    assert found.last_sign_in_day == today() - 3
    assert found.last_call_day is not None and 0 <= today() - found.last_call_day <= 1
    others = usage_of(make.database, cast.quayside)
    assert (others.calls, others.people, others.sources, others.last_call_day) == (0, 1, 0, None)


def test_no_call_is_read(make: Make, cast: Cast) -> None:
    make.call(started_at=now())
    asked: list[str] = []

    def catch(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        asked.append(statement)

    event.listen(make.database.engine, "before_cursor_execute", catch)
    count_organizations(make.database)
    event.remove(make.database.engine, "before_cursor_execute", catch)
    assert len(asked) > 10
    for table in ("call", "call_record", "call_party", "party", "rejected_line"):
        assert not [sql for sql in asked if f"FROM {table} " in f"{sql.replace(chr(10), ' ')} "], table


@pytest.mark.parametrize(
    ("days", "silent"),
    [
        ((0, 1, 2), 0),
        ((4, 5, 6), 0),  # a long weekend
        ((6, 7, 8), 1),
        ((6, 13, 20), 0),  # once a week, as usual
        ((9, 16, 23), 1),
        ((300,), 1),
    ],
)
def test_silent_is_longer_than_usual(make: Make, cast: Cast, days: tuple[int, ...], silent: int) -> None:
    for each in days:
        make.call(started_at=now() - timedelta(days=each))
    count_organizations(make.database)
    assert usage_of(make.database, cast.harbour).silent_sources == silent


def test_a_phone_system_without_any_call_is_not_silent(make: Make, cast: Cast) -> None:
    make.pbx()
    count_organizations(make.database)
    assert usage_of(make.database, cast.harbour).silent_sources == 0


def test_failures_by_kind_and_class(make: Make, cast: Cast) -> None:
    pbx = make.pbx()
    for _ in range(2):
        make.import_file(pbx, state=ImportState.FAILED, error="no words of this")
    make.import_file(pbx, read_count=3, refused_count=3)
    make.import_file(pbx, read_count=1, refused_count=1, delivered_on=20_000)
    make.import_file(pbx, state=ImportState.FAILED, ended_at=now() - timedelta(days=8))
    make.import_file(pbx)

    expected = [("delivery", "RefusedRecord", 1), ("import", "ImportFailed", 2), ("lines", "RefusedLine", 3)]
    count_organizations(make.database)
    assert failures(make.database) == expected
    assert usage_of(make.database, cast.harbour).failing_sources == 1
    count_later(make.database)
    assert failures(make.database) == expected, "counted anew, not once more"


def test_refused_pushes_stay_as_they_were_told(make: Make, cast: Cast) -> None:
    pbx = make.pbx()
    add(make.database, SOURCE_FAILURE, today(), cast.harbour.id, pbx.id, "push", "BadRequest", times=3)
    write_down(make.database)
    count_organizations(make.database)
    assert failures(make.database) == [("push", "BadRequest", 3)]
    assert usage_of(make.database, cast.harbour).failing_sources == 1


def test_who_was_counted_lately_is_left_alone(make: Make, cast: Cast) -> None:
    count_organizations(make.database)
    before = usage_of(make.database, cast.harbour).counted_at
    count_organizations(make.database)
    assert usage_of(make.database, cast.harbour).counted_at == before
    count_later(make.database)
    assert usage_of(make.database, cast.harbour).counted_at > before


def test_one_that_fails_holds_up_no_other(make: Make, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    real = jobs.count_organization

    def count(session: object, present: object) -> object:
        if session.organization_id == cast.harbour.id:  # type: ignore[attr-defined]
            raise OperationalError("locked", {}, Exception("locked"))
        return real(session, present)  # type: ignore[arg-type]

    monkeypatch.setattr(jobs, "count_organization", count)
    count_organizations(make.database)
    assert usage_of(make.database, cast.harbour).counted_at == cast.harbour.created_at
    assert usage_of(make.database, cast.quayside).counted_at > cast.quayside.created_at


def test_what_is_old_is_forgotten(make: Make, cast: Cast) -> None:
    pbx, moment = make.pbx(), now()
    for days in (0, 6, 7, 399, 400):
        add(make.database, FEATURE_USE, today() - days, cast.harbour.id, "calls")
        add(make.database, SOURCE_FAILURE, today() - days, cast.harbour.id, pbx.id, "push", "BadRequest")
        row = LimitedNetwork(day=today() - days, network="192.0.2.1", limit_name="x", refusals=1, last_at=moment)
        make.store(row)
    write_down(make.database)
    sweep_counts(make.database)
    with reading_session(make.database) as session:
        kept = {
            mapped: sorted(today() - day for day in session.scalars(select(mapped.day)))
            for mapped in (FeatureUse, SourceFailure, LimitedNetwork)
        }
    assert kept == {FeatureUse: [0, 6, 7, 399], SourceFailure: [0, 6], LimitedNetwork: [0, 6]}
