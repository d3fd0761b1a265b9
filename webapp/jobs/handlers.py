"""Which code does which kind of job, what is done beside jobs, and what is swept every hour.

Features register themselves in create_app().

A handler gets a Work and returns when the work is done, or soon after `keep()` said False. What it raises puts the job
off for later; after MOST_ATTEMPTS the job is dead and its `when_dead` is told, so that no page waits for ever.
"""

from collections.abc import Callable
from typing import Any, Protocol

from config import Settings
from webapp.database.engine import Database


class Work(Protocol):
    """What a handler sees of its job. Made by worker.py."""

    @property
    def database(self) -> Database: ...
    @property
    def settings(self) -> Settings: ...
    @property
    def organization_id(self) -> int | None: ...
    @property
    def payload(self) -> dict[str, Any]: ...
    @property
    def attempts(self) -> int: ...

    def keep(self) -> bool:
        """Renew the lease, outside any transaction, every few seconds. False: stop now, another worker goes on."""
        ...


Handler = Callable[[Work], None]
Chore = Callable[[Database], None]
#: Gets the database, the settings, and what says whether to stop. Returns when nothing is left to do.
Errand = Callable[[Database, Settings, Callable[[], bool]], None]

_handlers: dict[str, Handler] = {}
_when_dead: dict[str, Handler] = {}
_leaving_nothing: set[str] = set()
_chores: dict[str, Chore] = {}
_errands: dict[str, Errand] = {}


def register(kind: str, handler: Handler, when_dead: Handler | None = None, *, leaves_nothing: bool = False) -> None:
    """Let `handler` do jobs of this kind, named "<feature>.<verb>". The same again is no mistake.

    `leaves_nothing`: a job that is done is deleted at once, not kept for a look back.
    """
    known = _handlers.setdefault(kind, handler)
    if known is not handler:
        raise ValueError(f"{kind} is registered already")
    if when_dead is not None:
        _when_dead[kind] = when_dead
    if leaves_nothing:
        _leaving_nothing.add(kind)


def register_chore(name: str, chore: Chore) -> None:
    """Run `chore` about once an hour in every worker: a sweep that may run twice at a time."""
    known = _chores.setdefault(name, chore)
    if known is not chore:
        raise ValueError(f"{name} is registered already")


def register_errand(name: str, errand: Errand) -> None:
    """Run `errand` twice a second beside the jobs of every worker, and at once when something was put in.

    For what must not wait behind a long job. It looks first, cheaply, and may run in several workers at a time.
    """
    known = _errands.setdefault(name, errand)
    if known is not errand:
        raise ValueError(f"{name} is registered already")


def kinds() -> list[str]:
    return sorted(_handlers)


def handler_of(kind: str) -> Handler:
    return _handlers[kind]


def when_dead_of(kind: str) -> Handler | None:
    return _when_dead.get(kind)


def leaves_nothing(kind: str) -> bool:
    return kind in _leaving_nothing


def chores() -> list[tuple[str, Chore]]:
    return sorted(_chores.items())


def errands() -> list[tuple[str, Errand]]:
    return sorted(_errands.items())
