"""From records that belong together to the one call they tell of. Pure code: no database, no clock.

Called by writer.py, preview.py and undo. The rules, in order:
1. A record whose leg is another's peer leg is the far side of it: it knows who answered and for how long, the outer
   one knows why nobody did. What is nobody's far side is a root.
2. Answered means that a person's phone (or an outside number) answered; a mailbox makes it voicemail; a menu, a
   queue or an announcement that picked up is no answer.
3. A phone that lost the race is not a missed call; the call is counted once.
"""

from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from typing import NamedTuple

from webapp.calls.models import CallerReason, PartyRole, RecordFlag
from webapp.calls.outcomes import Direction, LegKind, LegResult, Outcome
from webapp.ingest.normalize import NormalRecord
from webapp.ingest.numbers import Identity, NumberPlan
from webapp.ingest.records import maker

# As plain numbers: to ask an enum for its members takes longer than to compare them.
_PHONE, _VOICEMAIL, _SYSTEM = int(LegKind.PHONE), int(LegKind.VOICEMAIL), int(LegKind.SYSTEM)
_TOOK_CALL, _TAKEN_ELSEWHERE, _NO_ANSWER = map(
    int, (LegResult.ANSWERED, LegResult.TAKEN_ELSEWHERE, LegResult.NO_ANSWER)
)
_INBOUND, _OUTBOUND = int(Direction.INBOUND), int(Direction.OUTBOUND)
_CALLER, _DIALED, _RANG = int(PartyRole.CALLER), int(PartyRole.DIALED), int(PartyRole.RANG)
_ANSWERED, _OWN_NUMBER = int(PartyRole.ANSWERED), int(PartyRole.OWN_NUMBER)
_ODD_DURATION = int(RecordFlag.ODD_DURATION)
#: Of most calls, who called and who answered talked all of its talk.
TALKED_ALL = _CALLER | _ANSWERED
_BY_ROLE: Mapping[Identity, int] = {}
_OUTCOME_OF_TRIES = (
    (LegResult.NO_ANSWER, Outcome.NO_ANSWER),
    (LegResult.BUSY, Outcome.BUSY),
    (LegResult.CANCELLED, Outcome.CANCELLED),
    (LegResult.FAILED, Outcome.FAILED),
)


class CallDraft(NamedTuple):
    """A call before its parties have ids. Instants in ms since 1970."""

    started_at: int
    ended_at: int
    direction: Direction
    outcome: Outcome
    caller: Identity | None
    caller_reason: CallerReason
    caller_name: str
    dialed: Identity | None
    callee: Identity | None
    answered_by: Identity | None
    did: Identity | None
    ring_seconds: int
    wait_seconds: int
    talk_seconds: int
    record_count: int
    flags: int
    roles: dict[Identity, int]
    talks: Mapping[Identity, int]  #: seconds of each that talked; empty where roles tell: TALKED_ALL


class _Try(NamedTuple):
    """One attempt to reach somebody: a root record with what its far side knows."""

    record: NormalRecord
    result: int  #: a LegResult
    reached: str
    answered_at: int
    talk_seconds: int


_draft, _try_of = maker(CallDraft), maker(_Try)
_order = attrgetter("started_at", "line_number", "record_key")


def assemble(records: Sequence[NormalRecord], plan: NumberPlan) -> CallDraft:
    """The call that these records (at least one) tell of; the same for any order of them."""
    return _assemble_one(records[0], plan) if len(records) == 1 else assemble_many(records, plan)


