"""What a destination opens to somebody who may see its calls: its parties, each while it was the destination's.

Registered with tenancy/ when the package is loaded (destinations/__init__.py), which asks with every request of a
narrowed person. So naming, a hand-over and a new person of a team count from the next request on.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import BigInteger, bindparam, func, or_, select
from sqlalchemy.orm import aliased

from webapp.destinations.models import Destination, DestinationKind, DestinationMember, PartyHolder
from webapp.tenancy.lock import LockedSession, kept
from webapp.tenancy.members import register_lender
from webapp.tenancy.narrowing import MOST_WINDOWS, DestinationDays, PartyDays

#: What somebody's view can be narrowed to: what is inside. Of a customer or a zone nobody can say how much it holds, so
#: one that turned into such, or was merged into it, opens nothing.
OPENED_KINDS = tuple(kind for kind in DestinationKind if not kind.is_outside)
_AT_ONCE = 16  #: destinations in one statement, the last one repeated where there are fewer
_HELD_AT_MOST = 2 * MOST_WINDOWS  #: of _AT_ONCE destinations: no more than that is read, whatever a pattern holds

_ids = [bindparam(f"id{place}", type_=BigInteger) for place in range(_AT_ONCE)]
_next = aliased(PartyHolder)
_PEOPLE = kept(
    select(DestinationMember.team_id, DestinationMember.person_id).where(DestinationMember.team_id.in_(_ids))
)
_HELD = kept(
    select(
        PartyHolder.destination_id,
        PartyHolder.party_id,
        PartyHolder.from_at,
        select(func.min(_next.from_at))
        .where(
            _next.organization_id == PartyHolder.organization_id,
            _next.party_id == PartyHolder.party_id,
            _next.from_at > PartyHolder.from_at,
        )
        .correlate(PartyHolder)
        .scalar_subquery()
        .label("until_at"),
    )
    .join(
        Destination,
        (Destination.organization_id == PartyHolder.organization_id) & (Destination.id == PartyHolder.destination_id),
    )
    .where(PartyHolder.destination_id.in_(_ids), or_(*(Destination.kind == kind for kind in OPENED_KINDS)))
    .order_by(PartyHolder.destination_id, PartyHolder.party_id)
    .limit(_HELD_AT_MOST + 1)
)


def lend_parties(session: LockedSession, named: Sequence[DestinationDays]) -> tuple[list[PartyDays], bool]:
    """What these destinations open of parties at this moment, in the days of both; and whether they hold more."""
    given: dict[int, list[DestinationDays]] = {}
    for each in named:
        given.setdefault(each.destination_id, []).append(each)
    for rows in _read(session, _PEOPLE, list(given)):
        for team_id, person_id in rows:
            given.setdefault(person_id, []).extend(each for each in named if each.destination_id == team_id)
    found, holds_more = [], False
    for rows in _read(session, _HELD, list(given)):
        holds_more = holds_more or len(rows) > _HELD_AT_MOST
        for destination_id, party_id, from_at, until_at in rows[:_HELD_AT_MOST]:
            held = PartyDays.between(party_id, from_at, until_at)
            found += [lent for each in given[destination_id] if (lent := each.lend(held)) is not None]
    return found, holds_more


def _read(session: LockedSession, statement: Any, ids: Sequence[int]) -> Iterator[Sequence[Any]]:
    """The rows of some at a time."""
    for start in range(0, len(ids), _AT_ONCE):
        some = ids[start : start + _AT_ONCE]
        some = [*some, *[some[-1]] * (_AT_ONCE - len(some))]
        yield session.rows(statement, {f"id{place}": each for place, each in enumerate(some)})


register_lender(lend_parties)
