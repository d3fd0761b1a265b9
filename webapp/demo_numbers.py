"""Own numbers, opening hours and routes of the demo's firm, by the actions that the pages use. Called by run_demo.py.

The routes lead to whatever destinations have the extensions of the reception, the sales group and the night menu.
"""

from datetime import date
from zoneinfo import ZoneInfo

from sqlalchemy import select

from demo import firm
from webapp.destinations.models import DestinationPattern, PatternKind
from webapp.destinations.number_actions import NumberDetails, list_number, read_typed
from webapp.destinations.number_queries import find_number
from webapp.destinations.route_actions import store_plan
from webapp.destinations.route_models import Number, NumberKind, RouteCondition, ScheduleKind
from webapp.destinations.route_queries import find_plan
from webapp.destinations.routing import Holidays, Hours, Plan, RouteLine, Span
from webapp.destinations.schedule_actions import make_schedule
from webapp.destinations.schedule_queries import list_schedules
from webapp.tenancy.lock import LockedSession

_ZONE = ZoneInfo(firm.TIME_ZONE)
_NUMBERS = ((firm.MAIN_NUMBER, "Main line", firm.RECEPTION), (firm.SALES_NUMBER, "Sales", firm.SALES_GROUP))
_HOURS, _DAYS = "Office hours", "Bank holidays"
_WEEK = tuple(Span(weekday, 8 * 60 + 30, 17 * 60 + 30) for weekday in range(1, 6))
_CALENDAR = (
    (date(2026, 12, 25), "Christmas Day"),
    (date(2026, 12, 28), "Boxing Day, in lieu"),
    (date(2027, 1, 1), "New Year’s Day"),
    (date(2027, 3, 26), "Good Friday"),
)


def list_own_numbers(session: LockedSession) -> None:
    """At the first start; later ones find them there, and add the routes once there are destinations."""
    schedules = _schedules(session)
    for typed, label, extension in _NUMBERS:
        facts = read_typed(typed, firm.REGION)
        number = find_number(session, facts.e164)
        if number is None:
            details = NumberDetails(firm.REGION, NumberKind.GEOGRAPHIC, "Harbour Telecom", label)
            number = list_number(session, facts, details, _ZONE, actor_id=None)
        _route(session, number, schedules, extension)


def _schedules(session: LockedSession) -> dict[str, int]:
    """Ids by name."""
    found = {each.schedule.name: each.schedule.id for each in list_schedules(session)}
    wanted = (
        (ScheduleKind.OPENING_HOURS, _HOURS, Hours(firm.TIME_ZONE, _WEEK)),
        (ScheduleKind.HOLIDAYS, _DAYS, Holidays(firm.TIME_ZONE, _CALENDAR)),
    )
    for kind, name, rule in wanted:
        if name not in found:
            found[name] = make_schedule(session, kind, name, rule, actor_id=None).id
    return found


def _route(session: LockedSession, number: Number, schedules: dict[str, int], extension: str) -> None:
    patterns = session.scalars(
        select(DestinationPattern).where(
            DestinationPattern.kind == PatternKind.EXTENSION,
            DestinationPattern.digits.in_((extension, firm.NIGHT_MENU)),
            DestinationPattern.destination_id.is_not(None),
        )
    )
    places = {pattern.digits: pattern.destination_id for pattern in patterns}
    day, night = places.get(extension), places.get(firm.NIGHT_MENU)
    if day is None or night is None or find_plan(session, number.id) is not None:
        return
    lines = (
        RouteLine(RouteCondition.HOLIDAY, night, schedules[_DAYS]),
        RouteLine(RouteCondition.OPEN, day, schedules[_HOURS]),
        RouteLine(RouteCondition.ALWAYS, night),
        RouteLine(RouteCondition.NO_ANSWER, night, None, 25),
    )
    store_plan(session, number, Plan(lines), None, _ZONE, actor_id=None)
