"""Background work and stored files, as the ORM sees them.

Job and LiveWorker are global: queue.py and worker.py alone write them. Stored files are an organization's.
"""

from datetime import datetime
from enum import IntEnum

from sqlalchemy import BigInteger, Boolean, Integer, LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column

from webapp.database.base import Base
from webapp.database.types import Instant, SmallEnum
from webapp.tenancy.models import Tenant
from webapp.tenancy.narrowing import closed_to_narrowed


class JobState(IntEnum):
    WAITING = 1
    RUNNING = 2
    DONE = 3
    DEAD = 4


class Job(Base):
    """A piece of background work. Its payload holds ids only, so that a queue leaks nothing."""

    __tablename__ = "job"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    organization_id: Mapped[int | None] = mapped_column(BigInteger)
    payload: Mapped[str] = mapped_column(Text)
    state: Mapped[JobState] = mapped_column(SmallEnum(JobState))
    run_at: Mapped[datetime] = mapped_column(Instant)
    attempts: Mapped[int] = mapped_column(Integer)
    lease_owner: Mapped[str | None] = mapped_column(Text)
    lease_until: Mapped[datetime | None] = mapped_column(Instant)
    error_class: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(Instant)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)


class LiveWorker(Base):
    """A worker that was alive at `seen_at`."""

    __tablename__ = "worker"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    seen_at: Mapped[datetime] = mapped_column(Instant)


class StoredFile(Tenant, Base):
    """A file that was uploaded, kept so that it can be read again."""

    __tablename__ = "stored_file"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    byte_count: Mapped[int] = mapped_column(BigInteger)
    stored_count: Mapped[int] = mapped_column(BigInteger)
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    complete: Mapped[bool] = mapped_column(Boolean)
    created_at: Mapped[datetime] = mapped_column(Instant)


class StoredChunk(Tenant, Base):
    """A MiB of a stored file, deflated."""

    __tablename__ = "stored_chunk"

    stored_file_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    position: Mapped[int] = mapped_column(Integer, primary_key=True)
    content: Mapped[bytes] = mapped_column(LargeBinary)


closed_to_narrowed(StoredFile, StoredChunk)
