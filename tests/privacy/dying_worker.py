"""Real workers for test_killed.py: `python dying_worker.py DATA_DIR DATABASE_URL`.

It loads the app once, then forks a worker for each line that it reads, and answers with how that one ended: the line
says before which of its steps in the database it kills itself with SIGKILL; 0 lets it do all that is due.
Its batches are small, so that there are many moments to be killed at.
"""

import os
import signal
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import NoReturn

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from config import Settings
from tests.conftest import make_settings
from tests.ingest.faults import Steps
from webapp.database.engine import Database
from webapp.ingest import purge
from webapp.jobs.worker import Worker
from webapp.privacy import erasing, erasing_jobs, retention_jobs


def main(data_dir: str, url: str) -> None:
    settings = replace(make_settings(Path(data_dir)), database_url=url)
    purge._FIRST_BATCH = purge._LARGEST_BATCH = 10
    erasing._AT_ONCE = 100
    retention_jobs.register_jobs()
    erasing_jobs.register_jobs()
    for line in sys.stdin:
        pid = os.fork()
        if not pid:
            work(Database(url), settings, int(line))
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


def work(database: Database, settings: Settings, die_at: int) -> NoReturn:
    def die(steps: Steps) -> None:
        if steps.number == die_at:
            os.kill(os.getpid(), signal.SIGKILL)

    Steps(die, of_all=True).install(database)
    # A lease of no time: the next worker takes over at once what this one leaves.
    Worker(database, settings, lease=timedelta(0)).run_due()
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
