"""People and places: the list, its search and its figures. Holds `bp`; loads the other views files of the package."""

from typing import Any
from urllib.parse import urlencode

from flask import Response, request, url_for
from flask.blueprints import BlueprintSetupState
from flask.typing import ResponseReturnValue

from webapp import access, htmx, navigation
from webapp.database.ids import read_id, spell_id
from webapp.database.staff_rights import Area
from webapp.destinations import csv_views, edit_views, route_pages, show_views, skip_views, test_views, unnamed_views
from webapp.destinations.blueprint import bp
from webapp.destinations.jobs import register_jobs
from webapp.destinations.kind_words import KIND_LABELS, KIND_NAMES
from webapp.destinations.listing import Asked, Sort, count_archived, count_kinds, find_by_digits, list_destinations
from webapp.destinations.pages import frame, own_plan, own_zone
from webapp.destinations.rows import show_rows
from webapp.destinations.search_words import clean_words, has_digits, pieces_of
from webapp.destinations.tabs import add_tab
from webapp.destinations.test_views import test_form
from webapp.tenancy.models import Role
from webapp.tenancy.request import current_reader, db

__all__ = ["bp", "csv_views", "edit_views", "route_pages", "show_views", "skip_views", "test_views", "unnamed_views"]

SORT_LABELS = {Sort.NAME: "By name", Sort.KIND: "By kind", Sort.CHANGED: "Changed last"}

navigation.add("Destinations", "destinations.index", 40, Role.VIEWER)
add_tab("People and places", "destinations.index", 10)


@bp.record_once
def _register_jobs(_state: BlueprintSetupState) -> None:
    register_jobs()


@bp.get("")
@access.member(Role.VIEWER)
@access.sees_every_call
@access.open_to_staff(Area.DESTINATIONS, "the destinations")
def index() -> ResponseReturnValue:
    """A page of them; its figures are there if asked for, else htmx brings them."""
    asked = _asked()
    part = "destinations/_rows.html" if asked.after_id is not None else "destinations/_list.html"
    return htmx.render("destinations/index.html", part, **_list_context(asked, "figures" in request.args))


@bp.get("/figures")
@access.member(Role.VIEWER)
@access.sees_every_call
@access.open_to_staff(Area.CALLS | Area.DESTINATIONS, "figures of destinations")
def figures() -> ResponseReturnValue:
    """Of the page of rows with the same address: htmx puts each into its row."""
    asked = _asked()
    return htmx.render("destinations/index.html", "destinations/_figures.html", **_list_context(asked, True))


@bp.post("/search")
@access.member(Role.VIEWER)
@access.sees_every_call
@access.open_to_staff(Area.DESTINATIONS, "what a search of the destinations found", posting=True)
def search() -> ResponseReturnValue:
    """Words go into the address; digits never do: what has some is answered here and now."""
    words = clean_words(request.form.get("q", ""))
    asked = _asked(request.form.get("kind", ""), request.form.get("sort", ""), request.form.get("archived", ""))
    if not has_digits(words):
        return htmx.go_to(_address(asked, {}, words=words))
    return _found_by_digits(words, asked)


def _found_by_digits(words: str, asked: Asked) -> Response:
    reader = current_reader()
    refused = "Numbers are not searched for you, since you see them without their last digits." * reader.is_masked
    plan = own_plan()
    found = [] if refused else find_by_digits(db(), words, pieces_of(words, plan.region), asked.kind)
    context = {
        **_list_context(asked, False),
        "rows": show_rows(db(), found, plan, reader, own_zone()),
        "next_href": "",
        "figures_href": "",
        "typed": words,
        "refused": refused,
        "by_digits": True,
    }
    return htmx.render("destinations/index.html", "destinations/_list.html", status=422 if refused else 200, **context)


def _asked(kind: str | None = None, sort: str | None = None, archived: str | None = None) -> Asked:
    """What the address says, or a form; what it cannot mean counts for nothing."""
    words = clean_words(request.args.get("q", ""))
    kind = request.args.get("kind", "") if kind is None else kind
    sort = request.args.get("sort", "") if sort is None else sort
    archived = request.args.get("archived", "") if archived is None else archived
    return Asked(
        words="" if has_digits(words) else words,
        kind=KIND_NAMES.get(kind),
        sort=Sort(sort) if sort in list(Sort) else Sort.NAME,
        archived=archived == "yes",
        after_id=_place(request.args.get("after", "")),
    )


def _place(text: str) -> int | None:
    try:
        return read_id(text)
    except ValueError:
        return None


def _list_context(asked: Asked, with_figures: bool) -> dict[str, Any]:
    found, more = list_destinations(db(), asked)
    counts = count_kinds(db())
    here = {"after": request.args["after"]} if asked.after_id is not None else {}
    return frame(
        asked=asked,
        rows=show_rows(db(), found, own_plan(), current_reader(), own_zone() if with_figures else None),
        total=sum(counts.values()),
        kinds=[(kind.name.lower(), KIND_LABELS[kind], count) for kind, count in sorted(counts.items())],
        sorts=[(sort.value, label) for sort, label in SORT_LABELS.items()],
        archived_count=count_archived(db()),
        next_href=_address(asked, {"after": spell_id(found[-1].id)}) if more else "",
        figures_href=""
        if with_figures or not found or not db().opens(Area.CALLS)
        else _address(asked, here, "destinations.figures"),
        with_figures_href=_address(asked, {**here, "figures": "yes"}),
        typed=asked.words,
        refused="",
        by_digits=False,
        test=test_form(),
        answer=None,
    )


def _address(asked: Asked, more: dict[str, str], endpoint: str = "destinations.index", **changes: Any) -> str:
    query = urlencode({**asked.to_query(**changes), **more})
    return f"{url_for(endpoint)}?{query}" if query else url_for(endpoint)
