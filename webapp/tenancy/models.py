"""Organizations, memberships and what they open, and the mixins that make a table a tenant's.

Read by every feature; the mixins are what the session lock (lock.py) narrows by.
"""

from datetime import datetime, timedelta
from enum import IntEnum

from sqlalchemy import BigInteger, Boolean, Integer, Text
from sqlalchemy.orm import Mapped, mapped_column

from webapp.clock import from_ms
from webapp.database.base import Base
from webapp.database.types import Instant, SmallEnum

#: Between an owner's closing of an organization and its erasure: it can be taken back.
GRACE = timedelta(days=14)


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


class Numbers(IntEnum):
    """How a person sees outside numbers."""

    FULL = 1
    MASKED = 2  #: the last four digits are dots, everywhere
    SHOWN_ONE_BY_ONE = 3  #: masked, but a number can be shown, which is noted in "Who looked"


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
    contact: Mapped[str] = mapped_column(Text)
    idle_minutes: Mapped[int] = mapped_column(Integer)
    second_factor_required: Mapped[bool] = mapped_column(Boolean)
    created_at: Mapped[datetime] = mapped_column(Instant)
    next_time_zone: Mapped[str | None] = mapped_column(Text)
    moved_party_id: Mapped[int | None] = mapped_column(BigInteger)
    moved_ms: Mapped[int | None] = mapped_column(BigInteger)
    suspended_for: Mapped[str | None] = mapped_column(Text)
    file_limit: Mapped[int | None] = mapped_column(BigInteger)
    people_limit: Mapped[int | None] = mapped_column(Integer)
    keep_calls_days: Mapped[int | None] = mapped_column(Integer)
    keep_audit_days: Mapped[int | None] = mapped_column(Integer)
    keep_files_days: Mapped[int | None] = mapped_column(Integer)
    keep_exports_days: Mapped[int] = mapped_column(Integer, default=7)
    closing_ms: Mapped[int | None] = mapped_column(BigInteger)
    closing_by: Mapped[int | None] = mapped_column(BigInteger)

    @property
    def erased_from(self) -> datetime | None:
        """When everything of it goes; None while nobody has closed it."""
        return None if self.closing_ms is None else from_ms(self.closing_ms) + GRACE

    def is_to_be_erased(self, at: datetime) -> bool:
        """Whether its days of grace are over: nothing of it is shown any more, and nothing brings it back."""
        return self.erased_from is None or at >= self.erased_from

    @property
    def chosen_time_zone(self) -> str:
        """The zone it has, or the one it is on the way to."""
        return self.next_time_zone or self.time_zone

    @property
    def is_moving(self) -> bool:
        """Whether its totals are on the way to the days of another zone."""
        return self.next_time_zone is not None or self.moved_party_id is not None


class Membership(TenantKey, Base):
    """A person in an organization. The lock shows those of the bound organization and those of the bound person."""

    __tablename__ = "membership"

    user_account_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    invitation_id: Mapped[int] = mapped_column(BigInteger)
    role: Mapped[Role] = mapped_column(SmallEnum(Role))
    numbers: Mapped[Numbers] = mapped_column(SmallEnum(Numbers))
    may_export: Mapped[bool] = mapped_column(Boolean)
    narrowed: Mapped[bool] = mapped_column(Boolean)
    ends_at: Mapped[datetime | None] = mapped_column(Instant)
    last_used_at: Mapped[datetime | None] = mapped_column(Instant)
    created_at: Mapped[datetime] = mapped_column(Instant)


class MembershipParty(Tenant, Base):
    """A party whose calls a narrowed person sees, if they start in from_at <= instant < until_at (None: no end)."""

    __tablename__ = "membership_party"

    user_account_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    party_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    from_at: Mapped[datetime] = mapped_column(Instant, primary_key=True)
    until_at: Mapped[datetime | None] = mapped_column(Instant)


class MembershipDestination(Tenant, Base):
    """A destination whose calls a narrowed person sees; as MembershipParty."""

    __tablename__ = "membership_destination"

    user_account_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    destination_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    from_at: Mapped[datetime] = mapped_column(Instant, primary_key=True)
    until_at: Mapped[datetime | None] = mapped_column(Instant)
