"""Every error as a page of ours, or a fragment for htmx: what happened, what is safe, what to do, the request's id.

Registered by create_app(). The pages need no database and no session: they are for when those are what failed.
"""

import errno
import sqlite3
from dataclasses import dataclass
from email.utils import parseaddr

from flask import Flask, Response, current_app, make_response, render_template, request
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException, InternalServerError

from webapp import access, body_limits, errors, htmx, logs
from webapp.services import services

_DISK_FULL = "53100"  # PostgreSQL's names
_TOO_SLOW = "57014"


@dataclass(frozen=True)
class Words:
    """happened is the page's title."""

    happened: str
    safe: str
    todo: str


_NOTHING = "Nothing was changed."
_RELOAD = "Go back, reload the page, and try again from there."
WORDS = {
    400: Words("Callbook does not understand this request", _NOTHING, _RELOAD),
    401: Words("You are not signed in", _NOTHING, "Sign in, then open the page again."),
    403: Words(
        "Your role does not allow this",
        _NOTHING,
        "Ask an owner of the organization to do it, or to give you a larger role.",
    ),
    404: Words(
        "There is no such page",
        _NOTHING,
        "Check the address, or start from the first page. A page of an organization is shown to its members only.",
    ),
    405: Words("This page cannot be used that way", _NOTHING, _RELOAD),
    410: Words(
        "This is no more",
        _NOTHING,
        "Asking again is of no use.",
    ),
    413: Words(
        "That is more than can be sent here",
        "Nothing was stored.",
        "Send less at once. A file of call records is uploaded under Phone systems; there it may have up to 2 GB.",
    ),
    422: Words("Something that was entered cannot be used", _NOTHING, "Go back, correct it, and send it again."),
    429: Words("Too many tries", _NOTHING, "Wait a little, then try again."),
    500: Words(
        "Something went wrong on our side",
        "What was stored before is safe; what you just did may not have been done.",
        "Try again in a minute. If it goes on, tell the person who runs Callbook the reference below.",
    ),
    503: Words(
        "This took too long",
        _NOTHING,
        "Ask for less at once, such as a shorter period. If it goes on, tell the person who runs Callbook the "
        "reference below.",
    ),
    507: Words(
        "There is no room left on the server",
        "What was stored before is safe; nothing of this was stored.",
        "Tell the person who runs Callbook to make room on its disk, then try again.",
    ),
}
_STALE = Words(
    "This page was open too long",
    "For your safety nothing was changed: the page belongs to an earlier visit.",
    "Go back, reload the page, and do it again.",
)
_NO_COOKIE = Words(
    "Your browser did not send the cookie back",
    _NOTHING,
    "Callbook keeps you signed in by one cookie. Allow cookies for this site, reload the page, and try again.",
)
_STATUS: dict[type[errors.CallbookError], int] = {
    errors.BadRequest: 400,
    errors.NotSignedIn: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.Gone: 410,
    errors.TooLarge: 413,
    errors.Refused: 422,
    errors.TooManyTries: 429,
    errors.NoSpace: 507,
}


def register(app: Flask) -> None:
    app.register_error_handler(errors.CallbookError, _answer_our_own)
    app.register_error_handler(errors.Suspended, _answer_suspended)
    app.register_error_handler(errors.Closed, _answer_closed)
    app.register_error_handler(CSRFError, _answer_csrf)
    app.register_error_handler(HTTPException, _answer_http)


def answer(
    status: int, words: Words, sentence: str = "", way: tuple[str, str] | None = None, owned: str = ""
) -> Response:
    """The page, or the fragment for htmx. `sentence` says what to do better than the general words; `way` is where that
    is done, and its label.

    `owned`: the name in addresses of a suspended organization, to whose owner some pages of it stay open; else "".
    """
    if _asked_by_pbx():
        return _answer_pbx(status, words, sentence)
    template = "errors/_part.html" if htmx.wants_part() else "errors/page.html"
    page = render_template(
        template,
        words=words,
        sentence=sentence,
        way=way or ("/", "To the first page"),
        owned=owned,
        reference=logs.request_id(),
        get_flashed_messages=lambda **_options: [],
    )
    return make_response(page, status)


def _asked_by_pbx() -> bool:
    return request.endpoint is not None and access.of(current_app.view_functions[request.endpoint]).pbx


def _answer_pbx(status: int, words: Words, sentence: str) -> Response:
    """A line of text: it ends in the log of a phone system, or of whoever writes its script."""
    text = sentence or f"{words.happened}. {words.safe}"
    response = Response(f"{text} (Reference {logs.request_id()})\n", status, mimetype="text/plain")
    if status == 401:
        response.headers["WWW-Authenticate"] = 'Basic realm="Callbook", charset="UTF-8", Bearer realm="Callbook"'
    return response


def _answer_our_own(error: errors.CallbookError) -> Response:
    status = _STATUS[type(error)]
    response = answer(status, WORDS[status], error.sentence)
    if isinstance(error, errors.TooManyTries):
        response.headers["Retry-After"] = str(error.wait_seconds)
    return response


def _answer_suspended(error: errors.Suspended) -> Response:
    """Why, and whom to ask: its people would take a 404 for the end of their data. Owners find Support from here."""
    _name, address = parseaddr(services().settings.mail_from or "")
    words = Words(
        f"{error.name} is suspended",
        f"The reason: “{error.sentence}”. Nothing is lost: calls, people and settings are as they were, and phone "
        "systems go on delivering.",
        f"Ask the person who runs Callbook{f' ({address})' if address else ''} when it opens again.",
    )
    return answer(403, words, owned=error.owned)


def _answer_closed(error: errors.Closed) -> Response:
    words = Words(
        f"{error.name} is closed",
        f"An owner closed it. On {error.sentence} everything of it is erased; until then nothing is lost.",
        "An owner can take that back until then, and take everything with them.",
    )
    return answer(403, words, way=(f"/o/{error.slug}/settings/closing", "Who to ask, and what can be done"))


def _answer_csrf(_error: CSRFError) -> Response:
    came_back = current_app.config["SESSION_COOKIE_NAME"] in request.cookies
    return answer(400, _STALE if came_back else _NO_COOKIE)


def _answer_http(error: HTTPException) -> Response:
    status = _status_of(error)
    if status == 413:
        return _answer_our_own(body_limits.too_large())
    response = answer(status, WORDS.get(status, WORDS[400] if status < 500 else WORDS[500]))
    for name, value in error.get_headers():
        if name in ("Allow", "Retry-After"):
            response.headers[name] = value
    return response


def _status_of(error: HTTPException) -> int:
    if isinstance(error, InternalServerError) and _is_disk_full(error.original_exception):
        return 507
    if isinstance(error, InternalServerError) and _is_too_slow(error.original_exception):
        return 503
    return error.code or 500


def _is_too_slow(error: BaseException | None) -> bool:
    """Whether the database ended a statement at its time limit."""
    cause = getattr(error, "orig", None)
    return (
        getattr(cause, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT
        or getattr(cause, "sqlstate", None) == _TOO_SLOW
    )


def _is_disk_full(error: BaseException | None) -> bool:
    """Whether the system, SQLite or PostgreSQL says that there is no room left."""
    cause = getattr(error, "orig", None) or error
    return (
        (isinstance(cause, OSError) and cause.errno == errno.ENOSPC)
        or getattr(cause, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
        or getattr(cause, "sqlstate", None) == _DISK_FULL
    )
