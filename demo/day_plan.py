"""The calls of one day at Harbour Ltd, made up from the date alone: the same day is the same whenever it is asked for.

Called by `write_call_records.py`. `head_office_day` and `cloud_trunk_day` give a day's calls in the order of their
start; `filler_call` gives the one extra call that makes a quiet hour end minutes ago.
"""

import math
import random
from bisect import bisect
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from itertools import accumulate
from zoneinfo import ZoneInfo

from demo import firm
from demo.firm import Party
from demo.planned_call import ANSWERED, BUSY, CONGESTION, FAILED, NO_ANSWER, PlannedCall, Shape
from demo.working_days import DAY_OFF_HOURS, WORKDAY_HOURS, calls_expected, is_working_day

LONDON = ZoneInfo(firm.TIME_ZONE)
_OPENS, _CLOSES = 8.5 * 3600, 17.5 * 3600  #: seconds of the local day
_NOBODY = Party("", "")
_WEIGHTS = tuple(accumulate(firm.REGULAR_WEIGHTS))
#: Seconds after midnight of the alarm centre's test calls on the nights when the clocks change: in autumn 01:35 summer
#: time and then 01:20 winter time, in the hour that this night has twice.
_ALARM_TESTS = (5700, 8400)
_FILLER_TURN = 16_000  #: above the turns of every day


def midnight(day: date) -> int:
    """The UTC epoch second at which the day begins in London."""
    return int(datetime(day.year, day.month, day.day, tzinfo=LONDON).timestamp())


def opening_seconds(at: int) -> float | None:
    """Seconds since opening, None while the firm is closed."""
    local = datetime.fromtimestamp(at, LONDON)
    wall = local.hour * 3600 + local.minute * 60 + local.second
    return wall - _OPENS if is_working_day(local.date()) and _OPENS <= wall < _CLOSES else None


class Office:
    """One day's dice, and who is on the phone until when."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.busy_until: dict[str, int] = {}

    def free(self, phone: str, at: int) -> bool:
        return self.busy_until.get(phone, 0) <= at

    def occupy(self, phone: str, until: int) -> None:
        self.busy_until[phone] = max(until, self.busy_until.get(phone, 0))

    def chance(self, probability: float) -> bool:
        return self.dice.random() < probability

    def pick(self, choices: Sequence[tuple[str, float]]) -> str:
        return self.dice.choices([name for name, _ in choices], [weight for _, weight in choices])[0]

    def ring(self) -> int:
        return 2 + min(18, int(self.dice.expovariate(1 / 6.0)))

    def talk(self) -> int:
        return max(6, min(2700, int(self.dice.lognormvariate(math.log(105), 0.95))))

    def regular(self) -> Party:
        return firm.REGULARS[bisect(_WEIGHTS, self.dice.random() * _WEIGHTS[-1])]

    def caller(self) -> Party:
        """Mostly a regular, now and then a stranger, a withheld number."""
        roll = self.dice.random()
        if roll < 0.045:
            return firm.WITHHELD
        if roll < 0.16:
            area = self.dice.choice(("020", "07700", "07700", "0161", "0118", "0121"))
            return Party(f"{firm.FICTION_PREFIXES[area]}{self.dice.randrange(910, 999)}", "")
        return self.regular()


def _starts(dice: random.Random, day: date, calls: int) -> list[int]:
    """The instants at which the day's calls begin, in order."""
    hours = WORKDAY_HOURS if is_working_day(day) else DAY_OFF_HOURS
    first = midnight(day)
    return sorted(first + hour * 3600 + dice.randrange(3600) for hour in dice.choices(range(24), hours, k=calls))


def _clocks_change(day: date) -> bool:
    return midnight(date.fromordinal(day.toordinal() + 1)) - midnight(day) != 86400


def head_office_day(day: date) -> Iterator[PlannedCall]:
    """Every call that begins on this day at the head office."""
    office = Office(random.Random(f"Harbour Ltd, head office, {day.isoformat()}"))
    calls = int(calls_expected(day) * office.dice.uniform(0.88, 1.12) + office.dice.random())
    starts = [(at, False) for at in _starts(office.dice, day, calls)]
    if _clocks_change(day):
        starts += [(midnight(day) + seconds, True) for seconds in _ALARM_TESTS]
    for turn, (at, is_alarm_test) in enumerate(sorted(starts)):
        if is_alarm_test:
            call = _to_mailbox(at, turn, firm.ALARM_CENTRE, 21)
        elif opening_seconds(at) is None:
            call = _closed(office, at, turn)
        else:
            call = _open(office, at, turn)
        yield call


