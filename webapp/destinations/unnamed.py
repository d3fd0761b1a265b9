"""What nothing names yet: the numbers and extensions with the most calls. Calls are known by a later package.

register_unnamed(find_unnamed)     # calls/unnamed_parties.py, when the app is made
read_unnamed(session)              # the page "Still without a name"
"""

from collections.abc import Callable
from dataclasses import dataclass

from webapp.destinations.models import Party
from webapp.tenancy.lock import LockedSession

SHOWN_AT_MOST = 50
CALLS_LOOKED_AT = 10_000  #: the newest: the page costs the same with a million


@dataclass(frozen=True)
class UnnamedParty:
    party: Party
    calls: int


@dataclass(frozen=True)
class Unnamed:
    """Of the newest `calls_seen` calls: who took part in them, of whom so many have a name now; and the others, but for
    those that somebody passed over."""

    calls_seen: int = 0
    party_count: int = 0
    named_count: int = 0
    parties: tuple[UnnamedParty, ...] = ()

    @property
    def unnamed_count(self) -> int:
        return self.party_count - self.named_count


Finder = Callable[[LockedSession], Unnamed]
_finders: dict[str, Finder] = {}


def register_unnamed(finder: Finder) -> None:
    _finders["calls"] = finder


def read_unnamed(session: LockedSession) -> Unnamed:
    """The most called first, at most SHOWN_AT_MOST."""
    return _finders["calls"](session) if _finders else Unnamed()
