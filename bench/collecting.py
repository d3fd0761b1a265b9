"""Calls that arrive by themselves: 300 records a second, one a request, each committed, to one process that serves.

Requests begin when they are due, whether or not the ones before were answered: waiting for them would hide slow ones.
Meanwhile the same process stores what came, so that the log grows as it does in life. Beside it one row is committed
ten times a second into a file of its own: where that alone takes longer than an answer may, others use the disk, and
the run is taken again.
"""

import http.client
import json
import sqlite3
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from bench import data
from bench.engines import FOLDER, Engine, tell
from bench.loaded import Served, serving
from bench.report import Result, in_time, milliseconds
from bench.scale import Scale
from bench.timing import percentile, processor_seconds, resident_memory
from webapp.calls.models import Pbx
from webapp.database.engine import Database
from webapp.database.ids import spell_id
from webapp.ingest.deliveries import has_spooled
from webapp.sources.tokens import make_token
from webapp.tenancy.sessions import reading_session, writing_session

_A_SECOND = 300
_MOST_SECONDS = 0.1
_MOST_BYTES = 10_000_000  #: by which memory may grow once the server has warmed up
_SEEN_WITHIN_SECONDS = 2.0
_CONNECTIONS = 12
_STARTED_AFTER_SECONDS = (
    8.0  #: a server that has just begun checks its promises and sweeps, and answers slower meanwhile
)
_WARM_SHARE = 0.25
_MOST_RUNS = 3  #: while the disk by itself takes longer than an answer may
_COMMITS_EVERY_SECONDS = 0.1


@dataclass
class _Sender(threading.Thread):
    """One kept-alive connection that sends every n-th record of the stream when it is due."""

    port: int
    path: str
    token: str
    numbers: range
    began: float
    waits: list[float] = field(default_factory=list)
    failed: int = 0

    def __post_init__(self) -> None:
        super().__init__()

    __hash__ = threading.Thread.__hash__

    def run(self) -> None:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        connection = http.client.HTTPConnection("localhost", self.port, timeout=30)
        for number in self.numbers:
            due = self.began + number / _A_SECOND
            time.sleep(max(0.0, due - time.monotonic()))
            connection.request("POST", self.path, _record(number), headers)
            answer = connection.getresponse()
            answer.read()
            self.waits.append(time.monotonic() - due)
            self.failed += answer.status != 200


class _BareCommits(threading.Thread):
    """What one row costs meanwhile that is committed as durably, with nothing around it (SQLite)."""

    def __init__(self) -> None:
        super().__init__()
        self.times: list[float] = []
        self._stop_asked = threading.Event()

    def run(self) -> None:
        path: Path = FOLDER / "bare-commit.sqlite"
        path.unlink(missing_ok=True)
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("CREATE TABLE row (id INTEGER PRIMARY KEY, body BLOB)")
            while not self._stop_asked.wait(_COMMITS_EVERY_SECONDS):
                began = time.perf_counter()
                connection.execute("INSERT INTO row (body) VALUES (?)", (_record(len(self.times)),))
                self.times.append(time.perf_counter() - began)
        path.unlink()

    def stop(self) -> None:
        self._stop_asked.set()
        self.join()


@dataclass(frozen=True)
class _Run:
    """Seconds, sorted; bytes of memory every half second."""

    waits: list[float]
    commits: list[float]
    stored_after: float
    busy: float
    memory: list[int]

    @property
    def is_of_the_disk(self) -> bool:
        """Whether a bare commit alone took longer than an answer may."""
        return self.commits[-1] > _MOST_SECONDS


