"""A gag on a disclosure is lengthened by another order, or ended before its day. disclosure.html leads here."""

from collections.abc import Callable
from typing import Any

from flask import flash, url_for
from flask.typing import ResponseReturnValue

from webapp import access, htmx, logs
from webapp.errors import Refused
from webapp.services import services
from webapp.staff import disclosure_actions as actions
from webapp.staff.action_forms import ReasonForm
from webapp.staff.blueprint import bp
from webapp.staff.disclosure_forms import GagForm
from webapp.staff.disclosure_page import disclosure_page
from webapp.staff.disclosure_queries import get_disclosure
from webapp.staff.organization_actions import Act
from webapp.staff.reading import reading_console, this_staff
from webapp.tenancy.consent_models import Disclosure
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.models import Organization
from webapp.tenancy.sessions import writing_session

__all__ = ["bp"]

Change = Callable[[LockedSession, Organization, Act, Disclosure], None]


@bp.route("/staff/disclosures/<id:disclosure_id>/lengthen-gag", methods=["GET", "POST"])
@access.staff
@access.proved
def lengthen_gag(disclosure_id: int) -> ResponseReturnValue:
    form = GagForm()

    def lengthen(session: LockedSession, organization: Organization, act: Act, disclosure: Disclosure) -> None:
        actions.lengthen_gag(session, organization, act, disclosure, form.order.data or "", form.until)

    return _answer(disclosure_id, "staff/_lengthen_gag.html", "Lengthen the gag", form, lengthen, "It is lengthened.")


@bp.route("/staff/disclosures/<id:disclosure_id>/end-gag", methods=["GET", "POST"])
@access.staff
@access.proved
def end_gag(disclosure_id: int) -> ResponseReturnValue:
    done = "The gag is ended. This page says when the organization was told."
    return _answer(disclosure_id, "staff/_end_gag.html", "End the gag now", ReasonForm(), actions.end_gag, done)


def _answer(
    disclosure_id: int, part: str, title: str, form: ReasonForm, change: Change, done: str
) -> ResponseReturnValue:
    """The form, or what came of it."""
    with reading_console() as session:
        disclosure, organization = get_disclosure(session, disclosure_id)
    if not actions.is_gag_changeable(disclosure):
        return disclosure_page(disclosure_id, refusal=actions.NO_GAG)
    if form.validate_on_submit():
        with writing_session(services().database, organization.id) as session:
            try:
                held = actions.hold_disclosure(session, disclosure_id)
                change(session, organization, form.act(this_staff()), held)
            except Refused as refusal:
                session.rollback()
                form.refuse(refusal)
            else:
                session.commit()
                logs.event("disclosure.gag_changed", user_account_id=this_staff().id)
                flash(done, "ok")
                return htmx.go_to(url_for("staff.disclosure", disclosure_id=disclosure_id))
    status = 422 if form.errors or form.form_errors else 200
    shown: dict[str, Any] = {
        "inner": part,
        "title": title,
        "form": form,
        "disclosure": disclosure,
        "organization": organization,
    }
    return htmx.render("staff/act.html", part, status=status, **shown)
