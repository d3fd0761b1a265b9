"""What a phone system was told when it asked where this call goes. Read for one call's page.

A lookup notes the link keys by which the records of its call will name it (ingest/normalize.py makes both), so the two
are matched by what they say, whichever is there first.
"""

import struct
from collections.abc import Iterator
from datetime import timedelta

from sqlalchemy import select

from webapp.calls.models import Call, CallRecord
from webapp.destinations.route_models import RouteLookup
from webapp.tenancy.lock import LockedSession

_AROUND = timedelta(minutes=10)  #: the two clocks may differ, and a call may have waited first


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
