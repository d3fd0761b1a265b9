"""Calls that arrive by themselves: 300 records a second, one a request, each committed, to one process that serves.

Requests begin when they are due, whether or not the ones before were answered: waiting for them would hide slow ones.
Meanwhile the same process stores what came, so that the log grows as it does in life.
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
from bench.engines import FOLDER, Engine, Place
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


def measure(engine: Engine, scale: Scale) -> Iterator[Result]:
    name = f"{engine.name.lower()}-collecting"
    place = engine.create(name)
    database = place.open()
    organization_id = data.new_organization(database, data.SLUG, "Bench Ltd", data.EMAIL)
    pbx_id = data.new_pbx(database, organization_id, data.MAIN)
    count = _A_SECOND * scale.collecting_seconds
    with serving(place) as server:
        time.sleep(_STARTED_AFTER_SECONDS)
        before = processor_seconds(server.pid)
        senders, memory = _send(
            server, f"/collect/{spell_id(pbx_id)}", _token(database, organization_id, pbx_id), count
        )
        waits = sorted(wait for sender in senders for wait in sender.waits)
        stored_after = _wait_until_stored(database, organization_id)
        busy = processor_seconds(server.pid) - before
    stored = data.count_calls(database, organization_id)
    failed = sum(sender.failed for sender in senders)
    if failed or stored != count:
        raise RuntimeError(f"of {count} records {failed} were refused and {stored} are calls")
    yield in_time(
        f"{engine.name}: {_A_SECOND} records/s for {scale.collecting_seconds} s, one a request: p99 of an answer",
        percentile(waits, 99),
        _MOST_SECONDS,
        f"median {milliseconds(statistics.median(waits))}, worst {milliseconds(waits[-1])}; all {count:,} are calls; "
        f"{milliseconds(busy / count)} of a processor a record, storing included; "
        f"a bare commit of one row {milliseconds(_bare_commit(place))}",
    )
    yield in_time(f"{engine.name}: the last record is on the page after", stored_after, _SEEN_WITHIN_SECONDS)
    warm = memory[int(len(memory) * _WARM_SHARE)]
    grown = max(memory[-3:]) - warm
    yield Result(
        f"{engine.name}: memory at the end beyond that after a quarter of the time",
        f"{grown / 1e6:.1f} MB",
        f"{_MOST_BYTES / 1e6:.0f} MB",
        grown / _MOST_BYTES,
        1.0,
        note=f"{warm / 1e6:.0f} MB then",
    )
    database.dispose()
    engine.drop(name)


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


def _bare_commit(place: Place) -> float:
    """What one row costs that is committed as durably, with nothing around it (SQLite)."""
    path: Path = FOLDER / "bare-commit.sqlite"
    path.unlink(missing_ok=True)
    times = []
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("CREATE TABLE row (id INTEGER PRIMARY KEY, body BLOB)")
        for number in range(500):
            began = time.perf_counter()
            connection.execute("INSERT INTO row VALUES (?, ?)", (number, _record(number)))
            times.append(time.perf_counter() - began)
    path.unlink()
    return statistics.median(times)
