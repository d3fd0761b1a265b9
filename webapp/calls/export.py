"""The call log as a file: every call of a selection, streamed.

Read by key in chunks, each in a short session of its own that asks again whether the reader may: no snapshot and no
write-ahead log is held for a slow client. Called by views.py, which has checked the reader before the first chunk.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from sqlalchemy import select

from webapp.accounts.models import AccountState, UserAccount
from webapp.calls.browse import page_of_lines, reached_id
from webapp.calls.filters import CallFilter
from webapp.calls.models import CallerReason, Pbx
from webapp.calls.outcomes import Direction, Outcome
from webapp.calls.searches import SearchWords
from webapp.calls.selection import CallLine, select_calls
from webapp.calls.windows import Budget
from webapp.calls.words import NO_CALLER, show_outcome
from webapp.csv_out import CsvRow, guard_cell
from webapp.database.engine import Database
from webapp.destinations.models import Party
from webapp.errors import Forbidden
from webapp.pagination import Cursor
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.models import Membership, Organization, OrganizationState
from webapp.tenancy.sessions import reading_session

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
_CHUNK_ROWS = 2000
_CHUNK_MS = 2000.0
_SLOT_SECONDS = 900
_NAMES_AT_MOST = 50_000
_OUTCOMES = {
    (direction, outcome): (direction.word, show_outcome(direction, outcome).word, outcome.word)
    for direction in Direction
    for outcome in Outcome
}


@dataclass(frozen=True)
class ExportOrder:
    """What to export, for whom. `words` are those of the filter's search."""

    organization_id: int
    user_account_id: int
    call_filter: CallFilter
    words: SearchWords | None
    zone: ZoneInfo
    region: str


def export_calls(database: Database, order: ExportOrder) -> Iterator[list[CsvRow]]:
    """The rows of the file under HEADER, chunk by chunk. Raises Forbidden where the reader may no longer."""
    writer = _RowWriter(order.zone)
    cursor: Cursor | None = None
    selection = None
    while True:
        with reading_session(database, order.organization_id) as session:
            _check_reader(session, order)
            if selection is None:
                selection = select_calls(session, order.call_filter, order.words, order.zone, order.region)
                writer.pbx_names = {pbx.id: guard_cell(pbx.name) for pbx in session.scalars(select(Pbx))}
            page = page_of_lines(session, selection, cursor, _CHUNK_ROWS, Budget(_CHUNK_MS))
            writer.learn_parties(session, page.lines)
        yield [writer.row(line) for line in page.lines]
        cursor = page.next_cursor
        if cursor is None:
            return


def _check_reader(session: LockedSession, order: ExportOrder) -> None:
    found = session.scalar(
        select(Membership.role)
        .join(Organization, Organization.id == Membership.organization_id)
        .join(UserAccount, UserAccount.id == Membership.user_account_id)
        .where(
            Membership.user_account_id == order.user_account_id,
            Organization.state == OrganizationState.OPEN,
            UserAccount.state == AccountState.ACTIVE,
        )
    )
    if found is None:
        raise Forbidden


class _RowWriter:
    """Makes rows of calls; remembers how parties and quarter hours are written."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._parties: dict[int | None, tuple[str, str]] = {None: ("", "")}
        self._slots: dict[int, tuple[str, int, str, str, int]] = {}
        self.pbx_names: Mapping[int, str] = {}

    def learn_parties(self, session: LockedSession, lines: Sequence[CallLine]) -> None:
        """Look up the parties of these calls that are not known yet, in one statement."""
        if len(self._parties) > _NAMES_AT_MOST:
            self._parties = {None: ("", "")}
        wanted = {party_id for line in lines for party_id in (line.caller_id, reached_id(line))} - self._parties.keys()
        if not wanted:
            return
        columns = (Party.id, Party.e164, Party.digits, Party.name)
        for party_id, e164, digits, name in session.execute(select(*columns).where(Party.id.in_(wanted))):
            self._parties[party_id] = (guard_cell(e164 or digits), guard_cell(name))

    def row(self, line: CallLine) -> CsvRow:
        local, offset, utc = self._stamps(line.started_at)
        caller = self._parties.get(line.caller_id, ("", ""))
        reached = self._parties.get(reached_id(line), ("", ""))
        if line.caller_reason is not CallerReason.KNOWN:
            caller = (NO_CALLER[line.caller_reason], "")
        return (
            local,
            offset,
            utc,
            *_OUTCOMES[line.direction, line.outcome],
            *caller,
            *reached,
            line.ring_seconds,
            line.talk_seconds,
            self.pbx_names[line.pbx_id],
        )

    def _stamps(self, instant: datetime) -> tuple[str, str, str]:
        """Local time, offset, UTC time, to the second. Within a quarter hour only minutes and seconds differ."""
        slot, second_of_slot = divmod(int(instant.timestamp()), _SLOT_SECONDS)
        known = self._slots.get(slot)
        if known is None:
            if len(self._slots) > _NAMES_AT_MOST:
                self._slots.clear()
            begins = datetime.fromtimestamp(slot * _SLOT_SECONDS, UTC)
            local = begins.astimezone(self._zone)
            offset = local.strftime("%z")
            offset = f"{offset[:3]}:{offset[3:5]}"
            known = (f"{local:%Y-%m-%d %H}:", local.minute, offset, f"{begins:%Y-%m-%dT%H}:", begins.minute)
            self._slots[slot] = known
        local_hour, local_minute, offset, utc_hour, utc_minute = known
        minute, second = divmod(second_of_slot, 60)
        return (
            f"{local_hour}{local_minute + minute:02}:{second:02}",
            offset,
            f"{utc_hour}{utc_minute + minute:02}:{second:02}Z",
        )
