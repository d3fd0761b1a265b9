"""Staff help people: who is on the telephone, and a last owner who has lost every second factor."""

from flask import Response, flash, render_template, url_for
from flask.typing import ResponseReturnValue

from webapp import access, htmx, logs, rate_limits
from webapp.accounts import limits, lost_factor
from webapp.accounts.entering import keys
from webapp.accounts.help_codes import Caller, take_code
from webapp.accounts.queries import find_person
from webapp.accounts.sign_in import name_of
from webapp.errors import NotFound, Refused, TooManyTries
from webapp.services import services
from webapp.staff.blueprint import bp
from webapp.staff.disclosure_page import times
from webapp.staff.frame import add_page
from webapp.staff.lost_factor_forms import HelpCodeForm, StartForm
from webapp.staff.reading import this_staff
from webapp.tenancy.sessions import reading_session, writing_session

__all__ = ["bp"]

_NOT_TAKEN = "This code is not right, was used already, or is older than 15 minutes. Ask them to make a new one."


add_page("On the telephone", "staff.help_code", 50, "help_code", "start_lost_factor", "stop_lost_factor")


@bp.route("/staff/help-code", methods=["GET", "POST"])
@access.staff
def help_code() -> ResponseReturnValue:
    """Name, address and organization of who has it, and nothing else; on the answer alone."""
    form = HelpCodeForm()
    if not form.validate_on_submit():
        return _code_page(form)
    staff = this_staff()
    wait_seconds = rate_limits.hit(services().database, limits.HELP_CODES, name_of(staff))
    if wait_seconds:
        raise TooManyTries(wait_seconds, "Too many codes were typed. Nobody is locked out by that.")
    with writing_session(services().database) as session:
        caller = take_code(session, keys(), form.code.data or "", staff)
        if caller is not None:
            session.commit()
    if caller is None:
        logs.event("help_code.refused", user_account_id=staff.id)
        form.code.errors = [_NOT_TAKEN]
    return _code_page(form, caller)


def _code_page(form: HelpCodeForm, caller: Caller | None = None) -> Response:
    if caller is not None:
        form.code.data = ""
    status = 422 if form.errors else 200
    return htmx.render("staff/help_code.html", "staff/_help_code.html", status=status, form=form, caller=caller)


@bp.route("/staff/lost-factor", methods=["GET", "POST"])
@access.staff
@access.proved
def start_lost_factor() -> ResponseReturnValue:
    form = StartForm()
    if not form.validate_on_submit():
        return _start_page(form)
    with reading_session(services().database) as session:
        person = find_person(session, form.email.data or "")
    if person is None:
        form.email.errors = ["Nobody here has this address."]
        return _start_page(form)
    with writing_session(services().database) as session:
        session.bind_person(person.id)
        try:
            lost_factor.start(session, keys(), person.id, this_staff(), form.reason.data or "")
        except Refused as refusal:
            session.rollback()
            form.refuse(refusal)
            return _start_page(form)
        session.commit()
    logs.event("lost_factor.started", user_account_id=this_staff().id)
    flash(f"It is started: {person.email} is told at every address, and can stop it. 72 hours are waited.", "ok")
    return htmx.go_to(url_for("staff.start_lost_factor"))


def _start_page(form: StartForm) -> Response:
    with reading_session(services().database) as session:
        started = lost_factor.list_started(session)
    page = render_template("staff/lost_factor.html", form=form, started=started, **times())
    return Response(page, 422 if form.errors else 200)


@bp.post("/staff/lost-factor/<id:removal_id>/stop")
@access.staff
def stop_lost_factor(removal_id: int) -> ResponseReturnValue:
    with reading_session(services().database) as session:
        found = next((each for each, _who in lost_factor.list_started(session) if each.id == removal_id), None)
    if found is None:
        raise NotFound
    with writing_session(services().database) as session:
        session.bind_person(found.user_account_id)
        lost_factor.stop(session, removal_id, "support stopped it", this_staff().id)
        session.commit()
    flash("It is stopped: the second factor stays.", "ok")
    return htmx.go_to(url_for("staff.start_lost_factor"))
