"""The call log as a file: every call of a selection, streamed.

Read by key in chunks, each in a short session of its own that asks again whether the reader may: no snapshot and no
write-ahead log is held for a slow client. Called by views.py, which has checked the reader before the first chunk.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import or_, select

from webapp.accounts.models import AccountState, UserAccount
from webapp.calls.browse import PARTY_COLUMNS, page_of_lines
from webapp.calls.colleagues import party_ids_shown, sides_shown
from webapp.calls.filters import CallFilter
from webapp.calls.models import Pbx
from webapp.calls.outcomes import Direction, Outcome
from webapp.calls.searches import SearchWords
from webapp.calls.selection import CallLine, select_calls
from webapp.calls.spans import Dated, evened, select_held
from webapp.calls.windows import Budget
from webapp.calls.words import COLLEAGUE, NO_CALLER, PartyFacts, name_of, show_outcome
from webapp.clock import now
from webapp.csv_out import CsvRow, guard_cell
from webapp.database.engine import Database
from webapp.destinations.masking import mask_digits, masked_party
from webapp.destinations.models import Party
from webapp.errors import Forbidden
from webapp.pagination import Cursor
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.members import load_narrowing, open_spans
from webapp.tenancy.models import Membership, Organization, OrganizationState
from webapp.tenancy.reader import Reader, reader_of
from webapp.tenancy.sessions import reading_session
from webapp.tenancy.staff_entry import LetIn

HEADER = (
    "Started",
    "UTC offset",
    "Started (UTC)",
    "Direction",
    "Outcome",
    "Ended as",
    "Caller",
    "Caller name",
    "Reached",
    "Reached name",
    "Ring seconds",
    "Talk seconds",
    "Phone system",
)
_CHUNK_ROWS = 5000
_CHUNK_MS = 2000.0
_DAY_SECONDS = 86_400
_MINUTES = [f"{minute // 60:02}:{minute % 60:02}:" for minute in range(1440)]
_SECONDS = [f"{second:02}" for second in range(60)]
_NAMES_AT_MOST = 20_000
_ASKED_AT_ONCE = 1024
_GONE = ("", "")  # no party, or one that an undo has just removed
_COLLEAGUE = ("", COLLEAGUE.title)
_NO_CALLER = {int(reason): (words, "") for reason, words in NO_CALLER.items()}
_OUTCOMES = {
    (int(direction), int(outcome)): (direction.word, show_outcome(direction, outcome).word, outcome.word)
    for direction in Direction
    for outcome in Outcome
}


@dataclass(frozen=True)
class ExportOrder:
    """What to export, for whom. `words` are those of the filter's search; `reader`: what the file may show."""

    organization_id: int
    user_account_id: int
    call_filter: CallFilter
    words: SearchWords | None
    zone: ZoneInfo
    region: str
    reader: Reader
    let_in: LetIn | None = None  #: of staff

    def reading(self, database: Database) -> AbstractContextManager[LockedSession]:
        """A session for one chunk. Raises Forbidden where support is let in no more."""
        return reading_session(database, self.organization_id) if self.let_in is None else self.let_in.reading()


def export_calls(database: Database, order: ExportOrder) -> Iterator[list[CsvRow]]:
    """The rows of the file under HEADER, chunk by chunk. Raises Forbidden where the reader may no longer."""
    writer = _RowWriter(order.zone, order.reader)
    cursor: Cursor | None = None
    selection = first_standing = None
    while True:
        with order.reading(database) as session:
            if order.let_in is None:
                standing = find_standing(session, order.user_account_id)
                first_standing = first_standing or standing
                if standing != first_standing or not standing[1].covers(order.reader):
                    raise Forbidden  # what they may see has changed meanwhile
            if order.reader.narrowing is not None:
                if open_spans(session, order.reader.narrowing.spans).windows != order.reader.narrowing.windows:
                    raise Forbidden  # an extension was handed over, a team has other people
                session.bind_narrowing(order.reader.narrowing)
            if selection is None:
                chosen = order.call_filter, order.words, order.zone, order.region
                selection = select_calls(session, *chosen, order.reader)
                writer.pbx_names = {pbx.id: guard_cell(pbx.name) for pbx in session.scalars(select(Pbx))}
            # The file keeps the zone it began with; where calls are is looked up by the days that the totals have now.
            selection = replace(selection, zone=_zone_of(session, order.organization_id))
            page = page_of_lines(session, selection, cursor, _CHUNK_ROWS, Budget(_CHUNK_MS))
            writer.learn_parties(session, page.lines)
        yield writer.rows(page.lines)
        cursor = page.next_cursor
        if cursor is None:
            return


def _zone_of(session: LockedSession, organization_id: int) -> ZoneInfo:
    return ZoneInfo(session.scalars(select(Organization.time_zone).where(Organization.id == organization_id)).one())


