"""Files of contacts on their way into the directory. What each column means stands in schema.sql."""

from datetime import datetime
from enum import IntEnum

from sqlalchemy import BigInteger, Text
from sqlalchemy.orm import Mapped, mapped_column

from webapp.database.base import Base
from webapp.database.types import Instant, SmallEnum
from webapp.tenancy.models import Tenant
from webapp.tenancy.narrowing import closed_to_narrowed


class ContactState(IntEnum):
    LOOKING = 1
    WAITING = 2  #: for somebody's yes
    STORING = 3
    STORED = 4
    THROWN_AWAY = 5
    FAILED = 6


class ContactImport(Tenant, Base):
    """One file of contacts and its fate. lines = added + changed + same + refused, at every commit."""

    __tablename__ = "contact_import"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    stored_file_id: Mapped[int | None] = mapped_column(BigInteger)
    file_name: Mapped[str] = mapped_column(Text)
    state: Mapped[ContactState] = mapped_column(SmallEnum(ContactState))
    line_count: Mapped[int] = mapped_column(BigInteger)
    added_count: Mapped[int] = mapped_column(BigInteger)
    changed_count: Mapped[int] = mapped_column(BigInteger)
    same_count: Mapped[int] = mapped_column(BigInteger)
    refused_count: Mapped[int] = mapped_column(BigInteger)
    refused: Mapped[str] = mapped_column(Text)
    bytes_read: Mapped[int] = mapped_column(BigInteger)
    error: Mapped[str | None] = mapped_column(Text)
    user_account_id: Mapped[int | None] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(Instant)


closed_to_narrowed(ContactImport)
