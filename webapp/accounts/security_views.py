"""The Security page: open sessions, the second factor, what happened; and a new password."""

from zoneinfo import ZoneInfo

from flask import Response, flash, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from webapp import access, htmx, logs
from webapp.accounts import second_factor
from webapp.accounts import sign_in as steps
from webapp.accounts.account_events import KINDS, note_event
from webapp.accounts.blueprint import bp
from webapp.accounts.browsers import describe_network, here
from webapp.accounts.entering import outside, passkey_site, too_many
from webapp.accounts.forms import ChangePasswordForm
from webapp.accounts.gates import requires_factor
from webapp.accounts.mails import tell
from webapp.accounts.models import WebSession
from webapp.accounts.passkeys import list_passkeys
from webapp.accounts.people import end_all_sessions, set_password
from webapp.accounts.queries import list_events, list_sessions, words_about
from webapp.accounts.session_ends import end_rows
from webapp.accounts.web_sessions import browser_session
from webapp.clock import now
from webapp.errors import NotFound, Refused, TooManyTries
from webapp.services import services
from webapp.tenancy.request import db, looking, my_places


@bp.get("/security-settings")
@access.signed_in
def security() -> ResponseReturnValue:
    zone = my_zone()
    return render_template(
        "accounts/security.html",
        sessions=list_sessions(db(), current_user.id),
        this_one=browser_session().row_id,
        events=list_events(db(), current_user.id),
        kinds=KINDS,
        describe_network=describe_network,
        codes_left=len(second_factor.list_unused_codes(db(), current_user)),
        factor_required=requires_factor(),
        passkeys=list_passkeys(db(), current_user.id),
        has_passkeys=passkey_site() is not None,
        zone=zone,
        today=now().astimezone(zone).date(),
    )


@bp.post("/security-settings/sessions/<id:web_session_id>/end")
@access.signed_in
@access.proved
def end_session(web_session_id: int) -> ResponseReturnValue:
    """Another browser than this one: this one signs out."""
    found = next((row for row in list_sessions(db(), current_user.id) if row.id == web_session_id), None)
    if found is None or found.id == browser_session().row_id:
        raise NotFound
    end_rows(db(), WebSession.id == found.id)
    note_event(db(), current_user.id, "session.ended", here())
    db().commit()
    flash(f"{found.browser[:1].upper()}{found.browser[1:]} is signed out.", "ok")
    return htmx.go_to(url_for("accounts.security"))


@bp.post("/security-settings/sessions/end-others")
@access.signed_in
@access.proved
def end_other_sessions() -> ResponseReturnValue:
    person = browser_session().hold(db())
    if person is None:
        return outside()
    end_all_sessions(db(), person, but=browser_session().row_id)
    note_event(db(), person.id, "sessions.ended", here())
    db().commit()
    flash("All other browsers are signed out.", "ok")
    return htmx.go_to(url_for("accounts.security"))


@bp.route("/security-settings/password", methods=["GET", "POST"])
@access.signed_in
@access.proved
def change_password() -> ResponseReturnValue:
    form = ChangePasswordForm()
    if not form.validate_on_submit():
        return _password_page(form)
    try:
        proved = steps.prove_password(services().database, current_user, form.present.data or "", here())
    except TooManyTries as refusal:
        words = too_many(refusal.wait_seconds)
        form.present.errors = [f"{words.happened} {words.todo}"]
        return _password_page(form)
    if not proved:
        logs.event("prove.refused", user_account_id=current_user.id)
        form.present.errors = ["This is not your present password."]
        return _password_page(form)
    with looking() as session:
        about = words_about(session, current_user)
    person = browser_session().hold(db())
    if person is None:
        return outside()
    try:
        set_password(db(), person, form.password.data or "", about, but=browser_session().row_id)
    except Refused as refusal:
        form.password.errors = [refusal.sentence]
        return _password_page(form)
    tell(db(), "password_changed", person, note_event(db(), person.id, "password.changed", here()))
    browser_session().renew_with(db())
    db().commit()
    logs.event("password.changed", user_account_id=person.id)
    flash("Your password is changed. All other browsers are signed out.", "ok")
    return htmx.go_to(url_for("accounts.security"))


def my_zone() -> ZoneInfo:
    """In which a person's own pages tell the time: that of their first organization."""
    places = my_places()
    return ZoneInfo(places[0].organization.time_zone if places else "UTC")


def _password_page(form: ChangePasswordForm) -> Response:
    return Response(render_template("accounts/change_password.html", form=form), 422 if form.errors else 200)
