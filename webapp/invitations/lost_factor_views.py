"""An owner confirms that somebody has lost every second factor, or stops it. Adds to the blueprint of People."""

from flask import Response, flash, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from webapp import access, htmx, logs
from webapp.accounts import lost_factor
from webapp.accounts.entering import keys
from webapp.accounts.models import UserAccount
from webapp.errors import Refused
from webapp.invitations.lost_factors import get_asked
from webapp.invitations.people_views import bp
from webapp.services import services
from webapp.tenancy.guard import hold_and_check
from webapp.tenancy.models import Role
from webapp.tenancy.request import close_session, current_organization, db
from webapp.tenancy.sessions import writing_session

__all__ = ["bp"]


@bp.get("/lost-factor/<id:removal_id>")
@access.member(Role.OWNER)
@access.proved
def lost_factor_of(removal_id: int) -> ResponseReturnValue:
    return _page(removal_id)


def _page(removal_id: int, refusal: str = "") -> Response:
    asked = get_asked(db(), removal_id)
    page = render_template(
        "people/lost_factor.html", asked=asked, is_own=asked.person.id == current_user.id, refusal=refusal
    )
    return Response(page, 422 if refusal else 200)


@bp.post("/lost-factor/<id:removal_id>/confirm")
@access.member(Role.OWNER)
@access.proved
def confirm_lost_factor(removal_id: int) -> ResponseReturnValue:
    hold_and_check()
    asked, organization = get_asked(db(), removal_id), current_organization()
    try:
        lost_factor.confirm(db(), organization, current_user.id, asked.removal)
    except Refused as refusal:
        db().rollback()
        return _page(removal_id, refusal.sentence)
    db().commit()
    close_session()
    done = _go_on(asked.person, removal_id)
    logs.event("lost_factor.confirmed", user_account_id=current_user.id)
    name = asked.person.name or asked.person.email
    then = "signs in by the password alone now" if done else "still needs the word of other organizations, or waits"
    flash(f"Confirmed. {name} {then}.", "ok")
    return htmx.go_to(url_for("people.index"))


def _go_on(person: UserAccount, removal_id: int) -> bool:
    """What follows in the name of the person: they are told, and all organizations together may be enough."""
    with writing_session(services().database) as session:
        session.bind_person(person.id)
        removal = lost_factor.hold_removal(session, removal_id)
        if removal is None:
            return False
        lost_factor.tell_confirmed(session, keys(), removal, current_organization())
        done = lost_factor.finish_if_ready(session, removal_id)
        session.commit()
    return done


@bp.post("/lost-factor/<id:removal_id>/stop")
@access.member(Role.OWNER)
@access.proved
def stop_lost_factor(removal_id: int) -> ResponseReturnValue:
    """Of all organizations: an owner who doubts it is enough."""
    hold_and_check()
    asked = get_asked(db(), removal_id)
    close_session()
    with writing_session(services().database) as session:
        session.bind_person(asked.person.id)
        stopped = lost_factor.stop(session, removal_id, "an owner stopped it", current_user.id)
        session.commit()
    flash("It is stopped: the second factor stays." if stopped else "It was over already.", "ok")
    return htmx.go_to(url_for("people.index"))
