"""The tables of a takeout as pieces of files: every row of the organization, read by key in short transactions.

Called by takeout_plan.py. Which tables, columns and rows there are says the catalogue. Nothing is held between two
pages, so a row that is changed meanwhile is read as it is when its page is. None is missed that was there all the time:
a late record gives its call an earlier start, so calls, and with them who took part, are read by keys that stay.
"""

import csv
import io
import json
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import Select, and_, inspect, select, tuple_

from webapp.accounts.models import UserAccount
from webapp.calls.models import Call, CallParty, Pbx
from webapp.csv_out import Cell, guard_cell
from webapp.database.engine import Database
from webapp.database.pairs import Pairs, spell_pairs
from webapp.destinations.models import Destination, Party
from webapp.ingest.call_writer import unpack_ids
from webapp.organizations.who_looked import name_people
from webapp.privacy.catalogue import mapped_class
from webapp.privacy.entries import Exported, Rows, Table
from webapp.privacy.takeout_cells import as_stored, cell_of, json_of, read_as
from webapp.tenancy.lock import LockedSession, kept
from webapp.tenancy.models import Membership
from webapp.tenancy.sessions import reading_session

_ROWS_AT_ONCE = 2000
_CALLS_AT_ONCE = 500
_NAMES_AT_ONCE = 1000
_NAMES_AT_MOST = 20_000
_BOM = "\ufeff"  # else Excel reads UTF-8 as cp1252


Learn = Callable[[LockedSession, Sequence[Any]], None]
Namer = Callable[[LockedSession, Collection[int]], dict[int, str]]
Naming = tuple[Namer | None, str]
_After = tuple[Any, ...]  #: the key of the last row that was read; () at the beginning
_Read = Callable[[LockedSession, _After], tuple[Sequence[Any], _After | None]]


@dataclass(frozen=True)
class Source:
    """Whose rows are read, and in which zone their times are told."""

    database: Database
    organization_id: int
    zone: ZoneInfo

    def reading(self) -> LockedSession:
        return reading_session(self.database, self.organization_id)


class Piece(NamedTuple):
    """A piece of a file, and how many rows are in it."""

    content: bytes
    rows: int


def csv_pieces(source: Source, table: Table) -> Iterator[Piece]:
    """The file in CSV. Beside an id of a number, a person or a destination stands what it is called."""
    exported, columns = _exported(table), _columns(table)
    namings = [_naming(exported, column.key) for column in columns]
    spellers = [cell_of(exported, column, source.zone) for column in columns]
    names = _Names()
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    buffer.write(_BOM)
    writer.writerow(_headings(columns, namings))
    for rows in _pages(source, table, columns, partial(names.learn_of, namings)):
        spelt = []
        for spell, (namer, _heading), cells in zip(spellers, namings, zip(*rows, strict=True), strict=bool(rows)):
            spelt.append(["" if cell is None else spell(cell) for cell in cells])
            if namer is not None:
                spelt.append(names.of(namer, cells))
        writer.writerows(zip(*spelt, strict=True))
        yield Piece(buffer.getvalue().encode(), len(rows))
        buffer.seek(0)
        buffer.truncate()


def json_pieces(source: Source, table: Table) -> Iterator[Piece]:
    """The file in JSON Lines: an object a row."""
    exported, columns = _exported(table), _columns(table)
    names, spellers = [column.key for column in columns], [json_of(exported, column) for column in columns]
    encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
    for rows in _pages(source, table, columns):
        spelt = (
            [None if value is None else spell(value) for value in values]
            for spell, values in zip(spellers, zip(*rows, strict=True), strict=bool(rows))
        )
        lines = [encode(dict(zip(names, row, strict=True))) for row in zip(*spelt, strict=True)]
        yield Piece("".join(f"{line}\n" for line in lines).encode(), len(rows))


def _headings(columns: Sequence[Any], namings: Sequence[Naming]) -> list[str]:
    pairs = zip(columns, namings, strict=True)
    return [heading for column, (_namer, beside) in pairs for heading in (column.key, beside) if heading]


def _exported(table: Table) -> Exported:
    assert isinstance(table.takeout, Exported), f"{table.name} is left out"
    return table.takeout


def _columns(table: Table) -> list[Any]:
    """Those that stand in its files: all rows are of one organization, which the manifest names."""
    mapped = mapped_class(table)
    return [getattr(mapped, name) for name in table.exported_columns() if name != "organization_id"]


def _pages(source: Source, table: Table, columns: list[Any], learn: Learn | None = None) -> Iterator[Sequence[Any]]:
    """All rows, each page read in a transaction of its own, in which `learn` may ask for more."""
    read = _by_call(columns) if table.name == CallParty.__tablename__ else _by_key(source, table, columns)
    after: _After | None = ()
    while after is not None:
        with source.reading() as session:
            rows, after = read(session, after)
            if learn is not None:
                learn(session, rows)
        yield rows


