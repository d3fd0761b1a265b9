"""What the pages of this package have in common: the plan and zone of the organization, what every template needs."""

from typing import Any
from zoneinfo import ZoneInfo

from webapp.clock import now
from webapp.destinations.patterns import Plan
from webapp.destinations.plans import load_plan
from webapp.destinations.tabs import current_tab, list_tabs
from webapp.errors import Forbidden
from webapp.organizations.who_looked import THE_OPERATOR, name_people
from webapp.tenancy.models import Role
from webapp.tenancy.request import current_membership, current_organization, current_reader, db

_NUMBERS_HIDDEN = "You see outside numbers without their last four digits, so patterns are not shown to you."


def own_plan() -> Plan:
    return load_plan(db(), current_organization().region)


def own_zone() -> ZoneInfo:
    return ZoneInfo(current_organization().time_zone)


def may_change() -> bool:
    return current_membership().role >= Role.MANAGER


def check_sees_patterns() -> None:
    """Patterns name numbers in full. Raises Forbidden for a masked reader."""
    if current_reader().is_masked:
        raise Forbidden(_NUMBERS_HIDDEN)


def name_of(user_account_id: int | None) -> str:
    """Who changed something; None is the operator."""
    if user_account_id is None:
        return THE_OPERATOR.label
    return name_people(db(), {user_account_id})[user_account_id].label


def frame(**more: Any) -> dict[str, Any]:
    """The context of a page or part."""
    zone = own_zone()
    return {
        "tabs": list_tabs(),
        "current_tab": current_tab(),
        "may_change": may_change(),
        "masked": current_reader().is_masked,
        "may_export": current_reader().may_export,
        "zone": zone,
        "today": now().astimezone(zone).date(),
        **more,
    }
