"""What the page of one call shows: its story, its records with their raw text, and other calls with that number.

Called by calls/detail_views.py. Reads by key only: the call by its unique key, records by call, other calls through
browse.py, in the order of the page.
"""

import struct
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from zoneinfo import ZoneInfo

from sqlalchemy import select

from webapp.calls.browse import CallRow, page_of_calls
from webapp.calls.filters import CallFilter
from webapp.calls.models import Call, CallRecord, CallRecordVersion, ImportFile, Pbx
from webapp.calls.outcomes import LegKind, Outcome
from webapp.calls.own_talk import own_talk
from webapp.calls.periods import named_period
from webapp.calls.selection import select_calls
from webapp.calls.sentences import tell_call, tell_flags
from webapp.calls.spans import find_holders
from webapp.calls.story import (
    COLLEAGUE_PLACE,
    PlaceOf,
    Step,
    find_place,
    own_part,
    place_name,
    shown_bytes,
    tell_record,
    tell_steps,
    tell_story,
)
from webapp.calls.words import (
    COLLEAGUE,
    ShownOutcome,
    ShownParty,
    facts_of,
    name_of,
    show_caller,
    show_outcome,
    show_party,
    write_number,
)
from webapp.clock import to_ms
from webapp.database.staff_rights import Area
from webapp.destinations.masking import mask_text, masked_party
from webapp.destinations.models import Destination, Party, PartyKind
from webapp.errors import NotFound
from webapp.formatting import format_exactly, format_seconds
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.reader import Reader

RECORDS_AT_MOST = 200
OTHER_CALLS = 10

#: The fields of a record as the phone system wrote them: column, and what the page calls it.
_WRITTEN_FIELDS = (
    ("caller", "Caller"),
    ("caller_name", "Caller name"),
    ("dialed", "Dialled"),
    ("reached", "Reached"),
    ("did", "Own number"),
    ("disposition", "Ended as"),
    ("hangup_cause", "Hang-up cause (Q.850)"),
    ("queue_name", "Queue"),
    ("line", "Line"),
    ("peer_line", "Line of the far end"),
    ("context", "Context"),
    ("application", "Application"),
    ("account_code", "Account code"),
    ("leg_id", "Leg"),
    ("peer_leg_id", "Far leg"),
)


@dataclass(frozen=True)
class RawText:
    """A row as it stands in a file, made safe to show, and where it came from."""

    version: int
    text: str
    cut_off: bool
    line_number: int
    file: ImportFile | None


@dataclass(frozen=True)
class RecordDetail:
    sentence: str
    fields: tuple[tuple[str, str], ...]  #: (what it is, what the phone system wrote), those that are filled
    flags: list[str]
    raw: RawText
    older: tuple[RawText, ...]  #: what the record said before it came again, newest first


@dataclass(frozen=True)
class ShownStep:
    """A line of the timeline. `time` is local, to the second; `note` says who rang, where it was not the caller."""

    time: str
    mark: str
    sentence: str
    note: str


@dataclass(frozen=True)
class Who:
    """A party in the list of facts: "Caller", "Answered by"."""

    label: str
    party: ShownParty


@dataclass(frozen=True)
class CallDetail:
    call: Call
    talk_seconds: int  #: of it, those that the reader sees
    pbx: Pbx
    sentence: str
    outcome: ShownOutcome
    flags: list[str]
    people: list[Who]
    steps: list[ShownStep]
    technical_count: int  #: records by which the phone system joined its own lines: no step of anybody
    records: list[RecordDetail] | None  #: None where the reader does not see what phone systems wrote
    shows_numbers: tuple[int, ...]  #: the parties whose number the reader can have shown
    number: ShownParty | None  #: whose other calls the page offers
    other_calls: list[CallRow]


def get_call(session: LockedSession, call_key: int) -> Call:
    """The call with this key in the bound organization. Raises NotFound."""
    call = session.scalar(select(Call).where(Call.call_key == call_key))
    if call is None:
        raise NotFound
    return call


def list_existing_calls(session: LockedSession, call_keys: Collection[int]) -> Collection[int]:
    """Those of some calls that exist: imports are undone, and calls prove to be one."""
    return session.scalars(select(Call.call_key).where(Call.call_key.in_(call_keys))).all()


def get_party_of_call(session: LockedSession, call_key: int, party_id: int, reader: Reader) -> Party:
    """A party that took part in the call, if the reader may see both. Raises NotFound."""
    for party in list_parties(session, get_call(session, call_key), reader):
        if party.id == party_id:
            return party
    raise NotFound


