"""Serves an app with waitress and does background work beside it: `make serve` is `python -m webapp.serving`.

run_demo.py and the browser tests use `Server` too. A proxy that speaks TLS stands in front: docs/operate.md.
"""

import functools
import gc
import logging
import signal
import sys
import tempfile
import time
from contextlib import suppress
from types import FrameType

from flask import Flask
from sqlalchemy.exc import SQLAlchemyError
from waitress import create_server, wasyncore
from waitress.channel import HTTPChannel
from waitress.server import BaseWSGIServer

from config import Settings, SettingsError, load_settings
from webapp import create_app, logs, tallies
from webapp.body_limits import BodyLimits, LimitedParser, LingeringChannel, answer_refused
from webapp.database.engine import Database
from webapp.database.installation import InstallationError, check_start, open_database
from webapp.jobs.worker import Worker

THREADS = 8
_LAST_REQUESTS_SECONDS = 15.0

log = logging.getLogger(__name__)


class Server:
    """Waitress with our limits, for one app. Listens from the start; answers while run() runs."""

    def __init__(self, app: Flask, settings: Settings, *, port: int | None = None) -> None:
        tmp = settings.data_dir / "tmp"
        tmp.mkdir(mode=0o700, parents=True, exist_ok=True)
        tempfile.tempdir = str(tmp)  # uploads under way lie beside the database, not in /tmp
        answer_refused(app)
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        self._server = create_server(
            app, listen=f"{host}:{settings.port if port is None else port}", **_adjust(settings)
        )
        self._map = self._server.map if hasattr(self._server, "map") else self._server._map
        parser = functools.partial(LimitedParser, BodyLimits(app, tmp))
        channel = type("Channel", (LingeringChannel,), {"parser_class": parser})
        self._listeners = [each for each in self._map.values() if isinstance(each, BaseWSGIServer)]
        for listener in self._listeners:
            listener.channel_class = channel
        self._stopping = False

    @property
    def port(self) -> int:
        return int(self._listeners[0].effective_port)

    def run(self) -> None:
        """Answer requests until stop(), and then those that have begun."""
        while not self._stopping:
            self._turn()
        for listener in self._listeners:
            listener.accepting = False
            wasyncore.dispatcher.close(listener)  # its own close() would take away what wakes this loop
        until = time.monotonic() + _LAST_REQUESTS_SECONDS
        while self._under_way() and time.monotonic() < until:
            self._turn()
        self.close()

    def close(self) -> None:
        """Let go of the address and of every connection at once. run() does it at its end."""
        self._server.task_dispatcher.shutdown()
        wasyncore.close_all(self._map)

    def stop(self) -> None:
        """End run(). May be called by a signal handler or another thread, and again: impatient people press twice."""
        if not self._stopping:
            self._stopping = True
            self._listeners[0].pull_trigger()

    def _turn(self) -> None:
        wasyncore.loop(timeout=0.5, use_poll=True, map=self._map, count=1)

    def _under_way(self) -> bool:
        channels = [each for each in list(self._map.values()) if isinstance(each, HTTPChannel)]
        return any(channel.requests or channel.total_outbufs_len for channel in channels)


def _adjust(settings: Settings) -> dict[str, object]:
    """The settings of waitress."""
    proxy: dict[str, object] = {}
    if settings.trusted_proxy:
        # One hop: with more, whoever calls could write the address that limits count by.
        proxy = {
            "trusted_proxy": settings.trusted_proxy,
            "trusted_proxy_count": 1,
            "trusted_proxy_headers": {"x-forwarded-for", "x-forwarded-proto"},
        }
    return {
        "threads": THREADS,
        "ident": None,
        # 100, the default, was used up by 110 half-open connections; 300 of them do no harm so.
        "connection_limit": 1000,
        "channel_timeout": 15,
        "cleanup_interval": 5,
        "asyncore_use_poll": True,
        "max_request_header_size": 32_768,
        "max_request_body_size": 1 << 62,  # body_limits.py decides
        "clear_untrusted_proxy_headers": True,
        "url_scheme": "https" if settings.secure else "http",
        **proxy,
    }


def serve(app: Flask, database: Database, settings: Settings, words: str) -> None:
    """Serve and work until SIGTERM or SIGINT; returns when requests and jobs under way are safe.

    `words` are printed once people can come.
    """
    # Python lets a busy thread run 5 ms before another gets its turn. A page that meets an import would wait that long
    # at each of its many database calls; with half a millisecond it is quick, and the import loses a few percent.
    sys.setswitchinterval(0.0005)
    # What was loaded stays: looked through each time, it had the collector stop every request for 0.1 to 0.2 s.
    gc.freeze()
    try:
        server = Server(app, settings)
    except OSError as error:
        raise SystemExit(
            f"Callbook cannot listen on {settings.host}:{settings.port}: {error.strerror}. "
            "Stop what runs there, or give another: PORT=8081."
        ) from None
    worker = Worker(database, settings)

    def stop(_signal: int, _frame: FrameType | None) -> None:
        server.stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    sys.stdout.write(words)
    sys.stdout.flush()
    logs.set_up()
    worker.start()
    log.info("serving on %s:%d", settings.host, server.port)
    try:
        server.run()
    finally:
        worker.stop()
        with suppress(SQLAlchemyError):  # figures only: the database may be what made it stop
            tallies.write_down(database)
        database.dispose()


def main() -> None:
    """`make serve`: the real installation."""
    try:
        settings = load_settings()
        database = open_database(settings)
        check_start(database, settings)
    except (SettingsError, InstallationError) as error:
        raise SystemExit(f"Callbook does not start.\n{error}") from None
    app = create_app(settings, database)
    where = f"{settings.base_url} from {settings.host}:{settings.port}"
    serve(app, database, settings, f"Callbook serves {where}. Stop it with Ctrl+C.\n")


if __name__ == "__main__":
    main()
