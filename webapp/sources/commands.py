"""Phone systems and imports by command, for scripts: create-pbx, import-calls; and run-worker, which does their work.

Registered by webapp/cli.py. An import by command holds a job like any other: should the command die, the server's
worker goes on with it.
"""

import json
import os
import secrets
import socket
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click
import psycopg
from flask import Flask, current_app
from flask.cli import with_appcontext
from sqlalchemy.exc import DBAPIError

from config import Settings, SettingsError, load_settings
from webapp import clock
from webapp.audit.service_chain import note_for_service
from webapp.calls.models import ImportFile, ImportState, Pbx
from webapp.database.engine import Database
from webapp.database.installation import InstallationError, check_start, number_key
from webapp.errors import CallbookError, NoSpace, Refused
from webapp.formatting import format_count
from webapp.ingest.importer import run_import
from webapp.ingest.readers import READERS
from webapp.jobs import queue
from webapp.jobs.commands import run_worker
from webapp.jobs.stored_files import ByteSource, delete_stored_file, is_disk_full, open_stored_file, store_stream
from webapp.jobs.worker import LEASE
from webapp.organizations.queries import get_organization
from webapp.services import Services
from webapp.sources import imports
from webapp.sources.actions import add_pbx
from webapp.sources.queries import find_pbx_by_name
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.models import Organization
from webapp.tenancy.sessions import reading_session, writing_session

_SURE = 50  #: percent; below, a script must say the format
_SHOW_SECONDS = 0.5
_DISK_FULL = (
    "The server's disk is full. What was stored before is safe, and so are the rows that were read. Make room on it, "
    "then import the file again: no row is stored twice."
)


def register_commands(app: Flask) -> None:
    for command in (create_pbx, import_calls, run_worker):
        app.cli.add_command(command)


class WrongUse(click.ClickException):
    """Ends the command with a sentence; what was asked cannot be done."""

    exit_code = 2


class NothingRead(click.ClickException):
    exit_code = 1


class Stopped(click.ClickException):
    """Before the end of the file."""

    exit_code = 3


@dataclass(frozen=True)
class _Place:
    """Where a command works."""

    database: Database
    settings: Settings
    organization: Organization


@contextmanager
def _place(slug: str) -> Iterator[_Place]:
    """The organization, on a database that is fit to serve. What a person can put right ends with its words."""
    try:
        known: Services | None = current_app.extensions.get("callbook")
        settings = known.settings if known else load_settings()
        database = known.database if known else Database(settings.database_url)
        check_start(database, settings)
        with reading_session(database) as session:
            organization = get_organization(session, slug)
        yield _Place(database, settings, organization)
    except (SettingsError, InstallationError) as error:
        raise WrongUse(str(error)) from None
    except NoSpace as error:
        raise Stopped(error.sentence) from None
    except CallbookError as error:
        raise WrongUse(error.sentence or f"There is no organization {slug}.") from None
    except (DBAPIError, sqlite3.Error, psycopg.Error, OSError) as error:
        if not is_disk_full(error):
            raise
        raise Stopped(_DISK_FULL) from None


@click.command("create-pbx")
@click.argument("name")
@click.option("--organization", "slug", required=True, help="Slug of the organization.")
@click.option(
    "--format",
    "reader_name",
    type=click.Choice(list(READERS)),
    help="Of its files; told from the first one if not given.",
)
@click.option("--time-zone", help="IANA name; that of the organization if not given.")
@with_appcontext
def create_pbx(name: str, slug: str, reader_name: str | None, time_zone: str | None) -> None:
    """Add a phone system, from which call records come."""
    with _place(slug) as place, writing_session(place.database, place.organization.id) as session:
        organization = place.organization
        pbx = add_pbx(
            session, name, time_zone or organization.time_zone, organization.region, reader_name, actor_id=None
        )
        session.commit()
    click.echo(
        f"Phone system {pbx.name} is ready. Next: flask import-calls FILE --organization {slug} --pbx '{pbx.name}'"
    )


