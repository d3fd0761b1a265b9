"""Imports in processes of their own, which can be killed: the fixture `processes` over import_process.py."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from config import Settings
from tests.ingest.importing import Importing

KILLED = -9


class Processes:
    """Starts children that work on one database. A child is its process id."""

    def __init__(self, settings: Settings) -> None:
        self._url = settings.database_url
        script = str(Path(__file__).with_name("import_process.py"))
        self._parent = subprocess.Popen(
            [sys.executable, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def start(self, do: str, harbour: Importing, id_: int, *, batch: int = 20, die_at: int = 0) -> int:
        """`do`: "import", "undo" with an import's id; "read again" with a phone system's; "follow zone", "name"."""
        order = {"do": do, "url": self._url, "organization_id": harbour.organization.id, "id": id_}
        return self._ask(order | {"batch": batch, "die_at": die_at})

    def wait(self, child: int) -> int:
        """How it ended: 0, or KILLED, or 1 with a traceback on standard error."""
        return self._ask({"wait": child})

    def close(self) -> None:
        assert self._parent.stdin and self._parent.stdout
        self._parent.stdin.close()
        self._parent.wait(timeout=60)
        self._parent.stdout.close()

    def _ask(self, order: dict[str, object]) -> int:
        assert self._parent.stdin and self._parent.stdout
        self._parent.stdin.write(f"{json.dumps(order)}\n")
        self._parent.stdin.flush()
        return int(self._parent.stdout.readline())


@pytest.fixture
def processes(settings: Settings) -> Iterator[Processes]:
    started = Processes(settings)
    yield started
    started.close()
