"""Calls to return: who called from outside, did not get through, and has not since. Holds `bp`, named returns."""

from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, flash, request, url_for
from flask.blueprints import BlueprintSetupState
from flask.typing import ResponseReturnValue
from flask_login import current_user
from sqlalchemy import select

from webapp import access, htmx, navigation
from webapp.audit.viewing import note_view
from webapp.calls import jobs, return_actions
from webapp.calls.freshness import is_behind, list_reach, tell_reach
from webapp.calls.models import Pbx
from webapp.calls.outcomes import LOOK_BACK_DAYS
from webapp.calls.periods import day_start, local_day
from webapp.calls.return_page import Seat, show_rows, tell_count
from webapp.calls.return_queries import (
    count_waiting,
    list_done,
    list_waiting,
    wants_mail,
)
from webapp.clock import now
from webapp.database.staff_rights import Area
from webapp.invitations.extensions import tell_opened
from webapp.pagination import Cursor, read_cursor, spell_cursor
from webapp.services import services
from webapp.tenancy.members import when_member_goes
from webapp.tenancy.models import Role
from webapp.tenancy.request import current_membership, current_organization, current_reader, db

bp = Blueprint("returns", __name__, url_prefix="/o/<slug:slug>/calls-to-return")
PAGE, PART, ROWS = "returns/index.html", "returns/_list.html", "returns/_rows.html"

navigation.add("To return", "returns.index", 25, Role.VIEWER)


@bp.record_once
def _register(_state: BlueprintSetupState) -> None:
    when_member_goes("calls to return", return_actions.give_back)
    jobs.register_jobs()


@bp.get("")
@access.member(Role.VIEWER)
@access.open_to_staff(Area.CALLS, "the calls to return")
def index() -> ResponseReturnValue:
    """Those who wait, by key; below them those who were marked as done today."""
    seat, cursor = current_seat(), _cursor()
    page = list_waiting(db(), seat.present, cursor)
    note_view(services().database, current_organization().id, current_user.id, "return.viewed")
    names = pbx_names()
    context: dict[str, Any] = {"rows": show_rows(db(), seat, page.rows, names), "more_href": _href(page.next_cursor)}
    if htmx.wants_part() and cursor is not None:
        return htmx.render(PAGE, ROWS, **context)
    done = list_done(db(), day_start(local_day(seat.present, seat.zone), seat.zone))
    reach = list_reach(db(), seat.zone.key, seat.present)
    count = count_waiting(db(), seat.present)
    return htmx.render(
        PAGE,
        PART,
        **context,
        done_rows=show_rows(db(), seat, done, names) if done else [],
        count=count,
        told_count=tell_count(count),
        reach=tell_reach(reach, seat.zone, seat.present),
        behind=is_behind(reach, seat.present),
        opened="" if seat.reader.narrowing is None else tell_opened(db(), seat.reader, seat.zone.key),
        wants_mail=wants_mail(db(), current_user.id),
        mail_hour=return_actions.MAIL_HOUR,
        days=LOOK_BACK_DAYS,
        first_href=url_for("returns.index") if cursor is not None else "",
    )


@bp.post("/mail")
@access.member(Role.VIEWER)
def mail() -> ResponseReturnValue:
    """The tick for one mail a day."""
    wanted, zone = "wanted" in request.form, ZoneInfo(current_organization().time_zone)
    return_actions.wish_mail(db(), current_user.id, wanted, zone, now())
    db().commit()
    if htmx.wants_part():
        return htmx.render(
            PAGE, "returns/_mail.html", wants_mail=wanted, mail_hour=return_actions.MAIL_HOUR, stored=True
        )
    flash(
        "You get one mail a day when callers wait." if wanted else "You get no more mails about calls to return.", "ok"
    )
    return htmx.go_to(url_for("returns.index"))


def current_seat() -> Seat:
    organization = current_organization()
    return Seat(
        current_membership(),
        current_reader(),
        ZoneInfo(organization.time_zone),
        organization.region,
        now(),
        names_people=db().opens(Area.PEOPLE),
    )


def pbx_names() -> dict[int, str]:
    return {row.id: row.name for row in db().execute(select(Pbx.id, Pbx.name))}


def _cursor() -> Cursor | None:
    """A damaged one begins at the newest."""
    try:
        return read_cursor(request.args["after"]) if "after" in request.args else None
    except ValueError:
        return None


def _href(cursor: Cursor | None) -> str:
    return "" if cursor is None else url_for("returns.index", after=spell_cursor(cursor))