@click.command("import-calls")
@click.argument("file", metavar="FILE")
@click.option("--organization", "slug", required=True, help="Slug of the organization.")
@click.option("--pbx", "pbx_name", required=True, help="Name of the phone system.")
@click.option(
    "--format", "reader_name", type=click.Choice(list(READERS)), help="Told from the file's content if not given."
)
@click.option("--time-zone", help="IANA zone of the file's times; that of the phone system if not given.")
@click.option("--json", "as_json", is_flag=True, help="Print the counts as one JSON object.")
@with_appcontext
def import_calls(
    file: str, slug: str, pbx_name: str, reader_name: str | None, time_zone: str | None, as_json: bool
) -> None:
    """Import a FILE of call records ("-" is standard input; gzip is unpacked).

    Exit status 1 if nothing could be read, 2 for wrong use, 3 if it stopped before the end of the file.
    """
    began = time.monotonic()
    with _place(slug) as place:
        pbx = _find_pbx(place, pbx_name)
        try:
            import_file_id, held = _hand_in(place, pbx, file, reader_name, time_zone)
        except Refused as refusal:
            _print_counts(None, began, as_json)
            raise NothingRead(refusal.sentence) from None
        done = _run(place, import_file_id, held)
        _print_counts(done, began, as_json)
    _exit_as(done)


def _find_pbx(place: _Place, name: str) -> Pbx:
    with reading_session(place.database, place.organization.id) as session:
        pbx = find_pbx_by_name(session, name)
    if pbx is None:
        raise WrongUse(
            f"{place.organization.name} has no phone system named {name}. Make it with: "
            f"flask create-pbx '{name}' --organization {place.organization.slug}"
        )
    return pbx


def _hand_in(
    place: _Place, pbx: Pbx, path: str, reader_name: str | None, time_zone: str | None
) -> tuple[int, queue.Claim]:
    """Store the file and put its import into the queue, held by this process. Raises Refused; nothing is kept then."""
    database, organization_id = place.database, place.organization.id
    stored_file_id = _store(place, path)
    try:
        with open_stored_file(database, organization_id, stored_file_id) as stream:
            recognised = imports.recognise_stream(stream)
        with writing_session(database, organization_id) as session:
            pbx = session.get_one(Pbx, (organization_id, pbx.id))
            name = "standard input" if path == "-" else path
            file = imports.receive_file(session, pbx, stored_file_id, name, recognised, None)
            imports.read_as(session, file, pbx, reader_name or _sure_format(file, pbx), time_zone or file.time_zone)
            held = _start(session, file, pbx)
            note_for_service(session, "service.imported", None, organization_id, organization=place.organization.slug)
            session.commit()
    except BaseException:
        delete_stored_file(database, organization_id, stored_file_id)
        raise
    return file.id, held


def _store(place: _Place, path: str) -> int:
    def store(stream: ByteSource) -> int:
        return store_stream(place.database, place.organization.id, stream)

    if path == "-":
        return store(sys.stdin.buffer)
    try:
        with Path(path).open("rb") as stream:
            return store(stream)
    except OSError as error:
        raise NothingRead(f"{path}: {error.strerror}.") from None


def _sure_format(file: ImportFile, pbx: Pbx) -> str:
    """The recognised format. Raises Refused where a person would be asked: nobody is there to look at a guess."""
    is_usual = file.format == pbx.format
    needs_map = file.format == imports.GENERIC and not pbx.column_map
    if file.format is None or needs_map or (file.confidence < _SURE and not is_usual):
        formats = "\n".join(f"  {reader.name}  {reader.title}" for reader in READERS.values())
        raise Refused(f"The format of this file is not certain. Nothing was stored. Give one with --format:\n{formats}")
    return file.format


