"""The console's first pages: the organizations with their counts, and one of them. Holds `bp`.

Who looks for an organization sends the words by POST: neither a name nor an address ever stands in an address of ours.
"""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from flask import Flask, request, url_for
from flask.blueprints import BlueprintSetupState
from flask.typing import ResponseReturnValue

from webapp import access, clock, htmx
from webapp.database.ids import read_id, spell_id
from webapp.jobs.handlers import register_chore
from webapp.staff import feature_use
from webapp.staff.blueprint import bp
from webapp.staff.frame import add_page, console_session
from webapp.staff.jobs import count_organizations, sweep_counts
from webapp.staff.listing import FOUND_AT_MOST, Asked, Listed, Sort, find_organizations, list_organizations
from webapp.staff.seen import read_seen
from webapp.staff.words import day_of, format_size
from webapp.tenancy.models import OrganizationState

__all__ = ["bp"]

_LONGEST_WORDS = 100
SORT_LABELS = {
    Sort.NAME: "By name",
    Sort.NEWEST: "Newest first",
    Sort.CALLS: "Most calls",
    Sort.BYTES: "Most bytes",
    Sort.FAILING: "Most failing phone systems",
    Sort.SIGN_IN: "Used last",
}
STATE_LABELS = {
    OrganizationState.OPEN: "Open",
    OrganizationState.SUSPENDED: "Suspended",
    OrganizationState.CLOSED: "Closed",
}
_STATES = {state.name.lower(): state for state in STATE_LABELS}
_ACTIONS = ("set_up", "suspend", "resume", "change_limits", "resend_invitation", "sign_out")
add_page("Organizations", "staff.organizations", 10, "organization", "find_", *_ACTIONS)


@bp.record_once
def _register(state: BlueprintSetupState) -> None:
    register_chore("staff.count_organizations", count_organizations)
    register_chore("staff.sweep_counts", sweep_counts)
    assert isinstance(state.app, Flask)
    feature_use.register(state.app)
    state.app.jinja_env.filters.update(size=format_size, day_of=day_of)


@bp.get("/staff/")
@access.staff
def organizations() -> ResponseReturnValue:
    """A page of them, or the rows that htmx goes on with."""
    asked = _asked(request.args.get("state", ""), request.args.get("sort", ""), request.args.get("after", ""))
    with console_session() as session:
        rows, more = list_organizations(session, asked)
    after = {"after": spell_id(rows[-1].organization.id)} if more else {}
    part = "staff/_organization_rows.html" if asked.after_id is not None else "staff/_organizations.html"
    return htmx.render(
        "staff/organizations.html", part, **_page(asked, rows), next_href=_address(asked, after) if after else ""
    )


@bp.post("/staff/find")
@access.staff
def find_organization() -> ResponseReturnValue:
    """By words of the name, of the address here or of an owner's mail address: answered here and now."""
    words = " ".join(request.form.get("q", "").split())[:_LONGEST_WORDS]
    asked = _asked(request.form.get("state", ""), request.form.get("sort", ""), "")
    if not words:
        return htmx.go_to(_address(asked, {}))
    with console_session() as session:
        rows, more = find_organizations(session, words, asked.state)
    page = _page(asked, rows, words, too_many=more)
    return htmx.render("staff/organizations.html", "staff/_organizations.html", **page, next_href="")


@bp.get("/staff/organizations/<id:organization_id>")
@access.staff
def organization(organization_id: int) -> ResponseReturnValue:
    """What its owners can see too, at /o/<slug>/what-staff-see."""
    with console_session(organization_id) as session:
        seen = read_seen(session, organization_id)
    zone = ZoneInfo(seen.listed.organization.time_zone)
    today = clock.now().astimezone(zone).date()
    return htmx.render("staff/organization.html", "staff/_seen.html", seen=seen, zone=zone, today=today)


def _page(asked: Asked, rows: Sequence[Listed], words: str = "", *, too_many: bool = False) -> dict[str, Any]:
    zone = ZoneInfo("UTC")
    return {
        "asked": asked,
        "rows": rows,
        "words": words,
        "too_many": too_many,
        "most": FOUND_AT_MOST,
        "sorts": [(sort.value, label) for sort, label in SORT_LABELS.items()],
        "states": [(state.name.lower(), label) for state, label in STATE_LABELS.items()],
        "state_labels": STATE_LABELS,
        "zone": zone,
        "today": clock.now().astimezone(zone).date(),
    }


def _asked(state: str, sort: str, after: str) -> Asked:
    """What the address says, or the form; what it cannot mean counts for nothing."""
    try:
        after_id = read_id(after)
    except ValueError:
        after_id = None
    return Asked(_STATES.get(state), Sort(sort) if sort in list(Sort) else Sort.NAME, after_id)


def _address(asked: Asked, more: dict[str, str]) -> str:
    query = urlencode({**asked.to_query(), **more})
    return f"{url_for('staff.organizations')}?{query}" if query else url_for("staff.organizations")
