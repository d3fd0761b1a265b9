"""Sees to it that what phone systems brought is stored: the errand `sources.store_delivered`.

It runs twice a second in every worker. What this process took in is known here at once; what another one did, or one
that was killed, is found by looking at the organizations whose phone systems have tokens.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from sqlalchemy import select

from config import Settings
from webapp.database.engine import Database
from webapp.database.installation import number_key
from webapp.ingest.deliveries import has_spooled, store_delivered
from webapp.sources.models import PbxToken
from webapp.tenancy.lock import kept
from webapp.tenancy.models import Organization
from webapp.tenancy.sessions import reading_session

_LOOK_SECONDS = 1.0  #: into the spools of organizations with tokens
_LIST_SECONDS = 30.0  #: which organizations those are
_TURN_SECONDS = 1.0  #: of one organization, after which it is the next one's turn

_ANY_TOKEN = kept(select(PbxToken.id).limit(1))


@dataclass
class _Watch:
    """What is known of one database. `noticed`: organizations for which this process has just taken something in."""

    noticed: set[int] = field(default_factory=set)
    with_tokens: list[int] = field(default_factory=list)
    looked_at: float = float("-inf")
    listed_at: float = float("-inf")


_watches: "WeakKeyDictionary[Database, _Watch]" = WeakKeyDictionary()
_lock = threading.Lock()


def notice(database: Database, organization_id: int) -> None:
    """Something was put into the spool of this organization, and committed."""
    with _lock:
        _watch(database).noticed.add(organization_id)


def store_due(database: Database, settings: Settings, stopping: Callable[[], bool]) -> None:
    """Store what waits, of every organization. One that cannot be stored, or never stops pushing, holds up no other."""
    failure: Exception | None = None
    for organization_id in sorted(_due(database)):
        if stopping():
            notice(database, organization_id)
            continue
        try:
            if not store_delivered(database, number_key(settings), organization_id, _turn(stopping)):
                notice(database, organization_id)
        except Exception as error:  # noqa: BLE001 - raised again once the others have had their turn
            notice(database, organization_id)
            failure = error
    if failure is not None:
        raise failure


def _turn(stopping: Callable[[], bool]) -> Callable[[], bool]:
    """Whether an organization may go on, whose turn begins now."""
    ends_at = time.monotonic() + _TURN_SECONDS
    return lambda: not stopping() and time.monotonic() < ends_at


def _due(database: Database) -> set[int]:
    now = time.monotonic()
    with _lock:
        watch = _watch(database)
        due, watch.noticed = watch.noticed, set()
        looks, lists = now - watch.looked_at >= _LOOK_SECONDS, now - watch.listed_at >= _LIST_SECONDS
        if looks:
            watch.looked_at = now
        if lists:
            watch.listed_at = now
    if lists:
        watch.with_tokens = _list_with_tokens(database)
    if looks:
        due |= {organization_id for organization_id in watch.with_tokens if _has_spooled(database, organization_id)}
    return due


def _list_with_tokens(database: Database) -> list[int]:
    """Asked one by one: the tenancy lock shows the rows of one organization at a time."""
    with reading_session(database) as session:
        organizations = session.scalars(select(Organization.id)).all()
    found = []
    for organization_id in organizations:
        with reading_session(database, organization_id) as session:
            if session.rows(_ANY_TOKEN) or has_spooled(session):
                found.append(organization_id)
    return found


def _has_spooled(database: Database, organization_id: int) -> bool:
    with reading_session(database, organization_id) as session:
        return has_spooled(session)


def _watch(database: Database) -> _Watch:
    return _watches.setdefault(database, _Watch())
