"""Ends the sessions of browsers, and what else ends with them: a later package registers itself in create_app().

Called by web_sessions.py, session_rows.py, people.py, jobs.py and the Security page.
"""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, CursorResult, delete, select
from sqlalchemy.orm import Session

from webapp.accounts.models import WebSession
from webapp.accounts.session_limits import runs_out_at
from webapp.clock import now
from webapp.database.engine import Database

_NOTHING_KEPT = "{}"


class Ended(NamedTuple):
    """A session of somebody, with what was kept in it."""

    user_account_id: int
    kept: Mapping[str, Any]
    at: datetime


#: Does what is to be done at once, in transactions of its own: somebody signs out here.
AtOnce = Callable[[Database, Ended], None]
#: Sees to it that it is done, in the transaction that ends the session: it was ended from elsewhere, or ran out.
Later = Callable[[Session, Ended], None]
_hooks: dict[str, tuple[AtOnce, Later]] = {}


def when_session_ends(name: str, at_once: AtOnce, later: Later) -> None:
    _hooks[name] = at_once, later


def tell_end(database: Database, user_account_id: int, kept: Mapping[str, Any]) -> None:
    """Before the row of this browser goes."""
    for at_once, _later in _hooks.values():
        at_once(database, Ended(user_account_id, kept, now()))


def end_rows(session: Session, which: ColumnElement[bool]) -> int:
    """Delete these sessions; returns how many they were."""
    holding = select(WebSession).where(which, WebSession.user_account_id.is_not(None))
    for row in session.scalars(holding.where(WebSession.payload != _NOTHING_KEPT)):
        assert row.user_account_id is not None
        ended = Ended(row.user_account_id, json.loads(row.payload), min(now(), runs_out_at(row)))
        for _at_once, later in _hooks.values():
            later(session, ended)
    gone = session.execute(delete(WebSession).where(which).execution_options(synchronize_session=False))
    assert isinstance(gone, CursorResult)
    return gone.rowcount
