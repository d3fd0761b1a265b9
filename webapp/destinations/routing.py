"""Where a call to one of our numbers goes at an instant. Pure: no Flask, no database, no clock.

route_at(plan, schedules, at) -> Decision: the first route that fits says where it rings; those for busy, no answer and
unreachable say where it goes on when that one does not take it. Asked by the pages of routes, before anything is saved
and for the past, and by route_answers.py for phone systems. What is wrong with a plan: route_checks.py.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

from webapp.destinations.route_models import RouteCondition

MINUTES_OF_A_DAY = 1440
#: What a route says about the call after it rang somewhere, in the order in which it is told.
FAILURES = (RouteCondition.NO_ANSWER, RouteCondition.BUSY, RouteCondition.UNREACHABLE)
_LOOK_AHEAD_DAYS = 9  #: a week, and a day more for a DST night on which the hour of it is missing


class Span(NamedTuple):
    """Open on this weekday (1 is Monday) from <= minute of the local day < until."""

    weekday: int
    from_minute: int
    until_minute: int


@dataclass(frozen=True)
class Hours:
    """Opening hours of a week, by the wall clock of an IANA zone."""

    time_zone: str
    spans: tuple[Span, ...]

    def hold(self, at: datetime) -> bool:
        local = at.astimezone(ZoneInfo(self.time_zone))
        minute = local.hour * 60 + local.minute
        weekday = local.isoweekday()
        return any(span.weekday == weekday and span.from_minute <= minute < span.until_minute for span in self.spans)


@dataclass(frozen=True)
class Holidays:
    """Whole local days of an IANA zone, with their names."""

    time_zone: str
    days: tuple[tuple[date, str], ...]

    def hold(self, at: datetime) -> bool:
        return self.name_at(at) is not None

    def name_at(self, at: datetime) -> str | None:
        """Of the holiday at that instant, which may be ""; None for no holiday."""
        local = at.astimezone(ZoneInfo(self.time_zone)).date()
        return next((name for day, name in self.days if day == local), None)


Schedule = Hours | Holidays


@dataclass(frozen=True)
class RouteLine:
    """One route. `schedule_id` of conditions OPEN, CLOSED and HOLIDAY; `ring_seconds` of NO_ANSWER."""

    condition: RouteCondition
    destination_id: int
    schedule_id: int | None = None
    ring_seconds: int | None = None
    enabled: bool = True
    from_at: datetime | None = None
    until_at: datetime | None = None

    def is_valid(self, at: datetime) -> bool:
        """Switched on, and within its days: from_at <= at < until_at."""
        begun = self.from_at is None or self.from_at <= at
        return self.enabled and begun and (self.until_at is None or at < self.until_at)

    @property
    def decides(self) -> bool:
        """Whether it says where a call rings first."""
        return self.condition not in FAILURES


@dataclass(frozen=True)
class Plan:
    """All routes of a number, in the order in which they are tried."""

    lines: tuple[RouteLine, ...] = ()


class Step(NamedTuple):
    """A place on the way of a call, and the route that leads there (0 is the first of the plan).

    `on`: what happened at the place before, ALWAYS for where it rings first. `ring_seconds`: of NO_ANSWER.
    """

    destination_id: int
    route: int
    on: RouteCondition = RouteCondition.ALWAYS
    ring_seconds: int | None = None


@dataclass(frozen=True)
class Decision:
    """`first`: where the call rings; None where no route fits.

    `onward`: where it goes on, at most one for each of FAILURES; none that only leads to where it rang.
    """

    first: Step | None
    onward: tuple[Step, ...] = ()

    @property
    def steps(self) -> tuple[Step, ...]:
        return () if self.first is None else (self.first, *self.onward)


class Target(NamedTuple):
    """A destination in words. `rings`: somebody is called there; not at a voicemail, a menu, a conference."""

    name: str
    rings: bool = True


def route_at(plan: Plan, schedules: Mapping[int, Schedule], at: datetime) -> Decision:
    """`schedules`: as they were in force at that instant, by id; a route whose schedule is missing does not fit."""
    first = None
    onward: dict[RouteCondition, Step] = {}
    for place, line in enumerate(plan.lines):
        if not line.is_valid(at):
            continue
        if not line.decides:
            onward.setdefault(line.condition, Step(line.destination_id, place, line.condition, line.ring_seconds))
        elif first is None and _fits(line, schedules, at):
            first = Step(line.destination_id, place)
    if first is None:
        return Decision(None)
    ways = (onward[failure] for failure in FAILURES if failure in onward)
    return Decision(first, tuple(step for step in ways if step.destination_id != first.destination_id))


def _fits(line: RouteLine, schedules: Mapping[int, Schedule], at: datetime) -> bool:
    if line.condition == RouteCondition.ALWAYS:
        return True
    schedule = None if line.schedule_id is None else schedules.get(line.schedule_id)
    if schedule is None:
        return False
    return schedule.hold(at) != (line.condition == RouteCondition.CLOSED)


_ON_FAILURE = {
    RouteCondition.NO_ANSWER: ("If nobody answers for {seconds} s", "If nobody answered for {seconds} s"),
    RouteCondition.BUSY: ("If it is busy", "If it was busy"),
    RouteCondition.UNREACHABLE: ("If it cannot be reached", "If it could not be reached"),
}


def tell_path(
    decision: Decision, names: Mapping[int, Target], when: str = "At that time", *, past: bool = False
) -> list[str]:
    """The way of a call as sentences. `names`: of every destination of the decision."""
    if decision.first is None:
        goes, sends = ("fitted", "sent") if past else ("fits", "sends")
        return [f"{when} no route {goes}: a call goes where your phone system {sends} it by itself."]
    first = names[decision.first.destination_id]
    if first.rings:
        verb = "rang" if past else "rings"
    else:
        verb = "took the call" if past else "takes the call"
    onward = (
        _tell_failure(step, names[step.destination_id].name, past)
        for step in decision.onward
        if first.rings or step.on != RouteCondition.NO_ANSWER
    )
    return [f"{when} {first.name} {verb}.", *onward]


def _tell_failure(step: Step, name: str, past: bool) -> str:
    condition = _ON_FAILURE[step.on][past].format(seconds=step.ring_seconds)
    return f"{condition}, it {'went' if past else 'goes'} to {name}."


def next_change(hours: Hours, at: datetime) -> datetime | None:
    """When they open next, or close where they are open now; None where that never happens."""
    now_open = hours.hold(at)
    return next((instant for instant in _moments(hours, at) if hours.hold(instant) != now_open), None)


def _moments(hours: Hours, at: datetime) -> Iterator[datetime]:
    """Every instant after `at` at which the hours can change, in order: their own minutes, and the clock's jumps."""
    zone = ZoneInfo(hours.time_zone)
    today = at.astimezone(zone).date()
    found: set[datetime] = set()
    for number in range(_LOOK_AHEAD_DAYS):
        day = today + timedelta(days=number)
        midnight = datetime(day.year, day.month, day.day, tzinfo=at.tzinfo)
        offsets = _offsets(midnight, zone)
        for span in hours.spans:
            for minute in (span.from_minute, span.until_minute):
                found.update(midnight + timedelta(minutes=minute) - offset for offset in offsets)
        found.update(_jumps(midnight, zone))
    return iter(sorted(instant for instant in found if instant > at))


def _offsets(midnight: datetime, zone: ZoneInfo) -> set[timedelta]:
    """From UTC, around a day."""
    around = (midnight + timedelta(hours=hours) for hours in (-14, 0, 14, 28, 42))
    return {instant.astimezone(zone).utcoffset() or timedelta() for instant in around}


def _jumps(midnight: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    """The instants of a UTC day at which the zone's clock jumps. They are whole quarters of an hour everywhere."""
    if len(_offsets(midnight, zone)) == 1:
        return
    quarters = [midnight + timedelta(minutes=15 * number) for number in range(-1, 97)]
    for before, after in pairwise(quarters):
        if before.astimezone(zone).utcoffset() != after.astimezone(zone).utcoffset():
            yield after
