"""Checks of what is kept, and for how long: backups, drills, retention; and that partners and regions are named.

Bounded by the number of organizations: a few reads each, by the key. Called by promises.py.
"""

import json
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import and_, func, select

from webapp.audit.models import AuditDetail, AuditEvent
from webapp.database.promised import oldest_feature_day
from webapp.database.types import Instant
from webapp.outbox.models import MailState, OutboxMessage
from webapp.policies.models import Policy
from webapp.policies.promise import CheckContext
from webapp.policies.values import ValuesError, load_values
from webapp.policies.versions import find_newest
from webapp.privacy.models import Takeout
from webapp.privacy.retention import preview, rules_of
from webapp.privacy.retention_actions import SETTINGS
from webapp.recovery.queries import latest_backup, latest_drill
from webapp.tallies import today
from webapp.tenancy.lock import LockedSession, kept
from webapp.tenancy.models import Organization, OrganizationState

#: Retention runs every night; a night may be missed while the machine is off.
LATE_AFTER = timedelta(days=2)
#: A backup takes its time, and timers are not exact.
_MAKING = timedelta(hours=1)
#: An erasure is put in by the hour, and comes again when it fails.
_ERASED_WITHIN = timedelta(days=1)
_MAIL_DAYS, _FEATURE_DAYS = 30, 400
_PLACES = ("partners", "regions")
_ANY_TAKEOUT = kept(select(Takeout.id).limit(1))


def backups_young(context: CheckContext) -> str:
    """The data of the newest backup is no older than the policy says, with an hour for making it."""
    hours = context.values.backup_hours
    if hours is None:
        return "Nobody has said how often a backup is made."
    with context.reading() as session:
        newest = latest_backup(session)
    if newest is None or newest.backup_at is None:
        return "No backup was ever made."
    if context.moment - newest.backup_at > timedelta(hours=hours) + _MAKING:
        return f"The data of the newest backup is older than {hours} hours."
    return ""


def drill_young(context: CheckContext) -> str:
    """A young backup was restored and compared within the days that the policy says, and nothing was different."""
    days = context.values.drill_days
    if days is None:
        return "Nobody has said how often restoring is tried."
    with context.reading() as session:
        newest = latest_drill(session)
    if newest is None or newest.ended_at is None:
        return "It was never tried whether a backup can be restored."
    if not newest.succeeded:
        return "The last try to restore a backup failed, or found something different."
    if context.moment - newest.ended_at > timedelta(days=days):
        return f"The last try to restore a backup is more than {days} days ago."
    if newest.backup_at is None or newest.ended_at - newest.backup_at > timedelta(days=days):
        return f"The last try to restore was of a backup that was more than {days} days old."
    return ""


def retention_runs(context: CheckContext) -> str:
    """No organization has anything that is older than it keeps, or is there past its end; nor has the service's own."""
    with context.reading() as session:
        organizations = session.scalars(select(Organization).order_by(Organization.id)).all()
        mailed = select(func.min(OutboxMessage.ended_at, type_=Instant())).where(
            OutboxMessage.state == MailState.HANDED_OVER
        )
        if _is_over(session.scalar(mailed), _MAIL_DAYS, context.moment):
            return "Mails are still kept that should have been deleted."
    with context.database.reading.connect() as connection:
        oldest_day = oldest_feature_day(connection)
    if oldest_day is not None and oldest_day < today() - _FEATURE_DAYS - LATE_AFTER.days:
        return "Counts of use are still kept that should have been deleted."
    for organization in organizations:
        if organization.state == OrganizationState.CLOSED:
            if organization.is_to_be_erased(context.moment - _ERASED_WITHIN):
                return "An organization that has left should have been erased by now."
            continue
        with context.reading(organization.id) as session:
            if _is_behind(session, organization, context.moment):
                return "Data is still kept that an organization wanted deleted by now."
    return ""


def _is_behind(session: LockedSession, organization: Organization, moment: datetime) -> bool:
    """Whether there is what a run two nights ago removes. Rules that were changed since have not had their nights."""
    local_day = (moment - LATE_AFTER).astimezone(ZoneInfo(organization.time_zone)).date()
    rules = rules_of(organization)
    if rules[:3] == (None, None, None) and not session.rows(_ANY_TAKEOUT):
        return False  # as most of them: nothing that could be behind
    if preview(session, local_day).is_empty:
        return False
    changed = (
        select(AuditDetail.words)
        .join(
            AuditEvent,
            and_(
                AuditEvent.organization_id == AuditDetail.organization_id, AuditEvent.position == AuditDetail.position
            ),
        )
        .where(AuditEvent.kind == "settings.changed", AuditEvent.at > moment - LATE_AFTER)
    )
    return not any(json.loads(words or "{}").get("setting") in SETTINGS.values() for words in session.scalars(changed))


def _is_over(oldest: datetime | None, days: int, moment: datetime) -> bool:
    return oldest is not None and moment - oldest > timedelta(days=days) + LATE_AFTER


def own_database(context: CheckContext) -> str:
    """Partners and regions are named, and what the server's file names was published, in force already or to come."""
    try:
        listed = load_values(context.settings).filling()
    except ValuesError:
        return "The list of partners and regions on the server cannot be read."
    with context.reading() as session:
        newest = find_newest(session, Policy.PRIVACY)
    published = json.loads(newest.frozen_values) if newest else listed
    if any(listed.get(name) != published.get(name) for name in _PLACES):
        return "The partners or the regions on the server are not those that were published."
    if not context.values.partners or not context.values.regions:
        return "The partners that provide machines, network and mail, or the regions, are not named yet."
    return ""
