"""The directory of numbers and extensions an organization has seen. Read by calls/ and written by ingest/writer.py."""

from enum import IntEnum

from sqlalchemy import BigInteger, Text
from sqlalchemy.orm import Mapped, mapped_column

from webapp.database.base import Base
from webapp.database.types import SmallEnum
from webapp.tenancy.models import Tenant


class PartyKind(IntEnum):
    OUTSIDE = 1  #: a number with an E.164 form
    EXTENSION = 2
    SERVICE = 3  #: a service code, a queue, a group: *97, s, 700
    OTHER = 4  #: digits that could not be made out


class LineType(IntEnum):
    UNKNOWN = 0
    FIXED = 1
    MOBILE = 2
    FREEPHONE = 3
    OTHER = 4


class Party(Tenant, Base):
    """One distinct number or extension. `identity` is the E.164, or "<pbx id>:<digits>" where there is none."""

    __tablename__ = "party"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    identity: Mapped[str] = mapped_column(Text)
    kind: Mapped[PartyKind] = mapped_column(SmallEnum(PartyKind))
    e164: Mapped[str | None] = mapped_column(Text)
    digits: Mapped[str] = mapped_column(Text)
    pbx_id: Mapped[int | None] = mapped_column(BigInteger)
    region: Mapped[str] = mapped_column(Text)
    line_type: Mapped[LineType] = mapped_column(SmallEnum(LineType))
    name: Mapped[str] = mapped_column(Text)
