"""Callbook. `create_app` puts it together: settings, database, plumbing, then the features in order."""

from pathlib import Path
from typing import Any

from flask import Flask
from flask_login import current_user
from flask_wtf import CSRFProtect
from htmx_flask import Htmx
from jinja2 import StrictUndefined

from config import Settings
from webapp import access, addresses, cli, error_pages, formatting, headers, health, logs, navigation, staff_networks
from webapp.accounts import views as accounts
from webapp.calls import detail_views as call_detail
from webapp.calls import for_others as calls_for_others
from webapp.calls import return_row_views as call_to_return
from webapp.calls import return_views as calls_to_return
from webapp.calls import views as calls
from webapp.database.engine import Database
from webapp.database.installation import open_for_staff
from webapp.destinations import views as destinations
from webapp.invitations import look_as_views as look_as
from webapp.invitations import lost_factor_views as confirm_lost_factor
from webapp.invitations import people_views as people
from webapp.invitations import views as invitations
from webapp.jobs.handlers import register_chore, register_errand
from webapp.organizations import actions as organization_actions
from webapp.organizations import disclosure_views as told_disclosures
from webapp.organizations import help_code_views as help_code
from webapp.organizations import jobs as organization_jobs
from webapp.organizations import looks
from webapp.organizations import settings_views as company_settings
from webapp.organizations import support_views as support
from webapp.organizations import views as organizations
from webapp.organizations import who_looked_views as who_looked
from webapp.outbox import demo_views as outbox
from webapp.outbox.claims import sweep
from webapp.outbox.sender import send_due
from webapp.policies import announcing, notice_views
from webapp.policies import checking as promise_checking
from webapp.policies import foot as who_sees_foot
from webapp.policies import jobs as policy_jobs
from webapp.policies import notices as announcements
from webapp.policies import organization_views as promises
from webapp.policies import views as policies
from webapp.privacy import closing_views as closing
from webapp.privacy import erasing_jobs, erasures, retention_jobs
from webapp.privacy import inventory_views as inventory
from webapp.privacy import retention_views as retention
from webapp.privacy import takeout_views as takeout
from webapp.reports import views as reports
from webapp.services import Services
from webapp.sources import collect_views as collect
from webapp.sources import pbx_access
from webapp.sources import route_lookup_views as route_lookups
from webapp.sources import views as sources
from webapp.staff import closing_views as staff_closing
from webapp.staff import console_views as staff_console
from webapp.staff import disclosure_views as disclosures
from webapp.staff import gag_views as staff_gags
from webapp.staff import lost_factor_views as staff_lost_factor
from webapp.staff import notice_views as staff_notices
from webapp.staff import notices, shell
from webapp.staff import opening_views as staff_openings
from webapp.staff import organization_views as staff_organizations
from webapp.staff import policy_views as staff_policies
from webapp.staff import request_views as staff_requests
from webapp.staff import seen_views as staff_seen
from webapp.staff import service_views as staff_service
from webapp.staff import takeout_views as staff_takeout
from webapp.tenancy import guard, last_used, request

ROOT = Path(__file__).resolve().parent.parent
#: In order: a later feature may use an earlier one, never the other way round.
FEATURES = (
    health,
    outbox,
    accounts,
    organizations,
    who_looked,
    told_disclosures,
    company_settings,
    support,
    help_code,
    invitations,
    people,
    look_as,
    confirm_lost_factor,
    destinations,
    calls,
    call_detail,
    calls_to_return,
    call_to_return,
    sources,
    collect,
    route_lookups,
    reports,
    *(retention, closing),
    *(takeout, inventory),
    *(policies, promises, notice_views),
    staff_notices,
    staff_policies,
    *(staff_organizations, staff_closing),
    *(staff_console, staff_service, staff_seen),
    staff_requests,
    staff_openings,
    disclosures,
    staff_gags,
    staff_lost_factor,
    staff_takeout,
)
LARGEST_BODY = 1024 * 1024  #: bytes, for views that do not say otherwise with access.takes_body()


def create_app(settings: Settings, database: Database | None = None) -> Flask:
    """The whole app, for any WSGI server. Raises AccessError when a view does not say who may call it."""
    app = Flask("webapp", template_folder=ROOT / "templates", static_folder=ROOT / "static")
    database = database or Database(settings.database_url)
    app.extensions["callbook"] = Services(settings, database, open_for_staff(settings))
    _configure(app, settings)
    before_all = (logs, headers, error_pages, addresses, formatting, last_used, request, staff_networks, guard)
    for plumbing in (*before_all, notices, announcements, shell):
        plumbing.register(app)
    accounts.register(app, database)
    pbx_access.register(app)
    calls_for_others.register()
    organization_jobs.register_jobs()
    policy_jobs.register_jobs()
    organization_actions.when_joined("policies.tell_newcomer", announcing.tell_newcomer)
    for jobs in (retention_jobs, erasing_jobs):
        jobs.register_jobs()
    erasures.register(database, settings)
    staff_openings.register()
    promise_checking.register(app)
    guard.set_staff_record(app, looks.note_look)
    Htmx(app)
    CSRFProtect(app)
    access.public(app.view_functions["static"])
    for blueprint in dict.fromkeys(feature.bp for feature in FEATURES):
        app.register_blueprint(blueprint)
    # Here, since the outbox comes before the jobs: a job may queue a mail.
    register_errand("outbox.send", send_due)
    register_chore("outbox.sweep", sweep)
    cli.register_commands(app)
    app.context_processor(_what_layouts_need)
    guard.check_markers(app)
    return app


def _configure(app: Flask, settings: Settings) -> None:
    app.config.update(
        SECRET_KEY=settings.secret_key,
        SECRET_KEY_FALLBACKS=list(settings.secret_key_fallbacks),
        TRUSTED_HOSTS=list(settings.trusted_hosts),
        MAX_CONTENT_LENGTH=LARGEST_BODY,
        SESSION_COOKIE_NAME="__Host-sid" if settings.secure else "sid",
        SESSION_COOKIE_SECURE=settings.secure,
        WTF_CSRF_TIME_LIMIT=None,  # a token lives as long as its session
        WTF_CSRF_CHECK_DEFAULT=False,  # tenancy/guard.py asks for the check, once it knows who is there
    )
    app.jinja_env.undefined = StrictUndefined


def _what_layouts_need() -> dict[str, Any]:
    """Nothing here asks the database: the guard has. What a whole page alone shows is asked when it is."""
    place = request.current_place()
    return {
        "current_user": current_user,
        "current_organization": place.organization if place else None,
        "current_membership": place.membership if place else None,
        "navigation": navigation.links(place.membership) if place and place.organization.closing_ms is None else [],
        "looks_as": place.looks_as if place else "",
        "sees_in_part": bool(place and (narrowing := request.current_reader().narrowing) and narrowing.is_cut),
        "support_asks": support.ask_owners,
        "opening": place.opening if place else None,
        "support_looks": looks.tell_looks,
        "who_sees": who_sees_foot.tell_who_sees,
        "my_organizations": [place.organization for place in request.my_places()],
    }
