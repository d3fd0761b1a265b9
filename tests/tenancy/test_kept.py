"""SECURITY 23, 25: statements that are kept go a shorter way, and are narrowed on it like all others."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import BigInteger, Select, and_, bindparam, event, inspect, literal_column, select, text, union_all
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import ORMExecuteState, aliased

from tests.cast import Cast
from tests.make import NOON, Make
from webapp.calls.models import Call, Pbx
from webapp.database.engine import Database
from webapp.database.types import Instant
from webapp.destinations.models import Party
from webapp.tenancy.lock import LockedSession, kept
from webapp.tenancy.models import Membership, Organization, Role
from webapp.tenancy.narrowing import Narrowing, PartyDays
from webapp.tenancy.row_security import TenancyError
from webapp.tenancy.sessions import look_up, reading_session, writing_session

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
PLACES = kept(select(Membership, Organization).join(Organization, Organization.id == Membership.organization_id))
STRANGE = kept(
    select(Organization, Membership)
    .outerjoin(Membership, and_(Membership.organization_id == Organization.id, Membership.user_account_id == -1))
    .where(Organization.id == bindparam("id"))
)
CALLS = kept(select(Call.started_at, Call.call_key).where(Call.started_at >= bindparam("at", type_=Instant)))
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


def plain(thing: Any) -> dict[str, Any]:
    return {attribute.key: getattr(thing, attribute.key) for attribute in inspect(type(thing)).column_attrs}


def names(session: LockedSession, statement: Select[Any]) -> set[str]:
    return {getattr(row[0], "name", row[0]) for row in session.rows(statement)}


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


@pytest.mark.parametrize("statement", KEPT.values(), ids=list(KEPT))
def test_security_23_what_is_looked_up_alone_is_of_one_organization(
    statement: Select[Any], database: Database, cast: Cast, make: Make
) -> None:
    make.pbx("Ours")
    make.at(cast.quayside).pbx("Theirs")
    for organization_id, found in ((cast.harbour.id, ["Ours"]), (cast.quayside.id, ["Theirs"]), (0, [])):
        rows = look_up(database, organization_id, statement)
        assert sorted({getattr(row[0], "name", row[0]) for row in rows}) == found


def test_only_kept_statements_are_looked_up_alone(database: Database, cast: Cast) -> None:
    with pytest.raises(TenancyError):
        look_up(database, cast.harbour.id, select(Pbx.name))


def test_security_23_memberships_follow_the_person_and_the_organization(
    opening: Opening, database: Database, cast: Cast
) -> None:
    with opening(database, None) as session:
        assert list(session.rows(MEMBERS)) == []
    with opening(database, None) as session:
        session.bind_person(cast.olive.id)
        assert list(session.rows(MEMBERS)) == [(cast.harbour.id,)]


def test_a_narrowing_holds_for_a_kept_statement(opening: Opening, database: Database, cast: Cast, make: Make) -> None:
    """And one for a session that is not narrowed stays what it was."""
    first = make.call(started_at=NOON, caller="+442079460123")
    make.call(started_at=NOON, caller="+442079460124")
    for _again in range(2):
        with opening(database, cast.harbour.id) as session:
            assert len(session.rows(CALLERS)) == 2
        with opening(database, cast.harbour.id) as session:
            session.bind_narrowing(Narrowing((PartyDays(first.caller_id or 0),)))
            assert list(session.rows(CALLERS)) == [("+442079460123",)]
        with opening(database, cast.harbour.id) as session:
            session.bind_narrowing(Narrowing())
            assert list(session.rows(CALLERS)) == []


@pytest.mark.parametrize("statement", REFUSED.values(), ids=list(REFUSED))
def test_security_23_a_kept_statement_that_cannot_be_narrowed_is_refused(
    statement: Select[Any], opening: Opening, database: Database, cast: Cast
) -> None:
    kept(statement)
    with opening(database, cast.harbour.id) as session:
        for _twice in range(2):
            with pytest.raises(TenancyError):
                session.rows(statement)


def test_objects_are_whole_and_belong_to_no_session(opening: Opening, database: Database, cast: Cast) -> None:
    with opening(database, None) as session:
        session.bind_person(cast.olive.id)
        [(membership, organization)] = session.rows(PLACES)
        asked = session.scalars(select(Membership)).one()
        assert plain(membership) == plain(asked)
        assert plain(organization) == plain(session.get_one(Organization, cast.harbour.id))
    assert (membership.role, organization.slug) == (Role.OWNER, cast.harbour.slug)
    assert inspect(organization).session is None


def test_an_outer_join_that_finds_nothing_has_no_object(opening: Opening, database: Database, cast: Cast) -> None:
    with opening(database, None) as session:
        [(organization, membership)] = session.rows(STRANGE, {"id": cast.harbour.id})
    assert organization.id == cast.harbour.id
    assert membership is None


def test_values_are_translated_on_their_way_in_and_out(
    opening: Opening, database: Database, cast: Cast, make: Make
) -> None:
    call = make.call(started_at=NOON)
    with opening(database, cast.harbour.id) as session:
        [row] = session.rows(CALLS, {"at": NOON})
        assert (row.started_at, row.call_key) == (NOON, call.call_key)
        assert session.rows(CALLS, {"at": NOON + timedelta(seconds=1)}) == []


@pytest.mark.parametrize("name", ["bound_organization_id", "bound_user_account_id"])
def test_security_23_no_value_takes_the_place_of_what_is_bound(
    name: str, opening: Opening, database: Database, cast: Cast, make: Make
) -> None:
    make.at(cast.quayside).pbx("Theirs")
    with opening(database, cast.harbour.id) as session:
        session.bind_person(cast.vera.id)
        assert list(session.rows(KEPT["columns"], {name: cast.quayside.id})) == []


def test_in_a_session_that_only_reads_nothing_is_looked_up_again(database: Database, cast: Cast, make: Make) -> None:
    """Elsewhere it is: what is still to be written must be written before a statement that may see it."""
    make.pbx("Ours")
    seen: list[str] = []

    def see(_state: ORMExecuteState) -> None:
        seen.append("the long way")

    with reading_session(database, cast.harbour.id) as session:
        event.listen(session, "do_orm_execute", see)
        session.rows(KEPT["columns"])
        assert seen == []
        session.bind_narrowing(Narrowing())
        session.rows(KEPT["columns"])
        assert seen == ["the long way"]
    with writing_session(database, cast.harbour.id) as session:
        session.scalars(select(Pbx)).one().name = "Renamed"
        assert names(session, KEPT["columns"]) == {"Renamed"}


def test_security_23_what_is_made_of_a_kept_statement_is_narrowed_like_any_other(
    opening: Opening, database: Database, cast: Cast, make: Make
) -> None:
    make.pbx("Ours")
    make.at(cast.quayside).pbx("Theirs")
    with opening(database, cast.harbour.id) as session:
        assert names(session, KEPT["columns"].where(Pbx.id != 0)) == {"Ours"}


def test_a_list_of_any_length_is_refused(database: Database, cast: Cast) -> None:
    """Its text follows the values: the first length would be the only one that works."""
    with reading_session(database, cast.harbour.id) as session, pytest.raises(ValueError, match="bindparam"):
        session.rows(kept(select(Pbx.name).where(Pbx.id.in_([1, 2]))))


_WRONG = kept(select(Organization.id).where(Organization.name == bindparam("name", type_=BigInteger)))


def test_whoever_listens_is_told_of_a_kept_statement_and_its_errors_are_sqlalchemys(
    database: Database, cast: Cast
) -> None:
    """The clock that ends a statement listens so; pages and jobs know DBAPIError."""
    told: list[str] = []
    event.listen(database.engine, "before_cursor_execute", lambda _c, _u, sql, *_rest: told.append(sql))
    with reading_session(database) as session:
        with pytest.raises(DBAPIError, match="organization"):
            session.rows(_WRONG, {"name": object()})
    assert "WHERE organization.name" in told[-1]
