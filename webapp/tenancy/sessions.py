"""Opens database sessions. The only way for features to the database, but for bulk writing.

Called by the request (webapp/__init__.py), jobs, commands and tests.
"""

from webapp.database.engine import Database
from webapp.tenancy.lock import LockedSession


def reading_session(database: Database, organization_id: int | None = None) -> LockedSession:
    """A session that can only read."""
    return _open(database, "reading", organization_id)


def writing_session(database: Database, organization_id: int | None = None) -> LockedSession:
    """A session that writes: on SQLite it holds the one write lock from its first statement until commit."""
    return _open(database, "writing", organization_id)


def _open(database: Database, use: str, organization_id: int | None) -> LockedSession:
    session = LockedSession(getattr(database, use), expire_on_commit=False)
    session.only_reads = use == "reading"
    if organization_id is not None:
        session.bind_organization(organization_id)
    return session
