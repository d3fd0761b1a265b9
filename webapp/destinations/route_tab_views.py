"""The tab of opening hours and routes: where each number rings now, opening hours and holidays."""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from flask.typing import ResponseReturnValue

from webapp import access, clock, htmx
from webapp.database.staff_rights import Area
from webapp.destinations import tabs
from webapp.destinations.blueprint import bp
from webapp.destinations.route_models import Schedule
from webapp.destinations.route_queries import list_paths
from webapp.destinations.routing import Hours
from webapp.destinations.routing import Schedule as Rule
from webapp.destinations.schedule_queries import list_numbers_using, list_schedules
from webapp.destinations.schedule_text import tell_schedule, tell_state
from webapp.tenancy.models import Role
from webapp.tenancy.request import current_membership, current_organization, current_reader, db

tabs.add_tab("Opening hours and routes", "destinations.routes", 30)


@dataclass(frozen=True)
class Shown:
    """A schedule on the tab: `lines` of what it says, `state` for now ("Open now, closes at 17:00")."""

    schedule: Schedule
    lines: list[str]
    state: str


@bp.get("/routes")
@access.member(Role.VIEWER)
@access.sees_every_call
@access.open_to_staff(Area.DESTINATIONS, "opening hours and routes")
def routes() -> ResponseReturnValue:
    zone, now = ZoneInfo(current_organization().time_zone), clock.now()
    dated = [each for each in list_schedules(db()) if _is_shown(each.schedule)]
    return htmx.render(
        "destinations/routes.html",
        "destinations/routes.html",
        tabs=tabs.list_tabs(),
        current_tab=tabs.current_tab(),
        paths=list_paths(db(), now, masked=current_reader().is_masked),
        hours=[_show(each.schedule, each.rule, now) for each in dated if each.is_hours],
        holidays=[_show(each.schedule, each.rule, now) for each in dated if not each.is_hours],
        may_change=current_membership().role >= Role.MANAGER,
        zone=zone,
        now=now,
        today=now.astimezone(zone).date(),
    )


def _is_shown(schedule: Schedule) -> bool:
    """Also one that was put away, and that an undo of routes has brought back."""
    return schedule.archived_at is None or bool(list_numbers_using(db(), schedule.id))


def _show(schedule: Schedule, rule: Rule, now: datetime) -> Shown:
    if isinstance(rule, Hours):
        return Shown(schedule, tell_schedule(rule), tell_state(rule, now))
    today = now.astimezone(ZoneInfo(rule.time_zone)).date()
    ahead = [day for day in rule.days if day[0] >= today]
    lines = tell_schedule(type(rule)(rule.time_zone, tuple(ahead[:5]))) if ahead else ["No day ahead"]
    more = [f"and {len(ahead) - 5} more"] if len(ahead) > 5 else []
    return Shown(schedule, [*lines, *more], "Holiday today" if rule.hold(now) else "")
