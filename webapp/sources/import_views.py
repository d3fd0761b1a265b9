"""One import from the uploaded file to its end, and the list of all. Adds to the blueprint; loaded by views.py."""

from zoneinfo import ZoneInfo

from flask import Response, flash, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from webapp import access, htmx
from webapp.calls.models import ImportFile, ImportState
from webapp.database.ids import read_id, spell_id
from webapp.database.staff_rights import Area
from webapp.errors import BadRequest, Refused
from webapp.ingest.import_plan import read_column_map
from webapp.ingest.readers.column_words import describe_fields
from webapp.ingest.records import ColumnMap
from webapp.ingest.undo import loss_of
from webapp.jobs.stored_files import delete_stored_file
from webapp.services import services
from webapp.sources import imports, queries, reading
from webapp.sources.blueprint import bp
from webapp.sources.forms import DELIMITERS, ColumnsForm, ReadAsForm
from webapp.sources.import_pages import import_page, local_today, progress_part
from webapp.tenancy.models import Role
from webapp.tenancy.request import close_session, current_membership, current_organization, current_reader, db


@bp.get("/imports")
@access.member(Role.VIEWER)
@access.sees_every_call
@access.open_to_staff(Area.SOURCES, "the list of imports")
def list_all() -> ResponseReturnValue:
    try:
        before = read_id(request.args["before"]) if "before" in request.args else None
    except ValueError:
        raise BadRequest from None
    rows = queries.list_imports(db(), before)
    more = None
    if len(rows) == queries.IMPORTS_ON_A_PAGE:
        more = url_for("sources.list_all", before=spell_id(rows[-1].file.id))
    zone = ZoneInfo(current_organization().time_zone)
    return htmx.render(
        "sources/imports.html",
        "sources/_import_rows.html",
        imports=rows,
        more=more,
        is_first=before is None,
        zone=zone,
        today=local_today(zone),
        may_change=current_membership().role >= Role.MANAGER,
    )


@bp.get("/imports/<id:import_file_id>")
@access.member(Role.VIEWER)
@access.sees_every_call
@access.open_to_staff(Area.SOURCES, "an import", "import")
def show_import(import_file_id: int) -> ResponseReturnValue:
    return import_page(db(), queries.get_import(db(), import_file_id))


@bp.get("/imports/<id:import_file_id>/progress")
@access.member(Role.VIEWER)
@access.sees_every_call
@access.polling
def progress(import_file_id: int) -> ResponseReturnValue:
    return progress_part(db(), queries.get_import(db(), import_file_id))


@bp.post("/imports/<id:import_file_id>/read-as")
@access.member(Role.MANAGER)
@access.sees_every_call
def read_as(import_file_id: int) -> ResponseReturnValue:
    """Another format or zone: the preview is made again."""
    file = queries.get_import(db(), import_file_id)
    form = ReadAsForm(data={"reader_name": file.format, "time_zone": file.time_zone})
    if not form.validate():
        return import_page(db(), file, 422, " ".join(error for errors in form.errors.values() for error in errors))
    try:
        imports.read_as(db(), file, queries.get_pbx(db(), file.pbx_id), form.reader_name.data, form.time_zone.data)
    except Refused as refusal:
        return import_page(db(), file, 422, refusal.sentence)
    db().commit()
    return import_page(db(), file) if htmx.wants_part() else _to_import(file)


