"""Moves an organization's totals to the days of the zone that an owner chose. Run by a job, in short transactions.

First call_day and call_month are made again from call_total, whose quarters of an hour know no zone, and the zone
changes with them in the same transaction: whoever reads either reads both. Then party_total is counted anew from the
calls, some at a time in the order of call_party; until that has come to its end, pages do not read it.
How far it is stands in the organization's row alone. So it may be killed, or run twice at a time.
"""

import time
from collections.abc import Callable, Iterator
from zoneinfo import ZoneInfo

from webapp.calls.periods import month_number, month_start
from webapp.clock import from_ms
from webapp.database.bulk import BulkTransaction, bulk_transaction
from webapp.database.engine import Database
from webapp.ingest.call_writer import LocalDays, MovedTo, PartyCall, add_party_totals, read_days_zone

_PARTY_CALLS = 2000  #: counted in one transaction
_PAUSE_SECONDS = 0.002  #: between two, so that writers of other processes come in too
_BEFORE_ALL: MovedTo = (-1, 0)
_SLOT_MS = 900_000
_SLOTS_A_DAY = 96
_SLOT_SECONDS = 900
_DAY_SECONDS = 86_400
#: A day at a time: all in one statement would sort every row, and takes twice as long. A day on which the clocks change
#: comes in two parts.
_MAKE_DAY = (
    "INSERT INTO call_day (organization_id, day, pbx_id, direction, outcome,"
    " calls, ring_seconds, wait_seconds, talk_seconds, price, unpriced)"
    " SELECT organization_id, CAST(? AS INTEGER), pbx_id, direction, outcome,"
    " sum(calls), sum(ring_seconds), sum(wait_seconds), sum(talk_seconds), sum(price), sum(unpriced) FROM call_total"
    " WHERE organization_id = ? AND slot BETWEEN ? AND ? GROUP BY 1, 2, 3, 4, 5"
    " ON CONFLICT (organization_id, day, pbx_id, direction, outcome) DO UPDATE SET"
    " calls = call_day.calls + excluded.calls, ring_seconds = call_day.ring_seconds + excluded.ring_seconds,"
    " wait_seconds = call_day.wait_seconds + excluded.wait_seconds,"
    " talk_seconds = call_day.talk_seconds + excluded.talk_seconds,"
    " price = call_day.price + excluded.price, unpriced = call_day.unpriced + excluded.unpriced"
)
_MAKE_MONTH = (
    "INSERT INTO call_month (organization_id, month, pbx_id, direction, outcome,"
    " calls, ring_seconds, wait_seconds, talk_seconds, price, unpriced)"
    " SELECT organization_id, CAST(? AS INTEGER), pbx_id, direction, outcome,"
    " sum(calls), sum(ring_seconds), sum(wait_seconds), sum(talk_seconds), sum(price), sum(unpriced) FROM call_day"
    " WHERE organization_id = ? AND day BETWEEN ? AND ? GROUP BY 1, 2, 3, 4, 5"
)
#: CROSS JOIN: SQLite then walks call_party, in the order of its key, and looks each call up.
_PARTY_CALLS_OF = (
    "SELECT part.party_id, part.started_at, call.direction, call.outcome, call.talk_seconds, part.call_key"
    " FROM call_party AS part CROSS JOIN call"
    " WHERE part.organization_id = ? AND call.organization_id = part.organization_id"
    " AND call.started_at = part.started_at AND call.call_key = part.call_key"
)


def follow_zone(database: Database, organization_id: int, keep_going: Callable[[], bool] = lambda: True) -> None:
    """Bring the totals to the zone that the organization is to have. Stops between two transactions when told so."""
    going = True
    while going:
        with bulk_transaction(database, organization_id) as transaction:
            going = _go_on(transaction)
        if not keep_going():
            return
        time.sleep(_PAUSE_SECONDS)


def _go_on(transaction: BulkTransaction) -> bool:
    """The next step. False when there is none."""
    [(next_zone,)] = transaction.rows(
        "SELECT next_time_zone FROM organization WHERE id = ?", transaction.organization_id
    )
    if next_zone is not None:
        _move_days(transaction, next_zone)
        return True
    time_zone, moved_to = read_days_zone(transaction)
    if moved_to is None:
        return False
    _write_moved_to(transaction, _move_parties(transaction, LocalDays(time_zone), moved_to))
    return True


