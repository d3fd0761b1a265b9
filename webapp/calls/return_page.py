"""What the page of calls to return shows: its rows as finished words, up to when it knows, whom one can ask to call.

Called by return_views.py; templates/returns/ shows it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from webapp.calls.browse import show_keys
from webapp.calls.filters import CallFilter
from webapp.calls.periods import local_day, named_period
from webapp.calls.return_actions import show_note
from webapp.calls.return_queries import COUNTED_AT_MOST, Member, Waiting, find_names, find_own_numbers, list_members
from webapp.calls.selection import select_calls
from webapp.calls.words import ShownParty, show_party
from webapp.clock import to_ms
from webapp.formatting import format_count, format_moment, format_seconds
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.models import Membership, Role
from webapp.tenancy.reader import Reader

NOBODY, COLLEAGUE, SOMEBODY = "Nobody yet", "A colleague", "Somebody"


@dataclass(frozen=True)
class Seat:
    """Who looks: what they may see and are, where, and when."""

    membership: Membership
    reader: Reader
    zone: ZoneInfo
    region: str
    present: datetime
    names_people: bool = True  #: not for support that may not see them


@dataclass(frozen=True)
class Choice:
    """Somebody who may be asked to call; `id` is None for nobody."""

    id: int | None
    label: str
    chosen: bool


@dataclass(frozen=True)
class ReturnRow:
    """One caller. `dial` is the full number where the reader may have it; `called` the own number that was dialled."""

    party_id: int
    call_key: int
    who: ShownParty
    dial: str
    tries: str
    last: str
    first: str
    waited: str
    voicemail: bool
    called: str
    called_detail: str
    pbx: str
    choices: Sequence[Choice]
    assigned_to: int | None
    assigned_name: str
    note: str
    done: str  #: "" for one that waits
    problem: str = ""
    field: str = ""  #: that the problem belongs to
    typed: str | None = None  #: a note that was not stored
    noted: bool = False  #: a moment ago, so the keyboard's focus is at the note

    def refused(self, problem: str, field: str, typed: str | None = None) -> "ReturnRow":
        return replace(self, problem=problem, field=field, typed=typed)


def show_rows(
    session: LockedSession, seat: Seat, rows: Sequence[Waiting], pbx_names: dict[int, str]
) -> list[ReturnRow]:
    """A caller shows as the call log shows them in their last try."""
    everything = CallFilter(named_period("all", seat.zone, seat.present))
    selection = select_calls(session, everything, None, seat.zone, seat.region, seat.reader)
    calls = show_keys(session, selection, seat.region, {(to_ms(row.last_at), row.last_call_key) for row in rows})
    parties, labels = find_own_numbers(session, {row.did_id for row in rows if row.did_id is not None})
    numbers = {party_id: show_party(party, seat.region, seat.reader) for party_id, party in parties.items()}
    members = {each.id: each for each in list_members(session, seat.present)}
    named = {each for row in rows for each in (row.assigned_to, row.done_by) if each is not None}
    names = {**find_names(session, named - members.keys()), **{each.id: each.name for each in members.values()}}
    shown = []
    for row in rows:
        call = calls.get(row.last_call_key)
        if call is None:  # it went between two statements
            continue
        number = numbers.get(row.did_id) if row.did_id is not None else None
        label = labels.get(row.did_id, "") if row.did_id is not None else ""
        called = label or (number.title if number else call.reached.title)
        shown.append(
            ReturnRow(
                party_id=row.party_id,
                call_key=row.last_call_key,
                who=call.caller,
                dial="" if seat.reader.is_masked else call.caller.e164,
                tries=_tell_tries(row.tries),
                last=_capital(_moment(row.last_at, seat)),
                first=_moment(row.first_at, seat) if row.tries > 1 else "",
                waited=format_seconds(row.wait_seconds),
                voicemail=row.voicemail,
                called=called,
                called_detail=number.number if number and called != number.number else "",
                pbx=pbx_names.get(call.pbx_id, ""),
                choices=_choices(row, seat, members, names),
                assigned_to=row.assigned_to,
                assigned_name=_name(row.assigned_to, seat, names),
                note=show_note(row.note, seat.reader),
                done=_tell_done(row, seat, names),
            )
        )
    return shown


def tell_count(count: int) -> str:
    """ "7", "more than 1,000"."""
    if count > COUNTED_AT_MOST:
        return f"more than {format_count(COUNTED_AT_MOST)}"
    return format_count(count)


def may_ask(member: Member, seat: Seat) -> bool:
    """Who may be asked to call: by a viewer themselves alone; who else is here, managers know."""
    return member.id == seat.membership.user_account_id or seat.membership.role >= Role.MANAGER


def _tell_tries(tries: int) -> str:
    return "1 try" if tries == 1 else f"{format_count(tries)} tries"


def _moment(instant: datetime, seat: Seat) -> str:
    return format_moment(instant, seat.zone, local_day(seat.present, seat.zone))


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def _name(person_id: int | None, seat: Seat, names: dict[int, str]) -> str:
    """Who it is; a narrowed reader is told of nobody but themselves."""
    if person_id is None:
        return ""
    if person_id == seat.membership.user_account_id:
        return "You"
    if seat.reader.narrowing is not None:
        return COLLEAGUE
    return names.get(person_id, "Somebody who left" if seat.names_people else SOMEBODY)


def _choices(row: Waiting, seat: Seat, members: dict[int, Member], names: dict[int, str]) -> list[Choice]:
    mine = seat.membership.user_account_id
    known = [each for each in members.values() if may_ask(each, seat) and each.id != mine]
    found = [Choice(None, NOBODY, row.assigned_to is None), Choice(mine, "I call", row.assigned_to == mine)]
    found += [Choice(each.id, each.name, row.assigned_to == each.id) for each in known]
    if not any(each.chosen for each in found):
        found.append(Choice(row.assigned_to, _name(row.assigned_to, seat, names), chosen=True))
    return found


def _tell_done(row: Waiting, seat: Seat, names: dict[int, str]) -> str:
    if row.done_at is None:
        return ""
    by = _name(row.done_by, seat, names)
    who = "you" if by == "You" else (by[0].lower() + by[1:] if by == COLLEAGUE else by)
    return f"Done {_moment(row.done_at, seat)}{f' by {who}' if who else ''}"
