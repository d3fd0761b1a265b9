"""Opens database sessions. The only way for features to the database, but for bulk writing.

Called by the request (webapp/__init__.py), jobs, commands and tests.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, Select

from webapp.database.engine import Database
from webapp.database.staff_rights import NOTHING, Area
from webapp.tenancy.lock import Columns, LockedSession, run_kept
from webapp.tenancy.row_security import checked_id, set_local


def reading_session(database: Database, organization_id: int | None = None) -> LockedSession:
    """A session that can only read."""
    return _open(database, "reading", organization_id)


def look_up(
    database: Database, organization_id: int, statement: Select[*Columns], values: Mapping[str, Any] | None = None
) -> Sequence[Row[*Columns]]:
    """The rows of one kept SELECT, for whoever asks nothing else: as rows() of a reading session gives them.

    No session around it, and on SQLite no transaction: a statement alone is of one moment anyway, and a SELECT writes
    nothing. PostgreSQL makes the setting that row-level security reads for a transaction.
    """
    postgresql = database.dialect == "postgresql"
    with (database.reading if postgresql else database.engine).connect() as connection:
        if postgresql:
            connection.begin()
            set_local(connection, organization_id, None)
        return run_kept(connection, statement, values, checked_id(organization_id))


def writing_session(database: Database, organization_id: int | None = None) -> LockedSession:
    """A session that writes: on SQLite it holds the one write lock from its first statement until commit."""
    return _open(database, "writing", organization_id)


def staff_session(
    staff_database: Database, organization_id: int | None = None, staff_id: int | None = None, areas: Area = NOTHING
) -> LockedSession:
    """A session of the console, which can only read; `staff_database`: Services.staff_database.

    Without an organization: counts and settings, and the registers (ACROSS) of all. With one, and a member of staff:
    the areas of it that they have open.
    """
    session = _open(staff_database, "reading", organization_id)
    session.across = organization_id is None
    if staff_id is not None:
        session.bind_staff(staff_id, areas)
    return session


def _open(database: Database, use: str, organization_id: int | None) -> LockedSession:
    session = LockedSession(getattr(database, use), expire_on_commit=False)
    session.only_reads = use == "reading"
    if organization_id is not None:
        session.bind_organization(organization_id)
    return session
