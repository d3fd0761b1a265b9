"""Logs as JSON lines on standard error: one object a line whatever a browser sends, and nothing personal in it.

Addresses stand without their query; of an exception its class and its way, not its text, which may quote a row.
`event()` is for what the security of the service turns on: sign-ins, refusals, changes of rights.
"""

import json
import logging
import secrets
import sys
import time
import traceback
from datetime import UTC, datetime
from typing import Any

from flask import Flask, Response, g, has_request_context, request

_FIELDS = "callbook_fields"
_events = logging.getLogger("callbook.event")
_requests = logging.getLogger("callbook.request")


class JsonFormatter(logging.Formatter):
    """One record, one line. json.dumps escapes line ends and control characters, so nothing can forge a line."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if has_request_context():
            line["request"] = request_id()
        line.update(getattr(record, _FIELDS, {}))
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = record.exc_info[0].__name__
            frames = traceback.extract_tb(record.exc_info[2])
            line["stack"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
        return json.dumps(line, ensure_ascii=True, default=str)


def set_up(level: int = logging.INFO) -> None:
    """Send everything that is logged to standard error as JSON. Called by the server, not by create_app()."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # Flask-WTF says there why a token is wrong; waitress repeats what we log of a request.
    logging.getLogger("flask_wtf").setLevel(logging.WARNING)


def event(name: str, **fields: int | str | bool | None) -> None:
    """Log what the security of the service turns on: "sign_in.done", with ids, never an address, number or secret."""
    _events.info(name, extra={_FIELDS: fields})


def request_id() -> str:
    """What the error page shows and the log says, so that one finds the other."""
    if "request_id" not in g:
        g.request_id = secrets.token_hex(6)
    found: str = g.request_id
    return found


def register(app: Flask) -> None:
    app.before_request(_start)
    app.after_request(_log_request)


def _start() -> None:
    g.request_started = time.perf_counter()


def _log_request(response: Response) -> Response:
    if request.endpoint != "static":
        took = time.perf_counter() - g.get("request_started", time.perf_counter())
        fields = {
            "method": request.method,
            "endpoint": request.endpoint,
            "status": response.status_code,
            "ms": round(took * 1000, 1),
        }
        _requests.info("answered", extra={_FIELDS: fields})
    return response
