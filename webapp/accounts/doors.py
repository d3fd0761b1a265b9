"""The two sign-in pages, which work alike: one for customers, one for the operator's staff.

Each lets in its own people only. On the other's page somebody gets the answer that a wrong password gets.
"""

from dataclasses import dataclass

from flask import Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from webapp import logs
from webapp.accounts import passkey_sign_in
from webapp.accounts import sign_in as steps
from webapp.accounts.browsers import here
from webapp.accounts.code_views import NEXT
from webapp.accounts.entering import after, asked_here, enter, keys, own, passkey_site, too_many
from webapp.accounts.forms import PasskeyForm, SignInForm
from webapp.accounts.jobs import file_refusal
from webapp.accounts.models import PasskeyPurpose
from webapp.accounts.session_rows import Passed
from webapp.accounts.web_sessions import browser_session
from webapp.error_pages import Words
from webapp.errors import TooManyTries
from webapp.services import services

_MISTAKEN = Words(
    "E-mail address and password do not belong together.", "Nothing was changed.", "Check both, try again."
)
_NO_PASSKEY = Words(
    "This passkey does not sign anybody in here.",
    "Nothing was changed.",
    "Use another one, or your e-mail address and password.",
)
#: What the page says to whom another page has sent here: query -> what happened, what is safe.
_SAID = {
    "left": ("You are signed out.", "Nothing of your visit is kept in this browser."),
    "changed": ("Your new password is set.", "Every browser was signed out. Sign in with it now."),
    "deleted": ("Your account is deleted.", "Nothing of it is kept but the traces that others' records need."),
}


@dataclass(frozen=True)
class Door:
    """A sign-in page: its endpoint, where its passkeys are sent, and whom it lets in."""

    endpoint: str
    passkey_endpoint: str
    template: str
    staff: bool


CUSTOMERS = Door("accounts.sign_in", "accounts.sign_in_by_passkey", "accounts/sign_in.html", staff=False)
STAFF = Door("accounts.staff_sign_in", "accounts.staff_sign_in_by_passkey", "accounts/staff_sign_in.html", staff=True)


def sign_in_at(door: Door) -> ResponseReturnValue:
    """The page, and what its form sends."""
    form = SignInForm()
    if not form.is_submitted():
        if current_user.is_authenticated:
            return redirect(after(request.args.get("next")), 303)
        form.next.data = own(request.args.get("next"))
        return _page(door, form)
    if not form.validate():
        return _page(door, form, status=422)
    where = here()
    attempt = steps.Try(form.email.data or "", where.network, where.browser)
    try:
        person = steps.pass_password(services().database, attempt, form.password.data or "", staff=door.staff)
    except TooManyTries as refusal:
        return _wait(door, form, refusal.wait_seconds)
    next_page = own(form.next.data)
    if person is not None and steps.next_step(person, frozenset({steps.Step.PASSWORD})) is steps.Step.CODE:
        if browser_session().begin({NEXT: next_page}, person):
            return redirect(url_for("accounts.enter_code"), 303)
    elif person is not None and enter(person, attempt):
        return redirect(url_for("accounts.check_cookie", next=next_page), 303)
    logs.event("sign_in.refused")
    file_refusal(services().database, keys(), attempt.email)
    return _page(door, form, status=422, mistake=_MISTAKEN)


def passkey_at(door: Door) -> ResponseReturnValue:
    """The answer of a passkey: it is enough alone. Whoever waits for the second step may use it as well."""
    form, site, where = PasskeyForm(), passkey_site(), here()
    page = SignInForm(formdata=None, data={"next": own(form.next.data)})
    if site is None:
        return _page(door, page, status=422, mistake=_NO_PASSKEY)
    asked = asked_here(PasskeyPurpose.SIGN_IN)
    answer = form.credential.data or ""
    try:
        shown = passkey_sign_in.pass_passkey(services().database, site, asked, answer, where, staff=door.staff)
    except TooManyTries as refusal:
        return _wait(door, page, refusal.wait_seconds)
    next_page = own(form.next.data) or browser_session().get(NEXT)
    if shown is not None:
        attempt = steps.Try(shown.person.email, where.network, where.browser)
        if enter(shown.person, attempt, by=Passed(factor=True, passkey_id=shown.passkey_id)):
            browser_session().pop(NEXT, None)
            return redirect(url_for("accounts.check_cookie", next=next_page), 303)
    logs.event("sign_in.refused")
    return _page(door, page, status=422, mistake=_NO_PASSKEY)


def _wait(door: Door, form: SignInForm, wait_seconds: int) -> ResponseReturnValue:
    logs.event("sign_in.too_many")
    response = _page(door, form, status=429, mistake=too_many(wait_seconds))
    response.headers["Retry-After"] = str(wait_seconds)
    return response


def _page(door: Door, form: SignInForm, status: int = 200, mistake: Words | None = None) -> Response:
    said = next((words for name, words in _SAID.items() if request.args.get(name) == "yes"), None)
    page = render_template(
        door.template, form=form, mistake=mistake, said=said, door=door, has_passkeys=passkey_site() is not None
    )
    return Response(page, status)
