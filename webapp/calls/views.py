"""The call log: browse, search, export. Loaded by create_app(); one call's page is in detail_views.py."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from flask import request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from webapp import access, navigation
from webapp.accounts.gates import ask_for_proof
from webapp.audit.actions import record
from webapp.audit.viewing import note, note_view
from webapp.calls.asked import Asked, understand
from webapp.calls.blueprint import bp
from webapp.calls.browse import CallPage, page_of_calls
from webapp.calls.export import HEADER, ExportOrder, export_calls
from webapp.calls.figures import Figures
from webapp.calls.filter_form import filter_form, posted_pairs, posted_words
from webapp.calls.filters import CallFilter
from webapp.calls.log_page import (
    chips,
    days_of_rows,
    end_of_rows,
    figure_items,
    offer_nearest,
    other_order,
    tell_selection,
    tell_words,
    way_on,
)
from webapp.calls.periods import local_day
from webapp.calls.searches import find_words, keep_words
from webapp.calls.selection import Selection, select_calls
from webapp.calls.totals import Totals, count_by_day, find_nearest_day, may_exceed, total_calls, total_page
from webapp.calls.words import DIRECTION_LABELS, MISSED_MEANING
from webapp.clock import now
from webapp.csv_out import UNPROVED_AT_MOST, csv_pieces, csv_response
from webapp.database.ids import read_id, spell_id
from webapp.database.staff_rights import Area
from webapp.errors import Forbidden, Refused
from webapp.formatting import format_calls
from webapp.htmx import go_to, render, wants_part
from webapp.pagination import Cursor, spell_cursor
from webapp.services import services
from webapp.tenancy.models import Role
from webapp.tenancy.request import current_let_in, current_organization, current_reader, db, keeping

PAGE, PART, ROWS = "calls/index.html", "calls/_log.html", "calls/_rows.html"

navigation.add("Calls", "calls.index", 20, Role.VIEWER)


@bp.route("/o/<slug:slug>/calls")
@access.member(Role.VIEWER)
@access.open_to_staff(Area.CALLS, "the call log")
def index() -> ResponseReturnValue:
    """The rows that the address asks for: a page, or the part of it that htmx goes on with."""
    reader, address = current_reader(), _Addresses(url_for("calls.index"))
    asked = understand(db(), request.args, current_organization(), current_user.id, now(), reader)
    if asked.errors or asked.words_gone:
        return render(PAGE, PART, status=422 if asked.errors else 200, **_frame(asked, address), refused=True)
    selection = select_calls(db(), asked.call_filter, asked.words, asked.zone, asked.region, reader)
    page = page_of_calls(db(), selection, asked.region, asked.cursor)
    note_view(services().database, current_organization().id, current_user.id, "call_log.viewed")
    continued = wants_part() and asked.cursor is not None
    totals, counts = _totals(asked, selection, page, continued=continued)
    rows = _rows(asked, page, totals, address) | {"days": days_of_rows(asked, page.rows, counts, continued=continued)}
    if continued:
        # The rows above stay in sight while these come: Back and reload begin with them, so that no row read is lost.
        return render(PAGE, ROWS, replace_url=address(asked.call_filter, asked.above), **rows)
    is_empty = not page.rows and page.next_cursor is None
    nearest = find_nearest_day(db(), selection) if is_empty and not asked.cursor and not selection.is_empty else None
    return render(
        PAGE,
        PART,
        **_frame(asked, address, totals),
        **rows,
        refused=False,
        offer=offer_nearest(asked, nearest, address) if is_empty else None,
    )


@bp.route("/o/<slug:slug>/calls/search", methods=["POST"])
@access.member(Role.VIEWER)
@access.open_to_staff(Area.CALLS, "the search of the call log", posting=True)
def search() -> ResponseReturnValue:
    """The filter form: keeps the words that were typed under a key, and goes to the address of the selection."""
    words = posted_words(request.form)
    pairs = posted_pairs(request.form)
    if words:
        known = _known_key(request.form.get("search", ""))
        if known is None or find_words(db(), current_user.id, known) != words:
            with keeping() as session:
                known = keep_words(session, current_user.id, words)
                record(session, "search.made", actor_id=current_user.id, words=tell_words(words))
                session.commit()
        pairs.append(("search", spell_id(known)))
    return go_to(_with_pairs(url_for("calls.index"), pairs))


@bp.route("/o/<slug:slug>/calls/export")
@access.member(Role.VIEWER)
@access.open_to_staff(Area.CALLS, "the call log", download=True)
def export() -> ResponseReturnValue:
    """Every call of the selection as CSV, streamed. Of many, or of nobody knows how many, by who has just proved."""
    organization, reader = current_organization(), current_reader()
    if not reader.may_export:
        raise Forbidden("Calls cannot be exported with what you were given. An owner can change that.")
    asked = understand(db(), request.args, organization, current_user.id, now(), reader)
    if asked.words_gone:
        raise Refused("The words searched for are kept for a day, and this day is over. Search again, then export.")
    for field, sentence in asked.errors.items():
        raise Refused(sentence, field)
    selection = select_calls(db(), asked.call_filter, asked.words, asked.zone, asked.region, reader)
    if may_exceed(db(), selection, UNPROVED_AT_MOST) and (instead := ask_for_proof()) is not None:
        return instead
    order = ExportOrder(
        organization.id,
        current_user.id,
        asked.call_filter,
        asked.words,
        asked.zone,
        asked.region,
        reader,
        current_let_in(),
    )
    note(services().database, organization.id, current_user.id, "export.made", selection=tell_selection(asked))
    name = f"{organization.slug}-calls-{local_day(asked.present, asked.zone).isoformat()}.csv"
    return csv_response(name, csv_pieces(HEADER, export_calls(services().database, order)))


def _totals(
    asked: Asked, selection: Selection, page: CallPage, *, continued: bool
) -> tuple[Totals | None, Mapping[int, Figures]]:
    """Those of the selection, where the page shows them, and of the days on it."""
    if asked.cursor is None:
        return total_page(db(), selection, page)
    counts = count_by_day(db(), selection, {row.day for row in page.rows})
    return None if continued else total_calls(db(), selection), counts


class _Addresses:
    """Writes addresses of the log, whose path is looked up once."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __call__(self, call_filter: CallFilter, cursor: Cursor | None, above: Cursor | None = None) -> str:
        """The log from the cursor on; `above` is where the rows begin that lead to it."""
        pairs = call_filter.to_query()
        if cursor is not None:
            pairs += [
                (key, spell_cursor(place)) for key, place in (("after", cursor), ("above", above)) if place is not None
            ]
        return _with_pairs(self.path, pairs)


