"""Drives worker_process.py: workers in processes of their own, one after the other, which can be told when to die."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

KILLED = -9
_SCRIPT = Path(__file__).with_name("worker_process.py")


class Workers:
    """`run("tell", die_at=3)`: how a worker ended, KILLED or 0."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(self, what: str, die_at: int = 0, *, half: bool = False) -> int:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(f"{json.dumps({'what': what, 'die_at': die_at, 'half': half})}\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


@contextmanager
def running_workers(database_url: str, smtp_url: str) -> Iterator[Workers]:
    command = [sys.executable, str(_SCRIPT), database_url, smtp_url]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield Workers(process)
    finally:
        assert process.stdin and process.stdout
        process.stdin.close()
        process.wait(timeout=600)
        process.stdout.close()
