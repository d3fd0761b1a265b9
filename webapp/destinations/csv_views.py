"""Contacts as files: all destinations as CSV, and the way in: upload or paste, look, store, and what was refused.

Loaded by views.py.
"""

import io
from typing import IO

from flask import Response, flash, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from webapp import access, htmx
from webapp.accounts.gates import ask_for_proof
from webapp.audit.viewing import note
from webapp.csv_out import UNPROVED_AT_MOST, csv_pieces, csv_response
from webapp.database.staff_rights import Area
from webapp.destinations.blueprint import bp
from webapp.destinations.contact_actions import (
    LOOK,
    STORE,
    begin_storing,
    get_contact_import,
    list_contact_imports,
    read_tally,
    receive_contacts,
    throw_away,
)
from webapp.destinations.contact_export import export_destinations
from webapp.destinations.contact_models import ContactImport, ContactState
from webapp.destinations.contact_preview import LINES_LOOKED_AT, list_changes, tell_columns
from webapp.destinations.contact_refused import list_refused_lines, refused_header
from webapp.destinations.contact_rows import HEADER
from webapp.destinations.forms import ContactsForm
from webapp.destinations.listing import count_kinds
from webapp.destinations.pages import check_sees_patterns, frame, own_plan
from webapp.errors import Forbidden, NotFound, Refused
from webapp.jobs.delays import find_delay
from webapp.jobs.stored_files import delete_stored_file, store_stream
from webapp.services import services
from webapp.tenancy.guard import hold_and_check
from webapp.tenancy.models import Role
from webapp.tenancy.request import close_session, current_let_in, current_organization, current_reader, db, looking

LARGEST_FILE = 20 * 1000**2  #: bytes: a hundred thousand contacts with notes
_WITH_ITS_FORM = 1_500_000


@bp.get("/export")
@access.member(Role.VIEWER)
@access.sees_every_call
@access.open_to_staff(Area.DESTINATIONS, "the destinations", download=True)
def export() -> ResponseReturnValue:
    """Every destination that is not archived, a row each; import reads the same file."""
    _check_may_export()
    count = sum(count_kinds(db()).values())
    if count > UNPROVED_AT_MOST and (asked := ask_for_proof()) is not None:
        return asked
    organization, plan = current_organization(), own_plan()
    note(services().database, organization.id, current_user.id, "destination.exported", count=count)
    rows = export_destinations(services().database, organization.id, current_user.id, plan, current_let_in())
    return csv_response(f"{organization.slug}-destinations.csv", csv_pieces(HEADER, rows))


def _check_may_export() -> None:
    check_sees_patterns()
    if not current_reader().may_export:
        raise Forbidden("Nothing can be exported with what you were given. An owner can change that.")


@bp.route("/import", methods=["GET", "POST"])
@access.member(Role.MANAGER)
@access.sees_every_call
@access.takes_body(LARGEST_FILE + _WITH_ITS_FORM)
def import_contacts() -> ResponseReturnValue:
    """A file or pasted lines. Nothing is stored as a destination yet."""
    check_sees_patterns()
    form = ContactsForm()
    if not form.validate_on_submit():
        return _form_page(form)
    upload = form.file.data
    stream: IO[bytes] = upload.stream if upload else io.BytesIO((form.lines.data or "").encode())
    if not upload and not (form.lines.data or "").strip():
        form.file.errors = ["Choose a file, or paste its lines below."]
        return _form_page(form)
    received_id = _receive(stream, (upload.filename or "") if upload else "pasted lines")
    return htmx.go_to(url_for("destinations.show_contacts", contact_import_id=received_id))


def _receive(stream: IO[bytes], file_name: str) -> int:
    """Store the file, then note it; neither without the other. No write may be open while the file is stored."""
    database, organization_id = services().database, current_organization().id
    stored_file_id = store_stream(database, organization_id, stream)
    try:
        hold_and_check()
        received = receive_contacts(db(), stored_file_id, file_name, actor_id=current_user.id)
        db().commit()
    except Exception:
        close_session()
        delete_stored_file(database, organization_id, stored_file_id)
        raise
    return received.id


