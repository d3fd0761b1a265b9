"""The owners' page "Takeout": ask for everything, see how far it is, fetch it. Holds `bp`, named takeout."""

from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, flash, render_template, url_for
from flask.blueprints import BlueprintSetupState
from flask.typing import ResponseReturnValue
from flask_login import current_user

from webapp import access, clock, htmx
from webapp.csv_out import download
from webapp.errors import Forbidden, Refused
from webapp.jobs.delays import find_delay
from webapp.privacy.models import TakeoutState
from webapp.privacy.takeout_jobs import register_jobs
from webapp.privacy.takeouts import (
    BEING_MADE,
    MAKE,
    ask_for_takeout,
    check_may_have_all,
    fetch_takeout,
    is_there,
    list_takeouts,
    read_takeout,
)
from webapp.services import services
from webapp.tenancy.models import Role
from webapp.tenancy.request import current_membership, current_organization, db

bp = Blueprint("takeout", __name__, url_prefix="/o/<slug:slug>/takeout")
PAGE, PART = "privacy/takeout.html", "privacy/_takeout.html"


@bp.record_once
def _register_jobs(_state: BlueprintSetupState) -> None:
    register_jobs()


@bp.get("")
@access.member(Role.OWNER)
@access.while_closed
@access.while_suspended
@access.sees_every_call
def index() -> ResponseReturnValue:
    return htmx.render(PAGE, PART, **_shown())


@bp.post("")
@access.member(Role.OWNER)
@access.while_closed
@access.while_suspended
@access.sees_every_call
@access.proved
def ask() -> ResponseReturnValue:
    check_may_have_all(current_membership())
    try:
        ask_for_takeout(db(), current_user.id)
    except Refused as refusal:
        db().rollback()
        return htmx.render(PAGE, PART, status=422, **_shown(refusal.sentence))
    db().commit()
    flash("Your takeout is being prepared. You get a mail when it is ready.", "ok")
    return htmx.go_to(url_for("takeout.index"))


@bp.get("/progress")
@access.member(Role.OWNER)
@access.while_closed
@access.while_suspended
@access.sees_every_call
@access.polling
def progress() -> ResponseReturnValue:
    """How far it is: the page asks until it has ended."""
    if not htmx.wants_part():
        return htmx.go_to(url_for("takeout.index"))
    return render_template(PART, **_shown())


@bp.post("/<id:takeout_id>/archive")
@access.member(Role.OWNER)
@access.while_closed
@access.while_suspended
@access.sees_every_call
@access.proved
def fetch(takeout_id: int) -> ResponseReturnValue:
    """A POST: whoever fetches it is recorded, and no link in a mail or a history does it again."""
    check_may_have_all(current_membership())
    organization = current_organization()
    takeout = fetch_takeout(db(), current_user.id, takeout_id)
    db().commit()
    assert takeout.moment_at is not None
    pieces = read_takeout(services().database, organization.id, takeout_id, current_user.id)
    day = takeout.moment_at.astimezone(ZoneInfo(organization.time_zone)).date().isoformat()
    response = download(f"{organization.slug}-takeout-{day}.zip", pieces, "application/zip")
    response.headers["Content-Length"] = str(takeout.byte_count)
    return response


def _shown(refusal: str = "") -> dict[str, Any]:
    """What the page tells: the newest takeout, and those before it."""
    zone, moment = ZoneInfo(current_organization().time_zone), clock.now()
    takeouts = list_takeouts(db())
    newest = takeouts[0] if takeouts else None
    is_made = newest is not None and newest.state in BEING_MADE
    has_failed = newest is not None and newest.state == TakeoutState.FAILED
    ready = next((each for each in takeouts if is_there(each, moment)), None)
    told = (ready, newest if is_made or has_failed else None)
    return {
        "newest": newest,
        "earlier": [each for each in takeouts if each not in told],
        "is_made": is_made,
        "delay": find_delay(db(), MAKE, {"takeout_id": newest.id}) if newest and is_made else None,
        "has_failed": has_failed,
        "ready": ready,
        "kept_days": current_organization().keep_exports_days,
        "may_not": _why_not(),
        "refusal": refusal,
        "zone": zone,
        "today": moment.astimezone(zone).date(),
    }


def _why_not() -> str:
    """The sentence for an owner from whom something is kept, else ""."""
    try:
        check_may_have_all(current_membership())
    except Forbidden as refusal:
        return refusal.sentence
    return ""
