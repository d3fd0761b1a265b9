"""`flask run-worker` as a process: it imports, ends by SIGTERM, and loses nothing when it is killed in mid-import."""

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import time_machine
from sqlalchemy import func, select

from config import Settings
from tests.conftest import NUMBER_KEY
from tests.make import Make
from tests.sources.conftest import asterisk_file
from webapp.calls.models import Call, CallDay, ImportFile, ImportState, Pbx
from webapp.database.engine import Database
from webapp.jobs.models import LiveWorker
from webapp.jobs.stored_files import store_stream
from webapp.jobs.worker import LEASE, Worker
from webapp.sources.imports import receive_file, recognise_stream, start_import
from webapp.sources.jobs import register_jobs
from webapp.tenancy.sessions import reading_session, writing_session

ROOT = Path(__file__).resolve().parents[2]
ROWS = 2_000
RUN_WORKER = ("-m", "flask", "run-worker")
HALTING = (str(Path(__file__).with_name("halting_worker.py")),)


@contextmanager
def run_worker(settings: Settings, command: tuple[str, ...] = RUN_WORKER) -> Iterator[subprocess.Popen[bytes]]:
    environment = {
        **os.environ,
        "FLASK_APP": "wsgi",
        "DATABASE_URL": settings.database_url,
        "DATA_DIR": str(settings.data_dir),
        "SECRET_KEY": settings.secret_key,
        "NUMBER_KEY": NUMBER_KEY.hex(),
        "BASE_URL": settings.base_url,
    }
    process = subprocess.Popen([sys.executable, *command], cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def wait_until(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 300
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.02)


def queue_import(database: Database, make: Make) -> Callable[[], ImportFile]:
    """An import that waits; gives a function that reads how far it is."""
    pbx, organization_id, content = make.pbx(), make.organization.id, asterisk_file(ROWS)
    stored_file_id = store_stream(database, organization_id, io.BytesIO(content))
    with writing_session(database, organization_id) as session:
        pbx = session.get_one(Pbx, (organization_id, pbx.id))
        recognised = recognise_stream(io.BytesIO(content))
        file = receive_file(session, pbx, stored_file_id, "Master.csv", recognised, None)
        start_import(session, file, pbx, actor_id=None)
        session.commit()

    def read() -> ImportFile:
        with reading_session(database, organization_id) as session:
            return session.get_one(ImportFile, (organization_id, file.id))

    return read


def test_a_worker_process_imports_and_ends_by_sigterm(settings: Settings, database: Database, make: Make) -> None:
    read = queue_import(database, make)
    with run_worker(settings) as process:
        wait_until(lambda: read().state == ImportState.DONE)
        with reading_session(database) as session:
            assert len(session.scalars(select(LiveWorker)).all()) == 1
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=120) == 0
    assert read().stored_count == ROWS


def test_an_import_whose_process_is_killed_is_finished_by_another(
    settings: Settings, database: Database, make: Make
) -> None:
    """It halts by itself before it is killed: a quick one would have ended while the test looks."""
    read = queue_import(database, make)
    with run_worker(settings, HALTING) as process:
        wait_until(lambda: read().read_count > 0)
        process.send_signal(signal.SIGKILL)
        process.wait()
    file = read()
    assert file.state == ImportState.RUNNING, "it was killed in the middle"
    assert file.read_count == file.stored_count < ROWS
    register_jobs()
    with time_machine.travel(datetime.now(UTC) + LEASE, tick=True):
        assert Worker(database, settings).run_due() == 1
    assert (read().state, read().read_count, read().stored_count, read().call_count) == (ImportState.DONE, *[ROWS] * 3)
    with reading_session(database, make.organization.id) as session:
        assert session.scalar(select(func.count(Call.call_key))) == ROWS
        assert session.scalar(select(func.sum(CallDay.calls))) == ROWS