def find_standing(session: LockedSession, user_account_id: int) -> tuple[int, Reader]:
    """The role of who takes a file away, and what they may see at this moment. Raises Forbidden where they may not.

    It opens more than they asked for where they look as another.
    """
    found = session.scalar(
        select(Membership)
        .join(Organization, Organization.id == Membership.organization_id)
        .join(UserAccount, UserAccount.id == Membership.user_account_id)
        .where(
            Membership.user_account_id == user_account_id,
            Organization.state == OrganizationState.OPEN,
            or_(Membership.ends_at.is_(None), Membership.ends_at > now()),
            UserAccount.state == AccountState.ACTIVE,
        )
    )
    if found is None or not found.may_export:
        raise Forbidden
    narrowing = load_narrowing(session, found.user_account_id) if found.narrowed else None
    return found.role, reader_of(found, narrowing)


class _RowWriter:
    """Makes rows of calls; remembers how parties and days are written."""

    def __init__(self, zone: ZoneInfo, reader: Reader) -> None:
        self._reader = reader
        self._stamps = LocalStamps(zone)
        self._parties: Dated[tuple[str, str]] = Dated()
        self.pbx_names: Mapping[int, str] = {}

    def learn_parties(self, session: LockedSession, lines: Sequence[CallLine]) -> None:
        """Look up the parties of these calls that are not known yet."""
        if len(self._parties) > _NAMES_AT_MOST:
            self._parties = Dated()
        shown = party_ids_shown(lines, self._reader.narrowing)
        asked = sorted(party_id for party_id in shown if party_id not in self._parties)
        for first in range(0, len(asked), _ASKED_AT_ONCE):
            some = asked[first : first + _ASKED_AT_ONCE]
            parties = session.execute(select_held(*PARTY_COLUMNS).where(Party.id.in_(evened(some))))
            self._parties.learn(parties, self._cells)

    def _cells(self, row: tuple[Any, ...]) -> tuple[str, str]:
        party, masked = PartyFacts(*row), self._reader.is_masked
        number = party.e164 or party.digits
        if masked and masked_party(party.kind, party.digits):
            number = mask_digits(party.kind, number)
        return guard_cell(number), guard_cell(name_of(party, masked))

    def rows(self, lines: Sequence[CallLine]) -> list[CsvRow]:
        """The calls under HEADER."""
        if self._reader.narrowing is not None:
            return [self._narrowed_row(line) for line in lines]
        party_at, stamps, pbx_names = self._parties.at, self._stamps.write, self.pbx_names
        return [
            (
                *stamps(ms),
                *_OUTCOMES[direction, outcome],
                *(party_at(caller_id, ms) or _GONE if not reason else _NO_CALLER[reason]),
                *(party_at(reached_id, ms) or _GONE),
                rang,
                talked,
                pbx_names.get(pbx_id, ""),
            )
            for ms, _key, pbx_id, direction, outcome, caller_id, reason, reached_id, rang, talked, *_rest in lines
        ]

    def _narrowed_row(self, line: CallLine) -> CsvRow:
        """With colleagues as such, whoever they are."""
        caller_id, reached_id = sides_shown(line, self._reader.narrowing, self._parties)
        caller, reached = self._parties.at(caller_id, line.ms), self._parties.at(reached_id, line.ms)
        return (
            *self._stamps.write(line.ms),
            *_OUTCOMES[line.direction, line.outcome],
            *(caller or _COLLEAGUE if not line.caller_reason else _NO_CALLER[line.caller_reason]),
            *(reached or (_GONE if reached_id is None else _COLLEAGUE)),
            line.ring_seconds,
            line.talk_seconds,
            self.pbx_names.get(line.pbx_id, ""),
        )


class LocalStamps:
    """Writes instants as local time, UTC offset and UTC time, to the second; most days have one offset."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._days: dict[int, tuple[str, int | None]] = {}
        self._offsets: dict[int, str] = {}

    def write(self, ms: int) -> tuple[str, str, str]:
        day, second_of_day = divmod(ms // 1000, _DAY_SECONDS)
        date_text, offset = self._days.get(day) or self._learn_day(day)
        if offset is None:  # the clocks change on this day
            offset = self._offset_at(ms // 1000)
        utc = f"{date_text}T{_MINUTES[second_of_day // 60]}{_SECONDS[second_of_day % 60]}Z"
        second_of_day += offset
        if not 0 <= second_of_day < _DAY_SECONDS:
            shifted, second_of_day = divmod(second_of_day, _DAY_SECONDS)
            date_text = (self._days.get(day + shifted) or self._learn_day(day + shifted))[0]
        local = f"{date_text} {_MINUTES[second_of_day // 60]}{_SECONDS[second_of_day % 60]}"
        return local, self._offsets[offset], utc

    def _learn_day(self, day: int) -> tuple[str, int | None]:
        first, last = self._offset_at(day * _DAY_SECONDS), self._offset_at((day + 1) * _DAY_SECONDS)
        written = (
            datetime.fromtimestamp(day * _DAY_SECONDS, UTC).strftime("%Y-%m-%d"),
            first if first == last else None,
        )
        self._days[day] = written
        return written

    def _offset_at(self, second: int) -> int:
        local = datetime.fromtimestamp(second, self._zone)
        delta = local.utcoffset()
        assert delta is not None
        text = local.strftime("%z")
        offset = delta.days * _DAY_SECONDS + delta.seconds
        self._offsets[offset] = f"{text[:3]}:{text[3:5]}"
        return offset
