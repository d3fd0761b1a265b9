"""One destination: its page, hand-over, taking a hand-over back, archiving, merging. Loaded by views.py."""

from datetime import date, datetime, time
from typing import Any

from flask import Response, flash, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from webapp import access, htmx
from webapp.clock import from_ms as instant_of
from webapp.clock import now
from webapp.database.ids import spell_id
from webapp.database.staff_rights import Area
from webapp.destinations import actions
from webapp.destinations.blueprint import bp
from webapp.destinations.choosing import choose_named
from webapp.destinations.forms import FIRST_YEAR, LAST_YEAR, ODD_YEAR, HandOverForm, MergeForm
from webapp.destinations.histories import find_pattern, list_histories
from webapp.destinations.listing import get_names, list_members, list_offered, list_teams
from webapp.destinations.models import Destination
from webapp.destinations.pages import check_sees_patterns, frame, own_plan, own_zone
from webapp.destinations.passing import ask_about_day, tell_merge
from webapp.destinations.queries import get_destination
from webapp.destinations.route_authors import name_authors
from webapp.destinations.route_queries import list_numbers_leading_to
from webapp.destinations.rows import show_rows
from webapp.destinations.turns import hand_over, take_turn_back
from webapp.errors import NotFound, Refused
from webapp.formatting import format_number
from webapp.places import to_choices
from webapp.tenancy.guard import hold_and_check
from webapp.tenancy.models import Role
from webapp.tenancy.request import current_reader, db

_PATTERNS_SHOWN = 200


@bp.get("/<id:destination_id>")
@access.member(Role.VIEWER)
@access.sees_every_call
@access.open_to_staff(Area.DESTINATIONS, "a destination")
def show(destination_id: int) -> ResponseReturnValue:
    destination = get_destination(db(), destination_id)
    reader, plan = current_reader(), own_plan()
    [row] = show_rows(db(), [destination], plan, reader, own_zone())
    merged_into = destination.merged_into_id
    page = "destinations/show.html"
    return htmx.render(
        page,
        page,
        **frame(
            row=row,
            shown_at_most=_PATTERNS_SHOWN,
            histories=[] if reader.is_masked else list_histories(db(), destination.id, plan),
            members=list_members(db(), destination.id),
            teams=list_teams(db(), destination.id),
            changed_by=name_authors(db(), [destination.changed_by])[destination.changed_by],
            merged_into=None if merged_into is None else (merged_into, get_names(db(), [merged_into])[merged_into]),
            calls_href=url_for("calls.index", destination=spell_id(destination.id)),
        ),
    )


@bp.route("/<id:destination_id>/hand-over", methods=["GET", "POST"])
@access.member(Role.MANAGER)
@access.sees_every_call
def pass_on(destination_id: int) -> ResponseReturnValue:
    """A pattern becomes another's, or nobody's, from a day on."""
    check_sees_patterns()
    if request.method == "POST":
        hold_and_check()
    destination = get_destination(db(), destination_id)
    own = [each for each in list_histories(db(), destination.id, own_plan()) if each.is_own]
    form = HandOverForm(data={"from_on": now().astimezone(own_zone()).date()})
    form.pattern.choices = to_choices([(each.pattern.key, each.words) for each in own])
    if not form.validate_on_submit():
        return _pass_on_page(form, destination)
    chosen = next(each for each in own if each.pattern.key == form.pattern.data)
    try:
        name = (form.to.data or "").strip()
        taker = choose_named(db(), name, "to") if name else None
        from_at = _start_of(form.from_on.data)
        question = ask_about_day(db(), chosen, taker, from_at)
        if form.must_ask(question):
            return _pass_on_page(form, destination)
        hand_over(db(), chosen.pattern, taker.id if taker else None, from_at, actor_id=current_user.id)
    except Refused as refusal:
        form.refuse(refusal)
        return _pass_on_page(form, destination)
    db().commit()
    flash(f"{chosen.words} is handed over to {taker.name if taker else 'nobody'}.", "ok")
    return htmx.go_to(url_for("destinations.show", destination_id=destination.id))


