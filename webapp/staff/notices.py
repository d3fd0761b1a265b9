"""The words of staff that stand on every page at this moment. Asked by the layout, layouts/_service_notices.html.

Read at most once a minute in each process, and never for a part that htmx asks for. Where they cannot be read, pages
show what was read before: an error page must work without a database.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from flask import Flask
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from webapp.clock import now
from webapp.database.engine import Database
from webapp.services import services
from webapp.staff.models import ServiceNotice
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.sessions import reading_session

_EVERY_SECONDS = 60.0


@dataclass
class _Read:
    at: float
    notices: Sequence[ServiceNotice] = field(default_factory=tuple)


_read: WeakKeyDictionary[Database, _Read] = WeakKeyDictionary()


def register(app: Flask) -> None:
    app.jinja_env.globals["service_notices"] = current_notices


def current_notices() -> list[ServiceNotice]:
    """Those whose time it is, the first to begin first."""
    database, moment = services().database, now()
    known = _read.get(database)
    if known is None or time.monotonic() - known.at >= _EVERY_SECONDS:
        # Noted before it is read: whoever asks meanwhile takes what was there.
        known = _read[database] = _Read(time.monotonic(), known.notices if known else ())
        try:
            with reading_session(database) as session:
                known.notices = list_to_come(session)
        except SQLAlchemyError:
            return []
    return [notice for notice in known.notices if notice.starts_at <= moment < notice.ends_at]


def forget(database: Database) -> None:
    """Read them anew at the next page of this process. Called when one was put up or taken down."""
    _read.pop(database, None)


def list_to_come(session: LockedSession) -> Sequence[ServiceNotice]:
    """Those that are up, and those to come."""
    return session.scalars(
        select(ServiceNotice).where(ServiceNotice.ends_at > now()).order_by(ServiceNotice.starts_at, ServiceNotice.id)
    ).all()
