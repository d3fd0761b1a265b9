""" "I lost my phone and my codes", between the password and the code; and "this was not me" of its mails.

A link's GET writes nothing: its page has a button. Afterwards another owner of each organization is asked.
"""

from flask import Response, redirect, render_template, request, url_for
from flask.blueprints import BlueprintSetupState
from flask.typing import ResponseReturnValue

from webapp import access, logs
from webapp.accounts import limits, lost_factor
from webapp.accounts.blueprint import bp
from webapp.accounts.browsers import here
from webapp.accounts.entering import keys, too_many
from webapp.accounts.lost_factor_jobs import register_jobs
from webapp.accounts.models import UserAccount
from webapp.accounts.sign_in import name_of
from webapp.accounts.web_sessions import browser_session
from webapp.error_pages import Words
from webapp.errors import Refused, TooManyTries
from webapp.services import services
from webapp.tenancy.request import db


@bp.record_once
def _register_jobs(_state: BlueprintSetupState) -> None:
    register_jobs()


@bp.route("/sign-in/lost-factor", methods=["GET", "POST"])
@access.public
def ask_without_factor() -> ResponseReturnValue:
    person = browser_session().waiting_person
    if person is None:
        return redirect(url_for("accounts.sign_in"), 303)
    if request.method != "POST":
        return _page(person)
    where = here()
    try:
        limits.count(services().database, limits.FACTORS_LOST, name_of(person), where.network)
    except TooManyTries as refusal:
        answer = _page(person, 429, too_many(refusal.wait_seconds))
        answer.headers["Retry-After"] = str(refusal.wait_seconds)
        return answer
    db().bind_person(person.id)
    try:
        lost_factor.ask(db(), keys(), person.id, where)
    except Refused as refusal:
        db().rollback()
        return _page(person, 422, Words("Nothing was asked yet.", "", refusal.sentence))
    db().commit()
    logs.event("lost_factor.asked", user_account_id=person.id)
    return redirect(url_for("accounts.ask_without_factor"), 303)


def _page(person: UserAccount, status: int = 200, mistake: Words | None = None) -> Response:
    db().bind_person(person.id)
    waiting = lost_factor.find_waiting(db(), person.id)
    standings = lost_factor.list_standings(db(), waiting)
    page = render_template(
        "accounts/lost_factor.html",
        person=person,
        waiting=waiting,
        confirmed=sum(each.confirmed for each in standings),
        asked=len(standings),
        nobody=not standings or not all(each.has_other for each in standings),
        mistake=mistake,
    )
    return Response(page, status)


@bp.route("/not-me/<token>", methods=["GET", "POST"])
@access.public
def not_me(token: str) -> ResponseReturnValue:
    if request.method == "POST":
        limits.count_network(services().database, limits.LINKS, here().network)
    found = lost_factor.find_by_token(db(), token)
    if found is None:
        return render_template("accounts/not_me_over.html"), 404
    person = db().get_one(UserAccount, found.user_account_id)
    if request.method != "POST":
        return render_template("accounts/not_me.html", token=token, email=person.email)
    db().bind_person(person.id)
    lost_factor.stop(db(), found.id, lost_factor.NOT_ME, person.id)  # whoever reads a mail of theirs, no operator
    db().commit()
    logs.event("lost_factor.stopped", user_account_id=person.id)
    return render_template("accounts/not_me_done.html")
