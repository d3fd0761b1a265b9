"""The second factor of a person: set up, new recovery codes, turned off.

The secret that is being set up lies sealed in the browser's session until one code has confirmed it.
"""

from flask import Response, flash, render_template, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from webapp import access, htmx, logs
from webapp.accounts import second_factor
from webapp.accounts import sign_in as steps
from webapp.accounts.account_events import note_event
from webapp.accounts.blueprint import bp
from webapp.accounts.browsers import here
from webapp.accounts.entering import keys, outside, passkey_site, too_many
from webapp.accounts.forms import CodeForm, ProveForm
from webapp.accounts.gates import requires_factor
from webapp.accounts.mails import tell
from webapp.accounts.people import end_all_sessions
from webapp.accounts.web_sessions import browser_session
from webapp.errors import Refused, TooManyTries
from webapp.sealing import Unsealable, seal, unseal
from webapp.services import services
from webapp.tenancy.request import db

_PENDING = "factor_pending"


@bp.post("/security-settings/second-factor/begin")
@access.signed_in
@access.proved
def begin_factor() -> ResponseReturnValue:
    session[_PENDING] = seal(keys().current, second_factor.new_secret().encode()).decode()
    return htmx.go_to(url_for("accounts.set_up_factor"))


@bp.route("/security-settings/second-factor", methods=["GET", "POST"])
@access.signed_in
@access.proved
def set_up_factor() -> ResponseReturnValue:
    form, secret = CodeForm(), _pending_secret()
    if secret is None or not form.validate_on_submit():
        return _set_up_page(form, secret)
    step = second_factor.step_of(secret, form.code.data or "")
    if step is None:
        form.code.errors = ["This is not the code that the app shows now. Check that the phone's clock is right."]
        return _set_up_page(form, secret)
    person = browser_session().hold(db())
    if person is None:
        return outside()
    codes = second_factor.set_factor(db(), keys(), person, secret, step)
    tell(db(), "second_factor_changed", person, note_event(db(), person.id, "factor.set", here()))
    end_all_sessions(db(), person, but=browser_session().row_id)
    browser_session().renew_with(db(), factor=True)
    db().commit()
    logs.event("factor.set", user_account_id=person.id)
    session.pop(_PENDING, None)
    happened, safe = "Your authenticator app is set up.", "All other browsers were signed out."
    return render_template("accounts/recovery_codes.html", codes=codes, happened=happened, safe=safe)


@bp.post("/security-settings/second-factor/recovery-codes")
@access.signed_in
@access.proved
def renew_codes() -> ResponseReturnValue:
    person = browser_session().hold(db())
    if person is None:
        return outside()
    if not person.has_factor:
        raise Refused("There is no second factor yet. Set one up: the codes come with it.")
    codes = second_factor.renew_recovery_codes(db(), keys(), person)
    tell(db(), "second_factor_changed", person, note_event(db(), person.id, "recovery.renewed", here()))
    db().commit()
    logs.event("recovery.renewed", user_account_id=person.id)
    happened, safe = "These are your new codes.", "The old ones work no more."
    return render_template("accounts/recovery_codes.html", codes=codes, happened=happened, safe=safe)


@bp.route("/security-settings/second-factor/turn-off", methods=["GET", "POST"])
@access.signed_in
def turn_off_factor() -> ResponseReturnValue:
    """Asks for the password and a code itself, however new the last proof is."""
    form = ProveForm(current_user)
    if requires_factor() and not current_user.has_passkey:
        raise Refused("A second factor is required of you, and this is your only one. Add a passkey first.")
    if current_user.totp_secret is None:
        return htmx.go_to(url_for("accounts.security"))
    if not form.validate_on_submit():
        return _turn_off_page(form)
    password, code = form.password.data or "", form.code.data or ""
    try:
        proved = steps.prove(services().database, keys(), current_user, password, code, here())
    except TooManyTries as refusal:
        words = too_many(refusal.wait_seconds)
        form.code.errors = [f"{words.happened} {words.todo}"]
        return _turn_off_page(form)
    if not proved:
        logs.event("prove.refused", user_account_id=current_user.id)
        form.code.errors = ["The password or the code is not right, or the code was used already."]
        return _turn_off_page(form)
    person = browser_session().hold(db())
    if person is None:
        return outside()
    second_factor.remove_factor(db(), person)
    tell(db(), "second_factor_changed", person, note_event(db(), person.id, "factor.removed", here()))
    end_all_sessions(db(), person, but=browser_session().row_id)
    browser_session().renew_with(db())
    db().commit()
    logs.event("factor.removed", user_account_id=person.id)
    left = "your passkeys stay." if person.has_passkey else "your password alone signs you in."
    flash(f"The authenticator app is turned off: {left}", "ok")
    return htmx.go_to(url_for("accounts.security"))


def _pending_secret() -> str | None:
    sealed = session.get(_PENDING)
    try:
        return None if sealed is None else unseal(keys().current, sealed.encode(), keys().earlier).decode()
    except Unsealable:
        return None


def _set_up_page(form: CodeForm, secret: str | None) -> Response:
    form.code.data = ""
    page = render_template(
        "accounts/set_up_factor.html",
        form=form,
        set_up=second_factor.set_up_of(current_user, secret) if secret else None,
        required=requires_factor() and not current_user.has_factor,
        has_passkeys=passkey_site() is not None,
    )
    return Response(page, 422 if form.errors else 200)


def _turn_off_page(form: ProveForm) -> Response:
    form.code.data = ""
    return Response(render_template("accounts/turn_off_factor.html", form=form), 422 if form.errors else 200)
