"""Lists destinations: a page at a time in the order that was chosen, with their patterns and people.

A page begins after a destination, which the address names by its id: no name stands in it. Called by the views.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, and_, func, or_, select, tuple_

from webapp.clock import now, to_ms
from webapp.destinations.matching import Pattern, Turn, holder_at
from webapp.destinations.models import Destination, DestinationKind, DestinationMember, DestinationPattern
from webapp.tenancy.lock import LockedSession

ON_A_PAGE = 50
FOUND_AT_MOST = 50  #: by digits: who looks for more writes more of them
OFFERED_AT_MOST = 500


class Sort(StrEnum):
    NAME = "name"
    KIND = "kind"
    CHANGED = "changed"


@dataclass(frozen=True)
class Asked:
    """Which destinations. `words`: each stands in the name or the note. `after_id`: the last one of the page before."""

    words: str = ""
    kind: DestinationKind | None = None
    sort: Sort = Sort.NAME
    archived: bool = False
    after_id: int | None = None

    @property
    def is_filtered(self) -> bool:
        return bool(self.words or self.kind)

    def to_query(self, **changes: Any) -> dict[str, str]:
        """As it stands in an address, without what goes without saying."""
        asked = replace(self, **{"after_id": None, **changes})
        pairs = {
            "q": asked.words,
            "kind": asked.kind.name.lower() if asked.kind else "",
            "sort": "" if asked.sort == Sort.NAME else asked.sort.value,
            "archived": "yes" if asked.archived else "",
        }
        return {name: value for name, value in pairs.items() if value}


class Named(NamedTuple):
    """What of a destination stands in a list of others."""

    id: int
    name: str
    kind: DestinationKind


_ORDERS: Mapping[Sort, tuple[Any, ...]] = {
    Sort.NAME: (func.lower(Destination.name), Destination.id),
    Sort.KIND: (Destination.kind, func.lower(Destination.name), Destination.id),
    Sort.CHANGED: (Destination.changed_at, Destination.id),  # the newest first
}


def list_destinations(session: LockedSession, asked: Asked) -> tuple[list[Destination], bool]:
    """A page of them, and whether more follow."""
    order, newest_first = _ORDERS[asked.sort], asked.sort == Sort.CHANGED
    wanted = select(Destination).where(_meets(asked))
    if asked.after_id is not None:
        place = session.execute(select(*order).where(Destination.id == asked.after_id)).one_or_none()
        if place is not None:
            here, there = tuple_(*order), tuple_(*place, types=[column.type for column in order])
            wanted = wanted.where(here < there if newest_first else here > there)
    ordered = [column.desc() for column in order] if newest_first else list(order)
    found = list(session.scalars(wanted.order_by(*ordered).limit(ON_A_PAGE + 1)))
    return found[:ON_A_PAGE], len(found) > ON_A_PAGE


def count_kinds(session: LockedSession) -> dict[DestinationKind, int]:
    """How many there are of each kind, archived ones left out."""
    rows = session.execute(
        select(Destination.kind, func.count()).where(Destination.archived_at.is_(None)).group_by(Destination.kind)
    )
    return {row[0]: row[1] for row in rows}


def count_archived(session: LockedSession) -> int:
    return session.scalar(select(func.count(Destination.id)).where(Destination.archived_at.is_not(None))) or 0


def find_by_digits(
    session: LockedSession, words: str, pieces: Collection[str], kind: DestinationKind | None = None
) -> list[Destination]:
    """Those with a pattern that holds one of the pieces of digits, or whose name or note holds the words."""
    in_patterns = select(DestinationPattern.destination_id).where(
        or_(*(DestinationPattern.digits.contains(piece, autoescape=True) for piece in sorted(pieces)))
    )
    found = (
        select(Destination)
        .where(or_(_holds(words), Destination.id.in_(in_patterns) if pieces else _holds(words)), *_of_kind(kind))
        .order_by(Destination.archived_at.is_not(None), func.lower(Destination.name), Destination.id)
        .limit(FOUND_AT_MOST)
    )
    return list(session.scalars(found))


def _meets(asked: Asked) -> ColumnElement[bool]:
    archived = Destination.archived_at.is_not(None) if asked.archived else Destination.archived_at.is_(None)
    return and_(archived, *_of_kind(asked.kind), *(_holds(word) for word in asked.words.split()))


def _of_kind(kind: DestinationKind | None) -> list[ColumnElement[bool]]:
    return [] if kind is None else [Destination.kind == kind]


def _holds(word: str) -> ColumnElement[bool]:
    # SQLite folds the case of ASCII letters only; three spellings of the others meet nearly every name.
    spellings = {word} if word.isascii() else {word.lower(), word.upper(), word.title()}
    columns = (Destination.name, Destination.note)
    return or_(*(column.icontains(each, autoescape=True) for each in sorted(spellings) for column in columns))


def list_patterns(session: LockedSession, destination_ids: Iterable[int]) -> dict[int, list[Pattern]]:
    """By id: the patterns that are a destination's now, in order."""
    ids = sorted(set(destination_ids))
    theirs = select(DestinationPattern.pattern_key).where(DestinationPattern.destination_id.in_(ids))
    rows = session.scalars(select(DestinationPattern).where(DestinationPattern.pattern_key.in_(theirs))).all()
    turns: dict[Pattern, list[Turn]] = {}
    for row in rows:
        pattern = Pattern(row.kind, row.digits, row.pbx_id)
        turns.setdefault(pattern, []).append(Turn(to_ms(row.from_at), row.destination_id))
    found: dict[int, list[Pattern]] = {each: [] for each in ids}
    moment = to_ms(now())
    for pattern, history in sorted(turns.items(), key=lambda item: item[0].key):
        holder = holder_at(history, moment)
        if holder in found:
            found[holder].append(pattern)
    return found


