"""SECURITY 21, 23, 26: the session lock. Every hole that DESIGN 4 names is tried, on both engines."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import column, delete, exists, func, insert, literal, literal_column, select, text, union_all, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, aliased

from tests.cast import Cast
from tests.make import Make
from webapp.calls.models import CallParty, ImportFile, Pbx
from webapp.database.engine import Database
from webapp.database.ids import new_id
from webapp.database.pairs import JsonElements
from webapp.destinations.models import Party
from webapp.tenancy import lock
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.models import Membership, Organization, Role
from webapp.tenancy.row_security import TenancyError
from webapp.tenancy.sessions import reading_session, writing_session


@pytest.fixture
def ours(make: Make) -> Pbx:
    """Harbour's phone system."""
    return make.pbx("Ours")


@pytest.fixture
def theirs(make: Make, cast: Cast) -> Pbx:
    """Quayside's."""
    return make.at(cast.quayside).pbx("Theirs")


@pytest.fixture
def both(ours: Pbx, theirs: Pbx) -> tuple[Pbx, Pbx]:
    return ours, theirs


OTHER = aliased(Pbx)
BEHIND_A_FUNCTION = JsonElements(literal('["') + select(func.max(Pbx.name)).scalar_subquery() + '"]')

READS: dict[str, Callable[[LockedSession], list[Any]]] = {
    "entity": lambda db: list(db.scalars(select(Pbx.name))),
    "alias": lambda db: [row.name for row in db.scalars(select(aliased(Pbx)))],
    "subquery": lambda db: list(db.scalars(select(Pbx.name).where(Pbx.id.in_(select(Pbx.id))))),
    "from a subquery": lambda db: list(db.scalars(select(select(Pbx.name).subquery().c.name))),
    "from a CTE": lambda db: list(db.scalars(select(select(Pbx.name).cte().c.name))),
    "union": lambda db: list(db.scalars(union_all(select(Pbx.name), select(Pbx.name).where(Pbx.id < 0)))),
    "scalar subquery": lambda db: list(db.scalars(select(select(Pbx.name).limit(1).scalar_subquery()))),
    "rows of a function": lambda db: list(db.scalars(select(BEHIND_A_FUNCTION.table_valued(column("value")).c.value))),
    "query": lambda db: [row.name for row in db.query(Pbx)],
    "join": lambda db: list(db.scalars(select(OTHER.name).select_from(Pbx).join(OTHER, OTHER.id != 0))),
    "outer join": lambda db: list(db.scalars(select(OTHER.name).select_from(Pbx).outerjoin(OTHER, OTHER.id != Pbx.id))),
}


@pytest.mark.parametrize("read", READS.values(), ids=list(READS))
def test_security_23_every_way_to_read_shows_our_rows_only(
    read: Callable[[LockedSession], list[Any]], database: Database, cast: Cast, both: tuple[Pbx, Pbx]
) -> None:
    with reading_session(database, cast.harbour.id) as session:
        assert set(read(session)) - {None} <= {"Ours"}
        assert set(read(session)) != set()


@pytest.mark.parametrize("read", READS.values(), ids=list(READS))
def test_security_25_nothing_bound_means_no_rows(
    read: Callable[[LockedSession], list[Any]], database: Database, both: tuple[Pbx, Pbx]
) -> None:
    with reading_session(database) as session:
        assert set(read(session)) <= {None}


def test_counts_and_exists_are_narrowed(database: Database, cast: Cast, both: tuple[Pbx, Pbx]) -> None:
    with reading_session(database, cast.harbour.id) as session:
        assert session.scalar(select(func.count()).select_from(Pbx)) == 1
        assert session.scalar(select(exists().where(Pbx.name == "Theirs"))) is False
        assert session.scalar(select(exists().where(Pbx.name == "Ours"))) is True


