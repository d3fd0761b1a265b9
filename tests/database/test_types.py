"""Instants and closed lists mean the same on both engines."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, select

from webapp.clock import from_ms, to_ms
from webapp.database.engine import Database
from webapp.database.types import Instant, SmallEnum
from webapp.tenancy.models import Role


@pytest.fixture
def table() -> Table:
    return Table(
        "scratch",
        MetaData(),
        Column("id", Integer, primary_key=True),
        Column("at", Instant),
        Column("role", SmallEnum(Role)),
        prefixes=["TEMPORARY"],
    )  # fmt: skip


def stored(
    database: Database, table: Table, at: datetime | None = None, role: Role | None = None
) -> tuple[object, object]:
    with database.writing.connect() as connection:
        table.create(connection)
        connection.execute(table.insert().values(id=1, at=at, role=role))
        row = connection.execute(select(table.c.at, table.c.role)).one()
        connection.rollback()
    return row.at, row.role


def test_an_instant_comes_back_in_utc_cut_to_milliseconds(database: Database, table: Table) -> None:
    in_india = datetime(2026, 11, 22, 17, 30, 0, 123_999, tzinfo=timezone(timedelta(hours=5, minutes=30)))

    at, _ = stored(database, table, in_india)

    assert at == datetime(2026, 11, 22, 12, 0, 0, 123_000, tzinfo=UTC)
    assert isinstance(at, datetime)
    assert at.tzinfo is UTC


@pytest.mark.parametrize(
    "at",
    [
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(1969, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC),
        datetime(2100, 2, 28, 23, 59, 59, tzinfo=UTC),
    ],
)
def test_odd_years_are_kept(database: Database, table: Table, at: datetime) -> None:
    assert stored(database, table, at)[0] == at


def test_nothing_stays_nothing(database: Database, table: Table) -> None:
    assert stored(database, table) == (None, None)


def test_a_naive_instant_is_refused(database: Database, table: Table) -> None:
    with pytest.raises(Exception, match="zone"):
        stored(database, table, datetime(2026, 11, 22))  # noqa: DTZ001


def test_a_closed_list_comes_back_as_its_word(database: Database, table: Table) -> None:
    _, role = stored(database, table, role=Role.MANAGER)

    assert role is Role.MANAGER


def test_a_number_outside_the_list_is_refused(database: Database, table: Table) -> None:
    with pytest.raises(Exception, match="9 is not a valid Role"):
        stored(database, table, role=9)  # type: ignore[arg-type]


def test_milliseconds_go_both_ways() -> None:
    for ms in (0, -1, 1_795_000_000_123, 4_107_542_399_999):
        assert to_ms(from_ms(ms)) == ms
