"""Signing in and out. Flask-Login knows who is there; the session behind it is web_sessions.py."""

from urllib.parse import urlsplit

from flask import Blueprint, Flask, Response, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import LoginManager, current_user, login_user, logout_user

from webapp import access, error_pages, htmx, logs
from webapp.accounts import passwords, sign_in_audit
from webapp.accounts import sign_in as steps
from webapp.accounts.forms import SignInForm
from webapp.accounts.models import UserAccount
from webapp.accounts.web_sessions import BrowserSession, BrowserSessions
from webapp.addresses import own_path
from webapp.database.engine import Database
from webapp.error_pages import Words
from webapp.errors import TooManyTries
from webapp.rate_limits import network_of
from webapp.services import services

bp = Blueprint("accounts", __name__)

_HOME = "/"
_MISTAKEN = Words(
    "E-mail address and password do not belong together.", "Nothing was changed.", "Check both, try again."
)


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


@bp.route("/sign-in", methods=["GET", "POST"])
@access.public
def sign_in() -> ResponseReturnValue:
    form = SignInForm()
    if not form.is_submitted():
        if current_user.is_authenticated:
            return redirect(_next(request.args.get("next")), 303)
        form.next.data = _own(request.args.get("next"))
        return _page(form)
    if not form.validate():
        return _page(form, status=422)
    try:
        person = _pass_password(form)
    except TooManyTries as refusal:
        return _wait(form, refusal.wait_seconds)
    if person is None:
        return _page(form, status=422, mistake=_MISTAKEN)
    _browser_session().start(person)
    login_user(person)
    logs.event("sign_in.done", user_account_id=person.id)
    sign_in_audit.note_sign_in(services().database, person.id)
    return redirect(url_for("accounts.check_cookie", next=_own(form.next.data)), 303)


@bp.get("/sign-in/check")
@access.public
def check_cookie() -> ResponseReturnValue:
    """Where a sign-in ends: either the cookie came back, or the browser is told why it stays outside."""
    if current_user.is_authenticated:
        return redirect(_next(request.args.get("next")), 303)
    return render_template("accounts/no_cookie.html", next=_own(request.args.get("next")))


@bp.post("/sign-out")
@access.public
def sign_out() -> ResponseReturnValue:
    if current_user.is_authenticated:
        logs.event("sign_out.done", user_account_id=current_user.id)
        sign_in_audit.note_sign_out(services().database, current_user.id)
    logout_user()
    _browser_session().end()
    response = redirect(url_for("accounts.sign_in", left="yes"), 303)
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response


def _pass_password(form: SignInForm) -> UserAccount | None:
    attempt = steps.Try(form.email.data or "", network_of(request.remote_addr))
    database = services().database
    person = steps.pass_password(database, attempt, form.password.data or "")
    # A step that has no page yet keeps the person outside.
    if person is None or steps.next_step(person, frozenset({steps.Step.PASSWORD})) is not steps.Step.DONE:
        logs.event("sign_in.refused")
        sign_in_audit.note_refusal(database, attempt.email)
        return None
    steps.remember_network(database, person, attempt)
    return person


def _wait(form: SignInForm, wait_seconds: int) -> ResponseReturnValue:
    logs.event("sign_in.too_many")
    minutes = -(-wait_seconds // 60)
    when = f"{minutes} minutes" if minutes > 1 else "a minute"
    mistake = Words("Too many tries.", "Nothing was changed, and no account is locked.", f"Try again in {when}.")
    response = _page(form, status=429, mistake=mistake)
    response.headers["Retry-After"] = str(wait_seconds)
    return response


def _page(form: SignInForm, status: int = 200, mistake: Words | None = None) -> Response:
    page = render_template("accounts/sign_in.html", form=form, mistake=mistake, left=request.args.get("left") == "yes")
    return Response(page, status)


def _load_person(_person_id: str) -> UserAccount | None:
    return _browser_session().person


def _ask_to_sign_in() -> ResponseReturnValue:
    """For whoever is not signed in. htmx would put the page into its region, so the browser itself is sent there."""
    if htmx.asked():
        where = url_for("accounts.sign_in", next=_path_of(request.headers.get("HX-Current-URL")))
        response = error_pages.answer(401, error_pages.WORDS[401])
        response.headers["HX-Redirect"] = where
        return response
    asked_for = request.full_path.rstrip("?") if request.method == "GET" else _path_of(request.referrer)
    return redirect(url_for("accounts.sign_in", next=_own(asked_for)), 303)


def _path_of(address: str | None) -> str | None:
    """Path and query of a page of ours that a header names."""
    parts = urlsplit(address or "")
    if parts.netloc != request.host:
        return None
    return _own(f"{parts.path}?{parts.query}" if parts.query else parts.path)


def _own(address: str | None) -> str | None:
    """Where to go after signing in, if that is a page of ours and not this one."""
    path = own_path(address)
    return None if path is None or path == _HOME or path.startswith(("/sign-in", "/sign-out")) else path


def _next(address: str | None) -> str:
    return _own(address) or _HOME


def _browser_session() -> BrowserSession:
    found = session._get_current_object()  # type: ignore[attr-defined]
    assert isinstance(found, BrowserSession)
    return found
