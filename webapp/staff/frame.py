"""The frame of the console's pages: its own short list of pages, and what stands there without a database role.

A views file of the console adds its page with add_page(), and reads in console_session().
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from flask import current_app, make_response, render_template, request
from flask.typing import ResponseReturnValue

from webapp import access
from webapp.services import services
from webapp.staff.blueprint import bp
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.sessions import staff_session


@dataclass(frozen=True)
class Page:
    """`beneath`: the beginning of the endpoints' names of which it is the current one."""

    label: str
    endpoint: str
    order: int
    beneath: tuple[str, ...]

    @property
    def is_current(self) -> bool:
        name = (request.endpoint or "").partition(".")[2]
        return name.startswith(self.beneath)


_pages: dict[str, Page] = {}


def add_page(label: str, endpoint: str, order: int, *beneath: str) -> None:
    """Show this page in the bar of the console. `beneath`: how the names of its views begin, its own among them."""
    _pages[endpoint] = Page(label, endpoint, order, beneath)


@contextmanager
def console_session(organization_id: int | None = None) -> Iterator[LockedSession]:
    """What the console reads by: counts and settings of all; with an organization, also its requests."""
    database = services().staff_database
    assert database is not None  # _without_database() has answered
    with staff_session(database, organization_id) as session:
        yield session


@bp.context_processor
def _what_the_frame_needs() -> dict[str, Any]:
    return {"console_pages": sorted(_pages.values(), key=lambda page: page.order)}


@bp.before_request
def _without_database() -> ResponseReturnValue | None:
    """After the guard: whoever comes here may see the console."""
    assert request.endpoint is not None
    is_console = access.of(current_app.view_functions[request.endpoint]).staff
    if not is_console or services().staff_database is not None:
        return None
    return make_response(render_template("staff/not_set_up.html"), 503)
