"""The numbers an organization owns, where they lead, and when. What each column means stands in schema.sql.

Plans of routes and versions of schedules are appended, never changed: they are the history.
"""

from datetime import datetime
from enum import IntEnum

from sqlalchemy import BigInteger, Boolean, Integer, LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column

from webapp.database.base import Base
from webapp.database.types import Instant, SmallEnum
from webapp.tenancy.models import Tenant
from webapp.tenancy.narrowing import closed_to_narrowed, open_to_narrowed


class NumberKind(IntEnum):
    GEOGRAPHIC = 1
    MOBILE = 2
    FREEPHONE = 3
    OTHER = 4


class ScheduleKind(IntEnum):
    OPENING_HOURS = 1
    HOLIDAYS = 2


class RouteCondition(IntEnum):
    ALWAYS = 1
    OPEN = 2  #: within opening hours
    CLOSED = 3  #: outside of them
    HOLIDAY = 4
    BUSY = 5
    NO_ANSWER = 6  #: after ring_seconds
    UNREACHABLE = 7


class LookupAnswer(IntEnum):
    ROUTE = 1
    NOT_LISTED = 2  #: the number is none of ours
    NO_PLAN = 3  #: nobody has said where it leads
    NOTHING_FITS = 4  #: none of its routes fits at that moment


class Number(Tenant, Base):
    """A number that the organization owns."""

    __tablename__ = "number"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    e164: Mapped[str] = mapped_column(Text)
    party_id: Mapped[int] = mapped_column(BigInteger)
    kind: Mapped[NumberKind] = mapped_column(SmallEnum(NumberKind))
    region: Mapped[str] = mapped_column(Text)
    provider: Mapped[str] = mapped_column(Text)
    label: Mapped[str] = mapped_column(Text)
    since_at: Mapped[datetime | None] = mapped_column(Instant)
    until_at: Mapped[datetime | None] = mapped_column(Instant)
    version: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[datetime] = mapped_column(Instant)
    created_by: Mapped[int | None] = mapped_column(BigInteger)


class Schedule(Tenant, Base):
    """Opening hours or holidays that several routes share; its versions say which."""

    __tablename__ = "schedule"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    kind: Mapped[ScheduleKind] = mapped_column(SmallEnum(ScheduleKind))
    name: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(Instant)
    archived_at: Mapped[datetime | None] = mapped_column(Instant)


class ScheduleVersion(Tenant, Base):
    """What a schedule said from an instant on, until its next version."""

    __tablename__ = "schedule_version"

    schedule_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    from_at: Mapped[datetime] = mapped_column(Instant, primary_key=True)
    time_zone: Mapped[str] = mapped_column(Text)
    content: Mapped[str] = mapped_column(Text)
    user_account_id: Mapped[int | None] = mapped_column(BigInteger)


class RoutePlan(Tenant, Base):
    """All routes of a number as stored at once: in force until its next plan."""

    __tablename__ = "route_plan"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    number_id: Mapped[int] = mapped_column(BigInteger)
    at: Mapped[datetime] = mapped_column(Instant)
    user_account_id: Mapped[int | None] = mapped_column(BigInteger)
    repeats_id: Mapped[int | None] = mapped_column(BigInteger)


class Route(Tenant, Base):
    """Where a call to a number goes under one condition; the first of a plan that fits is taken."""

    __tablename__ = "route"

    route_plan_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    position: Mapped[int] = mapped_column(Integer, primary_key=True)
    condition: Mapped[RouteCondition] = mapped_column(SmallEnum(RouteCondition))
    schedule_id: Mapped[int | None] = mapped_column(BigInteger)
    ring_seconds: Mapped[int | None] = mapped_column(Integer)
    destination_id: Mapped[int] = mapped_column(BigInteger)
    enabled: Mapped[bool] = mapped_column(Boolean)
    from_at: Mapped[datetime | None] = mapped_column(Instant)
    until_at: Mapped[datetime | None] = mapped_column(Instant)


class RouteLookup(Tenant, Base):
    """That a phone system asked where a call goes, and what it was told."""

    __tablename__ = "route_lookup"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    pbx_id: Mapped[int] = mapped_column(BigInteger)
    at: Mapped[datetime] = mapped_column(Instant)
    number_id: Mapped[int | None] = mapped_column(BigInteger)
    route_plan_id: Mapped[int | None] = mapped_column(BigInteger)
    destination_id: Mapped[int | None] = mapped_column(BigInteger)
    answer: Mapped[LookupAnswer] = mapped_column(SmallEnum(LookupAnswer))
    dialled: Mapped[str] = mapped_column(Text)
    link_keys: Mapped[bytes] = mapped_column(LargeBinary)


open_to_narrowed(Number)  # what stands on a call that came in on it
closed_to_narrowed(Schedule, ScheduleVersion, RoutePlan, Route, RouteLookup)