def _move_days(transaction: BulkTransaction, time_zone: str) -> None:
    organization_id = transaction.organization_id
    for table in ("call_day", "call_month"):
        transaction.execute(f"DELETE FROM {table} WHERE organization_id = ?", organization_id)  # noqa: S608 - names from above
    # Two statements: asked for both at once, SQLite reads every key.
    [(first,)] = transaction.rows("SELECT min(slot) FROM call_total WHERE organization_id = ?", organization_id)
    [(last,)] = transaction.rows("SELECT max(slot) FROM call_total WHERE organization_id = ?", organization_id)
    if first is not None:
        for day, since, until in slots_by_day(ZoneInfo(time_zone), first, last):
            transaction.execute(_MAKE_DAY, day, organization_id, since, until)
    days = transaction.rows("SELECT DISTINCT day FROM call_day WHERE organization_id = ?", organization_id)
    for month in sorted({month_number(day) for (day,) in days}):
        transaction.execute(_MAKE_MONTH, month, organization_id, month_start(month), month_start(month + 1) - 1)
    transaction.execute(
        "UPDATE organization SET time_zone = ?, next_time_zone = NULL WHERE id = ?", time_zone, organization_id
    )
    _write_moved_to(transaction, _BEFORE_ALL)


def slots_by_day(zone: ZoneInfo, first: int, last: int) -> Iterator[tuple[int, int, int]]:
    """The local days of the slots from `first` to `last`, each with its first and last slot; a day may come twice."""
    for since, until, ahead in _stretches_of_offset(zone, first, last):
        for day in range(
            (since * _SLOT_SECONDS + ahead) // _DAY_SECONDS, (until * _SLOT_SECONDS + ahead) // _DAY_SECONDS + 1
        ):
            begins, ends = (-((ahead - each * _DAY_SECONDS) // _SLOT_SECONDS) for each in (day, day + 1))
            yield day, max(since, begins), min(until, ends - 1)


def _stretches_of_offset(zone: ZoneInfo, first: int, last: int) -> Iterator[tuple[int, int, int]]:
    """From which slot to which, both included, the clocks of a zone are so many seconds ahead of UTC."""
    since, ahead = first, _ahead(zone, first)
    place = first
    while place < last:
        beyond = min(place + _SLOTS_A_DAY, last)
        if _ahead(zone, beyond) != ahead:  # no zone changes its clocks twice a day
            beyond = next(slot for slot in range(place + 1, beyond + 1) if _ahead(zone, slot) != ahead)
            yield since, beyond - 1, ahead
            since, ahead = beyond, _ahead(zone, beyond)
        place = beyond
    yield since, last, ahead


def _ahead(zone: ZoneInfo, slot: int) -> int:
    offset = from_ms(slot * _SLOT_MS).astimezone(zone).utcoffset()
    assert offset is not None
    return offset.days * _DAY_SECONDS + offset.seconds


def _move_parties(transaction: BulkTransaction, days: LocalDays, moved_to: MovedTo) -> MovedTo | None:
    """Count the next calls of parties; gives how far that is, None at the end."""
    organization_id = transaction.organization_id
    party_id, ms = moved_to
    rows = transaction.rows(
        f"{_PARTY_CALLS_OF} AND (part.party_id, part.started_at) > (?, ?)"
        " ORDER BY part.party_id, part.started_at LIMIT ?",
        organization_id,
        party_id,
        transaction.instant(ms),
        _PARTY_CALLS,
    )
    if not rows:
        return None
    reached = (rows[-1][0], rows[-1][1])
    same_instant = transaction.rows(
        f"{_PARTY_CALLS_OF} AND part.party_id = ? AND part.started_at = ?",
        organization_id,
        reached[0],
        transaction.instant(reached[1]),
    )
    # What such a party has are the days of another zone, or what was left half done on the way to one.
    transaction.execute_many(
        "DELETE FROM party_total WHERE organization_id = ? AND party_id = ?",
        [(organization_id, other) for other in sorted({row[0] for row in rows} - {party_id})],
    )
    add_party_totals(transaction, days, [PartyCall(*row[:5]) for row in {*rows, *same_instant}])
    return reached


def _write_moved_to(transaction: BulkTransaction, moved_to: MovedTo | None) -> None:
    party_id, ms = moved_to or (None, None)
    transaction.execute(
        "UPDATE organization SET moved_party_id = ?, moved_ms = ? WHERE id = ?",
        party_id,
        ms,
        transaction.organization_id,
    )
