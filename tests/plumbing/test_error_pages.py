"""Every error is a page of ours, whatever fails."""

import errno
import re
import sqlite3
from collections.abc import Callable
from typing import NoReturn

import pytest
from flask import Flask, abort, flash, request
from sqlalchemy.exc import OperationalError

from tests.cast import Cast
from tests.client import PART, PageCheckingClient
from webapp import access, errors
from webapp.clock import now
from webapp.database.engine import Database
from webapp.tenancy.models import Organization, OrganizationState
from webapp.tenancy.request import db

RAISED: list[tuple[int, Callable[[], object]]] = [
    (400, lambda: abort(400)),
    (400, lambda: request.form["missing"]),
    (401, lambda: abort(401)),
    (403, lambda: abort(403)),
    (404, lambda: abort(404)),
    (405, lambda: abort(405)),
    (413, lambda: abort(413)),
    (415, lambda: abort(415)),
    (422, lambda: abort(422)),
    (429, lambda: abort(429)),
    (500, lambda: abort(500)),
    (500, lambda: 1 / 0),
    (503, lambda: abort(503)),
]
OURS: list[tuple[int, errors.CallbookError]] = [
    (400, errors.BadRequest()),
    (401, errors.NotSignedIn()),
    (403, errors.Forbidden()),
    (403, errors.Suspended("Harbour Boats", "The bill of May")),
    (403, errors.Closed("Harbour Boats", "harbour", "10 December 2026")),
    (404, errors.NotFound("nobody sees which one")),
    (410, errors.Gone("It is no more.")),
    (413, errors.TooLarge()),
    (422, errors.Refused("Not so.")),
    (429, errors.TooManyTries(17)),
    (507, errors.NoSpace()),
]


@pytest.fixture
def failing(app: Flask, client: PageCheckingClient) -> Callable[[Callable[[], object]], PageCheckingClient]:
    app.config["PROPAGATE_EXCEPTIONS"] = False

    def fail_with(action: Callable[[], object]) -> PageCheckingClient:
        @access.public
        def fail() -> str:
            action()
            return "no error"

        app.add_url_rule("/fail", view_func=fail, methods=["GET", "POST"])
        return client

    return fail_with


Failing = Callable[[Callable[[], object]], PageCheckingClient]


def raiser(error: Exception) -> Callable[[], NoReturn]:
    def action() -> NoReturn:
        raise error

    return action


@pytest.mark.parametrize(("status", "action"), RAISED)
@pytest.mark.parametrize("headers", [{}, PART])
def test_security_47_each_error_has_a_page_and_a_fragment(
    failing: Failing, status: int, action: Callable[[], object], headers: dict[str, str]
) -> None:
    answer = failing(action).get("/fail", headers=headers)
    assert answer.status_code == status
    assert answer.mimetype == "text/html"
    assert ("<!doctype" in answer.text) == (not headers)
    assert re.search(r"Reference for the log: <code>[0-9a-f]{12}</code>", answer.text)
    for telling in ("Traceback", "ZeroDivision", "KeyError", "File &#34;", "werkzeug", "SELECT"):
        assert telling not in answer.text


@pytest.mark.parametrize(("status", "error"), OURS)
def test_security_47_what_queries_and_actions_raise_too(
    failing: Failing, status: int, error: errors.CallbookError
) -> None:
    answer = failing(raiser(error)).get("/fail")
    assert answer.status_code == status
    assert answer.headers.get("Retry-After") == ("17" if status == 429 else None)


def test_every_error_of_ours_has_a_status() -> None:
    assert {type(error) for _, error in OURS} == set(errors.CallbookError.__subclasses__())


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OperationalError("INSERT", {}, sqlite3.OperationalError("database or disk is full")),
    ],
)
def test_a_full_disk_is_said_to_be_one(failing: Failing, error: Exception) -> None:
    if isinstance(error, OperationalError):
        assert error.orig is not None
        error.orig.sqlite_errorcode = sqlite3.SQLITE_FULL  # type: ignore[attr-defined]
    answer = failing(raiser(error)).get("/fail")
    assert answer.status_code == 507
    assert "no room left" in answer.text


def test_a_refusal_says_what_to_do_and_is_escaped(failing: Failing) -> None:
    answer = failing(raiser(errors.Refused("Choose <b>another</b> name."))).get("/fail")
    assert "Choose &lt;b&gt;another&lt;/b&gt; name." in answer.text


def test_security_47_trace_is_refused(client: PageCheckingClient) -> None:
    answer = client.open("/sign-in", method="TRACE")
    assert answer.status_code == 405
    assert "GET" in answer.headers["Allow"]


def test_a_database_that_does_not_answer_still_gives_a_page(
    app: Flask, client: PageCheckingClient, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.sign_in(cast.olive)
    app.config["PROPAGATE_EXCEPTIONS"] = False

    def refuse(*_args: object) -> NoReturn:
        raise OperationalError("SELECT secret", {}, Exception("down"))

    monkeypatch.setattr(Database, "reading", property(refuse), raising=False)
    monkeypatch.setattr(Database, "writing", property(refuse), raising=False)
    database: Database = app.extensions["callbook"].database
    del database.__dict__["reading"], database.__dict__["writing"]
    answer = client.get("/o/harbour/")
    assert answer.status_code == 500
    assert "Something went wrong on our side" in answer.text
    assert "secret" not in answer.text


def test_what_was_not_committed_is_undone_before_the_session_row_is_written(
    app: Flask, client: PageCheckingClient, cast: Cast
) -> None:
    """On SQLite the request's open write would lock out the session's own: 20 s, then a 500 instead of this answer."""
    app.config["PROPAGATE_EXCEPTIONS"] = False
    from_view = access.signed_in(_write_then_fail)
    app.add_url_rule("/half-done", view_func=from_view, methods=["POST"])
    client.sign_in(cast.olive)
    assert client.send("/half-done").status_code == 422


def _write_then_fail() -> NoReturn:
    flash("a message makes the session write")
    db().add(
        Organization(
            id=1,
            slug="x",
            name="x",
            time_zone="UTC",
            region="GB",
            state=OrganizationState.OPEN,
            contact="",
            idle_minutes=30,
            second_factor_required=False,
            created_at=now(),
        )
    )
    db().flush()
    raise errors.Refused("half done")
