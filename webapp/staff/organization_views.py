"""What staff do to an organization without looking into it: a page for each, with a form that asks why.

The console's page of one organization leads here by templates/staff/_actions.html.
"""

from collections.abc import Callable

from flask import flash, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from sqlalchemy import select

from webapp import access, htmx, rate_limits
from webapp.errors import NotFound, Refused, TooManyTries
from webapp.formatting import format_count
from webapp.invitations.people_views import MAILS_PER_ORGANIZATION
from webapp.services import services
from webapp.staff import organization_actions as actions
from webapp.staff.action_forms import AddressForm, LimitsForm, ReasonForm, SetUpForm, SignOutForm
from webapp.staff.blueprint import bp
from webapp.staff.frame import console_session
from webapp.staff.organization_actions import Act
from webapp.tenancy.models import Organization
from webapp.tenancy.request import db

PAGE = "staff/act.html"


@bp.route("/staff/organizations/new", methods=["GET", "POST"])
@access.staff
@access.proved
def set_up() -> ResponseReturnValue:
    form = SetUpForm()
    if form.validate_on_submit():
        try:
            secret_key = services().settings.secret_key
            organization, invitation = actions.set_up(db(), form.act(current_user), form.organization(), secret_key)
        except Refused as refusal:
            form.refuse(refusal)
        else:
            db().commit()
            flash(f"{organization.name} is ready. An invitation goes to {invitation.email}, for seven days.", "ok")
            return htmx.go_to(address_of(organization))
    return _page("staff/_set_up.html", "Set an organization up", form)


@bp.route("/staff/organizations/<id:organization_id>/suspend", methods=["GET", "POST"])
@access.staff
@access.proved
def suspend(organization_id: int) -> ResponseReturnValue:
    organization, form = get_organization(organization_id), ReasonForm()

    def do(act: Act) -> str:
        actions.suspend(db(), act, organization)
        return f"{organization.name} is suspended: its people read why instead of its pages."

    return answer_act("staff/_suspend.html", f"Suspend {organization.name}", form, organization, do)


@bp.route("/staff/organizations/<id:organization_id>/resume", methods=["GET", "POST"])
@access.staff
@access.proved
def resume(organization_id: int) -> ResponseReturnValue:
    organization, form = get_organization(organization_id), ReasonForm()

    def do(act: Act) -> str:
        actions.resume(db(), act, organization)
        return f"{organization.name} is open to its people again."

    return answer_act("staff/_resume.html", f"Open {organization.name} again", form, organization, do)


@bp.route("/staff/organizations/<id:organization_id>/limits", methods=["GET", "POST"])
@access.staff
@access.proved
def change_limits(organization_id: int) -> ResponseReturnValue:
    organization = get_organization(organization_id)
    form = LimitsForm(organization.file_limit, organization.people_limit)

    def do(act: Act) -> str:
        changed = actions.change_limits(db(), act, organization, form.file_limit, form.people.data)
        return "The limits are changed." if changed else "The limits are as they were."

    return answer_act("staff/_limits.html", f"Limits of {organization.name}", form, organization, do)


@bp.route("/staff/organizations/<id:organization_id>/resend-invitation", methods=["GET", "POST"])
@access.staff
@access.proved
def resend_invitation(organization_id: int) -> ResponseReturnValue:
    organization, form = get_organization(organization_id), AddressForm()

    def do(act: Act) -> str:
        key = services().settings.secret_key
        actions.resend_invitation(db(), act, organization, form.email.data or "", key)
        wait_seconds = rate_limits.hit_within(db(), MAILS_PER_ORGANIZATION, str(organization.id), times=1)
        if wait_seconds:
            raise TooManyTries(wait_seconds, "This organization has mailed as many invitations as it may for now.")
        return f"A new link goes to {form.email.data}; the one before opens nothing any more."

    return answer_act("staff/_resend.html", f"Resend an invitation of {organization.name}", form, organization, do)


@bp.route("/staff/organizations/<id:organization_id>/sign-out", methods=["GET", "POST"])
@access.staff
@access.proved
def sign_out(organization_id: int) -> ResponseReturnValue:
    organization, form = get_organization(organization_id), SignOutForm()

    def do(act: Act) -> str:
        if form.whom.data == "one":
            actions.sign_out_person(db(), act, organization, form.email.data or "")
            return f"{form.email.data} is signed out everywhere."
        ended = actions.sign_out_everybody(db(), act, organization)
        return f"Everybody of {organization.name} is signed out: {format_count(ended)} sessions ended."

    return answer_act("staff/_sign_out.html", f"Sign people of {organization.name} out", form, organization, do)


def address_of(organization: Organization) -> str:
    """The console's page of one organization."""
    return url_for("staff.organization", organization_id=organization.id)


def get_organization(organization_id: int) -> Organization:
    """As the console reads it; where something is changed, held."""
    if request.method == "POST":
        return actions.get_held(db(), organization_id)
    with console_session() as session:
        found = session.scalars(select(Organization).where(Organization.id == organization_id)).one_or_none()
    if found is None:
        raise NotFound
    return found


def answer_act(
    part: str, title: str, form: ReasonForm, organization: Organization, do: Callable[[Act], str]
) -> ResponseReturnValue:
    """The form, or what came of it: `do` gives the words for it, or raises Refused."""
    if form.validate_on_submit():
        try:
            told = do(form.act(current_user))
        except actions.Nobody as refusal:
            db().commit()  # that they asked is recorded
            form.refuse(refusal)
        except Refused as refusal:
            form.refuse(refusal)
        else:
            db().commit()
            flash(told, "ok")
            return htmx.go_to(address_of(organization))
    return _page(part, title, form, organization)


def _page(part: str, title: str, form: ReasonForm, organization: Organization | None = None) -> ResponseReturnValue:
    status = 422 if form.errors or form.form_errors else 200
    return htmx.render(PAGE, part, status=status, inner=part, title=title, form=form, organization=organization)
