"""Handing in a file of call records for one phone system. Adds to the blueprint; loaded by views.py."""

from typing import IO
from zoneinfo import ZoneInfo

from flask import Response, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from webapp import access, htmx
from webapp.calls.models import ImportFile, Pbx
from webapp.errors import Refused
from webapp.ingest.readers import READERS
from webapp.jobs.stored_files import delete_stored_file, store_stream
from webapp.services import services
from webapp.sources.blueprint import bp
from webapp.sources.forms import UploadForm
from webapp.sources.import_pages import local_today
from webapp.sources.imports import LARGEST_FILE, Recognised, receive_file, recognise_stream
from webapp.sources.queries import get_pbx, list_imports
from webapp.tenancy.models import Role
from webapp.tenancy.request import close_session, current_organization, db, looking

_WITH_ITS_FORM = 1_000_000
_CLOSED = "This phone system is closed and takes no files. Open it again on the Phone systems page first."


@bp.route("/phone-systems/<id:pbx_id>/imports", methods=["GET", "POST"])
@access.member(Role.MANAGER)
@access.sees_every_call
@access.takes_body(LARGEST_FILE + _WITH_ITS_FORM)
def upload(pbx_id: int) -> ResponseReturnValue:
    # A short look, not db(): no write may be open on SQLite while the file is stored.
    with looking() as session:
        pbx = get_pbx(session, pbx_id)
    form = UploadForm()
    if not form.validate_on_submit():
        return _page(form, pbx)
    if pbx.closed_at is not None:
        form.file.errors = [_CLOSED]
        return _page(form, pbx)
    try:
        recognised = recognise_stream(form.file.data.stream)
    except Refused as refusal:
        form.file.errors = [refusal.sentence]
        return _page(form, pbx)
    file = _receive(pbx_id, form.file.data.stream, form.file.data.filename or "", recognised)
    return htmx.go_to(url_for("sources.show_import", import_file_id=file.id))


def _receive(pbx_id: int, stream: IO[bytes], file_name: str, recognised: Recognised) -> ImportFile:
    """Store the file, then note its import; neither without the other."""
    stream.seek(0)
    database, organization_id = services().database, current_organization().id
    stored_file_id = store_stream(database, organization_id, stream)
    try:
        file = receive_file(db(), get_pbx(db(), pbx_id), stored_file_id, file_name, recognised, current_user.id)
        db().commit()
    except Exception:
        close_session()
        delete_stored_file(database, organization_id, stored_file_id)
        raise
    return file


def _page(form: UploadForm, pbx: Pbx) -> Response:
    zone = ZoneInfo(current_organization().time_zone)
    with looking() as session:
        imports = list_imports(session, pbx_id=pbx.id)
    return htmx.render(
        "sources/upload.html",
        "sources/_upload.html",
        status=422 if form.errors else 200,
        form=form,
        pbx=pbx,
        readers={pbx.format: READERS[pbx.format]} if pbx.format in READERS else READERS,
        imports=imports,
        zone=zone,
        today=local_today(zone),
    )
