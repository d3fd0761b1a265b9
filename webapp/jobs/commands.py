"""`flask run-worker`: the background worker as a process of its own, beside a server that runs without one."""

import signal
import threading
from types import FrameType

import click
from flask.cli import with_appcontext

from webapp.jobs.worker import Worker
from webapp.services import services


@click.command("run-worker")
@click.option("--threads", default=2, show_default=True, type=click.IntRange(1, 16), help="Jobs at a time.")
@with_appcontext
def run_worker(threads: int) -> None:
    """Do background work (imports, undo) until stopped. Ctrl-C or SIGTERM gives unfinished work back to the queue."""
    ended = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        ended.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    worker = Worker(services().database, services().settings, threads=threads)
    worker.start()
    click.echo(f"Worker {worker.name} waits for work. Ctrl-C ends it.", err=True)
    ended.wait()
    click.echo("Ending; unfinished work goes back to the queue.", err=True)
    worker.stop()
