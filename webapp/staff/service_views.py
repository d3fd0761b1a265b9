"""The console's page of the service, and letting failed jobs and mails go again. Holds `bp`."""

from zoneinfo import ZoneInfo

from flask import flash, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from webapp import access, clock, htmx
from webapp.audit.actions import record
from webapp.errors import NotFound, Refused
from webapp.jobs.queue import retry_dead
from webapp.outbox.actions import retry_mail
from webapp.outbox.sender import can_send
from webapp.policies.promises import PROMISES
from webapp.policies.states import list_broken
from webapp.services import services
from webapp.staff.blueprint import bp
from webapp.staff.frame import add_page, console_session
from webapp.staff.retry_form import RetryForm
from webapp.staff.service import (
    WORKER_SEEN_WITHIN,
    Failed,
    list_dead_jobs,
    list_refused_mails,
    list_turned_away,
    list_versions,
    list_workers,
    read_mail,
    read_queue,
    read_recovery,
    read_storage,
)
from webapp.tenancy.sessions import writing_session

__all__ = ["bp"]

SERVICE = 0  #: whose chain holds what is done to the service itself
add_page("Service", "staff.service", 20, "service", "retry_")


@bp.get("/staff/service")
@access.staff
def service() -> ResponseReturnValue:
    """How everything is doing, as of now."""
    settings, database = services().settings, services().database
    moment = clock.now()
    with console_session() as session:
        workers = list_workers(session)
        return htmx.render(
            "staff/service.html",
            "staff/_service.html",
            queue=read_queue(session),
            mail=read_mail(session),
            can_send=can_send(settings),
            dead_jobs=list_dead_jobs(session),
            refused_mails=list_refused_mails(session),
            alive=[seen_at for seen_at in workers if moment - seen_at <= WORKER_SEEN_WITHIN],
            last_seen_at=workers[0] if workers else None,
            storage=read_storage(session, database, settings),
            beside_database=database.dialect == "sqlite",
            recovery=read_recovery(session),
            networks=list_turned_away(session),
            versions=list_versions(session, database),
            broken_promises=list_broken(session),
            promise_names={promise.key: promise.name for promise in PROMISES},
            zone=ZoneInfo("UTC"),
            today=moment.date(),
        )


@bp.route("/staff/service/jobs/<id:job_id>/retry", methods=["GET", "POST"])
@access.staff
def retry_job(job_id: int) -> ResponseReturnValue:
    with console_session() as session:
        failed = _only(list_dead_jobs(session, job_id))
    form = RetryForm()
    if not form.validate_on_submit():
        return _retry_page(form, failed, "job", url_for("staff.retry_job", job_id=job_id))
    with writing_session(services().database, SERVICE) as session:
        retry_dead(session, job_id)
        record(
            session,
            "service.job_retried",
            actor_id=current_user.id,
            object_id=job_id,
            what=failed.kind,
            staff=_staff_name(),
            reason=form.reason.data,
        )
        session.commit()
    flash(f"The job {failed.kind} goes again.", "ok")
    return htmx.go_to(url_for("staff.service"))


@bp.route("/staff/service/mails/<id:outbox_message_id>/retry", methods=["GET", "POST"])
@access.staff
def retry_refused_mail(outbox_message_id: int) -> ResponseReturnValue:
    with console_session() as session:
        failed = _only(list_refused_mails(session, outbox_message_id))
    form = RetryForm()
    address = url_for("staff.retry_refused_mail", outbox_message_id=outbox_message_id)
    if not form.validate_on_submit():
        return _retry_page(form, failed, "mail", address)
    with writing_session(services().database, SERVICE) as session:
        try:
            retry_mail(session, outbox_message_id)
        except Refused as refusal:
            form.reason.errors = [refusal.sentence]
            return _retry_page(form, failed, "mail", address)
        record(
            session,
            "service.mail_retried",
            actor_id=current_user.id,
            object_id=outbox_message_id,
            what=failed.kind,
            staff=_staff_name(),
            reason=form.reason.data,
        )
        session.commit()
    flash(f"The mail {failed.kind} goes again.", "ok")
    return htmx.go_to(url_for("staff.service"))


def _retry_page(form: RetryForm, failed: Failed, what: str, address: str) -> ResponseReturnValue:
    return htmx.render(
        "staff/retry.html",
        "staff/_retry.html",
        status=422 if form.errors else 200,
        form=form,
        failed=failed,
        what=what,
        action=address,
        zone=ZoneInfo("UTC"),
        today=clock.now().date(),
    )


def _only(found: list[Failed]) -> Failed:
    """Raises NotFound: it is not there, or goes again already."""
    if not found:
        raise NotFound
    return found[0]


def _staff_name() -> str:
    return str(current_user.name or current_user.email)
