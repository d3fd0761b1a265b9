"""The privacy policy as an organization's people read it, with their own figures; and how promises have changed.

Holds `bp`. The public pages of the policies are those of views.py.
"""

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from webapp import access, clock
from webapp.policies import pages
from webapp.policies.beside import PUBLIC_ZONE, Besides, ask_for, mark_of
from webapp.policies.models import Policy
from webapp.policies.promises import BY_KEY, PROMISES
from webapp.policies.states import list_changes, list_states
from webapp.services import services
from webapp.tenancy.models import Role
from webapp.tenancy.request import current_membership, current_organization, current_reader, db

bp = Blueprint("promises", __name__)


@bp.get("/o/<slug:slug>/privacy")
@access.member(Role.VIEWER)
@access.while_closed
def privacy() -> ResponseReturnValue:
    """The same page as /privacy, with what is true of this organization and this reader at this moment."""
    session, settings, reader = db(), services().settings, current_reader()
    values, whose = pages.known_values(settings), (current_organization(), current_membership(), reader)
    asking = ask_for(session, services().database, values, request, *whose)
    return render_template(
        "policies/organization.html",
        shown=pages.show_now(session, settings, Policy.PRIVACY),
        beside=Besides(asking),
        sees_part=reader.narrowing is not None,
    )


@bp.get("/privacy/kept")
@access.public
def kept() -> ResponseReturnValue:
    """Every promise as it stands, and every change of one, the newest first."""
    moment, states = clock.now(), list_states(db())
    return render_template(
        "policies/kept.html",
        lines=[(promise, states.get(promise.key), mark_of(states.get(promise.key), moment)) for promise in PROMISES],
        changes=list_changes(db()),
        by_key=BY_KEY,
        zone=PUBLIC_ZONE,
        today=moment.date(),
    )
