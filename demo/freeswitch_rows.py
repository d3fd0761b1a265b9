"""How a FreeSWITCH writes the cloud trunk's calls: mod_cdr_csv, template "example" (15 columns), legs=ab, local time.

Called by `write_call_records.py`. The b leg is written before the a leg, which names it by its uuid; a phone that lost
the race for a call leaves a row with LOSE_RACE that nothing names.
"""

import random
import uuid
from datetime import datetime

from demo import firm
from demo.day_plan import LONDON
from demo.planned_call import ANSWERED, BUSY, CONGESTION, FAILED, NO_ANSWER, PlannedCall, Shape

_CAUSES = {
    ANSWERED: "NORMAL_CLEARING",
    NO_ANSWER: "NO_ANSWER",
    BUSY: "USER_BUSY",
    FAILED: "UNALLOCATED_NUMBER",
    CONGESTION: "NORMAL_TEMPORARY_FAILURE",
}


def _local(at: int | None) -> str:
    return "" if at is None else str(datetime.fromtimestamp(at, LONDON))[:19]


class Legs:
    """The lines of one call; every leg of it has the same times."""

    def __init__(self, call: PlannedCall) -> None:
        self.call = call
        self.dice = random.Random(f"Harbour Ltd, uuids, {call.started_at}, {call.turn}")
        self.answer = call.started_at + call.ring if call.result == ANSWERED else None
        rang = 0 if call.result in (BUSY, FAILED, CONGESTION) else call.ring
        self.end = call.started_at + rang + (call.talk if self.answer is not None else 0)
        self.lines: list[str] = []

    def add(
        self, name: str, number: str, destination: str, context: str, account: str,
        b_leg: str = "", lost_race: bool = False,
    ) -> str:  # fmt: skip
        """Writes one leg and gives its uuid."""
        own_id = str(uuid.UUID(int=self.dice.getrandbits(128), version=4))
        start, answer, end, cause = self.call.started_at, self.answer, self.end, _CAUSES[self.call.result]
        if cause == "NO_ANSWER" and self.call.ring < 12:
            cause = "ORIGINATOR_CANCEL"  # the caller gave up first
        if lost_race:
            answer, end, cause = None, start + self.call.ring, "LOSE_RACE"
        codec = "PCMA" if answer is not None else ""
        fields = (
            name, number, destination, context, _local(start), _local(answer), _local(end), str(end - start),
            str(end - answer if answer is not None else 0), cause, own_id, b_leg, account, codec, codec,
        )  # fmt: skip
        self.lines.append(",".join(f'"{field}"' for field in fields))
        return own_id


def lines_of(call: PlannedCall) -> tuple[int, list[str]]:
    """The UTC second at which the call was over, and its lines in the order in which FreeSWITCH writes them."""
    legs = Legs(call)
    if call.shape is Shape.OUT:
        person = call.phones[0]
        name = firm.NAMES[person]
        reached = call.result not in (FAILED, CONGESTION)
        b_leg = legs.add(name, firm.CLOUD_NUMBERS[person], call.dialed, "default", "") if reached else ""
        legs.add(name, person, call.dialed, "default", person, b_leg)
    elif call.shape is Shape.INTERNAL:
        person = call.phones[0]
        b_leg = legs.add(firm.NAMES[person], person, call.target, "default", call.target)
        legs.add(firm.NAMES[person], person, call.target, "default", person, b_leg)
    else:
        name, number = call.outside.name or call.outside.number, call.outside.number
        for phone in call.phones:
            if call.winner and phone != call.winner:
                legs.add(name, number, phone, "public", phone, lost_race=True)
        b_leg = legs.add(name, number, call.winner or call.phones[0], "public", call.winner or call.phones[0])
        legs.add(name, number, call.dialed, "public", "", b_leg)
    return legs.end, legs.lines
