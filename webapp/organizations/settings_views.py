"""The settings of an organization, for its owners. Holds `bp`, named settings."""

from dataclasses import dataclass

from flask import Blueprint, Response, flash, make_response, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from webapp import access, htmx, navigation
from webapp.errors import Refused
from webapp.organizations.company import change_company, change_signing_in, has_stopped
from webapp.organizations.forms import CompanyForm, SigningInForm
from webapp.organizations.room import find_room
from webapp.tenancy.guard import hold_and_check
from webapp.tenancy.models import Role
from webapp.tenancy.request import current_organization, db

bp = Blueprint("settings", __name__, url_prefix="/o/<slug:slug>/settings")


@dataclass(frozen=True)
class ZoneMove:
    """What the page says of a change of the time zone. `next_zone`: "" once the days are those of `zone`."""

    zone: str
    next_zone: str
    is_moving: bool
    has_stopped: bool
    just_ended: bool


navigation.add("Settings", "settings.company", 90, Role.OWNER, beneath=("support",))


@bp.route("", methods=["GET", "POST"])
@access.member(Role.OWNER)
def company() -> ResponseReturnValue:
    if request.method == "POST":
        hold_and_check()
    form = CompanyForm(current_organization())
    if not form.validate_on_submit():
        return _company_page(form)
    try:
        change_company(db(), current_user.id, form.company())
    except Refused as refusal:
        field = form[refusal.field]
        field.errors = [*field.errors, refusal.sentence]
        return _company_page(form)
    db().commit()
    flash("The settings are stored.", "ok")
    return htmx.go_to(url_for("settings.company"))


def _company_page(form: CompanyForm) -> Response:
    status = 422 if form.errors else 200
    move = _zone_move(just_ended=False)
    room = find_room(db(), current_organization())
    return htmx.render(
        "settings/company.html", "settings/_company.html", status=status, form=form, move=move, room=room
    )


@bp.get("/zone")
@access.member(Role.OWNER)
@access.polling
def zone() -> ResponseReturnValue:
    """How far a change of the time zone is: the page asks until it has ended."""
    if not htmx.wants_part():
        return htmx.go_to(url_for("settings.company"))
    return make_response(render_template("settings/_zone.html", move=_zone_move(just_ended=True)))


def _zone_move(*, just_ended: bool) -> ZoneMove:
    organization = current_organization()
    return ZoneMove(
        zone=organization.time_zone,
        next_zone=organization.next_time_zone or "",
        is_moving=organization.is_moving,
        has_stopped=has_stopped(db(), organization),
        just_ended=just_ended and not organization.is_moving,
    )


@bp.route("/signing-in", methods=["GET", "POST"])
@access.member(Role.OWNER)
@access.proved
def signing_in() -> ResponseReturnValue:
    if request.method == "POST":
        hold_and_check()
    form = SigningInForm(obj=current_organization())
    if not form.validate_on_submit():
        status = 422 if form.errors else 200
        return htmx.render("settings/signing_in.html", "settings/_signing_in.html", status=status, form=form)
    change_signing_in(db(), current_user.id, form.idle_minutes.data, bool(form.second_factor_required.data))
    db().commit()
    flash("The settings are stored.", "ok")
    return htmx.go_to(url_for("settings.signing_in"))
