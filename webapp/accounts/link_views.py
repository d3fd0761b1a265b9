"""Forgotten password, and the links of mails: a link's GET writes nothing, for mail scanners follow links too.

Its POST keeps the digest of the token in the session and goes on at an address that holds no secret.
"""

from flask import Response, flash, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from webapp import access, logs
from webapp.accounts import limits
from webapp.accounts.account_events import note_event
from webapp.accounts.blueprint import bp
from webapp.accounts.browsers import here
from webapp.accounts.credentials import hold_person
from webapp.accounts.doors import CUSTOMERS, STAFF
from webapp.accounts.entering import keys, too_many
from webapp.accounts.forms import EmailForm, NewPasswordForm
from webapp.accounts.jobs import ask_for_reset
from webapp.accounts.links import digest_of_token, find_link, use_link
from webapp.accounts.mails import tell
from webapp.accounts.models import AccountLink, LinkKind, UserAccount
from webapp.accounts.people import add_address, set_password
from webapp.accounts.queries import words_about
from webapp.accounts.web_sessions import browser_session
from webapp.error_pages import Words
from webapp.errors import Refused, TooManyTries
from webapp.services import services
from webapp.tenancy.request import close_session, db
from webapp.tenancy.sessions import reading_session

_LINK = "account_link"  #: in the session: the digest of the token, in hex


@bp.route("/forgotten-password", methods=["GET", "POST"])
@access.public
def forgotten_password() -> ResponseReturnValue:
    form = EmailForm()
    if not form.is_submitted():
        return _forgotten_page(form)
    if not form.validate():
        return _forgotten_page(form, status=422)
    where, email = here(), (form.email.data or "").lower()
    try:
        limits.count_network(services().database, limits.RESETS_PER_NETWORK, where.network)
        limits.count(services().database, limits.RESETS_PER_ADDRESS, email, where.network)
    except TooManyTries as refusal:
        response = _forgotten_page(form, status=429, mistake=too_many(refusal.wait_seconds))
        response.headers["Retry-After"] = str(refusal.wait_seconds)
        return response
    # Whether there is such a person is found out by the job: here everybody gets the same answer after the same work.
    ask_for_reset(db(), keys(), email, where)
    db().commit()
    logs.event("password.link_asked")
    return redirect(url_for("accounts.forgotten_password", sent="yes"), 303)


@bp.route("/account-link/<token>", methods=["GET", "POST"])
@access.public
def follow_link(token: str) -> ResponseReturnValue:
    if request.method != "POST":
        link = find_link(db(), digest_of_token(token))
        return _over() if link is None else render_template("accounts/link.html", link=link, token=token)
    limits.count_network(services().database, limits.LINKS, here().network)
    with reading_session(services().database) as looking:
        link = find_link(looking, digest_of_token(token))
    if link is None:
        return _over()
    kept = {_LINK: link.token_digest.hex()}
    if browser_session().has_row:
        session.update(kept)
    else:
        browser_session().begin(kept)
    return redirect(url_for("accounts.open_link"), 303)


@bp.route("/account-link", methods=["GET", "POST"])
@access.public
def open_link() -> ResponseReturnValue:
    if request.method == "POST":
        limits.count_network(services().database, limits.LINKS, here().network)
    link = find_link(db(), bytes.fromhex(session.get(_LINK, "")))
    if link is None:
        return _over()
    return _set_new_password(link) if link.kind == LinkKind.NEW_PASSWORD else _confirm_address(link)


def _set_new_password(link: AccountLink) -> ResponseReturnValue:
    """The second factor stays as it is: afterwards one signs in as always."""
    form = NewPasswordForm()
    if not form.is_submitted():
        return _new_password_page(form)
    person = hold_person(db(), link.user_account_id)  # before the link is, as in every change of a password
    if person is None:
        return _over()
    try:
        if not form.validate():
            return _new_password_page(form, status=422)
        with reading_session(services().database) as looking:
            looking.bind_person(person.id)
            about = words_about(looking, person)
        if not use_link(db(), link):
            return _over()
        set_password(db(), person, form.password.data or "", about)
    except Refused as refusal:
        form.password.errors = [refusal.sentence]
        return _new_password_page(form, status=422)
    event = note_event(db(), person.id, "password.set_by_link", here())
    tell(db(), "password_changed", person, event)
    db().commit()
    logs.event("password.set_by_link", user_account_id=person.id)
    browser_session().end()
    door = STAFF if person.is_staff else CUSTOMERS
    return redirect(url_for(door.endpoint, changed="yes"), 303)


def _confirm_address(link: AccountLink) -> ResponseReturnValue:
    """Only for the person who asked for it: else whoever is mailed a link could be given to a stranger's account."""
    is_theirs = current_user.is_authenticated and current_user.id == link.user_account_id
    if request.method != "POST" or not is_theirs:
        page = render_template("accounts/confirm_address.html", link=link, is_theirs=is_theirs)
        return Response(page, 403 if request.method == "POST" else 200)
    person = db().get_one(UserAccount, link.user_account_id)
    if not use_link(db(), link) or not add_address(db(), person, link.email):
        db().rollback()
        close_session()
        session.pop(_LINK, None)
        return _over()
    tell(db(), "address_changed", person, note_event(db(), person.id, "address.added", here()))
    db().commit()
    session.pop(_LINK, None)
    flash(f"{link.email} is one of your addresses now.", "ok")
    return redirect(url_for("accounts.account"), 303)


def _forgotten_page(form: EmailForm, status: int = 200, mistake: Words | None = None) -> Response:
    sent = request.args.get("sent") == "yes"
    return Response(render_template("accounts/forgotten.html", form=form, mistake=mistake, sent=sent), status)


def _new_password_page(form: NewPasswordForm, status: int = 200) -> Response:
    return Response(render_template("accounts/new_password.html", form=form), status)


def _over() -> ResponseReturnValue:
    """One page for used, expired, replaced and invented links."""
    return render_template("accounts/link_over.html"), 404
