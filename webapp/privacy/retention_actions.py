"""Stores how long the bound organization keeps what, each change recorded. Called by retention_views.py."""

from sqlalchemy import select

from webapp.audit.actions import record
from webapp.privacy.retention import Rules, next_run, rules_of, tell_days
from webapp.privacy.retention_planning import plan_run
from webapp.privacy.takeouts import shorten_takeouts
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.models import Organization

#: As the audit names them.
SETTINGS = {
    "calls": "How long calls are kept",
    "audit": "How long this list is kept",
    "files": "How long files that were imported are kept",
    "exports": "How long takeouts are kept",
}


def store_rules(session: LockedSession, actor_id: int, rules: Rules) -> None:
    """In force from the next run on, which is planned with it, and not before."""
    organization = session.scalars(
        select(Organization)
        .where(Organization.id == session.organization_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).one()
    before = rules_of(organization)
    organization.keep_calls_days, organization.keep_audit_days = rules.calls, rules.audit
    organization.keep_files_days, organization.keep_exports_days = rules.files, rules.exports
    session.flush()
    shorten_takeouts(session, rules.exports, next_run(organization))
    for name, days in rules._asdict().items():
        known = getattr(before, name)
        if days != known:
            before_it, after = tell_days(known), tell_days(days)
            setting = SETTINGS[name]
            record(session, "settings.changed", actor_id=actor_id, setting=setting, before=before_it, after=after)
    plan_run(session, organization, rules_changed=rules != before)
