"""Whose a party is, and when: what a destination held from when until when, and who held a party as a call began.

Read by browse.py, export.py and detail.py for names, by selection.py and searches.py for what is looked for, by
destination_figures.py. Rows of party_holder are written by destinations/ alone.
"""

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from itertools import groupby
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Select, SmallInteger, Subquery, and_, func, select, type_coerce, union_all
from sqlalchemy.orm import aliased

from webapp.database.types import Instant, Milliseconds
from webapp.destinations.models import Destination, DestinationMember, Party, PartyHolder
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.narrowing import Narrowing, PartyDays

#: What means more parties than these is tested call by call; fewer, and the calls of each party are read.
MOST_PARTIES = 1000
Value = TypeVar("Value")
Number = TypeVar("Number", int, datetime)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)  # from it on holds what holds always


@dataclass(frozen=True)
class Spans:
    """Some parties, each in one or more stretches of time that do not overlap."""

    windows: tuple[PartyDays, ...] = ()

    @classmethod
    def always(cls, party_ids: Iterable[int]) -> "Spans":
        return cls(tuple(PartyDays(party_id) for party_id in sorted(party_ids)))

    @cached_property
    def _by_party(self) -> Mapping[int, Sequence[PartyDays]]:
        found: dict[int, list[PartyDays]] = {}
        for each in self.windows:
            found.setdefault(each.party_id, []).append(each)
        return found

    @property
    def party_ids(self) -> Collection[int]:
        return self._by_party.keys()

    @cached_property
    def are_dated(self) -> bool:
        """Whether any of these parties is meant for a part of its time only."""
        return any(each.start is not None or each.end is not None for each in self.windows)

    def hold(self, party_id: int, ms: int) -> bool:
        """Whether the party is meant in a call that starts at `ms`."""
        return any(
            each.from_ms <= max(ms, 0) and (each.until_ms is None or ms < each.until_ms)
            for each in self._by_party.get(party_id, ())
        )

    def opened_to(self, narrowing: Narrowing | None) -> "Spans":
        """What of it a narrowed reader may ask for: of parties that are theirs the days in which they are."""
        if narrowing is None:
            return self
        theirs = narrowing.party_ids
        cut = [each for each in self.windows if each.party_id not in theirs]
        for own in narrowing.windows:
            cut += [met for each in self._by_party.get(own.party_id, ()) if (met := _overlap(each, own)) is not None]
        return Spans(tuple(sorted(set(cut), key=lambda each: (each.party_id, each.from_ms))))


def _overlap(one: PartyDays, other: PartyDays) -> PartyDays | None:
    from_ms = max(one.from_ms, other.from_ms)
    ends = [each.until_ms for each in (one, other) if each.until_ms is not None]
    until_ms = min(ends, default=None)
    return PartyDays(one.party_id, from_ms, until_ms) if until_ms is None or from_ms < until_ms else None


class Dated(Generic[Value]):
    """What is shown of each party, as of the start of a call."""

    def __init__(self) -> None:
        self._always: dict[int | None, Value] = {}
        self._changing: dict[int | None, tuple[list[int], list[Value]]] = {}

    def __contains__(self, party_id: object) -> bool:
        return party_id in self._always or party_id in self._changing

    def __len__(self) -> int:
        return len(self._always) + len(self._changing)

    def learn(self, rows: Iterable[Sequence[Any]], show: Callable[[tuple[Any, ...]], Value]) -> None:
        """From rows of select_held(); `show` gets a row without its instant, _NOBODYS in it where nobody held it."""
        changes: dict[int, list[tuple[int, tuple[Any, ...]]]] = {}
        for row in rows:
            from_ms = row[-1]
            if from_ms is None or from_ms <= 0:
                self._always[row[0]] = show(tuple(row[:-1]))
            else:
                changes.setdefault(row[0], []).append((from_ms, tuple(row[:-1])))
        for party_id, later in changes.items():
            later.sort()
            before = later[0][1][: -len(_HOLDER)] + _NOBODYS
            values = [self._always.pop(party_id, None) or show(before), *(show(facts) for _ms, facts in later)]
            self._changing[party_id] = [ms for ms, _facts in later], values

    def at(self, party_id: int | None, ms: int) -> Value | None:
        """Of a party in a call that starts at `ms`; None where nothing is known of it."""
        found = self._always.get(party_id)
        if found is not None or party_id not in self._changing:
            return found
        starts, values = self._changing[party_id]
        return values[bisect_right(starts, ms)]


_HOLDER = (
    Destination.id.label("holder_id"),
    type_coerce(Destination.kind, SmallInteger).label("holder_kind"),
    Destination.colour.label("holder_colour"),
    Destination.name.label("holder_name"),
)
OF_HOLDER = and_(
    Destination.organization_id == PartyHolder.organization_id, Destination.id == PartyHolder.destination_id
)
_NOBODYS = (None,) * len(_HOLDER)
FROM_MS: ColumnElement[Any] = type_coerce(PartyHolder.from_at, Milliseconds()).label("from_ms")


def select_held(*columns: Any) -> Select[*tuple[Any, ...]]:
    """These columns of each party, Party.id first, with every holder that it ever had: one row for each."""
    return with_holders(select(*columns, *_HOLDER, FROM_MS))


