"""How long an organization keeps what: the page of the settings, and before it is stored, what would be removed.

Adds to the blueprint of the settings. A shorter time asks for fresh proof of who chooses it.
"""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from flask import Response, flash, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from webapp import access, htmx
from webapp.accounts.gates import ask_for_proof
from webapp.clock import now
from webapp.organizations.settings_views import bp
from webapp.privacy.retention import (
    LINES_AT_MOST,
    Preview,
    Rules,
    list_runs,
    next_run,
    next_run_day,
    preview,
    rules_of,
    tell_days,
)
from webapp.privacy.retention_actions import store_rules
from webapp.privacy.retention_forms import RetentionForm
from webapp.tenancy.guard import hold_and_check
from webapp.tenancy.models import GRACE, Role
from webapp.tenancy.request import current_organization, db

__all__ = ["bp"]

_RUNS_SHOWN = 10


@dataclass(frozen=True)
class Night:
    """When the next run comes, in the zone of the organization."""

    at: datetime
    zone: ZoneInfo

    @property
    def today(self) -> object:
        """The local day, which pages count from."""
        return now().astimezone(self.zone).date()


@bp.get("/retention")
@access.member(Role.OWNER)
def retention() -> ResponseReturnValue:
    return _page(RetentionForm(rules_of(current_organization()), formdata=None))


@bp.get("/retention/preview")
@access.member(Role.OWNER)
def preview_retention() -> ResponseReturnValue:
    """What the next run removes by what was chosen, which stands in the address. Stores nothing."""
    form = RetentionForm(rules_of(current_organization()), formdata=request.args, meta={"csrf": False})
    if not form.validate():
        return _page(form, 422)
    chosen, before = form.rules(), rules_of(current_organization())
    if chosen == before:
        return htmx.go_to(url_for("settings.retention"))
    instead = ask_for_proof() if chosen.is_shorter_than(before) else None
    return instead or _confirm_page(form, chosen)


@bp.post("/retention")
@access.member(Role.OWNER)
def store_retention() -> ResponseReturnValue:
    hold_and_check()
    form = RetentionForm(rules_of(current_organization()))
    if not form.validate_on_submit():
        return _page(form, 422)
    chosen, before = form.rules(), rules_of(current_organization())
    if form.is_outdated and chosen != before:
        form.form_errors.append("Other times were stored since you looked. Look again at what would go.")
        return _page(form, 422)
    instead = ask_for_proof() if chosen.is_shorter_than(before) else None
    if instead is not None:
        return instead
    store_rules(db(), current_user.id, chosen)
    db().commit()
    flash(f"Stored. It takes effect with the next run, {_night().at:%H:%M on %-d %B}.", "ok")
    return htmx.go_to(url_for("settings.retention"))


def _night() -> Night:
    organization = current_organization()
    zone = ZoneInfo(organization.time_zone)
    return Night(next_run(organization).astimezone(zone), zone)


def _foresee(rules: Rules | None = None) -> Preview:
    return preview(db(), next_run_day(current_organization()), rules)


def _page(form: RetentionForm, status: int = 200) -> Response:
    return htmx.render(
        "settings/retention.html",
        "settings/_retention.html",
        status=status,
        form=form,
        night=_night(),
        lines_at_most=LINES_AT_MOST,
        goes=_foresee(),
        keeps_from=current_organization().keeps_from,
        runs=list_runs(db(), _RUNS_SHOWN),
        grace_days=GRACE.days,
    )


def _confirm_page(form: RetentionForm, chosen: Rules) -> Response:
    before = rules_of(current_organization())
    changed = [
        (form[name].label.text, tell_days(getattr(before, name)), tell_days(days))
        for name, days in chosen._asdict().items()
        if days != getattr(before, name)
    ]
    outlives = chosen.calls is not None and (chosen.files is None or chosen.files > chosen.calls)
    return htmx.render(
        "settings/retention_preview.html",
        "settings/_retention_preview.html",
        form=form,
        changed=changed,
        night=_night(),
        lines_at_most=LINES_AT_MOST,
        goes=_foresee(chosen),
        goes_anyway=_foresee(),
        files_outlive_calls=outlives,
    )
