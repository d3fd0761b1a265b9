"""Writes calls with all that follows from them: parties, call parties and totals. The one place that does.

Used by writer.py (imports) and regroup.py (undo, read again). Whatever is written, the totals move with it in the
same transaction, so that they always equal the calls: by the days of the zone that the organization has at that moment,
and those of single parties as far as they have followed it (zone_change.py).
"""

import struct
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from webapp.calls.outcomes import Direction, Outcome, is_missed
from webapp.calls.periods import month_number
from webapp.clock import from_ms
from webapp.database.bulk import BulkTransaction
from webapp.ingest.assembly import TALKED_ALL, CallDraft
from webapp.ingest.calls_to_return import settle, told_by_new, told_by_stored
from webapp.ingest.parties import PartyDirectory
from webapp.ingest.records import maker

_SLOT_MS = 900_000
_SLOTS_REMEMBERED = 4000  # six weeks: files are in order
_ANSWERED_OR_MISSED = {
    (int(direction), int(outcome)): (int(outcome == Outcome.ANSWERED), int(is_missed(direction, outcome)))
    for direction in Direction
    for outcome in Outcome
}
_PACKERS = tuple(struct.Struct(f">{count}q") for count in range(16))
_CALL_COLUMNS = (
    "organization_id", "call_key", "started_at", "pbx_id", "direction", "outcome", "ring_seconds", "wait_seconds",
    "talk_seconds", "price", "caller_id", "caller_reason", "dialed_id", "callee_id", "answered_by_id", "did_id",
    "ended_at", "record_count", "flags", "party_ids",
)  # fmt: skip
_FACTS = slice(2, 10)  #: of a row of these: what the totals count, as plain numbers
_STORED_CALL = (
    "SELECT call_key, started_at, pbx_id, direction, outcome, ring_seconds, wait_seconds, talk_seconds, price,"
    " record_count, party_ids FROM call WHERE organization_id = ? AND call_key = ?"
)
_CALL_PARTY_COLUMNS = ("organization_id", "party_id", "started_at", "call_key", "roles", "talk_seconds")
_SUMS = ("calls", "ring_seconds", "wait_seconds", "talk_seconds", "price", "unpriced")
#: What somebody was given to see stays theirs without a call: an undo, then the file again. An own number stays listed.
_DELETE_ORPHAN = (
    "DELETE FROM party WHERE organization_id = ? AND id = ?"
    " AND NOT EXISTS (SELECT 1 FROM call_party AS its"
    " WHERE its.organization_id = party.organization_id AND its.party_id = party.id)"
    " AND NOT EXISTS (SELECT 1 FROM membership_party AS its"
    " WHERE its.organization_id = party.organization_id AND its.party_id = party.id)"
    " AND NOT EXISTS (SELECT 1 FROM invitation_party AS its"
    " WHERE its.organization_id = party.organization_id AND its.party_id = party.id)"
    " AND NOT EXISTS (SELECT 1 FROM number AS its"
    " WHERE its.organization_id = party.organization_id AND its.party_id = party.id)"
)
#: Asked first: a party of many days has many rows of totals, and the next statements would ask for each of them.
_WITHOUT_CALLS = (
    "SELECT id FROM party WHERE organization_id = ? AND id IN ({keys}) AND NOT EXISTS (SELECT 1 FROM call_party AS its"
    " WHERE its.organization_id = party.organization_id AND its.party_id = party.id)"
)
_PARTY_SUMS = ("calls", "answered", "missed", "talk_seconds")


class StoredCall(NamedTuple):
    """The part of a stored call that must be taken back when it changes."""

    call_key: int
    started_at: int
    pbx_id: int
    direction: int
    outcome: int
    ring_seconds: int
    wait_seconds: int
    talk_seconds: int
    price: int | None
    record_count: int
    party_ids: bytes


class NewCall(NamedTuple):
    call_key: int
    pbx_id: int
    draft: CallDraft


new_call = maker(NewCall)


