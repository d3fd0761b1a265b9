""" "Speak to support": an owner's code for the telephone. Adds to the blueprint of the settings."""

from zoneinfo import ZoneInfo

from flask import Response, request
from flask.typing import ResponseReturnValue
from flask_login import current_user

from webapp import access, htmx
from webapp.accounts.entering import keys
from webapp.accounts.help_codes import LIVES, make_code
from webapp.organizations.settings_views import bp
from webapp.tenancy.models import Role
from webapp.tenancy.request import current_organization, db

__all__ = ["bp"]


@bp.route("/help-code", methods=["GET", "POST"])
@access.member(Role.OWNER)
@access.proved
def help_code() -> ResponseReturnValue:
    """A code stands in the answer that made it, and nowhere else."""
    if request.method != "POST":
        return _page()
    code, expires_at = make_code(db(), keys(), current_user.id)
    db().commit()
    zone = ZoneInfo(current_organization().time_zone)
    return _page(code, f"{expires_at.astimezone(zone):%H:%M}")


def _page(code: str = "", until: str = "") -> Response:
    minutes = int(LIVES.total_seconds() // 60)
    return htmx.render("settings/help_code.html", "settings/_help_code.html", code=code, until=until, minutes=minutes)
