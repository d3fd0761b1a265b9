"""What the law made the operator hand out of the organization, for its owners. Of the blueprint of "Who looked"."""

from zoneinfo import ZoneInfo

from flask import render_template
from flask.typing import ResponseReturnValue

from webapp import access, clock
from webapp.audit.kinds import NOT_SHOWN
from webapp.organizations.disclosure_words import tell_areas, tell_period
from webapp.organizations.disclosures import list_told
from webapp.organizations.who_looked_views import bp
from webapp.tenancy.models import Role
from webapp.tenancy.request import current_organization, current_reader, db

__all__ = ["bp"]


@bp.get("/o/<slug:slug>/who-looked/required-by-law")
@access.member(Role.OWNER)
@access.sees_every_call
def disclosures() -> ResponseReturnValue:
    zone = ZoneInfo(current_organization().time_zone)
    return render_template(
        "organizations/disclosures.html",
        told=list_told(db()),
        hidden=NOT_SHOWN if current_reader().is_masked else "",
        tell_areas=tell_areas,
        tell_period=tell_period,
        zone=zone,
        today=clock.now().astimezone(zone).date(),
    )