def measure(engine: Engine, scale: Scale) -> Iterator[Result]:
    count = _A_SECOND * scale.collecting_seconds
    for turn in range(1, _MOST_RUNS + 1):
        run = _run(engine, count)
        if not run.is_of_the_disk or turn == _MOST_RUNS:
            break
        tell(f"taken again: a bare commit took {milliseconds(run.commits[-1])} (p99 {_p99(run.waits)})")
    yield in_time(
        f"{engine.name}: {_A_SECOND} records/s for {scale.collecting_seconds} s, one a request: p99 of an answer",
        percentile(run.waits, 99),
        _MOST_SECONDS,
        f"median {milliseconds(statistics.median(run.waits))}, worst {milliseconds(run.waits[-1])}; all {count:,} are "
        f"calls; {milliseconds(run.busy / count)} of a processor a record, storing included; meanwhile a bare commit "
        f"took {milliseconds(statistics.median(run.commits))}, at most {milliseconds(run.commits[-1])}; "
        f"run {turn}",
    )
    yield in_time(f"{engine.name}: the last record is on the page after", run.stored_after, _SEEN_WITHIN_SECONDS)
    warm = run.memory[int(len(run.memory) * _WARM_SHARE)]
    grown = max(run.memory[-3:]) - warm
    yield Result(
        f"{engine.name}: memory at the end beyond that after a quarter of the time",
        f"{grown / 1e6:.1f} MB",
        f"{_MOST_BYTES / 1e6:.0f} MB",
        grown / _MOST_BYTES,
        1.0,
        note=f"{warm / 1e6:.0f} MB then",
    )


def _p99(seconds: list[float]) -> str:
    return milliseconds(percentile(seconds, 99))


def _run(engine: Engine, count: int) -> _Run:
    """Raises RuntimeError where a record was refused or is no call."""
    name = f"{engine.name.lower()}-collecting"
    place = engine.create(name)
    database = place.open()
    organization_id = data.new_organization(database, data.SLUG, "Bench Ltd", data.EMAIL)
    pbx_id = data.new_pbx(database, organization_id, data.MAIN)
    address, token = f"/collect/{spell_id(pbx_id)}", _token(database, organization_id, pbx_id)
    with serving(place) as server:
        time.sleep(_STARTED_AFTER_SECONDS)
        before, commits = processor_seconds(server.pid), _BareCommits()
        commits.start()
        senders, memory = _send(server, address, token, count)
        commits.stop()
        stored_after = _wait_until_stored(database, organization_id)
        busy = processor_seconds(server.pid) - before
    stored = data.count_calls(database, organization_id)
    failed = sum(sender.failed for sender in senders)
    if failed or stored != count:
        raise RuntimeError(f"of {count} records {failed} were refused and {stored} are calls")
    database.dispose()
    engine.drop(name)
    waits = sorted(wait for sender in senders for wait in sender.waits)
    return _Run(waits, sorted(commits.times), stored_after, busy, memory)


def _send(server: Served, path: str, token: str, count: int) -> tuple[list[_Sender], list[int]]:
    """The senders when they are done, and the server's memory every half second meanwhile."""
    began = time.monotonic() + 0.2
    shares = [range(first, count, _CONNECTIONS) for first in range(_CONNECTIONS)]
    senders = [_Sender(server.port, path, token, share, began) for share in shares]
    for sender in senders:
        sender.start()
    memory = []
    while any(sender.is_alive() for sender in senders):
        memory.append(resident_memory(server.pid))
        time.sleep(0.5)
    return senders, memory


def _token(database: Database, organization_id: int, pbx_id: int) -> str:
    with writing_session(database, organization_id) as session:
        token = make_token(session, session.get_one(Pbx, (organization_id, pbx_id)), actor_id=None)
        session.commit()
    return token


def _record(number: int) -> bytes:
    """A call from one of ten thousand outside numbers, of half a minute."""
    begin = int(time.time()) - 60
    call = {
        "id": f"bench-{number}",
        "started_at": begin,
        "answered_at": begin + 6,
        "ended_at": begin + 36,
        "from": f"01632{number * 7919 % 10_000:06}",
        "to": str(201 + number % 40),
        "direction": "inbound",
        "outcome": "answered",
    }
    return json.dumps(call).encode()


def _wait_until_stored(database: Database, organization_id: int) -> float:
    began = time.monotonic()
    while time.monotonic() - began < 60:
        with reading_session(database, organization_id) as session:
            if not has_spooled(session):
                break
        time.sleep(0.01)
    return time.monotonic() - began
