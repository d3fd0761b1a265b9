"""The console's page of notices: what stands on everybody's pages, putting one up and taking it down."""

from zoneinfo import ZoneInfo

from flask import flash, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from webapp import access, htmx
from webapp.errors import Refused
from webapp.services import services
from webapp.staff import notices
from webapp.staff.action_forms import NoticeForm, ReasonForm
from webapp.staff.blueprint import bp
from webapp.staff.frame import add_page, console_session
from webapp.staff.notice_actions import put_up, take_down
from webapp.tenancy.request import db

add_page("Notices", "staff.show_notices", 80, "show_notices", "take_notice_down")


@bp.route("/staff/notices", methods=["GET", "POST"])
@access.staff
def show_notices() -> ResponseReturnValue:
    form = NoticeForm()
    if form.validate_on_submit():
        try:
            put_up(db(), form.act(current_user), form.words.data or "", *form.span)
        except Refused as refusal:
            form.refuse(refusal)
        else:
            db().commit()
            notices.forget(services().database)
            flash("The notice is stored: everybody reads it in its time, within a minute.", "ok")
            return htmx.go_to(url_for("staff.show_notices"))
    return _page(form, ReasonForm())


@bp.post("/staff/notices/<id:notice_id>/take-down")
@access.staff
def take_notice_down(notice_id: int) -> ResponseReturnValue:
    form = ReasonForm()
    if not form.validate_on_submit():
        return _page(NoticeForm(formdata=None), form, notice_id)
    try:
        take_down(db(), form.act(current_user), notice_id)
    except Refused as refusal:
        flash(refusal.sentence, "warn")
    else:
        db().commit()
        notices.forget(services().database)
        flash("The notice is down, within a minute everywhere.", "ok")
    return htmx.go_to(url_for("staff.show_notices"))


def _page(form: NoticeForm, why: ReasonForm, refused_id: int | None = None) -> ResponseReturnValue:
    """`why`: the form of taking one down; `refused_id`: the notice at which it came back."""
    with console_session() as session:
        listed = notices.list_to_come(session)
    status = 422 if form.errors or why.errors or form.form_errors else 200
    return htmx.render(
        "staff/notices.html",
        "staff/notices.html",
        status=status,
        form=form,
        why=why,
        refused_id=refused_id,
        notices=listed,
        utc=ZoneInfo("UTC"),
    )
