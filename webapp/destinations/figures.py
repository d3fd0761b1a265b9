"""Live figures of destinations and own numbers. Calls are known by a later package, which registers what reads them.

register_figures(of_destinations=..., of_numbers=...)     # calls/, when the app is made
read_destination_figures(session, [destination.id], zone)  # the pages of this package
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from webapp.database.staff_rights import Area
from webapp.tenancy.lock import LockedSession

FIGURE_DAYS = 30  #: local days, today included


class LiveFigures(NamedTuple):
    """Of the last FIGURE_DAYS days, each call once. `answered`, `missed` and `voicemail` are of outside calls in.

    `days`: calls of each day, the oldest first. `last_call_at`: of all days. `more`: counting stopped at so many calls,
    the numbers are "more than".
    """

    calls: int = 0
    answered: int = 0
    missed: int = 0
    voicemail: int = 0
    talk_seconds: int = 0
    last_call_at: datetime | None = None
    days: tuple[int, ...] = (0,) * FIGURE_DAYS
    more: bool = False

    @property
    def answered_percent(self) -> int | None:
        """answered / (answered + missed + voicemail), None where no outside call came in."""
        asked = self.answered + self.missed + self.voicemail
        return round(100 * self.answered / asked) if asked else None


#: From ids (of destinations; of numbers' parties) to their figures; ids without a call may be missing.
Reader = Callable[[LockedSession, Sequence[int], ZoneInfo], dict[int, LiveFigures]]
_readers: dict[str, Reader] = {}


def register_figures(of_destinations: Reader, of_numbers: Reader) -> None:
    _readers.update(destinations=of_destinations, numbers=of_numbers)


def read_destination_figures(session: LockedSession, ids: Sequence[int], zone: ZoneInfo) -> dict[int, LiveFigures]:
    """By id of the destination: the calls that a party took part in while it was the destination's.

    None at all for support that may not see calls; the same holds for those of numbers.
    """
    return _read("destinations", session, ids, zone)


def read_number_figures(session: LockedSession, party_ids: Sequence[int], zone: ZoneInfo) -> dict[int, LiveFigures]:
    """By id of the number's party: the outside calls that came in on it."""
    return _read("numbers", session, party_ids, zone)


def _read(what: str, session: LockedSession, ids: Sequence[int], zone: ZoneInfo) -> dict[int, LiveFigures]:
    if not session.opens(Area.CALLS):
        return {}
    found = _readers[what](session, ids, zone) if ids and what in _readers else {}
    return {each: found.get(each, LiveFigures()) for each in ids}
