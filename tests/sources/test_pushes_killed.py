"""kill -9 while calls arrive: whoever sends goes on until each is acknowledged, and at the end each is there once.

A real server on a real port, killed at random moments. KILLS=200 makes a long run of it.
"""

import http.client
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from config import Settings
from tests.sources.delivering import Delivering, own_call
from webapp.calls.models import CallRecord, ImportFile

KILLS = int(os.environ.get("KILLS", "10"))
KILLED = -signal.SIGKILL
SENDERS = 3
PATIENCE_SECONDS = 60


class Servers:
    """One server after another, on one port, each to be killed."""

    def __init__(self, settings: Settings) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self._order = {"url": settings.database_url, "data_dir": str(settings.data_dir), "port": self.port}
        script = str(Path(__file__).with_name("server_process.py"))
        self._parent = subprocess.Popen(
            [sys.executable, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def start(self) -> int:
        pid = self._ask(self._order)
        until = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < until:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return pid
            time.sleep(0.005)
        raise AssertionError("the server does not listen")

    def kill(self, pid: int) -> int:
        os.kill(pid, signal.SIGKILL)
        return self._ask({"wait": pid})

    def close(self) -> None:
        assert self._parent.stdin and self._parent.stdout
        self._parent.stdin.close()
        self._parent.wait(timeout=PATIENCE_SECONDS)
        self._parent.stdout.close()

    def _ask(self, order: dict[str, object]) -> int:
        assert self._parent.stdin and self._parent.stdout
        self._parent.stdin.write(f"{json.dumps(order)}\n")
        self._parent.stdin.flush()
        return int(self._parent.stdout.readline())


class Sender(threading.Thread):
    """Sends every third number of the stream, each again until it is acknowledged: what a phone system does."""

    def __init__(self, port: int, address: str, token: str, first: int) -> None:
        super().__init__()
        self.acknowledged: list[int] = []
        self.tries = 0
        self.stopping = False
        self._port, self._address, self._number = port, address, first
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._connection: http.client.HTTPConnection | None = None

    def run(self) -> None:
        while not self.stopping:
            while not self._send():
                time.sleep(0.01)
            self.acknowledged.append(self._number)
            self._number += SENDERS

    def _send(self) -> bool:
        self.tries += 1
        try:
            if self._connection is None:
                self._connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
            body = json.dumps(own_call(self._number, account_code=str(self._number)))
            self._connection.request("POST", self._address, body, self._headers)
            answer = self._connection.getresponse()
            return answer.status == 200 and json.loads(answer.read()) == {"received": 1}
        except (OSError, http.client.HTTPException, ValueError):
            self._connection = None
            return False


@pytest.fixture
def servers(settings: Settings) -> Iterator[Servers]:
    started = Servers(settings)
    yield started
    started.close()


def test_every_number_is_one_call_however_often_the_server_is_killed(
    delivering: Delivering,
    servers: Servers,
) -> None:
    dice = random.Random(4)
    senders = [Sender(servers.port, delivering.address, delivering.token, first) for first in range(SENDERS)]
    running = servers.start()
    for sender in senders:
        sender.start()
    for _ in range(KILLS):
        time.sleep(dice.uniform(0.02, 0.9))
        assert servers.kill(running) == KILLED
        running = servers.start()
    enough = time.monotonic() + PATIENCE_SECONDS  # a slow machine has acknowledged little between two kills
    while sum(len(sender.acknowledged) for sender in senders) <= 5 * KILLS and time.monotonic() < enough:
        time.sleep(0.1)
    for sender in senders:
        sender.stopping = True
    for sender in senders:
        sender.join(PATIENCE_SECONDS)
        assert not sender.is_alive()
    until = time.monotonic() + PATIENCE_SECONDS
    while delivering.spooled() and time.monotonic() < until:
        time.sleep(0.1)
    assert servers.kill(running) == KILLED

    sent = sorted(number for sender in senders for number in sender.acknowledged)
    assert len(sent) > 5 * KILLS
    assert sum(sender.tries for sender in senders) > len(sent), "some had to be sent again"
    assert sorted(int(record.account_code) for record in delivering.all(CallRecord)) == sent
    assert len(delivering.calls()) == len(sent)
    files = delivering.all(ImportFile)
    assert sum(file.stored_count for file in files) == sum(file.call_count for file in files) == len(sent)
    for file in files:
        assert file.read_count == file.stored_count + file.duplicate_count
    print(f"\n{KILLS} kills, {len(sent)} calls, {sum(sender.tries for sender in senders)} tries")
