"""By what a phone system proves itself. Used by this package alone."""

from datetime import datetime

from sqlalchemy import BigInteger, LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column

from webapp.database.base import Base
from webapp.database.types import Instant
from webapp.tenancy.models import Tenant
from webapp.tenancy.narrowing import closed_to_narrowed


class PbxToken(Tenant, Base):
    """By what a phone system proves itself. The token itself is nowhere."""

    __tablename__ = "pbx_token"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    pbx_id: Mapped[int] = mapped_column(BigInteger)
    prefix: Mapped[str] = mapped_column(Text)
    token_digest: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(Instant)
    created_by: Mapped[int | None] = mapped_column(BigInteger)
    last_used_at: Mapped[datetime | None] = mapped_column(Instant)
    ends_at: Mapped[datetime | None] = mapped_column(Instant)


closed_to_narrowed(PbxToken)
