"""Policies as they were published, who was told, and whether each promise is kept.

Global tables, without a row of anybody's calls. What each column means stands in schema.sql.
"""

from datetime import datetime
from enum import IntEnum

from sqlalchemy import BigInteger, Boolean, Integer, LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column

from webapp.database.base import Base
from webapp.database.types import Instant, SmallEnum


class Policy(IntEnum):
    PRIVACY = 1
    SECURITY = 2

    @property
    def word(self) -> str:
        """As in its address and its file's name."""
        return self.name.lower()


class AnnouncementKind(IntEnum):
    POLICY = 1  #: a significant change of a policy
    INCIDENT = 2


class Outcome(IntEnum):
    """What became of the mail to a person."""

    QUEUED = 1
    HANDED_OVER = 2
    REFUSED = 3
    CAME_BACK = 4


class PolicyVersion(Base):
    """A policy as it was published: never changed."""

    __tablename__ = "policy_version"

    policy: Mapped[Policy] = mapped_column(SmallEnum(Policy), primary_key=True)
    version: Mapped[int] = mapped_column(Integer, primary_key=True)
    published_at: Mapped[datetime] = mapped_column(Instant)
    effective_at: Mapped[datetime] = mapped_column(Instant)
    significant: Mapped[bool] = mapped_column(Boolean)
    summary: Mapped[str] = mapped_column(Text)
    body: Mapped[str] = mapped_column(Text)
    frozen_values: Mapped[str] = mapped_column(Text)
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    published_by: Mapped[int | None] = mapped_column(BigInteger)


class Announcement(Base):
    """What everybody, or everybody of one organization, is told by mail and notice."""

    __tablename__ = "announcement"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    kind: Mapped[AnnouncementKind] = mapped_column(SmallEnum(AnnouncementKind))
    policy: Mapped[Policy | None] = mapped_column(SmallEnum(Policy))
    version: Mapped[int | None] = mapped_column(Integer)
    organization_id: Mapped[int | None] = mapped_column(BigInteger)
    subject: Mapped[str] = mapped_column(Text)
    words: Mapped[str] = mapped_column(Text)
    shown_until: Mapped[datetime] = mapped_column(Instant)
    created_by: Mapped[int | None] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(Instant)
    told_all_at: Mapped[datetime | None] = mapped_column(Instant)


class AnnouncementPerson(Base):
    """That a person was told: once, with one mail."""

    __tablename__ = "announcement_person"

    announcement_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    user_account_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    told_at: Mapped[datetime] = mapped_column(Instant)
    outbox_message_id: Mapped[int] = mapped_column(BigInteger)
    outcome: Mapped[Outcome] = mapped_column(SmallEnum(Outcome))
    outcome_at: Mapped[datetime | None] = mapped_column(Instant)
    error: Mapped[str | None] = mapped_column(Text)
    dismissed_at: Mapped[datetime | None] = mapped_column(Instant)


class PromiseState(Base):
    """Whether a promise is kept, as its check last saw it. `why` is "" while it is."""

    __tablename__ = "promise_state"

    promise: Mapped[str] = mapped_column(Text, primary_key=True)
    kept: Mapped[bool] = mapped_column(Boolean)
    since_at: Mapped[datetime] = mapped_column(Instant)
    checked_at: Mapped[datetime] = mapped_column(Instant)
    why: Mapped[str] = mapped_column(Text)


class PromiseChange(Base):
    """That a promise was no longer kept, or was again."""

    __tablename__ = "promise_change"

    promise: Mapped[str] = mapped_column(Text, primary_key=True)
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    at: Mapped[datetime] = mapped_column(Instant)
    kept: Mapped[bool] = mapped_column(Boolean)
    why: Mapped[str] = mapped_column(Text)
