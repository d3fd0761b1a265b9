"""What the law makes us hand out: the register, entering, agreeing, taking back, the key and the archive."""

from collections.abc import Callable

from flask import Response, flash, render_template, url_for
from flask.blueprints import BlueprintSetupState
from flask.typing import ResponseReturnValue

from webapp import access, htmx, logs
from webapp.accounts.entering import keys
from webapp.accounts.models import UserAccount
from webapp.audit.service_chain import note_for_service
from webapp.errors import NotFound, Refused
from webapp.organizations.disclosure_words import tell_state
from webapp.sealed import spell_key
from webapp.services import services
from webapp.staff import disclosure_actions as actions
from webapp.staff.blueprint import bp
from webapp.staff.disclosure_forms import DisclosureForm
from webapp.staff.disclosure_jobs import register_jobs
from webapp.staff.disclosure_page import disclosure_page, times
from webapp.staff.disclosure_queries import (
    count_disclosures,
    find_archive,
    find_organization,
    get_disclosure,
    list_disclosures,
    read_archive,
)
from webapp.staff.frame import add_page
from webapp.staff.reading import reading_console, this_staff
from webapp.tenancy.consent_models import Disclosure, DisclosureState
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.models import Organization
from webapp.tenancy.sessions import reading_session, writing_session

Action = Callable[[LockedSession, Organization, UserAccount, Disclosure], None]


add_page(
    "Required by law",
    "staff.disclosures",
    40,
    "disclosure",
    "new_disclosure",
    "agree_to_",
    "show_disclosure_key",
    "lengthen_gag",
    "end_gag",
)


@bp.record_once
def _register_jobs(_state: BlueprintSetupState) -> None:
    register_jobs()


@bp.get("/staff/disclosures")
@access.staff
def disclosures() -> ResponseReturnValue:
    with reading_console() as session:
        listed, count = list_disclosures(session), count_disclosures(session)
    return render_template("staff/disclosures.html", listed=listed, count=count, tell_state=tell_state, **times())


@bp.route("/staff/disclosures/new", methods=["GET", "POST"])
@access.staff
@access.proved
def new_disclosure() -> ResponseReturnValue:
    form = DisclosureForm()
    if not form.validate_on_submit():
        return _new_page(form)
    with reading_console() as session:
        organization = find_organization(session, form.organization.data or "")
    if organization is None:
        form.organization.errors = ["No organization has this name in its addresses."]
        return _new_page(form)
    with writing_session(services().database, organization.id) as session:
        try:
            disclosure = actions.ask(session, organization, this_staff(), form.order())
        except Refused as refusal:
            session.rollback()
            form.refuse(refusal)
            return _new_page(form)
        session.commit()
    logs.event("disclosure.asked", user_account_id=this_staff().id)
    flash("The disclosure is in the register. Nothing is handed out before it is agreed to.", "ok")
    return htmx.go_to(url_for("staff.disclosure", disclosure_id=disclosure.id))


def _new_page(form: DisclosureForm) -> Response:
    status = 422 if form.errors else 200
    return htmx.render("staff/new_disclosure.html", "staff/_new_disclosure.html", status=status, form=form)


@bp.get("/staff/disclosures/<id:disclosure_id>")
@access.staff
def disclosure(disclosure_id: int) -> ResponseReturnValue:
    return disclosure_page(disclosure_id)


@bp.post("/staff/disclosures/<id:disclosure_id>/agree")
@access.staff
@access.proved
def agree_to_disclosure(disclosure_id: int) -> ResponseReturnValue:
    return _do(disclosure_id, actions.agree, "Agreed. The archive is being made.")


@bp.post("/staff/disclosures/<id:disclosure_id>/take-back")
@access.staff
def take_disclosure_back(disclosure_id: int) -> ResponseReturnValue:
    return _do(disclosure_id, actions.take_back, "It is taken back. Nothing is handed out.")


@bp.post("/staff/disclosures/<id:disclosure_id>/try-again")
@access.staff
def try_disclosure_again(disclosure_id: int) -> ResponseReturnValue:
    return _do(disclosure_id, actions.try_again, "The archive is being made again.")


def _do(disclosure_id: int, action: Action, done: str) -> ResponseReturnValue:
    organization = _organization_of(disclosure_id)
    with writing_session(services().database, organization.id) as session:
        try:
            action(session, organization, this_staff(), actions.hold_disclosure(session, disclosure_id))
        except Refused as refusal:
            session.rollback()
            return disclosure_page(disclosure_id, refusal=refusal.sentence)
        session.commit()
    flash(done, "ok")
    return htmx.go_to(url_for("staff.disclosure", disclosure_id=disclosure_id))


@bp.post("/staff/disclosures/<id:disclosure_id>/key")
@access.staff
@access.proved
def show_disclosure_key(disclosure_id: int) -> ResponseReturnValue:
    """Once: the answer to this request is the only place where it ever stands."""
    organization = _organization_of(disclosure_id)
    with writing_session(services().database, organization.id) as session:
        held = actions.hold_disclosure(session, disclosure_id)
        try:
            key = actions.take_key(session, organization, this_staff(), held, keys())
        except Refused as refusal:
            session.rollback()
            return disclosure_page(disclosure_id, refusal=refusal.sentence)
        session.commit()
    logs.event("disclosure.key_shown", user_account_id=this_staff().id)
    return disclosure_page(disclosure_id, key=spell_key(key))


@bp.get("/staff/disclosures/<id:disclosure_id>/archive")
@access.staff
@access.proved
def fetch_archive(disclosure_id: int) -> ResponseReturnValue:
    """Streamed as it is stored, as often as it is asked for; each time is in the service's audit before it begins."""
    with reading_console() as session:
        found, organization = get_disclosure(session, disclosure_id)
    database = services().database
    with reading_session(database, organization.id) as session:
        stored, _key = find_archive(session, disclosure_id)
    if found.state != DisclosureState.PRODUCED or not stored:
        raise NotFound
    words = {"organization": organization.name, "authority": found.authority}
    staff = this_staff()
    note_for_service(database, "legal.fetched", staff.id, disclosure_id, **words, staff=actions.name_staff(staff))
    response = Response(
        read_archive(database, organization.id, disclosure_id, staff.id), mimetype="application/octet-stream"
    )
    day = f"{found.produced_at:%Y-%m-%d}"
    response.headers["Content-Disposition"] = f'attachment; filename="{organization.slug}-disclosure-{day}.sealed"'
    response.headers["X-Accel-Buffering"] = "no"
    return response


def _organization_of(disclosure_id: int) -> Organization:
    with reading_console() as session:
        return get_disclosure(session, disclosure_id)[1]
