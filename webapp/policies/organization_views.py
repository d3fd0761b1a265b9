"""The privacy policy as an organization's people read it, with their own figures; and how promises have changed.

Holds `bp`. The public pages of the policies are those of views.py.
"""

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from webapp import access, clock
from webapp.policies import pages
from webapp.policies.beside import PUBLIC_ZONE, Besides, ask_for, mark_of
from webapp.policies.models import Policy
from webapp.policies.promises import BY_KEY, list_promised
from webapp.policies.said import find_said
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
    said, whose = find_said(session, settings, clock.now()), (current_organization(), current_membership(), reader)
    asking = ask_for(session, services().database, said, request, *whose)
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
    said = find_said(db(), services().settings, moment)
    return render_template(
        "policies/kept.html",
        lines=[(each, states.get(each.key), mark_of(states.get(each.key), moment)) for each in list_promised(said)],
        is_draft=not said.in_force,
        changes=list_changes(db()),
        by_key=BY_KEY,
        zone=PUBLIC_ZONE,
        today=moment.date(),
    )
