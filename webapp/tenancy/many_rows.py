"""Writes many rows of one table into the organization of a session, in its transaction. Beneath the session lock.

For what is one change though it is ten thousand rows (destinations/holders.py): as objects they took the lock five
times as long. It can write nowhere else: the organization is the session's own and no value, only mapped tenant tables
have a name here, and row-level security looks at each row. Why: docs/decisions/0011-many-rows-in-one-change.md.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from webapp.database.bulk import BulkTransaction
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.models import Tenant
from webapp.tenancy.row_security import TenancyError


def insert_rows(
    session: LockedSession, mapped: type[Tenant], columns: Sequence[str], rows: Sequence[Sequence[Any]]
) -> None:
    """Insert plain rows; instants (columns in _at) are milliseconds since 1970. No object of the session knows of them.

    Raises TenancyError in a session that is not bound, reads only, or is narrowed.
    """
    organization_id = session.organization_id
    if organization_id is None or session.only_reads or session.narrowing is not None:
        raise TenancyError("many rows are written by a session that is bound to an organization and to nothing else")
    table: Any = mapped.__table__  # type: ignore[attr-defined]
    if not issubclass(mapped, Tenant) or not set(columns) <= set(table.columns.keys()) - {"organization_id"}:
        raise TenancyError("only columns of a tenant's table are written, and never organization_id")
    session.flush()
    connection = Session.connection(session)
    cursor = connection.connection.driver_connection.cursor()  # type: ignore[union-attr]
    try:
        transaction = BulkTransaction(cursor, connection.dialect.name, organization_id)
        transaction.insert(table.name, ("organization_id", *columns), [(organization_id, *row) for row in rows])
    finally:
        cursor.close()
