"""Our numbers: the list with figures and routes, those that calls came in on, adding, changing, giving up."""

from zoneinfo import ZoneInfo

from flask import Response, flash, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from webapp import access, clock, htmx
from webapp.database.staff_rights import Area
from webapp.destinations import number_queries as queries
from webapp.destinations import tabs
from webapp.destinations.blueprint import bp
from webapp.destinations.number_actions import (
    KIND_WORDS,
    ChangedMeanwhile,
    NumberDetails,
    change_number,
    give_up,
    list_number,
    read_typed,
    take_back,
    tell_differences,
)
from webapp.destinations.number_deleting import delete_number as delete
from webapp.destinations.number_deleting import tell_why_kept
from webapp.destinations.number_forms import NewNumberForm, NumberForm
from webapp.destinations.route_models import Number
from webapp.destinations.zones import name_region
from webapp.errors import Refused
from webapp.formatting import format_number
from webapp.tenancy.guard import hold_and_check
from webapp.tenancy.models import Role
from webapp.tenancy.request import current_membership, current_organization, db

tabs.add_tab("Our numbers", "destinations.numbers", 20)


def current_zone() -> ZoneInfo:
    return ZoneInfo(current_organization().time_zone)


@bp.get("/numbers")
@access.member(Role.VIEWER)
@access.sees_every_call
@access.open_to_staff(Area.DESTINATIONS, "your own numbers")
def numbers() -> ResponseReturnValue:
    zone, now = current_zone(), clock.now()
    may_change = current_membership().role >= Role.MANAGER
    return htmx.render(
        "destinations/numbers.html",
        "destinations/numbers.html",
        tabs=tabs.list_tabs(),
        current_tab=tabs.current_tab(),
        listed=queries.list_with_figures(db(), zone),
        offers=queries.list_offers(db()) if may_change else None,
        kinds=KIND_WORDS,
        name_region=name_region,
        may_change=may_change,
        zone=zone,
        now=now,
        today=now.astimezone(zone).date(),
    )


@bp.route("/numbers/new", methods=["GET", "POST"])
@access.member(Role.MANAGER)
@access.sees_every_call
def add_number() -> ResponseReturnValue:
    if request.method == "POST":
        hold_and_check()
    form = NewNumberForm(data={"region": current_organization().region})
    if not form.validate_on_submit():
        return _add_page(form)
    try:
        facts = read_typed(form.number.data or "", form.region.data)
        number = list_number(db(), facts, form.details_with(facts), current_zone(), actor_id=current_user.id)
    except Refused as refusal:
        form[refusal.field].errors = [refusal.sentence]
        return _add_page(form)
    return _listed(number)


def _listed(number: Number) -> Response:
    shown, number_id = format_number(number.e164, current_organization().region), number.id
    db().commit()
    flash(f"{shown} is in the list. Say where it rings, if you like.", "ok")
    return htmx.go_to(url_for("destinations.edit_routes", number_id=number_id))


def _add_page(form: NewNumberForm) -> Response:
    status = 422 if form.errors else 200
    return htmx.render("destinations/number_new.html", "destinations/_number_new.html", status=status, form=form)


@bp.post("/numbers/seen/<id:party_id>")
@access.member(Role.MANAGER)
@access.sees_every_call
def list_seen(party_id: int) -> ResponseReturnValue:
    """List a number that calls came in on."""
    hold_and_check()
    party = queries.get_offered(db(), party_id)
    facts = read_typed(party.e164 or "", party.region)
    details = NumberDetails(party.region or current_organization().region, facts.number_kind)
    try:
        number = list_number(db(), facts, details, current_zone(), actor_id=current_user.id)
    except Refused as refusal:
        flash(refusal.sentence, "warn")
        return htmx.go_to(url_for("destinations.numbers"))
    return _listed(number)


@bp.route("/numbers/<id:number_id>", methods=["GET", "POST"])
@access.member(Role.MANAGER)
@access.sees_every_call
def edit_number(number_id: int) -> ResponseReturnValue:
    if request.method == "POST":
        hold_and_check()
    number = queries.get_number(db(), number_id)
    zone = current_zone()
    form = NumberForm(data=_shown(number, zone))
    if not form.validate_on_submit():
        return _edit_page(form, number)
    try:
        change_number(db(), number, form.started_with, form.details(), zone, actor_id=current_user.id)
    except ChangedMeanwhile as refusal:
        theirs = tell_differences(form.details(), NumberDetails.of(number, zone), zone)
        form.version.data = str(number.version)
        return _edit_page(form, number, status=422, happened=refusal.sentence, theirs=theirs)
    except Refused as refusal:
        form[refusal.field].errors = [refusal.sentence]
        return _edit_page(form, number)
    db().commit()
    flash("The number is stored.", "ok")
    return htmx.go_to(url_for("destinations.numbers"))


def _shown(number: Number, zone: ZoneInfo) -> dict[str, object]:
    return {**vars(NumberDetails.of(number, zone)), "kind": str(int(number.kind)), "version": str(number.version)}


def _edit_page(
    form: NumberForm, number: Number, *, status: int = 200, happened: str = "", theirs: list[str] | None = None
) -> Response:
    return htmx.render(
        "destinations/number.html",
        "destinations/_number.html",
        status=422 if form.errors else status,
        form=form,
        number=number,
        happened=happened,
        theirs=theirs or [],
        why_kept=tell_why_kept(db(), number, current_zone()),
        now=clock.now(),
    )


@bp.post("/numbers/<id:number_id>/give-up")
@access.member(Role.MANAGER)
@access.sees_every_call
def give_up_number(number_id: int) -> ResponseReturnValue:
    hold_and_check()
    number = queries.get_number(db(), number_id)
    give_up(db(), number, actor_id=current_user.id)
    db().commit()
    flash("The number is no longer yours from now on. Its calls and its history stay.", "ok")
    return htmx.go_to(url_for("destinations.numbers"))


@bp.post("/numbers/<id:number_id>/take-back")
@access.member(Role.MANAGER)
@access.sees_every_call
def take_back_number(number_id: int) -> ResponseReturnValue:
    hold_and_check()
    number = queries.get_number(db(), number_id)
    take_back(db(), number, actor_id=current_user.id)
    db().commit()
    flash("The number is yours again.", "ok")
    return htmx.go_to(url_for("destinations.numbers"))


@bp.route("/numbers/<id:number_id>/delete", methods=["GET", "POST"])
@access.member(Role.MANAGER)
@access.sees_every_call
def delete_number(number_id: int) -> ResponseReturnValue:
    """One that was mistyped: asked first, then done."""
    if request.method == "POST":
        hold_and_check()
    number, page = queries.get_number(db(), number_id), "destinations/number_delete.html"
    if request.method == "POST":
        try:
            delete(db(), number, current_zone(), actor_id=current_user.id)
        except Refused as refusal:
            return htmx.render(page, page, status=422, number=number, why_kept=refusal.sentence)
        shown = format_number(number.e164, current_organization().region)
        db().commit()
        flash(f"{shown} is deleted.", "ok")
        return htmx.go_to(url_for("destinations.numbers"))
    return htmx.render(page, page, number=number, why_kept=tell_why_kept(db(), number, current_zone()))
