"""The way in: to the only organization of a person, or to a list of theirs."""

from flask import Blueprint, redirect, render_template
from flask.typing import ResponseReturnValue

from webapp import access
from webapp.addresses import organization_home
from webapp.tenancy.request import my_places

bp = Blueprint("organizations", __name__)


@bp.get("/")
@access.signed_in
def choose() -> ResponseReturnValue:
    places = my_places()
    if len(places) == 1:
        return redirect(organization_home(places[0].organization.slug), 303)
    return render_template("organizations/choose.html", places=places)
