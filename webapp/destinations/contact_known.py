"""What is known while a file of contacts is gone through: the names that are taken, and how its lines leave each.

Called by contact_import.py.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from sqlalchemy import select

from webapp.destinations.models import Destination, DestinationKind, DestinationMember
from webapp.errors import Refused
from webapp.tenancy.lock import LockedSession

_IDS_AT_ONCE = 500


@dataclass(frozen=True)
class Entry:
    """What of a destination a line can change, but for its patterns. `members`: ids of the persons of a team."""

    id: int
    kind: DestinationKind
    colour: int
    note: str
    members: frozenset[int] = field(default=frozenset())


class Directory:
    """Every name that is not archived, those of earlier lines of the file included. One for each pass over a file."""

    def __init__(self, session: LockedSession) -> None:
        self.claimed: dict[str, str] = {}  #: names by the keys of patterns that lines of this file bring
        self.left: dict[int, Entry] = {}  #: how earlier lines leave what they change; until it is written
        self.recognised: set[int] = set()  #: ids that earlier lines brought patterns; until then too
        self.parted: set[int] = set()  #: ids that are no person any more, and so of no team; until then too
        self._first: dict[str, int] = {}
        self._others: dict[str, list[int]] = {}  #: where several have one name
        self._people: set[int] = set()
        self._teams: dict[int, set[int]] = {}  #: of those in `left` by the persons who are of them
        rows = select(Destination.id, Destination.name, Destination.kind).where(Destination.archived_at.is_(None))
        for row in session.execute(rows):
            self._put(row.name, row.id, row.kind)

    def _put(self, name: str, destination_id: int, kind: DestinationKind) -> None:
        if self._first.setdefault(name.casefold(), destination_id) != destination_id:
            others = self._others.setdefault(name.casefold(), [])
            others += [destination_id] if destination_id not in others else []
        if kind == DestinationKind.PERSON:
            self._people.add(destination_id)
        elif destination_id in self._people:
            self._part(destination_id)

    def _part(self, person_id: int) -> None:
        self._people.discard(person_id)
        self.parted.add(person_id)
        for team_id in self._teams.pop(person_id, ()):
            team = self.left[team_id]
            self.left[team_id] = replace(team, members=team.members - {person_id})

    def list_ids(self, name: str) -> list[int]:
        """Of all that have this name, whatever its capitals."""
        key = name.casefold()
        return [self._first[key], *self._others.get(key, ())] if key in self._first else []

    def find(self, name: str) -> int | None:
        """Raises Refused for a name that more than one has."""
        ids = self.list_ids(name)
        if len(ids) > 1:
            raise Refused(f"More than one is called {name}, so it is not clear which is meant.")
        return ids[0] if ids else None

    def find_people(self, names: Iterable[str]) -> frozenset[int]:
        """The persons of a team. Raises Refused for who is not there yet: they stand in earlier lines."""
        found = set()
        for name in names:
            ids = [each for each in self.list_ids(name) if each in self._people]
            if not ids:
                raise Refused(f"There is no person called {name[:60]}. Import the people first, then their teams.")
            if len(ids) > 1:
                raise Refused(f"More than one person is called {name[:60]}, so it is not clear who is meant.")
            found.add(ids[0])
        return frozenset(found)

    def entry(self, destination_id: int, stored: Mapping[int, Entry]) -> Entry:
        """As earlier lines leave it; else as it is stored."""
        left = self.left.get(destination_id)
        if left is not None:
            return left
        found = stored[destination_id]
        return replace(found, members=found.members - self.parted) if self.parted else found

    def leave(self, name: str, entry: Entry, *, with_patterns: bool) -> None:
        """How a line leaves the destination that has this name."""
        self._put(name, entry.id, entry.kind)
        before = self.left.get(entry.id)
        for person_id in entry.members - (before.members if before else frozenset()):
            self._teams.setdefault(person_id, set()).add(entry.id)
        self.left[entry.id] = entry
        if with_patterns:
            self.recognised.add(entry.id)

    def forget(self) -> None:
        """What lines have left is written, and is read again: somebody may change it in between."""
        self.left.clear()
        self.recognised.clear()
        self.parted.clear()
        self._teams.clear()


def read_entries(session: LockedSession, ids: Collection[int]) -> dict[int, Entry]:
    """As they are stored, by id."""
    ordered, found = sorted(ids), dict[int, Entry]()
    for start in range(0, len(ordered), _IDS_AT_ONCE):
        some = ordered[start : start + _IDS_AT_ONCE]
        members: dict[int, set[int]] = {}
        pairs = select(DestinationMember.team_id, DestinationMember.person_id)
        for team_id, person_id in session.execute(pairs.where(DestinationMember.team_id.in_(some))):
            members.setdefault(team_id, set()).add(person_id)
        columns = Destination.id, Destination.kind, Destination.colour, Destination.note
        for row in session.execute(select(*columns).where(Destination.id.in_(some))):
            theirs = frozenset(members.get(row.id, ()))
            found[row.id] = Entry(row.id, row.kind, row.colour, row.note, theirs)
    return found