def get_call_detail(session: LockedSession, call_key: int, zone: ZoneInfo, region: str, reader: Reader) -> CallDetail:
    """All that the reader may see of one call; `zone` and `region` are the organization's. Raises NotFound."""
    call = get_call(session, call_key)
    parties = list_parties(session, call, reader)
    holders = find_holders(session, [party.id for party in parties], call.started_at)
    shown = _show_parties(call, parties, holders, region, reader)
    places = _name_places(call, parties, holders, region, reader)
    records = _list_records(session, call_key)
    place_of = partial(find_place, parties=parties, places=places, unknown=partial(_unknown_place, reader))
    steps = tell_steps(records, place_of)
    if reader.narrowing is not None:
        steps = own_part(steps)
    sees_raw = reader.sees_raw and session.opens(Area.SOURCES)
    number, talked = _number_of(call, parties), _talk_of(session, call, reader)
    caller = places.get(call.caller_id or 0, "")
    return CallDetail(
        call=call,
        talk_seconds=talked,
        pbx=session.scalars(select(Pbx).where(Pbx.id == call.pbx_id)).one(),
        sentence=tell_call(tell_story(call, talked, steps, _queue_name(records, reader), places)),
        outcome=show_outcome(call.direction, call.outcome),
        flags=tell_flags(call.flags),
        people=_people(call, shown),
        steps=[_show_step(step, zone, caller) for step in steps if step.kind != LegKind.PLUMBING],
        technical_count=sum(step.kind == LegKind.PLUMBING for step in steps),
        records=_describe_records(session, records, place_of, zone) if sees_raw else None,
        shows_numbers=_list_hidden(parties) if reader.may_show_numbers else (),
        number=shown[number.id] if number else None,
        other_calls=list_other_calls(session, number.id, call, zone, region, reader) if number else [],
    )


def _talk_of(session: LockedSession, call: Call, reader: Reader) -> int:
    """The seconds of talk of a call that the reader sees: the whole, or their own part."""
    if reader.narrowing is None:
        return call.talk_seconds
    own = select(own_talk(reader.narrowing)).where(Call.call_key == call.call_key)
    return session.scalars(own).one()


def _show_parties(
    call: Call, parties: Sequence[Party], holders: Mapping[int, Destination], region: str, reader: Reader
) -> dict[int, ShownParty]:
    """By id; for a narrowed reader, every other party of the call is a colleague."""
    shown = dict.fromkeys(_ids_of(call), COLLEAGUE) if reader.narrowing is not None else {}
    return shown | {party.id: show_party(party, region, reader, holders.get(party.id)) for party in parties}


def _name_places(
    call: Call, parties: Sequence[Party], holders: Mapping[int, Destination], region: str, reader: Reader
) -> dict[int, str]:
    """The same inside sentences."""
    places = dict.fromkeys(_ids_of(call), COLLEAGUE_PLACE) if reader.narrowing is not None else {}
    for party in parties:
        facts = facts_of(party, holders.get(party.id))
        places[party.id] = place_name(facts, name_of(facts, reader.is_masked), write_number(party, region, reader))
    return places


def _unknown_place(reader: Reader, written: str) -> str:
    """What a record names and no party of the call is: as written, unless that may be a colleague or a number."""
    if reader.narrowing is not None:
        return COLLEAGUE_PLACE
    return mask_text(written) if reader.is_masked else written


def _queue_name(records: Sequence[CallRecord], reader: Reader) -> str:
    name = next((record.queue_name for record in records if record.queue_name), "")
    return mask_text(name) if reader.is_masked else name


def _list_hidden(parties: Sequence[Party]) -> tuple[int, ...]:
    return tuple(party.id for party in parties if masked_party(party.kind, party.digits))


def list_other_calls(
    session: LockedSession, party_id: int, call: Call, zone: ZoneInfo, region: str, reader: Reader
) -> list[CallRow]:
    """The newest calls in which this party took part, in whatever role, but for `call`."""
    everything = CallFilter(period=named_period("all", zone, call.started_at), party_id=party_id)
    selection = select_calls(session, everything, None, zone, region, reader)
    rows = page_of_calls(session, selection, region, limit=OTHER_CALLS + 1).rows
    return [row for row in rows if row.call_key != call.call_key][:OTHER_CALLS]


