"""From the rows of one call to what its page tells: places, steps, the story behind the sentence. Pure.

Called by calls/detail.py with rows already read. What the call amounts to stands in the call and is not worked out
again; which record is the far side of which is read off their leg ids, by rule 1 of ingest/assembly.py.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from webapp.calls.models import Call, CallerReason, CallRecord
from webapp.calls.outcomes import LegKind, LegResult, Outcome
from webapp.calls.sentences import CallStory, tell_colleague, tell_step
from webapp.calls.words import PartyFacts
from webapp.destinations.models import Party, PartyKind

PlaceOf = Callable[[str], str]  #: what a record's number field is called on the page

#: Whoever of the house took part besides, for a reader who sees the calls of some extensions only.
COLLEAGUE_PLACE = "a colleague"
_NOT_DIGITS = re.compile(r"[^0-9*#]")
_SHOWN_RAW_BYTES = 16 * 1024
_LEGS_DEEP = 5
_RACE_SECONDS = 2  # rows of one call round their times apart
_UNANSWERED = (LegResult.NO_ANSWER, LegResult.BUSY, LegResult.CANCELLED, LegResult.FAILED)


@dataclass(frozen=True)
class Step:
    """One thing that happened: a record, with what the records on the far side of it know."""

    started_at: datetime
    kind: LegKind
    result: LegResult
    who: str
    caller: str
    answered_at: datetime | None
    ring_seconds: int
    talk_seconds: int
    record_count: int
    follows: bool = False  #: a colleague's, and the narrowed reader's own part came before it

    @property
    def sentence(self) -> str:
        if self.who == COLLEAGUE_PLACE and self.kind == LegKind.PHONE and self.result == LegResult.ANSWERED:
            return tell_colleague(self.talk_seconds, follows=self.follows)
        return tell_step(self.kind, self.result, self.who, self.ring_seconds, self.talk_seconds)

    @property
    def mark(self) -> str:
        """The shape in the timeline."""
        if self.kind == LegKind.VOICEMAIL:
            return "voicemail"
        if self.kind != LegKind.PHONE:
            return ""
        if self.result == LegResult.ANSWERED:
            return "answered"
        return "missed" if self.result in _UNANSWERED else ""


def place_name(party: PartyFacts, name: str, number: str) -> str:
    """A party inside a sentence: "Grace (201)", "extension 201", "Bright & Sons (0121 496 0012)".

    `name` and `number` are its own, as the reader sees them.
    """
    if name and not _is_number_of(party.holder_name or party.name, party):
        return f"{name} ({number})"
    return f"extension {number}" if party.kind == PartyKind.EXTENSION else number


def _is_number_of(name: str, party: PartyFacts) -> bool:
    """Some lines send the number as the name too."""
    digits = _NOT_DIGITS.sub("", name).lstrip("0")
    return bool(digits) and not any(letter.isalpha() for letter in name) and party.digits.endswith(digits)


def caller_words(call: Call, places: dict[int, str]) -> str:
    if call.caller_id is not None and call.caller_id in places:
        return places[call.caller_id]
    return "a withheld number" if call.caller_reason == CallerReason.WITHHELD else "an unknown number"


def find_place(written: str, parties: Iterable[Party], places: dict[int, str], unknown: Callable[[str], str]) -> str:
    """The place that a record names: the call's party with these digits, else unknown() of what is written."""
    digits = _NOT_DIGITS.sub("", written)
    if not digits:
        return unknown(written)
    for party in parties:
        if party.digits == digits:
            return places[party.id]
    for party in parties:
        near = digits.lstrip("0")
        if party.e164 and len(near) >= 6 and party.digits.endswith(near):
            return places[party.id]
    return unknown(written)


def tell_steps(records: Sequence[CallRecord], place_of: PlaceOf) -> list[Step]:
    """The steps of a call in order; a record on the far side of another has no step of its own, a mailbox always."""
    ordered = sorted(records, key=lambda record: (record.started_at, record.line_number, record.record_key))
    rung = {record.peer_leg_id for record in ordered if record.peer_leg_id and record.peer_leg_id != record.leg_id}
    roots = [record for record in ordered if not record.leg_id or record.leg_id not in rung]
    far: dict[str, list[CallRecord]] = {}
    for record in ordered if roots else ():
        if record.leg_id in rung:
            far.setdefault(record.leg_id, []).append(record)
    steps = [_step(root, _far_sides(root, far), place_of) for root in roots or ordered]
    mailboxes = [record for others in far.values() for record in others if record.kind == LegKind.VOICEMAIL]
    steps += [_step(record, [], place_of) for record in mailboxes]
    return sorted((_as_race(step, steps) for step in steps), key=lambda step: step.started_at)


def tell_record(record: CallRecord, place_of: PlaceOf) -> str:
    """What one record says by itself."""
    return _step(record, [], place_of).sentence


def _as_race(step: Step, steps: Sequence[Step]) -> Step:
    """A phone that rang until another one answered lost a race; that nobody answered it means nothing."""
    if step.kind != LegKind.PHONE or step.result not in (LegResult.NO_ANSWER, LegResult.CANCELLED):
        return step
    rang_until = step.started_at + timedelta(seconds=step.ring_seconds + _RACE_SECONDS)
    lost = any(each.answered_at and step.started_at < each.answered_at <= rang_until for each in steps)
    return replace(step, result=LegResult.TAKEN_ELSEWHERE) if lost else step


