"""Passkeys in place of a password: at the sign-in page, and where somebody who is in proves who they are.

The browser fetches a question by a POST of its own (static/passkeys.js), since a page that is only opened writes
nothing, and sends the answer with the form.
"""

from flask import Response
from flask.typing import ResponseReturnValue
from flask_login import current_user

from webapp import access, logs
from webapp.accounts import passkey_sign_in
from webapp.accounts.blueprint import bp
from webapp.accounts.browsers import here
from webapp.accounts.doors import CUSTOMERS, passkey_at
from webapp.accounts.entering import asked_here, outside, own, passkey_site, too_many
from webapp.accounts.forms import PasskeyForm
from webapp.accounts.models import PasskeyPurpose, UserAccount
from webapp.accounts.prove_views import go_on, prove_page
from webapp.accounts.web_sessions import browser_session
from webapp.error_pages import Words
from webapp.errors import NotFound, TooManyTries
from webapp.services import services

_MISTAKEN = Words(
    "This passkey is none of yours, or it took too long.", "Nothing was changed.", "Try again, or use your password."
)


@bp.post("/sign-in/passkey/question")
@access.public
def question_to_sign_in() -> ResponseReturnValue:
    return _question(PasskeyPurpose.SIGN_IN)


@bp.post("/sign-in/passkey")
@access.public
def sign_in_by_passkey() -> ResponseReturnValue:
    return passkey_at(CUSTOMERS)


@bp.post("/prove/passkey/question")
@access.signed_in
def question_to_prove() -> ResponseReturnValue:
    return _question(PasskeyPurpose.PROVE, current_user)


@bp.post("/prove/passkey")
@access.signed_in
def prove_by_passkey() -> ResponseReturnValue:
    form, site = PasskeyForm(), passkey_site()
    next_page, person_id = own(form.next.data), current_user.id
    if site is None:
        raise NotFound
    asked = asked_here(PasskeyPurpose.PROVE, current_user)
    try:
        answer = form.credential.data or ""
        proved = passkey_sign_in.prove_by_passkey(services().database, site, asked, answer, here())
    except TooManyTries as refusal:
        page = prove_page(next_page, kept=form.kept.data, status=429, mistake=too_many(refusal.wait_seconds))
        page.headers["Retry-After"] = str(refusal.wait_seconds)
        return page
    if not proved:
        logs.event("prove.refused", user_account_id=person_id)
        return prove_page(next_page, kept=form.kept.data, status=422, mistake=_MISTAKEN)
    if not browser_session().renew(factor=True):
        return outside()
    logs.event("prove.done", user_account_id=person_id)
    return go_on(next_page, form.kept.data)


def _question(purpose: PasskeyPurpose, person: UserAccount | None = None) -> Response:
    site = passkey_site()
    if site is None:
        raise NotFound
    asked = asked_here(purpose, person)
    text = passkey_sign_in.question(services().database, site, asked, here().network)
    return Response(text, mimetype="application/json")
