"""The People page: who is in, who is invited, inviting, changing, removing, leaving. Holds `bp`, named people."""

from flask import Blueprint, Response, flash, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from webapp import access, htmx, navigation, rate_limits
from webapp.accounts.models import UserAccount
from webapp.database.staff_rights import Area
from webapp.errors import Refused, TooManyTries
from webapp.invitations import actions
from webapp.invitations.forms import InviteForm, OfferForm, SureForm
from webapp.invitations.members import change_access
from webapp.invitations.people_page import inviter, list_context, tell_results
from webapp.invitations.queries import get_changeable_invitation, get_invitation
from webapp.invitations.subjects import list_offered
from webapp.organizations import members
from webapp.organizations.models import Invitation
from webapp.organizations.offers import Offer, check_within, offer_of_invitation, offer_of_membership
from webapp.rate_limits import Limit
from webapp.services import services
from webapp.tenancy.guard import hold_and_check
from webapp.tenancy.models import Role
from webapp.tenancy.request import current_membership, current_organization, current_reader, db

#: Invitations that one organization may mail: the relay is everybody's.
MAILS_PER_ORGANIZATION = Limit("invitation:organization", 100, 60_000)
bp = Blueprint("people", __name__, url_prefix="/o/<slug:slug>/people")

navigation.add("People", "people.index", 70, Role.MANAGER)


@bp.get("")
@access.member(Role.MANAGER)
@access.open_to_staff(Area.PEOPLE, "the people")
def index() -> ResponseReturnValue:
    return htmx.render("people/index.html", "people/index.html", **list_context())


@bp.route("/invite", methods=["GET", "POST"])
@access.member(Role.MANAGER)
@access.proved
def invite() -> ResponseReturnValue:
    if request.method == "POST":
        hold_and_check()
    mine = offer_of_membership(db(), current_membership())
    zone = current_organization().time_zone
    usual = Offer(Role.VIEWER, mine.numbers, mine.may_export, mine.narrowed, mine.spans, mine.ends_at)
    form = InviteForm(db(), zone, limit=mine, shown=usual)
    if not form.validate_on_submit():
        return _invite_page(form)
    try:
        offer, read = form.read_offer(db(), zone)
        check_within(offer, mine)
        results = actions.invite_all(
            db(), inviter(), (form.emails.data or "").splitlines(), offer, form.words.data or ""
        )
    except Refused as refusal:
        form.refuse(refusal)
        return _invite_page(form)
    made = sum(result.invitation is not None for result in results)
    if not made:
        form.emails.errors = [result.problem for result in results]  # each names its address
        return _invite_page(form)
    _count_mails(made)
    db().commit()
    tell_results(results, read.notes)
    return htmx.go_to(url_for("people.index"))


def _invite_page(form: InviteForm) -> Response:
    status = 422 if form.errors else 200
    return htmx.render(
        "people/invite.html",
        "people/_invite.html",
        status=status,
        form=form,
        offered=list_offered(db(), masked=current_reader().is_masked),
    )


@bp.post("/invitations/<id:invitation_id>/resend")
@access.member(Role.MANAGER)
@access.proved
def resend(invitation_id: int) -> ResponseReturnValue:
    hold_and_check()
    invitation = get_changeable_invitation(db(), current_membership(), invitation_id)
    actions.resend(db(), inviter(), invitation)
    _count_mails(1)
    db().commit()
    return _answer_list(f"A new link goes to {invitation.email}; the one before opens nothing any more.")


@bp.post("/invitations/<id:invitation_id>/revoke")
@access.member(Role.MANAGER)
def revoke(invitation_id: int) -> ResponseReturnValue:
    hold_and_check()
    invitation = get_changeable_invitation(db(), current_membership(), invitation_id)
    actions.revoke(db(), inviter(), invitation)
    db().commit()
    return _answer_list(f"The invitation of {invitation.email} is revoked: its link opens nothing any more.")


@bp.post("/invitations/<id:invitation_id>/confirm")
@access.member(Role.OWNER)
@access.proved
def confirm(invitation_id: int) -> ResponseReturnValue:
    hold_and_check()
    invitation = get_invitation(db(), invitation_id)
    check_within(offer_of_invitation(db(), invitation), offer_of_membership(db(), current_membership()))
    actions.confirm(db(), inviter(), invitation)
    _count_mails(1)
    db().commit()
    return _answer_list(f"{invitation.email} is invited now.")


def _count_mails(count: int) -> None:
    """Those that are queued just now, in the same transaction: what is refused or undone uses up nothing."""
    organization_id = str(current_organization().id)
    wait_seconds = rate_limits.hit_within(db(), MAILS_PER_ORGANIZATION, organization_id, times=count)
    if wait_seconds:
        raise TooManyTries(wait_seconds, "This organization has mailed as many invitations as it may for now.")


def _answer_list(told: str) -> ResponseReturnValue:
    """The list as it is now, where htmx asked; else the page."""
    if not htmx.wants_part():
        flash(told, "ok")
        return htmx.go_to(url_for("people.index"))
    return htmx.render("people/index.html", "people/_invitations.html", told=told, **list_context())


