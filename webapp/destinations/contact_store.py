"""Writes what a batch of lines of a file of contacts has decided: a few statements for all of them.

Called by contact_import.py in the transaction of contact_jobs.py, which holds the organization.
"""

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import delete, select

from webapp.audit.actions import Words, record_many
from webapp.destinations.contact_known import Directory, Entry
from webapp.destinations.matching import Pattern, Turn
from webapp.destinations.models import Destination, DestinationMember
from webapp.destinations.turns import give_patterns, touch
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.many_rows import insert_rows

_COLUMNS = ("id", "kind", "name", "colour", "note", "version", "created_at", "changed_at", "changed_by")
_IDS_AT_ONCE = 500


class Decided:
    """Which destinations some lines change. `stored`: those there already; `turns`: of the patterns they bring."""

    def __init__(self, stored: Mapping[int, Entry], turns: Mapping[str, Sequence[Turn]], moment: int) -> None:
        self.stored, self.turns, self.moment = stored, turns, moment
        self.new: dict[int, str] = {}  #: names by id
        self.changed: set[int] = set()
        self.given: dict[Pattern, int] = {}

    def take(self, destination_id: int, gained: Iterable[Pattern], new_name: str | None) -> None:
        """`new_name`: of one that is not there yet."""
        self.given |= dict.fromkeys(gained, destination_id)
        if new_name is not None:
            self.new[destination_id] = new_name
        elif destination_id not in self.new:
            self.changed.add(destination_id)


def store_decided(session: LockedSession, decided: Decided, directory: Directory, actor_id: int | None) -> None:
    """`directory`: how the lines leave them."""
    moment, rows = decided.moment, []
    for id_, name in decided.new.items():
        entry = directory.left[id_]
        rows.append((id_, int(entry.kind), name, entry.colour, entry.note, 1, moment, moment, actor_id))
    insert_rows(session, Destination, _COLUMNS, rows)
    _change(session, {id_: directory.left[id_] for id_ in decided.changed}, actor_id)
    _set_members(session, decided, directory)
    give_patterns(session, decided.given, decided.turns, moment, actor_id)


def _change(session: LockedSession, entries: Mapping[int, Entry], actor_id: int | None) -> None:
    told: list[tuple[int | None, Words]] = []
    for some in _chunks(sorted(entries)):
        statement = select(Destination).where(Destination.id.in_(some)).execution_options(populate_existing=True)
        for row in session.scalars(statement):
            entry = entries[row.id]
            row.kind, row.colour, row.note = entry.kind, entry.colour, entry.note
            touch(row, actor_id)
            told.append((row.id, {"before": row.name, "name": row.name}))
    session.flush()
    record_many(session, "destination.changed", told, actor_id=actor_id)


def _set_members(session: LockedSession, decided: Decided, directory: Directory) -> None:
    """What is no team any more has nobody, who is no person any more is of none."""
    pairs, emptied = list[tuple[int, int]](), list[int]()
    for id_ in (*decided.new, *decided.changed):
        known = decided.stored[id_].members - directory.parted if id_ in decided.stored else frozenset()
        members = directory.left[id_].members
        if not known <= members:
            known = frozenset()
            emptied.append(id_)
        pairs += [(id_, person_id) for person_id in sorted(members - known)]
    for some in _chunks(emptied):
        session.execute(delete(DestinationMember).where(DestinationMember.team_id.in_(some)))
    for some in _chunks(sorted(directory.parted)):
        session.execute(delete(DestinationMember).where(DestinationMember.person_id.in_(some)))
    insert_rows(session, DestinationMember, ("team_id", "person_id"), pairs)


def _chunks(ids: Sequence[int]) -> Iterable[Sequence[int]]:
    return (ids[start : start + _IDS_AT_ONCE] for start in range(0, len(ids), _IDS_AT_ONCE))
