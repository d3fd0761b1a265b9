"""What an organization lets the operator's staff see, what the law made us hand out, and who may do without a factor.

Read by the guard, staff/, organizations/ and accounts/. What each column means stands in schema.sql. Grants are written
in an owner's session alone: the staff role of PostgreSQL cannot even read them.
"""

from datetime import datetime
from enum import IntEnum

from sqlalchemy import BigInteger, Boolean, Integer, LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column

from webapp.database.base import Base
from webapp.database.staff_rights import Area
from webapp.database.types import Instant, SmallEnum
from webapp.tenancy.models import Tenant
from webapp.tenancy.narrowing import closed_to_narrowed, open_to_narrowed


class RequestState(IntEnum):
    WAITS = 1
    ALLOWED = 2
    REFUSED = 3
    UNANSWERED = 4
    TAKEN_BACK = 5


class DisclosureState(IntEnum):
    WAITS = 1
    AGREED = 2
    PRODUCED = 3
    TAKEN_BACK = 4
    FAILED = 5


class AccessRequest(Tenant, Base):
    """Staff ask to be let in; or, without `staff_id`, an owner invites whoever helps. `areas`: bits of Area."""

    __tablename__ = "access_request"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    staff_id: Mapped[int | None] = mapped_column(BigInteger)
    areas: Mapped[Area] = mapped_column(SmallEnum(Area))
    full_numbers: Mapped[bool] = mapped_column(Boolean)
    may_download: Mapped[bool] = mapped_column(Boolean)
    hours: Mapped[int] = mapped_column(Integer)
    ticket: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    state: Mapped[RequestState] = mapped_column(SmallEnum(RequestState))
    created_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant)
    answered_at: Mapped[datetime | None] = mapped_column(Instant)
    answered_by: Mapped[int | None] = mapped_column(BigInteger)


class AccessGrant(Tenant, Base):
    """What an owner allowed, never more than was asked. `staff_id`: None for whoever of staff opens it."""

    __tablename__ = "access_grant"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    request_id: Mapped[int] = mapped_column(BigInteger)
    staff_id: Mapped[int | None] = mapped_column(BigInteger)
    areas: Mapped[Area] = mapped_column(SmallEnum(Area))
    full_numbers: Mapped[bool] = mapped_column(Boolean)
    may_download: Mapped[bool] = mapped_column(Boolean)
    starts_at: Mapped[datetime] = mapped_column(Instant)
    ends_at: Mapped[datetime] = mapped_column(Instant)
    allowed_by: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(Instant)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)
    ended_by: Mapped[int | None] = mapped_column(BigInteger)


class AccessOpening(Tenant, Base):
    """A member of staff uses a grant, in one browser, until `until_at` at most."""

    __tablename__ = "access_opening"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    grant_id: Mapped[int] = mapped_column(BigInteger)
    staff_id: Mapped[int] = mapped_column(BigInteger)
    web_session_id: Mapped[int] = mapped_column(BigInteger)
    opened_at: Mapped[datetime] = mapped_column(Instant)
    until_at: Mapped[datetime] = mapped_column(Instant)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)


class Disclosure(Tenant, Base):
    """The law made us hand something out; its organization is told at once, or when the gag ends."""

    __tablename__ = "disclosure"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    legal_basis: Mapped[str] = mapped_column(Text)
    authority: Mapped[str] = mapped_column(Text)
    scope: Mapped[str] = mapped_column(Text)
    areas: Mapped[Area] = mapped_column(SmallEnum(Area))
    from_at: Mapped[datetime | None] = mapped_column(Instant)
    until_at: Mapped[datetime | None] = mapped_column(Instant)
    state: Mapped[DisclosureState] = mapped_column(SmallEnum(DisclosureState))
    asked_by: Mapped[int] = mapped_column(BigInteger)
    asked_at: Mapped[datetime] = mapped_column(Instant)
    agreed_by: Mapped[int | None] = mapped_column(BigInteger)
    agreed_at: Mapped[datetime | None] = mapped_column(Instant)
    produced_at: Mapped[datetime | None] = mapped_column(Instant)
    manifest_digest: Mapped[bytes | None] = mapped_column(LargeBinary)
    row_count: Mapped[int | None] = mapped_column(BigInteger)
    gag: Mapped[str] = mapped_column(Text)
    gag_until: Mapped[datetime | None] = mapped_column(Instant)
    told_at: Mapped[datetime | None] = mapped_column(Instant)


class DisclosureChunk(Tenant, Base):
    """A MiB of the sealed archive of a disclosure; at position KEY_POSITION its key, sealed, until it was shown."""

    KEY_POSITION = -1

    __tablename__ = "disclosure_chunk"

    disclosure_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    position: Mapped[int] = mapped_column(Integer, primary_key=True)
    content: Mapped[bytes] = mapped_column(LargeBinary)


class FactorConsent(Tenant, Base):
    """An owner is asked to confirm that somebody may do without the factors they lost; `confirmed_by` once one did."""

    __tablename__ = "factor_consent"

    removal_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    confirmed_by: Mapped[int | None] = mapped_column(BigInteger)
    confirmed_at: Mapped[datetime | None] = mapped_column(Instant)


open_to_narrowed(AccessGrant, AccessOpening)  # everybody is told while somebody looks
closed_to_narrowed(AccessRequest, Disclosure, DisclosureChunk, FactorConsent)
