"""A phone system that sends its calls by itself: its tokens, the lines to paste, and whether anything came.

Adds to the blueprint; loaded by views.py. A token is shown once, in the answer to the form that made it.
"""

from typing import Any
from zoneinfo import ZoneInfo

from flask import Response, flash, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from webapp import access, htmx
from webapp.calls.models import Pbx
from webapp.errors import Forbidden, Refused
from webapp.ingest.room import find_problem
from webapp.services import services
from webapp.sources.blueprint import bp
from webapp.sources.forms import RotateForm
from webapp.sources.import_pages import local_today
from webapp.sources.queries import find_delivered, get_pbx
from webapp.sources.tokens import OVERLAPS, get_token, list_live_tokens, make_token, revoke_token, rotate_token
from webapp.tenancy.guard import hold_and_check
from webapp.tenancy.models import Role
from webapp.tenancy.request import current_organization, current_reader, db

_NOT_FOR_MASKED = (
    "The last digits of outside numbers are dots for you, and a token opens them in full: somebody who sees whole "
    "numbers can make or replace one."
)


@bp.get("/phone-systems/<id:pbx_id>/sending")
@access.member(Role.MANAGER)
@access.sees_every_call
def sending(pbx_id: int) -> ResponseReturnValue:
    return _page(get_pbx(db(), pbx_id))


@bp.get("/phone-systems/<id:pbx_id>/sending/arrived")
@access.member(Role.MANAGER)
@access.sees_every_call
@access.polling
def arrived(pbx_id: int) -> ResponseReturnValue:
    """Whether anything came; the part asks for itself until something has."""
    return Response(render_template("sources/_arrived.html", **_arrived(get_pbx(db(), pbx_id))))


@bp.post("/phone-systems/<id:pbx_id>/tokens")
@access.member(Role.MANAGER)
@access.sees_every_call
@access.proved
def make_pbx_token(pbx_id: int) -> ResponseReturnValue:
    hold_and_check()
    _refuse_masked()
    pbx = get_pbx(db(), pbx_id)
    try:
        text = make_token(db(), pbx, actor_id=current_user.id)
    except Refused as refusal:
        return _page(pbx, problem=refusal.sentence)
    db().commit()
    return _page(pbx, token=text)


@bp.post("/phone-systems/<id:pbx_id>/tokens/<id:token_id>/rotate")
@access.member(Role.MANAGER)
@access.sees_every_call
@access.proved
def rotate_pbx_token(pbx_id: int, token_id: int) -> ResponseReturnValue:
    """A new one in its place; the old one works on for as long as was chosen."""
    hold_and_check()
    _refuse_masked()
    pbx = get_pbx(db(), pbx_id)
    form = RotateForm()
    if not form.validate():
        return _page(pbx, problem=" ".join(form.overlap.errors))
    try:
        token = get_token(db(), pbx.id, token_id)
        text = rotate_token(db(), pbx, token, OVERLAPS[form.overlap.data], actor_id=current_user.id)
    except Refused as refusal:
        return _page(pbx, problem=refusal.sentence)
    db().commit()
    return _page(pbx, token=text)


@bp.post("/phone-systems/<id:pbx_id>/tokens/<id:token_id>/revoke")
@access.member(Role.MANAGER)
@access.sees_every_call
def revoke_pbx_token(pbx_id: int, token_id: int) -> ResponseReturnValue:
    hold_and_check()
    pbx = get_pbx(db(), pbx_id)
    token = get_token(db(), pbx.id, token_id)
    revoke_token(db(), pbx, token, actor_id=current_user.id)
    db().commit()
    flash(f"The token {token.prefix}… is revoked: whoever sends it is turned away from now on.", "ok")
    return htmx.go_to(url_for("sources.sending", pbx_id=pbx.id))


def _refuse_masked() -> None:
    """Whoever holds a token is told by Callbook, number for number, where calls go."""
    if current_reader().is_masked:
        raise Forbidden(_NOT_FOR_MASKED)


def _page(pbx: Pbx, *, token: str = "", problem: str = "") -> Response:
    """`token`: one that was just made, to be shown this once."""
    base_url = services().settings.base_url
    return htmx.render(
        "sources/sending.html",
        "sources/sending.html",
        status=422 if problem else 200,
        tokens=list_live_tokens(db(), pbx.id),
        token=token,
        problem=problem,
        no_room=find_problem(services().database, pbx.organization_id),
        why_none=_NOT_FOR_MASKED if current_reader().is_masked else "",
        form=RotateForm(formdata=None),
        address=f"{base_url}{url_for('collect.receive', pbx_id=pbx.id)}",
        where=f"{base_url}{url_for('route_lookups.as_json', pbx_id=pbx.id).removesuffix('/json')}",
        is_secure=services().settings.secure,
        **_arrived(pbx),
    )


def _arrived(pbx: Pbx) -> dict[str, Any]:
    zone = ZoneInfo(current_organization().time_zone)
    delivered = find_delivered(db(), pbx.id)
    first_at = "" if delivered is None else f"{delivered.first_at.astimezone(zone):%H:%M:%S}"
    return {"pbx": pbx, "delivered": delivered, "first_at": first_at, "zone": zone, "today": local_today(zone)}
