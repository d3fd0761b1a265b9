"""The privacy policy as an organization's people read it, with their own figures; and how promises have changed.

Holds `bp`. The public pages are those of views.py.
"""

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from webapp import access, clock
from webapp.policies.beside import PUBLIC_ZONE, Besides, ask_for
from webapp.policies.models import Policy
from webapp.policies.promises import BY_KEY, PROMISES
from webapp.policies.states import list_changes, list_states
from webapp.policies.values import load_values
from webapp.services import services
from webapp.tenancy.models import Role
from webapp.tenancy.request import current_membership, current_organization, current_reader, db

bp = Blueprint("promises", __name__)


@bp.get("/o/<slug:slug>/privacy")
@access.member(Role.VIEWER)
def privacy() -> ResponseReturnValue:
    """The same page as /privacy, with what is true of this organization and this reader at this moment."""
    settings, organization = services().settings, current_organization()
    values = load_values(settings)
    asking = ask_for(
        db(), services().database, values, request, organization, current_membership(), current_reader()
    )
    return render_template(
        "policies/organization.html",
        beside=Besides(asking),
        promises=[promise for promise in PROMISES if Policy.PRIVACY in promise.policies],
        zone=asking.zone,
        today=asking.moment.astimezone(asking.zone).date(),
    )


@bp.get("/privacy/kept")
@access.public
def kept() -> ResponseReturnValue:
    """Every promise as it stands, and every change of one, the newest first."""
    moment = clock.now()
    return render_template(
        "policies/kept.html",
        promises=PROMISES,
        by_key=BY_KEY,
        states=list_states(db()),
        changes=list_changes(db()),
        moment=moment,
        zone=PUBLIC_ZONE,
        today=moment.date(),
    )
