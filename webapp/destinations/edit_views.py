"""Adding and changing destinations, on a page or in their row of the list. Loaded by views.py."""

from collections.abc import Sequence
from typing import Any

from flask import Response, flash, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from webapp import access, htmx
from webapp.database.ids import spell_id
from webapp.database.staff_rights import Area
from webapp.destinations.actions import ChangedMeanwhile, Described, add_destination, change_destination
from webapp.destinations.blueprint import bp
from webapp.destinations.choosing import choose_people
from webapp.destinations.conflicts import Difference, list_differences
from webapp.destinations.forms import DestinationForm
from webapp.destinations.kind_words import KIND_NAMES
from webapp.destinations.listing import list_members, list_patterns, list_people
from webapp.destinations.matching import Pattern
from webapp.destinations.models import Destination
from webapp.destinations.pages import frame, name_of, own_plan, own_zone
from webapp.destinations.patterns import Plan, read_patterns, spell_patterns
from webapp.destinations.queries import get_destination
from webapp.destinations.reach import ask_about_prefixes
from webapp.destinations.rows import show_rows
from webapp.errors import Refused
from webapp.tenancy.guard import hold_and_check
from webapp.tenancy.models import Role
from webapp.tenancy.request import current_reader, db


@bp.route("/new", methods=["GET", "POST"])
@access.member(Role.MANAGER)
@access.sees_every_call
def add() -> ResponseReturnValue:
    if request.method == "POST":
        hold_and_check()
    kind = request.args.get("kind", "")
    form = _form({"kind": kind} if kind in KIND_NAMES else {})
    if not form.validate_on_submit():
        return _form_page(form)
    try:
        described = _read(form, own_plan(), ())
        if form.question:
            return _form_page(form)
        destination = add_destination(db(), described, actor_id=current_user.id)
    except Refused as refusal:
        form.refuse(refusal)
        return _form_page(form)
    db().commit()
    flash(f"{destination.name} is added. Its calls show the name from now on.", "ok")
    return htmx.go_to(url_for("destinations.show", destination_id=destination.id))


@bp.route("/<id:destination_id>/edit", methods=["GET", "POST"])
@access.member(Role.MANAGER)
@access.sees_every_call
def edit(destination_id: int) -> ResponseReturnValue:
    """htmx turns the row into the form and back; else it is a page of its own."""
    if request.method == "POST":
        hold_and_check()
    destination, plan = get_destination(db(), destination_id), own_plan()
    own = list_patterns(db(), [destination.id])[destination.id]
    form = _form(_spell(destination, own, plan), destination.id)
    if not form.validate_on_submit():
        return _form_page(form, destination)
    try:
        described = _read(form, plan, own, destination.note)
        if form.question:
            return _form_page(form, destination)
        version = form.version.data or 0
        change_destination(db(), destination.id, version, described, actor_id=current_user.id)
    except ChangedMeanwhile:
        return _conflict_page(form, destination, described, plan)
    except Refused as refusal:
        form.refuse(refusal)
        return _form_page(form, destination)
    db().commit()
    if htmx.wants_part():
        return _row_part(get_destination(db(), destination_id), just_stored=True)
    flash(f"{destination.name} is changed. Its calls show it at once.", "ok")
    return htmx.go_to(url_for("destinations.show", destination_id=destination.id))


@bp.get("/<id:destination_id>/row")
@access.member(Role.VIEWER)
@access.sees_every_call
@access.open_to_staff(Area.DESTINATIONS, "a destination")
def row(destination_id: int) -> ResponseReturnValue:
    """The row as it is, in the place of its form; without htmx the list."""
    destination = get_destination(db(), destination_id)
    if not htmx.wants_part():
        return htmx.go_to(url_for("destinations.index"))
    return _row_part(destination, just_stored=False)


def _row_part(destination: Destination, *, just_stored: bool) -> Response:
    [shown] = show_rows(db(), [destination], own_plan(), current_reader(), own_zone())
    part = "destinations/_row.html"
    return htmx.render(part, part, **frame(row=shown, just_stored=just_stored, comes_back=True))


def _form(shown: dict[str, Any], destination_id: int | None = None) -> DestinationForm:
    """Filled with what is shown. A masked reader's has no patterns, nor a note that somebody wrote: numbers may stand
    in it, and one with dots would be stored.
    """
    form = DestinationForm(list_people(db(), destination_id), shown)
    if current_reader().is_masked:
        del form.patterns
        if shown.get("note"):
            del form.note
    return form


def _spell(destination: Destination, patterns: list[Pattern], plan: Plan) -> dict[str, Any]:
    return {
        "name": destination.name,
        "kind": destination.kind.name.lower(),
        "patterns": spell_patterns(patterns, plan),
        "members": [spell_id(each.id) for each in list_members(db(), destination.id)],
        "colour": str(destination.colour),
        "note": destination.note,
        "version": destination.version,
    }


def _read(form: DestinationForm, plan: Plan, own: Sequence[Pattern], note: str = "") -> Described:
    """What the form says. Where a new prefix would name much, the form has a question. Raises Refused."""
    patterns = read_patterns(form.patterns.data or "", plan, own) if "patterns" in form else list(own)
    form.must_ask(ask_about_prefixes(db(), set(patterns) - set(own), plan.region))
    return form.read(patterns, choose_people(db(), form.further_names, "others"), note)


def _conflict_page(form: DestinationForm, destination: Destination, described: Described, plan: Plan) -> Response:
    """Somebody else was faster: both texts side by side. Stored again, the form's is the newer one."""
    form.version.data = destination.version
    form.version.raw_data = None  # else the field shows what was posted
    differences = list_differences(db(), destination, described, plan, masked=current_reader().is_masked)
    return _form_page(form, destination, differences, name_of(destination.changed_by))


def _form_page(
    form: DestinationForm,
    destination: Destination | None = None,
    differences: list[Difference] | None = None,
    changed_by: str = "",
) -> Response:
    status = 422 if form.is_submitted() else 200
    return htmx.render(
        "destinations/edit.html",
        "destinations/_edit_row.html" if destination else "destinations/_form.html",
        status=status,
        **frame(
            form=form,
            destination=destination,
            differences=differences,
            changed_by=changed_by,
            in_row=htmx.wants_part() and destination is not None,
        ),
    )
