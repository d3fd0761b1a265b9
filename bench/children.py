"""What is measured in a process of its own: `python -m bench.children WHAT ...` prints what it found as JSON.

The peak of a process's memory is that of all its life, so each size has a process to itself.
"""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, event

from bench import data
from bench.browser import Browser
from bench.engines import ROOT, Place
from bench.timing import Watch, peak_memory
from config import load_settings
from webapp import create_app
from webapp.database.engine import ACCESS, Database
from webapp.database.installation import number_key, open_database
from webapp.ingest.importer import run_import
from webapp.jobs.worker import Worker
from webapp.privacy.models import Takeout, TakeoutState
from webapp.privacy.takeouts import start_takeout
from webapp.recovery.backing_up import make_backup
from webapp.recovery.drilling import drill
from webapp.recovery.restoring import restore
from webapp.tenancy.sessions import reading_session, writing_session


def run_child(place: Place, what: str, *arguments: str) -> dict[str, Any]:
    """Run one of these on a database and give what it printed."""
    command = [sys.executable, "-m", "bench.children", what, *arguments]
    done = subprocess.run(command, cwd=ROOT, env=place.environ, stdout=subprocess.PIPE, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _export(path: str) -> dict[str, Any]:
    """Export all calls, throwing the pieces away as they come."""
    settings = load_settings()
    database = open_database(settings)
    pieces, status = Browser(create_app(settings, database), database).answer(path)
    size = sum(len(piece) for piece in pieces)
    return {"status": status, "size": size, "peak_bytes": peak_memory()}


def _import(path: str) -> dict[str, Any]:
    """Hand in a file to a new organization and import it to its end."""
    settings = load_settings()
    database = open_database(settings)
    organization_id = data.new_organization(database, data.SLUG, "Bench Ltd", data.EMAIL)
    pbx_id = data.new_pbx(database, organization_id, data.MAIN)
    with Watch() as storing:
        file_id = data.receive(database, organization_id, pbx_id, Path(path))
    commits = count_bulk_commits(database)
    with Watch() as importing:
        run_import(database, number_key(settings), organization_id, file_id)
    file = data.check_done(database, organization_id, file_id)
    return {
        "organization_id": organization_id,
        "file_id": file_id,
        "rows": file.read_count,
        "calls": file.call_count,
        "seconds": importing.wall,
        "cpu_seconds": importing.cpu,
        "storing_seconds": storing.wall,
        "transactions": len(commits),
        "peak_bytes": peak_memory(),
    }


def _recover(what: str, folder: str, *files: str) -> dict[str, Any]:
    """Make a backup in a folder, try the newest one there, or restore a file."""
    settings = replace(load_settings(), backup_folder=Path(folder), backup_key=bytes(range(32)))
    found: dict[str, Any] = {}
    Path(folder).mkdir(parents=True, exist_ok=True)
    with Watch() as watch:
        if what == "backup":
            made = make_backup(settings)
            found = {"path": str(made.path), "size": made.manifest.byte_count, "calls": made.manifest.facts.calls}
        elif what == "drill":
            found = {"different": drill(settings).different}
        else:
            found = {"calls": restore(settings, Path(files[0])).manifest.facts.calls}
    return {**found, "seconds": watch.wall, "cpu_seconds": watch.cpu, "peak_bytes": peak_memory()}


def _takeout() -> dict[str, Any]:
    """Have everything put into an archive, by the worker's own path."""
    settings = load_settings()
    database = open_database(settings)
    create_app(settings, database)
    organization_id = data.organization(database).id
    with writing_session(database, organization_id) as session:
        takeout_id = start_takeout(session, 1, by_staff=True).id
        session.commit()
    with Watch() as making:
        Worker(database, settings).run_due()
    with reading_session(database, organization_id) as session:
        made = session.get_one(Takeout, (organization_id, takeout_id))
    assert made.state == TakeoutState.READY
    return {
        "seconds": making.wall,
        "cpu_seconds": making.cpu,
        "rows": made.row_count,
        "files": made.steps,
        "bytes": made.byte_count,
        "peak_bytes": peak_memory(),
    }


def count_bulk_commits(database: Database) -> list[None]:
    """A list that grows with each bulk transaction from now on."""
    commits: list[None] = []

    @event.listens_for(database.engine, "commit")
    def _committed(connection: Connection) -> None:
        if connection.get_execution_options().get(ACCESS) == "bulk":
            commits.append(None)

    return commits


if __name__ == "__main__":
    sys.stdout.write(
        json.dumps(
            {"export": _export, "import": _import, "recover": _recover, "takeout": _takeout}[sys.argv[1]](*sys.argv[2:])
        )
    )
