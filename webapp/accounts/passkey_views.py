"""The passkeys of a person, on their Security page: added, renamed, removed. Each of it asks first who is there."""

from flask import Response, flash, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from webapp import access, htmx, logs
from webapp.accounts import limits, second_factor
from webapp.accounts.account_events import note_event
from webapp.accounts.blueprint import bp
from webapp.accounts.browsers import here
from webapp.accounts.entering import asked_here, keys, outside, passkey_site
from webapp.accounts.forms import PasskeyNameForm
from webapp.accounts.gates import requires_factor
from webapp.accounts.mails import tell
from webapp.accounts.models import Passkey, PasskeyPurpose, UserAccount
from webapp.accounts.passkey_answers import Unusable, add_passkey, take_challenge
from webapp.accounts.passkeys import ask_for_new, checked_name, get_passkey, list_passkeys
from webapp.accounts.people import end_all_sessions
from webapp.accounts.web_sessions import browser_session
from webapp.errors import NotFound, Refused
from webapp.services import services
from webapp.tenancy.request import db
from webapp.tenancy.sessions import writing_session

_NOT_MADE = "The browser gave no usable passkey, or it took longer than five minutes. Nothing was changed; try again."


@bp.post("/security-settings/passkeys/question")
@access.signed_in
@access.proved
def question_for_passkey() -> ResponseReturnValue:
    site = passkey_site()
    if site is None:
        raise NotFound
    limits.count_network(services().database, limits.PASSKEY_QUESTIONS, here().network)
    text = ask_for_new(db(), site, asked_here(PasskeyPurpose.REGISTER, current_user))
    db().commit()
    return Response(text, mimetype="application/json")


@bp.route("/security-settings/passkeys", methods=["GET", "POST"])
@access.signed_in
@access.proved
def new_passkey() -> ResponseReturnValue:
    form, site = PasskeyNameForm(), passkey_site()
    if site is None or not form.validate_on_submit():
        return _new_page(form)
    answer = form.credential.data or ""
    try:
        checked_name(form.name.data or "")
        challenge = _use_up(answer)
        person = browser_session().hold(db())
        if person is None:
            return outside()
        is_first = not person.has_factor
        passkey = add_passkey(db(), site, person, challenge, answer, form.name.data or "")
    except Refused as refusal:
        form.name.errors = [refusal.sentence]
        return _new_page(form)
    except Unusable:
        form.name.errors = [_NOT_MADE]
        return _new_page(form)
    return _added(person, passkey, is_first)


@bp.route("/security-settings/passkeys/<id:passkey_id>", methods=["GET", "POST"])
@access.signed_in
@access.proved
def change_passkey(passkey_id: int) -> ResponseReturnValue:
    """Its name; and the way to remove it."""
    passkey = get_passkey(db(), current_user.id, passkey_id)
    form = PasskeyNameForm(data={"name": passkey.name})
    if not form.validate_on_submit():
        return _change_page(form, passkey)
    person = browser_session().hold(db())
    if person is None:
        return outside()
    try:
        passkey.name = checked_name(form.name.data or "")
    except Refused as refusal:
        form.name.errors = [refusal.sentence]
        return _change_page(form, passkey)
    note_event(db(), person.id, "passkey.renamed", here())
    db().commit()
    flash("The passkey is renamed.", "ok")
    return htmx.go_to(url_for("accounts.security"))


@bp.post("/security-settings/passkeys/<id:passkey_id>/remove")
@access.signed_in
@access.proved
def remove_passkey(passkey_id: int) -> ResponseReturnValue:
    person = browser_session().hold(db())
    if person is None:
        return outside()
    passkey = get_passkey(db(), person.id, passkey_id)
    is_last = person.totp_secret is None and len(list_passkeys(db(), person.id)) == 1
    if is_last and requires_factor():
        raise Refused("This is your only second factor, and you need one. Add another passkey or an app first.")
    db().delete(passkey)
    if is_last:
        second_factor.delete_recovery_codes(db(), person)
    _tell_and_end_others(person, "passkey.removed", shown=False)
    flash("The passkey is removed. All other browsers are signed out.", "ok")
    return htmx.go_to(url_for("accounts.security"))


def _use_up(answer: str) -> bytes:
    """The challenge of the answer, in a transaction of its own: whatever comes of it, it counts once."""
    with writing_session(services().database) as session:
        try:
            return take_challenge(session, answer, asked_here(PasskeyPurpose.REGISTER, current_user))
        finally:
            session.commit()


def _added(person: UserAccount, passkey: Passkey, is_first: bool) -> ResponseReturnValue:
    """A first factor brings recovery codes: without them a lost device would keep the person out."""
    codes = second_factor.renew_recovery_codes(db(), keys(), person) if is_first else []
    name = passkey.name
    _tell_and_end_others(person, "passkey.added", shown=True)
    happened = f"The passkey {name} is added. All other browsers were signed out."
    if codes:
        return render_template("accounts/recovery_codes.html", codes=codes, happened=happened, safe="")
    flash(happened, "ok")
    return htmx.go_to(url_for("accounts.security"))


def _tell_and_end_others(person: UserAccount, kind: str, *, shown: bool) -> None:
    """With the change itself: the event, its mail, every other browser signed out. `shown`: a factor, in this one."""
    tell(db(), "second_factor_changed", person, note_event(db(), person.id, kind, here()))
    end_all_sessions(db(), person, but=browser_session().row_id)
    browser_session().renew_with(db(), factor=shown)
    db().commit()
    logs.event(kind, user_account_id=person.id)


def _new_page(form: PasskeyNameForm) -> Response:
    page = render_template("accounts/new_passkey.html", form=form, has_passkeys=passkey_site() is not None)
    return Response(page, 422 if form.errors else 200)


def _change_page(form: PasskeyNameForm, passkey: Passkey) -> Response:
    page = render_template("accounts/change_passkey.html", form=form, passkey=passkey)
    return Response(page, 422 if form.errors else 200)
