"""The second step of signing in: a code of the authenticator app, or a recovery code."""

from flask import Response, current_app, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from webapp import access, logs
from webapp.accounts import sign_in as steps
from webapp.accounts.blueprint import bp
from webapp.accounts.browsers import here
from webapp.accounts.entering import after, enter, keys, passkey_site, too_many
from webapp.accounts.forms import CodeForm
from webapp.accounts.jobs import file_refusal
from webapp.accounts.session_rows import Passed
from webapp.accounts.web_sessions import browser_session
from webapp.error_pages import Words
from webapp.errors import TooManyTries
from webapp.services import services

NEXT = "sign_in_next"  #: in the session of who is on their way: where the sign-in leads
_BOTH_STEPS = Passed(waited=True, factor=True)
_MISTAKEN = Words(
    "This code is not right, or was used already.",
    "Nothing was changed.",
    "Take the next one that the app shows, and check that the phone's clock is right; or a recovery code not used yet.",
)


@bp.route("/sign-in/code", methods=["GET", "POST"])
@access.public
def enter_code() -> ResponseReturnValue:
    if current_user.is_authenticated:
        return redirect(after(None), 303)
    person = browser_session().waiting_person
    if person is None:
        return _back_to_the_password()
    form = CodeForm()
    if not form.is_submitted():
        return _page(form)
    if not form.validate():
        return _page(form, status=422)
    where = here()
    try:
        taken = steps.pass_code(services().database, keys(), person, form.code.data or "", where)
    except TooManyTries as refusal:
        logs.event("sign_in.too_many")
        response = _page(form, status=429, mistake=too_many(refusal.wait_seconds))
        response.headers["Retry-After"] = str(refusal.wait_seconds)
        return response
    if taken and enter(person, steps.Try(person.email, where.network, where.browser), by=_BOTH_STEPS):
        return redirect(url_for("accounts.check_cookie", next=session.pop(NEXT, None)), 303)
    logs.event("sign_in.refused")
    file_refusal(services().database, keys(), person.email)
    return _page(form, status=422, mistake=_MISTAKEN)


def _back_to_the_password() -> ResponseReturnValue:
    """Nobody waits here: the browser refused the cookie, or the password was given too long ago."""
    if current_app.config["SESSION_COOKIE_NAME"] not in request.cookies:
        return render_template("accounts/no_cookie.html", next=None)
    return redirect(url_for("accounts.sign_in"), 303)


def _page(form: CodeForm, status: int = 200, mistake: Words | None = None) -> Response:
    form.code.data = ""
    person = browser_session().waiting_person
    has_app = person is not None and person.totp_secret is not None
    if not has_app:
        form.code.label.text = "Recovery code"
    page = render_template(
        "accounts/code.html",
        form=form,
        mistake=mistake,
        has_app=has_app,
        has_passkey=person is not None and person.has_passkey and passkey_site() is not None,
        is_staff=person is not None and person.is_staff,
    )
    return Response(page, status)
