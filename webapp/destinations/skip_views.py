"""Pass a number without a name over, see those that were, take it back. Loaded by views.py."""

from flask import flash, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from webapp import access, htmx
from webapp.destinations.blueprint import bp
from webapp.destinations.models import Party
from webapp.destinations.naming import get_party
from webapp.destinations.pages import frame, name_of, own_plan
from webapp.destinations.unnamed_skips import count_skips, list_skips, pass_over, take_back
from webapp.destinations.unnamed_views import ShownUnnamed, list_kinds, show_unnamed
from webapp.tenancy.guard import hold_and_check
from webapp.tenancy.models import Role
from webapp.tenancy.request import current_reader, db


@bp.get("/unnamed/passed-over")
@access.member(Role.VIEWER)
@access.sees_every_call
def passed_over() -> ResponseReturnValue:
    skips = list_skips(db())
    names = {each: name_of(each) for each in {skip.by for skip in skips}}
    rows = [(_show(skip.party), names[skip.by], skip.at) for skip in skips]
    page = "destinations/passed_over.html"
    return htmx.render(page, page, **frame(rows=rows, skip_count=count_skips(db())))


@bp.post("/unnamed/<id:party_id>/skip")
@access.member(Role.MANAGER)
@access.sees_every_call
def skip(party_id: int) -> ResponseReturnValue:
    """htmx puts what became of the row in its place and goes on to the next."""
    hold_and_check()
    party = get_party(db(), party_id)
    pass_over(db(), party, actor_id=current_user.id)
    db().commit()
    if not htmx.wants_part():
        flash(f"{_show(party).number} is passed over.", "ok")
        return htmx.go_to(url_for("destinations.unnamed"))
    part = "destinations/_skipped.html"
    return htmx.render(part, part, **frame(row=_show(party)))


@bp.post("/unnamed/<id:party_id>/take-back")
@access.member(Role.MANAGER)
@access.sees_every_call
def take_skip_back(party_id: int) -> ResponseReturnValue:
    """htmx gets the row again, to be named."""
    hold_and_check()
    party = get_party(db(), party_id)
    take_back(db(), party, actor_id=current_user.id)
    db().commit()
    if not htmx.wants_part():
        flash(f"{_show(party).number} is offered again.", "ok")
        return htmx.go_to(url_for("destinations.passed_over"))
    part = "destinations/_unnamed_row.html"
    return htmx.render(part, part, **frame(row=_show(party), kinds=list_kinds(), error=""))


def _show(party: Party) -> ShownUnnamed:
    return show_unnamed(party, None, own_plan(), current_reader())
