"""One import from the uploaded file to its end, and the list of all. Adds to the blueprint; loaded by views.py."""

from typing import Any
from zoneinfo import ZoneInfo

from flask import Response, abort, flash, request, url_for
from flask.typing import ResponseReturnValue

from webapp import access, clock, htmx
from webapp.calls.models import ImportFile, ImportState, Pbx
from webapp.database.ids import read_id, spell_id
from webapp.database.installation import number_key
from webapp.errors import BadRequest, Refused
from webapp.ingest.importer import read_column_map
from webapp.ingest.readers import READERS
from webapp.ingest.recognise import recognise
from webapp.ingest.source import UnreadableFile
from webapp.ingest.undo import loss_of
from webapp.jobs.stored_files import delete_stored_file
from webapp.services import services
from webapp.sources import imports, queries, reading
from webapp.sources.blueprint import bp
from webapp.sources.forms import ColumnsForm, ReadAsForm
from webapp.sources.progress import progress_of
from webapp.tenancy.models import Role
from webapp.tenancy.request import close_session, current_membership, current_organization, db
