"""What the import page needs in each state of its file. Called by import_views.py; changes nothing."""

from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from flask import Response, render_template, url_for

from webapp import clock, htmx
from webapp.calls.models import ImportFile, ImportState, Pbx
from webapp.database.ids import spell_id
from webapp.database.installation import number_key
from webapp.ingest.import_plan import read_column_map
from webapp.ingest.preview import Preview
from webapp.ingest.readers import READERS
from webapp.ingest.readers.column_words import describe_fields
from webapp.ingest.source import UnreadableFile
from webapp.jobs.delays import find_delay
from webapp.services import services
from webapp.sources import imports, queries, reading
from webapp.sources.forms import ReadAsForm
from webapp.sources.progress import progress_of
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.models import Organization, Role
from webapp.tenancy.request import current_membership, current_opening, current_organization, current_reader


def import_page(session: LockedSession, file: ImportFile, status: int = 200, problem: str = "") -> Response:
    """The page of one import, or its region for htmx. `problem`: why what was asked was not done."""
    organization = current_organization()
    pbx = queries.get_pbx(session, file.pbx_id)
    context = _common(session, file, pbx, organization) | {"problem": problem}
    if file.state == ImportState.UPLOADED:
        context |= _before(session, file, pbx)
    elif file.state in queries.UNDER_WAY:
        context |= during(session, file)
    return htmx.render(
        "sources/import.html", f"sources/{_part_of(file)}", status=status, region=_part_of(file), **context
    )


def _part_of(file: ImportFile) -> str:
    if file.delivered_on is not None:
        return "_delivered.html"
    if file.state == ImportState.UPLOADED:
        return "_uploaded.html"
    return "_running.html" if file.state in queries.UNDER_WAY else "_ended.html"


def _common(session: LockedSession, file: ImportFile, pbx: Pbx, organization: Organization) -> dict[str, Any]:
    zone = ZoneInfo(organization.time_zone)
    return {
        "file": file,
        "pbx": pbx,
        "size": queries.get_stored_size(session, file),
        "reader": READERS.get(file.format or ""),
        "zone": zone,
        "today": local_today(zone),
        "keeps_from": organization.keeps_from and organization.keeps_from.astimezone(zone).date(),
        "may_change": current_membership().role >= Role.MANAGER,
        "calls_address": url_for("calls.index", period="all", pbx=spell_id(pbx.id)),
    }


def local_today(zone: ZoneInfo) -> date:
    return clock.now().astimezone(zone).date()


def _before(session: LockedSession, file: ImportFile, pbx: Pbx) -> dict[str, Any]:
    """How the file will be read: the settings, and the first calls read by them, which support is not shown."""
    preview, unreadable = _preview(file, pbx) if current_opening() is None else (None, "")
    guess = next((guess for guess in preview.guesses if guess.reader == file.format), None) if preview else None
    columns = read_column_map(file.column_map) if file.format == imports.GENERIC else None
    labels = {help_.name: help_.label for help_ in describe_fields()}
    return {
        "form": ReadAsForm(formdata=None, data={"reader_name": file.format, "time_zone": file.time_zone}),
        "preview": preview,
        "raw_reader": current_reader(),
        "unreadable": unreadable,
        "guess": guess,
        "calls": reading.show_calls(preview.calls, pbx.region, current_reader()) if preview else [],
        "columns": None if columns is None else [labels[name] for name in columns.columns if name in labels],
        "zone_problem": reading.describe_zone_problem(preview.zone_proof, file.time_zone) if preview else "",
        "same_file": queries.find_same_file(session, file),
        "confidence": file.confidence if guess else 0,
    }


def _preview(file: ImportFile, pbx: Pbx) -> tuple[Preview | None, str]:
    """The preview, or why there is none."""
    try:
        return reading.preview_import(services().database, number_key(services().settings), file, pbx), ""
    except UnreadableFile as refusal:
        return None, str(refusal)
    except FileNotFoundError:
        return None, "The file is no longer kept. Upload it again."


def during(session: LockedSession, file: ImportFile) -> dict[str, Any]:
    """How far it is. Support is not told of jobs."""
    kind = imports.UNDO if file.state == ImportState.UNDOING else imports.IMPORT
    about = {"import_file_id": file.id}
    delay = find_delay(session, kind, about) if session.staff_id is None else None
    return {"progress": progress_of(file, queries.get_stored_size(session, file)), "delay": delay}


def progress_part(session: LockedSession, file: ImportFile) -> Response:
    """The bar alone, asked for every second while the work goes on; it sends the page on when that has ended."""
    if file.state not in queries.UNDER_WAY:
        return htmx.go_to(url_for("sources.show_import", import_file_id=file.id))
    zone = ZoneInfo(current_organization().time_zone)
    return Response(render_template("sources/_progress.html", file=file, zone=zone, **during(session, file)))
