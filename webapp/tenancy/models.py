"""Organizations, memberships, and the mixin that makes a table a tenant's.

Read by every feature; the mixin is what the session lock (lock.py) narrows by.
"""

from datetime import datetime
from enum import IntEnum

from sqlalchemy import BigInteger, Text
from sqlalchemy.orm import Mapped, mapped_column

from webapp.database.base import Base
from webapp.database.types import Instant, SmallEnum


class OrganizationState(IntEnum):
    OPEN = 1
    SUSPENDED = 2
    CLOSED = 3


class Role(IntEnum):
    """What a person may do in an organization; a larger one includes the smaller."""

    VIEWER = 1
    MANAGER = 2
    OWNER = 3

    @property
    def word(self) -> str:
        return self.name.lower()


class TenantKey:
    """Mixin of every table whose rows belong to one organization: its column leads the primary key."""

    # Without sort_order the mixin's column comes last in the key, and get() silently asks for the wrong row.
    organization_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, sort_order=-1)


class Tenant(TenantKey):
    """Mixin of the tables that answer to the bound organization alone: all but membership."""


class Organization(Base):
    """A customer. Global: it can be asked before a session is bound."""

    __tablename__ = "organization"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    slug: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    time_zone: Mapped[str] = mapped_column(Text)
    region: Mapped[str] = mapped_column(Text)
    state: Mapped[OrganizationState] = mapped_column(SmallEnum(OrganizationState))
    keeps_from: Mapped[datetime | None] = mapped_column(Instant)
    created_at: Mapped[datetime] = mapped_column(Instant)


class Membership(TenantKey, Base):
    """A person in an organization. The lock shows those of the bound organization and those of the bound person."""

    __tablename__ = "membership"

    user_account_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    role: Mapped[Role] = mapped_column(SmallEnum(Role))
    created_at: Mapped[datetime] = mapped_column(Instant)