def list_people(session: LockedSession, team_id: int | None = None) -> list[Named]:
    """Who can be of a team, by name: at most some hundred, and whoever is of this one already, archived or not."""
    is_offered = Destination.kind == DestinationKind.PERSON, Destination.archived_at.is_(None)
    members = [] if team_id is None else list_members(session, team_id)
    people = {each.id: each for each in (*_named(session, *is_offered, at_most=OFFERED_AT_MOST), *members)}
    return sorted(people.values(), key=lambda each: (each.name.casefold(), each.id))


def list_members(session: LockedSession, team_id: int) -> list[Named]:
    """The people of a team."""
    ids = select(DestinationMember.person_id).where(DestinationMember.team_id == team_id)
    return _named(session, Destination.id.in_(ids))


def list_teams(session: LockedSession, person_id: int) -> list[Named]:
    """The teams that a person is of."""
    ids = select(DestinationMember.team_id).where(DestinationMember.person_id == person_id)
    return _named(session, Destination.id.in_(ids))


def list_offered(session: LockedSession) -> list[Named]:
    """Names to choose from while typing, at most some hundred."""
    return _named(session, Destination.archived_at.is_(None), at_most=OFFERED_AT_MOST)


def find_named(session: LockedSession, name: str, kind: DestinationKind | None = None) -> list[Destination]:
    """Those that are not archived and have this name, whatever its capitals. At most two: more say no more."""
    wanted = " ".join(name.split())
    spellings = sorted({wanted, wanted.lower(), wanted.upper(), wanted.title()})
    same = or_(func.lower(Destination.name) == func.lower(wanted), Destination.name.in_(spellings))
    in_use = Destination.archived_at.is_(None), *_of_kind(kind)
    return list(session.scalars(select(Destination).where(same, *in_use).limit(2)))


def get_names(session: LockedSession, destination_ids: Iterable[int]) -> dict[int, str]:
    ids = sorted(set(destination_ids))
    rows = session.execute(select(Destination.id, Destination.name).where(Destination.id.in_(ids))).all()
    return {row.id: row.name for row in rows}


def _named(session: LockedSession, *conditions: ColumnElement[bool], at_most: int | None = None) -> list[Named]:
    rows = session.execute(
        select(Destination.id, Destination.name, Destination.kind)
        .where(*conditions)
        .order_by(func.lower(Destination.name), Destination.id)
        .limit(at_most)
    )
    return [Named(*row) for row in rows]
