"""What came of each backup, restore and drill. A global table; what each column means stands in schema.sql."""

from datetime import datetime
from enum import IntEnum

from sqlalchemy import BigInteger, Boolean, LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column

from webapp.database.base import Base
from webapp.database.types import Instant, SmallEnum


class RunKind(IntEnum):
    BACKUP = 1
    RESTORE = 2
    DRILL = 3


class RecoveryRun(Base):
    """A backup, a restore or a drill, and what came of it."""

    __tablename__ = "recovery_run"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    kind: Mapped[RunKind] = mapped_column(SmallEnum(RunKind))
    started_at: Mapped[datetime] = mapped_column(Instant)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)
    succeeded: Mapped[bool] = mapped_column(Boolean)
    backup_name: Mapped[str] = mapped_column(Text)
    backup_at: Mapped[datetime | None] = mapped_column(Instant)
    byte_count: Mapped[int] = mapped_column(BigInteger)
    digest: Mapped[bytes | None] = mapped_column(LargeBinary)
    organizations: Mapped[int] = mapped_column(BigInteger)
    calls: Mapped[int] = mapped_column(BigInteger)
    heads_digest: Mapped[bytes | None] = mapped_column(LargeBinary)
    words: Mapped[str] = mapped_column(Text)
