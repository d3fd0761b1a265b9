"""Imports bytes the way the app does, and checks that totals, parties and links always equal the calls.

Used by the tests of ingest/. `Importing(database, organization)` is what they work with.
"""

import io
import json
from collections import Counter
from typing import Any

from sqlalchemy import select

from tests.conftest import NUMBER_KEY
from webapp.calls.models import (
    Call,
    CallDay,
    CallLink,
    CallMonth,
    CallParty,
    CallRecord,
    CallTotal,
    ImportFile,
    ImportState,
    PartyRole,
    PartyTotal,
    Pbx,
)
from webapp.calls.outcomes import Outcome, is_missed
from webapp.calls.periods import month_number
from webapp.clock import now, to_ms
from webapp.database.engine import Database
from webapp.database.ids import new_id
from webapp.destinations.matching import PartyNumber, Turn, list_turns
from webapp.destinations.models import DestinationPattern, Party, PartyHolder
from webapp.ingest.call_writer import LocalDays, unpack_ids
from webapp.ingest.importer import run_import
from webapp.ingest.undo import undo_import
from webapp.jobs.stored_files import store_stream
from webapp.tenancy.models import Organization
from webapp.tenancy.sessions import reading_session, writing_session

ASTERISK = "asterisk_cdr_csv"


