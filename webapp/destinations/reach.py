"""How many of the numbers seen so far a prefix would name: said, and asked about, before a wide one is stored.

Called by the form of a destination. Nothing here writes.
"""

from collections.abc import Collection
from typing import NamedTuple

from sqlalchemy import and_, exists, func, or_, select
from sqlalchemy.orm import aliased

from webapp.destinations.matching import Pattern
from webapp.destinations.models import DestinationPattern, Party, PartyKind, PatternKind
from webapp.formatting import format_count, format_number
from webapp.tenancy.lock import LockedSession

MANY = 1000  #: numbers: a prefix that meets more is asked about
_FEW = 10  #: more than half of fewer numbers than these is nothing to ask about
_EXAMPLES = 3
_STAR = "A line with nothing but * names what is dialled as a star, and not every number: no line names them all."
_LONGER_AT_MOST = 500  #: prefixes within the prefix


class Reach(NamedTuple):
    """`met` of `known` outside numbers begin so; `named` of them are named by something longer and stay so."""

    prefix: str
    met: int
    known: int
    named: int
    examples: tuple[str, ...]

    @property
    def is_wide(self) -> bool:
        return self.met > MANY or (self.met >= _FEW and 2 * self.met > self.known)


def ask_about_prefixes(session: LockedSession, patterns: Collection[Pattern], region: str) -> str:
    """What the wide ones among the patterns would name, and what * does not, in sentences; "" for nothing."""
    prefixes = sorted({pattern.digits for pattern in patterns if pattern.kind == PatternKind.PREFIX})
    stars = [_STAR] if any(pattern.digits == "*" for pattern in patterns) else []
    reaches = (measure_prefix(session, prefix) for prefix in prefixes)
    return " ".join([*stars, *(_tell(reach, region) for reach in reaches if reach.is_wide)])


def measure_prefix(session: LockedSession, prefix: str) -> Reach:
    outside = Party.kind == PartyKind.OUTSIDE
    begins = and_(outside, Party.digits.startswith(prefix))
    met = session.scalar(select(func.count(Party.id)).where(begins)) or 0
    known = session.scalar(select(func.count(Party.id)).where(outside)) or 0
    first = session.scalars(select(Party.e164).where(begins).order_by(Party.identity).limit(_EXAMPLES)).all()
    return Reach(prefix, met, known, _count_named(session, prefix), tuple(each for each in first if each))


def _count_named(session: LockedSession, prefix: str) -> int:
    """Numbers that begin so and are named by themselves or by a longer prefix."""
    own = aliased(DestinationPattern)
    itself = exists().where(
        own.organization_id == Party.organization_id,
        own.pattern_key == Party.identity,
        own.destination_id.is_not(None),
    )
    longer = session.scalars(
        select(DestinationPattern.digits)
        .where(
            DestinationPattern.kind == PatternKind.PREFIX,
            DestinationPattern.digits.startswith(prefix),
            DestinationPattern.digits != prefix,
            DestinationPattern.destination_id.is_not(None),
        )
        .distinct()
        .limit(_LONGER_AT_MOST)
    ).all()
    within = [Party.digits.startswith(digits) for digits in longer]
    named = and_(Party.kind == PartyKind.OUTSIDE, Party.digits.startswith(prefix), or_(itself, *within))
    return session.scalar(select(func.count(Party.id)).where(named)) or 0


def _tell(reach: Reach, region: str) -> str:
    examples = ", ".join(format_number(each, region) for each in reach.examples)
    if not reach.named:
        kept = "None of them has a name of its own."
    else:
        have = "has" if reach.named == 1 else "have"
        kept = f"{format_count(reach.named)} of them {have} a name of their own and keep it."
    return (
        f"+{reach.prefix}* names {format_count(reach.met)} of the {format_count(reach.known)} outside numbers you have "
        f"seen, among them {examples}. {kept}"
    )
