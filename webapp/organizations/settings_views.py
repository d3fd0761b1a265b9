"""The settings of an organization, for its owners. Holds `bp`, named settings."""

from flask import Blueprint, Response, flash, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from webapp import access, htmx, navigation
from webapp.errors import Refused
from webapp.organizations.company import change_company, change_signing_in, zone_may_change
from webapp.organizations.forms import CompanyForm, SigningInForm
from webapp.tenancy.models import Role
from webapp.tenancy.request import current_organization, db

bp = Blueprint("settings", __name__, url_prefix="/o/<slug:slug>/settings")

navigation.add("Settings", "settings.company", 90, Role.OWNER)


@bp.route("", methods=["GET", "POST"])
@access.member(Role.OWNER)
def company() -> ResponseReturnValue:
    form = CompanyForm(current_organization())
    if not form.validate_on_submit():
        return _company_page(form)
    try:
        change_company(db(), current_user.id, form.company())
    except Refused as refusal:
        field = form[refusal.field]
        field.errors = [*field.errors, refusal.sentence]
        return _company_page(form)
    db().commit()
    flash("The settings are stored.", "ok")
    return htmx.go_to(url_for("settings.company"))


def _company_page(form: CompanyForm) -> Response:
    status = 422 if form.errors else 200
    may_change = zone_may_change(db())
    return htmx.render(
        "settings/company.html", "settings/_company.html", status=status, form=form, zone_may_change=may_change
    )


@bp.route("/signing-in", methods=["GET", "POST"])
@access.member(Role.OWNER)
@access.proved
def signing_in() -> ResponseReturnValue:
    form = SigningInForm(obj=current_organization())
    if not form.validate_on_submit():
        status = 422 if form.errors else 200
        return htmx.render("settings/signing_in.html", "settings/_signing_in.html", status=status, form=form)
    change_signing_in(db(), current_user.id, form.idle_minutes.data, bool(form.second_factor_required.data))
    db().commit()
    flash("The settings are stored.", "ok")
    return htmx.go_to(url_for("settings.signing_in"))
