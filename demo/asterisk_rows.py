"""How an Asterisk writes the head office's calls into Master.csv: 21 columns, local time, one row a pair of channels.

Called by `write_call_records.py`. Imitates a file captured from a real one: each phone tried is a row of the caller's
channel (same uniqueid, next sequence), a Local channel's second half is a row with a uniqueid of its own, and the
linkedid of all of them is the uniqueid of the channel that began the call.
"""

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from demo import firm
from demo.day_plan import LONDON
from demo.planned_call import ANSWERED, BUSY, NO_ANSWER, PlannedCall, Shape

_IDS_PER_CALL = 16
_IDS_PER_DAY = 4096  #: the phone system restarts on Sunday nights, and its counters begin anew


class Channel(NamedTuple):
    name: str
    uniqueid: str


class Row(NamedTuple):
    """One line; `start`, `answer` and `end` are UTC epoch seconds."""

    src: str
    dst: str
    context: str
    clid: str
    channel: Channel
    dstchannel: str
    application: str
    data: str
    start: int
    answer: int | None
    end: int
    disposition: str
    sequence: int


class CallRows:
    """The rows of one call as they are written, and the counters that name its channels."""

    def __init__(self, call: PlannedCall) -> None:
        weekday = datetime.fromtimestamp(call.started_at, LONDON).weekday()
        self.next_id = weekday * _IDS_PER_DAY + call.turn * _IDS_PER_CALL + 1
        self.rows: list[Row] = []
        self.linkedid = ""

    def take_id(self) -> int:
        self.next_id += 1
        return self.next_id - 1

    def channel(self, line: str, born: int) -> Channel:
        """A new channel; the first one gives the call its linkedid."""
        number = self.take_id()
        channel = Channel(f"{line}-{number:08x}", f"{born}.{number}")
        self.linkedid = self.linkedid or channel.uniqueid
        return channel

    def local_pair(self, phone: str, context: str, born: int) -> tuple[Channel, Channel]:
        number = self.take_id()
        name = f"Local/{phone}@{context}-{number:08x}"
        return Channel(f"{name};1", f"{born}.{number}"), Channel(f"{name};2", f"{born}.{self.take_id()}")

    def add(
        self, leg: "Leg", far: Channel | None, application: str, data: str,
        start: int, answer: int | None, end: int, disposition: str,
    ) -> None:  # fmt: skip
        far_name = far.name if far else ""
        self.rows.append(
            Row(leg.src, leg.dst, leg.context, leg.clid, leg.channel, far_name, application, data,
                start, answer, end, disposition, self.take_id())
        )  # fmt: skip

    def dial(self, leg: "Leg", phone: str, start: int, ring: int, talk: int, disposition: str, data: str = "") -> int:
        """One phone rung by Dial; gives the second at which the row ends."""
        far = self.channel(f"PJSIP/{phone}", start)
        answer = start + ring if disposition == ANSWERED else None
        end = start + ring + (talk if answer is not None else 0)
        self.add(leg, far, "Dial", data or f"PJSIP/{phone},20", start, answer, end, disposition)
        return end

    def mailbox(self, leg: "Leg", box: str, start: int, message: int, greeting: str = "u") -> None:
        self.add(leg, None, "VoiceMail", f"{box}@default,{greeting}", start, start, start + message, ANSWERED)


class Leg(NamedTuple):
    """The calling side of a row."""

    src: str
    dst: str
    context: str
    clid: str
    channel: Channel

    def to(self, dst: str, context: str = "from-internal") -> "Leg":
        return self._replace(dst=dst, context=context)


def _outside_leg(call: PlannedCall, rows: CallRows) -> Leg:
    clid = f'"{call.outside.name}" <{call.outside.number}>'
    return Leg(call.outside.number, call.dialed, "from-trunk", clid, rows.channel("PJSIP/provider", call.started_at))


def _person_leg(phone: str, dst: str, rows: CallRows, born: int) -> Leg:
    return Leg(phone, dst, "from-internal", f'"{firm.NAMES[phone]}" <{phone}>', rows.channel(f"PJSIP/{phone}", born))


def _direct(call: PlannedCall, rows: CallRows) -> None:
    rows.dial(_outside_leg(call, rows), call.phones[0], call.started_at, call.ring, call.talk, call.result)


