"""What every request shares: the settings and the database. Put into the app by create_app()."""

from dataclasses import dataclass

from flask import current_app

from config import Settings
from webapp.database.engine import Database


@dataclass(frozen=True)
class Services:
    """One per app, at `app.extensions["callbook"]`."""

    settings: Settings
    database: Database
    staff_database: Database | None = None  #: of the console; None on PostgreSQL without DATABASE_STAFF_URL


def services() -> Services:
    """Of the current app."""
    found: Services = current_app.extensions["callbook"]
    return found
