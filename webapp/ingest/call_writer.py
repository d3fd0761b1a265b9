"""Writes calls with all that follows from them: parties, call parties and totals. The one place that does.

Used by writer.py (imports) and regroup.py (undo, read again). Whatever is written, the totals move with it in the
same transaction, so that they always equal the calls.
"""

import struct
from collections.abc import Iterable, Sequence
from typing import NamedTuple
from zoneinfo import ZoneInfo

from webapp.calls.outcomes import Outcome, is_missed
from webapp.clock import from_ms
from webapp.database.bulk import BulkTransaction
from webapp.ingest.assembly import CallDraft
from webapp.ingest.numbers import Identity
from webapp.ingest.parties import PartyDirectory

_SLOT_MS = 900_000
_ANSWERED = int(Outcome.ANSWERED)
_PACKERS = tuple(struct.Struct(f">{count}q") for count in range(16))
_CALL_COLUMNS = (
    "organization_id", "started_at", "call_key", "pbx_id", "direction", "outcome", "caller_id", "caller_reason",
    "dialed_id", "callee_id", "answered_by_id", "did_id", "ring_seconds", "wait_seconds", "talk_seconds", "ended_at",
    "record_count", "flags", "party_ids", "price",
)  # fmt: skip
_CALL_PARTY_COLUMNS = ("organization_id", "party_id", "started_at", "call_key", "roles")
_SUMS = ("calls", "ring_seconds", "wait_seconds", "talk_seconds", "price", "unpriced")
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


class LocalDays:
    """Local days of an organization, remembered by the quarter hour."""

    def __init__(self, time_zone: str) -> None:
        self._zone = ZoneInfo(time_zone)
        self._days: dict[int, int] = {}

    def day(self, slot: int) -> int:
        """Local days since 1970-01-01 of a quarter hour since 1970 (UTC)."""
        try:
            return self._days[slot]
        except KeyError:
            if len(self._days) > 100_000:
                self._days.clear()
            local = from_ms(slot * _SLOT_MS).astimezone(self._zone)
            found = self._days[slot] = local.toordinal() - 719_163
            return found


class _Sums:
    """Differences to add to a table of totals, by key."""

    def __init__(self, width: int) -> None:
        self._width = width
        self.rows: dict[tuple[int, ...], list[int]] = {}

    def add(self, key: tuple[int, ...], values: Iterable[int], sign: int) -> None:
        row = self.rows.get(key)
        if row is None:
            row = self.rows[key] = [0] * self._width
        for place, value in enumerate(values):
            row[place] += sign * value


