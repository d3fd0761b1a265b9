"""How much the phone systems of one organization may leave here that is not calls: waiting in the spool, or refused.

sources/collect_views.py asks before it takes more; the page of a phone system says what stands in the way. Whatever
was acknowledged stays. Measured now and then, not at each request: what is taken meanwhile may go over by a bit.
"""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple
from weakref import WeakKeyDictionary

from sqlalchemy import func, select

from webapp import logs
from webapp.calls.models import ImportFile, RejectedLine
from webapp.database.engine import Database
from webapp.errors import NoSpace
from webapp.ingest.models import SpooledDelivery
from webapp.ingest.spooling import Parcel
from webapp.tenancy.lock import LockedSession, kept
from webapp.tenancy.sessions import reading_session

#: Of one organization; files that people hand in have QUOTA_BYTES of jobs/stored_files.py. What waits is stored twice a
#: second: these are hours in which nothing is stored, at the fastest rate that is promised.
MOST_WAITING_ROWS, MOST_WAITING_BYTES = 2_000_000, 5 * 1000**3
MOST_REFUSED_ROWS, MOST_REFUSED_BYTES = 1_000_000, 2 * 1000**3
_MEASURED_SECONDS = 5.0  #: so long it is gone by what was measured last
_BEFORE_REFUSING_SECONDS = 0.5  #: and so long where that would refuse something
_PARTS_OF_TIME = 50  #: it is measured for one of so many parts of the time, however much is there

_WAITING_TOO_MUCH = (
    "More records of your organization's phone systems wait here to be read than there is room for. Nothing of this "
    "request was stored; what was acknowledged before is safe. Send it again later, and tell the person who runs "
    "Callbook that records are not being read."
)
_REFUSED_TOO_MUCH = (
    "More lines of your organization's phone systems that could not be read are kept here than there is room for. "
    "Nothing of this request was stored; what was acknowledged before is safe. Send it again once somebody has thrown "
    "such lines away, on the page of the day's refused lines in Callbook."
)

_WAITING = kept(select(func.count(SpooledDelivery.id), func.coalesce(func.sum(func.length(SpooledDelivery.body)), 0)))
_REFUSED = kept(
    select(func.count(RejectedLine.line_number), func.coalesce(func.sum(func.length(RejectedLine.raw)), 0))
    .join(
        ImportFile,
        (ImportFile.organization_id == RejectedLine.organization_id) & (ImportFile.id == RejectedLine.import_file_id),
    )
    .where(ImportFile.delivered_on.is_not(None), ImportFile.refused_count > 0)
)


class Amount(NamedTuple):
    rows: int
    byte_count: int

    def fits(self, most_rows: int, most_bytes: int) -> bool:
        """Whether there is room for more."""
        return self.rows < most_rows and self.byte_count < most_bytes


@dataclass(frozen=True)
class Left:
    """What phone systems of one organization have left here."""

    waiting: Amount
    refused: Amount

    def with_more(self, parcels: Sequence[Parcel]) -> "Left":
        size = sum(len(parcel.body) for parcel in parcels)
        return Left(Amount(self.waiting.rows + len(parcels), self.waiting.byte_count + size), self.refused)

    @property
    def problem(self) -> str:
        """Why no more is taken, in sentences; "" where there is room."""
        if not self.waiting.fits(MOST_WAITING_ROWS, MOST_WAITING_BYTES):
            return _WAITING_TOO_MUCH
        return "" if self.refused.fits(MOST_REFUSED_ROWS, MOST_REFUSED_BYTES) else _REFUSED_TOO_MUCH


class _Tally:
    """What is left of one organization: as measured last, and what this process has taken since."""

    def __init__(self) -> None:
        self.left: Left | None = None
        self._measuring = threading.Lock()
        self._measured_at = float("-inf")
        self._took = 0.0

    def measure(self, database: Database, organization_id: int, seconds: float) -> Left:
        """Anew where the last time is longer ago than so many seconds. One measures at a time, others go on."""
        is_due = time.monotonic() - self._measured_at >= max(seconds, self._took * _PARTS_OF_TIME)
        if is_due and self._measuring.acquire(blocking=self.left is None):
            try:
                began = time.monotonic()
                with reading_session(database, organization_id) as session:
                    self.left = measure_left(session)
                self._measured_at = time.monotonic()
                self._took = self._measured_at - began
            finally:
                self._measuring.release()
        assert self.left is not None
        return self.left


_tallies: "WeakKeyDictionary[Database, dict[int, _Tally]]" = WeakKeyDictionary()
_lock = threading.Lock()


def take_room(database: Database, organization_id: int, parcels: Sequence[Parcel]) -> None:
    """Before they are put into the spool. Raises NoSpace with words where there is no room for more."""
    tally = _tally_of(database, organization_id)
    left = tally.measure(database, organization_id, _MEASURED_SECONDS)
    if left.problem:
        left = tally.measure(database, organization_id, _BEFORE_REFUSING_SECONDS)
    if left.problem:
        logs.event("pbx.no_room", organization=organization_id)
        raise NoSpace(left.problem)
    tally.left = left.with_more(parcels)


def find_problem(database: Database, organization_id: int) -> str:
    """Why nothing more is taken from its phone systems, in sentences; "" while there is room."""
    return _tally_of(database, organization_id).measure(database, organization_id, _BEFORE_REFUSING_SECONDS).problem


def measure_left(session: LockedSession) -> Left:
    [waiting], [refused] = session.rows(_WAITING), session.rows(_REFUSED)
    return Left(Amount(*map(int, waiting)), Amount(*map(int, refused)))


def _tally_of(database: Database, organization_id: int) -> _Tally:
    with _lock:
        return _tallies.setdefault(database, {}).setdefault(organization_id, _Tally())
