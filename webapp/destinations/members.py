"""Who belongs to a team, and who reads the calls of a destination: set with a form, moved by a merge.

Called by actions.py, which holds the organization.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import or_, select

from webapp.destinations.models import Destination, DestinationKind, DestinationMember
from webapp.organizations.models import InvitationDestination
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.models import MembershipDestination


def set_members(session: LockedSession, destination: Destination, person_ids: Collection[int]) -> None:
    """Let a team consist of these persons. What is no person any more leaves the teams that it was in."""
    missing = {(destination.id, person_id) for person_id in person_ids}
    is_person = destination.kind == DestinationKind.PERSON
    for row in _rows_with(session, destination):
        pair = row.team_id, row.person_id
        if pair not in missing and not (is_person and row.person_id == destination.id):
            session.delete(row)
        missing.discard(pair)
    session.add_all(DestinationMember(team_id=team_id, person_id=person_id) for team_id, person_id in sorted(missing))
    session.flush()


def move_members(session: LockedSession, source: Destination, into: Destination) -> None:
    """Whoever was of the one team is of the other; the teams of the one person are the other's, if that is a person."""
    known = {(row.team_id, row.person_id) for row in _rows_with(session, into)}
    for row in _rows_with(session, source):
        session.delete(row)
        team_id, person_id = (into.id if each == source.id else each for each in (row.team_id, row.person_id))
        is_ours = person_id != into.id or into.kind == DestinationKind.PERSON
        if is_ours and (team_id, person_id) not in known:
            known.add((team_id, person_id))
            session.add(DestinationMember(team_id=team_id, person_id=person_id))
    session.flush()


def move_readers(session: LockedSession, source: Destination, into: Destination) -> None:
    """Who saw the calls of the one, or is invited to, sees those of the other; of two spans from one day the longer."""
    for mapped, whose in ((MembershipDestination, "user_account_id"), (InvitationDestination, "invitation_id")):
        _move_spans(session, mapped, whose, source, into)
    session.flush()


def _move_spans(session: LockedSession, mapped: Any, whose: str, source: Destination, into: Destination) -> None:
    rows = session.scalars(
        select(mapped).where(mapped.destination_id.in_([source.id, into.id])).execution_options(populate_existing=True)
    ).all()
    known = {(getattr(row, whose), row.from_at): row for row in rows if row.destination_id == into.id}
    for row in rows:
        if row.destination_id == into.id:
            continue
        key = getattr(row, whose), row.from_at
        session.delete(row)
        if key in known:
            known[key].until_at = _later(known[key].until_at, row.until_at)
        else:
            values = {whose: key[0], "destination_id": into.id, "from_at": row.from_at, "until_at": row.until_at}
            known[key] = mapped(**values)
            session.add(known[key])


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    """None is without an end."""
    return None if one is None or other is None else max(one, other)


def _rows_with(session: LockedSession, destination: Destination) -> list[DestinationMember]:
    its = or_(DestinationMember.team_id == destination.id, DestinationMember.person_id == destination.id)
    statement = select(DestinationMember).where(its).execution_options(populate_existing=True)
    return list(session.scalars(statement))
