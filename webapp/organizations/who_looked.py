"""What "Who looked" shows of an organization's audit: its rows by key, its people, its file, all as finished words.

Called by who_looked_views.py. Of somebody who has left, the page knows the address under which they joined, as long as
that is kept; their account may say something else by now, and that is not the organization's to see.
"""

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import or_, select

from webapp.accounts.models import AccountState, UserAccount
from webapp.audit.groups import GROUP_LABELS, group_of
from webapp.audit.kinds import KINDS, kinds_of, tell
from webapp.audit.models import AuditDetail, AuditEvent, AuditHead
from webapp.audit.objects import ObjectPage, find_pages
from webapp.clock import now
from webapp.csv_out import CsvRow, guard_cell
from webapp.database.engine import Database
from webapp.database.staff_rights import Area
from webapp.errors import Forbidden
from webapp.formatting import format_date
from webapp.organizations.looked_filter import OPERATOR, LookedFilter
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.models import Membership, Organization, OrganizationState, Role
from webapp.tenancy.sessions import reading_session

ROWS_ON_A_PAGE = 50
CSV_HEADER = ("Number", "When", "When (UTC)", "Who", "Address", "What", "Group", "Hash")
_ROWS_AT_ONCE = 2000
_JOINED = "member.joined"
_DAY = timedelta(days=1)


class Event(NamedTuple):
    """A row of the audit with its words, in the order of the SELECT below."""

    position: int
    kind: str
    at: datetime
    actor_id: int | None
    object_id: int | None
    row_hash: bytes
    words: str | None


@dataclass(frozen=True)
class Person:
    """`label` is the name, else the address; `detail` the address beside a name. `key` as in an address."""

    key: int | str
    label: str
    detail: str = ""


@dataclass(frozen=True)
class LookedRow:
    """An event as the page shows it. `page` is where what it is about lies, if that is still there."""

    event: Event
    who: Person
    sentence: str
    page: ObjectPage | None


THE_OPERATOR = Person(OPERATOR, "The operator")


