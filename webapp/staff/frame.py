"""The frame of the console's pages: what stands there without a database role, and the session that they read in."""

from collections.abc import Iterator
from contextlib import contextmanager

from flask import current_app, make_response, render_template, request
from flask.typing import ResponseReturnValue

from webapp import access
from webapp.services import services
from webapp.staff.blueprint import bp
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.sessions import staff_session


@contextmanager
def console_session(organization_id: int | None = None) -> Iterator[LockedSession]:
    """What the console reads by: counts and settings of all; with an organization, also its requests."""
    database = services().staff_database
    assert database is not None  # _without_database() has answered
    with staff_session(database, organization_id) as session:
        yield session


@bp.before_request
def _without_database() -> ResponseReturnValue | None:
    """After the guard: whoever comes here may see the console."""
    assert request.endpoint is not None
    is_console = access.of(current_app.view_functions[request.endpoint]).staff
    if not is_console or services().staff_database is not None:
        return None
    return make_response(render_template("staff/not_set_up.html"), 503)