class LocalDays:
    """Local days of an organization, remembered by the quarter hour."""

    def __init__(self, time_zone: str) -> None:
        self.time_zone = time_zone
        self._zone = ZoneInfo(time_zone)
        self._days: dict[int, int] = {}

    def day(self, slot: int) -> int:
        """Local days since 1970-01-01 of a quarter hour since 1970 (UTC)."""
        try:
            return self._days[slot]
        except KeyError:
            if len(self._days) > _SLOTS_REMEMBERED:
                self._days.clear()
            local = from_ms(slot * _SLOT_MS).astimezone(self._zone)
            found = self._days[slot] = local.toordinal() - 719_163
            return found


#: A party and an instant: so far, in the order of call_party, party_total is of the organization's zone.
MovedTo = tuple[int, int]
#: Differences to add to a table of totals: by key, in the order of its sums.
_Sums = dict[tuple[int, ...], list[int]]


#: What the totals count of a call: started_at to price of a StoredCall.
_Facts = tuple[int, int, int, int, int, int, int, int | None]


class _Moves:
    """By how much calls that come and go move the totals. Days and months are the sums of their slots."""

    def __init__(self, days: LocalDays, moved_to: MovedTo | None) -> None:
        self.slots: _Sums = {}
        self.party_days: _Sums = {}
        self._day = days.day
        self._moved_to = moved_to

    def count(self, facts: _Facts, party_ids: Iterable[int], sign: int) -> None:
        started_at, pbx_id, direction, outcome, ring, wait, talk, price = facts
        answered, missed = _ANSWERED_OR_MISSED[direction, outcome]
        if sign < 0:
            ring, wait, talk, answered, missed = -ring, -wait, -talk, -answered, -missed
        slot = started_at // _SLOT_MS
        row = self.slots.get(key := (slot, pbx_id, direction, outcome))
        if row is None:
            row = self.slots[key] = [0] * len(_SUMS)
        row[0] += sign
        row[1] += ring
        row[2] += wait
        row[3] += talk
        if price is None:
            row[5] += sign
        else:
            row[4] += sign * price
        if self._moved_to is not None:  # the job that moves the others counts this call with them
            party_ids = [party_id for party_id in party_ids if (party_id, started_at) <= self._moved_to]
        day, party_days = self._day(slot), self.party_days
        for party_id in party_ids:
            row = party_days.get(party := (party_id, day))
            if row is None:
                party_days[party] = [sign, answered, missed, talk]
            else:
                row[0] += sign
                row[1] += answered
                row[2] += missed
                row[3] += talk

    def days(self) -> _Sums:
        return _summed(self.slots, self._day)

    @staticmethod
    def months(days: _Sums) -> _Sums:
        return _summed(days, month_number)


def _summed(finer: _Sums, coarse: Callable[[int], int]) -> _Sums:
    """The same sums by a coarser measure of time; the finer one stands first in each key."""
    found: _Sums = {}
    for (when, *kind), sums in finer.items():
        row = found.get(key := (coarse(when), *kind))
        found[key] = sums if row is None else [one + more for one, more in zip(row, sums, strict=True)]
    return found


