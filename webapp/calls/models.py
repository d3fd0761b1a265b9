"""Phone systems, imported files, records, calls and their totals, as the ORM reads them.

Pages and queries read them; calls, records, parties and totals are written by ingest/writer.py alone.
What each column means stands in schema.sql.
"""

from datetime import datetime
from enum import IntEnum, IntFlag
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    Integer,
    LargeBinary,
    SmallInteger,
    Text,
    and_,
    exists,
    func,
    or_,
)
from sqlalchemy.orm import Mapped, mapped_column

from webapp.calls.outcomes import Direction, Outcome
from webapp.database.base import Base
from webapp.database.types import Instant, SmallEnum
from webapp.destinations.models import Party, PartyKind
from webapp.tenancy.models import Tenant
from webapp.tenancy.narrowing import Narrowing, bare, closed_to_narrowed, narrowed_by, open_to_narrowed


class ImportState(IntEnum):
    UPLOADED = 1
    QUEUED = 2
    RUNNING = 3
    DONE = 4
    CANCELLED = 5
    FAILED = 6
    UNDOING = 7
    UNDONE = 8


class CallerReason(IntEnum):
    """Why a call has no caller."""

    KNOWN = 0
    WITHHELD = 1
    NOT_GIVEN = 2


class PartyRole(IntFlag):
    CALLER = 1
    DIALED = 2
    RANG = 4
    ANSWERED = 8
    OWN_NUMBER = 16


class RecordFlag(IntFlag):
    """What is odd about a record; a call has those of all its records."""

    REPEATED_HOUR = 1  #: local time that a DST night has twice; which one is not certain
    MISSING_HOUR = 2  #: local time that a DST night does not have; moved forward
    ODD_DURATION = 4  #: negative, or longer than a day: not added into talk time
    ODD_TIME = 8  #: before 1990, or in the future


class Pbx(Tenant, Base):
    """A phone system that produces records."""

    __tablename__ = "pbx"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    format: Mapped[str | None] = mapped_column(Text)
    time_zone: Mapped[str] = mapped_column(Text)
    region: Mapped[str] = mapped_column(Text)
    area_code: Mapped[str] = mapped_column(Text)
    outside_prefix: Mapped[str] = mapped_column(Text)
    extension_digits: Mapped[str] = mapped_column(Text)
    outside_lines: Mapped[str] = mapped_column(Text)
    answered_at: Mapped[datetime | None] = mapped_column(Instant)
    column_map: Mapped[str | None] = mapped_column(Text)
    settings_version: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[datetime] = mapped_column(Instant)
    closed_at: Mapped[datetime | None] = mapped_column(Instant)


class ImportFile(Tenant, Base):
    """One file of call records and its fate. read = stored + duplicate + skipped + refused, at every commit."""

    __tablename__ = "import_file"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    pbx_id: Mapped[int] = mapped_column(BigInteger)
    stored_file_id: Mapped[int | None] = mapped_column(BigInteger)
    file_name: Mapped[str] = mapped_column(Text)
    format: Mapped[str | None] = mapped_column(Text)
    confidence: Mapped[int] = mapped_column(SmallInteger)
    time_zone: Mapped[str] = mapped_column(Text)
    column_map: Mapped[str | None] = mapped_column(Text)
    header: Mapped[bytes | None] = mapped_column(LargeBinary)
    state: Mapped[ImportState] = mapped_column(SmallEnum(ImportState))
    cancel_asked: Mapped[bool] = mapped_column(Boolean)
    read_count: Mapped[int] = mapped_column(BigInteger)
    stored_count: Mapped[int] = mapped_column(BigInteger)
    duplicate_count: Mapped[int] = mapped_column(BigInteger)
    skipped_count: Mapped[int] = mapped_column(BigInteger)
    refused_count: Mapped[int] = mapped_column(BigInteger)
    call_count: Mapped[int] = mapped_column(BigInteger)
    bytes_read: Mapped[int] = mapped_column(BigInteger)
    work_seconds: Mapped[int] = mapped_column(Integer)
    error: Mapped[str | None] = mapped_column(Text)
    user_account_id: Mapped[int | None] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(Instant)
    started_at: Mapped[datetime | None] = mapped_column(Instant)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)


class RejectedLine(Tenant, Base):
    """A line that could not be read."""

    __tablename__ = "rejected_line"

    import_file_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    line_number: Mapped[int] = mapped_column(Integer, primary_key=True)
    reason: Mapped[str] = mapped_column(Text)
    raw: Mapped[bytes] = mapped_column(LargeBinary)


