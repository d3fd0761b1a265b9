"""What the texts say of the service itself, from the constants that the code runs by: never typed twice.

Frozen into a version with the operator's values, so that a later release with other figures is a draft to publish.
"""

from datetime import timedelta
from math import ceil

from config import Settings
from webapp.accounts import password_strength, passwords, session_limits
from webapp.invitations.actions import LIVES
from webapp.policies.values import Values

#: Which locks keep customers apart, by the database.
_LOCKS = {
    "sqlite": (
        "One lock keeps them apart on this database (SQLite): the program adds your company to every question. A "
        "second one keeps our staff from the tables with your calls."
    ),
    "postgresql": (
        "Two locks keep them apart on this database (PostgreSQL): the program adds your company to every question, and "
        "the database forces row-level security on your tables, which the program cannot turn off. Each lock holds by "
        "itself."
    ),
}
_BY_TLS = "everything between your browser and us travels by TLS; browsers are told to insist on it."
_ON_THIS_MACHINE = "this installation answers on its own machine only, so nothing crosses a network."


def list_facts(settings: Settings) -> dict[str, str]:
    """As a text takes them."""
    return {
        "locks": _LOCKS[settings.dialect],
        "transport": _BY_TLS if settings.secure else _ON_THIS_MACHINE,
        "invitation_days": _in(LIVES, timedelta(days=1)),
        "password_shortest": str(password_strength.SHORTEST),
        "password_longest": str(passwords.LONGEST),
        "idle_minutes": _in(session_limits.IDLE_LIMIT, timedelta(minutes=1)),
        "longest_idle_hours": str(max(session_limits.IDLE_CHOICES) // 60),
        "session_hours": _in(session_limits.ABSOLUTE_LIMIT, timedelta(hours=1)),
        "staff_idle_minutes": str(session_limits.STAFF_IDLE_MINUTES),
        "staff_session_hours": _in(session_limits.STAFF_ABSOLUTE_LIMIT, timedelta(hours=1)),
        "proved_minutes": _in(session_limits.PROVED_FOR, timedelta(minutes=1)),
        "backup_months": str(_kept_months(settings)),
    }


def _kept_months(settings: Settings) -> int:
    """How old a backup becomes, in months begun."""
    days = max(settings.backup_keep_days, 7 * settings.backup_keep_weeks)
    return max(settings.backup_keep_months, ceil(days / 30.5), 1)


def fill(settings: Settings, values: Values) -> dict[str, str | list[list[str]]]:
    """Everything that a text may name."""
    return {**values.filling(), **list_facts(settings)}


def _in(span: timedelta, unit: timedelta) -> str:
    return str(span // unit)
