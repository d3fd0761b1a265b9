"""The console's pages of the policies: what is published, publishing, telling of incidents, and who was told."""

from typing import Any
from zoneinfo import ZoneInfo

from flask import flash, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from webapp import access, clock, htmx
from webapp.errors import NotFound, Refused
from webapp.organizations.queries import get_organization
from webapp.policies import notices, outcomes
from webapp.policies.differences import compare
from webapp.policies.incidents import Incident, tell_of_incident
from webapp.policies.models import Policy
from webapp.policies.publishing import promised_notice
from webapp.policies.publishing import publish as publish_version
from webapp.policies.values import Values, ValuesError, load_values, values_file
from webapp.policies.versions import Draft, draft_of, find_in_force, text_of
from webapp.services import services
from webapp.staff.action_forms import ReasonForm
from webapp.staff.blueprint import bp
from webapp.staff.frame import add_page, console_session
from webapp.staff.policy_forms import CameBackForm, IncidentForm, PublishForm
from webapp.tenancy.models import Organization
from webapp.tenancy.request import db

add_page("Policies", "staff.policies", 85, "policies", "publish_policy", "announce", "mail_came_back")


@bp.get("/staff/policies")
@access.staff
def policies() -> ResponseReturnValue:
    settings = services().settings
    values, unreadable = _values()
    with console_session() as session:
        drafts = [draft_of(session, settings, values, policy) for policy in Policy]
        in_force = {draft.policy: find_in_force(session, draft.policy) for draft in drafts}
        told = outcomes.list_told(session)
    return htmx.render(
        "staff/policies.html",
        "staff/policies.html",
        drafts=drafts,
        in_force=in_force,
        told=told,
        unreadable=unreadable,
        file=values_file(settings).name,
        **_times(),
    )


@bp.route("/staff/policies/<any(privacy,security):policy_name>/publish", methods=["GET", "POST"])
@access.staff
@access.proved
def publish_policy(policy_name: str) -> ResponseReturnValue:
    form, policy = PublishForm(), Policy[policy_name.upper()]
    if form.validate_on_submit():
        settings = services().settings
        try:
            values = load_values(settings)
            draft = draft_of(db(), settings, values, policy)
            _check_seen(draft, form)
            version = publish_version(db(), draft, form.change(), form.by(current_user), values.notice_days)
        except Refused as refusal:
            form.refuse(refusal)
        else:
            db().commit()
            notices.forget(services().database)
            flash(f"Version {version.version} of the {policy.word} policy is published.", "ok")
            return htmx.go_to(url_for("staff.policies"))
    return _publish_page(form, policy)


@bp.route("/staff/announcements/new", methods=["GET", "POST"])
@access.staff
@access.proved
def announce() -> ResponseReturnValue:
    form = IncidentForm()
    if form.validate_on_submit():
        try:
            incident = Incident(form.subject.data or "", form.words.data or "", _concerned(form))
            told = tell_of_incident(db(), incident, form.by(current_user))
        except Refused as refusal:
            form.refuse(refusal)
        else:
            db().commit()
            notices.forget(services().database)
            flash("People are being told, by mail and notice.", "ok")
            return htmx.go_to(url_for("staff.announcement", announcement_id=told.id))
    return htmx.render(
        "staff/act.html",
        "staff/_announce.html",
        status=_status(form),
        inner="staff/_announce.html",
        title="Tell of an incident",
        form=form,
    )


@bp.get("/staff/announcements/<id:announcement_id>")
@access.staff
def announcement(announcement_id: int) -> ResponseReturnValue:
    return _announcement_page(announcement_id, CameBackForm())


@bp.post("/staff/announcements/<id:announcement_id>/came-back")
@access.staff
def mail_came_back(announcement_id: int) -> ResponseReturnValue:
    form = CameBackForm()
    if form.validate_on_submit():
        try:
            outcomes.note_came_back(db(), announcement_id, form.message_id.data or "", form.by(current_user))
        except Refused as refusal:
            form.refuse(refusal)
        else:
            db().commit()
            flash("It is noted that this mail came back.", "ok")
            return htmx.go_to(url_for("staff.announcement", announcement_id=announcement_id))
    return _announcement_page(announcement_id, form)


def _concerned(form: IncidentForm) -> Organization | None:
    """Raises Refused."""
    if form.whom.data == "everybody":
        if form.slug.data:
            raise Refused("An organization is named too: take it out, or choose its people.", "whom")
        return None
    try:
        return get_organization(db(), form.slug.data or "")
    except NotFound:
        raise Refused("There is no organization of this name.", "slug") from None


def _values() -> tuple[Values, str]:
    """Those of the operator's file, and why it cannot be read, "" where it can."""
    try:
        return load_values(services().settings), ""
    except ValuesError as error:
        return Values(), error.sentence


def _check_seen(draft: Draft, form: PublishForm) -> None:
    """What is published for good was read before: the operator's file may have changed since. Raises Refused."""
    if draft.is_new and form.seen.data != draft.digest.hex():
        raise Refused(
            "Text or values have changed since this page showed them. Read above what is new now, then publish."
        )


def _publish_page(form: PublishForm, policy: Policy) -> ResponseReturnValue:
    settings = services().settings
    values, unreadable = _values()
    with console_session() as session:
        draft = draft_of(session, settings, values, policy)
        notice_days = promised_notice(session, values.notice_days)
    before = text_of(draft.newest).blocks if draft.newest else []
    return htmx.render(
        "staff/publish_policy.html",
        "staff/_publish_policy.html",
        status=_status(form),
        form=form,
        draft=draft,
        difference=compare(before, draft.text.blocks) if before else [],
        notice_days=notice_days,
        unreadable=unreadable,
        file=values_file(settings).name,
        **_times(),
    )


def _announcement_page(announcement_id: int, form: CameBackForm) -> ResponseReturnValue:
    with console_session() as session:
        told = outcomes.get_told(session, announcement_id)
        failed = outcomes.list_failed(session, announcement_id)
    return htmx.render(
        "staff/announcement.html",
        "staff/announcement.html",
        status=_status(form),
        form=form,
        told=told,
        failed=failed,
        **_times(),
    )


def _status(form: ReasonForm) -> int:
    return 422 if form.errors or form.form_errors else 200


def _times() -> dict[str, Any]:
    return {"zone": ZoneInfo("UTC"), "today": clock.now().date()}