def assemble_many(records: Sequence[NormalRecord], plan: NumberPlan) -> CallDraft:
    """`assemble` in its general form."""
    ordered = sorted(records, key=_order)
    far, roots = _far_sides(ordered)
    tries = [_try(root, far) for root in roots if root.kind == _PHONE]
    answered = [each for each in tries if each.result == _TOOK_CALL]
    if len(answered) > 1:
        answered.sort(key=lambda each: each.answered_at)
    mailboxes = [each for each in ordered if each.kind == _VOICEMAIL and each.result == _TOOK_CALL]
    first = _first(roots)
    started = roots[0].started_at
    ended = max(started, *map(_end, ordered))
    outcome = _outcome(roots, tries, answered, mailboxes)
    picked_up = (
        answered[0].answered_at if answered else (_answer(mailboxes[0]) if outcome == Outcome.VOICEMAIL else None)
    )
    ring = _ring_seconds(ordered, started, ended, picked_up)
    direction = _direction(roots)
    outbound = direction == _OUTBOUND
    caller = plan.identify(first.caller)
    dialed = _dialed(first, roots, plan, outbound)
    reached = _reached(answered, mailboxes, tries, outcome)
    callee = (plan.identify(reached, dialled_out=outbound) if reached else None) or dialed
    answered_by = plan.identify(answered[0].reached, dialled_out=outbound) or callee if answered else None
    did = _own_number(roots, direction, dialed, plan)
    talked = _talk_seconds(answered)
    flags = 0
    for record in ordered:
        flags |= record.flags
    return _draft(
        (
            started,
            ended,
            direction,
            outcome,
            caller,
            CallerReason.KNOWN if caller else plan.caller_reason(first.caller),
            first.caller_name,
            dialed,
            callee,
            answered_by,
            did,
            ring,
            min(ring, _wait_seconds(tries, started)),
            talked,
            len(ordered),
            flags,
            _roles(caller, dialed, did, callee, tries, plan, outbound),
            _talks(caller, answered_by, answered, talked, plan, outbound),
        )
    )


def _assemble_one(record: NormalRecord, plan: NumberPlan) -> CallDraft:
    """The same for a call of one record, which most are: a third of the time. A test holds it to the general form."""
    started, odd = record.started_at, record.flags & _ODD_DURATION
    outcome = _OUTCOME_OF_ONE[record.kind, record.result]
    outbound = record.direction == _OUTBOUND
    is_phone = record.kind == _PHONE
    by_person = outcome is Outcome.ANSWERED
    caller = plan.identify(record.caller)
    dialed = plan.identify(record.did or record.dialed, dialled_out=outbound)
    reached = record.reached or (record.dialed if is_phone else "")
    is_rung = reached and (is_phone or outcome is Outcome.VOICEMAIL)
    rung = plan.identify(reached, dialled_out=outbound) if is_rung else None
    callee = rung or dialed
    did = None
    if record.direction == _INBOUND:
        did = plan.identify(record.did) if record.did else (dialed if dialed is not None and dialed.e164 else None)
    picked_up = by_person or outcome is Outcome.VOICEMAIL
    ring = max(0, _answer(record) - started) // 1000 if picked_up else (0 if odd else record.duration)
    roles: dict[Identity, int] = {}
    if caller is not None:
        roles[caller] = _CALLER
    if dialed is not None:
        roles[dialed] = roles.get(dialed, 0) | _DIALED
    if did is not None:
        roles[did] = roles.get(did, 0) | _OWN_NUMBER
    if callee is not None:
        roles[callee] = roles.get(callee, 0) | (_RANG | _ANSWERED if by_person and rung is not None else _RANG)
    talked = 0 if odd or not by_person else record.billsec
    talks = {party: talked for party in (caller, callee) if party} if by_person and rung is None else _BY_ROLE
    return _draft(
        (
            started,
            max(started, _end(record)),
            _DIRECTIONS[record.direction],
            outcome,
            caller,
            CallerReason.KNOWN if caller else plan.caller_reason(record.caller),
            record.caller_name,
            dialed,
            callee,
            callee if by_person else None,
            did,
            ring,
            0,
            talked,
            1,
            record.flags,
            roles,
            talks,
        )
    )


