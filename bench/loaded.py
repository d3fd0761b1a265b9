"""What people notice of an import: pages and one-row writes over HTTP while the same process imports (SQLite)."""

import http.client
import os
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from bench import data
from bench.browse import LOG
from bench.browser import token_of
from bench.engines import ROOT, Engine, Place, free_port, tell
from bench.report import Result, in_time, milliseconds
from bench.scale import Scale
from bench.timing import percentile
from webapp.calls.models import ImportFile, ImportState, Pbx
from webapp.database.engine import Database
from webapp.sources.imports import start_import
from webapp.tenancy.sessions import reading_session, writing_session

_MOST_SECONDS = 0.15
_PAUSE_SECONDS = 0.05  #: between two requests of a reader
_QUIET_SECONDS = 3.0


def measure_loaded(engine: Engine, scale: Scale, path: Path) -> Iterator[Result]:
    """On a copy of the large database: a second phone system of the same organization hands in a file."""
    name = f"{engine.name.lower()}-loaded"
    place = engine.create(name, stocked_name(engine, scale))
    database = place.open()
    organization_id = data.organization(database).id
    file_id = data.receive(database, organization_id, data.new_pbx(database, organization_id, "New exchange"), path)
    with serving(place) as server:
        readers = [Reader(server.port, get_page), Reader(server.port, _write_row)]
        quiet = ask_for(readers, lambda: time.sleep(min(_QUIET_SECONDS, scale.rounds)))
        busy = ask_for(readers, lambda: _import(database, organization_id, file_id))
    data.check_done(database, organization_id, file_id)
    database.dispose()
    engine.drop(name)
    for what, percent, calm, times in zip(
        ("call-log page", "one-row write (the search form)"), (95, 99), quiet, busy, strict=True
    ):
        yield in_time(
            f"{engine.name}: while an import runs, p{percent} of a {what}",
            percentile(times, percent),
            _MOST_SECONDS,
            f"{len(times)} asked, median {milliseconds(statistics.median(times))}, worst {milliseconds(max(times))}; "
            f"without an import p{percent} {milliseconds(percentile(calm, percent))}",
        )


def stocked_name(engine: Engine, scale: Scale) -> str:
    """The name of the large database, made if it is not there yet."""
    return data.stocked(engine, scale, scale.calls).data_dir.name


def _import(database: Database, organization_id: int, file_id: int) -> None:
    """Start the import as its page does, and wait for the server's worker to end it."""
    with writing_session(database, organization_id) as session:
        file = session.get_one(ImportFile, (organization_id, file_id))
        file.state = ImportState.UPLOADED
        start_import(session, file, session.get_one(Pbx, (organization_id, file.pbx_id)), actor_id=None)
        session.commit()
    began = time.monotonic()
    while True:
        time.sleep(0.2)
        with reading_session(database, organization_id) as session:
            file = session.get_one(ImportFile, (organization_id, file_id))
        if file.state not in (ImportState.QUEUED, ImportState.RUNNING):
            tell(f"imported at {file.read_count / (time.monotonic() - began):,.0f} lines/s while serving")
            return


# ------------------------------------------------------------------------------------------------ the server, readers


@dataclass(frozen=True)
class Served:
    """A server that runs: where it listens, and its process."""

    port: int
    pid: int


@contextmanager
def serving(place: Place) -> Iterator[Served]:
    """The real installation: `make serve`, with its worker."""
    port = free_port()
    environ = {**place.environ, "PORT": str(port), "BASE_URL": f"http://localhost:{port}"}
    log = place.data_dir / "server.log"
    with log.open("wb") as out:
        server = subprocess.Popen(
            [sys.executable, "-m", "webapp.serving"], cwd=ROOT, env=environ, stdout=subprocess.DEVNULL, stderr=out
        )
        try:
            _wait_for(server, port, log)
            yield Served(port, server.pid)
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(timeout=60)


def _wait_for(server: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    for _ in range(200):
        try:
            answer = http.client.HTTPConnection("localhost", port, timeout=5)
            answer.request("GET", "/healthz")
            answer.getresponse().read()
            return
        except OSError:
            if server.poll() is not None:
                break
            time.sleep(0.1)
    raise RuntimeError(f"the server did not start: {log.read_text('utf-8', 'replace')[-2000:]}")


class Reader:
    """One person with one connection, signed in."""

    def __init__(self, port: int, ask: Callable[["Reader", int], int]) -> None:
        self._connection = http.client.HTTPConnection("localhost", port, timeout=60)
        self._cookie = ""
        self.token = token_of(self.request("GET", "/sign-in")[1])
        form = {"csrf_token": self.token, "email": data.EMAIL, "password": data.PASSWORD}
        status, _ = self.request("POST", "/sign-in", form)
        if status != 303:
            raise RuntimeError(f"signing in answered {status}")
        self.token = token_of(self.request("GET", LOG)[1])
        self.times: list[float] = []
        self._ask = ask

    def request(self, method: str, path: str, form: dict[str, str] | None = None) -> tuple[int, str]:
        headers = {"Cookie": self._cookie} if self._cookie else {}
        if form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        self._connection.request(method, path, urlencode(form) if form is not None else None, headers)
        answer = self._connection.getresponse()
        text = answer.read().decode()
        self._cookie = (answer.getheader("Set-Cookie") or self._cookie).split(";")[0]
        return answer.status, text

    def ask_until(self, over: threading.Event) -> None:
        turn = 0
        while not over.is_set():
            turn += 1
            began = time.perf_counter()
            status = self._ask(self, turn)
            self.times.append(time.perf_counter() - began)
            if status not in (200, 303):
                raise RuntimeError(f"a request was answered with {status}")
            time.sleep(_PAUSE_SECONDS)


def get_page(reader: Reader, turn: int) -> int:
    """By turns the calls of 30 days, and all of them."""
    return reader.request("GET", LOG if turn % 2 else f"{LOG}?period=all")[0]


def _write_row(reader: Reader, turn: int) -> int:
    """The search form: it keeps the words in a row, and commits."""
    form = {"csrf_token": reader.token, "words": f"harbour {os.getpid()} {turn}"}
    return reader.request("POST", f"{LOG}/search", form)[0]


def ask_for(readers: list[Reader], during: Callable[[], None]) -> list[list[float]]:
    """Let them ask as long as something goes on; how long each answer took, by reader."""
    over = threading.Event()
    threads = [threading.Thread(target=reader.ask_until, args=(over,)) for reader in readers]
    for reader, thread in zip(readers, threads, strict=True):
        reader.times = []
        thread.start()
    try:
        during()
    finally:
        over.set()
        for thread in threads:
            thread.join()
    return [reader.times for reader in readers]