def _open(office: Office, at: int, turn: int) -> PlannedCall:
    kind = office.pick((("in", 58), ("out", 28), ("internal", 12), ("mailbox", 2)))
    if kind == "in":
        return _inbound(office, at, turn)
    free = [p.extension for p in firm.PEOPLE if office.free(p.extension, at)] or ["208"]
    person = office.dice.choice(free)
    if kind == "out":
        return _outbound(office, at, turn, person)
    if kind == "internal":
        return _internal(office, at, turn, person)
    return _own_mailbox(office, at, turn, person)


def _closed(office: Office, at: int, turn: int) -> PlannedCall:
    """Early birds phone out, a late one listens to the mailbox; everybody who calls gets the menu."""
    wall_hour = datetime.fromtimestamp(at, LONDON).hour
    if 7 <= wall_hour < 20 and office.chance(0.35):
        person = office.dice.choice(("208", "209", "204", "210"))
        return (_own_mailbox if office.chance(0.2) else _outbound)(office, at, turn, person)
    caller, roll = office.caller(), office.dice.random()
    if roll < 0.50:
        heard = office.dice.randrange(4, 28)
        return PlannedCall(at, turn, Shape.MENU, NO_ANSWER, caller, firm.NIGHT_MENU, (), talk=heard)
    if roll < 0.90:
        return _to_mailbox(at, turn, caller, office.dice.randrange(9, 70))
    return PlannedCall(
        at, turn, Shape.MENU_ON_CALL, ANSWERED if office.chance(0.75) else NO_ANSWER, caller, "2", ("211",),
        talk=office.dice.randrange(6, 15), target=firm.MOBILES["211"], next_ring=office.ring(), next_talk=office.talk(),
    )  # fmt: skip


def _to_mailbox(at: int, turn: int, caller: Party, message: int) -> PlannedCall:
    return PlannedCall(
        at, turn, Shape.MENU_VOICEMAIL, ANSWERED, caller, firm.NIGHT_MENU, (), target=firm.RECEPTION, next_talk=message
    )


def _inbound(office: Office, at: int, turn: int) -> PlannedCall:
    caller = office.caller()
    way = office.pick((("reception", 36), ("group", 13), ("campaign", 9), ("queue", 19), ("person", 23)))
    if way == "reception":
        return _to_reception(office, at, turn, caller)
    if way == "queue":
        return _to_queue(office, at, turn, caller)
    if way == "person":
        phone = firm.contact_of(caller) if caller.number.isdigit() else office.dice.choice(firm.SALES_PHONES)
        return _to_phone(office, at, turn, caller, phone, firm.DIRECT_NUMBERS[phone])
    return _to_group(office, at, turn, caller, through_local=way == "campaign")


def _answers(office: Office, at: int, probability: float) -> bool:
    """Fewer calls are answered over lunch."""
    hour = datetime.fromtimestamp(at, LONDON).hour
    return office.chance(probability * (0.7 if hour in (12, 13) else 1.0))


def _to_reception(office: Office, at: int, turn: int, caller: Party) -> PlannedCall:
    if not office.free(firm.RECEPTION, at) or not _answers(office, at, 0.93) or not office.chance(0.42):
        return _to_phone(office, at, turn, caller, firm.RECEPTION, firm.MAIN_NUMBER)
    colleague = firm.contact_of(caller) if caller.number.isdigit() else "202"
    ring, talk, next_ring, next_talk = office.ring(), office.dice.randrange(12, 55), office.ring(), office.talk()
    passed = at + ring + talk
    shape, result = Shape.BLIND_TRANSFER, ANSWERED
    if not office.free(colleague, passed) or not office.chance(0.88):
        result = NO_ANSWER  # blind, and the colleague does not pick up: the caller has spoken to reception only
    elif office.chance(0.4):
        shape = Shape.ATTENDED_TRANSFER
    office.occupy(firm.RECEPTION, passed + 10)
    if result == ANSWERED:
        office.occupy(colleague, passed + next_ring + next_talk)
    return PlannedCall(
        at, turn, shape, result, caller, firm.MAIN_NUMBER, (firm.RECEPTION,), firm.RECEPTION, ring, talk,
        colleague, next_ring if result == ANSWERED else 20, next_talk,
    )  # fmt: skip


