"""Test a number: which pattern wins, and why. Part of the list's page, and a page of its own. Loaded by views.py."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from flask import Response
from flask.typing import ResponseReturnValue

from webapp import access, htmx
from webapp.clock import now
from webapp.database.staff_rights import Area
from webapp.destinations.blueprint import bp
from webapp.destinations.explaining import Explanation, explain
from webapp.destinations.forms import FIRST_YEAR, LAST_YEAR, ODD_YEAR, TestForm
from webapp.destinations.pages import check_sees_patterns, frame, own_plan, own_zone
from webapp.errors import Refused
from webapp.formatting import format_weekday
from webapp.tenancy.models import Role
from webapp.tenancy.request import db


@bp.route("/test", methods=["GET", "POST"])
@access.member(Role.VIEWER)
@access.sees_every_call
@access.open_to_staff(Area.DESTINATIONS, "the test of a number", posting=True)
def test() -> ResponseReturnValue:
    """What is typed stands in no address: it is posted and answered at once."""
    check_sees_patterns()
    form = TestForm()
    if not form.validate_on_submit():
        return _page(form)
    try:
        asked = _read_asked(form.on.data, form.at.data)
        answer = explain(db(), form.number.data or "", own_plan(), asked.at, asked.until)
    except Refused as refusal:
        form.refuse(refusal)
        return _page(form)
    return _page(form, answer, asked)


@dataclass(frozen=True)
class Asked:
    """As of when, from `at` until `until`. `when`: in words, "" for now; `verb`: what a number does then."""

    at: datetime
    until: datetime
    when: str = ""
    verb: str = "is"


def _read_asked(day: date | None, hour: time | None) -> Asked:
    """Raises Refused for a time of no day, and for a day that no calendar of ours has."""
    moment, zone = now(), own_zone()
    if day is None:
        if hour is not None:
            raise Refused("Give the day of this time too, or leave the time empty.", "on")
        return Asked(moment, moment)
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise Refused(ODD_YEAR, "on")
    at = datetime.combine(day, hour or time(), zone).astimezone(UTC)
    until = at if hour else datetime.combine(day + timedelta(days=1), time(), zone).astimezone(UTC)
    when = f"On {format_weekday(day)}" + (f" at {hour:%H:%M}" if hour else "")
    if at > moment:
        return Asked(at, until, when, "will be")
    return Asked(at, until, when, "was" if day < moment.astimezone(zone).date() or hour else "is")


def test_form() -> TestForm:
    """An empty one, for the list's page."""
    return TestForm(formdata=None)


def _page(form: TestForm, answer: Explanation | None = None, asked: Asked | None = None) -> Response:
    context = frame(test=form, answer=answer, asked_of=asked)
    return htmx.render(
        "destinations/test.html", "destinations/_test.html", status=422 if form.errors else 200, **context
    )