def own_part(steps: Sequence[Step]) -> list[Step]:
    """What a narrowed reader sees of a call: of their colleagues only that they talked, and how long."""
    kept: list[Step] = []
    for step in steps:
        if step.who != COLLEAGUE_PLACE or step.kind != LegKind.PHONE:
            kept.append(step)
        elif step.result == LegResult.ANSWERED:
            talked_before = any(other.result == LegResult.ANSWERED and other.who != COLLEAGUE_PLACE for other in kept)
            kept.append(replace(step, follows=talked_before))
    return kept


def tell_story(
    call: Call, talk_seconds: int, steps: Sequence[Step], queue_name: str, places: dict[int, str]
) -> CallStory:
    """What the one sentence about the call needs. `talk_seconds`: those that the reader sees; `queue_name`: of the
    queue that it waited in, "" for none.
    """
    tries = [step for step in steps if step.kind == LegKind.PHONE]
    answered = sorted(
        (step for step in tries if step.result == LegResult.ANSWERED and step.answered_at),
        key=lambda step: step.answered_at or step.started_at,
    )
    first = answered[0].answered_at if answered else None
    answered_by = _place(call.answered_by_id, places) or (answered[0].who if answered else "")
    mailboxes = [step.talk_seconds for step in steps if step.kind == LegKind.VOICEMAIL]
    return CallStory(
        direction=call.direction,
        outcome=call.outcome,
        caller=caller_words(call, places),
        dialed=_place(call.dialed_id, places),
        own_number=_place(call.did_id, places),
        rang=_distinct(step.who for step in tries if first is None or step.started_at <= first),
        answered_by=answered_by,
        transferred_to=tuple(name for name in _distinct(step.who for step in answered) if name != answered_by),
        waited_in=f"the queue {queue_name}" if queue_name else "",
        ring_seconds=call.ring_seconds,
        wait_seconds=call.wait_seconds,
        talk_seconds=talk_seconds,
        talk_follows=answered_by == COLLEAGUE_PLACE,
        voicemail_seconds=max(mailboxes, default=0) if call.outcome == Outcome.VOICEMAIL else 0,
    )


def shown_bytes(raw: bytes) -> tuple[str, bool]:
    """Raw bytes as text that cannot act: control and direction characters spelt out. Whether its end was cut off."""
    cut = raw[:_SHOWN_RAW_BYTES]
    try:
        text = cut.decode()
    except UnicodeDecodeError:
        text = cut.decode("cp1252", "backslashreplace")
    return "".join(_spelt(letter) for letter in text), len(raw) > len(cut)


def _spelt(letter: str) -> str:
    if letter in "\n\t" or unicodedata.category(letter) not in ("Cc", "Cf", "Co", "Cs"):
        return letter
    return letter.encode("unicode_escape").decode()


def _far_sides(root: CallRecord, far: dict[str, list[CallRecord]]) -> list[CallRecord]:
    """Every record on the far side of a root, of what it rang in turn too."""
    found: dict[int, CallRecord] = {}
    legs = [root.peer_leg_id]
    for _ in range(_LEGS_DEEP):
        nearest = {
            record.record_key: record
            for leg in legs
            for record in far.get(leg, ())
            if record.record_key not in found and record.kind in (LegKind.PHONE, LegKind.SYSTEM)
        }
        found.update(nearest)
        legs = [record.peer_leg_id for record in nearest.values() if record.peer_leg_id]
    return list(found.values())


def _step(root: CallRecord, others: Sequence[CallRecord], place_of: PlaceOf) -> Step:
    """A root told with what its far side knows: who answered and for how long."""
    result, reached, told = LegResult(root.result), root.reached or root.dialed, root
    spoken = [record for record in others if record.result == LegResult.ANSWERED]
    if spoken:
        result, told = LegResult.ANSWERED, spoken[-1]
        reached = told.reached or reached
    elif others and result == LegResult.ANSWERED:
        # The caller's side was up already (a menu had answered); the phone behind it never was.
        result, told = LegResult(others[-1].result), others[-1]
        reached = told.reached or reached
    elif others:
        reached = root.reached or others[-1].reached
    answered_at = _answered_at(told) if result == LegResult.ANSWERED else None
    until = answered_at or told.started_at + timedelta(seconds=told.duration)
    return Step(
        started_at=root.started_at,
        kind=LegKind(root.kind),
        result=result,
        who=place_of(reached) if reached else "",
        caller=place_of(root.caller) if root.caller else "",
        answered_at=answered_at,
        ring_seconds=max(int((until - root.started_at).total_seconds()), 0),
        talk_seconds=max(told.billsec, 0) if result == LegResult.ANSWERED or root.kind != LegKind.PHONE else 0,
        record_count=1 + len(others),
    )


def _answered_at(record: CallRecord) -> datetime:
    if record.answered_at is not None:
        return record.answered_at
    return record.started_at + timedelta(seconds=max(record.duration - record.billsec, 0))


def _place(party_id: int | None, places: dict[int, str]) -> str:
    return places.get(party_id, "") if party_id is not None else ""


def _distinct(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for name in names if name))
