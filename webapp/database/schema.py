"""Reads schema.sql for one engine and creates the database from it. Called by init-db, the demo, the tests."""

import re
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Connection

SCHEMA_FILE = Path(__file__).resolve().parents[2] / "schema.sql"
_MARK = re.compile(r"^(\s*)--(sqlite|postgresql):\s?(.*)$")


def statements(text: str, dialect: str) -> Iterator[str]:
    """The statements of a schema or upgrade file for "sqlite" or "postgresql".

    A line "--sqlite: ..." or "--postgresql: ..." counts for its engine only. A statement ends with a semicolon at the
    end of a line; between $$ and $$, and inside a SQLite trigger, semicolons do not end it.
    """
    lines: list[str] = []
    in_body = False
    for line in text.splitlines():
        mark = _MARK.match(line)
        if mark:
            if mark[2] != dialect:
                continue
            line = mark[1] + mark[3]
        if not lines and (not line.strip() or line.lstrip().startswith("--")):
            continue
        lines.append(line)
        if line.count("$$") % 2:
            in_body = not in_body
        code = line.split("--", 1)[0].rstrip()
        is_trigger = lines[0].lstrip().upper().startswith("CREATE TRIGGER") and dialect == "sqlite"
        if code.endswith(";") and not in_body and (not is_trigger or code.strip().upper() == "END;"):
            yield "\n".join(lines)
            lines = []
    if any(line.strip() and not line.lstrip().startswith("--") for line in lines):
        raise ValueError(f"a statement does not end: {lines[0]}")


def create_schema(connection: Connection) -> None:
    """Create every table in an empty database, in the caller's transaction."""
    for statement in statements(SCHEMA_FILE.read_text("utf-8"), connection.dialect.name):
        connection.exec_driver_sql(statement)
