"""What a phone system was told when it asked where this call goes. Read for one call's page.

A lookup notes the link keys by which the records of its call will name it (ingest/normalize.py makes both), so the two
are matched by what they say, whichever is there first.
"""

import struct
from collections.abc import Iterator, Mapping
from datetime import timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import select

from webapp.calls.models import Call, CallRecord, Pbx
from webapp.calls.words import name_destination
from webapp.destinations.models import Destination
from webapp.destinations.route_models import LookupAnswer, RouteLookup
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.reader import Reader

_AROUND = timedelta(minutes=10)  #: the two clocks may differ, and a call may have waited first

_TOLD: Mapping[LookupAnswer, str] = {
    LookupAnswer.NOT_LISTED: "the number is not among yours, so the phone system decided by itself",
    LookupAnswer.NO_PLAN: "nobody has said where the number leads, so the phone system decided by itself",
    LookupAnswer.NOTHING_FITS: "none of the number's routes fitted, so the phone system decided by itself",
}


def tell_lookup(session: LockedSession, call: Call, zone: ZoneInfo, reader: Reader) -> str:
    """In a sentence what the phone system asked and was told; "" where it did not ask. A narrowed session sees none."""
    lookup = find_lookup(session, call)
    if lookup is None:
        return ""
    pbx = session.get(Pbx, (session.organization_id, lookup.pbx_id))
    place = None
    if lookup.destination_id is not None:
        place = session.get(Destination, (session.organization_id, lookup.destination_id))
    told = (
        f"the call goes to {name_destination(place, reader)}"
        if place is not None
        else _TOLD.get(lookup.answer, "where the call goes")
    )
    return f"At {lookup.at.astimezone(zone):%H:%M:%S} {pbx.name if pbx else 'it'} asked Callbook, and was told: {told}."


def find_lookup(session: LockedSession, call: Call) -> RouteLookup | None:
    """The last question of its phone system that names this call."""
    keys = {key for packed in _packed_keys(session, call) for key in _unpacked(packed)}
    if not keys:
        return None
    asked = session.scalars(
        select(RouteLookup)
        .where(
            RouteLookup.pbx_id == call.pbx_id,
            RouteLookup.at >= call.started_at - _AROUND,
            RouteLookup.at <= call.ended_at + _AROUND,
        )
        .order_by(RouteLookup.at.desc())
    )
    return next((lookup for lookup in asked if not keys.isdisjoint(_unpacked(lookup.link_keys))), None)


def _packed_keys(session: LockedSession, call: Call) -> Iterator[bytes]:
    yield from session.scalars(select(CallRecord.link_keys).where(CallRecord.call_key == call.call_key))


def _unpacked(packed: bytes) -> tuple[int, ...]:
    keys = bytes(packed)
    return struct.unpack(f">{len(keys) // 8}q", keys)
