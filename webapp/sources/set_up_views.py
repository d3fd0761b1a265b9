"""The questions that no file answers, with guesses; a changed answer shows calls before and after, then reads again."""

from typing import Any
from zoneinfo import ZoneInfo

from flask import Response, flash, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from webapp import access, htmx
from webapp.calls.models import Pbx
from webapp.calls.phone_systems import read_extension_digits
from webapp.database.installation import number_key
from webapp.ingest.guesses import Answers as GuessedAnswers
from webapp.ingest.reread import compare
from webapp.ingest.settings import PbxSettings
from webapp.ingest.source import UnreadableFile
from webapp.jobs.queue import find_open_job
from webapp.services import services
from webapp.sources import queries, reading
from webapp.sources.actions import Answers, answer_questions, read_records_again
from webapp.sources.blueprint import bp
from webapp.sources.forms import SetUpForm
from webapp.sources.import_pages import local_today
from webapp.sources.imports import READ_AGAIN
from webapp.tenancy.models import Role
from webapp.tenancy.request import current_organization, current_reader, db


@bp.route("/phone-systems/<id:pbx_id>/set-up", methods=["GET", "POST"])
@access.member(Role.MANAGER)
@access.sees_every_call
def set_up(pbx_id: int) -> ResponseReturnValue:
    """GET asks, POST stores at once where no records are there yet, else shows what the answers would change."""
    pbx = queries.get_pbx(db(), pbx_id)
    guess = _guess(pbx)
    form = _form(pbx, guess)
    if not form.validate_on_submit():
        return _set_up_page(form, pbx, guess)
    answers = form.answers()
    if pbx.answered_at is not None and answers == Answers.of(pbx):
        flash("The answers are the same as before. Nothing was changed.", "info")
        return htmx.go_to(url_for("sources.phone_systems"))
    if not queries.count_stored_from(db(), pbx.id):
        return _store(pbx, answers)
    return _compare_page(form, pbx, answers)


@bp.post("/phone-systems/<id:pbx_id>/set-up/apply")
@access.member(Role.MANAGER)
@access.sees_every_call
def apply_set_up(pbx_id: int) -> ResponseReturnValue:
    """Store the answers and read the records again in the background."""
    pbx = queries.get_pbx(db(), pbx_id)
    guess = _guess(pbx)
    form = _form(pbx, guess)
    if not form.validate():
        return _set_up_page(form, pbx, guess)
    return _store(pbx, form.answers())


def _store(pbx: Pbx, answers: Answers) -> Response:
    records = queries.count_stored_from(db(), pbx.id)
    answer_questions(db(), pbx, answers, actor_id=current_user.id)
    if records:
        read_records_again(db(), pbx, records, actor_id=current_user.id)
    db().commit()
    if records:
        flash(
            f"The answers are stored. {records:,} records of {pbx.name} are being read again; pages change meanwhile.",
            "ok",
        )
    else:
        flash(f"The answers are stored. Files of {pbx.name} will be read by them.", "ok")
    return htmx.go_to(url_for("sources.phone_systems"))


def _guess(pbx: Pbx) -> GuessedAnswers:
    """From what it sent by itself, else from the newest file that is kept. One that cannot be opened gives no guess."""
    delivered = queries.find_delivered(db(), pbx.id)
    if delivered is not None and delivered.newest.format:
        return reading.guess_from_rows(queries.list_delivered_rows(db(), delivered), delivered.newest.format, pbx)
    database, key = services().database, number_key(services().settings)
    try:
        return reading.guess_from_file(database, key, queries.newest_read_file(db(), pbx.id), pbx)
    except (UnreadableFile, FileNotFoundError):
        return reading.guess_from_file(database, key, None, pbx)


def _form(pbx: Pbx, guess: GuessedAnswers) -> SetUpForm:
    """With the stored answers, or with the guesses where nobody has answered yet."""
    stored, reader = Answers.of(pbx), current_reader()
    if pbx.answered_at is not None:
        begin = stored
    else:
        begin = Answers(
            outside_lines=frozenset(line.name for line in guess.lines if line.outside),
            extension_digits=guess.extension_digits,
            outside_prefix=guess.outside_prefix,
            region=guess.region,
            area_code=guess.area_code,
            time_zone=pbx.time_zone,
        )
    key = number_key(services().settings)
    lines = reading.name_lines(guess.lines, sorted(stored.outside_lines), reader, key)
    data: dict[str, Any] = {
        **vars(begin),
        "outside_lines": [line.value for line in lines if line.name in begin.outside_lines],
    }
    return SetUpForm(data=data, lines=lines)


def _set_up_page(form: SetUpForm, pbx: Pbx, guess: GuessedAnswers) -> Response:
    return htmx.render(
        "sources/set_up.html",
        "sources/_set_up.html",
        status=422 if form.errors else 200,
        form=form,
        pbx=pbx,
        guess=guess,
        is_reading_again=find_open_job(db(), READ_AGAIN, db().organization_id, {"pbx_id": pbx.id}) is not None,
    )


def _compare_page(form: SetUpForm, pbx: Pbx, answers: Answers) -> Response:
    settings = PbxSettings(
        pbx_id=pbx.id,
        time_zone=answers.time_zone,
        region=answers.region,
        area_code=answers.area_code,
        outside_prefix=answers.outside_prefix,
        extension_digits=read_extension_digits(answers.extension_digits),
        outside_lines=answers.outside_lines,
    )
    changes = compare(db(), number_key(services().settings), settings)
    zone = ZoneInfo(current_organization().time_zone)
    reader = current_reader()
    pairs = [
        reading.show_change(
            reading.show_call(change.before, pbx.region, reader),
            reading.show_call(change.after, answers.region, reader),
            zone,
        )
        for change in changes
    ]
    return htmx.render(
        "sources/compare.html",
        "sources/compare.html",
        form=form,
        pbx=pbx,
        pairs=pairs,
        changed_count=sum(bool(pair.words) for pair in pairs),
        records=queries.count_stored_from(db(), pbx.id),
        zone=zone,
        today=local_today(zone),
    )
