"""Routes in words: one of them, what another plan changes, and how a plan is told for a moment. Pure."""

from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from webapp.destinations.route_models import Number, RouteCondition
from webapp.destinations.routing import Plan, RouteLine, Schedule, Target, route_at, tell_path
from webapp.formatting import format_date

_CONDITIONS = {
    RouteCondition.ALWAYS: "Always",
    RouteCondition.OPEN: "Within {schedule}",
    RouteCondition.CLOSED: "Outside {schedule}",
    RouteCondition.HOLIDAY: "On {schedule}",
    RouteCondition.BUSY: "If busy",
    RouteCondition.NO_ANSWER: "If nobody answers for {seconds} s",
    RouteCondition.UNREACHABLE: "If it cannot be reached",
}


def tell_condition(condition: RouteCondition, schedule: str = "", seconds: int | None = None) -> str:
    return _CONDITIONS[condition].format(schedule=schedule, seconds=seconds)


def tell_line(line: RouteLine, names: Mapping[int, Target], schedules: Mapping[int, str], zone: ZoneInfo) -> str:
    """ "Within Office hours → Reception, until 3 May 2026 at 00:00, switched off"."""
    schedule = schedules.get(line.schedule_id or 0, "")
    parts = [f"{tell_condition(line.condition, schedule, line.ring_seconds)} → {names[line.destination_id].name}"]
    parts += [f"from {tell_instant(line.from_at, zone)}"] if line.from_at else []
    parts += [f"until {tell_instant(line.until_at, zone)}"] if line.until_at else []
    parts += [] if line.enabled else ["switched off"]
    return ", ".join(parts)


def tell_instant(at: datetime, zone: ZoneInfo) -> str:
    """ "3 May 2026 at 19:00"."""
    local = at.astimezone(zone)
    return f"{format_date(local.date())} at {local:%H:%M}"


def tell_not_ours(number: Number, at: datetime, when: str, *, past: bool = False) -> str:
    """ "Now this number is not yours any more.", or "" for a moment at which it is ours: only then is it answered."""
    if number.since_at is not None and at < number.since_at:
        then = "yet"
    elif number.until_at is not None and at >= number.until_at:
        then = "any more"
    else:
        return ""
    return f"{when} this number {'was' if past else 'is'} not yours {then}."


def tell_number(
    number: Number,
    plan: Plan,
    schedules: Mapping[int, Schedule],
    names: Mapping[int, Target],
    when: str,
    at: datetime,
) -> list[str]:
    """The way of a call to a number of ours at a moment as sentences, also where it is not ours then."""
    closed = tell_not_ours(number, at, when)
    return [closed] if closed else tell_path(route_at(plan, schedules, at), names, when)


def tell_changes(
    before: Plan, after: Plan, names: Mapping[int, Target], schedules: Mapping[int, str], zone: ZoneInfo
) -> list[str]:
    """What the second plan has and the first has not, and the other way round; [] for the same."""
    old = [tell_line(line, names, schedules, zone) for line in before.lines]
    new = [tell_line(line, names, schedules, zone) for line in after.lines]
    told = [f"New: {line}" for line in new if line not in old] + [f"Gone: {line}" for line in old if line not in new]
    stayed = [line for line in new if line in old]
    if stayed != [line for line in old if line in new]:
        told.append("In another order")
    return told


def tell_followed(asked_at: datetime | None, now: datetime) -> str:
    """Whether a phone system goes by what stands here: it has asked lately, or nothing is known of one that does."""
    if asked_at is None:
        return "noted only: your phone system decides"
    minutes = int((now - asked_at).total_seconds()) // 60
    if minutes < 1:
        ago = "just now"
    else:
        ago = f"{minutes} min ago" if minutes < 60 else f"{minutes // 60} h ago"
    return f"followed (last asked {ago})"
