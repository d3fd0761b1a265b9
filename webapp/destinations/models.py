"""The directory of numbers and extensions an organization has seen, and the destinations that give them names.

Parties are written by ingest/, the rest by this package. What each column means stands in schema.sql.
"""

from datetime import datetime
from enum import IntEnum

from sqlalchemy import BigInteger, Integer, SmallInteger, Text
from sqlalchemy.orm import Mapped, mapped_column

from webapp.database.base import Base
from webapp.database.types import Instant, SmallEnum
from webapp.tenancy.models import Tenant
from webapp.tenancy.narrowing import closed_to_narrowed, narrowed_by


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
    place: Mapped[str | None] = mapped_column(Text)


class DestinationKind(IntEnum):
    PERSON = 1
    TEAM = 2
    VOICEMAIL = 3
    MENU = 4
    CONFERENCE = 5
    CUSTOMER = 6
    SUPPLIER = 7
    CONTACT = 8  #: any other outside
    ZONE = 9  #: whatever begins with its prefixes

    @property
    def is_outside(self) -> bool:
        return self >= DestinationKind.CUSTOMER


class PatternKind(IntEnum):
    EXTENSION = 1  #: or any code that is dialled inside, of one phone system or of all
    NUMBER = 2
    PREFIX = 3


class Destination(Tenant, Base):
    """A named place that calls go to or come from."""

    __tablename__ = "destination"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    kind: Mapped[DestinationKind] = mapped_column(SmallEnum(DestinationKind))
    name: Mapped[str] = mapped_column(Text)
    colour: Mapped[int] = mapped_column(SmallInteger)
    note: Mapped[str] = mapped_column(Text)
    version: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[datetime] = mapped_column(Instant)
    changed_at: Mapped[datetime] = mapped_column(Instant)
    changed_by: Mapped[int | None] = mapped_column(BigInteger)
    archived_at: Mapped[datetime | None] = mapped_column(Instant)
    merged_into_id: Mapped[int | None] = mapped_column(BigInteger)


class DestinationMember(Tenant, Base):
    """A person of a team; both are destinations."""

    __tablename__ = "destination_member"

    team_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    person_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)


class DestinationPattern(Tenant, Base):
    """By what a destination is recognised, from when on: of one pattern_key the newest row that has begun holds."""

    __tablename__ = "destination_pattern"

    pattern_key: Mapped[str] = mapped_column(Text, primary_key=True)
    from_at: Mapped[datetime] = mapped_column(Instant, primary_key=True)
    destination_id: Mapped[int | None] = mapped_column(BigInteger)
    kind: Mapped[PatternKind] = mapped_column(SmallEnum(PatternKind))
    digits: Mapped[str] = mapped_column(Text)
    pbx_id: Mapped[int | None] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(Instant)
    created_by: Mapped[int | None] = mapped_column(BigInteger)


class PartyHolder(Tenant, Base):
    """Whose a party is from an instant on, until its next row: read as of the start of a call."""

    __tablename__ = "party_holder"

    party_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    from_at: Mapped[datetime] = mapped_column(Instant, primary_key=True)
    destination_id: Mapped[int | None] = mapped_column(BigInteger)


# Of Destination and PartyHolder calls/narrowed.py says what a narrowed session sees.
narrowed_by(
    DestinationMember,  # of a team that they were given: its people's calls are theirs
    lambda narrowing, _at: DestinationMember.team_id.in_(sorted(narrowing.destination_ids)),
)


class UnnamedSkip(Tenant, Base):
    """A party that somebody passed over in "Still without a name"."""

    __tablename__ = "unnamed_skip"

    party_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    skipped_by: Mapped[int] = mapped_column(BigInteger)
    skipped_at: Mapped[datetime] = mapped_column(Instant)


closed_to_narrowed(DestinationPattern, UnnamedSkip)