def _far_sides(ordered: Sequence[NormalRecord]) -> tuple[dict[str, list[NormalRecord]], Sequence[NormalRecord]]:
    """Records by their leg where another record rang that leg, and the records that are nobody's far side."""
    rung = {record.peer_leg_id for record in ordered if record.peer_leg_id != record.leg_id}
    rung.discard("")
    far: dict[str, list[NormalRecord]] = {}
    if rung.isdisjoint([record.leg_id for record in ordered]):
        return far, ordered
    roots = []
    for record in ordered:
        if record.leg_id in rung:
            far.setdefault(record.leg_id, []).append(record)
        else:
            roots.append(record)
    return far, roots or ordered


def _try(root: NormalRecord, far: dict[str, list[NormalRecord]], depth: int = 0) -> _Try:
    """A root with what its far side knows; legs that ring legs are followed a few steps deep."""
    own = _try_of((root, root.result, root.reached or root.dialed, _answer(root), _talk(root)))
    others = far.get(root.peer_leg_id)
    if others is None or depth > 4:
        return own
    others = [record for record in others if record is not root and record.kind in (_PHONE, _SYSTEM)]
    if not others:
        return own
    inner = [_try(record, far, depth + 1) for record in others]
    spoken = [each for each in inner if each.result == _TOOK_CALL]
    if spoken:
        last = spoken[-1]
        return _Try(
            root,
            _TOOK_CALL,
            last.reached or own.reached,
            min(each.answered_at for each in spoken),
            sum(each.talk_seconds for each in spoken),
        )
    if root.result == _TOOK_CALL:
        # The caller's side was up already (a menu had answered); the phone behind it never was.
        return _Try(root, inner[-1].result, inner[-1].reached or own.reached, 0, 0)
    return own._replace(reached=root.reached or inner[-1].reached)


def _first(roots: Sequence[NormalRecord]) -> NormalRecord:
    """The record that knows who called: the first that came in from outside, else the first with a caller."""
    for record in roots:
        if record.direction == _INBOUND and record.caller:
            return record
    for record in roots:
        if record.caller:
            return record
    return roots[0]


def _answer(record: NormalRecord) -> int:
    answered_at = record.answered_at
    if answered_at is not None:
        return answered_at
    return record.started_at + max(0, record.duration - record.billsec) * 1000


def _end(record: NormalRecord) -> int:
    if record.flags & _ODD_DURATION:
        return record.started_at
    return max(record.started_at + record.duration * 1000, _answer(record) + record.billsec * 1000)


def _talk(record: NormalRecord) -> int:
    return 0 if record.flags & _ODD_DURATION else record.billsec


def _outcome(
    roots: Sequence[NormalRecord], tries: Sequence[_Try], answered: Sequence[_Try], mailboxes: Sequence[NormalRecord]
) -> Outcome:
    if answered:
        return Outcome.ANSWERED
    if mailboxes:
        return Outcome.VOICEMAIL
    results: set[int] = {each.result for each in tries}
    if not results - {_TAKEN_ELSEWHERE, LegResult.UNKNOWN}:
        # Nobody's phone was rung: a menu that picked up is no answer, whatever else it said is why it ended.
        results |= {
            _NO_ANSWER if record.result == _TOOK_CALL else record.result for record in roots if record.kind != _PHONE
        }
    for result, outcome in _OUTCOME_OF_TRIES:
        if result in results:
            return outcome
    return Outcome.NO_ANSWER if _TAKEN_ELSEWHERE in results else Outcome.UNKNOWN


def _direction(roots: Iterable[NormalRecord]) -> Direction:
    found = {record.direction for record in roots}
    for direction in _DIRECTIONS_BY_RANK:
        if direction in found:
            return direction
    return Direction.UNKNOWN


def _dialed(first: NormalRecord, roots: Sequence[NormalRecord], plan: NumberPlan, outbound: bool) -> Identity | None:
    for record in (first, *roots):
        found = plan.identify(record.did or record.dialed, dialled_out=outbound)
        if found is not None:
            return found
    return None


