"""Test a number: which pattern wins, and why. Part of the list's page, and a page of its own. Loaded by views.py."""

from flask import Response
from flask.typing import ResponseReturnValue

from webapp import access, htmx
from webapp.clock import now
from webapp.database.staff_rights import Area
from webapp.destinations.blueprint import bp
from webapp.destinations.explaining import Explanation, explain
from webapp.destinations.forms import TestForm
from webapp.destinations.pages import check_sees_patterns, frame, own_plan
from webapp.errors import Refused
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
        return _page(form, None)
    try:
        answer = explain(db(), form.number.data or "", own_plan(), now())
    except Refused as refusal:
        form.refuse(refusal)
        return _page(form, None)
    return _page(form, answer)


def test_form() -> TestForm:
    """An empty one, for the list's page."""
    return TestForm(formdata=None)


def _page(form: TestForm, answer: Explanation | None) -> Response:
    context = frame(test=form, answer=answer)
    return htmx.render(
        "destinations/test.html", "destinations/_test.html", status=422 if form.errors else 200, **context
    )
