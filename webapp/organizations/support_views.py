"""Support, for owners: answering whoever asks to look, inviting help, ending it. Holds `bp`, named support."""

from datetime import datetime
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, flash, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from webapp import access, htmx
from webapp.clock import now
from webapp.errors import Refused
from webapp.formatting import format_time
from webapp.organizations import support
from webapp.organizations.support_forms import AnswerForm, InviteHelpForm, TermsForm
from webapp.organizations.support_page import Strip, list_strips, read_page, show_request
from webapp.tenancy.consent import Terms, check_within, request_state, terms_of_request
from webapp.tenancy.consent_models import AccessRequest, RequestState
from webapp.tenancy.guard import hold_and_check
from webapp.tenancy.models import Role
from webapp.tenancy.request import current_organization, current_place, current_reader, db
from webapp.tenancy.staff_entry import tell_areas

bp = Blueprint("support", __name__, url_prefix="/o/<slug:slug>/support")

bp.app_template_filter("areas")(tell_areas)
_USUAL_HOURS = 4


@bp.get("")
@access.member(Role.OWNER)
@access.while_suspended
def index() -> ResponseReturnValue:
    zone = _zone()
    today = now().astimezone(zone).date()
    return htmx.render("support/index.html", "support/index.html", shown=read_page(db()), zone=zone, today=today)


@bp.route("/requests/<id:access_request_id>", methods=["GET", "POST"])
@access.member(Role.OWNER)
@access.proved
def answer(access_request_id: int) -> ResponseReturnValue:
    """Allow what is asked, or less of it."""
    if request.method == "POST":
        hold_and_check()
    asked = support.get_request(db(), access_request_id)
    if request_state(asked, now()) != RequestState.WAITS:
        return _too_late(asked)
    limit = _within_reach(terms_of_request(asked))
    form = AnswerForm(limit, limit)
    if not form.validate_on_submit():
        return _answer_page(form, asked)
    try:
        support.allow(db(), current_user, asked, _checked(form), form.start(_zone()))
    except Refused as refusal:
        form.refuse(refusal)
        return _answer_page(form, asked)
    db().commit()
    flash("Allowed. Support is told, and you see here when they look. You can end it at any time.", "ok")
    return htmx.go_to(url_for("support.index"))


@bp.post("/requests/<id:access_request_id>/refuse")
@access.member(Role.OWNER)
@access.proved
def refuse(access_request_id: int) -> ResponseReturnValue:
    hold_and_check()
    asked = support.get_request(db(), access_request_id)
    try:
        support.refuse(db(), current_user, asked)
    except Refused:
        return _too_late(asked)
    db().commit()
    flash("Refused: support sees nothing.", "ok")
    return htmx.go_to(url_for("support.index"))


@bp.route("/invite", methods=["GET", "POST"])
@access.member(Role.OWNER)
@access.proved
def invite() -> ResponseReturnValue:
    """Let support look without having been asked."""
    if request.method == "POST":
        hold_and_check()
    form = InviteHelpForm(_within_reach(None))
    if not form.is_submitted():
        form.numbers.data, form.hours.data = "masked", _USUAL_HOURS
    if not form.validate_on_submit():
        return _invite_page(form)
    try:
        support.invite_help(db(), current_user, _checked(form), form.start(_zone()), form.reason.data or "")
    except Refused as refusal:
        form.refuse(refusal)
        return _invite_page(form)
    db().commit()
    flash("Support is invited, and sees it in their list. You see here when they look.", "ok")
    return htmx.go_to(url_for("support.index"))


@bp.post("/allowed/<id:access_grant_id>/end")
@access.member(Role.OWNER)
@access.while_suspended
def end(access_grant_id: int) -> ResponseReturnValue:
    """At once, whoever looks just now: no proof is asked for, since it only takes away."""
    hold_and_check()
    support.end_grant(db(), current_user, access_grant_id)
    db().commit()
    flash("Ended: support sees nothing of it any more.", "ok")
    return htmx.go_to(url_for("support.index"))


@bp.app_template_filter("time_in")
def tell_time(instant: datetime, time_zone: str) -> str:
    """ "15:40"."""
    return format_time(instant, ZoneInfo(time_zone))


def ask_owners() -> list[Strip]:
    """For the strip on top of every page but our own: what the owner who asks for the page is to answer."""
    place = current_place()
    if request.blueprint == bp.name or place is None or place.looks_as or current_user.is_staff:
        return []
    return list_strips(db()) if place.membership.role == Role.OWNER else []


def _too_late(asked: AccessRequest) -> Response:
    """To the second of two owners, and to whoever follows an old mail."""
    try:
        support.check_waits(db(), asked)
    except Refused as refusal:
        flash(refusal.sentence, "info")
    return htmx.go_to(url_for("support.index"))


def _within_reach(terms: Terms | None) -> Terms:
    """Nobody gives more than they have: an owner may be masked, or kept from exporting."""
    limit = terms or TermsForm().limit
    reader = current_reader()
    full, download = limit.full_numbers and not reader.is_masked, limit.may_download and reader.may_export
    return Terms(limit.areas, full, download, limit.hours)


def _checked(form: TermsForm) -> Terms:
    """What the form gives, which is within its limit. Raises Refused."""
    check_within(form.terms(), form.limit)
    return form.terms()


def _answer_page(form: AnswerForm, asked: AccessRequest) -> Response:
    zone = _zone()
    return htmx.render(
        "support/answer.html",
        "support/_answer.html",
        status=422 if form.errors or form.form_errors else 200,
        form=form,
        asked=show_request(db(), asked),
        zone=zone,
        today=now().astimezone(zone).date(),
    )


def _invite_page(form: InviteHelpForm) -> Response:
    status = 422 if form.errors or form.form_errors else 200
    return htmx.render("support/invite.html", "support/_invite.html", status=status, form=form)


def _zone() -> ZoneInfo:
    return ZoneInfo(current_organization().time_zone)