def test_a_foreign_row_is_not_found_by_its_whole_key(database: Database, cast: Cast, theirs: Pbx) -> None:
    with reading_session(database, cast.harbour.id) as session:
        assert session.get(Pbx, (cast.quayside.id, theirs.id)) is None
        assert session.get(Pbx, (cast.harbour.id, theirs.id)) is None


def test_get_takes_the_key_in_the_order_of_the_table(database: Database, cast: Cast, ours: Pbx, make: Make) -> None:
    """With the mixin's column last in the key, get() would ask for another row than was meant, silently."""
    call = make.call(pbx=ours, caller="+442079460123", callee="201")
    with reading_session(database, cast.harbour.id) as session:
        found = session.get(Pbx, (cast.harbour.id, ours.id))
        assert found is not None
        assert (found.organization_id, found.id) == (cast.harbour.id, ours.id)
        party = session.scalars(select(CallParty)).first()
        assert party is not None
        key = (cast.harbour.id, party.party_id, party.started_at, party.call_key)
        assert session.get(CallParty, key) is party
        assert party.call_key == call.call_key
    assert [column.name for column in CallParty.__table__.primary_key][0] == "organization_id"


def test_updates_and_deletes_touch_our_rows_only(database: Database, cast: Cast, both: tuple[Pbx, Pbx]) -> None:
    with writing_session(database, cast.harbour.id) as session:
        assert session.execute(update(Pbx).values(area_code="0999")).rowcount == 1  # type: ignore[attr-defined]
        assert session.execute(delete(Pbx).where(Pbx.name == "Theirs")).rowcount == 0  # type: ignore[attr-defined]
        session.commit()
    with reading_session(database, cast.quayside.id) as session:
        assert session.scalars(select(Pbx)).one().area_code != "0999"


def test_with_nothing_bound_nothing_is_changed(database: Database, cast: Cast, ours: Pbx) -> None:
    with writing_session(database) as session:
        assert session.execute(update(Pbx).values(area_code="0999")).rowcount == 0  # type: ignore[attr-defined]
        assert session.execute(delete(Pbx)).rowcount == 0  # type: ignore[attr-defined]


REFUSED: dict[str, Callable[[LockedSession], Any]] = {
    "text": lambda db: db.execute(text("SELECT * FROM pbx")),
    "text in a condition": lambda db: db.execute(select(Pbx).where(text("1 = 1 OR 1 = 1"))),
    "text as a column": lambda db: db.execute(select(Pbx.id, text("(SELECT name FROM pbx)"))),
    "text with columns": lambda db: db.execute(text("SELECT id, name FROM pbx").columns(Pbx.id, Pbx.name)),
    "from_statement": lambda db: db.scalars(select(Pbx).from_statement(text("SELECT * FROM pbx"))),
    "literal_column": lambda db: db.execute(select(Pbx.id, literal_column("(SELECT count(*) FROM pbx)"))),
    "Core table": lambda db: db.execute(select(Pbx.__table__)),
    "Core column": lambda db: db.execute(select(Pbx.__table__.c.name)),
    "Core table in a subquery": lambda db: db.execute(select(Pbx).where(Pbx.id.in_(select(Pbx.__table__.c.id)))),
    "Core table in a join": lambda db: db.execute(select(Pbx).join(Party.__table__, Party.__table__.c.id != Pbx.id)),
    "alias of a Core table": lambda db: db.execute(select(Pbx.__table__.alias().c.name)),
    "Core column behind the rows of a function": lambda db: db.execute(
        select(JsonElements(select(Pbx.__table__.c.name).scalar_subquery()).table_valued(column("value")).c.value)
    ),
    "Core update": lambda db: db.execute(update(Pbx.__table__).values(name="x")),
    "Core delete": lambda db: db.execute(delete(Pbx.__table__)),
    "Core insert": lambda db: db.execute(insert(Pbx.__table__).values(name="x")),
    "ORM insert": lambda db: db.execute(insert(Pbx).values(name="x")),
    "ORM insert of many": lambda db: db.execute(insert(Pbx), [{"name": "x"}]),
    "connection": lambda db: db.connection(),
    "bulk_insert_mappings": lambda db: db.bulk_insert_mappings(Pbx, [{"name": "x"}]),  # type: ignore[arg-type]
    "bulk_save_objects": lambda db: db.bulk_save_objects([Pbx()]),
    "bulk_update_mappings": lambda db: db.bulk_update_mappings(Pbx, [{"id": 1}]),  # type: ignore[arg-type]
    "value for organization_id": lambda db: db.execute(update(Pbx).values(organization_id=5)),
    "column for organization_id": lambda db: db.execute(update(Pbx).values({Pbx.organization_id: Pbx.id})),
    "ordered value for organization_id": lambda db: db.execute(
        update(Pbx).ordered_values((Pbx.name, "x"), (Pbx.organization_id, 5))
    ),
    "update by keys": lambda db: db.execute(update(Pbx), [{"organization_id": 5, "id": 5, "name": "x"}]),
    "organization_id as a parameter": lambda db: db.execute(update(Pbx), {"organization_id": 5}),
}


