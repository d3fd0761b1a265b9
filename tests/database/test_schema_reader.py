"""The reader of schema.sql and of upgrade files."""

import pytest

from webapp.database.schema import SCHEMA_FILE, statements

TEXT = """-- a comment; with a semicolon;
CREATE TABLE one (
    id INTEGER, -- its number;
    --sqlite: CHECK (id > 0),
    --postgresql: CHECK (id > 1),
    PRIMARY KEY (id)
)
--sqlite: WITHOUT ROWID
;

--postgresql: DO $$
--postgresql: BEGIN
--postgresql:   PERFORM 1;
--postgresql: END $$;
--sqlite: CREATE TRIGGER guard BEFORE DELETE ON one BEGIN
--sqlite:   SELECT RAISE(ABORT, 'no');
--sqlite: END;
"""


def test_a_marked_line_counts_for_its_engine_only() -> None:
    table_of_sqlite, trigger = statements(TEXT, "sqlite")
    table_of_postgresql, block = statements(TEXT, "postgresql")

    assert "CHECK (id > 0)" in table_of_sqlite
    assert "CHECK (id > 1)" not in table_of_sqlite
    assert table_of_sqlite.rstrip("; \n").endswith("WITHOUT ROWID")
    assert "CHECK (id > 1)" in table_of_postgresql
    assert "WITHOUT ROWID" not in table_of_postgresql
    assert trigger.count(";") == 2
    assert block.startswith("DO $$")
    assert block.endswith("END $$;")


def test_a_statement_that_does_not_end_is_refused() -> None:
    with pytest.raises(ValueError, match="does not end: CREATE TABLE two"):
        list(statements("CREATE TABLE two (\n  id INTEGER\n)\n", "sqlite"))


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_schema_sql_is_read_to_its_end(dialect: str) -> None:
    found = list(statements(SCHEMA_FILE.read_text("utf-8"), dialect))

    assert sum(statement.startswith("CREATE TABLE") for statement in found) == SCHEMA_FILE.read_text("utf-8").count(
        "\nCREATE TABLE"
    )
    assert all(statement.rstrip().endswith(";") for statement in found)