def _voicemail(call: PlannedCall, rows: CallRows) -> None:
    leg = _outside_leg(call, rows)
    end = rows.dial(leg, call.phones[0], call.started_at, call.ring, 0, BUSY if call.engaged else NO_ANSWER)
    rows.mailbox(leg, call.target, end, call.next_talk, "b" if call.engaged else "u")


def _forward(call: PlannedCall, rows: CallRows) -> None:
    leg = _outside_leg(call, rows)
    start = rows.dial(leg, call.phones[0], call.started_at, call.ring, 0, BUSY if call.engaged else NO_ANSWER)
    _to_mobile(call, rows, leg, start)


def _to_mobile(call: PlannedCall, rows: CallRows, leg: Leg, start: int) -> int:
    data = f"PJSIP/{call.target}@provider,30"
    return rows.dial(leg, "provider", start, call.next_ring, call.next_talk, call.result, data)


def _phone_result(call: PlannedCall, phone: str) -> tuple[int, int, str]:
    """Ring, talk and disposition of one phone of a ring group."""
    if phone in call.engaged:
        return 0, 0, BUSY
    if phone == call.winner:
        return call.ring, call.talk, ANSWERED
    return call.ring, 0, NO_ANSWER


def _group(call: PlannedCall, rows: CallRows) -> None:
    leg = _outside_leg(call, rows).to(firm.SALES_GROUP)
    data = "&".join(f"PJSIP/{phone}" for phone in call.phones) + ",25"
    for phone in sorted(call.phones, key=lambda phone: phone != call.winner):
        rows.dial(leg, phone, call.started_at, *_phone_result(call, phone), data)


def _group_local(call: PlannedCall, rows: CallRows) -> None:
    leg = _outside_leg(call, rows).to(firm.SALES_GROUP)
    data = "&".join(f"Local/{phone}@from-group/n" for phone in call.phones) + ",25"
    for phone in sorted(call.phones, key=lambda phone: phone != call.winner):
        near, far = rows.local_pair(phone, "from-group", call.started_at)
        ring, talk, disposition = _phone_result(call, phone)
        answer = call.started_at + ring if disposition == ANSWERED else None
        end = call.started_at + ring + talk
        rows.add(leg, near, "Dial", data, call.started_at, answer, end, disposition)
        rows.dial(leg.to(phone, "from-group")._replace(channel=far), phone, call.started_at, ring, talk, disposition)


def _queue(call: PlannedCall, rows: CallRows) -> None:
    """Each agent tried is a row; the last one is the one that answered, or during which the caller gave up."""
    leg = _outside_leg(call, rows).to(firm.SUPPORT_QUEUE)
    start = call.started_at
    for turn, phone in enumerate(call.phones):
        last = turn == len(call.phones) - 1
        ring, answered = (call.ring, call.winner == phone) if last else (12, False)
        end = start + ring + (call.talk if answered else 0)
        far, answer = rows.channel(f"PJSIP/{phone}", start), start + ring if answered else None
        data, result = f"{firm.SUPPORT_QUEUE_NAME},t,,,60", ANSWERED if answered else NO_ANSWER
        rows.add(leg, far, "Queue", data, start, answer, end, result)
        start = end
    if call.shape is Shape.QUEUE_VOICEMAIL:
        rows.mailbox(leg, call.target, start, call.next_talk)


def _blind_transfer(call: PlannedCall, rows: CallRows) -> None:
    """After the transfer the caller's channel is up already: its next row is answered when it starts."""
    leg = _outside_leg(call, rows)
    start = rows.dial(leg, call.phones[0], call.started_at, call.ring, call.talk, ANSWERED)
    far, onward = rows.channel(f"PJSIP/{call.target}", start), leg.to(call.target)
    answered = call.result == ANSWERED
    end = start + call.next_ring + (call.next_talk if answered else 0)
    rows.add(onward, far, "Dial", f"PJSIP/{call.target},20", start, start if answered else None, end, call.result)


def _attended_transfer(call: PlannedCall, rows: CallRows) -> None:
    """The word between the colleagues is a row of its own channel, within the first talk of the caller."""
    leg, phone = _outside_leg(call, rows), call.phones[0]
    talked_from = call.started_at + call.ring
    passed = talked_from + call.talk + call.next_ring
    rows.dial(leg, phone, call.started_at, call.ring, call.talk + call.next_ring, ANSWERED)
    asked = passed - call.next_ring - 4
    consult = _person_leg(phone, call.target, rows, asked)
    far = rows.channel(f"PJSIP/{call.target}", asked)
    rows.add(consult, far, "Dial", f"PJSIP/{call.target},20", asked, passed - 4, passed, ANSWERED)
    rows.add(leg, far, "Dial", f"PJSIP/{phone},20", passed, passed, passed + call.next_talk, ANSWERED)