def list_parties(session: LockedSession, call: Call, reader: Reader) -> list[Party]:
    """Everybody who took part, and the own number; without the colleagues of a narrowed reader."""
    found = session.scalars(select(Party).where(Party.id.in_(_ids_of(call))))
    narrowing, ms = reader.narrowing, to_ms(call.started_at)
    if narrowing is None:
        return list(found)
    return [party for party in found if party.id not in narrowing.party_ids or narrowing.opens(party.id, ms)]


def _ids_of(call: Call) -> set[int]:
    packed = bytes(call.party_ids)
    ids = {call.caller_id, call.dialed_id, call.callee_id, call.answered_by_id, call.did_id}
    ids.update(struct.unpack(f">{len(packed) // 8}q", packed))  # written by ingest/call_writer.py
    return {party_id for party_id in ids if party_id is not None}


def _people(call: Call, shown: dict[int, ShownParty]) -> list[Who]:
    """Who took part, each once, under the first of its roles."""
    sides = (
        ("Own number", call.did_id),
        ("Dialled", call.dialed_id),
        ("Answered by", call.answered_by_id),
        ("Reached" if call.outcome == Outcome.VOICEMAIL else "Tried", call.callee_id),
    )
    people = [Who("Caller", show_caller(shown.get(call.caller_id or 0), call.caller_reason))]
    named: set[int] = set()
    for label, party_id in sides:
        if party_id in shown and party_id not in named:
            if shown[party_id] is COLLEAGUE and any(who.party is COLLEAGUE for who in people):
                continue
            named.add(party_id)
            people.append(Who(label, shown[party_id]))
    return people


def _show_step(step: Step, zone: ZoneInfo, caller: str) -> ShownStep:
    return ShownStep(
        time=step.started_at.astimezone(zone).strftime("%H:%M:%S"),
        mark=step.mark,
        sentence=step.sentence,
        note=f"From {step.caller}" if step.caller not in ("", caller) else "",
    )


def _list_records(session: LockedSession, call_key: int) -> list[CallRecord]:
    rows = select(CallRecord).where(CallRecord.call_key == call_key).limit(RECORDS_AT_MOST)
    return sorted(session.scalars(rows), key=lambda row: (row.started_at, row.line_number, row.record_key))


def _describe_records(
    session: LockedSession, records: Sequence[CallRecord], place_of: PlaceOf, zone: ZoneInfo
) -> list[RecordDetail]:
    keys = [record.record_key for record in records if record.version > 1]
    versions = select(CallRecordVersion).where(CallRecordVersion.record_key.in_(keys))
    newest_first = versions.order_by(CallRecordVersion.record_key, CallRecordVersion.version.desc())
    older = list(session.scalars(newest_first)) if keys else []
    file_ids = {row.import_file_id for row in records} | {row.import_file_id for row in older}
    files = {file.id: file for file in session.scalars(select(ImportFile).where(ImportFile.id.in_(file_ids)))}
    return [
        RecordDetail(
            sentence=tell_record(record, place_of),
            fields=_written_fields(record, zone),
            flags=tell_flags(record.flags),
            raw=_raw_text(record, files),
            older=tuple(_raw_text(row, files) for row in older if row.record_key == record.record_key),
        )
        for record in records
    ]


def _raw_text(row: CallRecord | CallRecordVersion, files: dict[int, ImportFile]) -> RawText:
    text, cut_off = shown_bytes(row.raw)
    return RawText(row.version, text, cut_off, row.line_number, files.get(row.import_file_id))


def _written_fields(record: CallRecord, zone: ZoneInfo) -> tuple[tuple[str, str], ...]:
    times = [
        ("Began", format_exactly(record.started_at, zone)),
        ("Answered", format_exactly(record.answered_at, zone) if record.answered_at else ""),
        ("Ended", format_exactly(record.ended_at, zone) if record.ended_at else ""),
        ("Length, ringing included", format_seconds(record.duration)),
        ("Length from the answer", format_seconds(record.billsec)),
    ]
    written = [(label, getattr(record, column)) for column, label in _WRITTEN_FIELDS]
    return tuple((label, str(value)) for label, value in (*times, *written) if value not in ("", None))


def _number_of(call: Call, parties: Sequence[Party]) -> Party | None:
    """The party whose other calls are worth a look: the outside number, else the caller, else who was reached."""
    known = {party.id: party for party in parties}
    sides = [known[party_id] for party_id in (call.caller_id, call.callee_id, call.dialed_id) if party_id in known]
    outside = [party for party in sides if party.kind == PartyKind.OUTSIDE and party.id != call.did_id]
    return next(iter([*outside, *sides]), None)
