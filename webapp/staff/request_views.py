"""The console: asking organizations to be let in, the list of what was asked, one request with what became of it."""

from datetime import date
from zoneinfo import ZoneInfo

from flask import Response, flash, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from webapp import access, htmx
from webapp.accounts.web_sessions import browser_session
from webapp.clock import now
from webapp.database.ids import read_id, spell_id
from webapp.errors import BadRequest, NotFound, Refused
from webapp.organizations.support_forms import AskForm
from webapp.organizations.support_page import labels_of
from webapp.services import services
from webapp.staff import asking
from webapp.staff.blueprint import bp
from webapp.staff.frame import add_page, console_session
from webapp.staff.opening import find_grant, find_opening, list_openings
from webapp.staff.request_list import get_listed, list_requests, name_colleagues, read_grants
from webapp.tenancy.consent import GrantState, grant_state
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.models import Organization
from webapp.tenancy.request import db
from webapp.tenancy.sessions import reading_session, writing_session

ZONE = ZoneInfo("UTC")  #: of the console's times: its organizations lie in many
_USUAL_HOURS = 4
add_page("Asked and allowed", "staff.list_all_requests", 30, "list_all_requests", "ask", "show_request")


@bp.get("/staff/requests")
@access.staff
def list_all_requests() -> ResponseReturnValue:
    names = name_colleagues(db())
    with console_session() as console:
        rows, has_more = list_requests(console, names, _before())
    return htmx.render(
        "staff/requests.html",
        "staff/_request_rows.html",
        rows=rows,
        grants=read_grants(services().database, current_user.id, rows),
        more=url_for("staff.list_all_requests", before=spell_id(rows[-1].request.id)) if has_more else "",
        zone=ZONE,
        today=_today(),
    )


@bp.route("/staff/organizations/<id:organization_id>/ask", methods=["GET", "POST"])
@access.staff
def ask(organization_id: int) -> ResponseReturnValue:
    with console_session() as console:
        organization = _get_organization(console, organization_id)
    form = AskForm()
    if not form.is_submitted():
        form.numbers.data, form.hours.data = "masked", _USUAL_HOURS
    if not form.validate_on_submit():
        return _ask_page(form, organization)
    with writing_session(services().database, organization_id) as session:
        try:
            asked = asking.ask(session, current_user, form.terms(), form.ticket.data or "", form.reason.data or "")
        except Refused as refusal:
            form.refuse(refusal)
            return _ask_page(form, organization)
        session.commit()
    flash(f"Asked. The owners of {organization.name} have a mail, and read it on their pages.", "ok")
    return htmx.go_to(url_for("staff.show_request", organization_id=organization_id, access_request_id=asked.id))


@bp.get("/staff/organizations/<id:organization_id>/requests/<id:access_request_id>")
@access.staff
def show_request(organization_id: int, access_request_id: int) -> ResponseReturnValue:
    """With what was allowed, where it is the reader's to use: that is read by the web role, in that organization."""
    names = name_colleagues(db())
    with console_session(organization_id) as console:
        listed = get_listed(console, names, access_request_id)
    with reading_session(services().database, organization_id) as session:
        grant = find_grant(session, current_user.id, access_request_id)
        state = grant_state(grant, now()) if grant is not None else None
        opening = find_opening(session, grant, browser_session().row_id) if grant is not None else None
        openings = list_openings(session, grant) if grant is not None else []
    return htmx.render(
        "staff/request.html",
        "staff/request.html",
        listed=listed,
        is_mine=listed.request.staff_id == current_user.id,
        grant=grant,
        allowed=labels_of(grant.areas) if grant is not None else (),
        may_open=state is GrantState.LIVE,
        grant_state=state,
        opening=opening,
        openings=openings,
        names=names,
        zone=ZONE,
        today=_today(),
    )


@bp.post("/staff/organizations/<id:organization_id>/requests/<id:access_request_id>/take-back")
@access.staff
def take_back(organization_id: int, access_request_id: int) -> ResponseReturnValue:
    check_known(organization_id, access_request_id)
    with writing_session(services().database, organization_id) as session:
        try:
            asking.take_back(session, current_user, access_request_id)
        except Refused as refusal:
            flash(refusal.sentence, "info")
        else:
            session.commit()
            flash("Taken back: the owners need not answer any more.", "ok")
    return htmx.go_to(
        url_for("staff.show_request", organization_id=organization_id, access_request_id=access_request_id)
    )


def check_known(organization_id: int, access_request_id: int) -> None:
    """Raises NotFound, before anything is written in an organization that is none."""
    with console_session(organization_id) as console:
        get_listed(console, {}, access_request_id)


def _before() -> int | None:
    if "before" not in request.args:
        return None
    try:
        return read_id(request.args["before"])
    except ValueError:
        raise BadRequest from None


def _today() -> date:
    return now().astimezone(ZONE).date()


def _get_organization(console: LockedSession, organization_id: int) -> Organization:
    found = console.get(Organization, organization_id)
    if found is None:
        raise NotFound
    return found


def _ask_page(form: AskForm, organization: Organization) -> Response:
    status = 422 if form.errors or form.form_errors else 200
    return htmx.render("staff/ask.html", "staff/_ask.html", status=status, form=form, organization=organization)
