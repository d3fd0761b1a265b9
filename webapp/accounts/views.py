"""Signing in and out. Flask-Login knows who is there; the session behind it is web_sessions.py.

Loads the other views files of this package, whose blueprint this is too.
"""

from flask import Flask, Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import LoginManager, current_user, logout_user

from webapp import access, error_pages, htmx, logs
from webapp.accounts import (
    account_views,
    address_views,
    code_views,
    factor_views,
    gates,
    link_views,
    lost_factor_views,
    passwords,
    prove_views,
    security_views,
    sign_in_audit,
)
from webapp.accounts import sign_in as steps
from webapp.accounts.blueprint import bp
from webapp.accounts.browsers import here
from webapp.accounts.code_views import NEXT
from webapp.accounts.entering import after, asked_for, enter, keys, own, too_many
from webapp.accounts.forms import SignInForm
from webapp.accounts.jobs import file_refusal, register_jobs
from webapp.accounts.models import UserAccount
from webapp.accounts.session_cookie import BrowserSessions
from webapp.accounts.web_sessions import browser_session
from webapp.database.engine import Database
from webapp.error_pages import Words
from webapp.errors import TooManyTries
from webapp.services import services
from webapp.tenancy import guard

__all__ = [
    "account_views",
    "address_views",
    "bp",
    "code_views",
    "factor_views",
    "link_views",
    "lost_factor_views",
    "prove_views",
    "security_views",
]

_MISTAKEN = Words(
    "E-mail address and password do not belong together.", "Nothing was changed.", "Check both, try again."
)
#: What the page says to whom another page has sent here: query -> what happened, what is safe.
_SAID = {
    "left": ("You are signed out.", "Nothing of your visit is kept in this browser."),
    "changed": ("Your new password is set.", "Every browser was signed out. Sign in with it now."),
    "deleted": ("Your account is deleted.", "Nothing of it is kept but the traces that others' records need."),
}


def register(app: Flask, database: Database) -> None:
    """Called by create_app(), before any view is used."""
    app.session_interface = BrowserSessions(database)
    passwords.prepare_dummy()
    manager = LoginManager()
    manager.session_protection = None  # it would keep a fingerprint of address and browser
    manager._session_identifier_generator = lambda: ""
    manager.init_app(app, add_context_processor=False)
    manager.user_loader(_load_person)
    manager.unauthorized_handler(_ask_to_sign_in)
    guard.add_gate(app, gates.check_person)
    register_jobs()


@bp.route("/sign-in", methods=["GET", "POST"])
@access.public
def sign_in() -> ResponseReturnValue:
    form = SignInForm()
    if not form.is_submitted():
        if current_user.is_authenticated:
            return redirect(after(request.args.get("next")), 303)
        form.next.data = own(request.args.get("next"))
        return _page(form)
    if not form.validate():
        return _page(form, status=422)
    where = here()
    attempt = steps.Try(form.email.data or "", where.network, where.browser)
    try:
        person = steps.pass_password(services().database, attempt, form.password.data or "")
    except TooManyTries as refusal:
        return _wait(form, refusal.wait_seconds)
    next_page = own(form.next.data)
    if person is not None and steps.next_step(person, frozenset({steps.Step.PASSWORD})) is steps.Step.CODE:
        if browser_session().begin({NEXT: next_page}, person):
            return redirect(url_for("accounts.enter_code"), 303)
    elif person is not None and enter(person, attempt):
        return redirect(url_for("accounts.check_cookie", next=next_page), 303)
    logs.event("sign_in.refused")
    file_refusal(services().database, keys(), attempt.email)
    return _page(form, status=422, mistake=_MISTAKEN)


@bp.get("/sign-in/check")
@access.public
def check_cookie() -> ResponseReturnValue:
    """Where a sign-in ends: either the cookie came back, or the browser is told why it stays outside."""
    if current_user.is_authenticated:
        return redirect(after(request.args.get("next")), 303)
    return render_template("accounts/no_cookie.html", next=own(request.args.get("next")))


@bp.post("/sign-out")
@access.public
def sign_out() -> ResponseReturnValue:
    if current_user.is_authenticated:
        logs.event("sign_out.done", user_account_id=current_user.id)
        sign_in_audit.note_sign_out(services().database, current_user.id)
    browser_session().end("sign_out.done")
    logout_user()
    response = redirect(url_for("accounts.sign_in", left="yes"), 303)
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response


def _wait(form: SignInForm, wait_seconds: int) -> ResponseReturnValue:
    logs.event("sign_in.too_many")
    response = _page(form, status=429, mistake=too_many(wait_seconds))
    response.headers["Retry-After"] = str(wait_seconds)
    return response


def _page(form: SignInForm, status: int = 200, mistake: Words | None = None) -> Response:
    said = next((words for name, words in _SAID.items() if request.args.get(name) == "yes"), None)
    return Response(render_template("accounts/sign_in.html", form=form, mistake=mistake, said=said), status)


def _load_person(_person_id: str) -> UserAccount | None:
    return browser_session().person


def _ask_to_sign_in() -> ResponseReturnValue:
    """For whoever is not signed in. htmx would put the page into its region, so the browser itself is sent there."""
    where = url_for("accounts.sign_in", next=asked_for())
    if htmx.asked():
        response = error_pages.answer(401, error_pages.WORDS[401])
        response.headers["HX-Redirect"] = where
        return response
    return redirect(where, 303)
