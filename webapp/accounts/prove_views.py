"""Proving anew who one is, before something dangerous: the page that a view marked access.proved is answered with."""

from flask import Response, flash, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from webapp import access, htmx, logs
from webapp.accounts import sign_in as steps
from webapp.accounts.blueprint import bp
from webapp.accounts.browsers import here
from webapp.accounts.entering import keys, outside, own, passkey_site, too_many
from webapp.accounts.forms import ProveForm
from webapp.accounts.kept_forms import read_form
from webapp.accounts.session_limits import FACTOR_FRESH_FOR, PROVED_FOR
from webapp.accounts.web_sessions import browser_session
from webapp.error_pages import Words
from webapp.errors import TooManyTries
from webapp.services import services

_GO_ON = "Thank you. Now go on with what you were about to do: nothing of it was done yet."
_MISTAKEN = Words("That is not right.", "Nothing was changed.", "Check what you typed, and try again.")


@bp.route("/prove", methods=["GET", "POST"])
@access.signed_in
def prove() -> ResponseReturnValue:
    if request.method != "POST":
        return prove_page(own(request.args.get("next")))
    form = ProveForm(current_user)
    if not form.validate():
        return prove_page(own(form.next.data), form, status=422)
    password, code = form.password.data or "", form.code.data or ""
    try:
        proved = steps.prove(services().database, keys(), current_user, password, code, here())
    except TooManyTries as refusal:
        answer = prove_page(own(form.next.data), form, status=429, mistake=too_many(refusal.wait_seconds))
        answer.headers["Retry-After"] = str(refusal.wait_seconds)
        return answer
    if not proved:
        logs.event("prove.refused", user_account_id=current_user.id)
        return prove_page(own(form.next.data), form, status=422, mistake=_MISTAKEN)
    person_id = current_user.id
    if not browser_session().renew(factor=current_user.has_factor):
        return outside()
    logs.event("prove.done", user_account_id=person_id)
    return go_on(own(form.next.data), form.kept.data)


def go_on(next_page: str | None, kept: str | None) -> ResponseReturnValue:
    """After the proof: to the page that asked for it, or a page with the form that was sent too late, to send it."""
    sent = read_form(kept)
    if sent is not None:
        return Response(render_template("accounts/send_kept.html", form=sent, back=next_page or "/"))
    flash(_GO_ON, "ok")
    return htmx.go_to(next_page or url_for("accounts.security"))


def prove_page(
    next_page: str | None,
    form: ProveForm | None = None,
    kept: str | None = None,
    status: int = 200,
    mistake: Words | None = None,
) -> Response:
    """The page, leading on to `next_page`. Instead of a form that was sent too late it carries that form: `kept`."""
    form = form or ProveForm(current_user, formdata=None, kept=kept or "")
    form.next.data = next_page or ""
    page = render_template(
        "accounts/prove.html",
        form=form,
        mistake=mistake,
        minutes=int(PROVED_FOR.total_seconds() // 60),
        minutes_of_data=int(FACTOR_FRESH_FOR.total_seconds() // 60) if current_user.is_staff else None,
        sent=status == 401,
        has_passkey=current_user.has_passkey and passkey_site() is not None,
    )
    return Response(page, status)
