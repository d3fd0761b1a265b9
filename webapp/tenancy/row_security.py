"""The settings that row-level security reads, made for one transaction. For lock.py, sessions.py and tests."""

from sqlalchemy import Connection


class TenancyError(RuntimeError):
    """A statement or row that the tenancy lock refuses. Always a mistake in our code, never of a user."""


def set_local(
    connection: Connection, organization_id: int | None, user_account_id: int | None, staff_id: int | None = None
) -> None:
    """Make the settings that row-level security reads, for this transaction only. Nothing to do on SQLite.

    SET LOCAL with an integer literal, not set_config(): Citus carries only the statement to its workers, and only
    when citus.propagate_set_commands says so (a harmless placeholder where there is no Citus).
    """
    ids = {"organization_id": organization_id, "user_account_id": user_account_id, "staff_id": staff_id}
    parts = [f"SET LOCAL app.{name} = '{checked_id(number)}'" for name, number in ids.items() if number is not None]
    if connection.dialect.name != "postgresql" or not parts:
        return
    parts.insert(0, "SET LOCAL citus.propagate_set_commands = 'local'")
    connection.exec_driver_sql("; ".join(parts))


def clear_local(connection: Connection) -> None:
    """Show no organization's rows for the rest of this transaction, or until set_local()."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(
            "SET LOCAL citus.propagate_set_commands = 'local'; SET LOCAL app.organization_id = ''"
        )


def checked_id(number: int) -> int:
    """The number, if it can be an id."""
    if type(number) is not int or not 0 <= number < 1 << 63:
        raise TenancyError("an id is an integer of 63 bits")
    return number
