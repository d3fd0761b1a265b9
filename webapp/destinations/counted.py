"""How many calls lie between two days, of what a pattern meets. A later package knows calls and registers who counts.

Asked before a hand-over whose day is past, for its question.
"""

from collections.abc import Callable
from datetime import date

from webapp.destinations.matching import Pattern
from webapp.tenancy.lock import LockedSession

#: The calls of a pattern from a local day on, up to another that is left out; None where that is too much to count.
Counter = Callable[[LockedSession, Pattern, date, date], int | None]
_counters: dict[str, Counter] = {}


def register_counter(counter: Counter) -> None:
    _counters["calls"] = counter


def count_calls(session: LockedSession, pattern: Pattern, first: date, until: date) -> int | None:
    """None where nobody can say."""
    return _counters["calls"](session, pattern, first, until) if _counters else None
