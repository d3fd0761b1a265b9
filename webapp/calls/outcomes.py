"""The closed words of the call log: which way a call went, how it ended, and what "missed" means.

Read by everything that shows, counts or stores calls; the numbers are the ones in schema.sql.
"""

from enum import IntEnum


class Direction(IntEnum):
    """Which way a call went, seen from the business. UNKNOWN until the phone system's outside lines are known."""

    UNKNOWN = 0
    INBOUND = 1
    OUTBOUND = 2
    INTERNAL = 3

    @property
    def word(self) -> str:
        return self.name.lower()


class Outcome(IntEnum):
    """How a call ended. ANSWERED means by a person; a menu or a queue that picked up is no answer."""

    UNKNOWN = 0
    ANSWERED = 1
    VOICEMAIL = 2
    NO_ANSWER = 3
    BUSY = 4
    CANCELLED = 5
    FAILED = 6

    @property
    def word(self) -> str:
        return self.name.lower()


#: Missed: an outside call in that no person answered and that left no voicemail. An outcome that the phone system
#: does not tell (UNKNOWN) is not missed, so that answered + voicemail + missed + unknown = outside calls in.
MISSED_OUTCOMES = frozenset({Outcome.NO_ANSWER, Outcome.BUSY, Outcome.CANCELLED, Outcome.FAILED})


def is_missed(direction: Direction, outcome: Outcome) -> bool:
    return direction == Direction.INBOUND and outcome in MISSED_OUTCOMES
