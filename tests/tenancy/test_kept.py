"""SECURITY 23, 25: statements that are kept go a shorter way, and are narrowed on it like all others."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from sqlalchemy import Select, event, func, literal_column, select, text, union_all
from sqlalchemy.orm import ORMExecuteState, aliased

from tests.cast import Cast
from tests.make import NOON, Make
from webapp.calls.models import Call, Pbx
from webapp.database.engine import Database
from webapp.destinations.models import Party
from webapp.tenancy.lock import LockedSession, TenancyError, kept
from webapp.tenancy.models import Membership
from webapp.tenancy.narrowing import Narrowing, PartyDays
from webapp.tenancy.sessions import reading_session, writing_session

OTHER = aliased(Pbx)
COLUMNS: dict[str, Select[Any]] = {
    "columns": select(Pbx.name),
    "alias": select(OTHER.name),
    "subquery": select(Pbx.name).where(Pbx.id.in_(select(OTHER.id))),
    "union": select(union_all(select(Pbx.name), select(OTHER.name)).subquery().c.name),
    "join": select(OTHER.name).select_from(Pbx).join(OTHER, OTHER.id != 0),
    "outer join": select(OTHER.name).select_from(Pbx).outerjoin(OTHER, OTHER.id != 0),
}
KEPT = {name: kept(statement) for name, statement in {**COLUMNS, "entity": select(Pbx)}.items()}
MEMBERS = kept(select(Membership.organization_id))
CALLERS = kept(select(Party.e164).join(Call, Call.caller_id == Party.id))
REFUSED = {
    "text": select(text("name FROM pbx")),
    "literal column": select(Pbx.id, literal_column("(SELECT count(*) FROM pbx)")),
    "number in words": select(Pbx.id, literal_column("1 OR 1")),
    "Core table": select(Pbx.__table__.c.name),
    "Core table in a union": select(union_all(select(Pbx.name), select(Pbx.__table__.c.name)).subquery().c.name),
}
Opening = Callable[[Database, int | None], AbstractContextManager[LockedSession]]
OPENINGS: dict[str, Opening] = {"reading": reading_session, "writing": writing_session}


@pytest.fixture(params=OPENINGS.values(), ids=list(OPENINGS))
def opening(request: pytest.FixtureRequest) -> Opening:
    found: Opening = request.param
    return found


def names(session: LockedSession, statement: Select[Any]) -> set[str]:
    return {getattr(row[0], "name", row[0]) for row in session.execute(statement)}


@pytest.mark.parametrize("statement", KEPT.values(), ids=list(KEPT))
def test_security_23_each_organization_sees_its_rows_by_the_same_kept_statement(
    statement: Select[Any], opening: Opening, database: Database, cast: Cast, make: Make
) -> None:
    make.pbx("Ours")
    make.at(cast.quayside).pbx("Theirs")
    for _again in range(2):
        with opening(database, cast.harbour.id) as session:
            assert names(session, statement) == {"Ours"}
        with opening(database, cast.quayside.id) as session:
            assert names(session, statement) == {"Theirs"}
        with opening(database, None) as session:  # SECURITY 25
            assert names(session, statement) == set()


def test_security_23_memberships_follow_the_person_and_the_organization(
    opening: Opening, database: Database, cast: Cast
) -> None:
    with opening(database, None) as session:
        assert session.execute(MEMBERS).all() == []
    with opening(database, None) as session:
        session.bind_person(cast.olive.id)
        assert list(session.execute(MEMBERS)) == [(cast.harbour.id,)]


def test_a_narrowing_holds_for_a_kept_statement(opening: Opening, database: Database, cast: Cast, make: Make) -> None:
    """And one for a session that is not narrowed stays what it was."""
    first = make.call(started_at=NOON, caller="+442079460123")
    make.call(started_at=NOON, caller="+442079460124")
    for _again in range(2):
        with opening(database, cast.harbour.id) as session:
            assert len(session.execute(CALLERS).all()) == 2
        with opening(database, cast.harbour.id) as session:
            session.bind_narrowing(Narrowing((PartyDays(first.caller_id or 0),)))
            assert list(session.execute(CALLERS)) == [("+442079460123",)]
        with opening(database, cast.harbour.id) as session:
            session.bind_narrowing(Narrowing())
            assert session.execute(CALLERS).all() == []


@pytest.mark.parametrize("statement", REFUSED.values(), ids=list(REFUSED))
def test_security_23_a_kept_statement_that_cannot_be_narrowed_is_refused(
    statement: Select[Any], opening: Opening, database: Database, cast: Cast
) -> None:
    kept(statement)
    with opening(database, cast.harbour.id) as session:
        for _twice in range(2):
            with pytest.raises(TenancyError):
                session.execute(statement)


def test_only_columns_in_a_session_that_only_reads_go_the_shorter_way(
    database: Database, cast: Cast, make: Make
) -> None:
    """What is still to be written must be written before a statement that may see it."""
    make.pbx("Ours")
    seen: list[str] = []

    def see(state: ORMExecuteState) -> None:
        seen.append("the long way")

    with reading_session(database, cast.harbour.id) as session:
        event.listen(session, "do_orm_execute", see)
        session.execute(KEPT["columns"])
        assert seen == []
        session.execute(KEPT["entity"])
        session.execute(KEPT["columns"].where(Pbx.id != 0))
        assert len(seen) == 2
    with writing_session(database, cast.harbour.id) as session:
        session.scalars(select(Pbx)).one().name = "Renamed"
        assert names(session, KEPT["columns"]) == {"Renamed"}


def test_plain_numbers_may_stand_in_a_statement(database: Database, cast: Cast, make: Make) -> None:
    make.pbx("Ours")
    with reading_session(database, cast.harbour.id) as session:
        assert session.scalar(select(func.count()).where(Pbx.id != literal_column("0"))) == 1
