"""The page of one call. Adds to the blueprint of calls/blueprint.py; loaded by create_app()."""

from zoneinfo import ZoneInfo

from flask import render_template
from flask.typing import ResponseReturnValue
from flask_login import current_user

from webapp import access
from webapp.audit.objects import register_object
from webapp.audit.viewing import note_view
from webapp.calls.blueprint import bp
from webapp.calls.detail import get_call_detail, list_existing_calls
from webapp.calls.periods import local_day
from webapp.calls.words import DIRECTION_LABELS
from webapp.clock import now
from webapp.formatting import format_exactly
from webapp.services import services
from webapp.tenancy.models import Role
from webapp.tenancy.request import current_organization, db

register_object("call", "calls.detail", "call_key", list_existing_calls)


@bp.route("/o/<slug:slug>/calls/<id:call_key>")
@access.member(Role.VIEWER)
def detail(call_key: int) -> ResponseReturnValue:
    organization = current_organization()
    zone = ZoneInfo(organization.time_zone)
    found = get_call_detail(db(), call_key, zone, organization.region)
    started = format_exactly(found.call.started_at, zone)
    note_view(services().database, organization.id, current_user.id, "call.viewed", call_key, started=started)
    return render_template(
        "calls/detail.html",
        detail=found,
        call=found.call,
        direction_labels=DIRECTION_LABELS,
        zone=zone,
        today=local_day(now(), zone),
    )
