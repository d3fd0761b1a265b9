"""Refuses a request by the size it announces, before its body is read: too large, or no room on the disk.

The parser and channel of waitress, as serving.py uses them. What is refused reaches the app without its body, under
a mark that makes the first thing the app does an error page (`answer_refused`): so the person gets our page.
"""

import contextlib
import shutil
import socket
from pathlib import Path
from weakref import WeakSet

from flask import Flask, current_app, request
from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from werkzeug.exceptions import HTTPException

from webapp import access
from webapp.errors import NoSpace, TooLarge

MIB = 1024 * 1024
USUAL_BYTES = MIB  #: for every view that does not say otherwise with @access.takes_body
KEPT_FREE_BYTES = 200 * MIB
#: An upload lies once in waitress's temporary file, once in the form parser's, and compressed in the database.
SPACE_FACTOR = 2.5
_LOOK_AGAIN_BYTES = 8 * MIB

_MARK = "X_CALLBOOK_REFUSED"
_TOO_LARGE = "too-large"
_NO_SPACE = "no-space"


class BodyLimits:
    """How large a body may be, by address, and whether there is room for it."""

    def __init__(self, app: Flask, folder: Path) -> None:
        self.under_way: WeakSet[LimitedParser] = WeakSet()
        self._app = app
        self._addresses = app.url_map.bind("localhost")
        self._folder = folder

    def refusal(self, parser: "LimitedParser", size: int) -> str | None:
        """Why a body of this size, announced or received so far, is not taken; None when it is."""
        if size <= USUAL_BYTES:
            return None
        if size > self._largest(parser.command, parser.path):
            return _TOO_LARGE
        to_come = sum(other.bytes_to_come for other in self.under_way if other is not parser)
        needed = (size - parser.body_bytes_received + to_come) * SPACE_FACTOR
        if shutil.disk_usage(self._folder).free < needed + KEPT_FREE_BYTES:
            return _NO_SPACE
        self.under_way.add(parser)
        return None

    def _largest(self, method: str, path: str) -> int:
        """What the view's @access.takes_body says. `path` as waitress has it, latin-1."""
        try:
            endpoint, _ = self._addresses.match(path.encode("latin-1").decode("utf-8", "replace"), method)
            return access.of(self._app.view_functions[endpoint]).largest_body or USUAL_BYTES
        except (HTTPException, access.AccessError):
            return USUAL_BYTES


class LimitedParser(HTTPRequestParser):  # type: ignore[misc]
    """Reads one request of a connection, and stops where the limits say so."""

    def __init__(self, limits: BodyLimits, adjustments: Adjustments) -> None:
        super().__init__(adjustments)
        self.refused = False
        self._limits = limits
        self._look_at: int | None = None  # of a chunked body: bytes at which to look again

    @property
    def bytes_to_come(self) -> int:
        """Of the announced body."""
        return 0 if self.completed else max(0, self.content_length - self.body_bytes_received)

    def received(self, data: bytes) -> int:
        """Take bytes of the connection; how many. All of them once the request is refused: they begin no new one."""
        consumed: int = super().received(data)
        if self.error is not None or self.body_rcv is None or self.refused:
            return consumed
        reason = self._reason_to_refuse()
        if reason is None:
            return consumed
        self._refuse(reason)
        return len(data)

    def _reason_to_refuse(self) -> str | None:
        size = self.body_bytes_received if self.chunked else self.content_length
        if self._look_at is not None and (not self.chunked or size < self._look_at):
            return None
        self._look_at = max(size, USUAL_BYTES) + (_LOOK_AGAIN_BYTES if size > USUAL_BYTES else 1)
        return self._limits.refusal(self, size)

    def _refuse(self, reason: str) -> None:
        self.close()  # removes the part of a body that lies in a temporary file
        self.body_rcv = None
        self.content_length = 0
        self.expect_continue = False
        self.headers |= {"CONTENT_LENGTH": "0", "CONNECTION": "close", _MARK: reason}
        self.refused = self.completed = True

    def parse_header(self, header_plus: bytes) -> None:
        """As waitress does, but the mark is ours alone."""
        super().parse_header(header_plus)
        self.headers.pop(_MARK, None)


class LingeringChannel(HTTPChannel):  # type: ignore[misc]
    """A connection that, after a refusal, goes on reading what the browser sends, and forgets it.

    Closing at once would make the kernel answer with a reset, and the browser show that instead of our page. It ends
    when the browser has read the answer, or by waitress's channel_timeout.
    """

    close_when_flushed: bool = False
    _refused = False
    _lingers = False

    def received(self, data: bytes) -> bool:
        taken: bool = super().received(data)
        self._refused = self._refused or any(getattr(known, "refused", False) for known in self.requests)
        return taken

    def handle_write(self) -> None:
        if not (self._refused and self.close_when_flushed and not self.will_close):
            super().handle_write()
            return
        self._flush_exception(self._flush_some)
        if self.connected and not self.total_outbufs_len:
            self.close_when_flushed = False
            self._lingers = True
            with contextlib.suppress(OSError):
                self.socket.shutdown(socket.SHUT_WR)

    def handle_read(self) -> None:
        if not self._lingers:
            super().handle_read()
            return
        try:
            self.recv(MIB)  # at the end of the stream it closes the channel
        except OSError:
            self.handle_close()


def answer_refused(app: Flask) -> None:
    """Make the app answer a refused request with its own page, before anything else is looked at."""

    def refuse() -> None:
        reason = request.environ.get(f"HTTP_{_MARK}")
        if reason == _TOO_LARGE:
            raise too_large()
        if reason == _NO_SPACE:
            raise NoSpace(
                "There is not enough room on this server for a file of this size; nothing of it was kept, and "
                "everything stored before is safe. Send it compressed with gzip, or ask whoever runs this service."
            )

    app.before_request_funcs.setdefault(None, []).insert(0, refuse)


def too_large() -> TooLarge:
    """Of the request at hand, for whoever sent it: a person at a page, or a phone system."""
    mark = access.of(current_app.view_functions[request.endpoint]) if request.endpoint else None
    if mark is not None and mark.pbx:
        size = (mark.largest_body or USUAL_BYTES) // MIB
        return TooLarge(f"A request to this address may have up to {size} MiB. Nothing was stored: send less at once.")
    return TooLarge(
        "What was sent is larger than this page takes; nothing of it was kept. A file of call records may have up to "
        "2 GB, one of contacts 20 MB: split a larger one. Call records may be compressed with gzip, too."
    )
