"""The page of one call. Adds to the blueprint of calls/blueprint.py; loaded by create_app()."""

from zoneinfo import ZoneInfo

from flask import render_template
from flask.typing import ResponseReturnValue
from flask_login import current_user

from webapp import access, htmx
from webapp.audit.actions import record
from webapp.audit.objects import register_object
from webapp.audit.viewing import note_view
from webapp.calls.asked_routes import tell_lookup
from webapp.calls.blueprint import bp
from webapp.calls.detail import get_call_detail, get_party_of_call, list_existing_calls
from webapp.calls.periods import local_day
from webapp.calls.words import DIRECTION_LABELS, write_number
from webapp.clock import now
from webapp.database.staff_rights import Area
from webapp.errors import Forbidden
from webapp.formatting import format_exactly
from webapp.services import services
from webapp.tenancy.models import Role
from webapp.tenancy.reader import SEES_ALL
from webapp.tenancy.request import current_organization, current_reader, db

register_object("call", "calls.detail", "call_key", list_existing_calls)


@bp.route("/o/<slug:slug>/calls/<id:call_key>")
@access.member(Role.VIEWER)
@access.open_to_staff(Area.CALLS, "a call", "call")
def detail(call_key: int) -> ResponseReturnValue:
    organization = current_organization()
    zone = ZoneInfo(organization.time_zone)
    found = get_call_detail(db(), call_key, zone, organization.region, current_reader())
    started = format_exactly(found.call.started_at, zone)
    note_view(services().database, organization.id, current_user.id, "call.viewed", call_key, started=started)
    return render_template(
        "calls/detail.html",
        detail=found,
        call=found.call,
        reader=current_reader(),
        asked=tell_lookup(db(), found.call, zone, current_reader()),
        direction_labels=DIRECTION_LABELS,
        zone=zone,
        today=local_day(now(), zone),
    )


@bp.post("/o/<slug:slug>/calls/<id:call_key>/show-number/<id:party_id>")
@access.member(Role.VIEWER)
def show_number(call_key: int, party_id: int) -> ResponseReturnValue:
    """One number in full, for a reader who sees them masked; noted in "Who looked" before it is sent."""
    reader, region = current_reader(), current_organization().region
    party = get_party_of_call(db(), call_key, party_id, reader)
    if reader.is_masked and not reader.may_show_numbers:
        raise Forbidden("Numbers are masked for you, and cannot be shown one by one. An owner can change that.")
    if reader.is_masked:
        masked = write_number(party, region, reader)
        record(db(), "number.shown", actor_id=current_user.id, object_id=call_key, number=masked)
        db().commit()
    return htmx.render(
        "calls/number.html",
        "calls/_number.html",
        number=write_number(party, region, SEES_ALL),
        e164=party.e164 or "",
        call_key=call_key,
    )