def _menu(call: PlannedCall, rows: CallRows) -> None:
    leg, start = _outside_leg(call, rows), call.started_at
    rows.add(leg, None, "BackGround", "out-of-hours", start, start, start + call.talk, ANSWERED)


def _menu_voicemail(call: PlannedCall, rows: CallRows) -> None:
    rows.mailbox(_outside_leg(call, rows), call.target, call.started_at, call.next_talk, "s")


def _menu_on_call(call: PlannedCall, rows: CallRows) -> None:
    """The menu has answered, so the caller's row counts from its start; the Local half knows when the mobile did."""
    leg, start = _outside_leg(call, rows), call.started_at
    near, far = rows.local_pair(call.target, "on-call", start + call.talk)
    onward = Leg(leg.src, call.target, "on-call", leg.clid, far)
    end = _to_mobile(call, rows, onward, start + call.talk)
    data = f"Local/{call.target}@on-call/n,30"
    answer = start if call.result == ANSWERED else None
    rows.add(leg, near, "Dial", data, start, answer, end, call.result)


def _out(call: PlannedCall, rows: CallRows) -> None:
    leg = _person_leg(call.phones[0], call.dialed, rows, call.started_at)
    data = f"PJSIP/{call.dialed}@provider,60"
    rows.dial(leg, "provider", call.started_at, call.ring, call.talk, call.result, data)


def _internal(call: PlannedCall, rows: CallRows) -> None:
    leg = _person_leg(call.phones[0], call.dialed, rows, call.started_at)
    rows.dial(leg, call.target, call.started_at, call.ring, call.talk, call.result)


def _own_mailbox(call: PlannedCall, rows: CallRows) -> None:
    phone, start = call.phones[0], call.started_at
    leg = _person_leg(phone, call.dialed, rows, start)
    rows.add(leg, None, "VoiceMailMain", f"{phone}@default", start, start, start + call.talk, ANSWERED)


_BY_SHAPE: dict[Shape, Callable[[PlannedCall, CallRows], None]] = {
    Shape.DIRECT: _direct,
    Shape.VOICEMAIL: _voicemail,
    Shape.FORWARD: _forward,
    Shape.GROUP: _group,
    Shape.GROUP_LOCAL: _group_local,
    Shape.QUEUE: _queue,
    Shape.QUEUE_VOICEMAIL: _queue,
    Shape.BLIND_TRANSFER: _blind_transfer,
    Shape.ATTENDED_TRANSFER: _attended_transfer,
    Shape.MENU: _menu,
    Shape.MENU_VOICEMAIL: _menu_voicemail,
    Shape.MENU_ON_CALL: _menu_on_call,
    Shape.OUT: _out,
    Shape.INTERNAL: _internal,
    Shape.OWN_MAILBOX: _own_mailbox,
}


def _local(at: int | None) -> str:
    return "" if at is None else str(datetime.fromtimestamp(at, LONDON))[:19]


def _line(row: Row, linkedid: str) -> str:
    """One line as cdr_csv writes it: text in quotes, an unset time bare, seconds bare."""
    texts = ("", row.src, row.dst, row.context, row.clid.replace('"', '""'), row.channel.name, row.dstchannel)
    head = ",".join(f'"{text}"' for text in (*texts, row.application, row.data, _local(row.start)))
    answer = f'"{_local(row.answer)}"' if row.answer is not None else ""
    talked = row.end - row.answer if row.answer is not None else 0
    return (
        f'{head},{answer},"{_local(row.end)}",{row.end - row.start},{talked},"{row.disposition}","DOCUMENTATION",'
        f'"{row.channel.uniqueid}","","","{linkedid}",{row.sequence}'
    )


def lines_of(call: PlannedCall) -> tuple[int, list[str]]:
    """The UTC second at which the call was over, and its lines in the order in which they were made."""
    rows = CallRows(call)
    _BY_SHAPE[call.shape](call, rows)
    return max(row.end for row in rows.rows), [_line(row, rows.linkedid) for row in rows.rows]