class CallWriter:
    """Writes the calls of one organization."""

    def __init__(self) -> None:
        self.parties = PartyDirectory()
        self._days: LocalDays | None = None

    def stored_calls(self, transaction: BulkTransaction, call_keys: Sequence[int]) -> list[StoredCall]:
        # Key by key: for a list of keys SQLite's planner walks all calls of the organization by their primary key.
        found = []
        for call_key in call_keys:
            found += transaction.rows(_STORED_CALL, transaction.organization_id, call_key)
        return [StoredCall(*row) for row in found]

    def replace(self, transaction: BulkTransaction, old: Sequence[StoredCall], new: Sequence[NewCall]) -> int:
        """Take the old calls back and write the new ones; the totals move by the difference.

        Parties that took part in the old ones only go, if no other call has them: returns how many went.
        """
        moves = self._begin_moves(transaction)
        gone = told_by_stored(transaction, old, unpack_ids)
        left: set[int] = set()
        for stored in old:
            party_ids = unpack_ids(stored.party_ids)
            left.update(party_ids)
            moves.count(stored[1:9], party_ids, -1)
        self._delete(transaction, old)
        calls: list[tuple[object, ...]] = []
        call_parties: list[tuple[int, ...]] = []
        ids = self._resolve(transaction, new)
        organization_id = transaction.organization_id
        for call in new:
            roles = _party_roles(call.draft, ids)
            row = _call_row(organization_id, call, ids, roles)
            calls.append(row)
            call_parties += _call_party_rows(organization_id, call, ids, roles)
            moves.count(row[_FACTS], roles, 1)
        transaction.insert("call", _CALL_COLUMNS, calls)
        transaction.insert("call_party", _CALL_PARTY_COLUMNS, call_parties)
        _move_totals(transaction, moves, shrinking=bool(old))
        settle(transaction, gone, told_by_new(new, ids))
        left.difference_update([row[1] for row in call_parties] if left else ())
        return self._remove_orphans(transaction, left) if left else 0

    def _begin_moves(self, transaction: BulkTransaction) -> _Moves:
        """Under the lock, each time: an owner may have changed the zone since the work began."""
        time_zone, moved_to = read_days_zone(transaction)
        if self._days is None or self._days.time_zone != time_zone:
            self._days = LocalDays(time_zone)
        return _Moves(self._days, moved_to)

    def _resolve(self, transaction: BulkTransaction, new: Sequence[NewCall]) -> dict[str, int]:
        ids: dict[str, int] = {}
        by_pbx: dict[int, list[CallDraft]] = {}
        for call in new:
            by_pbx.setdefault(call.pbx_id, []).append(call.draft)
        for pbx_id, drafts in by_pbx.items():
            identities = {identity for draft in drafts for identity in draft.roles}
            names = {draft.caller.identity: draft.caller_name for draft in drafts if draft.caller and draft.caller_name}
            ids |= self.parties.resolve(transaction, identities, names, pbx_id)
        return ids

    def _delete(self, transaction: BulkTransaction, old: Sequence[StoredCall]) -> None:
        organization_id = transaction.organization_id
        transaction.execute_many(
            "DELETE FROM call WHERE organization_id = ? AND started_at = ? AND call_key = ?",
            [(organization_id, transaction.instant(call.started_at), call.call_key) for call in old],
        )
        transaction.execute_many(
            "DELETE FROM call_party WHERE organization_id = ? AND party_id = ? AND started_at = ? AND call_key = ?",
            [
                (organization_id, party_id, transaction.instant(call.started_at), call.call_key)
                for call in old
                for party_id in unpack_ids(call.party_ids)
            ],
        )

    def _remove_orphans(self, transaction: BulkTransaction, party_ids: Iterable[int]) -> int:
        """Remove those that no call has any more, and that nobody was given to see."""
        without_calls = transaction.rows_in(_WITHOUT_CALLS, sorted(party_ids), transaction.organization_id)
        keys = [(transaction.organization_id, party_id) for (party_id,) in without_calls]
        # One that was on the way to another zone still has rows by the days of the old one.
        transaction.execute_many("DELETE FROM party_total WHERE organization_id = ? AND party_id = ?", keys)
        gone = transaction.execute_many(_DELETE_ORPHAN, keys)
        self.parties.forget()
        return gone


def read_days_zone(transaction: BulkTransaction) -> tuple[str, MovedTo | None]:
    """The zone whose days the totals are of, and how far party_total has followed it: None for all of it."""
    [(time_zone, party_id, ms)] = transaction.rows(
        "SELECT time_zone, moved_party_id, moved_ms FROM organization WHERE id = ?", transaction.organization_id
    )
    return time_zone, None if party_id is None else (party_id, ms)


def pack_ids(ids: Collection[int]) -> bytes:
    return _PACKERS[len(ids)].pack(*ids) if len(ids) < 16 else struct.pack(f">{len(ids)}q", *ids)


def unpack_ids(packed: bytes) -> tuple[int, ...]:
    packed = bytes(packed)
    return struct.unpack(f">{len(packed) // 8}q", packed)


def _party_roles(draft: CallDraft, ids: dict[str, int]) -> dict[int, int]:
    """Roles by party id. Two identities may be one party; its roles are joined."""
    roles: dict[int, int] = {}
    for identity, role in draft.roles.items():
        party_id = ids[identity[0]]
        roles[party_id] = roles.get(party_id, 0) | role
    return roles


def _party_talks(draft: CallDraft, ids: dict[str, int]) -> dict[int, int]:
    """Seconds of talk by party id, where the roles do not tell them."""
    talks: dict[int, int] = {}
    for identity, talked in draft.talks.items():
        party_id = ids[identity[0]]
        talks[party_id] = talks.get(party_id, 0) + talked
    return talks


