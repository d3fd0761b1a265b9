"""What a request to the call log or its export asks for: the filter, checked against the organization, and its words.

Read by views.py from the address; the only place where ids of a filter are looked up.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import select
from werkzeug.datastructures import MultiDict

from webapp.calls.filters import CallFilter, ReadFilter, read_filter
from webapp.calls.models import Pbx
from webapp.calls.searches import SearchWords, find_words
from webapp.calls.spans import find_holders, is_closed
from webapp.calls.words import ShownParty, name_destination, show_party
from webapp.destinations.models import Destination, Party
from webapp.errors import NotFound
from webapp.invitations.extensions import tell_opened
from webapp.pagination import Cursor, read_cursor
from webapp.tenancy.lock import LockedSession, kept
from webapp.tenancy.models import Organization
from webapp.tenancy.reader import Reader

_PBXES = kept(select(Pbx.id, Pbx.name).order_by(Pbx.name, Pbx.id))
DAMAGED = "This part of the address is damaged. Start again from the newest calls."


class PbxName(NamedTuple):
    id: int
    name: str


@dataclass(frozen=True)
class Asked:
    """A request, understood. `words_gone`: it names words that are not kept any more (they are for a day)."""

    read: ReadFilter
    pbxes: tuple[PbxName, ...]
    party: ShownParty | None
    destination: str  #: the name of the one whose calls are asked for, "" for none
    words: SearchWords | None
    words_gone: bool
    cursor: Cursor | None
    above: Cursor | None  #: where the rows begin that lead to these; only with a cursor, None for the first ones
    zone: ZoneInfo
    region: str
    present: datetime
    reader: Reader
    opened: str  #: whose calls a narrowed reader sees, in words; "" for all

    @property
    def call_filter(self) -> CallFilter:
        return self.read.call_filter

    @property
    def errors(self) -> dict[str, str]:
        return self.read.errors

    @property
    def without_words(self) -> CallFilter:
        return replace(self.call_filter, search_id=None)


def understand(
    session: LockedSession,
    arguments: MultiDict[str, str],
    organization: Organization,
    user_account_id: int,
    present: datetime,
    reader: Reader,
) -> Asked:
    """Read an address. Raises NotFound for what it names and the organization does not have."""
    zone = ZoneInfo(organization.time_zone)
    read = read_filter(arguments, zone, present)
    destination = _find_destination(session, read, reader)
    chosen = read.call_filter
    cursor, above = (_read_place(arguments, key, read) for key in ("after", "above"))
    pbxes = tuple(PbxName(*row) for row in session.rows(_PBXES))
    if not set(chosen.pbx_ids) <= {pbx.id for pbx in pbxes}:
        raise NotFound
    words = None if chosen.search_id is None else find_words(session, user_account_id, chosen.search_id)
    return Asked(
        read=read,
        pbxes=pbxes,
        party=None if chosen.party_id is None else _get_party(session, chosen, organization.region, present, reader),
        destination="" if destination is None else name_destination(destination, reader),
        words=words,
        words_gone=chosen.search_id is not None and words is None,
        cursor=cursor,
        above=above if cursor is not None else None,
        zone=zone,
        region=organization.region,
        present=present,
        reader=reader,
        opened="" if reader.narrowing is None else tell_opened(session, reader, organization.time_zone),
    )


def _read_place(arguments: MultiDict[str, str], key: str, read: ReadFilter) -> Cursor | None:
    if not arguments.get(key):
        return None
    try:
        return read_cursor(arguments[key])
    except ValueError:
        read.errors[key] = DAMAGED
        return None


def _get_party(
    session: LockedSession, chosen: CallFilter, region: str, present: datetime, reader: Reader
) -> ShownParty:
    """Under the name that it has now."""
    party = session.scalar(select(Party).where(Party.id == chosen.party_id))
    if party is None:
        raise NotFound
    return show_party(party, region, reader, find_holders(session, [party.id], present).get(party.id))


def _find_destination(session: LockedSession, read: ReadFilter, reader: Reader) -> Destination | None:
    """The one whose calls are asked for. One that was merged into another leads to the other, which the filter names
    from then on. For a narrowed reader there is what they were given, and what holds, or held, something in their days.
    """
    asked_id = read.call_filter.destination_id
    if asked_id is None:
        return None
    found = _get_destination(session, asked_id)
    if found.merged_into_id is not None:
        found = _get_destination(session, found.merged_into_id)
        read.call_filter = replace(read.call_filter, destination_id=found.id)
    narrowing = reader.narrowing
    if narrowing is not None and found.id not in narrowing.destination_ids and is_closed(session, found.id, narrowing):
        raise NotFound
    return found


def _get_destination(session: LockedSession, destination_id: int) -> Destination:
    found = session.scalar(select(Destination).where(Destination.id == destination_id))
    if found is None:
        raise NotFound
    return found
