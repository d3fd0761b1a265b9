"""The way in: a link from a mail, the page that shows who invites to what, and joining. Holds `bp`, named invitations.

Opening a link (GET) writes nothing. Its button (POST) puts the invitation into the browser's session, and the address
bar is clean from then on; joining is a second POST.
"""

from flask import Blueprint, Response, flash, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from webapp import access, error_pages, htmx, logs, rate_limits
from webapp.accounts.browsers import here
from webapp.accounts.entering import enter
from webapp.accounts.models import UserAccount
from webapp.accounts.sign_in import Try
from webapp.accounts.web_sessions import browser_session
from webapp.addresses import organization_home
from webapp.error_pages import Words
from webapp.errors import NotFound, Refused, TooManyTries
from webapp.invitations import joining
from webapp.invitations.forms import AcceptForm
from webapp.invitations.joining import Held, Opened
from webapp.rate_limits import Limit, network_of
from webapp.services import services
from webapp.tenancy.request import close_session, db, looking

bp = Blueprint("invitations", __name__)

#: Buttons of links that one network may press: 256 bits are not guessed, but each costs a look.
PER_NETWORK = Limit("invitation:network", 30, 10_000, by_network=True)
_HELD = "invitation"
_NOTHING_BEHIND = Words(
    "This link opens nothing",
    "It was used already, is older than seven days, was taken back, or is not complete.",
    "Ask the person who invited you for a new one. If you have joined already, sign in.",
)
_SIGN_OUT = Words("This invitation is for somebody else", joining.NOT_YOURS, "")


@bp.get("/invitations/<token>")
@access.public
def link(token: str) -> ResponseReturnValue:
    try:
        joining.open_invitation(db(), joining.read_token(token))
    except NotFound:
        return _nothing()
    return render_template("invitations/link.html", token=token)


@bp.post("/invitations/<token>")
@access.public
def open_link(token: str) -> ResponseReturnValue:
    _count()
    held = joining.read_token(token)
    try:
        with looking() as reading:
            joining.open_invitation(reading, held)
    except NotFound:
        return _nothing()
    assert held is not None
    _hold(held)
    return htmx.go_to(url_for("invitations.show"))


@bp.get("/invitation")
@access.public
def show() -> ResponseReturnValue:
    try:
        opened = joining.open_invitation(db(), _held())
    except NotFound:
        return _nothing()
    return _page(opened, AcceptForm())


@bp.post("/invitation")
@access.public
def accept() -> ResponseReturnValue:
    _count()
    form = AcceptForm()
    try:
        opened = joining.open_invitation(db(), _held(), to_accept=True)
    except NotFound:
        return _nothing()
    if not current_user.is_authenticated and joining.has_account(db(), opened):
        return _page(opened, form)  # they sign in first
    if not current_user.is_authenticated and not form.validate():
        return _page(opened, form)
    try:
        if current_user.is_authenticated:
            joining.accept_as(db(), opened, current_user.id)
            newcomer = None
        else:
            newcomer = joining.accept_as_newcomer(db(), opened, form.name.data or "", form.password.data or "")
    except Refused as refusal:
        return _refuse(opened, form, refusal)
    db().commit()
    close_session()
    is_in = _let_in(newcomer)
    logs.event("invitation.accepted", organization_id=opened.organization.id)
    if not is_in:
        return htmx.go_to(url_for("accounts.sign_in"))
    flash(f"Welcome to {opened.organization.name}.", "ok")
    return htmx.go_to(organization_home(opened.organization.slug))


def _let_in(newcomer: UserAccount | None) -> bool:
    """The invitation is used: the session keeps it no longer. Somebody new is signed in, unless disabled meanwhile."""
    session.pop(_HELD, None)
    where = here()
    return newcomer is None or enter(newcomer, Try(newcomer.email, where.network, where.browser))


def _refuse(opened: Opened, form: AcceptForm, refusal: Refused) -> ResponseReturnValue:
    field = form._fields.get(refusal.field)
    if field is None or current_user.is_authenticated:
        return error_pages.answer(422, _SIGN_OUT if refusal.sentence == joining.NOT_YOURS else _refused(refusal))
    field.errors = [*field.errors, refusal.sentence]
    return _page(opened, form)


def _refused(refusal: Refused) -> Words:
    return Words("You cannot join with this", refusal.sentence, "Start from the first page.")


def _page(opened: Opened, form: AcceptForm) -> Response:
    signed_in = current_user.is_authenticated
    fits = signed_in and joining.is_for(db(), opened, current_user)
    page = render_template(
        "invitations/show.html",
        form=form,
        invitation=opened.invitation,
        organization=opened.organization,
        words=joining.tell_what(db(), opened),
        inviter=joining.find_inviter(db(), opened),
        person=current_user if signed_in else None,
        fits=fits,
        knows_them=not signed_in and joining.has_account(db(), opened),
    )
    return Response(page, 422 if form.errors else 200)


def _nothing() -> Response:
    """Expired, revoked, used, of another service, nonsense: the same page, so that a link tells nothing."""
    return Response(render_template("invitations/nothing.html", words=_NOTHING_BEHIND), 404)


def _count() -> None:
    wait_seconds = rate_limits.hit(services().database, PER_NETWORK, network_of(request.remote_addr))
    if wait_seconds:
        logs.event("invitation.too_many")
        raise TooManyTries(wait_seconds)


def _hold(held: Held) -> None:
    kept = {"organization_id": held.organization_id, "digest": held.digest.hex()}
    if current_user.is_authenticated:
        session[_HELD] = kept
    else:
        browser_session().begin({_HELD: kept})


def _held() -> Held | None:
    """What this browser holds, if anything."""
    kept = session.get(_HELD)
    return Held(kept["organization_id"], bytes.fromhex(kept["digest"])) if kept else None
