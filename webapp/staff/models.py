"""What the console shows of the service: failures, use of features, limited networks, notices.

Global tables, without a row of anybody's calls. What each column means stands in schema.sql. The counts of each
organization are mapped in organizations/models.py, for they begin with it.
"""

from datetime import datetime

from sqlalchemy import BigInteger, Integer, Text
from sqlalchemy.orm import Mapped, mapped_column

from webapp.database.base import Base
from webapp.database.types import Instant


class SourceFailure(Base):
    """Failures of one kind and class of a phone system on a day (days since 1970, UTC)."""

    __tablename__ = "source_failure"

    day: Mapped[int] = mapped_column(Integer, primary_key=True)
    organization_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    pbx_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    kind: Mapped[str] = mapped_column(Text, primary_key=True)
    error_class: Mapped[str] = mapped_column(Text, primary_key=True)
    failures: Mapped[int] = mapped_column(Integer)
    last_at: Mapped[datetime] = mapped_column(Instant)


class FeatureUse(Base):
    """How often a feature was used in an organization on a day (days since 1970, UTC)."""

    __tablename__ = "feature_use"

    day: Mapped[int] = mapped_column(Integer, primary_key=True)
    organization_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    feature: Mapped[str] = mapped_column(Text, primary_key=True)
    uses: Mapped[int] = mapped_column(BigInteger)


class LimitedNetwork(Base):
    """A network that a limit turned away on a day."""

    __tablename__ = "limited_network"

    day: Mapped[int] = mapped_column(Integer, primary_key=True)
    network: Mapped[str] = mapped_column(Text, primary_key=True)
    limit_name: Mapped[str] = mapped_column(Text, primary_key=True)
    refusals: Mapped[int] = mapped_column(Integer)
    last_at: Mapped[datetime] = mapped_column(Instant)


class ServiceNotice(Base):
    """Words of staff on every page, from `starts_at` to `ends_at`."""

    __tablename__ = "service_notice"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    words: Mapped[str] = mapped_column(Text)
    starts_at: Mapped[datetime] = mapped_column(Instant)
    ends_at: Mapped[datetime] = mapped_column(Instant)
    created_by: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(Instant)
