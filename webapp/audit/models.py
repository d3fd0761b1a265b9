"""The audit, as the ORM reads it: a chain of events an organization, and beside it their words, which can be erased.

Appended by actions.py alone. The chain of organization 0 is the service's own. A chain's beginning can be purged, and
leaves a checkpoint.
"""

from datetime import datetime

from sqlalchemy import BigInteger, Integer, LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column

from webapp.database.base import Base
from webapp.database.types import Instant
from webapp.tenancy.models import Tenant
from webapp.tenancy.narrowing import closed_to_narrowed, open_to_narrowed


class AuditEvent(Tenant, Base):
    """Something that happened. `row_hash` is the SHA-256 of the row and of the hash before it."""

    __tablename__ = "audit_event"

    position: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(Instant)
    actor_id: Mapped[int | None] = mapped_column(BigInteger)
    object_id: Mapped[int | None] = mapped_column(BigInteger)
    words_digest: Mapped[bytes] = mapped_column(LargeBinary)
    previous_hash: Mapped[bytes] = mapped_column(LargeBinary)
    row_hash: Mapped[bytes] = mapped_column(LargeBinary)


class AuditDetail(Tenant, Base):
    """The words of an event as JSON; None once erased."""

    __tablename__ = "audit_detail"

    position: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    salt: Mapped[bytes] = mapped_column(LargeBinary)
    words: Mapped[str | None] = mapped_column(Text)


class AuditHead(Tenant, Base):
    """The end of the chain."""

    __tablename__ = "audit_head"

    position: Mapped[int] = mapped_column(BigInteger)
    row_hash: Mapped[bytes] = mapped_column(LargeBinary)


class AuditCheckpoint(Tenant, Base):
    """Up to `position` the chain was purged; its last hash stays."""

    __tablename__ = "audit_checkpoint"

    position: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    row_hash: Mapped[bytes] = mapped_column(LargeBinary)
    purged_at: Mapped[datetime] = mapped_column(Instant)


class AuditViewing(Tenant, Base):
    """That a person's views of one kind are in the audit for a quarter of an hour (slot = quarter hours since 1970).

    `object_id` is 0 where views of whatever object count as one.
    """

    __tablename__ = "audit_viewing"

    user_account_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    kind: Mapped[str] = mapped_column(Text, primary_key=True)
    object_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    slot: Mapped[int] = mapped_column(Integer, primary_key=True)


open_to_narrowed(AuditHead, AuditViewing)  # what recording needs; what was recorded is for owners
closed_to_narrowed(AuditEvent, AuditDetail, AuditCheckpoint)
