"""Which rows a disclosure hands out: a CSV file for each kind of row, by area, read by key in short transactions.

Called by disclosure_archive.py. Numbers stand in full, names as they are; nothing outside the period of calls is in
calls or lines. Text is guarded as in every export, so that no spreadsheet takes a cell for a formula.
"""

import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Any

from sqlalchemy import ColumnElement, Select, select, tuple_

from webapp.accounts.models import UserAccount
from webapp.calls.browse import PARTY_COLUMNS
from webapp.calls.models import Call, CallParty, CallRecord, CallRecordVersion, ImportFile, PartyRole, Pbx, RejectedLine
from webapp.calls.spans import Dated, select_held
from webapp.calls.words import NO_CALLER, PartyFacts, name_of
from webapp.clock import to_ms
from webapp.csv_out import Cell, CsvRow, guard_cell
from webapp.database.engine import Database
from webapp.database.staff_rights import Area
from webapp.destinations.models import Destination, DestinationMember, DestinationPattern, Party, PartyHolder
from webapp.destinations.route_models import Number, Route, RoutePlan, Schedule, ScheduleVersion
from webapp.organizations.models import Invitation
from webapp.tenancy.consent_models import Disclosure
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.models import Membership
from webapp.tenancy.sessions import reading_session

_AT_ONCE = 1000
Pages = Iterator[list[CsvRow]]


@dataclass(frozen=True)
class Sheet:
    """One file of the archive. `pages` gives its rows under `header`."""

    name: str
    header: tuple[str, ...]
    pages: Callable[[Database, Disclosure], Pages]


def list_sheets(disclosure: Disclosure) -> list[Sheet]:
    """The files that the scope asks for, in order."""
    sheets = [sheet for area, some in _SHEETS.items() if area & disclosure.areas for sheet in some]
    # A line that could not be read has no time: where a period is named it cannot be said to lie in it.
    undated = disclosure.from_at is None and disclosure.until_at is None
    return [*sheets, _REFUSED] if undated and Area.SOURCES & disclosure.areas else sheets


