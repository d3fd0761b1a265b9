"""Support looks at an organization's pages: what its people are told on each page, and the buttons that end it. `bp`.

`list_looks` is called by the layout. A process that finds nobody looking does not ask again for some seconds, so the
banner may come late by these; what has ended is gone from the next page on.
"""

from collections.abc import Sequence
from datetime import datetime
from weakref import WeakKeyDictionary
from zoneinfo import ZoneInfo

from flask import Blueprint, flash, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from webapp import access, clock, htmx
from webapp.database.engine import Database
from webapp.database.ids import read_id
from webapp.errors import BadRequest, NotFound
from webapp.formatting import format_time
from webapp.organizations import looks
from webapp.organizations.looks import Look
from webapp.services import services
from webapp.tenancy.guard import hold_and_check
from webapp.tenancy.models import Role
from webapp.tenancy.request import current_place, db
from webapp.tenancy.sessions import reading_session, writing_session
from webapp.tenancy.staff_entry import Opening, find_entered, tell_areas

bp = Blueprint("looks", __name__)
bp.app_template_filter("areas")(tell_areas)

_QUIET_MS = 5_000
#: When the process last found nobody looking, by organization.
_quiet: WeakKeyDictionary[Database, dict[int, int]] = WeakKeyDictionary()


def list_looks() -> Sequence[Look]:
    """Who of support looks at this organization now. None on pages of no organization, and for support itself."""
    place = current_place()
    if place is None or place.opening is not None:
        return ()
    quiet, moment = _quiet.setdefault(services().database, {}), clock.now_ms()
    if 0 <= moment - quiet.get(place.organization.id, moment - _QUIET_MS) < _QUIET_MS:
        return ()
    found = looks.list_looks(db(), clock.now())
    if not found:
        quiet[place.organization.id] = moment
    return found


def note_look(name: str, opening: Opening, sees: access.StaffSees, object_id: int | None) -> None:
    """Called by the guard before each view that support is let in to see: what cannot be recorded is not sent."""
    with writing_session(services().database, opening.organization_id) as session:
        looks.record_look(session, name, opening, sees, object_id)
        session.commit()


@bp.app_template_filter("time_in")
def tell_time(instant: datetime, time_zone: str) -> str:
    """ "15:40"."""
    return format_time(instant, ZoneInfo(time_zone))


@bp.post("/o/<slug:slug>/support/end")
@access.member(Role.OWNER)
def end() -> ResponseReturnValue:
    """An owner has had enough: the next request of support finds nothing any more."""
    hold_and_check()
    name = looks.end_look(db(), _opening_id(), actor_id=current_user.id)
    db().commit()
    flash(f"{name} sees nothing of yours any more.", "ok")
    return htmx.go_to(url_for("reports.overview"))


@bp.post("/staff/close")
@access.staff
def close() -> ResponseReturnValue:
    """Who looks ends it themselves. The form names the organization: this is no page of it."""
    with reading_session(services().database) as session:
        organization = find_entered(session, request.form.get("organization", ""))
    if organization is None:
        raise NotFound
    with writing_session(services().database, organization.id) as session:
        looks.close_look(session, _opening_id(), current_user.id, current_user.name or current_user.email)
        session.commit()
    flash(f"You see nothing of {organization.name} any more.", "ok")
    return htmx.go_to("/")


def _opening_id() -> int:
    try:
        return read_id(request.form.get("opening", ""))
    except ValueError:
        raise BadRequest from None