def _call_row(organization_id: int, call: NewCall, ids: dict[str, int], roles: dict[int, int]) -> tuple[Any, ...]:
    call_key, pbx_id, draft = call
    (
        started_at, ended_at, direction, outcome, caller, caller_reason, _name, dialed, callee, answered_by, did,
        ring_seconds, wait_seconds, talk_seconds, record_count, flags, _roles, _talks,
    ) = draft  # fmt: skip
    return (
        organization_id,
        call_key,
        started_at,
        pbx_id,
        int(direction),
        int(outcome),
        ring_seconds,
        wait_seconds,
        talk_seconds,
        None,
        None if caller is None else ids[caller[0]],
        int(caller_reason),
        None if dialed is None else ids[dialed[0]],
        None if callee is None else ids[callee[0]],
        None if answered_by is None else ids[answered_by[0]],
        None if did is None else ids[did[0]],
        ended_at,
        record_count,
        flags,
        pack_ids(roles),
    )


def _call_party_rows(
    organization_id: int, call: NewCall, ids: dict[str, int], roles: dict[int, int]
) -> list[tuple[int, ...]]:
    call_key, _pbx_id, draft = call
    started_at, talked = draft.started_at, draft.talk_seconds
    if not draft.talks:
        return [
            (organization_id, party_id, started_at, call_key, role, talked if role & TALKED_ALL else 0)
            for party_id, role in roles.items()
        ]
    talks = _party_talks(draft, ids)
    return [
        (organization_id, party_id, started_at, call_key, role, min(talked, talks.get(party_id, 0)))
        for party_id, role in roles.items()
    ]


def _move_totals(transaction: BulkTransaction, moves: _Moves, *, shrinking: bool) -> None:
    days = moves.days()
    for table, keys, sums, moved in (
        ("call_total", ("slot", "pbx_id", "direction", "outcome"), _SUMS, moves.slots),
        ("call_day", ("day", "pbx_id", "direction", "outcome"), _SUMS, days),
        ("call_month", ("month", "pbx_id", "direction", "outcome"), _SUMS, moves.months(days)),
        ("party_total", ("party_id", "day"), _PARTY_SUMS, moves.party_days),
    ):
        rows = [(transaction.organization_id, *key, *moved[key]) for key in sorted(moved)]
        if shrinking:
            rows = [row for row in rows if any(row[1 + len(keys) :])]
        _add_to(transaction, table, keys, sums, rows)
        if shrinking:
            gone = [row[: 1 + len(keys)] for row in rows if row[1 + len(keys)] <= 0]
            where = " AND ".join(f"{key} = ?" for key in keys)
            transaction.execute_many(f"DELETE FROM {table} WHERE organization_id = ? AND {where} AND calls = 0", gone)  # noqa: S608 - names from above


def _add_to(
    transaction: BulkTransaction, table: str, keys: Sequence[str], sums: Sequence[str], rows: Sequence[Sequence[int]]
) -> None:
    changes = ", ".join(f"{column} = {table}.{column} + excluded.{column}" for column in sums)
    transaction.insert(
        table,
        ("organization_id", *keys, *sums),
        rows,
        f"ON CONFLICT (organization_id, {', '.join(keys)}) DO UPDATE SET {changes}",
    )


class PartyCall(NamedTuple):
    """A call as the totals of one of its parties count it."""

    party_id: int
    started_at: int
    direction: int
    outcome: int
    talk_seconds: int


def add_party_totals(transaction: BulkTransaction, days: LocalDays, calls: Iterable[PartyCall]) -> None:
    """Count these into party_total, of which they are no part yet."""
    sums: dict[tuple[int, int], list[int]] = {}
    for party_id, started_at, direction, outcome, talk in calls:
        answered, missed = _ANSWERED_OR_MISSED[direction, outcome]
        row = sums.setdefault((party_id, days.day(started_at // _SLOT_MS)), [0] * len(_PARTY_SUMS))
        for place, value in enumerate((1, answered, missed, talk)):
            row[place] += value
    rows = [(transaction.organization_id, *key, *values) for key, values in sorted(sums.items())]
    _add_to(transaction, "party_total", ("party_id", "day"), _PARTY_SUMS, rows)