def spell(value: Any) -> Cell:
    """A value of a column as a cell: instants in UTC, closed lists by their names, raw lines as text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%dT%H:%M:%S}.{value.microsecond // 1000:03}Z"
    if isinstance(value, IntEnum):
        return value.name.lower()
    if isinstance(value, bytes):
        # What is no UTF-8 stands as \xNN, and a backslash as two: so the exact bytes can be told from the text.
        return guard_cell(value.replace(b"\\", b"\\\\").decode("utf-8", "backslashreplace"))
    return value if isinstance(value, int) else guard_cell(str(value))


def _read_by_key(
    database: Database, organization_id: int, query: Select[*tuple[Any, ...]], key: Sequence[Any]
) -> Iterator[tuple[LockedSession, list[Any]]]:
    """Pages of a query in the order of its key, whose columns stand first in it; each page in its own transaction."""
    place: tuple[Any, ...] | None = None
    types = [column.type for column in key]
    while True:
        paged = query.order_by(*key).limit(_AT_ONCE)
        if place is not None:
            paged = paged.where(tuple_(*key) > tuple_(*place, types=types))
        with reading_session(database, organization_id) as session:
            rows = list(session.execute(paged))
            yield session, rows
        if len(rows) < _AT_ONCE:
            return
        place = tuple(rows[-1][: len(key)])


def _plain(name: str, header: str, query: Select[*tuple[Any, ...]], *key: Any) -> Sheet:
    """Rows as they are stored. `header` names the columns of the query, the ones of its key first."""

    def pages(database: Database, disclosure: Disclosure) -> Pages:
        for _session, rows in _read_by_key(database, disclosure.organization_id, query, key):
            yield [tuple(spell(value) for value in row) for row in rows]

    return Sheet(name, tuple(header.split(", ")), pages)


def _within(column: Any, disclosure: Disclosure) -> list[ColumnElement[bool]]:
    """The period of calls."""
    found = []
    if disclosure.from_at is not None:
        found.append(column >= disclosure.from_at)
    if disclosure.until_at is not None:
        found.append(column < disclosure.until_at)
    return found


# ------------------------------------------------------------------------------------------------------------- calls


class _Names:
    """Numbers and names of parties as of a call; what is known is not looked up again, as long as it is not much."""

    def __init__(self) -> None:
        self._known: Dated[tuple[str, str]] = Dated()

    def learn(self, session: LockedSession, party_ids: set[int]) -> None:
        if len(self._known) > 20 * _AT_ONCE:
            self._known = Dated()
        asked = sorted(party_id for party_id in party_ids if party_id not in self._known)
        for first in range(0, len(asked), _AT_ONCE):
            some = asked[first : first + _AT_ONCE]
            rows = session.execute(select_held(*PARTY_COLUMNS).where(Party.id.in_(some)))
            self._known.learn(rows, _number_and_name)

    def at(self, party_id: int | None, started_at: datetime) -> tuple[str, str]:
        return self._known.at(party_id, to_ms(started_at)) or ("", "")


def _number_and_name(row: tuple[Any, ...]) -> tuple[str, str]:
    party = PartyFacts(*row)
    return guard_cell(party.e164 or party.digits), guard_cell(name_of(party, masked=False))


def _pages_of_calls(database: Database, disclosure: Disclosure) -> Iterator[tuple[LockedSession, list[Call]]]:
    query = select(Call.started_at, Call.call_key, Call).where(*_within(Call.started_at, disclosure))
    key = (Call.started_at, Call.call_key)
    for session, rows in _read_by_key(database, disclosure.organization_id, query, key):
        yield session, [row[2] for row in rows]


def _calls(database: Database, disclosure: Disclosure) -> Pages:
    names = _Names()
    for session, calls in _pages_of_calls(database, disclosure):
        systems = {row.id: guard_cell(row.name) for row in session.execute(select(Pbx.id, Pbx.name))}
        sides = [(call, (call.caller_id, call.dialed_id, call.callee_id, call.answered_by_id)) for call in calls]
        own = {call.did_id for call in calls if call.did_id is not None}
        names.learn(session, own | {each for _call, some in sides for each in some if each is not None})
        yield [
            (
                spell(call.started_at),
                spell(call.ended_at),
                call.call_key,
                spell(call.direction),
                spell(call.outcome),
                *(cell for party_id in some for cell in names.at(party_id, call.started_at)),
                names.at(call.did_id, call.started_at)[0],
                NO_CALLER[call.caller_reason],
                call.ring_seconds,
                call.wait_seconds,
                call.talk_seconds,
                systems.get(call.pbx_id, ""),
            )
            for call, some in sides
        ]


def _took_part(database: Database, disclosure: Disclosure) -> Pages:
    """A row for each party of each call, by call."""
    names = _Names()
    for session, calls in _pages_of_calls(database, disclosure):
        if not calls:
            continue
        party_ids = {each for call in calls for each in struct.unpack(f">{len(call.party_ids) // 8}q", call.party_ids)}
        names.learn(session, party_ids)
        keys = {call.call_key for call in calls}
        found = session.scalars(
            select(CallParty)
            .where(
                CallParty.party_id.in_(party_ids),
                CallParty.started_at.between(calls[0].started_at, calls[-1].started_at),
            )
            .order_by(CallParty.started_at, CallParty.call_key, CallParty.party_id)
        )
        yield [
            (
                spell(each.started_at),
                each.call_key,
                *names.at(each.party_id, each.started_at),
                " ".join(role.name.lower() for role in PartyRole if role & each.roles and role.name),
                each.talk_seconds,
            )
            for each in found
            if each.call_key in keys
        ]


# ------------------------------------------------------------------------------------------------------------- lines


def _lines(database: Database, disclosure: Disclosure) -> Pages:
    """The rows of phone systems of which the calls of the period were built, by call."""
    for session, calls in _pages_of_calls(database, disclosure):
        query = select(CallRecord).where(CallRecord.call_key.in_([call.call_key for call in calls]))
        records = list(session.scalars(query.order_by(CallRecord.call_key, CallRecord.record_key)))
        yield [_line(each, each.version, each.import_file_id, each.line_number, each.raw) for each in records]
        known = {each.record_key: each for each in records if each.version > 1}
        earlier = select(CallRecordVersion).where(CallRecordVersion.record_key.in_(known))
        yield [
            _line(known[each.record_key], each.version, each.import_file_id, each.line_number, each.raw)
            for each in session.scalars(earlier.order_by(CallRecordVersion.record_key, CallRecordVersion.version))
        ]


def _line(record: CallRecord, version: int, import_file_id: int, line_number: int, raw: bytes) -> CsvRow:
    stamps = spell(record.started_at), record.call_key, record.record_key
    return (*stamps, version, import_file_id, line_number, spell(raw))


_CALLS = (
    "Started (UTC), Ended (UTC), Call, Direction, Outcome, Caller, Caller name, Dialled, Dialled name, Reached, "
    "Reached name, Answered by, Answered by name, Own number, Why no caller, Ring seconds, Wait seconds, Talk seconds, "
    "Phone system"
)
_LINES = "Started (UTC), Call, Record, Version, File, Line number, Line"
_SHEETS: dict[Area, tuple[Sheet, ...]] = {
    Area.CALLS: (
        Sheet("calls.csv", tuple(_CALLS.split(", ")), _calls),
        Sheet("who-took-part.csv", ("Started (UTC)", "Call", "Number", "Name", "As", "Talk seconds"), _took_part),
    ),
    Area.DESTINATIONS: (
        _plain(
            "destinations.csv",
            "Destination, Kind, Name, Note, Made (UTC), Archived (UTC)",
            select(
                *(Destination.id, Destination.kind, Destination.name, Destination.note),
                *(Destination.created_at, Destination.archived_at),
            ),
            Destination.id,
        ),
        _plain(
            "team-members.csv",
            "Team, Person",
            select(DestinationMember.team_id, DestinationMember.person_id),
            *(DestinationMember.team_id, DestinationMember.person_id),
        ),
        _plain(
            "recognised-by.csv",
            "Key, From (UTC), Destination, Kind, Digits",
            select(
                *(DestinationPattern.pattern_key, DestinationPattern.from_at, DestinationPattern.destination_id),
                *(DestinationPattern.kind, DestinationPattern.digits),
            ),
            *(DestinationPattern.pattern_key, DestinationPattern.from_at),
        ),
        _plain(
            "whose-number.csv",
            "Number, From (UTC), Destination, Digits, Full number, Name as received",
            select(
                *(PartyHolder.party_id, PartyHolder.from_at, PartyHolder.destination_id),
                *(Party.digits, Party.e164, Party.name),
            ).join(Party, (Party.organization_id == PartyHolder.organization_id) & (Party.id == PartyHolder.party_id)),
            *(PartyHolder.party_id, PartyHolder.from_at),
        ),
        _plain(
            "own-numbers.csv",
            "Own number, Full number, Label, Provider, Since (UTC), Until (UTC)",
            select(Number.id, Number.e164, Number.label, Number.provider, Number.since_at, Number.until_at),
            Number.id,
        ),
        _plain(
            "routes.csv",
            "Plan, Position, Own number, Written (UTC), Condition, Schedule, Ring seconds, Destination, On, "
            "From (UTC), Until (UTC)",
            select(
                *(Route.route_plan_id, Route.position, RoutePlan.number_id, RoutePlan.at, Route.condition),
                *(Route.schedule_id, Route.ring_seconds, Route.destination_id, Route.enabled),
                *(Route.from_at, Route.until_at),
            ).join(
                RoutePlan,
                (RoutePlan.organization_id == Route.organization_id) & (RoutePlan.id == Route.route_plan_id),
            ),
            *(Route.route_plan_id, Route.position),
        ),
        _plain(
            "schedules.csv",
            "Schedule, From (UTC), Kind, Name, Time zone, Hours",
            select(
                *(ScheduleVersion.schedule_id, ScheduleVersion.from_at, Schedule.kind, Schedule.name),
                *(ScheduleVersion.time_zone, ScheduleVersion.content),
            ).join(
                Schedule,
                (Schedule.organization_id == ScheduleVersion.organization_id)
                & (Schedule.id == ScheduleVersion.schedule_id),
            ),
            *(ScheduleVersion.schedule_id, ScheduleVersion.from_at),
        ),
    ),
    Area.SOURCES: (
        _plain(
            "phone-systems.csv",
            "Phone system, Name, Format, Time zone, Country, Made (UTC), Closed (UTC)",
            select(Pbx.id, Pbx.name, Pbx.format, Pbx.time_zone, Pbx.region, Pbx.created_at, Pbx.closed_at),
            Pbx.id,
        ),
        _plain(
            "files.csv",
            "File, Phone system, Name, Format, Time zone, State, Lines read, Lines stored, Lines refused, Came (UTC)",
            select(
                *(ImportFile.id, ImportFile.pbx_id, ImportFile.file_name, ImportFile.format, ImportFile.time_zone),
                *(ImportFile.state, ImportFile.read_count, ImportFile.stored_count, ImportFile.refused_count),
                ImportFile.created_at,
            ),
            ImportFile.id,
        ),
        Sheet("lines.csv", tuple(_LINES.split(", ")), _lines),
    ),
    Area.PEOPLE: (
        _plain(
            "people.csv",
            "Person, Name, E-mail address, Role, Numbers, May export, Narrowed, Ends (UTC), Joined (UTC), "
            "Last used (UTC)",
            select(
                *(Membership.user_account_id, UserAccount.name, UserAccount.email, Membership.role),
                *(Membership.numbers, Membership.may_export, Membership.narrowed, Membership.ends_at),
                *(Membership.created_at, Membership.last_used_at),
            ).join(UserAccount, UserAccount.id == Membership.user_account_id),
            Membership.user_account_id,
        ),
        _plain(
            "invitations.csv",
            "Invitation, E-mail address, Role, State, Made (UTC), Ended (UTC)",
            select(
                *(Invitation.id, Invitation.email, Invitation.role, Invitation.state),
                *(Invitation.created_at, Invitation.ended_at),
            ),
            Invitation.id,
        ),
    ),
}
_REFUSED = _plain(
    "refused-lines.csv",
    "File, Line number, Why, Line",
    select(RejectedLine.import_file_id, RejectedLine.line_number, RejectedLine.reason, RejectedLine.raw),
    *(RejectedLine.import_file_id, RejectedLine.line_number),
)
