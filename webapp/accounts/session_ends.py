"""What else ends with the session of a browser, where somebody signs out or was idle for too long.

A later package registers itself in create_app(); told by web_sessions.py, before the row is gone.
"""

from collections.abc import Callable, Mapping
from typing import Any

from webapp.database.engine import Database

#: Gets the database, the id of the person, and what was kept in the session.
Hook = Callable[[Database, int, Mapping[str, Any]], None]
_hooks: dict[str, Hook] = {}


def when_session_ends(name: str, hook: Hook) -> None:
    _hooks[name] = hook


def tell_end(database: Database, user_account_id: int, kept: Mapping[str, Any]) -> None:
    for hook in _hooks.values():
        hook(database, user_account_id, kept)