@bp.route("/invitations/<id:invitation_id>", methods=["GET", "POST"])
@access.member(Role.MANAGER)
@access.proved
def change_invitation(invitation_id: int) -> ResponseReturnValue:
    if request.method == "POST":
        hold_and_check()
    invitation = get_changeable_invitation(db(), current_membership(), invitation_id)
    mine, zone = offer_of_membership(db(), current_membership()), current_organization().time_zone
    form = OfferForm(db(), zone, limit=mine, shown=offer_of_invitation(db(), invitation))
    if not form.validate_on_submit():
        return _change_page(form, invitation.email, invitation=invitation)
    try:
        offer, read = form.read_offer(db(), zone)
        check_within(offer, mine)
        actions.change(db(), inviter(), invitation, offer)
    except Refused as refusal:
        form.refuse(refusal)
        return _change_page(form, invitation.email, invitation=invitation)
    db().commit()
    tell_results([], read.notes)
    flash(f"The invitation of {invitation.email} is changed. Its link stays the same.", "ok")
    return htmx.go_to(url_for("people.index"))


@bp.route("/members/<id:member_id>", methods=["GET", "POST"])
@access.member(Role.MANAGER)
@access.proved
def change_member(member_id: int) -> ResponseReturnValue:
    if request.method == "POST":
        hold_and_check()
    membership, person = members.get_changeable(db(), current_membership(), member_id)
    mine, zone = offer_of_membership(db(), current_membership()), current_organization().time_zone
    form = OfferForm(db(), zone, limit=mine, shown=offer_of_membership(db(), membership))
    name = person.name or person.email
    if not form.validate_on_submit():
        return _change_page(form, name, person=person)
    try:
        offer, read = form.read_offer(db(), zone)
        change_access(db(), current_membership(), person, offer, zone)
    except Refused as refusal:
        form.refuse(refusal)
        return _change_page(form, name, person=person)
    db().commit()
    tell_results([], read.notes)
    flash(f"What {name} may do and see is changed, from their next page on.", "ok")
    return htmx.go_to(url_for("organizations.choose") if person.id == current_user.id else url_for("people.index"))


def _change_page(
    form: OfferForm, name: str, invitation: Invitation | None = None, person: UserAccount | None = None
) -> Response:
    return htmx.render(
        "people/change.html",
        "people/_change.html",
        status=422 if form.errors or form.form_errors else 200,
        form=form,
        name=name,
        invitation=invitation,
        person=person,
        in_place=htmx.wants_part(),
        offered=list_offered(db(), masked=current_reader().is_masked),
    )


@bp.route("/members/<id:member_id>/remove", methods=["GET", "POST"])
@access.member(Role.MANAGER)
@access.proved
def remove(member_id: int) -> ResponseReturnValue:
    if request.method == "POST":
        hold_and_check()
    _membership, person = members.get_changeable(db(), current_membership(), member_id)
    form = SureForm()
    if not form.validate_on_submit():
        return _sure_page(form, url_for("people.remove", member_id=member_id), person)
    elsewhere = members.belongs_elsewhere(services().database, person.id, current_organization().id)
    try:
        members.remove_member(db(), current_membership(), person.id, elsewhere=elsewhere)
    except Refused as refusal:
        form.form_errors.append(refusal.sentence)
        return _sure_page(form, url_for("people.remove", member_id=member_id), person)
    db().commit()
    flash(f"{person.name or person.email} is removed and sees nothing of {current_organization().name} any more.", "ok")
    return htmx.go_to(url_for("people.index"))


@bp.post("/members/<id:member_id>/sign-out")
@access.member(Role.OWNER)
@access.proved
def sign_out(member_id: int) -> ResponseReturnValue:
    """A telephone is lost, a screen was left: every browser of the person is signed out."""
    hold_and_check()
    person = members.sign_out(db(), current_membership(), member_id)
    db().commit()
    flash(f"{person.name or person.email} is signed out everywhere.", "ok")
    return htmx.go_to(url_for("people.index"))


@bp.route("/leave", methods=["GET", "POST"])
@access.member(Role.VIEWER)
def leave() -> ResponseReturnValue:
    form, person_id = SureForm(), current_user.id
    if not form.validate_on_submit():
        return _sure_page(form, url_for("people.leave"), None)
    elsewhere = members.belongs_elsewhere(services().database, person_id, current_organization().id)
    try:
        members.leave(db(), person_id, elsewhere=elsewhere)
    except Refused as refusal:
        form.form_errors.append(refusal.sentence)
        return _sure_page(form, url_for("people.leave"), None)
    db().commit()
    flash(f"You have left {current_organization().name}.", "ok")
    return htmx.go_to(url_for("organizations.choose"))


def _sure_page(form: SureForm, action: str, person: UserAccount | None) -> Response:
    """Before a removal, or with person None before leaving."""
    status = 422 if form.errors or form.form_errors else 200
    return htmx.render("people/sure.html", "people/_sure.html", status=status, form=form, action=action, person=person)
