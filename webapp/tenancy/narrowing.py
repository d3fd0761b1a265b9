"""Which parties' calls a narrowed person sees, in which days, and what the session lock adds for it.

A Narrowing is a value: of a member, of an invitation that is not sent yet, of a preview. It is made of the spans that
were given; what destinations among them hold is looked up when it is made (members.py: open_spans), for one request.
Each package says here, beside its models, what a narrowed session sees of every tenant table; of a table that nobody
has spoken for it sees nothing.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, FromClause, and_, false, or_

from webapp.clock import from_ms, to_ms
from webapp.database.base import Base
from webapp.tenancy.models import MembershipDestination, MembershipParty, Tenant

#: Windows of a narrowing. The walk over their calls names all of them for each, and SQLite counts the values.
MOST_WINDOWS = 200
_NO_END = 1 << 63


class PartyDays(NamedTuple):
    """A party, and the calls of it that are open: those that start in from_ms <= instant < until_ms (None: no end)."""

    party_id: int
    from_ms: int = 0
    until_ms: int | None = None

    @classmethod
    def between(cls, party_id: int, from_at: datetime, until_at: datetime | None) -> "PartyDays":
        """As tables have them: from_at is 1970 where there is no beginning."""
        return cls(party_id, max(0, to_ms(from_at)), None if until_at is None else to_ms(until_at))

    @property
    def from_at(self) -> datetime:
        return from_ms(self.from_ms)

    @property
    def until_at(self) -> datetime | None:
        return None if self.until_ms is None else from_ms(self.until_ms)

    @property
    def start(self) -> datetime | None:
        """None for no bound."""
        return from_ms(self.from_ms) if self.from_ms > 0 else None

    @property
    def end(self) -> datetime | None:
        """None for no bound."""
        return self.until_at

    def holds(self, other: "PartyDays") -> bool:
        """Whether all that the other opens is open here."""
        ends_in_time = self.until_ms is None or (other.until_ms is not None and other.until_ms <= self.until_ms)
        return self.party_id == other.party_id and self.from_ms <= other.from_ms and ends_in_time


@dataclass(frozen=True)
class DestinationDays:
    """A destination, and the days in which calls of its parties are open: each while it was the destination's, and of
    a team those of its people too. Which these are is asked anew with every request.
    """

    destination_id: int
    from_ms: int = 0
    until_ms: int | None = None

    @classmethod
    def between(cls, destination_id: int, from_at: datetime, until_at: datetime | None) -> "DestinationDays":
        """As tables have them."""
        return cls(*PartyDays.between(destination_id, from_at, until_at))

    @property
    def from_at(self) -> datetime:
        return from_ms(self.from_ms)

    @property
    def until_at(self) -> datetime | None:
        return None if self.until_ms is None else from_ms(self.until_ms)

    def lend(self, held: PartyDays) -> PartyDays | None:
        """What these days open of a party that is the destination's in the days `held`."""
        starts = max(self.from_ms, held.from_ms)
        ends = min((each for each in (self.until_ms, held.until_ms) if each is not None), default=None)
        return None if ends is not None and ends <= starts else PartyDays(held.party_id, starts, ends)


#: What somebody is given: a party or a destination, with its days.
Span = PartyDays | DestinationDays


def id_of(span: Span) -> int:
    """Of its party or destination; no two things have the same id (database/ids.py)."""
    return span.party_id if isinstance(span, PartyDays) else span.destination_id


def holds(has: Span, wanted: Span) -> bool:
    """Whether all that the one opens, now and later, the other opens too. A party that a destination has today may be
    another's tomorrow, so neither kind holds one of the other.
    """
    if isinstance(has, PartyDays) or isinstance(wanted, PartyDays):
        return isinstance(has, PartyDays) and isinstance(wanted, PartyDays) and has.holds(wanted)
    days = (PartyDays(each.destination_id, each.from_ms, each.until_ms) for each in (has, wanted))
    return next(days).holds(next(days))


