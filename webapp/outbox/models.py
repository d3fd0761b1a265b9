"""Mails that wait to go, as the ORM reads them. Global: mail about a person's own account has no organization."""

from datetime import datetime, timedelta
from enum import IntEnum

from sqlalchemy import BigInteger, Integer, LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column

from webapp.database.base import Base
from webapp.database.types import Instant, SmallEnum

#: Older mail is sent no more: its links have run out, and what it tells has passed.
OLDEST_SENT = timedelta(days=7)


class MailState(IntEnum):
    WAITING = 1
    SENDING = 2
    HANDED_OVER = 3
    REFUSED = 4  #: for good: it is tried no more


class OutboxMessage(Base):
    """One mail to one address. `secret` is sealed, and gone once the mail is handed over."""

    __tablename__ = "outbox_message"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    organization_id: Mapped[int | None] = mapped_column(BigInteger)
    cause: Mapped[str] = mapped_column(Text)
    template: Mapped[str] = mapped_column(Text)
    to_address: Mapped[str] = mapped_column(Text)
    words: Mapped[str] = mapped_column(Text)
    secret: Mapped[bytes | None] = mapped_column(LargeBinary)
    message_id: Mapped[str] = mapped_column(Text)
    state: Mapped[MailState] = mapped_column(SmallEnum(MailState))
    due_at: Mapped[datetime] = mapped_column(Instant)
    attempts: Mapped[int] = mapped_column(Integer)
    lease_owner: Mapped[str | None] = mapped_column(Text)
    lease_until: Mapped[datetime | None] = mapped_column(Instant)
    error: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(Instant)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)