@bp.route("/imports/<id:import_file_id>/columns", methods=["GET", "POST"])
@access.member(Role.MANAGER)
@access.sees_every_call
def columns(import_file_id: int) -> ResponseReturnValue:
    """What each column of a generic CSV holds."""
    file = queries.get_import(db(), import_file_id)
    if file.state != ImportState.UPLOADED or file.stored_file_id is None:
        return _to_import(file)
    present = read_column_map(file.column_map) or ColumnMap(",", True, {}, "ymd")
    form = ColumnsForm(data=_as_fields(present))
    # Another delimiter cuts the file into other columns: then they are chosen anew, before anything is stored.
    submitted = form.is_submitted() and form.delimiter.data in DELIMITERS
    cut_anew = submitted and form.delimiter.data != present.delimiter
    shown_map = form.column_map() if submitted else present
    shown, notes = reading.list_columns(services().database, file, shown_map, current_reader())
    if cut_anew or (form.is_submitted() and len(form.columns) != len(shown)):
        form = ColumnsForm(formdata=None, data=_as_fields(shown_map, len(shown), keep=False))
    elif not form.is_submitted():
        form = ColumnsForm(formdata=None, data=_as_fields(present, len(shown)))
    elif form.validate():
        try:
            imports.read_columns_as(file, form.column_map(), reading.read_head(services().database, file))
            db().commit()
            return _to_import(file)
        except Refused as refusal:
            form.form_errors.append(refusal.sentence)
    return htmx.render(
        "sources/columns.html",
        "sources/_columns.html",
        status=422 if form.errors else 200,
        form=form,
        file=file,
        columns=shown,
        notes=notes,
        fields=describe_fields(),
        why_no_samples="" if current_reader().sees_raw else current_reader().why_not_raw,
    )


def _as_fields(columns: ColumnMap, width: int = 0, keep: bool = True) -> dict[str, object]:
    """The form's data: a field name for each column, "" for one that is not used."""
    by_place = {place: name for name, place in columns.columns.items()} if keep else {}
    return {
        "delimiter": columns.delimiter,
        "has_header": columns.has_header,
        "date_order": columns.date_order,
        "columns": [by_place.get(place, "") for place in range(width)],
    }


@bp.post("/imports/<id:import_file_id>/start")
@access.member(Role.MANAGER)
@access.sees_every_call
def start(import_file_id: int) -> ResponseReturnValue:
    """Import it, or go on with an import that failed half-way."""
    file = queries.get_import(db(), import_file_id)
    try:
        imports.start_import(db(), file, queries.get_pbx(db(), file.pbx_id), actor_id=current_user.id)
    except Refused as refusal:
        return import_page(db(), file, 422, refusal.sentence)
    db().commit()
    return _to_import(file)


@bp.post("/imports/<id:import_file_id>/cancel")
@access.member(Role.MANAGER)
@access.sees_every_call
def cancel(import_file_id: int) -> ResponseReturnValue:
    file = queries.get_import(db(), import_file_id)
    imports.cancel_import(db(), file, actor_id=current_user.id)
    db().commit()
    return _to_import(file)


@bp.route("/imports/<id:import_file_id>/undo", methods=["GET", "POST"])
@access.member(Role.MANAGER)
@access.sees_every_call
def undo(import_file_id: int) -> ResponseReturnValue:
    """Says what will be lost, then does it."""
    file = queries.get_import(db(), import_file_id)
    problem = ""
    if request.method == "POST":
        try:
            imports.undo(db(), file, actor_id=current_user.id)
            db().commit()
            return _to_import(file)
        except Refused as refusal:
            problem = refusal.sentence
            if file.delivered_on is not None:
                return import_page(db(), file, 422, problem)
    elif file.state not in queries.ENDED or file.delivered_on is not None:
        return _to_import(file)
    return htmx.render(
        "sources/undo.html",
        "sources/undo.html",
        status=422 if problem else 200,
        file=file,
        pbx=queries.get_pbx(db(), file.pbx_id),
        loss=loss_of(db(), file),
        problem=problem,
    )


@bp.post("/imports/<id:import_file_id>/throw-away")
@access.member(Role.MANAGER)
@access.sees_every_call
def throw_away(import_file_id: int) -> ResponseReturnValue:
    """Forget an uploaded file that was not imported."""
    file = queries.get_import(db(), import_file_id)
    try:
        stored_file_id = imports.throw_away(db(), file, actor_id=current_user.id)
    except Refused as refusal:
        return import_page(db(), file, 422, refusal.sentence)
    db().commit()
    close_session()
    if stored_file_id is not None:
        delete_stored_file(services().database, current_organization().id, stored_file_id)
    flash(f"{file.file_name} was deleted here. Nothing of it had been imported.", "ok")
    return htmx.go_to(url_for("sources.upload", pbx_id=file.pbx_id))


def _to_import(file: ImportFile) -> Response:
    return htmx.go_to(url_for("sources.show_import", import_file_id=file.id))
