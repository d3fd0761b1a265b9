"""What phone systems brought by themselves and nobody has read yet. Written by sources/, read by deliveries.py."""

from datetime import datetime

from sqlalchemy import BigInteger, LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column

from webapp.database.base import Base
from webapp.database.types import Instant
from webapp.tenancy.models import Tenant
from webapp.tenancy.narrowing import closed_to_narrowed


class SpooledDelivery(Tenant, Base):
    """Records that a phone system brought by itself: acknowledged, and not read yet."""

    __tablename__ = "spooled_delivery"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    pbx_id: Mapped[int] = mapped_column(BigInteger)
    format: Mapped[str] = mapped_column(Text)
    received_at: Mapped[datetime] = mapped_column(Instant)
    body: Mapped[bytes] = mapped_column(LargeBinary)


closed_to_narrowed(SpooledDelivery)