def _by_key(source: Source, table: Table, columns: list[Any]) -> _Read:
    """In the order of the table's key."""
    mapped, names = mapped_class(table), [column.key for column in columns]
    primary = [column.name for column in inspect(mapped).primary_key if column.name != "organization_id"]
    keys = [getattr(mapped, name) for name in ([_exported(table).key] if _exported(table).key else primary)]
    places = [names.index(key.key) for key in keys]
    query = _rows_of(source, table, mapped, select(*(read_as(column) for column in columns)))
    query = query.order_by(*keys).limit(_ROWS_AT_ONCE)

    def read(session: LockedSession, after: _After) -> tuple[Sequence[Any], _After | None]:
        page = query.where(tuple_(*keys) > tuple_(*after, types=[key.type for key in keys])) if after else query
        rows = session.execute(page).all()
        if len(rows) < _ROWS_AT_ONCE or not keys:
            return rows, None
        return rows, tuple(as_stored(key, rows[-1][place]) for key, place in zip(keys, places, strict=True))

    return read


def _by_call(columns: list[Any]) -> _Read:
    """Who took part, in the order of the calls: each call says which rows are its own."""
    next_calls = select(Call.call_key, Call.party_ids).order_by(Call.call_key).limit(_CALLS_AT_ONCE)
    parties = _parties_of_calls(tuple(columns))

    def read(session: LockedSession, after: _After) -> tuple[Sequence[Any], _After | None]:
        calls = session.execute(next_calls.where(Call.call_key > after[0]) if after else next_calls).all()
        wanted = spell_pairs((call.call_key, party) for call in calls for party in unpack_ids(call.party_ids))
        rows = session.rows(parties, {"wanted": wanted})
        return rows, (calls[-1].call_key,) if len(calls) == _CALLS_AT_ONCE else None

    return read


@cache
def _parties_of_calls(columns: tuple[Any, ...]) -> Select[Any]:
    """The rows of pairs of a call and a party, found by their whole key: when a call started says the call."""
    wanted = Pairs("wanted")
    query = select(*(read_as(each) for each in columns)).select_from(wanted.table)
    query = query.join(Call, Call.call_key == wanted.first)
    its_key = (
        CallParty.organization_id == Call.organization_id,
        CallParty.party_id == wanted.second,
        CallParty.started_at == Call.started_at,
        CallParty.call_key == Call.call_key,
    )
    return kept(query.join(CallParty, and_(*its_key)))


def _rows_of(source: Source, table: Table, mapped: Any, query: Select[Any]) -> Select[Any]:
    """Of a tenant table the session itself sees to it; the others are asked for what is the organization's."""
    rows, organization_id = _exported(table).rows, source.organization_id
    if rows is Rows.TOLD:
        return query.where(mapped.told_at.is_not(None))
    if rows is Rows.ITSELF:
        return query.where(mapped.id == organization_id)
    if rows is Rows.MEMBERS:
        members = select(Membership.user_account_id).where(Membership.organization_id == organization_id)
        return query.where(mapped.id.in_(members))
    if rows is Rows.MAILS:
        staff = select(UserAccount.email).where(UserAccount.is_staff)
        query = query.where(mapped.to_address.not_in(staff))
    return query.where(mapped.organization_id == organization_id)


# ------------------------------------------------------------------------------------------------- what ids are called


def _numbers(session: LockedSession, ids: Collection[int]) -> dict[int, str]:
    rows = session.execute(select(Party.id, Party.e164, Party.digits).where(Party.id.in_(ids)))
    return {row.id: row.e164 or row.digits for row in rows}


def _people(session: LockedSession, ids: Collection[int]) -> dict[int, str]:
    found = name_people(session, ids).values()
    return {person.key: person.detail or person.label for person in found if isinstance(person.key, int)}


def _destinations(session: LockedSession, ids: Collection[int]) -> dict[int, str]:
    return {
        row.id: row.name
        for row in session.execute(select(Destination.id, Destination.name).where(Destination.id.in_(ids)))
    }


def _systems(session: LockedSession, ids: Collection[int]) -> dict[int, str]:
    return {row.id: row.name for row in session.execute(select(Pbx.id, Pbx.name).where(Pbx.id.in_(ids)))}


def _naming(exported: Exported, column: str) -> Naming:
    """Who knows what the column's ids are called, and how the column beside it is headed; (None, "") for others."""
    what = column.removesuffix("_id")
    if column in exported.parties:
        return _numbers, f"{what}_number"
    if column in exported.people:
        return _people, f"{what}_person"
    if column in exported.destinations:
        return _destinations, f"{what}_name"
    return (_systems, "phone_system") if column == "pbx_id" else (None, "")


class _Names:
    """What ids are called, by who knows it. What is known is not looked up again, as long as it is not much."""

    def __init__(self) -> None:
        self._known: dict[tuple[Namer, int], Cell] = {}

    def learn_of(self, namings: Sequence[Naming], session: LockedSession, rows: Sequence[Any]) -> None:
        """All that a page of rows names."""
        if len(self._known) > _NAMES_AT_MOST:
            self._known = {}
        for place, (namer, _heading) in enumerate(namings):
            if namer is not None:
                self._learn(session, namer, {row[place] for row in rows if row[place] is not None})

    def _learn(self, session: LockedSession, namer: Namer, ids: set[int]) -> None:
        asked = sorted(each for each in ids if (namer, each) not in self._known)
        for first in range(0, len(asked), _NAMES_AT_ONCE):
            some = asked[first : first + _NAMES_AT_ONCE]
            found = namer(session, some)
            self._known |= {(namer, each): guard_cell(found.get(each, "")) for each in some}

    def of(self, namer: Namer, ids: Sequence[int | None]) -> list[Cell]:
        return ["" if each is None else self._known[namer, each] for each in ids]
