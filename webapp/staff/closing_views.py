"""Staff bring an organization back that an owner closed, within its days of grace. Of the console's blueprint."""

from flask.typing import ResponseReturnValue

from webapp import access
from webapp.staff import organization_actions as actions
from webapp.staff.action_forms import ReasonForm
from webapp.staff.blueprint import bp
from webapp.staff.organization_actions import Act
from webapp.staff.organization_views import answer_act, get_organization
from webapp.tenancy.request import db

__all__ = ["bp"]


@bp.route("/staff/organizations/<id:organization_id>/bring-back", methods=["GET", "POST"])
@access.staff
@access.proved
def bring_back(organization_id: int) -> ResponseReturnValue:
    organization, form = get_organization(organization_id), ReasonForm()

    def do(act: Act) -> str:
        actions.bring_back(db(), act, organization)
        return f"{organization.name} is open to its people again, with everything that was there."

    return answer_act("staff/_bring_back.html", f"Bring {organization.name} back", form, organization, do)
