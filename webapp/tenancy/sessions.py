"""Opens database sessions. The only way for features to the database, but for bulk writing.

Called by the request (webapp/__init__.py), jobs, commands and tests.
"""

from webapp.database.engine import Database
from webapp.database.staff_rights import NOTHING, Area
from webapp.tenancy.lock import LockedSession


def reading_session(database: Database, organization_id: int | None = None) -> LockedSession:
    """A session that can only read."""
    return _open(database, "reading", organization_id)


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
