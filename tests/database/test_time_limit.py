"""SECURITY 45: no statement of a page runs longer than its limit, and the page then says so."""

from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy.exc import DBAPIError

from config import Settings
from webapp import access, create_app
from webapp.database.bulk import bulk_transaction
from webapp.database.engine import Database

ENDLESS = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
LONG_ENOUGH = (
    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1500000) SELECT count(*) FROM n"
)


@pytest.fixture
def hasty(settings: Settings) -> Iterator[Database]:
    database = Database(settings.database_url, statement_ms=150)
    yield database
    database.dispose()


def test_security_45_a_statement_ends_at_its_limit(hasty: Database) -> None:
    for _ in range(2):
        with hasty.reading.connect() as connection:
            with pytest.raises(DBAPIError):
                connection.exec_driver_sql(ENDLESS)
        with hasty.reading.connect() as connection:
            assert connection.exec_driver_sql("SELECT 1").scalar() == 1


def test_security_45_bulk_work_on_sqlite_is_not_ended(hasty: Database) -> None:
    if hasty.dialect == "sqlite":
        with hasty.reading.connect() as connection:
            connection.exec_driver_sql("SELECT 1")
        with bulk_transaction(hasty, 1) as transaction:
            assert transaction.rows(LONG_ENOUGH) == [(1_500_000,)]


def test_security_45_the_page_says_that_it_took_too_long(settings: Settings, hasty: Database) -> None:
    app: Flask = create_app(settings, hasty)

    @access.public
    def endless() -> str:
        with hasty.reading.connect() as connection:
            return str(connection.exec_driver_sql(ENDLESS).scalar())

    app.add_url_rule("/endless", view_func=endless)
    answer = app.test_client().get("/endless")
    assert answer.status_code == 503
    assert "This took too long" in answer.get_data(as_text=True)