class CallRecord(Tenant, Base):
    """One row that a phone system wrote: a fact."""

    __tablename__ = "call_record"

    record_key: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    id_hash: Mapped[int] = mapped_column(BigInteger)
    content_hash: Mapped[int] = mapped_column(BigInteger)
    call_key: Mapped[int] = mapped_column(BigInteger)
    pbx_id: Mapped[int] = mapped_column(BigInteger)
    import_file_id: Mapped[int] = mapped_column(BigInteger)
    line_number: Mapped[int] = mapped_column(Integer)
    version: Mapped[int] = mapped_column(Integer)
    started_at: Mapped[datetime] = mapped_column(Instant)
    answered_at: Mapped[datetime | None] = mapped_column(Instant)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)
    duration: Mapped[int] = mapped_column(Integer)
    billsec: Mapped[int] = mapped_column(Integer)
    kind: Mapped[int] = mapped_column(SmallInteger)
    result: Mapped[int] = mapped_column(SmallInteger)
    direction: Mapped[Direction] = mapped_column(SmallEnum(Direction))
    flags: Mapped[int] = mapped_column(SmallInteger)
    hangup_cause: Mapped[int | None] = mapped_column(SmallInteger)
    disposition: Mapped[str] = mapped_column(Text)
    caller: Mapped[str] = mapped_column(Text)
    caller_name: Mapped[str] = mapped_column(Text)
    dialed: Mapped[str] = mapped_column(Text)
    reached: Mapped[str] = mapped_column(Text)
    did: Mapped[str] = mapped_column(Text)
    leg_id: Mapped[str] = mapped_column(Text)
    peer_leg_id: Mapped[str] = mapped_column(Text)
    line: Mapped[str] = mapped_column(Text)
    peer_line: Mapped[str] = mapped_column(Text)
    context: Mapped[str] = mapped_column(Text)
    application: Mapped[str] = mapped_column(Text)
    queue_name: Mapped[str] = mapped_column(Text)
    account_code: Mapped[str] = mapped_column(Text)
    link_keys: Mapped[bytes] = mapped_column(LargeBinary)
    raw: Mapped[bytes] = mapped_column(LargeBinary)


class CallRecordVersion(Tenant, Base):
    """What a record said before it came again with other content."""

    __tablename__ = "call_record_version"

    record_key: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    version: Mapped[int] = mapped_column(Integer, primary_key=True)
    import_file_id: Mapped[int] = mapped_column(BigInteger)
    line_number: Mapped[int] = mapped_column(Integer)
    content_hash: Mapped[int] = mapped_column(BigInteger)
    raw: Mapped[bytes] = mapped_column(LargeBinary)


class CallLink(Tenant, Base):
    """An id by which records name a call."""

    __tablename__ = "call_link"

    link_key: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    call_key: Mapped[int] = mapped_column(BigInteger, primary_key=True)


class Call(Tenant, Base):
    """What happened, built from its records. Pages read it in the order of its key."""

    __tablename__ = "call"

    started_at: Mapped[datetime] = mapped_column(Instant, primary_key=True)
    call_key: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    pbx_id: Mapped[int] = mapped_column(BigInteger)
    direction: Mapped[Direction] = mapped_column(SmallEnum(Direction))
    outcome: Mapped[Outcome] = mapped_column(SmallEnum(Outcome))
    caller_id: Mapped[int | None] = mapped_column(BigInteger)
    caller_reason: Mapped[CallerReason] = mapped_column(SmallEnum(CallerReason))
    dialed_id: Mapped[int | None] = mapped_column(BigInteger)
    callee_id: Mapped[int | None] = mapped_column(BigInteger)
    answered_by_id: Mapped[int | None] = mapped_column(BigInteger)
    did_id: Mapped[int | None] = mapped_column(BigInteger)
    ring_seconds: Mapped[int] = mapped_column(Integer)
    wait_seconds: Mapped[int] = mapped_column(Integer)
    talk_seconds: Mapped[int] = mapped_column(Integer)
    ended_at: Mapped[datetime] = mapped_column(Instant)
    record_count: Mapped[int] = mapped_column(Integer)
    flags: Mapped[int] = mapped_column(SmallInteger)
    party_ids: Mapped[bytes] = mapped_column(LargeBinary)
    price: Mapped[int | None] = mapped_column(BigInteger)


class CallParty(Tenant, Base):
    """Who took part in a call, as what, and for how long they talked."""

    __tablename__ = "call_party"

    party_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    started_at: Mapped[datetime] = mapped_column(Instant, primary_key=True)
    call_key: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    roles: Mapped[int] = mapped_column(SmallInteger)
    talk_seconds: Mapped[int] = mapped_column(Integer)


class Total:
    """What CallTotal, CallDay and CallMonth sum."""

    calls: Mapped[int] = mapped_column(BigInteger)
    ring_seconds: Mapped[int] = mapped_column(BigInteger)
    wait_seconds: Mapped[int] = mapped_column(BigInteger)
    talk_seconds: Mapped[int] = mapped_column(BigInteger)
    price: Mapped[int] = mapped_column(BigInteger)
    unpriced: Mapped[int] = mapped_column(BigInteger)


class CallTotal(Tenant, Total, Base):
    """Calls that start in one quarter of an hour (slot = quarter hours since 1970, UTC)."""

    __tablename__ = "call_total"

    slot: Mapped[int] = mapped_column(Integer, primary_key=True)
    pbx_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    direction: Mapped[Direction] = mapped_column(SmallEnum(Direction), primary_key=True)
    outcome: Mapped[Outcome] = mapped_column(SmallEnum(Outcome), primary_key=True)


