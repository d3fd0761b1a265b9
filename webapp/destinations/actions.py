"""What people do with destinations: add, change, archive, merge. Called by the views, the CSV and the demo.

Each holds the organization first (whoever changes holders does) and records what it did in the audit as done by
`actor_id`, a user_account; None is the operator. Patterns are changed by turns.py. Rules that are broken raise Refused
with the field's name, and nothing is written.
"""

from dataclasses import dataclass

from sqlalchemy import delete, or_, select

from webapp.audit.actions import record
from webapp.clock import now
from webapp.database.ids import new_id
from webapp.destinations.holders import write_holders
from webapp.destinations.matching import Pattern
from webapp.destinations.models import Destination, DestinationKind, DestinationMember, DestinationPattern
from webapp.destinations.opened import follow_merge
from webapp.destinations.queries import get_held
from webapp.destinations.turns import pattern_of, set_patterns, touch
from webapp.errors import Refused
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.members import hold_organization

LONGEST_NAME = 80
LONGEST_NOTE = 2000
COLOURS = 8


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

    A pattern that is taken off is taken off for all time, as if it had been wrong; hand_over() is for what was right.
    Raises ChangedMeanwhile, and Refused as add_destination() does.
    """
    hold_organization(session)
    destination = get_held(session, destination_id)
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
        raise Refused("It was merged into another one, which has its numbers now.")
    if destination.archived_at is not None:
        destination.archived_at = None
        touch(destination, actor_id)
        record(session, "destination.brought_back", actor_id=actor_id, object_id=destination.id, name=destination.name)
    return destination


def merge(session: LockedSession, source_id: int, into_id: int, *, actor_id: int | None) -> Destination:
    """The patterns and people of one become another's, as far back as they were its own; the one is archived.

    Raises Refused for one and the same.
    """
    if source_id == into_id:
        raise Refused("Choose another one to merge it into.", "into")
    hold_organization(session)
    source, into = get_held(session, source_id), get_held(session, into_id)
    if source.merged_into_id is not None or into.archived_at is not None:
        raise Refused("Only what is not archived can be merged.", "into")
    rows = session.scalars(select(DestinationPattern).where(DestinationPattern.destination_id == source.id)).all()
    for row in rows:
        row.destination_id = into.id
    _move_members(session, source, into)
    follow_merge(session, source.id, into.id)
    source.archived_at, source.merged_into_id = now(), into.id
    for each in (source, into):
        touch(each, actor_id)
    session.flush()
    write_holders(session, [pattern_of(row) for row in rows])
    record(session, "destination.merged", actor_id=actor_id, object_id=into.id, name=source.name, into=into.name)
    return into


def _set_members(session: LockedSession, destination: Destination, described: Described) -> None:
    wanted = described.members if described.kind == DestinationKind.TEAM else frozenset()
    known = select(Destination.id).where(Destination.id.in_(sorted(wanted)), Destination.kind == DestinationKind.PERSON)
    if set(session.scalars(known)) != wanted:
        raise Refused("A team consists of people. Choose them from the list.", "members")
    session.execute(
        delete(DestinationMember)
        .where(DestinationMember.team_id == destination.id)
        .execution_options(synchronize_session=False)
    )
    session.expire_all()
    session.add_all(DestinationMember(team_id=destination.id, person_id=person_id) for person_id in sorted(wanted))
    session.flush()


def _move_members(session: LockedSession, source: Destination, into: Destination) -> None:
    """Whoever was of the one team is of the other; the teams of the one person are the other's."""
    rows = session.scalars(
        select(DestinationMember).where(
            or_(DestinationMember.team_id == source.id, DestinationMember.person_id == source.id)
        )
    ).all()
    pairs = {
        (into.id if row.team_id == source.id else row.team_id, into.id if row.person_id == source.id else row.person_id)
        for row in rows
    }
    for row in rows:
        session.delete(row)
    session.flush()
    for team_id, person_id in sorted(pairs):
        if session.get(DestinationMember, (session.organization_id, team_id, person_id)) is None:
            session.add(DestinationMember(team_id=team_id, person_id=person_id))
    session.flush()


def _checked_name(name: str) -> str:
    name = " ".join(name.split())
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
