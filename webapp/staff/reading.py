"""Opens what the console reads by, and says who of staff is there. Called by the views of this package."""

from collections.abc import Iterator
from contextlib import contextmanager

from flask import abort
from flask_login import current_user

from webapp.accounts.models import UserAccount
from webapp.services import services
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.sessions import staff_session


@contextmanager
def reading_console() -> Iterator[LockedSession]:
    """Counts, settings and registers of all organizations. 503 where the console has no database role."""
    database = services().staff_database
    if database is None:
        abort(503)
    with staff_session(database) as session:
        yield session


def this_staff() -> UserAccount:
    """The member of staff who asks."""
    person: UserAccount = current_user._get_current_object()
    return person
