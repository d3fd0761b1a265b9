"""All destinations as rows of a CSV, read by key in short transactions. Called by csv_views.py."""

from collections.abc import Iterator, Sequence

from sqlalchemy import and_, or_, select, tuple_
from sqlalchemy.orm import aliased

from webapp.clock import now
from webapp.csv_out import CsvRow, guard_cell
from webapp.database.engine import Database
from webapp.destinations.kind_words import COLOUR_NAMES, KIND_LABELS
from webapp.destinations.listing import list_patterns
from webapp.destinations.models import Destination, DestinationKind, DestinationMember
from webapp.destinations.patterns import Plan, spell_patterns
from webapp.errors import Forbidden
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.models import Membership, Numbers
from webapp.tenancy.sessions import reading_session
from webapp.tenancy.staff_entry import LetIn

_AT_ONCE = 500


def export_destinations(
    database: Database, organization_id: int, reader_id: int, plan: Plan, let_in: LetIn | None = None
) -> Iterator[list[CsvRow]]:
    """By kind: people stand before the teams that they are of, as import wants it.

    Each piece asks again whether the reader still may have it. Raises Forbidden where not.
    """
    place = (DestinationKind.PERSON, 0)
    order = tuple_(Destination.kind, Destination.id)
    types = [Destination.kind.type, Destination.id.type]
    while True:
        with reading_session(database, organization_id) if let_in is None else let_in.reading() as session:
            if let_in is None:
                check_standing(session, reader_id)
            found = session.scalars(
                select(Destination)
                .where(order > tuple_(*place, types=types), Destination.archived_at.is_(None))
                .order_by(Destination.kind, Destination.id)
                .limit(_AT_ONCE)
            ).all()
            if not found:
                return
            rows = _rows(session, found, plan)
        yield rows
        place = (found[-1].kind, found[-1].id)


def check_standing(session: LockedSession, reader_id: int) -> None:
    """Raises Forbidden for who may take no destinations away any more."""
    found = session.scalar(
        select(Membership).where(
            Membership.user_account_id == reader_id, or_(Membership.ends_at.is_(None), Membership.ends_at > now())
        )
    )
    if found is None or not found.may_export or found.narrowed or found.numbers != Numbers.FULL:
        raise Forbidden


def _rows(session: LockedSession, found: Sequence[Destination], plan: Plan) -> list[CsvRow]:
    ids = [each.id for each in found]
    patterns, members = list_patterns(session, ids), _members(session, ids)
    return [
        tuple(
            guard_cell(cell)
            for cell in (
                each.name,
                KIND_LABELS[each.kind],
                "; ".join(spell_patterns(patterns[each.id], plan).splitlines()),
                COLOUR_NAMES[each.colour] if each.colour else "",
                each.note,
                "; ".join(members.get(each.id, ())),
            )
        )
        for each in found
    ]


def _members(session: LockedSession, team_ids: list[int]) -> dict[int, list[str]]:
    person = aliased(Destination)
    rows = session.execute(
        select(DestinationMember.team_id, person.name)
        .join(
            person,
            and_(person.organization_id == DestinationMember.organization_id, person.id == DestinationMember.person_id),
        )
        .where(DestinationMember.team_id.in_(team_ids))
        .order_by(person.name)
    )
    found: dict[int, list[str]] = {}
    for team_id, name in rows:
        found.setdefault(team_id, []).append(name)
    return found