@pytest.mark.parametrize("statement", REFUSED.values(), ids=list(REFUSED))
def test_security_23_what_cannot_be_narrowed_is_refused(
    statement: Callable[[LockedSession], Any], database: Database, cast: Cast, both: tuple[Pbx, Pbx]
) -> None:
    with writing_session(database, cast.harbour.id) as session, pytest.raises(TenancyError):
        statement(session)


@pytest.mark.parametrize("statement", REFUSED.values(), ids=list(REFUSED))
def test_a_refused_statement_is_refused_the_second_time_too(
    statement: Callable[[LockedSession], Any], database: Database, cast: Cast, ours: Pbx
) -> None:
    """The lock remembers shapes of statements that it found harmless, never others."""
    with writing_session(database, cast.harbour.id) as session:
        for _ in range(2):
            with pytest.raises(TenancyError):
                statement(session)


def test_a_session_is_bound_once(database: Database, cast: Cast) -> None:
    with reading_session(database, cast.harbour.id) as session:
        session.bind_organization(cast.harbour.id)
        with pytest.raises(TenancyError, match="another organization"):
            session.bind_organization(cast.quayside.id)
        session.bind_person(cast.olive.id)
        with pytest.raises(TenancyError, match="another person"):
            session.bind_person(cast.quentin.id)


@pytest.mark.parametrize("number", [True, 1.0, "1", "1'; DROP TABLE pbx; --", -1, 1 << 63, None])
def test_security_26_an_id_is_an_integer(number: Any, database: Database) -> None:
    with reading_session(database) as session, pytest.raises(TenancyError):
        session.bind_organization(number)


def new_pbx(organization_id: int | None, like: Pbx) -> Pbx:
    columns = [column.key for column in Pbx.__mapper__.column_attrs]
    values = {name: getattr(like, name) for name in columns} | {"id": new_id(), "name": "New"}
    if organization_id is None:
        values.pop("organization_id")
    else:
        values["organization_id"] = organization_id
    return Pbx(**values)


def test_a_new_row_gets_the_bound_organization(database: Database, cast: Cast, ours: Pbx) -> None:
    with writing_session(database, cast.harbour.id) as session:
        row = new_pbx(None, ours)
        session.add(row)
        session.commit()

    assert row.organization_id == cast.harbour.id


def test_a_foreign_new_row_is_not_flushed(database: Database, cast: Cast, ours: Pbx) -> None:
    with writing_session(database, cast.harbour.id) as session:
        session.add(new_pbx(cast.quayside.id, ours))
        with pytest.raises(TenancyError, match="another organization"):
            session.flush()


def test_a_new_row_is_not_flushed_with_nothing_bound(database: Database, cast: Cast, ours: Pbx) -> None:
    with writing_session(database) as session:
        session.add(new_pbx(cast.harbour.id, ours))
        with pytest.raises(TenancyError):
            session.flush()


