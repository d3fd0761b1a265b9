"""How many calls a pattern of the directory concerns between two days. Registered with destinations/counted.py."""

from datetime import date

from sqlalchemy import ColumnElement, and_, exists, func, select

from webapp.calls.models import PartyTotal
from webapp.destinations.matching import Pattern
from webapp.destinations.models import DestinationPattern, Party, PartyKind, PatternKind
from webapp.tenancy.lock import LockedSession

_FIRST_DAY = date(1970, 1, 1)


def count_pattern_calls(session: LockedSession, pattern: Pattern, first: date, until: date) -> int | None:
    """From the totals of its few parties; None for a prefix, whose parties may be very many."""
    if pattern.kind == PatternKind.PREFIX:
        return None
    total = session.scalar(
        select(func.sum(PartyTotal.calls))
        .join(Party, and_(Party.organization_id == PartyTotal.organization_id, Party.id == PartyTotal.party_id))
        .where(_meets(pattern), PartyTotal.day >= (first - _FIRST_DAY).days, PartyTotal.day < (until - _FIRST_DAY).days)
    )
    return int(total or 0)


def _meets(pattern: Pattern) -> ColumnElement[bool]:
    if pattern.kind == PatternKind.NUMBER:
        return Party.identity == pattern.key
    inside = and_(Party.kind != PartyKind.OUTSIDE, Party.digits == pattern.digits)
    if pattern.pbx_id is not None:
        return and_(inside, Party.pbx_id == pattern.pbx_id)
    # Where that of one phone system is somebody's, the one of all phone systems names nothing.
    of_one = exists().where(
        DestinationPattern.organization_id == Party.organization_id,
        DestinationPattern.pattern_key == Party.identity,
        DestinationPattern.destination_id.is_not(None),
    )
    return and_(inside, ~of_one)
