"""What the guard asks about a person who is signed in: idle too long, a second factor to set up, proof to be given.

Registered by views.py; access.proved and access.fresh_factor are enforced here, and that nobody of staff sees a page of
the console before a factor was shown in that session.
"""

from flask import Response, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, logout_user

from webapp import access, error_pages, htmx, logs, staff_networks
from webapp.accounts.entering import asked_for, outside
from webapp.accounts.kept_forms import keep_form
from webapp.accounts.prove_views import prove_page
from webapp.accounts.session_limits import STAFF_IDLE_MINUTES, USUAL_IDLE_MINUTES
from webapp.accounts.web_sessions import browser_session
from webapp.addresses import own_path
from webapp.errors import NotFound
from webapp.tenancy.request import my_places

#: Open to who has no second factor although they must have one.
_BEFORE_THE_FACTOR = {
    "accounts.set_up_factor",
    "accounts.begin_factor",
    "accounts.prove",
    "accounts.new_passkey",
    "accounts.question_for_passkey",
}


def check_person(mark: access.Access) -> ResponseReturnValue | None:
    """None to go on, or what is answered instead."""
    session = browser_session()
    if current_user.is_staff and not staff_networks.is_inside():
        raise NotFound
    if not session.follow_idle(_idle_minutes()):
        logout_user()
        session.end()
        return outside()
    if not htmx.wants_part():  # the rest of that page would keep the tokens of an id that is dead
        session.follow_rights()
    must_have_one = requires_factor() or mark.fresh_factor
    if must_have_one and not current_user.has_factor and request.endpoint not in _BEFORE_THE_FACTOR:
        return _send_to(url_for("accounts.set_up_factor"))
    return _ask() if _must_prove(mark) else None


def ask_for_proof() -> ResponseReturnValue | None:
    """None for whoever has just proved who they are, or what is answered instead, which leads back here.

    Called by views that need it for some requests only; access.proved is for those that need it for all.
    """
    return None if browser_session().is_proved else _ask()


def _ask() -> ResponseReturnValue:
    logs.event("prove.asked", endpoint=request.endpoint, user_account_id=current_user.id)
    if request.method == "POST" and not htmx.asked():
        return prove_page(asked_for(), kept=keep_form(), status=401)
    where = url_for("accounts.prove", next=asked_for())
    return _send_to(where if own_path(where) else url_for("accounts.prove"))  # an address that would be too long


def _idle_minutes() -> int:
    if current_user.is_staff:
        return STAFF_IDLE_MINUTES
    return min((place.organization.idle_minutes for place in my_places()), default=USUAL_IDLE_MINUTES)


def _must_prove(mark: access.Access) -> bool:
    session = browser_session()
    return (
        (mark.proved and not session.is_proved)
        or (mark.fresh_factor and not session.has_fresh_factor)
        or (mark.staff and session.shown_factor_at is None)
    )


def requires_factor() -> bool:
    """Whether the person may not get in by a password alone: as staff, or where an organization of theirs says so."""
    return current_user.is_staff or any(place.organization.second_factor_required for place in my_places())


def _send_to(address: str) -> Response:
    if not htmx.asked():
        return htmx.go_to(address)
    response = error_pages.answer(401, error_pages.WORDS[401])
    response.headers["HX-Redirect"] = address
    return response
