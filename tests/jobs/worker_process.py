"""A real worker process for test_queue.py: `python worker_process.py URL JOURNAL MODE`.

It says "ready", waits for a line on its standard input, and works. Its handlers write one line a job into JOURNAL.
MODE "drain" does all jobs that are due and ends; "serve" works until it is stopped by SIGTERM.
"""

import os
import signal
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from webapp.database.engine import Database
from webapp.jobs import queue
from webapp.jobs.handlers import Work
from webapp.jobs.worker import Worker


def main(url: str, journal: str, mode: str) -> None:
    def write(words: str) -> None:
        handle = os.open(journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(handle, f"{words} {os.getpid()}\n".encode())
        os.close(handle)

    def count(work: Work) -> None:
        write(f"counted {work.payload['number']}")
        until = time.monotonic() + 60  # nobody does all before another has begun, however slowly that one starts
        while len({line.split()[-1] for line in Path(journal).read_text().splitlines()}) < 2:
            assert time.monotonic() < until, "the others do nothing"
            time.sleep(0.005)

    def long(work: Work) -> None:
        write("began")
        while work.keep():
            time.sleep(0.02)
        write("stopped")

    queue.register("test.count", count)
    queue.register("test.long", long)
    worker = Worker(Database(url), None)  # type: ignore[arg-type]
    print("ready", flush=True)
    sys.stdin.readline()
    if mode == "drain":
        worker.run_due()
        return
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda _number, _frame: ended.set())
    worker.start()
    ended.wait()
    worker.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