def test_a_foreign_row_is_neither_changed_nor_deleted(database: Database, cast: Cast, theirs: Pbx) -> None:
    with writing_session(database, cast.harbour.id) as session:
        changed = session.merge(theirs, load=False)
        changed.name = "Taken over"
        with pytest.raises(TenancyError):
            session.flush()
    with writing_session(database, cast.harbour.id) as session:
        session.delete(session.merge(theirs, load=False))
        with pytest.raises(TenancyError):
            session.flush()


def test_a_row_never_moves_to_another_organization(database: Database, cast: Cast, ours: Pbx) -> None:
    with writing_session(database, cast.harbour.id) as session:
        row = session.scalars(select(Pbx)).one()
        row.organization_id = cast.quayside.id
        with pytest.raises(TenancyError):
            session.flush()


def test_a_plain_session_is_what_the_lock_guards_against(database: Database, both: tuple[Pbx, Pbx]) -> None:
    """On SQLite a session without the lock sees everything: so this file's tests would fail without it."""
    if database.dialect == "sqlite":
        with Session(database.reading) as session:
            assert set(session.scalars(select(Pbx.name))) == {"Ours", "Theirs"}


def test_memberships_are_of_the_organization_or_of_the_person(database: Database, cast: Cast) -> None:
    with reading_session(database) as session:
        assert list(session.scalars(select(Membership))) == []
    with reading_session(database) as session:
        session.bind_person(cast.olive.id)
        assert [row.organization_id for row in session.scalars(select(Membership))] == [cast.harbour.id]
    with reading_session(database, cast.harbour.id) as session:
        assert {row.user_account_id for row in session.scalars(select(Membership))} == {
            cast.olive.id,
            cast.max.id,
            cast.vera.id,
            cast.nina.id,
        }


def test_a_person_changes_no_membership_outside_the_bound_organization(database: Database, cast: Cast) -> None:
    with writing_session(database, cast.harbour.id) as session:
        session.bind_person(cast.quentin.id)
        assert session.execute(update(Membership).values(role=Role.VIEWER)).rowcount == 4  # type: ignore[attr-defined]
        session.commit()
    with reading_session(database, cast.quayside.id) as session:
        assert session.scalars(select(Membership)).one().role is Role.OWNER


def test_global_tables_can_be_asked_before_an_organization_is_known(database: Database, cast: Cast) -> None:
    with reading_session(database) as session:
        assert set(session.scalars(select(Organization.slug))) == {"harbour", "quayside"}


def test_harmless_statements_are_remembered_and_forgotten_in_turn(
    database: Database, cast: Cast, ours: Pbx, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "_INSPECTED_AT_MOST", 3)
    with reading_session(database, cast.harbour.id) as session:
        for number in range(1, 8):
            session.execute(select(Pbx.id).where(*(Pbx.id > n for n in range(number))))
    assert len(lock._inspected) <= 3


def test_an_update_by_keys_does_not_reach_a_foreign_row(database: Database, cast: Cast, theirs: Pbx) -> None:
    """SQLAlchemy makes such an UPDATE from the keys alone, past every criterion."""
    with writing_session(database, cast.harbour.id) as session:
        keys = {"organization_id": cast.quayside.id, "id": theirs.id}
        with pytest.raises(TenancyError):
            session.execute(update(Pbx), [{**keys, "name": "Taken over"}])
        session.rollback()
    with reading_session(database, cast.quayside.id) as session:
        assert session.scalars(select(Pbx.name)).one() == "Theirs"


def test_security_26_composite_keys_refuse_a_reference_across_organizations(
    database: Database, cast: Cast, ours: Pbx, theirs: Pbx, make: Make
) -> None:
    """The id of Quayside's phone system in a row of Harbour's: the database itself says no."""
    file = make.import_file(pbx=ours)
    with writing_session(database, cast.harbour.id) as session:
        row = session.scalars(select(ImportFile).where(ImportFile.id == file.id)).one()
        row.pbx_id = theirs.id
        with pytest.raises(IntegrityError):
            session.flush()