def _start_of(day: date | None) -> datetime:
    """Its first moment in the organization's zone."""
    if day is None or not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise Refused(ODD_YEAR, "from_on")
    return datetime.combine(day, time(), own_zone())


def _pass_on_page(form: HandOverForm, destination: Destination) -> Response:
    context = frame(form=form, destination=destination, offered=list_offered(db()))
    status = 422 if form.is_submitted() else 200
    return htmx.render("destinations/hand_over.html", "destinations/_hand_over.html", status=status, **context)


@bp.post("/<id:destination_id>/take-back")
@access.member(Role.MANAGER)
@access.sees_every_call
def take_back(destination_id: int) -> ResponseReturnValue:
    """A hand-over that was wrong: what was before it goes on."""
    check_sees_patterns()
    hold_and_check()
    destination = get_destination(db(), destination_id)
    found = find_pattern(list_histories(db(), destination.id, own_plan()), request.form.get("pattern", ""))
    from_ms = request.form.get("from", type=int)
    if found is None or from_ms is None or not any(turn.from_at and turn.from_ms == from_ms for turn in found.turns):
        raise NotFound
    take_turn_back(db(), found.pattern, instant_of(from_ms).astimezone(own_zone()), actor_id=current_user.id)
    db().commit()
    flash(f"The hand-over of {found.words} is taken back.", "ok")
    return htmx.go_to(url_for("destinations.show", destination_id=destination.id))


@bp.post("/<id:destination_id>/archive")
@access.member(Role.MANAGER)
@access.sees_every_call
def archive(destination_id: int) -> ResponseReturnValue:
    hold_and_check()
    destination = actions.archive(db(), destination_id, actor_id=current_user.id)
    leading = [
        each.label or format_number(each.e164, each.region) for each in list_numbers_leading_to(db(), destination.id)
    ]
    db().commit()
    flash(f"{destination.name} is archived. Its calls keep the name; it is offered nowhere any more.", "ok")
    if leading:
        flash(f"Routes of {', '.join(leading)} still lead there: change them, or bring it back.", "warn")
    return htmx.go_to(url_for("destinations.show", destination_id=destination.id))


@bp.post("/<id:destination_id>/bring-back")
@access.member(Role.MANAGER)
@access.sees_every_call
def bring_back(destination_id: int) -> ResponseReturnValue:
    hold_and_check()
    try:
        destination = actions.bring_back(db(), destination_id, actor_id=current_user.id)
    except Refused as refusal:
        flash(refusal.sentence, "error")
        return htmx.go_to(url_for("destinations.show", destination_id=destination_id))
    db().commit()
    flash(f"{destination.name} is back.", "ok")
    return htmx.go_to(url_for("destinations.show", destination_id=destination.id))


@bp.route("/<id:destination_id>/merge", methods=["GET", "POST"])
@access.member(Role.MANAGER)
@access.sees_every_call
def merge(destination_id: int) -> ResponseReturnValue:
    """Two that are one: what the first has becomes the second's, once it was said what that is."""
    if request.method == "POST":
        hold_and_check()
    destination = get_destination(db(), destination_id)
    form = MergeForm()
    if not form.validate_on_submit():
        return _merge_page(form, destination)
    try:
        into = choose_named(db(), form.into.data or "", "into")
        if into.id == destination.id:
            raise Refused("This is the same one. Give the name of the one that stays.", "into")
        if form.must_ask(tell_merge(db(), destination, into)):
            return _merge_page(form, destination)
        actions.merge(db(), destination.id, into.id, actor_id=current_user.id)
    except Refused as refusal:
        form.refuse(refusal)
        return _merge_page(form, destination)
    db().commit()
    flash(f"{destination.name} is merged into {into.name}, which has its numbers and calls now.", "ok")
    return htmx.go_to(url_for("destinations.show", destination_id=into.id))


def _merge_page(form: MergeForm, destination: Destination) -> Response:
    offered = [each for each in list_offered(db()) if each.id != destination.id]
    context: dict[str, Any] = frame(form=form, destination=destination, offered=offered)
    status = 422 if form.is_submitted() else 200
    return htmx.render("destinations/merge.html", "destinations/_merge.html", status=status, **context)
