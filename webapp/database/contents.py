"""What a database holds, in numbers: rows by table and the heads of the audit, of one moment.

By it a backup is compared with what was restored of it: recovery/. Reads as somebody who sees every row; whoever is
bound by row-level security would count too few.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, inspect

from webapp.database.installation import RESTORING, read_installation

#: Row-level security or not, a count of everything takes its time; commands wait for it.
NO_LIMIT_MS = 24 * 60 * 60 * 1000


@dataclass(frozen=True)
class Contents:
    """`tables`: rows by table. `heads`: of each organization's chain, its position and last hash; 0 is the service."""

    schema: int
    number_key_check: bytes
    tables: dict[str, int]
    heads: dict[int, tuple[int, bytes]]


def read_contents(connection: Connection) -> Contents | None:
    """None where no Callbook is."""
    installation = read_installation(connection)
    if installation is None:
        return None
    names = sorted(name for name in inspect(connection).get_table_names() if name != RESTORING)
    quoted = connection.dialect.identifier_preparer.quote_identifier
    tables = {
        name: connection.exec_driver_sql(f"SELECT count(*) FROM {quoted(name)}").scalar_one()  # noqa: S608 - our own names
        for name in names
    }
    heads = {
        organization_id: (position, bytes(row_hash))
        for organization_id, position, row_hash in connection.exec_driver_sql(
            "SELECT organization_id, position, row_hash FROM audit_head"
        )
    }
    return Contents(installation.schema_version, bytes(installation.number_key_check), tables, heads)
