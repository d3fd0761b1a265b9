"""Counts what is used, by day, organization and feature, to improve the service: never by whom, and never of staff.

Also what phone systems were refused. Both are counted in memory and written down once a minute (tallies.py), after an
answer, in a short transaction of its own. Registered by console_views.py.
"""

from flask import Flask, Response, current_app, g, request
from flask_login import current_user
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.http import HTTP_STATUS_CODES

from webapp import access, logs
from webapp.database.engine import Database
from webapp.services import services
from webapp.sources.pbx_access import PbxCaller
from webapp.staff.counting import PUSH
from webapp.tallies import Tally, add, is_due, today, write_down
from webapp.tenancy.request import close_session, current_place

FEATURE_USE = Tally("feature_use", ("day", "organization_id", "feature"), "uses")
SOURCE_FAILURE = Tally(
    "source_failure", ("day", "organization_id", "pbx_id", "kind", "error_class"), "failures", has_last=True
)
_REFUSED = 400  # the status from which on nothing was done


def register(app: Flask) -> None:
    app.after_request(_count)


def _count(response: Response) -> Response:
    if request.endpoint is None or request.blueprint is None:
        return response
    database = services().database
    if response.status_code < _REFUSED:
        _count_use(database, request.blueprint)
    elif request.blueprint == "collect" and "pbx_caller" in g:
        _count_refused_push(database, response.status_code)
    if is_due(database):
        _write_down(database)
    return response


def _count_use(database: Database, feature: str) -> None:
    place = current_place()
    if place is None or current_user.is_staff or access.of(current_app.view_functions[str(request.endpoint)]).polling:
        return
    add(database, FEATURE_USE, today(), place.organization.id, feature)


def _count_refused_push(database: Database, status: int) -> None:
    caller: PbxCaller = g.pbx_caller
    name = HTTP_STATUS_CODES.get(status, str(status)).replace(" ", "")
    add(database, SOURCE_FAILURE, today(), caller.organization.id, caller.pbx.id, PUSH, name)


def _write_down(database: Database) -> None:
    close_session()
    try:
        write_down(database)
    except SQLAlchemyError as error:  # a figure is no reason to lose the answer
        logs.event("tallies.not_written", error=type(error).__name__)
