"""Leaving: an owner closes the organization, everybody in it sees what that means, an owner takes it back.

Adds to the blueprint of the settings.
"""

from typing import Any
from zoneinfo import ZoneInfo

from flask import Response, flash, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from flask_wtf import FlaskForm
from wtforms import BooleanField, StringField
from wtforms.validators import InputRequired

from webapp import access, htmx
from webapp.accounts.models import UserAccount
from webapp.addresses import organization_home
from webapp.clock import now
from webapp.errors import Refused
from webapp.organizations.settings_views import bp
from webapp.organizations.support_mails import list_owners
from webapp.privacy.closing import close_organization, take_back
from webapp.tenancy.guard import hold_and_check
from webapp.tenancy.models import GRACE, Organization, OrganizationState, Role
from webapp.tenancy.request import current_membership, current_organization, db

__all__ = ["bp"]


class CloseForm(FlaskForm):  # type: ignore[misc]
    name = StringField("Its name", [InputRequired("Type the name of the organization.")])
    sure = BooleanField(
        "I know that everything of it goes, and that nobody can bring it back after that day",
        [InputRequired("Tick this if you are sure.")],
    )


@bp.route("/close", methods=["GET", "POST"])
@access.member(Role.OWNER)
@access.while_suspended
@access.proved
def close() -> ResponseReturnValue:
    if request.method == "POST":
        hold_and_check()
    form = CloseForm()
    if form.validate_on_submit():
        person = db().get_one(UserAccount, current_user.id)
        try:
            close_organization(db(), person, form.name.data or "")
        except Refused as refusal:
            form.name.errors = [*form.name.errors, refusal.sentence]
        else:
            db().commit()
            return htmx.go_to(url_for("settings.closing"))
    status = 422 if form.errors else 200
    return htmx.render("settings/close.html", "settings/_close.html", status=status, form=form, days=GRACE.days)


@bp.get("/closing")
@access.member(Role.VIEWER)
@access.while_closed
def closing() -> ResponseReturnValue:
    """What has been closed, until when, and who can take it back; leads on where it is open."""
    organization = current_organization()
    if organization.state != OrganizationState.CLOSED:
        return htmx.go_to(organization_home(organization.slug))
    return _closing_page(organization)


@bp.post("/closing/take-back")
@access.member(Role.OWNER)
@access.while_closed
@access.proved
def take_closing_back() -> ResponseReturnValue:
    hold_and_check()
    organization = take_back(db(), current_user.id)
    db().commit()
    if organization.state == OrganizationState.SUSPENDED:
        flash(
            f"{organization.name} is no longer closed, and has everything that was there. It is still suspended.", "ok"
        )
        return htmx.go_to(url_for("takeout.index"))
    flash(f"{organization.name} is open again, with everything that was there.", "ok")
    return htmx.go_to(organization_home(organization.slug))


def _closing_page(organization: Organization) -> Response:
    zone = ZoneInfo(organization.time_zone)
    context: dict[str, Any] = {
        "is_owner": current_membership().role == Role.OWNER,
        "owners": list_owners(db()),
        "erased_from": organization.erased_from,
        "zone": zone,
        "today": now().astimezone(zone).date(),
    }
    return htmx.render("settings/closing.html", "settings/_closing.html", **context)
