"""What the pages around signing in share: the last step of it, where it leads, and how a limit is told.

Called by the views files of this package; invitations/ lets a person in by `enter`.
"""

from urllib.parse import urlsplit

from flask import current_app, request
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_user

from webapp import logs
from webapp.accounts import sign_in as steps
from webapp.accounts import sign_in_audit
from webapp.accounts.models import PasskeyPurpose, UserAccount
from webapp.accounts.passkeys import Asked, Site, site_of
from webapp.accounts.second_factor import Keys
from webapp.accounts.session_rows import ONE_STEP, Passed, digest_of
from webapp.accounts.web_sessions import browser_session
from webapp.addresses import own_path
from webapp.error_pages import Words
from webapp.services import services

HOME = "/"
#: Pages that a sign-in never leads back to.
_NOT_AFTERWARDS = ("/sign-in", "/sign-out", "/prove", "/staff/sign-in")
STAFF_HOME = "/staff/"


def enter(person: UserAccount, attempt: steps.Try, *, by: Passed = ONE_STEP) -> bool:
    """Sign the person in: every step is passed. The one place where a session begins.

    False, and nobody is in, when what they passed counts no more: the answer is that to a wrong password.
    """
    is_new = steps.is_new_network(services().database, person, attempt)
    events = ["sign_in.new_network", "sign_in.done"] if is_new else ["sign_in.done"]
    organization_id = sign_in_audit.note_sign_in(services().database, person)
    if not browser_session().start(person, *events, by=by, organization_id=organization_id):
        sign_in_audit.note_no_sign_in(services().database, person)
        return False
    steps.remember_network(services().database, person, attempt)
    login_user(person)
    logs.event("sign_in.done", user_account_id=person.id)
    return True


def outside() -> ResponseReturnValue:
    """The answer to somebody whose session was ended while they asked: that to whoever is not signed in."""
    answer: ResponseReturnValue = current_app.login_manager.unauthorized()  # type: ignore[attr-defined]
    return answer


def keys() -> Keys:
    """By which secrets and recovery codes are told."""
    assert isinstance(current_app.secret_key, str)
    return Keys(current_app.secret_key, tuple(current_app.config.get("SECRET_KEY_FALLBACKS") or ()))


def passkey_site() -> Site | None:
    """To whom passkeys belong here. None: this address can have none."""
    return site_of(services().settings.base_url)


def asked_here(purpose: PasskeyPurpose, person: UserAccount | None = None) -> Asked:
    """Of this browser."""
    return Asked(purpose, digest_of(browser_session().session_id or ""), person)


def own(address: str | None) -> str | None:
    """Where to go after signing in, if that is a page of ours and not one of signing in."""
    path = own_path(address)
    return None if path is None or path == HOME or path.startswith(_NOT_AFTERWARDS) else path


def after(address: str | None) -> str:
    """The same, or the first page: that of the console for staff."""
    is_staff = current_user.is_authenticated and current_user.is_staff
    return own(address) or (STAFF_HOME if is_staff else HOME)


def path_of(address: str | None) -> str | None:
    """Path and query of a page of ours that a header names."""
    try:
        parts = urlsplit(address or "")
    except ValueError:
        return None
    if parts.netloc != request.host:
        return None
    return own(f"{parts.path}?{parts.query}" if parts.query else parts.path)


def asked_for() -> str | None:
    """The page that the present request belongs to: itself, or the one whose form or part it is."""
    if request.headers.get("HX-Request"):
        return path_of(request.headers.get("HX-Current-URL"))
    return path_of(request.referrer) if request.method == "POST" else own(request.full_path.rstrip("?"))


def too_many(wait_seconds: int) -> Words:
    """How a limit that is used up is told."""
    minutes = -(-wait_seconds // 60)
    when = f"{minutes} minutes" if minutes > 1 else "a minute"
    if minutes >= 120:
        when = f"{-(-minutes // 60)} hours"
    return Words("Too many tries.", "Nothing was changed, and no account is locked.", f"Try again in {when}.")