def _rows(asked: Asked, page: CallPage, totals: Totals | None, address: _Addresses) -> dict[str, Any]:
    """What _rows.html needs, but for the days."""
    cursor = page.next_cursor
    if cursor is not None:
        before = asked.cursor.day if asked.cursor else None
        cursor = cursor._replace(day=page.rows[-1].day if page.rows else before)
    label, waiting = way_on(asked, page)
    return {
        "zone": asked.zone,
        "direction_labels": DIRECTION_LABELS,
        "pbx_names": {pbx.id: pbx.name for pbx in asked.pbxes},
        "calls_href": address.path,
        "more_href": address(asked.call_filter, cursor, asked.cursor) if cursor is not None else "",
        "more_label": label,
        "more_waiting": waiting,
        "end_sentence": end_of_rows(totals),
    }


def _frame(asked: Asked, address: _Addresses, totals: Totals | None = None) -> dict[str, Any]:
    """What _log.html needs around the rows."""
    known = totals is not None and totals.exact
    order_label, order_href = other_order(asked, address)
    return {
        "asked": asked,
        "form": filter_form(asked),
        "figures": [] if totals is None else figure_items(asked, totals, address),
        "missed_meaning": MISSED_MEANING,
        "chips": chips(asked, address),
        "clear_href": address.path,
        "order_label": order_label,
        "order_href": order_href,
        "above_href": address(asked.call_filter, asked.above) if asked.above is not None else "",
        "first_href": address(asked.call_filter, None) if asked.cursor is not None else "",
        "export_href": _with_pairs(url_for("calls.export"), asked.call_filter.to_query()),
        "export_label": f"Export {format_calls(totals.figures.calls)}" if totals and known else "Export these calls",
        "can_export": asked.reader.may_export and totals is not None and not (known and totals.figures.calls == 0),
    }


def _with_pairs(path: str, pairs: list[tuple[str, str]]) -> str:
    return f"{path}?{urlencode(pairs)}" if pairs else path


def _known_key(text: str) -> int | None:
    try:
        return read_id(text)
    except ValueError:
        return None