def _form_page(form: ContactsForm) -> Response:
    with looking() as session:
        imports = list_contact_imports(session)
        context = {"form": form, "imports": imports, "columns": HEADER}
        return htmx.render(
            "destinations/import.html",
            "destinations/_import.html",
            status=422 if form.is_submitted() else 200,
            **frame(**context),
        )


@bp.get("/import/<id:contact_import_id>")
@access.member(Role.MANAGER)
@access.sees_every_call
def show_contacts(contact_import_id: int) -> ResponseReturnValue:
    """What the file would change, or what became of it."""
    check_sees_patterns()
    return _contacts_page(get_contact_import(db(), contact_import_id))


@bp.get("/import/<id:contact_import_id>/progress")
@access.member(Role.MANAGER)
@access.sees_every_call
@access.polling
def contacts_progress(contact_import_id: int) -> ResponseReturnValue:
    check_sees_patterns()
    return _contacts_page(get_contact_import(db(), contact_import_id))


@bp.get("/import/<id:contact_import_id>/refused-lines")
@access.member(Role.MANAGER)
@access.sees_every_call
def refused_contacts(contact_import_id: int) -> ResponseReturnValue:
    """All of them as CSV, with why: put right, they can be sent again. Of many, by who has just proved."""
    _check_may_export()
    received, plan = get_contact_import(db(), contact_import_id), own_plan()
    if received.state != ContactState.WAITING or received.stored_file_id is None:
        return htmx.go_to(url_for("destinations.show_contacts", contact_import_id=received.id))
    if received.refused_count > UNPROVED_AT_MOST and (asked := ask_for_proof()) is not None:
        return asked
    database, organization, file_id = services().database, current_organization(), received.stored_file_id
    try:
        header = refused_header(database, organization.id, file_id)
    except FileNotFoundError:  # thrown away this very moment
        raise NotFound from None
    note(database, organization.id, current_user.id, "refused_lines.downloaded", file=received.file_name)
    rows = list_refused_lines(database, organization.id, current_user.id, file_id, plan)
    return csv_response(f"{organization.slug}-refused-contacts.csv", csv_pieces(header, rows))


@bp.post("/import/<id:contact_import_id>/store")
@access.member(Role.MANAGER)
@access.sees_every_call
def store_contacts(contact_import_id: int) -> ResponseReturnValue:
    check_sees_patterns()
    hold_and_check()
    received = get_contact_import(db(), contact_import_id)
    try:
        begin_storing(db(), received, actor_id=current_user.id)
    except Refused as refusal:
        return _contacts_page(received, refusal.sentence)
    db().commit()
    return htmx.go_to(url_for("destinations.show_contacts", contact_import_id=received.id))


@bp.post("/import/<id:contact_import_id>/throw-away")
@access.member(Role.MANAGER)
@access.sees_every_call
def throw_contacts_away(contact_import_id: int) -> ResponseReturnValue:
    check_sees_patterns()
    hold_and_check()
    received = get_contact_import(db(), contact_import_id)
    try:
        stored_file_id = throw_away(received)
    except Refused as refusal:
        return _contacts_page(received, refusal.sentence)
    db().commit()
    name = received.file_name
    close_session()
    if stored_file_id is not None:
        delete_stored_file(services().database, current_organization().id, stored_file_id)
    flash(f"{name} is thrown away. Nothing of it was stored.", "ok")
    return htmx.go_to(url_for("destinations.import_contacts"))


def _contacts_page(received: ContactImport, problem: str = "") -> Response:
    tally = read_tally(received)
    waits = received.state == ContactState.WAITING
    kind = {ContactState.LOOKING: LOOK, ContactState.STORING: STORE}.get(received.state)
    context = frame(
        received=received,
        tally=tally,
        problem=problem,
        columns=tell_columns(services().database, received) if waits else None,
        changes=list_changes(db(), services().database, received, own_plan()) if waits and not problem else [],
        looked_at=LINES_LOOKED_AT,
        is_working=kind is not None,
        delay=find_delay(db(), kind, {"contact_import_id": received.id}) if kind else None,
    )
    status = 422 if problem else 200
    return htmx.render("destinations/contacts.html", "destinations/_contacts.html", status=status, **context)
