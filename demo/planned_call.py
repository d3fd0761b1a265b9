"""What happens in one call of the demo, before a phone system writes it down.

Made by `day_plan.py`, turned into rows by `asterisk_rows.py` and `freeswitch_rows.py`.
"""

from enum import Enum, auto
from typing import NamedTuple

from demo.firm import Party

ANSWERED, NO_ANSWER, BUSY, CONGESTION, FAILED = "ANSWERED", "NO ANSWER", "BUSY", "CONGESTION", "FAILED"


class Shape(Enum):
    """The way a call takes through the phone system."""

    DIRECT = auto()  #: from outside to one phone
    VOICEMAIL = auto()  #: from outside to one phone, then its mailbox
    FORWARD = auto()  #: from outside to one phone, then the person's mobile
    GROUP = auto()  #: from outside to a ring group, all phones at once
    GROUP_LOCAL = auto()  #: the same through Local channels
    QUEUE = auto()  #: from outside to the queue: agents one after the other
    QUEUE_VOICEMAIL = auto()  #: the queue's time is up, then a mailbox
    BLIND_TRANSFER = auto()  #: answered at one phone, passed on unannounced
    ATTENDED_TRANSFER = auto()  #: answered at one phone, passed on after a word with the colleague
    MENU = auto()  #: out of hours: the caller hears the menu and hangs up
    MENU_VOICEMAIL = auto()  #: out of hours: the caller chooses the mailbox
    MENU_ON_CALL = auto()  #: out of hours: the caller chooses the engineer on call, a mobile
    OUT = auto()  #: from a phone to outside
    INTERNAL = auto()  #: from phone to phone
    OWN_MAILBOX = auto()  #: a person listens to the own mailbox


class PlannedCall(NamedTuple):
    """`ring` and `talk` are seconds of the first stage, `next_...` of a second one: transfer, forward, mailbox."""

    started_at: int  #: UTC epoch seconds
    turn: int  #: the call's turn among those of its day, from 0: gives it its own room of ids
    shape: Shape
    result: str  #: of the last stage: one of the five dispositions
    outside: Party  #: who is at the other end; for an internal call an empty party
    dialed: str  #: the own number called, or the digits that the own person dialled
    phones: tuple[str, ...]  #: the phones that ring, in turn or all at once; of an own person's call the person's
    winner: str = ""  #: of a call from outside the first phone that answered, "" if none
    ring: int = 0
    talk: int = 0
    target: str = ""  #: of a transfer or internal call the colleague, of a forward the mobile, of a mailbox its number
    next_ring: int = 0
    next_talk: int = 0
    engaged: tuple[str, ...] = ()  #: phones that were busy
