"""The first page: what Callbook is, for a stranger; for a person their only organization, or a list of theirs."""

from flask import Blueprint, redirect, render_template
from flask.typing import ResponseReturnValue
from flask_login import current_user

from webapp import access
from webapp.accounts.entering import STAFF_HOME
from webapp.addresses import organization_home
from webapp.organizations.queries import list_closed, list_ended, list_suspended
from webapp.tenancy.guard import find_places
from webapp.tenancy.request import db, my_places

bp = Blueprint("organizations", __name__)


@bp.get("/")
@access.public
def choose() -> ResponseReturnValue:
    if not current_user.is_authenticated:
        return render_template("organizations/welcome.html")
    if current_user.is_staff:
        return redirect(STAFF_HOME, 303)
    find_places(current_user.id)
    places = my_places()
    if len(places) == 1:
        return redirect(organization_home(places[0].organization.slug), 303)
    return render_template(
        "organizations/choose.html",
        places=places,
        ended=list_ended(db()),
        suspended=list_suspended(db()),
        closed=list_closed(db()),
    )
