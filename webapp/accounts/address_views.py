"""The addresses of a person: one more, by a link that is mailed to it; one less; which is the primary one."""

from flask import flash, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from webapp import access, htmx, logs
from webapp.accounts import limits
from webapp.accounts.account_events import note_event
from webapp.accounts.account_page import account_page
from webapp.accounts.blueprint import bp
from webapp.accounts.browsers import here
from webapp.accounts.entering import keys, too_many
from webapp.accounts.forms import AddressForm, NameForm
from webapp.accounts.links import VALID_MINUTES, file_link
from webapp.accounts.mails import mail_link, tell
from webapp.accounts.models import LinkKind, UserAccount, UserEmail
from webapp.accounts.people import check_new_address, make_primary, remove_address
from webapp.accounts.sign_in import name_of
from webapp.errors import NotFound, Refused, TooManyTries
from webapp.services import services
from webapp.tenancy.request import db, looking


@bp.post("/account/addresses")
@access.signed_in
@access.proved
def add_address() -> ResponseReturnValue:
    """The answer is the same for an address of somebody else, to whom no mail goes."""
    form = AddressForm()
    try:
        if not form.validate():
            return _again(form)
        with looking() as session:
            address = check_new_address(session, current_user, form.email.data or "")
        limits.count(services().database, limits.CONFIRMATIONS, name_of(current_user), here().network)
    except (Refused, TooManyTries) as refusal:
        wait = too_many(refusal.wait_seconds) if isinstance(refusal, TooManyTries) else None
        form.email.errors = [f"{wait.happened} {wait.todo}" if wait else refusal.sentence]
        return _again(form)
    if db().get(UserEmail, address) is None:
        token = file_link(db(), current_user, LinkKind.CONFIRM_ADDRESS, address)
        mail_link(db(), keys().current, LinkKind.CONFIRM_ADDRESS, address, token)
    db().commit()
    flash(f"A mail is on its way to {address}. Follow its link within {VALID_MINUTES} minutes.", "ok")
    return htmx.go_to(url_for("accounts.account"))


@bp.post("/account/addresses/remove")
@access.signed_in
@access.proved
def remove() -> ResponseReturnValue:
    person, address = _person_and_address()
    remove_address(db(), person, address)
    tell(db(), "address_changed", person, note_event(db(), person.id, "address.removed", here()), [address])
    db().commit()
    logs.event("address.removed", user_account_id=person.id)
    flash(f"{address} is none of your addresses any more.", "ok")
    return htmx.go_to(url_for("accounts.account"))


@bp.post("/account/addresses/primary")
@access.signed_in
@access.proved
def choose_primary() -> ResponseReturnValue:
    person, address = _person_and_address()
    make_primary(db(), person, address)
    tell(db(), "address_changed", person, note_event(db(), person.id, "address.primary", here()))
    db().commit()
    logs.event("address.primary", user_account_id=person.id)
    flash(f"{address} is your primary address now.", "ok")
    return htmx.go_to(url_for("accounts.account"))


def _person_and_address() -> tuple[UserAccount, str]:
    """The address stands in the form: none is ever part of an address of ours."""
    form = AddressForm()
    if not form.validate():
        raise NotFound
    return db().get_one(UserAccount, current_user.id), (form.email.data or "").lower()


def _again(form: AddressForm) -> ResponseReturnValue:
    return account_page(NameForm(formdata=None, data={"name": current_user.name}), form)