class CallWriter:
    """Writes the calls of one organization."""

    def __init__(self, time_zone: str) -> None:
        self.parties = PartyDirectory()
        self._days = LocalDays(time_zone)

    def stored_calls(self, transaction: BulkTransaction, call_keys: Sequence[int]) -> list[StoredCall]:
        rows = transaction.rows_in(
            "SELECT call_key, started_at, pbx_id, direction, outcome, ring_seconds, wait_seconds, talk_seconds, price,"
            " record_count, party_ids FROM call WHERE organization_id = ? AND call_key IN ({keys})",
            call_keys,
            transaction.organization_id,
        )
        return [StoredCall(*row) for row in rows]

    def replace(self, transaction: BulkTransaction, old: Sequence[StoredCall], new: Sequence[NewCall]) -> None:
        """Take the old calls back and write the new ones; the totals move by the difference."""
        totals, days, party_days = _Sums(len(_SUMS)), _Sums(len(_SUMS)), _Sums(len(_PARTY_SUMS))
        for stored in old:
            self._count(totals, days, party_days, stored, unpack_ids(stored.party_ids), -1)
        self._delete(transaction, old)
        calls, call_parties = [], []
        ids = self._resolve(transaction, new)
        for call in new:
            row, parties = _rows(transaction.organization_id, call, ids)
            calls.append(row)
            call_parties.extend(parties)
            self._count(totals, days, party_days, _as_stored(call), [party[1] for party in parties], 1)
        transaction.insert("call", _CALL_COLUMNS, calls)
        transaction.insert("call_party", _CALL_PARTY_COLUMNS, call_parties)
        self._move_totals(transaction, totals, days, party_days, shrinking=bool(old))

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

    def _count(
        self, totals: _Sums, days: _Sums, party_days: _Sums, call: StoredCall, party_ids: Sequence[int], sign: int
    ) -> None:
        slot = call.started_at // _SLOT_MS
        day = self._days.day(slot)
        values = (
            1,
            call.ring_seconds,
            call.wait_seconds,
            call.talk_seconds,
            call.price or 0,
            0 if call.price is not None else 1,
        )
        totals.add((slot, call.pbx_id, call.direction, call.outcome), values, sign)
        days.add((day, call.pbx_id, call.direction, call.outcome), values, sign)
        party_values = (1, int(call.outcome == _ANSWERED), int(is_missed(call.direction, call.outcome)), call.talk_seconds)
        for party_id in party_ids:
            party_days.add((party_id, day), party_values, sign)

    def _move_totals(
        self, transaction: BulkTransaction, totals: _Sums, days: _Sums, party_days: _Sums, *, shrinking: bool
    ) -> None:
        for table, keys, sums, moved in (
            ("call_total", ("slot", "pbx_id", "direction", "outcome"), _SUMS, totals),
            ("call_day", ("day", "pbx_id", "direction", "outcome"), _SUMS, days),
            ("party_total", ("party_id", "day"), _PARTY_SUMS, party_days),
        ):
            rows = [(transaction.organization_id, *key, *values) for key, values in sorted(moved.rows.items()) if any(values)]
            changes = ", ".join(f"{column} = {table}.{column} + excluded.{column}" for column in sums)
            transaction.insert(
                table,
                ("organization_id", *keys, *sums),
                rows,
                f"ON CONFLICT (organization_id, {', '.join(keys)}) DO UPDATE SET {changes}",
            )
            if shrinking:
                gone = [(row[0], *row[1 : 1 + len(keys)]) for row in rows if row[1 + len(keys)] <= 0]
                where = " AND ".join(f"{key} = ?" for key in keys)
                transaction.execute_many(f"DELETE FROM {table} WHERE organization_id = ? AND {where} AND calls = 0", gone)  # noqa: S608 - names from above

    def remove_orphans(self, transaction: BulkTransaction, party_ids: Iterable[int]) -> None:
        """Remove parties that no call has any more. (What a person named stays; names by hand come with destinations.)"""
        transaction.execute_many(
            "DELETE FROM party WHERE organization_id = ? AND id = ? AND NOT EXISTS (SELECT 1 FROM call_party"
            " WHERE call_party.organization_id = party.organization_id AND call_party.party_id = party.id)",
            [(transaction.organization_id, party_id) for party_id in sorted(set(party_ids))],
        )
        self.parties.forget()


def pack_ids(ids: Sequence[int]) -> bytes:
    return _PACKERS[len(ids)].pack(*ids) if len(ids) < 16 else struct.pack(f">{len(ids)}q", *ids)


def unpack_ids(packed: bytes) -> tuple[int, ...]:
    packed = bytes(packed)
    return struct.unpack(f">{len(packed) // 8}q", packed)


def _as_stored(call: NewCall) -> StoredCall:
    draft = call.draft
    return StoredCall(
        call.call_key,
        draft.started_at,
        call.pbx_id,
        draft.direction,
        draft.outcome,
        draft.ring_seconds,
        draft.wait_seconds,
        draft.talk_seconds,
        None,
        draft.record_count,
        b"",
    )


def _rows(organization_id: int, call: NewCall, ids: dict[str, int]) -> tuple[tuple[object, ...], list[tuple[int, ...]]]:
    """A call's row, and its call_party rows. Two identities may be one party; its roles are joined."""
    draft = call.draft

    def party(identity: Identity | None) -> int | None:
        return None if identity is None else ids[identity.identity]

    roles: dict[int, int] = {}
    for identity, role in draft.roles.items():
        party_id = ids[identity.identity]
        roles[party_id] = roles.get(party_id, 0) | role
    row = (
        organization_id,
        draft.started_at,
        call.call_key,
        call.pbx_id,
        int(draft.direction),
        int(draft.outcome),
        party(draft.caller),
        int(draft.caller_reason),
        party(draft.dialed),
        party(draft.callee),
        party(draft.answered_by),
        party(draft.did),
        draft.ring_seconds,
        draft.wait_seconds,
        draft.talk_seconds,
        draft.ended_at,
        draft.record_count,
        draft.flags,
        pack_ids(tuple(roles)),
        None,
    )
    return row, [(organization_id, party_id, draft.started_at, call.call_key, role) for party_id, role in roles.items()]
