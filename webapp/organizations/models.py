"""Invitations and the counts of each organization, as the ORM reads them.

Mapped here and not in invitations/ and staff/: every membership names an invitation, every organization has its counts.
"""

from datetime import datetime
from enum import IntEnum

from sqlalchemy import BigInteger, Boolean, Integer, LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column

from webapp.database.base import Base
from webapp.database.types import Instant, SmallEnum
from webapp.tenancy.models import Numbers, Role, Tenant
from webapp.tenancy.narrowing import open_to_narrowed


class InvitationState(IntEnum):
    OPEN = 1
    ACCEPTED = 2
    REVOKED = 3
    UNCONFIRMED = 4  #: filed by the operator; an owner has to confirm it before its mail goes


class Invitation(Tenant, Base):
    """An offer of a membership to an address."""

    __tablename__ = "invitation"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    email: Mapped[str] = mapped_column(Text)
    role: Mapped[Role] = mapped_column(SmallEnum(Role))
    numbers: Mapped[Numbers] = mapped_column(SmallEnum(Numbers))
    may_export: Mapped[bool] = mapped_column(Boolean)
    narrowed: Mapped[bool] = mapped_column(Boolean)
    ends_at: Mapped[datetime | None] = mapped_column(Instant)
    words: Mapped[str] = mapped_column(Text)
    token_digest: Mapped[bytes] = mapped_column(LargeBinary)
    state: Mapped[InvitationState] = mapped_column(SmallEnum(InvitationState))
    mail_count: Mapped[int] = mapped_column(Integer)
    invited_by: Mapped[int | None] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)


class InvitationParty(Tenant, Base):
    """A party whose calls a narrowed invitation opens; as MembershipParty."""

    __tablename__ = "invitation_party"

    invitation_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    party_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    from_at: Mapped[datetime] = mapped_column(Instant, primary_key=True)
    until_at: Mapped[datetime | None] = mapped_column(Instant)


class InvitationDestination(Tenant, Base):
    """A destination whose calls a narrowed invitation opens; as MembershipDestination."""

    __tablename__ = "invitation_destination"

    invitation_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    destination_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    from_at: Mapped[datetime] = mapped_column(Instant, primary_key=True)
    until_at: Mapped[datetime | None] = mapped_column(Instant)


class OrganizationUsage(Base):
    """The counts of one organization, as they were at `counted_at`; for staff/. `owners`: addresses, one a line.

    Global. Until it is counted for the first time, `counted_at` is the instant at which the organization was made.
    """

    __tablename__ = "organization_usage"

    organization_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    counted_at: Mapped[datetime] = mapped_column(Instant)
    owners: Mapped[str] = mapped_column(Text)
    people: Mapped[int] = mapped_column(Integer)
    calls: Mapped[int] = mapped_column(BigInteger)
    recent_calls: Mapped[int] = mapped_column(BigInteger)
    file_bytes: Mapped[int] = mapped_column(BigInteger)
    waiting_bytes: Mapped[int] = mapped_column(BigInteger)
    sources: Mapped[int] = mapped_column(Integer)
    silent_sources: Mapped[int] = mapped_column(Integer)
    failing_sources: Mapped[int] = mapped_column(Integer)
    openings: Mapped[int] = mapped_column(Integer)
    last_call_day: Mapped[int | None] = mapped_column(Integer)
    last_sign_in_day: Mapped[int | None] = mapped_column(Integer)


open_to_narrowed(Invitation, InvitationParty, InvitationDestination)
