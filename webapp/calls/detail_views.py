"""The page of one call. Adds to the blueprint of calls/blueprint.py; loaded by create_app()."""

from zoneinfo import ZoneInfo

from flask import render_template
from flask.typing import ResponseReturnValue

from webapp import access
from webapp.calls.blueprint import bp
from webapp.calls.detail import get_call_detail
from webapp.calls.periods import local_day
from webapp.calls.words import DIRECTION_LABELS
from webapp.clock import now
from webapp.tenancy.models import Role
from webapp.tenancy.request import current_organization, db


@bp.route("/o/<slug:slug>/calls/<id:call_key>")
@access.member(Role.VIEWER)
def detail(call_key: int) -> ResponseReturnValue:
    organization = current_organization()
    zone = ZoneInfo(organization.time_zone)
    found = get_call_detail(db(), call_key, zone, organization.region)
    return render_template(
        "calls/detail.html",
        detail=found,
        call=found.call,
        direction_labels=DIRECTION_LABELS,
        zone=zone,
        today=local_day(now(), zone),
    )
