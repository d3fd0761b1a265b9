"""Takeouts, what retention removed, and what was erased for good.

What each column means stands in schema.sql. Erasures are global, and name nobody.
"""

from datetime import datetime
from enum import IntEnum

from sqlalchemy import BigInteger, Boolean, Integer, LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column

from webapp.database.base import Base
from webapp.database.types import Instant, SmallEnum
from webapp.tenancy.models import Tenant
from webapp.tenancy.narrowing import closed_to_narrowed


class ErasureKind(IntEnum):
    ORGANIZATION = 1
    PERSON = 2


class TakeoutState(IntEnum):
    WAITS = 1
    IS_WRITTEN = 2
    READY = 3
    FAILED = 4
    GONE = 5


class Erasure(Base):
    """An organization or a person that was erased for good."""

    __tablename__ = "erasure"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    kind: Mapped[ErasureKind] = mapped_column(SmallEnum(ErasureKind))
    subject_id: Mapped[int] = mapped_column(BigInteger)
    erased_at: Mapped[datetime] = mapped_column(Instant)
    row_count: Mapped[int] = mapped_column(BigInteger)
    receipt: Mapped[str] = mapped_column(Text)


class Takeout(Tenant, Base):
    """Everything an organization has, in one archive."""

    __tablename__ = "takeout"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    state: Mapped[TakeoutState] = mapped_column(SmallEnum(TakeoutState))
    asked_by: Mapped[int] = mapped_column(BigInteger)
    by_staff: Mapped[bool] = mapped_column(Boolean)
    asked_at: Mapped[datetime] = mapped_column(Instant)
    moment_at: Mapped[datetime | None] = mapped_column(Instant)
    ready_at: Mapped[datetime | None] = mapped_column(Instant)
    expires_at: Mapped[datetime | None] = mapped_column(Instant)
    fetched_at: Mapped[datetime | None] = mapped_column(Instant)
    step: Mapped[int] = mapped_column(Integer)
    steps: Mapped[int] = mapped_column(Integer)
    row_count: Mapped[int] = mapped_column(BigInteger)
    byte_count: Mapped[int] = mapped_column(BigInteger)
    manifest_digest: Mapped[bytes | None] = mapped_column(LargeBinary)


class TakeoutEntry(Tenant, Base):
    """A finished file of the archive."""

    __tablename__ = "takeout_entry"

    takeout_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    position: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    starts_at_byte: Mapped[int] = mapped_column(BigInteger)
    packed_count: Mapped[int] = mapped_column(BigInteger)
    byte_count: Mapped[int] = mapped_column(BigInteger)
    row_count: Mapped[int] = mapped_column(BigInteger)
    crc: Mapped[int] = mapped_column(BigInteger)
    digest: Mapped[bytes] = mapped_column(LargeBinary)


class TakeoutChunk(Tenant, Base):
    """A MiB of the archive."""

    __tablename__ = "takeout_chunk"

    takeout_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    position: Mapped[int] = mapped_column(Integer, primary_key=True)
    content: Mapped[bytes] = mapped_column(LargeBinary)


class RetentionRun(Tenant, Base):
    """What retention removed in a night."""

    __tablename__ = "retention_run"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    started_at: Mapped[datetime] = mapped_column(Instant)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)
    calls: Mapped[int] = mapped_column(BigInteger)
    records: Mapped[int] = mapped_column(BigInteger)
    parties: Mapped[int] = mapped_column(BigInteger)
    files: Mapped[int] = mapped_column(BigInteger)
    audit_events: Mapped[int] = mapped_column(BigInteger)
    archives: Mapped[int] = mapped_column(BigInteger)


closed_to_narrowed(Takeout, TakeoutEntry, TakeoutChunk, RetentionRun)