@dataclass(frozen=True)
class Narrowing:
    """Sees the calls in which one of these parties took part, in its days. Without any: no call at all.

    `spans`: what was given. `lent`: the parties of the destinations among them, at the moment it was made;
    `lends_more`: that these hold others, which were not even read.
    """

    spans: tuple[Span, ...] = ()
    lent: tuple[PartyDays, ...] = ()
    lends_more: bool = False

    @cached_property
    def windows(self) -> tuple[PartyDays, ...]:
        """All parties with their days, at most MOST_WINDOWS: of more, those that go on or ended last."""
        if len(self._every) <= MOST_WINDOWS:
            return self._every
        latest = sorted(self._every, key=lambda window: (window.until_ms or _NO_END, window.from_ms), reverse=True)
        return tuple(sorted(latest[:MOST_WINDOWS], key=lambda window: window[:2]))

    @property
    def is_cut(self) -> bool:
        """Whether some of what was given is closed for want of room, which the pages say."""
        return self.lends_more or len(self._every) > MOST_WINDOWS

    @cached_property
    def _every(self) -> tuple[PartyDays, ...]:
        own = (span for span in self.spans if isinstance(span, PartyDays))
        return join_windows((*own, *self.lent))

    @cached_property
    def destination_ids(self) -> frozenset[int]:
        """Of the destinations that were given, whose names the person knows."""
        return frozenset(span.destination_id for span in self.spans if isinstance(span, DestinationDays))

    @cached_property
    def party_ids(self) -> frozenset[int]:
        return frozenset(window.party_id for window in self.windows)

    @cached_property
    def by_days(self) -> dict[tuple[datetime | None, datetime | None], list[int]]:
        """Parties by the (start, end) of their windows. Most have the same: a statement names these once."""
        found: dict[tuple[datetime | None, datetime | None], list[int]] = {}
        for each in self.windows:
            found.setdefault((each.start, each.end), []).append(each.party_id)
        return found

    def opens(self, party_id: int | None, ms: int) -> bool:
        """Whether this party is theirs in a call that starts at `ms`, milliseconds since 1970."""
        return party_id in self.party_ids and any(
            each.party_id == party_id and each.from_ms <= ms and (each.until_ms is None or ms < each.until_ms)
            for each in self.windows
        )

    def took_part(self, party_id: Any, started_at: Any) -> ColumnElement[bool]:
        """Of rows of call_party, by these two columns of it or of an alias: one of theirs, in its days."""
        if not self.windows:
            return false()
        conditions: list[ColumnElement[bool]] = []
        for (start, end), party_ids in self.by_days.items():
            after = [] if start is None else [started_at >= start]
            before = [] if end is None else [started_at < end]
            conditions.append(and_(party_id.in_(party_ids), *after, *before))
        # The list of all of them first: by it the key of call_party is walked.
        return conditions[0] if len(conditions) == 1 else and_(party_id.in_(sorted(self.party_ids)), or_(*conditions))


def join_windows(windows: Iterable[PartyDays]) -> tuple[PartyDays, ...]:
    """In order, and those of a party that overlap or follow on as one."""
    found: list[PartyDays] = []
    for each in sorted(windows, key=lambda window: window[:2]):
        last = found[-1] if found else None
        if (
            last is None
            or last.party_id != each.party_id
            or (last.until_ms is not None and last.until_ms < each.from_ms)
        ):
            found.append(each)
        elif last.until_ms is not None and (each.until_ms is None or each.until_ms > last.until_ms):
            found[-1] = last._replace(until_ms=each.until_ms)
    return tuple(found)


def covers(outer: Narrowing | None, inner: Narrowing | None) -> bool:
    """Whether `inner` opens nothing that `outer` does not, whatever destinations hold later; None is somebody who is
    not narrowed. What was given is compared, not what it comes to at the moment.
    """
    if outer is None:
        return True
    return inner is not None and all(any(holds(has, wanted) for has in outer.spans) for wanted in inner.spans)


Condition = Callable[[Narrowing, int], ColumnElement[bool]]
_conditions: dict[type[Any], Condition | None] = {}


def narrowed_by(mapped: type[Any], condition: Condition) -> None:
    """A narrowed session sees the rows that meet condition(narrowing, organization_id)."""
    _conditions[mapped] = condition


def open_to_narrowed(*mapped: type[Any]) -> None:
    """Tables that tell of no call: a narrowed session sees them like any other."""
    _conditions.update(dict.fromkeys(mapped))


def closed_to_narrowed(*mapped: type[Any]) -> None:
    """Tables that a narrowed session sees nothing of: they tell of calls, and cannot be cut."""
    for each in mapped:
        narrowed_by(each, lambda _narrowing, _organization_id: false())


def conditions_for(narrowing: Narrowing, organization_id: int) -> Iterator[tuple[type[Any], ColumnElement[bool]]]:
    """What the lock adds to each tenant table that is not open."""
    for mapped in tenant_classes():
        condition = _conditions.get(mapped, _nothing)
        if condition is not None:
            yield mapped, condition(narrowing, organization_id)


def tenant_classes() -> list[type[Any]]:
    """Every mapped class whose rows belong to one organization, but Membership."""
    return [mapper.class_ for mapper in Base.registry.mappers if issubclass(mapper.class_, Tenant)]


def bare(mapped: type[Base]) -> FromClause:
    """The table of an entity under another name, for a condition: the lock does not narrow its own conditions again,
    so each names the organization itself.
    """
    return mapped.__table__.alias()


def has_spoken_for(mapped: type[Any]) -> bool:
    """Whether a package has said what a narrowed session sees of it; a test wants an answer for each."""
    return mapped in _conditions


def _nothing(_narrowing: Narrowing, _organization_id: int) -> ColumnElement[bool]:
    return false()


open_to_narrowed(MembershipParty, MembershipDestination)
