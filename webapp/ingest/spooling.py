"""Puts what phone systems bring into the spool, committed before it returns. Called by sources/collect_views.py.

Requests that come at the same moment share a transaction: whoever gets to write takes along what waits. One that waited
finds its rows committed, or is told what went wrong. A commit costs the disk what it costs, for one row or for eight.
"""

import threading
from collections.abc import Sequence
from typing import NamedTuple
from weakref import WeakKeyDictionary

from webapp.clock import now_ms
from webapp.database.bulk import bulk_transaction
from webapp.database.engine import Database
from webapp.database.ids import new_id

_COLUMNS = ("organization_id", "id", "pbx_id", "format", "received_at", "body")


class Parcel(NamedTuple):
    """Some records of one phone system. `format`: a key of READERS."""

    pbx_id: int
    format: str
    body: bytes


class _Waiting:
    """What one request wants to be written."""

    def __init__(self, organization_id: int, parcels: Sequence[Parcel]) -> None:
        self.organization_id = organization_id
        self.parcels = parcels
        self.is_done = False
        self.error: BaseException | None = None


class _Spool:
    """The way into one database."""

    def __init__(self) -> None:
        self.turn = threading.Lock()
        self._list = threading.Lock()
        self._waiting: list[_Waiting] = []

    def add(self, waiting: _Waiting) -> None:
        with self._list:
            self._waiting.append(waiting)

    def take(self) -> dict[int, list[_Waiting]]:
        """All that waits, by organization."""
        with self._list:
            taken, self._waiting = self._waiting, []
        by_organization: dict[int, list[_Waiting]] = {}
        for each in taken:
            by_organization.setdefault(each.organization_id, []).append(each)
        return by_organization


_spools: "WeakKeyDictionary[Database, _Spool]" = WeakKeyDictionary()
_spools_lock = threading.Lock()


def put(database: Database, organization_id: int, parcels: Sequence[Parcel]) -> None:
    """Returns once they are committed. Raises what the database raises; nothing of them is kept then."""
    if not parcels:
        return
    with _spools_lock:
        spool = _spools.setdefault(database, _Spool())
    mine = _Waiting(organization_id, parcels)
    spool.add(mine)
    with spool.turn:
        if not mine.is_done:  # else somebody else has taken it along
            for of_whom, together in spool.take().items():
                _write(database, of_whom, together)
    if mine.error is not None:
        raise mine.error


def _write(database: Database, organization_id: int, together: Sequence[_Waiting]) -> None:
    now = now_ms()
    rows = [
        (organization_id, new_id(), parcel.pbx_id, parcel.format, now, parcel.body)
        for waiting in together
        for parcel in waiting.parcels
    ]
    error: BaseException | None = SystemExit()  # what they are told if this thread is ended here
    try:
        # Whoever stores these rows empties the log: here every other push would wait for it.
        with bulk_transaction(database, organization_id, empties_log=False) as transaction:
            transaction.insert("spooled_delivery", _COLUMNS, rows)
        error = None
    except Exception as failure:  # noqa: BLE001 - each of those who wait is told
        error = failure
    finally:
        _tell(together, error)


def _tell(together: Sequence[_Waiting], error: BaseException | None) -> None:
    for waiting in together:
        waiting.is_done, waiting.error = True, error
