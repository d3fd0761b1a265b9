"""What the page of one disclosure shows. Called by disclosure_views.py."""

from typing import Any
from zoneinfo import ZoneInfo

from flask import Response, request

from webapp import htmx
from webapp.accounts.queries import has_other_staff, name_staff_of
from webapp.clock import now
from webapp.organizations.disclosure_words import tell_areas, tell_period, tell_state
from webapp.services import services
from webapp.staff.disclosure_actions import ALONE_AFTER, is_gag_changeable
from webapp.staff.disclosure_jobs import KEPT_FOR
from webapp.staff.disclosure_queries import find_archive, get_disclosure, is_closed
from webapp.staff.reading import reading_console, this_staff
from webapp.tenancy.sessions import reading_session

PAGE, PART = "staff/disclosure.html", "staff/_disclosure.html"
_UTC = ZoneInfo("UTC")


def disclosure_page(disclosure_id: int, key: str = "", refusal: str = "") -> Response:
    """`key`: shown this once. `refusal`: why what was asked was not done. Raises NotFound."""
    with reading_console() as session:
        found, organization = get_disclosure(session, disclosure_id)
    with reading_session(services().database, organization.id) as session:
        stored, key_waits = find_archive(session, disclosure_id)
        names = name_staff_of(session, {each for each in (found.asked_by, found.agreed_by) if each is not None})
        alone = not has_other_staff(session, this_staff().id)
    context: dict[str, Any] = {
        "disclosure": found,
        "organization": organization,
        "closed": is_closed(organization),
        "state": tell_state(found),
        "areas": tell_areas(found.areas),
        "period": tell_period(found.from_at, found.until_at),
        "names": names,
        "mine": found.asked_by == this_staff().id,
        "alone_from": found.asked_at + ALONE_AFTER if alone else None,
        "stored": stored,
        "key_waits": key_waits,
        "deleted_on": found.produced_at + KEPT_FOR if found.produced_at else None,
        "gag_holds": is_gag_changeable(found),
        "key": key,
        "refusal": refusal,
    }
    status = 422 if refusal and request.method == "POST" else 200
    return htmx.render(PAGE, PART, status=status, **context, **times())


def times() -> dict[str, Any]:
    """By which every page of disclosures tells instants."""
    moment = now()
    return {"zone": _UTC, "today": moment.date(), "moment_now": moment}