def _to_phone(office: Office, at: int, turn: int, caller: Party, phone: str, did: str) -> PlannedCall:
    call = PlannedCall(at, turn, Shape.DIRECT, NO_ANSWER, caller, did, (phone,))
    free = office.free(phone, at)
    if office.chance(0.006):
        return call._replace(result=CONGESTION)
    if free and _answers(office, at, 0.84 if phone == firm.RECEPTION else 0.68):
        ring, talk = office.ring(), office.talk()
        office.occupy(phone, at + ring + talk)
        return call._replace(result=ANSWERED, winner=phone, ring=ring, talk=talk)
    if not free and office.chance(0.3):
        return call._replace(result=BUSY)
    call = call._replace(ring=20 if free else 0, engaged=() if free else (phone,))
    if phone in firm.MOBILES and office.chance(0.7):
        result, ring = ANSWERED if office.chance(0.72) else NO_ANSWER, office.ring() + 2
        return call._replace(
            shape=Shape.FORWARD, result=result, target=firm.MOBILES[phone], next_ring=ring, next_talk=office.talk()
        )
    if not free or office.chance(0.5):
        message = office.dice.randrange(5, 60)
        return call._replace(shape=Shape.VOICEMAIL, result=ANSWERED, target=phone, next_talk=message)
    return call._replace(ring=office.dice.randrange(4, 20))


def _to_group(office: Office, at: int, turn: int, caller: Party, through_local: bool) -> PlannedCall:
    shape = Shape.GROUP_LOCAL if through_local else Shape.GROUP
    did = firm.CAMPAIGN_NUMBER if through_local else firm.SALES_NUMBER
    free = [phone for phone in firm.SALES_PHONES if office.free(phone, at)]
    if not free or not _answers(office, at, 0.9):
        gave_up_after = office.dice.randrange(8, 25)
        return PlannedCall(at, turn, shape, NO_ANSWER, caller, did, firm.SALES_PHONES, ring=gave_up_after)
    winner, ring, talk = office.dice.choice(free), office.ring(), office.talk()
    office.occupy(winner, at + ring + talk)
    engaged = tuple(phone for phone in firm.SALES_PHONES if phone not in free)
    return PlannedCall(at, turn, shape, ANSWERED, caller, did, firm.SALES_PHONES, winner, ring, talk, engaged=engaged)


def _to_queue(office: Office, at: int, turn: int, caller: Party) -> PlannedCall:
    """The agents ring one after the other, 12 s each; the last phone of `phones` is the one that answers."""
    tried: list[str] = []
    order = [firm.SUPPORT_AGENTS[(turn + i) % 3] for i in range(3)] + [firm.SUPPORT_AGENTS[turn % 3]]
    for phone in order:
        tried.append(phone)
        when = at + 12 * (len(tried) - 1)
        if office.free(phone, when) and _answers(office, at, 0.66):
            ring, talk = min(11, office.ring()), office.talk()
            office.occupy(phone, when + ring + talk)
            return PlannedCall(
                at, turn, Shape.QUEUE, ANSWERED, caller, firm.SUPPORT_NUMBER, tuple(tried), phone, ring, talk
            )
        if office.chance(0.1):
            gave_up_after = office.dice.randrange(3, 12)
            return PlannedCall(
                at, turn, Shape.QUEUE, NO_ANSWER, caller, firm.SUPPORT_NUMBER, tuple(tried), ring=gave_up_after
            )
    return PlannedCall(
        at, turn, Shape.QUEUE_VOICEMAIL, ANSWERED, caller, firm.SUPPORT_NUMBER, tuple(tried), ring=12,
        target="211", next_talk=office.dice.randrange(6, 60),
    )  # fmt: skip


