"""Signing in and out. Flask-Login knows who is there; the session behind it is web_sessions.py.

Loads the other views files of this package, whose blueprint this is too.
"""

from flask import Flask, redirect, render_template, request, url_for
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
    passkey_sign_in_views,
    passkey_views,
    passwords,
    prove_views,
    security_views,
    sign_in_audit,
    staff_views,
)
from webapp.accounts.blueprint import bp
from webapp.accounts.doors import CUSTOMERS, STAFF, sign_in_at
from webapp.accounts.entering import after, asked_for, own
from webapp.accounts.jobs import register_jobs
from webapp.accounts.models import UserAccount
from webapp.accounts.session_cookie import BrowserSessions
from webapp.accounts.web_sessions import browser_session
from webapp.database.engine import Database
from webapp.services import services
from webapp.staff_networks import is_of_the_console
from webapp.tenancy import guard

__all__ = [
    "account_views",
    "address_views",
    "bp",
    "code_views",
    "factor_views",
    "link_views",
    "lost_factor_views",
    "passkey_sign_in_views",
    "passkey_views",
    "prove_views",
    "security_views",
    "staff_views",
]


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
    return sign_in_at(CUSTOMERS)


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
    door = CUSTOMERS
    if current_user.is_authenticated:
        logs.event("sign_out.done", user_account_id=current_user.id)
        sign_in_audit.note_sign_out(services().database, current_user)
        door = STAFF if current_user.is_staff else CUSTOMERS
    browser_session().end("sign_out.done")
    logout_user()
    response = redirect(url_for(door.endpoint, left="yes"), 303)
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response


def _load_person(_person_id: str) -> UserAccount | None:
    return browser_session().person


def _ask_to_sign_in() -> ResponseReturnValue:
    """For whoever is not signed in. htmx would put the page into its region, so the browser itself is sent there."""
    door = STAFF if is_of_the_console(request.path) else CUSTOMERS
    where = url_for(door.endpoint, next=asked_for())
    if htmx.asked():
        response = error_pages.answer(401, error_pages.WORDS[401])
        response.headers["HX-Redirect"] = where
        return response
    return redirect(where, 303)
