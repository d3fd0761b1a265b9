"""My account: name and addresses (address_views.py), what is held about the person, deleting all of it."""

import json
from datetime import datetime

from flask import Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, logout_user

from webapp import access, htmx, logs
from webapp.accounts.account_events import note_event
from webapp.accounts.account_page import account_page
from webapp.accounts.blueprint import bp
from webapp.accounts.browsers import here
from webapp.accounts.forms import AddressForm, NameForm
from webapp.accounts.holdings import list_holdings
from webapp.accounts.leaving import delete_account, refuse_only_owner
from webapp.accounts.models import UserAccount
from webapp.accounts.people import rename
from webapp.accounts.queries import list_memberships
from webapp.accounts.web_sessions import browser_session
from webapp.errors import Refused
from webapp.services import services
from webapp.tenancy.request import close_session, db, looking


@bp.route("/account", methods=["GET", "POST"])
@access.signed_in
def account() -> ResponseReturnValue:
    form = NameForm(data={"name": current_user.name})
    if not form.validate_on_submit():
        return account_page(form, AddressForm(formdata=None))
    rename(db().get_one(UserAccount, current_user.id), form.name.data or "")
    db().commit()
    flash("Your name is changed.", "ok")
    return htmx.go_to(url_for("accounts.account"))


@bp.post("/account/download")
@access.signed_in
@access.proved
def download() -> ResponseReturnValue:
    """All that is held about the person, for themselves or another service."""
    note_event(db(), current_user.id, "data.downloaded", here())
    held = json.dumps(list_holdings(db(), current_user), default=_spell, ensure_ascii=False, indent=1)
    db().commit()
    logs.event("account.downloaded", user_account_id=current_user.id)
    response = Response(held, mimetype="application/json")
    response.headers["Content-Disposition"] = 'attachment; filename="callbook-account.json"'
    return response


@bp.route("/account/delete", methods=["GET", "POST"])
@access.signed_in
@access.proved
def delete() -> ResponseReturnValue:
    database, person_id = services().database, current_user.id
    with looking() as session:
        ids = [organization.id for _membership, organization in list_memberships(session)]
    try:
        if current_user.is_staff:
            raise Refused("An account of staff is closed by the person who runs Callbook: flask disable-staff.")
        refuse_only_owner(database, person_id, ids)
        if request.method != "POST":
            return render_template("accounts/delete.html", problem="")
        close_session()
        for step in delete_account(database, person_id, ids):
            step.commit()
    except Refused as refusal:
        status = 422 if request.method == "POST" else 200
        return render_template("accounts/delete.html", problem=refusal.sentence), status
    logs.event("account.deleted", user_account_id=person_id)
    logout_user()
    browser_session().forget()
    return redirect(url_for("accounts.sign_in", deleted="yes"), 303)


def _spell(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
