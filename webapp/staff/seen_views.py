"""The owners' page "What our staff see of you": the console's page of their organization, the same part. Holds `bp`."""

from zoneinfo import ZoneInfo

from flask.typing import ResponseReturnValue

from webapp import access, clock, htmx
from webapp.staff.blueprint import bp
from webapp.staff.seen import read_seen
from webapp.tenancy.models import Role
from webapp.tenancy.request import current_organization, db

__all__ = ["bp"]


@bp.get("/o/<slug:slug>/what-staff-see")
@access.member(Role.OWNER)
@access.sees_every_call
def what_staff_see() -> ResponseReturnValue:
    seen = read_seen(db(), current_organization().id)
    zone = ZoneInfo(seen.listed.organization.time_zone)
    today = clock.now().astimezone(zone).date()
    return htmx.render("staff/what_staff_see.html", "staff/_seen.html", seen=seen, zone=zone, today=today)