class Importing:
    """One organization's phone systems and files."""

    def __init__(self, database: Database, organization: Organization) -> None:
        self.database = database
        self.organization = organization

    def pbx(self, *, lines: tuple[str, ...] | None = ("PJSIP/provider",), **fields: Any) -> int:
        values = {
            "id": new_id(),
            "name": f"PBX {new_id()}",
            "format": ASTERISK,
            "time_zone": "Europe/London",
            "region": "GB",
            "area_code": "",
            "outside_prefix": "",
            "extension_digits": "3",
            "outside_lines": json.dumps(lines or ()),
            "answered_at": None if lines is None else now(),
            "settings_version": 1,
            "created_at": now(),
        } | fields
        with writing_session(self.database, self.organization.id) as session:
            session.add(Pbx(**values))
            session.commit()
        return int(values["id"])

    def queue(self, pbx_id: int, content: bytes, reader: str = ASTERISK, **fields: Any) -> int:
        """Store a file and make its import row, without running it."""
        stored_file_id = store_stream(self.database, self.organization.id, io.BytesIO(content))
        counts = dict.fromkeys(
            ("read_count", "stored_count", "duplicate_count", "skipped_count", "refused_count", "call_count"), 0
        )
        with writing_session(self.database, self.organization.id) as session:
            zone = session.get_one(Pbx, (self.organization.id, pbx_id)).time_zone
            row = ImportFile(
                id=new_id(),
                pbx_id=pbx_id,
                stored_file_id=stored_file_id,
                file_name="Master.csv",
                format=reader,
                confidence=100,
                time_zone=zone,
                state=ImportState.QUEUED,
                cancel_asked=False,
                bytes_read=0,
                work_seconds=0,
                created_at=now(),
                **counts,
                **fields,
            )
            session.add(row)
            session.commit()
            return row.id

    def run(self, import_file_id: int, **options: Any) -> ImportFile:
        run_import(self.database, NUMBER_KEY, self.organization.id, import_file_id, **options)
        return self.result(import_file_id)

    def load(self, pbx_id: int, content: bytes, reader: str = ASTERISK, **fields: Any) -> ImportFile:
        """Import a file to its end."""
        return self.run(self.queue(pbx_id, content, reader, **fields))

    def undo(self, import_file_id: int) -> ImportFile:
        self.change(import_file_id, state=ImportState.UNDOING)
        undo_import(self.database, NUMBER_KEY, self.organization.id, import_file_id)
        return self.result(import_file_id)

    def change(self, import_file_id: int, **values: Any) -> None:
        with writing_session(self.database, self.organization.id) as session:
            row = session.get_one(ImportFile, (self.organization.id, import_file_id))
            for name, value in values.items():
                setattr(row, name, value)
            session.commit()

    def result(self, import_file_id: int) -> ImportFile:
        with reading_session(self.database, self.organization.id) as session:
            return session.get_one(ImportFile, (self.organization.id, import_file_id))

    def stored(self) -> Organization:
        """The organization as it is now."""
        with reading_session(self.database) as session:
            return session.get_one(Organization, self.organization.id)

    def choose_zone(self, time_zone: str) -> None:
        """As an owner's change of the settings leaves it."""
        with writing_session(self.database) as session:
            session.get_one(Organization, self.organization.id).next_time_zone = time_zone
            session.commit()

    def all(self, entity: type[Any]) -> list[Any]:
        with reading_session(self.database, self.organization.id) as session:
            return list(session.scalars(select(entity)))

    def calls(self) -> list[Call]:
        return sorted(self.all(Call), key=lambda call: (call.started_at, call.call_key))

    def number(self, party_id: int | None) -> str | None:
        """A party as the tests write it: E.164, or digits."""
        found = {party.id: party.e164 or party.digits for party in self.all(Party)}
        return None if party_id is None else found[party_id]

    def told(self) -> list[tuple[Any, ...]]:
        """Every call in words that do not depend on ids: what two ways to one state must agree on."""
        numbers: dict[int | None, str | None] = {party.id: party.e164 or party.digits for party in self.all(Party)}
        numbers[None] = None
        talks: dict[tuple[Any, int], list[tuple[str, int]]] = {}
        for row in self.all(CallParty):
            talks.setdefault((row.started_at, row.call_key), []).append((str(numbers[row.party_id]), row.talk_seconds))
        return sorted(
            (
                call.started_at,
                call.direction.word,
                call.outcome.word,
                str(numbers[call.caller_id]),
                str(numbers[call.dialed_id]),
                str(numbers[call.callee_id]),
                call.ring_seconds,
                call.talk_seconds,
                call.record_count,
                call.flags,
                sorted(talks[call.started_at, call.call_key]),
            )
            for call in self.calls()
        )

    def talks(self, call: Call) -> dict[str | None, int]:
        """For how long each party talked in a call."""
        rows = [row for row in self.all(CallParty) if row.call_key == call.call_key]
        return {self.number(row.party_id): row.talk_seconds for row in rows}

    def check(self) -> None:
        """Totals, call parties, links and record counts are those of the calls and records that are there, and whose
        each party is follows from the patterns.
        """
        calls, records = self.calls(), self.all(CallRecord)
        assert Counter(record.call_key for record in records) == {call.call_key: call.record_count for call in calls}
        assert {call.call_key for call in calls} <= {record.record_key for record in records}
        self._check_links(records)
        self._check_holders()
        self._check_parties(calls)
        self._check_totals(calls)

    def _check_links(self, records: list[CallRecord]) -> None:
        named = {(key, record.call_key) for record in records for key in unpack_ids(record.link_keys)}
        assert {(link.link_key, link.call_key) for link in self.all(CallLink)} == named

    def _check_parties(self, calls: list[Call]) -> None:
        took_part = {
            (party_id, call.started_at, call.call_key) for call in calls for party_id in unpack_ids(call.party_ids)
        }
        assert {(row.party_id, row.started_at, row.call_key) for row in self.all(CallParty)} == took_part
        whole = {call.call_key: call for call in calls}
        for row in self.all(CallParty):
            call = whole[row.call_key]
            talked = row.party_id in (call.caller_id, call.answered_by_id) or row.roles & PartyRole.ANSWERED
            assert row.talk_seconds in (range(call.talk_seconds + 1) if talked else (0,))
            assert row.party_id != call.caller_id or row.talk_seconds == call.talk_seconds
        assert {party.id for party in self.all(Party)} == {party_id for party_id, _at, _key in took_part}

    def _check_holders(self) -> None:
        known: dict[str, list[Turn]] = {}
        for row in self.all(DestinationPattern):
            known.setdefault(row.pattern_key, []).append(Turn(to_ms(row.from_at), row.destination_id))
        wanted = {
            (party.id, *turn)
            for party in self.all(Party)
            for turn in list_turns(PartyNumber(party.kind, party.digits, party.pbx_id), known)
        }
        assert {(row.party_id, to_ms(row.from_at), row.destination_id) for row in self.all(PartyHolder)} == wanted

    def _check_totals(self, calls: list[Call]) -> None:
        organization = self.stored()
        days = LocalDays(organization.time_zone)
        slots: Counter[tuple[int, ...]] = Counter()
        by_day: Counter[tuple[int, ...]] = Counter()
        by_month: Counter[tuple[int, ...]] = Counter()
        by_party: Counter[tuple[int, ...]] = Counter()
        for call in calls:
            slot = to_ms(call.started_at) // 900_000
            for place, value in enumerate((1, call.ring_seconds, call.wait_seconds, call.talk_seconds, 0, 1)):
                slots[slot, call.pbx_id, call.direction, call.outcome, place] += value
                by_day[days.day(slot), call.pbx_id, call.direction, call.outcome, place] += value
                month = month_number(days.day(slot))
                by_month[month, call.pbx_id, call.direction, call.outcome, place] += value
            missed = is_missed(call.direction, call.outcome)
            for party_id in unpack_ids(call.party_ids):
                answered = call.outcome == Outcome.ANSWERED
                for place, value in enumerate((1, int(answered), int(missed), call.talk_seconds)):
                    by_party[party_id, days.day(slot), place] += value
        assert _sums(self.all(CallTotal), "slot") == +slots
        assert _sums(self.all(CallDay), "day") == +by_day
        assert _sums(self.all(CallMonth), "month") == +by_month
        if organization.moved_party_id is not None:
            return  # on their way to another zone, and read by nobody
        stored: Counter[tuple[int, ...]] = Counter()
        for row in self.all(PartyTotal):
            for place, value in enumerate((row.calls, row.answered, row.missed, row.talk_seconds)):
                stored[row.party_id, row.day, place] += value
        assert +stored == +by_party


