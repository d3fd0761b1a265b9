"""Own numbers as calls tell of them. Calls are known by a later package, which registers what reads them.

register_seen_numbers(read)     # calls/own_numbers.py, when the app is made
read_seen_numbers(session)      # the page of our numbers, which offers those that nobody listed
"""

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from webapp.tenancy.lock import LockedSession


class SeenNumbers(NamedTuple):
    """`calls`: of how many of the newest calls each party was the own number. `since`: start of the oldest that was
    looked at, None where there is no call.
    """

    calls: dict[int, int]
    since: datetime | None = None


Reader = Callable[[LockedSession], SeenNumbers]
_readers: list[Reader] = []


def register_seen_numbers(read: Reader) -> None:
    _readers[:] = [read]


def read_seen_numbers(session: LockedSession) -> SeenNumbers:
    """By party."""
    return _readers[0](session) if _readers else SeenNumbers({})