def _start(session: LockedSession, file: ImportFile, pbx: Pbx) -> queue.Claim:
    imports.begin_import(session, file, pbx, actor_id=None)
    owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
    payload = {"import_file_id": file.id}
    return queue.enqueue_held(session, imports.IMPORT, payload, session.organization_id, owner, LEASE)


def _run(place: _Place, import_file_id: int, held: queue.Claim) -> ImportFile:
    """Import in this process, with progress on a terminal; gives the import as it ended."""
    shown = _Shown(place, import_file_id, held)
    organization_id = place.organization.id
    try:
        run_import(place.database, number_key(place.settings), organization_id, import_file_id, shown.keep_going)
    except KeyboardInterrupt:
        _cancel(place, import_file_id)
    except Exception as error:
        queue.put_off(place.database, held, type(error).__name__)
        raise
    else:
        queue.finish(place.database, held)
    shown.clear()
    return shown.read()


def _cancel(place: _Place, import_file_id: int) -> None:
    """Ctrl-C: what is stored stays; the job finds the import ended."""
    with writing_session(place.database, place.organization.id) as session:
        file = session.get_one(ImportFile, (place.organization.id, import_file_id))
        if file.state in (ImportState.QUEUED, ImportState.RUNNING):
            file.state, file.ended_at = ImportState.CANCELLED, clock.now()
            session.commit()


class _Shown:
    """Keeps the lease, and shows how far the import is where a person looks on."""

    def __init__(self, place: _Place, import_file_id: int, held: queue.Claim) -> None:
        self._place = place
        self._import_file_id = import_file_id
        self._held = held
        self._renew_at = clock.now() + LEASE / 4
        self._on_terminal = sys.stderr.isatty()
        self._show_at = time.monotonic() + _SHOW_SECONDS

    def keep_going(self) -> bool:
        if self._on_terminal and time.monotonic() >= self._show_at:
            file = self.read()
            click.echo(
                f"\r{format_count(file.read_count)} rows read, {format_count(file.call_count)} calls",
                nl=False,
                err=True,
            )
            self._show_at = time.monotonic() + _SHOW_SECONDS
        if clock.now() < self._renew_at:
            return True
        self._renew_at = clock.now() + LEASE / 4
        return queue.renew(self._place.database, self._held, LEASE)

    def read(self) -> ImportFile:
        organization_id = self._place.organization.id
        with reading_session(self._place.database, organization_id) as session:
            return session.get_one(ImportFile, (organization_id, self._import_file_id))

    def clear(self) -> None:
        if self._on_terminal:
            click.echo("\r\x1b[K", nl=False, err=True)


def _print_counts(file: ImportFile | None, began: float, as_json: bool) -> None:
    counts = {
        "read": file.read_count if file else 0,
        "stored": file.stored_count if file else 0,
        "duplicates": file.duplicate_count if file else 0,
        "skipped": file.skipped_count if file else 0,
        "too_old": file.old_count if file else 0,
        "refused": file.refused_count if file else 0,
        "calls": file.call_count if file else 0,
        "seconds": round(time.monotonic() - began, 3),
    }
    if as_json:
        click.echo(json.dumps(counts))
    elif file is not None:
        made = f"making {format_count(file.call_count)} calls"
        old = f" ({counts['too_old']:,} of them older than what is kept)" if counts["too_old"] else ""
        click.echo(
            f"read {counts['read']:,} = stored {counts['stored']:,} + already there {counts['duplicates']:,} "
            f"+ not a call {counts['skipped']:,}{old} + refused {counts['refused']:,}, {made}"
        )


def _exit_as(file: ImportFile) -> None:
    """Status and words for what did not go well. A file of a header alone is no failure."""
    was_read = file.stored_count + file.duplicate_count
    if not was_read and (file.refused_count or not file.read_count):
        raise NothingRead(file.error or "Nothing of this file could be read as a call.")
    if file.state != ImportState.DONE:
        raise Stopped(file.error or "The import stopped before the end of the file; what was read is stored.")
