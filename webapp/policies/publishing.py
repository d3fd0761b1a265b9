"""Publishes a version: text and values frozen together, for good. Called by the console and by `flask publish-policy`.

It stands in the service's own chain with its hash, and where it is significant everybody is told, in one transaction.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from sqlalchemy.exc import IntegrityError

from webapp.audit.service_chain import note_for_service
from webapp.clock import now
from webapp.errors import Refused
from webapp.formatting import format_date
from webapp.policies.announcing import announce_version
from webapp.policies.models import PolicyVersion
from webapp.policies.versions import Draft, tell_effect
from webapp.tenancy.lock import LockedSession

SUMMARY_AT_LEAST, SUMMARY_AT_MOST = 10, 600


@dataclass(frozen=True)
class Publisher:
    """Who publishes, and why, as the chain tells it. `staff_id` None: whoever has a shell."""

    staff_id: int | None
    name: str
    reason: str


@dataclass(frozen=True)
class Change:
    """What is said of the new version. `effective_at` None: as soon as may be. `significant`: all are told ahead."""

    summary: str
    significant: bool
    effective_at: datetime | None = None


def publish(session: LockedSession, draft: Draft, change: Change, by: Publisher, notice_days: int) -> PolicyVersion:
    """Raises Refused with the field that is wrong."""
    moment = now()
    summary = " ".join(change.summary.split())
    # Nobody has to be told of the first version of all.
    notice = timedelta(days=notice_days) if change.significant and draft.newest is not None else timedelta(0)
    effective_at = change.effective_at or _earliest(moment, notice)
    _check(draft, summary)
    _check_day(draft, effective_at, moment, notice)
    version = PolicyVersion(
        policy=draft.policy,
        version=draft.newest.version + 1 if draft.newest else 1,
        published_at=moment,
        effective_at=effective_at,
        significant=change.significant,
        summary=summary,
        body=draft.body,
        frozen_values=draft.frozen_values,
        digest=draft.digest,
        published_by=by.staff_id,
    )
    try:
        with session.begin_nested():
            session.add(version)
            session.flush()
    except IntegrityError:
        raise Refused("Somebody has published a version meanwhile. Look at what is new now.") from None
    if change.significant:
        announce_version(session, version, draft.text.title, by.staff_id)
    note_for_service(
        session,
        "service.policy_published",
        by.staff_id,
        None,
        staff=by.name,
        policy=draft.policy.word,
        version=version.version,
        effective=tell_effect(effective_at, significant=change.significant),
        summary=summary,
        digest=draft.digest.hex(),
        reason=by.reason,
    )
    return version


def _check(draft: Draft, summary: str) -> None:
    if draft.missing:
        names = ", ".join(draft.missing)
        raise Refused(f"These values are missing: {names}. Fill them in in policy.toml, then publish.")
    if not draft.is_new:
        raise Refused("Nothing is new: the text and the values are those of the newest version.")
    if not SUMMARY_AT_LEAST <= len(summary) <= SUMMARY_AT_MOST or not summary.isprintable():
        raise Refused(
            f"Say what changes, in {SUMMARY_AT_LEAST} to {SUMMARY_AT_MOST} characters: everybody reads it.", "summary"
        )


def _earliest(moment: datetime, notice: timedelta) -> datetime:
    """At once, or the first midnight (UTC) that leaves everybody the whole notice, once their mails are out too."""
    return datetime.combine((moment + notice).date() + timedelta(days=1), time(), UTC) if notice else moment


def _check_day(draft: Draft, effective_at: datetime, moment: datetime, notice: timedelta) -> None:
    if effective_at < moment:
        raise Refused("This day is over or has begun. Give a later one, or none.", "effective_on")
    if draft.newest is not None and effective_at <= draft.newest.effective_at:
        day = format_date(draft.newest.effective_at.date())
        raise Refused(
            f"Version {draft.newest.version} takes effect on {day}: a newer one comes after it. Give a later day.",
            "effective_on",
        )
    if effective_at < moment + notice:
        day = format_date(_earliest(moment, notice).date())
        raise Refused(
            f"A significant change is announced {notice.days} days ahead. Give {day} or later, or none.", "effective_on"
        )
