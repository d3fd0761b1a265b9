"""What a night removes of calls, for the preview and the policy pages: exact, and found without counting calls.

How many there are is in the totals, for an edge is a local midnight. Single calls are looked at near the edge, where
some stay another day (ingest/purge.py), and at the old end, for what goes with them: a bounded number of each.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import exists, func, select

from webapp.calls.models import Call, CallDay, CallMonth, CallParty, CallRecord
from webapp.calls.periods import day_number, local_day, month_number, month_start
from webapp.destinations.models import Party
from webapp.destinations.route_models import Number
from webapp.ingest.call_writer import unpack_ids
from webapp.organizations.models import InvitationParty
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.models import MembershipParty

_LOOKED_AT = 5000  #: of the calls that go, the oldest: as many as come in a busy day
_NEAR_THE_EDGE = 10_000  #: calls before it: one that goes on after more than so many others is none
_IDS_AT_ONCE = 1000


class OldCalls(NamedTuple):
    """Those that go. `first_at`, `last_at`: when the first and the last of them began. `has_more`: not all were looked
    at, so there are at least as many records and parties."""

    calls: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None
    records: int = 0
    parties: int = 0
    has_more: bool = False


def count_old_calls(session: LockedSession, edge: datetime | None, zone: ZoneInfo) -> int:
    """How many go that began before the edge, which is the beginning of a day in the organization's zone."""
    return 0 if edge is None else _count_before(session, edge, zone) - len(_list_staying(session, edge))


def foresee_calls(session: LockedSession, edge: datetime | None, zone: ZoneInfo) -> OldCalls:
    """The same, with what goes with them."""
    staying = [] if edge is None else _list_staying(session, edge)
    calls = 0 if edge is None else _count_before(session, edge, zone) - len(staying)
    if edge is None or not calls:
        return OldCalls()
    going = select(Call.started_at).where(
        Call.started_at < edge, Call.call_key.not_in([each.call_key for each in staying])
    )
    oldest = session.execute(
        going.add_columns(Call.record_count, Call.party_ids).order_by(Call.started_at, Call.call_key).limit(_LOOKED_AT)
    ).all()
    last_at = session.scalars(going.order_by(Call.started_at.desc(), Call.call_key.desc()).limit(1)).one()
    parties = _parties_of(oldest) - _parties_of(staying)
    return OldCalls(
        calls=calls,
        first_at=oldest[0].started_at,
        last_at=last_at,
        records=sum(call.record_count for call in oldest) + calls - len(oldest),  # one each, at least
        parties=_count_going(session, edge, parties),
        has_more=calls > len(oldest),
    )


def _count_before(session: LockedSession, edge: datetime, zone: ZoneInfo) -> int:
    day = day_number(local_day(edge, zone))
    month = month_number(day)
    months = select(func.sum(CallMonth.calls)).where(CallMonth.month < month)
    days = select(func.sum(CallDay.calls)).where(CallDay.day >= month_start(month), CallDay.day < day)
    return int(session.scalar(months) or 0) + int(session.scalar(days) or 0)


def _list_staying(session: LockedSession, edge: datetime) -> Sequence[Any]:
    """Those that began before and have a record that is not old: all of such a call stays another day."""
    near = (
        select(Call.organization_id, Call.call_key, Call.party_ids, Call.ended_at)
        .where(Call.started_at < edge)
        .order_by(Call.started_at.desc(), Call.call_key.desc())
        .limit(_NEAR_THE_EDGE)
        .subquery()
    )
    young = exists(
        select(1)
        .where(
            CallRecord.organization_id == near.c.organization_id,
            CallRecord.call_key == near.c.call_key,
            CallRecord.started_at >= edge,
        )
        .correlate(near)
    )
    return session.execute(select(near.c.call_key, near.c.party_ids).where(near.c.ended_at >= edge, young)).all()


def _parties_of(calls: Sequence[Any]) -> set[int]:
    return {party_id for call in calls for party_id in unpack_ids(call.party_ids)}


def _count_going(session: LockedSession, edge: datetime, party_ids: Collection[int]) -> int:
    """How many of these no call has after the edge, and nobody was given to see or listed as a number of theirs."""
    ids = sorted(party_ids)
    stays = [
        exists(select(1).where(its.organization_id == Party.organization_id, its.party_id == Party.id).correlate(Party))
        for its in (MembershipParty, InvitationParty, Number)
    ]
    later = (CallParty.organization_id == Party.organization_id, CallParty.party_id == Party.id)
    stays.append(exists(select(1).where(*later, CallParty.started_at >= edge).correlate(Party)))
    going = select(func.count(Party.id)).where(*(~each for each in stays))
    return sum(
        session.scalar(going.where(Party.id.in_(ids[first : first + _IDS_AT_ONCE]))) or 0
        for first in range(0, len(ids), _IDS_AT_ONCE)
    )
