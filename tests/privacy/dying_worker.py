"""Real workers for test_killed.py: `python dying_worker.py DATA_DIR DATABASE_URL`.

It loads the app once, then forks a worker for each line that it reads, and answers with how that one ended: the line
says after how many seconds it is killed by SIGKILL, wherever it is by then; 0 lets it do all that is due.
Its batches are small, so that there are many moments to be killed at.
"""

import os
import signal
import sys
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.conftest import make_settings
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
            # A lease of no time: the next worker takes over at once what this one leaves.
            Worker(Database(url), settings, lease=timedelta(0)).run_due()
            os._exit(0)
        if float(line):
            time.sleep(float(line))
            os.kill(pid, signal.SIGKILL)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
