"""`flask run-worker` for test_run_worker.py, of which an import halts behind its first batch: to be killed there."""

import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from flask.cli import cli

from webapp.ingest import importer


def halt(_import: importer._Import) -> None:
    threading.Event().wait()


importer._Import._go_on = halt  # type: ignore[method-assign]

if __name__ == "__main__":
    cli.main(["run-worker"], prog_name="flask")
