"""A notice of one's own: its page with every word, and putting it away. Holds `bp`. Only for who was told."""

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue
from flask_login import current_user

from webapp import access, htmx
from webapp.addresses import own_path
from webapp.policies import notices
from webapp.tenancy.request import db

bp = Blueprint("own_notices", __name__)


@bp.get("/notices/<id:announcement_id>")
@access.signed_in
def show(announcement_id: int) -> ResponseReturnValue:
    return render_template("policies/notice.html", notice=notices.get_notice(db(), announcement_id, current_user.id))


@bp.post("/notices/<id:announcement_id>/dismiss")
@access.signed_in
def dismiss(announcement_id: int) -> ResponseReturnValue:
    notices.dismiss(db(), announcement_id, current_user.id)
    db().commit()
    return htmx.go_to(own_path(request.form.get("next")) or "/")
