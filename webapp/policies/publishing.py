"""Publishes a version: text and values frozen together, for good. Called by the console and by `flask publish-policy`.

It stands in the service's own chain with its hash, and where it is significant everybody is told, in one transaction.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from webapp.accounts.models import AccountState, UserAccount
from webapp.audit.service_chain import note_for_service
from webapp.clock import now
from webapp.errors import Refused
from webapp.formatting import format_date
from webapp.policies.announcing import UNSHOWN, announce_version, mails_leave_within
from webapp.policies.models import Policy, PolicyVersion
from webapp.policies.versions import Draft, list_versions, standing, tell_effect
from webapp.tenancy.lock import LockedSession

SUMMARY_AT_LEAST, SUMMARY_AT_MOST = 10, 600
#: Nothing takes effect before what is published already: a slip in the year would end the changes of a policy.
_AHEAD_AT_MOST = timedelta(days=366)


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
    """`notice_days`: as the operator's values say. Raises Refused with the field that is wrong."""
    moment = now()
    summary = " ".join(change.summary.split())
    _check(draft, summary)
    # Nobody has to be told of the first version of all.
    is_told = change.significant and draft.newest is not None
    effective_at = _day(session, draft, change.effective_at, moment, promised_notice(session, notice_days) * is_told)
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
    if is_told:
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
    if not SUMMARY_AT_LEAST <= len(summary) <= SUMMARY_AT_MOST:
        raise Refused(
            f"Say what changes, in {SUMMARY_AT_LEAST} to {SUMMARY_AT_MOST} characters: everybody reads it.", "summary"
        )
    if not summary.isprintable():
        raise Refused(UNSHOWN, "summary")


def promised_notice(session: LockedSession, notice_days: int) -> int:
    """How many days ahead people are told: as the values say, and never less than what they were promised so far.

    The privacy policy promises it for both.
    """
    bound_by = (json.loads(version.frozen_values) for version in standing(list_versions(session, Policy.PRIVACY)))
    return max([notice_days, *(int(values.get("notice_days", 0)) for values in bound_by)])


def _day(session: LockedSession, draft: Draft, wanted: datetime | None, moment: datetime, notice_days: int) -> datetime:
    """From when it is in force. `notice_days` 0: nobody is told of it ahead. Raises Refused."""
    earliest = _earliest(session, moment, notice_days) if notice_days else moment
    newest = draft.newest
    soonest = max(earliest, _midnight(newest.effective_at, 1)) if newest and newest.effective_at > moment else earliest
    day = wanted or soonest
    if day < moment:
        raise Refused("This day is over or has begun. Give a later one, or none.", "effective_on")
    if newest is not None and day <= newest.effective_at:
        taken = format_date(newest.effective_at.date())
        raise Refused(
            f"Version {newest.version} takes effect on {taken}: a newer one comes after it. Give a later day, or none.",
            "effective_on",
        )
    if day < earliest:
        first = format_date(earliest.date())
        raise Refused(
            f"A significant change is announced {notice_days} days ahead. Give {first} or later, or none.",
            "effective_on",
        )
    if day > soonest + _AHEAD_AT_MOST:
        latest = format_date((soonest + _AHEAD_AT_MOST).date())
        raise Refused(
            f"This is more than a year ahead, and could not be taken back. Give {latest} or earlier, or none.",
            "effective_on",
        )
    return day


def _earliest(session: LockedSession, moment: datetime, days: int) -> datetime:
    """The first midnight (UTC) that leaves everybody so many whole days, from when the last of the mails is due."""
    people = select(func.count(UserAccount.id)).where(
        UserAccount.state == AccountState.ACTIVE, ~UserAccount.is_staff, UserAccount.alone_since.is_(None)
    )
    told_at = moment + mails_leave_within(session.scalar(people) or 0)
    return _midnight(told_at, days + 1)


def _midnight(after: datetime, days: int) -> datetime:
    return datetime.combine(after.date() + timedelta(days=days), time(), UTC)