def _outbound(office: Office, at: int, turn: int, person: str) -> PlannedCall:
    party = office.regular()
    result = office.pick(((ANSWERED, 74), (NO_ANSWER, 16), (BUSY, 6), (FAILED, 3), (CONGESTION, 1)))
    ring = {ANSWERED: office.ring() + 2, NO_ANSWER: office.dice.randrange(15, 45), BUSY: 2}.get(result, 1)
    talk = office.talk() if result == ANSWERED else 0
    office.occupy(person, at + ring + talk)
    return PlannedCall(at, turn, Shape.OUT, result, party, party.number, (person,), ring=ring, talk=talk)


def _internal(office: Office, at: int, turn: int, person: str) -> PlannedCall:
    colleague = office.dice.choice([p.extension for p in firm.PEOPLE if p.extension != person])
    talk = max(5, office.talk() // 2)
    if not office.free(colleague, at):
        result, ring = BUSY, 0
    elif office.chance(0.78):
        result, ring = ANSWERED, office.ring()
        office.occupy(person, at + ring + talk)
        office.occupy(colleague, at + ring + talk)
    else:
        result, ring = NO_ANSWER, office.dice.randrange(8, 30)
    return PlannedCall(
        at, turn, Shape.INTERNAL, result, _NOBODY, colleague, (person,), ring=ring, talk=talk, target=colleague
    )


def _own_mailbox(office: Office, at: int, turn: int, person: str) -> PlannedCall:
    talk = office.dice.randrange(8, 90)
    office.occupy(person, at + talk)
    return PlannedCall(at, turn, Shape.OWN_MAILBOX, ANSWERED, _NOBODY, firm.OWN_MAILBOX, (person,), talk=talk)


def cloud_trunk_day(day: date) -> Iterator[PlannedCall]:
    """Every call that begins on this day at the cloud trunk, where 301 and 302 work from home in office hours."""
    office = Office(random.Random(f"Harbour Ltd, cloud trunk, {day.isoformat()}"))
    if not is_working_day(day):
        return
    calls = int(calls_expected(day) * 0.15 * office.dice.uniform(0.7, 1.3) + office.dice.random())
    for turn, at in enumerate(_starts(office.dice, day, calls)):
        if opening_seconds(at) is not None:
            yield _cloud_call(office, at, turn)


def _cloud_call(office: Office, at: int, turn: int) -> PlannedCall:
    person, colleague = office.dice.sample(("301", "302"), 2)
    kind = office.pick((("in", 50), ("shared", 8), ("out", 34), ("internal", 8)))
    if kind == "out":
        return _outbound(office, at, turn, person)
    ring, talk = office.ring(), office.talk()
    if not office.free(person, at):
        result = BUSY
    else:
        result = ANSWERED if _answers(office, at, 0.82) else NO_ANSWER
    if result == ANSWERED:
        office.occupy(person, at + ring + talk)
    winner = person if result == ANSWERED else ""
    if kind == "internal":
        return PlannedCall(
            at, turn, Shape.INTERNAL, result, _NOBODY, person, (colleague,), ring=ring, talk=talk, target=person
        )
    if kind == "shared" and result == ANSWERED:
        phones, did = ("301", "302"), firm.CLOUD_SHARED_NUMBER
        return PlannedCall(at, turn, Shape.GROUP, result, office.caller(), did, phones, winner, ring, talk)
    did = firm.CLOUD_NUMBERS[person]
    return PlannedCall(at, turn, Shape.DIRECT, result, office.caller(), did, (person,), winner, ring, talk)


def filler_call(until: int) -> PlannedCall:
    """A head-office call that ended two to four minutes before `until`.

    Time is cut into slots of two minutes, and all of the call follows from its slot: two starts in the same slot write
    the same call, two starts in different slots write calls that share no id.
    """
    slot = (until - 120) // 120
    office = Office(random.Random(f"Harbour Ltd, filler, {slot}"))
    turn, caller = _FILLER_TURN + slot % 5040, office.regular()  # 5,040 slots are a week
    talk = office.dice.randrange(25, 90)
    ring = office.dice.randrange(4, 10)
    at = slot * 120 - ring - talk
    if opening_seconds(at) is None:
        return _to_mailbox(at, turn, caller, talk)
    return PlannedCall(
        at, turn, Shape.DIRECT, ANSWERED, caller, firm.MAIN_NUMBER, (firm.RECEPTION,), firm.RECEPTION, ring, talk
    )


def utc_seconds(instant: datetime) -> int:
    """The epoch second of an aware instant."""
    return int(instant.astimezone(UTC).timestamp())
