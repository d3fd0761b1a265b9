"""Who takes part in the newest calls and has no name yet, for the directory's page "Still without a name".

Registered with destinations/unnamed.py in create_app(). The work is bounded by the calls looked at, not those stored.
"""

import struct
from collections import Counter
from collections.abc import Collection, Iterable

from sqlalchemy import bindparam, select

from webapp.calls.models import Call
from webapp.clock import now
from webapp.destinations.models import Party, PartyHolder, UnnamedSkip
from webapp.destinations.route_models import Number
from webapp.destinations.unnamed import CALLS_LOOKED_AT, SHOWN_AT_MOST, Unnamed, UnnamedParty
from webapp.tenancy.lock import LockedSession, kept

_IDS_AT_ONCE = 5_000
_NEWEST = kept(
    select(Call.party_ids, Call.did_id)
    .order_by(Call.started_at.desc(), Call.call_key.desc())
    .limit(bindparam("at_most"))
)


def find_unnamed(session: LockedSession) -> Unnamed:
    """Own numbers are left out: they have a page of their own. So is what somebody passed over."""
    calls = session.rows(_NEWEST, {"at_most": CALLS_LOOKED_AT})
    counts = Counter(party_id for row in calls for party_id in _ids(row.party_ids) if party_id != row.did_id)
    for own in session.scalars(select(Number.party_id)):
        counts.pop(own, None)
    named = _find_named(session, counts)
    not_shown = named | set(session.scalars(select(UnnamedSkip.party_id)))
    most = [(party_id, count) for party_id, count in counts.most_common() if party_id not in not_shown][:SHOWN_AT_MOST]
    parties = {each.id: each for each in session.scalars(select(Party).where(Party.id.in_([key for key, _ in most])))}
    return Unnamed(
        calls_seen=len(calls),
        party_count=len(counts),
        named_count=len(named),
        parties=tuple(UnnamedParty(parties[key], count) for key, count in most if key in parties),
    )


def _ids(packed: bytes) -> Iterable[int]:
    ids: tuple[int, ...] = struct.unpack(f">{len(packed) // 8}q", packed)
    return ids


def _find_named(session: LockedSession, party_ids: Collection[int]) -> set[int]:
    """Those of the parties that are somebody's now."""
    ids, present = sorted(party_ids), now()
    holders: dict[int, int | None] = {}
    for start in range(0, len(ids), _IDS_AT_ONCE):
        rows = session.execute(
            select(PartyHolder.party_id, PartyHolder.destination_id)
            .where(PartyHolder.party_id.in_(ids[start : start + _IDS_AT_ONCE]), PartyHolder.from_at <= present)
            .order_by(PartyHolder.party_id, PartyHolder.from_at)
        )
        holders |= {row.party_id: row.destination_id for row in rows}  # the newest stays
    return {party_id for party_id, destination_id in holders.items() if destination_id is not None}
