"""Phone systems: the list with their health, adding, renaming, closing. Holds `bp`; loads the other views files."""

from zoneinfo import ZoneInfo

from flask import Response, flash, url_for
from flask.blueprints import BlueprintSetupState
from flask.typing import ResponseReturnValue
from flask_login import current_user

from webapp import access, clock, htmx, navigation
from webapp.audit.objects import register_object
from webapp.calls.models import Pbx
from webapp.database.staff_rights import Area
from webapp.errors import Refused
from webapp.ingest.readers import READERS
from webapp.jobs.queue import list_open_jobs
from webapp.sources import import_views, refused_views, set_up_views, token_views, upload_views, words
from webapp.sources.actions import add_pbx, close_pbx, rename_pbx, reopen_pbx
from webapp.sources.blueprint import bp
from webapp.sources.forms import NameForm, PhoneSystemForm
from webapp.sources.imports import READ_AGAIN
from webapp.sources.jobs import register_jobs
from webapp.sources.queries import get_pbx, list_existing_imports, list_phone_systems
from webapp.tenancy.models import Role
from webapp.tenancy.request import current_membership, current_opening, current_organization, db

__all__ = ["bp", "import_views", "refused_views", "set_up_views", "token_views", "upload_views", "words"]

navigation.add("Phone systems", "sources.phone_systems", 60, Role.VIEWER)
register_object("import", "sources.show_import", "import_file_id", list_existing_imports)


@bp.record_once
def _register_jobs(_state: BlueprintSetupState) -> None:
    register_jobs()


@bp.get("/phone-systems")
@access.member(Role.VIEWER)
@access.sees_every_call
@access.open_to_staff(Area.SOURCES, "the phone systems")
def phone_systems() -> ResponseReturnValue:
    organization = current_organization()
    zone = ZoneInfo(organization.time_zone)
    return htmx.render(
        "sources/index.html",
        "sources/index.html",
        sees_calls=db().opens(Area.CALLS),
        systems=list_phone_systems(db(), organization.time_zone),
        reading_again=_list_reading_again(),
        readers=READERS,
        may_change=current_membership().role >= Role.MANAGER,
        zone=zone,
        today=clock.now().astimezone(zone).date(),
    )


def _list_reading_again() -> frozenset[int]:
    """Ids of phone systems whose records are being read again. Support is not told what jobs are about."""
    if current_opening() is not None:
        return frozenset()
    jobs = list_open_jobs(db(), READ_AGAIN, db().organization_id)
    return frozenset(payload["pbx_id"] for payload in jobs)


@bp.route("/phone-systems/new", methods=["GET", "POST"])
@access.member(Role.MANAGER)
@access.sees_every_call
def add() -> ResponseReturnValue:
    organization = current_organization()
    form = PhoneSystemForm(data={"time_zone": organization.time_zone})
    if not form.validate_on_submit():
        return _add_page(form)
    try:
        pbx = add_pbx(
            db(),
            form.name.data or "",
            form.time_zone.data,
            organization.region,
            form.reader_name.data or None,
            actor_id=current_user.id,
        )
    except Refused as refusal:
        form.name.errors = [*form.name.errors, refusal.sentence]
        return _add_page(form)
    db().commit()
    return htmx.go_to(url_for("sources.upload", pbx_id=pbx.id))


def _add_page(form: PhoneSystemForm) -> Response:
    status = 422 if form.errors else 200
    return htmx.render("sources/add.html", "sources/_add.html", status=status, form=form)


@bp.route("/phone-systems/<id:pbx_id>/name", methods=["GET", "POST"])
@access.member(Role.MANAGER)
@access.sees_every_call
def rename(pbx_id: int) -> ResponseReturnValue:
    pbx = get_pbx(db(), pbx_id)
    form = NameForm(obj=pbx)
    if not form.validate_on_submit():
        return _rename_page(form, pbx)
    try:
        rename_pbx(db(), pbx, form.name.data or "", actor_id=current_user.id)
    except Refused as refusal:
        form.name.errors = [*form.name.errors, refusal.sentence]
        return _rename_page(form, pbx)
    db().commit()
    flash(f"The phone system is called {pbx.name} now.", "ok")
    return htmx.go_to(url_for("sources.phone_systems"))


def _rename_page(form: NameForm, pbx: Pbx) -> Response:
    status = 422 if form.errors else 200
    return htmx.render("sources/rename.html", "sources/_rename.html", status=status, form=form, pbx=pbx)


@bp.post("/phone-systems/<id:pbx_id>/close")
@access.member(Role.MANAGER)
@access.sees_every_call
def close(pbx_id: int) -> ResponseReturnValue:
    pbx = get_pbx(db(), pbx_id)
    close_pbx(db(), pbx, actor_id=current_user.id)
    db().commit()
    flash(f"{pbx.name} is closed: it takes no more files. Its calls stay where they are.", "ok")
    return htmx.go_to(url_for("sources.phone_systems"))


@bp.post("/phone-systems/<id:pbx_id>/reopen")
@access.member(Role.MANAGER)
@access.sees_every_call
def reopen(pbx_id: int) -> ResponseReturnValue:
    pbx = get_pbx(db(), pbx_id)
    reopen_pbx(db(), pbx, actor_id=current_user.id)
    db().commit()
    flash(f"{pbx.name} is open again and takes files.", "ok")
    return htmx.go_to(url_for("sources.phone_systems"))
