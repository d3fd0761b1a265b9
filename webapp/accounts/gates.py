"""What the guard asks about a person who is signed in: idle too long, a second factor to set up, proof to be given.

Registered by views.py; access.proved is enforced here.
"""

from flask import Response, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, logout_user

from webapp import access, error_pages, htmx, logs
from webapp.accounts.entering import asked_for, outside
from webapp.accounts.prove_views import prove_page
from webapp.accounts.session_limits import USUAL_IDLE_MINUTES
from webapp.accounts.web_sessions import browser_session
from webapp.addresses import own_path
from webapp.tenancy.request import my_places

#: Open to who has no second factor although an organization of theirs requires one.
_BEFORE_THE_FACTOR = {"accounts.set_up_factor", "accounts.begin_factor", "accounts.prove"}


def check_person(mark: access.Access) -> ResponseReturnValue | None:
    """None to go on, or what is answered instead."""
    session = browser_session()
    idle = min((place.organization.idle_minutes for place in my_places()), default=USUAL_IDLE_MINUTES)
    if not session.follow_idle(idle):
        logout_user()
        session.end()
        return outside()
    if not htmx.wants_part():  # the rest of that page would keep the tokens of an id that is dead
        session.follow_rights()
    if requires_factor() and current_user.totp_secret is None and request.endpoint not in _BEFORE_THE_FACTOR:
        return _send_to(url_for("accounts.set_up_factor"))
    return ask_for_proof() if mark.proved else None


def ask_for_proof() -> ResponseReturnValue | None:
    """None for whoever has just proved who they are, or what is answered instead, which leads back here.

    Called by views that need it for some requests only; access.proved is for those that need it for all.
    """
    if browser_session().is_proved:
        return None
    logs.event("prove.asked", endpoint=request.endpoint, user_account_id=current_user.id)
    if request.method == "POST" and not htmx.asked():
        return prove_page(asked_for(), status=401)
    where = url_for("accounts.prove", next=asked_for())
    return _send_to(where if own_path(where) else url_for("accounts.prove"))  # an address that would be too long


def requires_factor() -> bool:
    """Whether an organization of the person lets nobody in by a password alone."""
    return any(place.organization.second_factor_required for place in my_places())


def _send_to(address: str) -> Response:
    if not htmx.asked():
        return htmx.go_to(address)
    response = error_pages.answer(401, error_pages.WORDS[401])
    response.headers["HX-Redirect"] = address
    return response
