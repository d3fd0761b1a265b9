"""Staff have a takeout of an organization prepared, which its owners alone can fetch. Of the console's blueprint."""

from flask.typing import ResponseReturnValue

from webapp import access
from webapp.staff import organization_actions as actions
from webapp.staff.action_forms import ReasonForm
from webapp.staff.blueprint import bp
from webapp.staff.organization_actions import Act
from webapp.staff.organization_views import answer_act, get_organization
from webapp.tenancy.request import db

__all__ = ["bp"]


@bp.route("/staff/organizations/<id:organization_id>/takeout", methods=["GET", "POST"])
@access.staff
@access.proved
def prepare_takeout(organization_id: int) -> ResponseReturnValue:
    organization, form = get_organization(organization_id), ReasonForm()

    def do(act: Act) -> str:
        actions.prepare_takeout(db(), act, organization)
        return f"A takeout of {organization.name} is being prepared. Its owners get a mail when they can fetch it."

    return answer_act("staff/_takeout.html", f"Prepare a takeout of {organization.name}", form, organization, do)