class CallDay(Tenant, Total, Base):
    """Calls that start on one local day of the organization (day = local days since 1970-01-01)."""

    __tablename__ = "call_day"

    day: Mapped[int] = mapped_column(Integer, primary_key=True)
    pbx_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    direction: Mapped[Direction] = mapped_column(SmallEnum(Direction), primary_key=True)
    outcome: Mapped[Outcome] = mapped_column(SmallEnum(Outcome), primary_key=True)


class CallMonth(Tenant, Total, Base):
    """Calls that start in one local month of the organization (month = local months since January 1970)."""

    __tablename__ = "call_month"

    month: Mapped[int] = mapped_column(Integer, primary_key=True)
    pbx_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    direction: Mapped[Direction] = mapped_column(SmallEnum(Direction), primary_key=True)
    outcome: Mapped[Outcome] = mapped_column(SmallEnum(Outcome), primary_key=True)


class PartyTotal(Tenant, Base):
    """Calls of one party on one local day, in whatever role."""

    __tablename__ = "party_total"

    party_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    day: Mapped[int] = mapped_column(Integer, primary_key=True)
    calls: Mapped[int] = mapped_column(BigInteger)
    answered: Mapped[int] = mapped_column(BigInteger)
    missed: Mapped[int] = mapped_column(BigInteger)
    talk_seconds: Mapped[int] = mapped_column(BigInteger)


class CallSearch(Tenant, Base):
    """Words somebody searched for, so that numbers stay out of addresses and logs."""

    __tablename__ = "call_search"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    user_account_id: Mapped[int] = mapped_column(BigInteger)
    words: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(Instant)


_EMERGENCY = ("112", "911", "999")
_SHORTEST_OUTSIDE = 7  #: digits: no extension is as long


def _of_call(narrowing: Narrowing, organization_id: int, started_at: Any, call_key: Any) -> ColumnElement[bool]:
    """In the call with this key a party of theirs took part, in its days."""
    own = bare(CallParty)
    return exists().where(
        own.c.organization_id == organization_id,
        narrowing.took_part(own.c.party_id, own.c.started_at),
        own.c.started_at == started_at,
        own.c.call_key == call_key,
    )


def _of_call_party(narrowing: Narrowing, organization_id: int) -> ColumnElement[bool]:
    """A row of theirs, in its days, is in a call of theirs; whether others are is looked up."""
    is_theirs = narrowing.took_part(CallParty.party_id, CallParty.started_at)
    return or_(is_theirs, _of_call(narrowing, organization_id, CallParty.started_at, CallParty.call_key))


def _of_record(narrowing: Narrowing, organization_id: int, call_key: Any) -> ColumnElement[bool]:
    """The same where the call's start is not at hand."""
    call = bare(Call)
    return exists().where(
        call.c.organization_id == organization_id,
        call.c.call_key == call_key,
        _of_call(narrowing, organization_id, call.c.started_at, call.c.call_key),
    )


def _of_version(narrowing: Narrowing, organization_id: int) -> ColumnElement[bool]:
    record = bare(CallRecord)
    return exists().where(
        record.c.organization_id == organization_id,
        record.c.record_key == CallRecordVersion.record_key,
        _of_record(narrowing, organization_id, record.c.call_key),
    )


def _of_party(narrowing: Narrowing, organization_id: int) -> ColumnElement[bool]:
    """Theirs, and whoever else took part in their calls, but the extensions of others: these are colleagues."""
    other = bare(CallParty)
    in_their_calls = exists().where(
        other.c.organization_id == organization_id,
        other.c.party_id == Party.id,
        _of_call(narrowing, organization_id, other.c.started_at, other.c.call_key),
    )
    theirs = Party.id.in_(sorted(narrowing.party_ids))
    return or_(theirs, and_(_is_outside(), in_their_calls))


def _is_outside() -> ColumnElement[bool]:
    """Surely nobody of the house: a short number or a name that could not be made out may be a colleague's."""
    code = or_(Party.digits.like("*%"), Party.digits.like("#%"), Party.digits.in_(_EMERGENCY))
    return or_(
        Party.kind == PartyKind.OUTSIDE,
        and_(Party.kind == PartyKind.SERVICE, code),
        and_(Party.kind == PartyKind.OTHER, func.length(Party.digits) >= _SHORTEST_OUTSIDE),
    )


narrowed_by(Call, lambda narrowing, at: _of_call(narrowing, at, Call.started_at, Call.call_key))
narrowed_by(CallParty, _of_call_party)
narrowed_by(CallRecord, lambda narrowing, at: _of_record(narrowing, at, CallRecord.call_key))
narrowed_by(CallRecordVersion, _of_version)
narrowed_by(Party, _of_party)
# Sums and whole files cannot be cut to some calls.
closed_to_narrowed(CallTotal, CallDay, CallMonth, PartyTotal, RejectedLine, CallLink)
open_to_narrowed(Pbx, ImportFile, CallSearch)
