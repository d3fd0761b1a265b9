"""What is done with one caller of the page of calls to return. Adds to the blueprint of return_views.py.

With htmx each answer is the row as it is now; without, the page, or the row alone where something was refused.
"""

from collections.abc import Callable
from dataclasses import replace

from flask import flash, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from webapp import access, htmx
from webapp.calls import return_actions
from webapp.calls.models import CallToReturn
from webapp.calls.return_actions import Actor, Changed, Gone, get_held
from webapp.calls.return_page import ReturnRow, may_ask, show_rows
from webapp.calls.return_queries import Member, get_waiting, list_members
from webapp.calls.return_views import bp, current_seat, pbx_names
from webapp.database.ids import read_id
from webapp.errors import BadRequest, NotFound, Refused
from webapp.services import services
from webapp.tenancy.guard import hold_and_check
from webapp.tenancy.members import load_narrowing
from webapp.tenancy.models import Role
from webapp.tenancy.narrowing import Narrowing
from webapp.tenancy.request import current_organization, current_reader, db
from webapp.tenancy.sessions import reading_session

Change = Callable[[CallToReturn, Actor], None]


@bp.post("/<id:party_id>/assign")
@access.member(Role.VIEWER)
def assign(party_id: int) -> ResponseReturnValue:
    return _act(party_id, _assign)


@bp.post("/<id:party_id>/note")
@access.member(Role.VIEWER)
def note(party_id: int) -> ResponseReturnValue:
    seen, typed = request.form.get("seen", ""), request.form.get("note", "")
    return _act(
        party_id, lambda row, actor: return_actions.write_note(db(), row, seen, typed, actor=actor), typed=typed
    )


@bp.post("/<id:party_id>/done")
@access.member(Role.VIEWER)
def done(party_id: int) -> ResponseReturnValue:
    return _act(party_id, lambda row, actor: return_actions.mark_done(db(), row, actor=actor))


@bp.post("/<id:party_id>/open")
@access.member(Role.VIEWER)
def open_again(party_id: int) -> ResponseReturnValue:
    return _act(party_id, lambda row, actor: return_actions.open_again(db(), row, actor=actor))


def _act(party_id: int, change: Change, typed: str | None = None) -> ResponseReturnValue:
    """Change one row, and answer it as it is now; what was refused stands in it."""
    hold_and_check()
    actor = Actor(current_user.id, current_reader(), current_organization().region)
    try:
        change(get_held(db(), party_id), actor)
    except Gone as gone:
        if htmx.wants_part():
            return htmx.render("returns/row.html", "returns/_gone.html", party_id=party_id, sentence=gone.sentence)
        flash(gone.sentence, "info")
        return htmx.go_to(url_for("returns.index"))
    except Refused as refusal:
        row = _shown(party_id)
        problem = _tell_change(row) if refusal.field == "assigned_to" and isinstance(refusal, Changed) else ""
        row = row.refused(problem or refusal.sentence, refusal.field, typed)
        return htmx.render("returns/row.html", "returns/_row.html", status=422, row=row)
    db().commit()
    if not htmx.wants_part():
        return htmx.go_to(url_for("returns.index"))
    row = replace(_shown(party_id), noted=typed is not None)
    return htmx.render("returns/row.html", "returns/_row.html", row=row)


def _assign(row: CallToReturn, actor: Actor) -> None:
    to, seat = _read_person("to"), current_seat()
    member: Member | None = None
    if to is not None and to != row.assigned_to:
        member = next((each for each in list_members(db(), seat.present) if each.id == to), None)
        if member is None and seat.membership.role >= Role.MANAGER:
            raise Refused("Whom you chose is here no more. Choose somebody else.", "assigned_to")
        if member is None or not may_ask(member, seat):
            raise BadRequest
    elif to is not None:
        return
    return_actions.assign(db(), row, _read_person("seen"), member, _narrowing_of(member), actor=actor)


def _narrowing_of(member: Member | None) -> Narrowing | None:
    """What somebody else sees: told by a session that is not narrowed as the reader's is."""
    if member is None or not member.narrowed:
        return None
    with reading_session(services().database, db().organization_id) as session:
        return load_narrowing(session, member.id)


def _tell_change(row: ReturnRow) -> str:
    """Two people chose at once."""
    if row.assigned_to is None:
        return "It was given back a moment ago, to nobody. Choose again."
    who = "You have" if row.assigned_name == "You" else f"{row.assigned_name} has"
    return f"{who} taken it a moment ago. Choose again to change that."


def _shown(party_id: int) -> ReturnRow:
    rows = show_rows(db(), current_seat(), [get_waiting(db(), party_id)], pbx_names())
    if not rows:
        raise NotFound
    return rows[0]


def _read_person(field: str) -> int | None:
    text = request.form.get(field, "")
    try:
        return read_id(text) if text else None
    except ValueError:
        raise BadRequest from None