def list_events(
    session: LockedSession, chosen: LookedFilter, zone: ZoneInfo, before: int | None, limit: int
) -> list[Event]:
    """Events of the bound organization, newest first, by key: those before a position."""
    query = (
        select(
            AuditEvent.position,
            AuditEvent.kind,
            AuditEvent.at,
            AuditEvent.actor_id,
            AuditEvent.object_id,
            AuditEvent.row_hash,
            AuditDetail.words,
        )
        .outerjoin(
            AuditDetail,
            (AuditDetail.organization_id == AuditEvent.organization_id) & (AuditDetail.position == AuditEvent.position),
        )
        .order_by(AuditEvent.position.desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(AuditEvent.position < before)
    if chosen.who is not None:
        query = query.where(AuditEvent.actor_id == (None if chosen.who == OPERATOR else chosen.who))
    if chosen.group is not None:
        query = query.where(AuditEvent.kind.in_(kinds_of(chosen.group)))
    if chosen.first is not None:
        query = query.where(AuditEvent.at >= datetime.combine(chosen.first, time.min, zone).astimezone(UTC))
    if chosen.last is not None:
        query = query.where(AuditEvent.at < datetime.combine(chosen.last + _DAY, time.min, zone).astimezone(UTC))
    return [Event(*row) for row in session.execute(query)]


def show_events(session: LockedSession, events: Sequence[Event], *, masked: bool) -> list[LookedRow]:
    """With who it was, and where what they are about lies. `masked`: numbers are hidden from the reader."""
    people = name_people(session, {event.actor_id for event in events if event.actor_id is not None})
    things = {event.position: (_about(event), event.object_id or 0) for event in events if event.object_id is not None}
    pages = find_pages(session, things.values())
    return [
        LookedRow(
            event,
            THE_OPERATOR if event.actor_id is None else people[event.actor_id],
            tell(event.kind, event.words, masked=masked),
            pages.get(things[event.position]) if event.position in things else None,
        )
        for event in events
    ]


def _about(event: Event) -> str:
    return KINDS[event.kind].about if event.kind in KINDS else ""


def list_people(session: LockedSession) -> list[Person]:
    """The members, by how they are called."""
    rows = session.execute(
        select(UserAccount.id, UserAccount.name, UserAccount.email)
        .join(Membership, Membership.user_account_id == UserAccount.id)
        .where(Membership.organization_id == session.organization_id)
    )
    return sorted((_as_person(*row) for row in rows), key=lambda person: person.label.casefold())


def name_people(session: LockedSession, ids: Collection[int]) -> dict[int, Person]:
    """Every one of these, whether still here or not. To support that may not see people, none has a name."""
    if not session.opens(Area.PEOPLE):
        return {person_id: Person(person_id, "Somebody") for person_id in ids}
    rows = session.execute(
        select(UserAccount.id, UserAccount.name, UserAccount.email)
        .join(Membership, Membership.user_account_id == UserAccount.id)
        .where(Membership.organization_id == session.organization_id, Membership.user_account_id.in_(ids))
    )
    found = {row.id: _as_person(*row) for row in rows}
    gone = set(ids) - found.keys()
    if gone and session.staff_id is None:
        found |= _name_staff(session, gone)
        gone -= found.keys()
        joined = select(AuditEvent.actor_id, AuditDetail.words).join(
            AuditDetail,
            (AuditDetail.organization_id == AuditEvent.organization_id) & (AuditDetail.position == AuditEvent.position),
        )
        for actor_id, words in session.execute(
            joined.where(AuditEvent.kind == _JOINED, AuditEvent.actor_id.in_(gone)).order_by(AuditEvent.position)
        ):
            if actor_id is not None and words is not None:
                found[actor_id] = Person(actor_id, f"{json.loads(words)['email']} (has left)")
    return {person_id: found.get(person_id) or Person(person_id, "Somebody who has left") for person_id in ids}


def _name_staff(session: LockedSession, ids: Collection[int]) -> dict[int, Person]:
    """Those of the operator's people, who were let in to look or did something for the organization."""
    rows = session.execute(
        select(UserAccount.id, UserAccount.name, UserAccount.email).where(UserAccount.id.in_(ids), UserAccount.is_staff)
    )
    return {row.id: Person(row.id, f"{row.name or row.email} (support)") for row in rows}


def _as_person(person_id: int, name: str, email: str) -> Person:
    return Person(person_id, name, email) if name else Person(person_id, email)


def read_head(session: LockedSession) -> AuditHead:
    """Where the chain ends."""
    return session.scalars(select(AuditHead)).one()


def tell_filter(session: LockedSession, chosen: LookedFilter) -> list[tuple[str, str, LookedFilter]]:
    """Each part that is on: its name, its value in words, and the filter without it."""
    told = []
    if chosen.who is not None:
        person = name_people(session, {chosen.who})[chosen.who] if isinstance(chosen.who, int) else THE_OPERATOR
        told.append(("Who", person.label, LookedFilter(None, chosen.group, chosen.first, chosen.last)))
    if chosen.group is not None:
        label = GROUP_LABELS[chosen.group]
        told.append(("What", label, LookedFilter(chosen.who, None, chosen.first, chosen.last)))
    if chosen.first is not None:
        told.append(("From", format_date(chosen.first), LookedFilter(chosen.who, chosen.group, None, chosen.last)))
    if chosen.last is not None:
        told.append(("To", format_date(chosen.last), LookedFilter(chosen.who, chosen.group, chosen.first, None)))
    return told


def export_events(
    database: Database, organization_id: int, reader_id: int, chosen: LookedFilter, zone: ZoneInfo, *, masked: bool
) -> Iterator[list[CsvRow]]:
    """The rows of the file under CSV_HEADER. Raises Forbidden where the reader may no longer."""
    before: int | None = None
    while True:
        with reading_session(database, organization_id) as session:
            check_owner(session, reader_id)
            events = list_events(session, chosen, zone, before, _ROWS_AT_ONCE)
            people = name_people(session, {event.actor_id for event in events if event.actor_id is not None})
        yield [_csv_row(event, people, zone, masked) for event in events]
        if len(events) < _ROWS_AT_ONCE:
            return
        before = events[-1].position


def _csv_row(event: Event, people: dict[int, Person], zone: ZoneInfo, masked: bool) -> CsvRow:
    who = THE_OPERATOR if event.actor_id is None else people[event.actor_id]
    return (
        event.position,
        f"{event.at.astimezone(zone):%Y-%m-%d %H:%M:%S}",
        f"{event.at:%Y-%m-%dT%H:%M:%SZ}",
        guard_cell(who.label),
        guard_cell(who.detail),
        guard_cell(tell(event.kind, event.words, masked=masked)),
        GROUP_LABELS[group_of(event.kind)] if event.kind in KINDS else "",
        bytes(event.row_hash).hex(),
    )


def check_owner(session: LockedSession, reader_id: int, *, while_suspended: bool = False) -> Membership:
    """What the reader is at this moment. Raises Forbidden where they are no owner any more who sees everything."""
    states = set(OrganizationState) - (set() if while_suspended else {OrganizationState.SUSPENDED})
    found = session.scalar(
        select(Membership)
        .join(Organization, Organization.id == Membership.organization_id)
        .join(UserAccount, UserAccount.id == Membership.user_account_id)
        .where(
            Membership.user_account_id == reader_id,
            Membership.organization_id == session.organization_id,
            ~Membership.narrowed,
            Organization.state.in_(states),  # of a closed one owners take everything with them
            or_(Membership.ends_at.is_(None), Membership.ends_at > now()),
            UserAccount.state == AccountState.ACTIVE,
        )
    )
    if found is None or found.role != Role.OWNER:
        raise Forbidden
    return found