def with_holders(statement: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    """A statement on Party, with a row for each row of party_holder that it has, and the destination of that."""
    of_party = and_(PartyHolder.organization_id == Party.organization_id, PartyHolder.party_id == Party.id)
    return statement.outerjoin(PartyHolder, of_party).outerjoin(Destination, OF_HOLDER)


def find_holders(session: LockedSession, party_ids: Collection[int], at: datetime) -> dict[int, Destination]:
    """Whose these parties were at an instant, by their ids; parties that were nobody's are missing."""
    latest_last = (
        select(PartyHolder.party_id, Destination)
        .outerjoin(Destination, OF_HOLDER)
        .where(PartyHolder.party_id.in_(party_ids), PartyHolder.from_at <= max(at, _EPOCH))
        .order_by(PartyHolder.from_at)
    )
    holders = {row.party_id: row.Destination for row in session.execute(latest_last)}
    return {party_id: held for party_id, held in holders.items() if held is not None}


def held_by(session: LockedSession, destination_ids: Sequence[int], at_most: int | None = None) -> Subquery:
    """What these destinations hold and held: destination_id, party_id, from_at, and until_at, NULL for no end. What the
    people of a team hold is the team's too.

    `at_most`: of so many of their rows only.
    """
    of_teams = DestinationMember.team_id.in_(destination_ids)
    people = session.scalars(select(DestinationMember.person_id).where(of_teams).distinct()).all()
    if not people:
        return _held_by_themselves(destination_ids, at_most)
    every = _held_by_themselves(sorted({*destination_ids, *people}), at_most).c
    itself = select(every.destination_id, every.party_id, every.from_at, every.until_at)
    lent = select(DestinationMember.team_id, every.party_id, every.from_at, every.until_at).where(
        of_teams, DestinationMember.person_id == every.destination_id
    )
    return union_all(itself.where(every.destination_id.in_(destination_ids)), lent).subquery()


def _held_by_themselves(destination_ids: Sequence[int], at_most: int | None) -> Subquery:
    theirs, rows = aliased(PartyHolder), aliased(PartyHolder)
    named = select(theirs.party_id).where(theirs.destination_id.in_(destination_ids)).limit(at_most).subquery()
    until_at = func.lead(rows.from_at, type_=Instant()).over(partition_by=rows.party_id, order_by=rows.from_at)
    columns = rows.destination_id, rows.party_id, rows.from_at, until_at.label("until_at")
    every = select(*columns).where(rows.party_id.in_(select(named.c.party_id))).subquery()
    return select(every).where(every.c.destination_id.in_(destination_ids)).subquery()


def find_spans(session: LockedSession, destination_id: int, at_most: int) -> Spans | None:
    """The parties of a destination, each while it was its; None where they are more than `at_most`."""
    held = held_by(session, [destination_id], at_most + 1)
    rows = session.execute(select(held.c.party_id, held.c.from_at, held.c.until_at)).all()
    return None if len(rows) > at_most else Spans(tuple(sorted(PartyDays.between(*row) for row in rows)))


@dataclass(frozen=True)
class HeldBy:
    """What a destination holds, asked of some parties at a time: for one that has too many to list."""

    destination_id: int

    def among(self, session: LockedSession, party_ids: Iterable[int]) -> Spans:
        """Those of the parties that it, or its people, ever held, while they did."""
        people = select(DestinationMember.person_id).where(DestinationMember.team_id == self.destination_id)
        theirs = {self.destination_id, *session.scalars(people)}
        of_these = PartyHolder.party_id.in_(evened(party_ids))
        columns = PartyHolder.party_id, FROM_MS, PartyHolder.destination_id
        rows = session.execute(select(*columns).where(of_these).order_by(PartyHolder.party_id, PartyHolder.from_at))
        changes = ((party_id, from_ms, held_by_id in theirs) for party_id, from_ms, held_by_id in rows)
        return spans_of(changes)


def spans_of(changes: Iterable[tuple[int, int, bool]]) -> Spans:
    """From (party, from when on, whether it is meant), in order; before its first row a party is not meant."""
    windows: list[PartyDays] = []
    for party_id, group in groupby(changes, key=lambda change: change[0]):
        begun: int | None = None
        for _party_id, from_ms, is_meant in group:
            if is_meant and begun is None:
                begun = max(from_ms, 0)
            elif not is_meant and begun is not None:
                windows += [PartyDays(party_id, begun, from_ms)] if from_ms > begun else []
                begun = None
        if begun is not None:
            windows.append(PartyDays(party_id, begun))
    return Spans(tuple(windows))


def is_closed(session: LockedSession, destination_id: int, narrowing: Narrowing) -> bool:
    """Whether a destination holds and held nothing in any day that a narrowed reader may ask for."""
    spans = find_spans(session, destination_id, MOST_PARTIES)
    return spans is not None and not spans.opened_to(narrowing).windows


def evened(values: Iterable[Number]) -> list[Number]:
    """Values for IN, the last one repeated up to a power of two; sorted.

    A list of each length would be a statement of its own, which sqlite3 keeps prepared: 256 of them took 30 MB.
    """
    listed = sorted(values)
    missing = (1 << max(len(listed) - 1, 0).bit_length()) - len(listed) if listed else 0
    return listed + listed[-1:] * missing
