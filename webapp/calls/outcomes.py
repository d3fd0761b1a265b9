"""The closed words of the call log: which way a call went, how it and its legs ended, and what "missed" means.

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


class LegKind(IntEnum):
    """What the far end of one record was."""

    PHONE = 1  #: a person's phone, or an outside number, was rung
    VOICEMAIL = 2  #: a mailbox took the caller
    SYSTEM = 3  #: a menu, a queue's music, an announcement, a feature code: it may "answer", but it is nobody
    PLUMBING = 4  #: the phone system talking to itself; joins records, says nothing about people


class LegResult(IntEnum):
    """How one leg ended; the call's outcome is worked out from all its legs in ingest/assembly.py."""

    UNKNOWN = 0
    ANSWERED = 1
    NO_ANSWER = 2
    BUSY = 3
    CANCELLED = 4
    FAILED = 5
    TAKEN_ELSEWHERE = 6  #: another phone won the race, or the leg went on as another record


#: Missed: an outside call in that no person answered and that left no voicemail. An outcome that the phone system
#: does not tell (UNKNOWN) is not missed, so that answered + voicemail + missed + unknown = outside calls in.
MISSED_OUTCOMES = frozenset({Outcome.NO_ANSWER, Outcome.BUSY, Outcome.CANCELLED, Outcome.FAILED})


#: In an outside call in: the caller tried, and did not get through. A message is answered by calling back.
TRY_OUTCOMES = MISSED_OUTCOMES | {Outcome.VOICEMAIL}
LOOK_BACK_DAYS = 30  #: a try longer ago is not on the list of calls to return


def is_missed(direction: int, outcome: int) -> bool:
    """Takes the members or their numbers."""
    return direction == Direction.INBOUND and outcome in MISSED_OUTCOMES
