"""Phone systems, imported files, records, calls and their totals, as the ORM reads them.

Pages and queries read them; calls, records, parties and totals are written by ingest/writer.py alone.
What each column means stands in schema.sql.
"""

from datetime import datetime
from enum import IntEnum, IntFlag

from sqlalchemy import BigInteger, Boolean, Integer, LargeBinary, SmallInteger, Text
from sqlalchemy.orm import Mapped, mapped_column

from webapp.calls.outcomes import Direction, Outcome
from webapp.database.base import Base
from webapp.database.types import Instant, SmallEnum
from webapp.tenancy.models import Tenant


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
    delivered_on: Mapped[int | None] = mapped_column(Integer)
    old_count: Mapped[int] = mapped_column(BigInteger, default=0)


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


class CallToReturn(Tenant, Base):
    """An outside caller who did not get through, since they last did."""

    __tablename__ = "call_to_return"

    party_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    first_at: Mapped[datetime] = mapped_column(Instant)
    last_at: Mapped[datetime] = mapped_column(Instant)
    last_call_key: Mapped[int] = mapped_column(BigInteger)
    pbx_id: Mapped[int] = mapped_column(BigInteger)
    did_id: Mapped[int | None] = mapped_column(BigInteger)
    tries: Mapped[int] = mapped_column(Integer)
    wait_seconds: Mapped[int] = mapped_column(Integer)
    voicemail: Mapped[bool] = mapped_column(Boolean)
    assigned_to: Mapped[int | None] = mapped_column(BigInteger)
    note: Mapped[str] = mapped_column(Text)
    done_at: Mapped[datetime | None] = mapped_column(Instant)
    done_by: Mapped[int | None] = mapped_column(BigInteger)


class ReturnMail(Tenant, Base):
    """A person who wants one mail a day that says how many callers wait."""

    __tablename__ = "return_mail"

    user_account_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    last_on: Mapped[int | None] = mapped_column(Integer)
