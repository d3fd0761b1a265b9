"""Keeps call_to_return as the calls have it: who tried from outside, and has not got through since.

Called by call_writer.py in the transaction that writes calls. Only calls of the last LOOK_BACK_DAYS count, and of these
only what changes a row: an import of past months costs a comparison a call and no statement. What leaves these days as
time goes on is swept by the hour. Calls whose time cannot be right count for nothing here.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from sqlalchemy import and_, or_, select

from webapp.calls.models import CallToReturn, PartyRole, RecordFlag
from webapp.calls.outcomes import LOOK_BACK_DAYS, TRY_OUTCOMES, Direction, Outcome
from webapp.clock import from_ms, now, now_ms
from webapp.database.bulk import BulkTransaction, bulk_transaction
from webapp.database.engine import Database
from webapp.destinations.models import PartyKind
from webapp.ingest.assembly import CallDraft
from webapp.tenancy.models import Membership, Organization
from webapp.tenancy.sessions import reading_session

_DAY_MS = 86_400_000
_SHORTEST_OUTSIDE = 7  #: digits: no extension is as long
_SWEPT_AT_ONCE = 200
_CALLER, _DIALED = int(PartyRole.CALLER), int(PartyRole.DIALED)
_TALKED = int(PartyRole.CALLER | PartyRole.ANSWERED)  #: in an answered call, whichever way it went
_ODD_TIME = int(RecordFlag.ODD_TIME)
_ANSWERED, _INBOUND, _OUTBOUND = int(Outcome.ANSWERED), int(Direction.INBOUND), int(Direction.OUTBOUND)

_COLUMNS = (
    "first_at", "last_at", "last_call_key", "pbx_id", "did_id", "tries", "wait_seconds", "voicemail"
)  # fmt: skip
_KNOWN = (
    f"SELECT party_id, {', '.join(_COLUMNS)} FROM call_to_return"  # noqa: S608 - names from above
    " WHERE organization_id = ? AND party_id IN ({keys})"
)
#: From the party's calls to the call, on both engines: a party has few, the days have many.
_CALLS = (
    "SELECT part.party_id, part.started_at, part.call_key, call.outcome, call.pbx_id, call.did_id, call.ring_seconds"  # noqa: S608 - numbers from above
    " FROM call_party AS part CROSS JOIN call WHERE part.organization_id = ? AND part.started_at >= ?"
    " AND call.organization_id = ? AND call.started_at = part.started_at AND call.call_key = part.call_key"
    f" AND (call.flags & {_ODD_TIME}) = 0"
    f" AND ((call.outcome = {_ANSWERED} AND ((part.roles & {_TALKED}) <> 0"
    f" OR (call.direction = {_OUTBOUND} AND (part.roles & {_DIALED}) <> 0)))"
    f" OR (call.direction = {_INBOUND} AND (part.roles & {_CALLER}) <> 0"
    f" AND call.outcome IN ({', '.join(str(int(each)) for each in sorted(TRY_OUTCOMES))})))"
    " AND part.party_id IN ({keys}) ORDER BY part.party_id, part.started_at, part.call_key"
)
_ROLES = (
    "SELECT party_id, started_at, call_key, roles FROM call_party"
    " WHERE organization_id = ? AND started_at >= ? AND started_at <= ? AND party_id IN ({keys})"
)
#: A try that was not known before opens what was done; the rest is of the people who call back.
_REOPENED = "call_to_return.last_call_key <> excluded.last_call_key AND call_to_return.last_at < excluded.last_at"
_WRITE_OVER = (
    "ON CONFLICT (organization_id, party_id) DO UPDATE SET "
    f"{', '.join(f'{each} = excluded.{each}' for each in _COLUMNS)},"
    f" done_at = CASE WHEN {_REOPENED} THEN NULL ELSE call_to_return.done_at END,"
    f" done_by = CASE WHEN {_REOPENED} THEN NULL ELSE call_to_return.done_by END"
)


class Fact(NamedTuple):
    """What a call says of an outside party. Instants in ms since 1970."""

    party_id: int
    started_at: int
    call_key: int


class Stored(Protocol):
    """What is asked of a stored call: a StoredCall of call_writer.py."""

    @property
    def call_key(self) -> int: ...
    @property
    def started_at(self) -> int: ...
    @property
    def direction(self) -> int: ...
    @property
    def outcome(self) -> int: ...
    @property
    def party_ids(self) -> bytes: ...


@dataclass
class Told:
    """What some calls of the days that count say: who tried, and who got through."""

    tries: set[Fact] = field(default_factory=set)
    throughs: set[Fact] = field(default_factory=set)


class _Waiting(NamedTuple):
    """A row, without what people write into it."""

    first_at: int
    last_at: int
    last_call_key: int
    pbx_id: int
    did_id: int | None
    tries: int
    wait_seconds: int
    voicemail: bool


def since_ms() -> int:
    """Where the days begin that count."""
    return now_ms() - LOOK_BACK_DAYS * _DAY_MS


def told_by_stored(
    transaction: BulkTransaction, calls: Iterable[Stored], unpack: Callable[[bytes], Iterable[int]]
) -> Told:
    """Of stored calls, before they are deleted; `unpack` reads their party_ids."""
    since, told = since_ms(), Told()
    counting = {
        (call.started_at, call.call_key): call
        for call in calls
        if call.started_at >= since
        and (call.outcome == _ANSWERED or (call.direction == _INBOUND and call.outcome in TRY_OUTCOMES))
    }
    if not counting:
        return told
    ids = {party_id for call in counting.values() for party_id in unpack(call.party_ids)}
    outside = _outside_of(transaction, ids)
    times = [started_at for started_at, _key in counting]
    rows = transaction.rows_in(
        _ROLES,
        outside,
        transaction.organization_id,
        transaction.instant(min(times)),
        transaction.instant(max(times)),
    )
    for party_id, started_at, call_key, roles in rows:
        call = counting.get((started_at, call_key))
        if call is not None:
            _tell(told, Fact(party_id, started_at, call_key), call.direction, call.outcome, roles)
    return told


def told_by_new(calls: Iterable[tuple[int, int, CallDraft]], ids: Mapping[str, int]) -> Told:
    """Of calls that are written now: (call_key, pbx_id, draft), with the ids of their parties by identity."""
    since, told = since_ms(), Told()
    for call_key, _pbx_id, draft in [call for call in calls if call[2][0] >= since]:  # started_at, at no cost
        direction, outcome = draft.direction, draft.outcome
        if draft.flags & _ODD_TIME:
            continue
        if outcome == _ANSWERED or (direction == _INBOUND and outcome in TRY_OUTCOMES):
            for identity, roles in draft.roles.items():
                if is_outside(identity.kind, identity.digits):
                    _tell(told, Fact(ids[identity.identity], draft.started_at, call_key), direction, outcome, roles)
    return told


def is_outside(kind: int, digits: str) -> bool:
    """Whether somebody outside can be called back there: digits that could not be made out may be an extension."""
    return kind == PartyKind.OUTSIDE or (kind != PartyKind.EXTENSION and len(digits) >= _SHORTEST_OUTSIDE)


def _tell(told: Told, fact: Fact, direction: int, outcome: int, roles: int) -> None:
    if outcome == _ANSWERED:
        if roles & _TALKED or (direction == _OUTBOUND and roles & _DIALED):
            told.throughs.add(fact)
    elif roles & _CALLER:
        told.tries.add(fact)


def _outside_of(transaction: BulkTransaction, ids: set[int]) -> list[int]:
    rows = transaction.rows_in(
        "SELECT id, kind, digits FROM party WHERE organization_id = ? AND id IN ({keys})",
        sorted(ids),
        transaction.organization_id,
    )
    return [party_id for party_id, kind, digits in rows if is_outside(kind, digits)]


def settle(transaction: BulkTransaction, before: Told, after: Told) -> None:
    """Work out anew the rows that these calls change, once they are written: `before` went, `after` came."""
    gone, come = before.throughs - after.throughs, after.throughs - before.throughs
    tries = before.tries | after.tries
    if not (tries or gone or come):
        return
    known = _known(transaction, {fact.party_id for fact in (*tries, *gone, *come)})
    # Whoever is on no list and got through stays on none.
    facts = [*tries, *gone, *(fact for fact in come if fact.party_id in known)]
    first: dict[int, int] = {}
    for fact in facts:
        first[fact.party_id] = min(fact.started_at, first.get(fact.party_id, fact.started_at))
    reopened = {fact.party_id for fact in gone}
    begun = {party_id: _begin(known.get(party_id), at, party_id in reopened) for party_id, at in first.items()}
    _work_out(transaction, begun, known)


def _begin(row: _Waiting | None, first: int, reopened: bool) -> tuple[int, _Waiting | None]:
    """From when on a party's calls are read, and what its row was until then; `first` is of what came and went.

    Before the first try of a row, and before anything where there is none, whoever tried has got through later. That
    holds no more when an answered call is gone: then all days are read.
    """
    if reopened:
        return 0, None
    if row is None:
        return first, None
    if first > row.last_at:
        return first, row
    return min(first, row.first_at), None


def _work_out(
    transaction: BulkTransaction, begun: Mapping[int, tuple[int, _Waiting | None]], known: Mapping[int, _Waiting]
) -> None:
    found = {party_id: row for party_id, (_since, row) in begun.items()}
    since = since_ms()
    # Most go on where they were: these read the newest calls alone, whatever the others need.
    going_on = {party_id for party_id, (at, row) in begun.items() if row is not None or (at and party_id not in known)}
    for party_ids in (going_on, begun.keys() - going_on):
        for party_id, started_at, *call in _calls_of(transaction, party_ids, since, begun):
            if started_at >= begun[party_id][0]:
                found[party_id] = _with_call(found[party_id], started_at, *call)
    _write(transaction, {party_id: row for party_id, row in found.items() if row != known.get(party_id)}, known)


def _calls_of(
    transaction: BulkTransaction,
    party_ids: Collection[int],
    since: int,
    begun: Mapping[int, tuple[int, _Waiting | None]],
) -> list[tuple[Any, ...]]:
    """The calls of parties in which they tried or got through, in order, from where the earliest of them begins."""
    if not party_ids:
        return []
    at = max(since, min(begun[party_id][0] for party_id in party_ids))
    organization_id = transaction.organization_id
    return transaction.rows_in(_CALLS, sorted(party_ids), organization_id, transaction.instant(at), organization_id)


def _with_call(
    row: _Waiting | None, started_at: int, call_key: int, outcome: int, pbx_id: int, did_id: int | None, ring: int
) -> _Waiting | None:
    if outcome == _ANSWERED:
        return None
    left_message = outcome == Outcome.VOICEMAIL
    if row is None:
        return _Waiting(started_at, started_at, call_key, pbx_id, did_id, 1, ring, left_message)
    return _Waiting(
        row.first_at,
        started_at,
        call_key,
        pbx_id,
        did_id,
        row.tries + 1,
        max(row.wait_seconds, ring),
        row.voicemail or left_message,
    )


def _known(transaction: BulkTransaction, party_ids: set[int]) -> dict[int, _Waiting]:
    rows = transaction.rows_in(_KNOWN, sorted(party_ids), transaction.organization_id)
    return {row[0]: _Waiting._make((*row[1:8], bool(row[8]))) for row in rows}


def _write(transaction: BulkTransaction, changed: Mapping[int, _Waiting | None], known: Mapping[int, _Waiting]) -> None:
    organization_id = transaction.organization_id
    transaction.execute_many(
        "DELETE FROM call_to_return WHERE organization_id = ? AND party_id = ?",
        [(organization_id, party_id) for party_id, row in changed.items() if row is None and party_id in known],
    )
    transaction.insert(
        "call_to_return",
        ("organization_id", "party_id", *_COLUMNS, "note"),
        [(organization_id, party_id, *row, "") for party_id, row in sorted(changed.items()) if row is not None],
        _WRITE_OVER,
    )


def sweep_calls_to_return(database: Database) -> None:
    """Work out anew what begins before the days that count; a row with nothing younger goes. An hourly chore."""
    with reading_session(database) as session:
        organization_ids = session.scalars(select(Organization.id)).all()
    for organization_id in organization_ids:
        _take_from_the_gone(database, organization_id)
        party_ids = _overdue(database, organization_id)
        for place in range(0, len(party_ids), _SWEPT_AT_ONCE):
            with bulk_transaction(database, organization_id) as transaction:
                known = _known(transaction, set(party_ids[place : place + _SWEPT_AT_ONCE]))
                _work_out(transaction, dict.fromkeys(known, (0, None)), known)


_TAKE_FROM_THE_GONE = (
    "UPDATE call_to_return SET assigned_to = NULL WHERE organization_id = ? AND assigned_to IS NOT NULL"
    " AND NOT EXISTS (SELECT 1 FROM membership AS its WHERE its.organization_id = call_to_return.organization_id"
    " AND its.user_account_id = call_to_return.assigned_to AND (its.ends_at IS NULL OR its.ends_at > ?))"
)


def _take_from_the_gone(database: Database, organization_id: int) -> None:
    """Whose membership has run out calls nobody any more: nobody told of it, as of those who leave."""
    living = select(Membership.user_account_id).where(or_(Membership.ends_at.is_(None), Membership.ends_at > now()))
    gone = and_(CallToReturn.assigned_to.is_not(None), CallToReturn.assigned_to.not_in(living))
    with reading_session(database, organization_id) as session:
        if session.scalars(select(CallToReturn.party_id).where(gone).limit(1)).first() is None:
            return
    with bulk_transaction(database, organization_id) as transaction:
        transaction.execute(_TAKE_FROM_THE_GONE, organization_id, transaction.instant(now_ms()))


def _overdue(database: Database, organization_id: int) -> Sequence[int]:
    with reading_session(database, organization_id) as session:
        early = select(CallToReturn.party_id).where(CallToReturn.first_at < from_ms(since_ms()))
        return session.scalars(early.order_by(CallToReturn.party_id)).all()
