"""Many rows at once go into the session's own organization, into a tenant's table, and nowhere else."""

from typing import Any

import pytest
from sqlalchemy import select

from tests.cast import Cast
from tests.make import EPOCH, Make
from webapp.database.engine import Database
from webapp.destinations.models import PartyHolder
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.many_rows import insert_rows
from webapp.tenancy.models import Organization
from webapp.tenancy.narrowing import Narrowing
from webapp.tenancy.row_security import TenancyError
from webapp.tenancy.sessions import reading_session, writing_session

COLUMNS = ("party_id", "from_at", "destination_id")


def held(session: LockedSession) -> list[tuple[Any, ...]]:
    rows = session.scalars(select(PartyHolder).order_by(PartyHolder.party_id))
    return [(row.party_id, row.from_at, row.destination_id) for row in rows]


@pytest.mark.parametrize("count", [1, 40])
def test_rows_are_the_session_s_organization_s_and_its_transaction_s(make: Make, cast: Cast, count: int) -> None:
    parties = [make.party(str(turn)) for turn in range(201, 201 + count)]
    ann = make.destination("Ann")
    for ending in ("rollback", "commit"):
        with make.session() as session:
            insert_rows(session, PartyHolder, COLUMNS, [(party.id, 0, ann.id) for party in parties])
            assert len(held(session)) == count
            getattr(session, ending)()
        with reading_session(make.database, cast.harbour.id) as session:
            expected = sorted((party.id, EPOCH, ann.id) for party in parties)
            assert held(session) == (expected if ending == "commit" else [])
    with reading_session(make.database, cast.quayside.id) as session:
        assert held(session) == []


def test_a_party_of_another_organization_is_refused_by_the_database(make: Make, cast: Cast) -> None:
    theirs = make.at(cast.quayside).party("201")
    with make.session() as session, pytest.raises(Exception, match=r"(?i)foreign key"):
        insert_rows(session, PartyHolder, COLUMNS, [(theirs.id, 0, None)])


@pytest.mark.parametrize("columns", [("organization_id", *COLUMNS), ("party_id", "nothing"), ("party_id; DROP",)])
def test_other_columns_are_refused(make: Make, columns: tuple[str, ...]) -> None:
    with make.session() as session, pytest.raises(TenancyError):
        insert_rows(session, PartyHolder, columns, [])


def test_a_global_table_is_refused(make: Make) -> None:
    with make.session() as session, pytest.raises(TenancyError):
        insert_rows(session, Organization, ("name",), [("Ours",)])  # type: ignore[arg-type]


def test_sessions_that_may_not_are_refused(make: Make, database: Database, cast: Cast) -> None:
    narrowed = writing_session(database, cast.harbour.id)
    narrowed.bind_narrowing(Narrowing())
    for session in (writing_session(database), reading_session(database, cast.harbour.id), narrowed):
        with session, pytest.raises(TenancyError):
            insert_rows(session, PartyHolder, COLUMNS, [])