def _sums(rows: list[Any], when: str) -> Counter[tuple[int, ...]]:
    sums: Counter[tuple[int, ...]] = Counter()
    for row in rows:
        assert row.calls > 0
        for place, value in enumerate(
            (row.calls, row.ring_seconds, row.wait_seconds, row.talk_seconds, row.price, row.unpriced)
        ):
            sums[getattr(row, when), row.pbx_id, row.direction, row.outcome, place] += value
    return +sums


def asterisk_row(
    *,
    unique: str = "1784116800.1",
    linked: str = "",
    sequence: int | str = 1,
    start: str = "2026-07-15 13:00:00",
    answer: str = "2026-07-15 13:00:08",
    end: str = "2026-07-15 13:03:20",
    duration: int = 200,
    billsec: int = 192,
    source: str = "02079460123",
    name: str = "Tyne Valley Catering",
    dialed: str = "02079460100",
    context: str = "from-trunk",
    channel: str = "PJSIP/provider-00000001",
    peer: str = "PJSIP/201-00000002",
    app: str = "Dial",
    data: str = "PJSIP/201,20",
    disposition: str = "ANSWERED",
) -> bytes:
    """One line of a 21-column Master.csv: an outside call, answered at 201 after 8 s, 3:12 long."""
    fields = ["", source, dialed, context, f'""{name}"" <{source}>', channel, peer, app, data, start, answer, end]
    quoted = ",".join(f'"{field}"' for field in fields)
    tail = f'"DOCUMENTATION","{unique}","","","{linked or unique}",{sequence}'
    return f'{quoted},{duration},{billsec},"{disposition}",{tail}\n'.encode()


def ring_all_row(unique: str, sequence: int, extension: str, answered: bool, minute: int = 0) -> bytes:
    """One phone of a group of which one answers; rows with the same `unique` are one call."""
    start = f"2026-07-15 13:{minute:02d}:00"
    return asterisk_row(
        unique=unique,
        sequence=sequence,
        dialed="600",
        start=start,
        answer=f"2026-07-15 13:{minute:02d}:08" if answered else "",
        end=f"2026-07-15 13:{minute:02d}:28" if answered else f"2026-07-15 13:{minute:02d}:08",
        duration=28 if answered else 8,
        billsec=20 if answered else 0,
        peer=f"PJSIP/{extension}-000000{sequence:02d}",
        disposition="ANSWERED" if answered else "NO ANSWER",
    )


def transferred_rows() -> bytes:
    """One call: 201 talked 60 s, 205 rang in vain, then 204 talked 30 s."""
    call = {"linked": "1784116800.1", "start": "2026-07-15 13:01:10"}
    first = asterisk_row(end="2026-07-15 13:01:08", duration=68, billsec=60)
    rang = {"answer": "", "end": "2026-07-15 13:01:14", "duration": 4, "billsec": 0, "disposition": "NO ANSWER"}
    tried = asterisk_row(unique="1784116870.2", peer="PJSIP/205-00000004", **call, **rang)
    talked = {"answer": "2026-07-15 13:01:15", "end": "2026-07-15 13:01:45", "duration": 35, "billsec": 30}
    return first + tried + asterisk_row(unique="1784116870.3", peer="PJSIP/204-00000006", **call, **talked)