def _own_number(
    roots: Sequence[NormalRecord], direction: Direction, dialed: Identity | None, plan: NumberPlan
) -> Identity | None:
    if direction != _INBOUND:
        return None
    for record in roots:
        if record.did:
            return plan.identify(record.did)
    return dialed if dialed is not None and dialed.e164 else None


def _reached(
    answered: Sequence[_Try], mailboxes: Sequence[NormalRecord], tries: Sequence[_Try], outcome: Outcome
) -> str:
    if answered:
        return answered[0].reached
    if outcome == Outcome.VOICEMAIL:
        return mailboxes[0].reached
    return tries[-1].reached if tries else ""


def _ring_seconds(ordered: Sequence[NormalRecord], started: int, ended: int, picked_up: int | None) -> int:
    if picked_up is not None:
        return max(0, picked_up - started) // 1000
    if len(ordered) == 1:  # its own word, which may differ from end less start by one
        return 0 if ordered[0].flags & _ODD_DURATION else ordered[0].duration
    return (ended - started) // 1000


def _wait_seconds(tries: Sequence[_Try], started: int) -> int:
    """From the start until the first phone rang: a menu, or a queue without a free agent."""
    return max(0, tries[0].record.started_at - started) // 1000 if tries else 0


def _talk_seconds(answered: Sequence[_Try]) -> int:
    """Seconds with people: the talks of a transferred call add up, two records of one talk count once."""
    total, until = 0, None
    for each in answered:
        start, end = each.answered_at, each.answered_at + each.talk_seconds * 1000
        if until is None or start >= until:
            total, until = total + each.talk_seconds * 1000, end
        elif end > until:
            total, until = total + end - until, end
    return total // 1000


def _roles(
    caller: Identity | None,
    dialed: Identity | None,
    did: Identity | None,
    callee: Identity | None,
    tries: Sequence[_Try],
    plan: NumberPlan,
    outbound: bool,
) -> dict[Identity, int]:
    roles: dict[Identity, int] = {}
    for identity, role in ((caller, _CALLER), (dialed, _DIALED), (did, _OWN_NUMBER), (callee, _RANG)):
        if identity is not None:
            roles[identity] = roles.get(identity, 0) | role
    for each in tries:
        found = plan.identify(each.reached, dialled_out=outbound)
        if found is not None:
            roles[found] = roles.get(found, 0) | (_RANG | _ANSWERED if each.result == _TOOK_CALL else _RANG)
    return roles


def _talks(
    caller: Identity | None,
    answered_by: Identity | None,
    answered: Sequence[_Try],
    talked: int,
    plan: NumberPlan,
    outbound: bool,
) -> Mapping[Identity, int]:
    """Seconds in which each party talked, the caller all the time; nothing where the roles tell it."""
    by_party: dict[Identity, list[_Try]] = {}
    for each in answered:
        found = plan.identify(each.reached, dialled_out=outbound)
        if found is not None and len(answered) == 1:
            return _BY_ROLE
        found = found or (answered_by if each is answered[0] else None)
        if found is not None:
            by_party.setdefault(found, []).append(each)
    talks = {party: _talk_seconds(own) for party, own in by_party.items()}
    if answered and caller is not None:
        talks[caller] = talked
    return talks


def _outcome_of_one(kind: LegKind, result: LegResult) -> Outcome:
    if result == LegResult.ANSWERED and kind == LegKind.PHONE:
        return Outcome.ANSWERED
    if result == LegResult.ANSWERED and kind == LegKind.VOICEMAIL:
        return Outcome.VOICEMAIL
    if result in (LegResult.ANSWERED, LegResult.TAKEN_ELSEWHERE):
        return Outcome.NO_ANSWER
    return dict(_OUTCOME_OF_TRIES).get(result, Outcome.UNKNOWN)


_DIRECTIONS = tuple(Direction)
_DIRECTIONS_BY_RANK = (Direction.INBOUND, Direction.OUTBOUND, Direction.INTERNAL)
_OUTCOME_OF_ONE = {(int(kind), int(result)): _outcome_of_one(kind, result) for kind in LegKind for result in LegResult}
