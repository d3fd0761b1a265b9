"""The console: opening what an organization allowed, for two hours at most, and closing it again."""

from collections.abc import Mapping
from typing import Any

from flask import flash, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from sqlalchemy.orm import Session

from webapp import access, htmx
from webapp.accounts.session_ends import Ended, when_session_ends
from webapp.accounts.web_sessions import browser_session
from webapp.clock import from_ms, to_ms
from webapp.database.engine import Database
from webapp.database.staff_rights import Area
from webapp.errors import Refused
from webapp.jobs.handlers import Work
from webapp.jobs.handlers import register as register_job
from webapp.jobs.queue import enqueue
from webapp.services import services
from webapp.staff.blueprint import bp
from webapp.staff.opening import (
    close_access,
    find_grant,
    find_opening,
    open_access,
    slug_and_areas,
)
from webapp.staff.request_views import check_known
from webapp.tenancy.sessions import writing_session

#: In the session of the browser: the openings that end with it, as {id of the opening: id of its organization}.
OPENED = "staff_opened"
CLOSE = "staff.close_what_was_open"
#: Where an area begins.
_HOMES = {
    Area.CALLS: "calls.index",
    Area.DESTINATIONS: "destinations.index",
    Area.SOURCES: "sources.phone_systems",
    Area.PEOPLE: "people.index",
}


def register() -> None:
    """Called by create_app()."""
    when_session_ends("staff", close_with_session, file_closing)
    register_job(CLOSE, close_what_was_open, leaves_nothing=True)


@bp.post("/staff/organizations/<id:organization_id>/requests/<id:access_request_id>/open")
@access.staff
@access.fresh_factor
def open_now(organization_id: int, access_request_id: int) -> ResponseReturnValue:
    check_known(organization_id, access_request_id)
    page = url_for("staff.show_request", organization_id=organization_id, access_request_id=access_request_id)
    web_session_id = browser_session().row_id
    assert web_session_id is not None  # whoever is signed in has one
    with writing_session(services().database, organization_id) as session:
        try:
            opening = open_access(session, current_user, access_request_id, web_session_id)
        except Refused as refusal:
            flash(refusal.sentence, "error")
            return htmx.go_to(page)
        slug, areas = slug_and_areas(session, opening)
        session.commit()
    _keep(opening.id, organization_id)
    return htmx.go_to(url_for(next(_HOMES[area] for area in Area if area & areas), slug=slug))


@bp.post("/staff/organizations/<id:organization_id>/requests/<id:access_request_id>/close")
@access.staff
def close_now(organization_id: int, access_request_id: int) -> ResponseReturnValue:
    check_known(organization_id, access_request_id)
    with writing_session(services().database, organization_id) as session:
        grant = find_grant(session, current_user.id, access_request_id)
        opening = find_opening(session, grant, browser_session().row_id) if grant is not None else None
        if opening is not None:
            close_access(session, current_user.id, opening.id)
            session.commit()
    flash("Closed: you see nothing of it any more.", "ok")
    return htmx.go_to(
        url_for("staff.show_request", organization_id=organization_id, access_request_id=access_request_id)
    )


def close_with_session(database: Database, ended: Ended) -> None:
    """Whoever signs out has nothing open any more."""
    for opening_id, organization_id in _kept(ended.kept).items():
        with writing_session(database, organization_id) as session:
            close_access(session, ended.user_account_id, int(opening_id), ended.at)
            session.commit()


def file_closing(session: Session, ended: Ended) -> None:
    """Nor has one whose session was ended from elsewhere, or ran out: the worker closes it, of each organization."""
    if _kept(ended.kept):
        words = {"staff_id": ended.user_account_id, OPENED: _kept(ended.kept), "at_ms": to_ms(ended.at)}
        enqueue(session, CLOSE, words, None)


def close_what_was_open(work: Work) -> None:
    close_with_session(work.database, Ended(work.payload["staff_id"], work.payload, from_ms(work.payload["at_ms"])))


def _keep(opening_id: int, organization_id: int) -> None:
    session = browser_session()
    session[OPENED] = {**_kept(session), str(opening_id): organization_id}


def _kept(session: Mapping[str, Any]) -> dict[str, int]:
    found: dict[str, int] = session.get(OPENED, {})
    return found
