"""What people do with destinations: add, change, archive, merge. Called by the views, the CSV and the demo.

Each holds the organization first (whoever changes holders does) and records what it did in the audit as done by
`actor_id`, a user_account; None is the operator. Patterns are changed by turns.py. Rules that are broken raise Refused
with the field's name, and nothing is written.
"""

from dataclasses import dataclass

from sqlalchemy import select, update

from webapp.audit.actions import record
from webapp.clock import now
from webapp.database.ids import new_id
from webapp.destinations.holders import write_holders
from webapp.destinations.matching import Pattern
from webapp.destinations.members import move_members, move_readers, set_members
from webapp.destinations.models import Destination, DestinationKind, DestinationPattern
from webapp.destinations.queries import get_held
from webapp.destinations.turns import set_patterns, touch
from webapp.errors import Refused
from webapp.names import clean_name
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.members import hold_organization

LONGEST_NAME = 80
LONGEST_NOTE = 2000
COLOURS = 8
_MERGED = "It was merged into another one, which has its numbers and calls now. Change that one."


@dataclass(frozen=True)
class Described:
    """What people write about a destination. `members`: ids of the persons of a team."""

    kind: DestinationKind
    name: str
    patterns: tuple[Pattern, ...]
    colour: int = 0
    note: str = ""
    members: frozenset[int] = frozenset()


class ChangedMeanwhile(Refused):
    """Somebody else stored a change since the form was opened."""


def add_destination(session: LockedSession, described: Described, *, actor_id: int | None) -> Destination:
    """A new destination. Raises Refused for a pattern that is another's."""
    hold_organization(session)
    moment = now()
    destination = Destination(
        id=new_id(),
        kind=described.kind,
        name=_checked_name(described.name),
        colour=_checked_colour(described.colour),
        note=_checked_note(described.note),
        version=1,
        created_at=moment,
        changed_at=moment,
        changed_by=actor_id,
    )
    session.add(destination)
    session.flush()
    _set_members(session, destination, described)
    set_patterns(session, destination, described.patterns, actor_id)
    record(session, "destination.added", actor_id=actor_id, object_id=destination.id, name=destination.name)
    return destination


def change_destination(
    session: LockedSession, destination_id: int, version: int, described: Described, *, actor_id: int | None
) -> Destination:
    """Store what a form says. `version`: of the destination as the form showed it.

    A pattern that is taken off is taken off for all time, as if it had been wrong: where others had it too, its turns
    become nobody's. hand_over() is for what was right.
    Raises ChangedMeanwhile, and Refused as add_destination() does and for one that was merged into another.
    """
    hold_organization(session)
    destination = get_held(session, destination_id)
    if destination.merged_into_id is not None:
        raise Refused(_MERGED)
    if destination.version != version:
        raise ChangedMeanwhile("Somebody else changed this meanwhile. Nothing of yours was stored yet.")
    before = destination.name
    destination.kind = described.kind
    destination.name = _checked_name(described.name)
    destination.colour = _checked_colour(described.colour)
    destination.note = _checked_note(described.note)
    touch(destination, actor_id)
    _set_members(session, destination, described)
    set_patterns(session, destination, described.patterns, actor_id)
    record(
        session,
        "destination.changed",
        actor_id=actor_id,
        object_id=destination.id,
        before=before,
        name=destination.name,
    )
    return destination


def archive(session: LockedSession, destination_id: int, *, actor_id: int | None) -> Destination:
    """Offer it nowhere any more. What it was named for keeps its name."""
    hold_organization(session)
    destination = get_held(session, destination_id)
    if destination.archived_at is None:
        destination.archived_at = now()
        touch(destination, actor_id)
        record(session, "destination.archived", actor_id=actor_id, object_id=destination.id, name=destination.name)
    return destination


def bring_back(session: LockedSession, destination_id: int, *, actor_id: int | None) -> Destination:
    """Offer an archived one again. Raises Refused for one that was merged into another."""
    hold_organization(session)
    destination = get_held(session, destination_id)
    if destination.merged_into_id is not None:
        raise Refused(_MERGED)
    if destination.archived_at is not None:
        destination.archived_at = None
        touch(destination, actor_id)
        record(session, "destination.brought_back", actor_id=actor_id, object_id=destination.id, name=destination.name)
    return destination


def merge(session: LockedSession, source_id: int, into_id: int, *, actor_id: int | None) -> Destination:
    """The patterns, people and readers of one become another's, as far back as they were its own; the one is archived.

    Whoever was narrowed to the one sees the calls of the other from then on. Raises Refused for one and the same, and
    for a team with anything but a team.
    """
    if source_id == into_id:
        raise Refused("Choose another one to merge it into.", "into")
    hold_organization(session)
    source, into = get_held(session, source_id), get_held(session, into_id)
    if source.merged_into_id is not None or into.archived_at is not None:
        raise Refused("Only what is not archived can be merged.", "into")
    if (source.kind == DestinationKind.TEAM) != (into.kind == DestinationKind.TEAM):
        raise Refused("A team can be merged with another team only, since it consists of people.", "into")
    patterns = _move_patterns(session, source, into)
    move_members(session, source, into)
    move_readers(session, source, into)
    source.archived_at, source.merged_into_id = now(), into.id
    # What was merged into the one before leads to the other too, so that an old name is one step away from the newest.
    session.execute(update(Destination).where(Destination.merged_into_id == source.id).values(merged_into_id=into.id))
    for each in (source, into):
        touch(each, actor_id)
    session.flush()
    write_holders(session, patterns)
    record(session, "destination.merged", actor_id=actor_id, object_id=into.id, name=source.name, into=into.name)
    return into


def _move_patterns(session: LockedSession, source: Destination, into: Destination) -> list[Pattern]:
    """In one statement: a list of contacts may hold thousands."""
    of_it = DestinationPattern.destination_id == source.id
    columns = (DestinationPattern.kind, DestinationPattern.digits, DestinationPattern.pbx_id)
    patterns = [Pattern(*row) for row in session.execute(select(*columns).where(of_it).distinct())]
    session.execute(update(DestinationPattern).where(of_it).values(destination_id=into.id))
    return patterns


def _set_members(session: LockedSession, destination: Destination, described: Described) -> None:
    wanted = described.members if described.kind == DestinationKind.TEAM else frozenset()
    known = select(Destination.id).where(Destination.id.in_(sorted(wanted)), Destination.kind == DestinationKind.PERSON)
    if set(session.scalars(known)) != wanted:
        raise Refused("A team consists of people. Choose them from the list.", "members")
    set_members(session, destination, wanted)


def _checked_name(name: str) -> str:
    name = clean_name(name)
    if not 1 <= len(name) <= LONGEST_NAME:
        raise Refused(f"Give it a name of at most {LONGEST_NAME} characters.", "name")
    return name


def _checked_colour(colour: int) -> int:
    if not 0 <= colour <= COLOURS:
        raise Refused("Choose one of the colours.", "colour")
    return colour


def _checked_note(note: str) -> str:
    if len(note) > LONGEST_NOTE:
        raise Refused(f"Use at most {LONGEST_NOTE:,} characters.", "note")
    return note.strip()
