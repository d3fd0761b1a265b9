"""All that staff see of one organization without its yes: settings and counts.

The console and the owners read the same. The session is bound to the organization: the console's own, or that of an
owner's request.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, select

from webapp.clock import from_ms
from webapp.database.types import Instant
from webapp.errors import NotFound
from webapp.jobs.models import Job, JobState
from webapp.outbox.models import MailState, OutboxMessage
from webapp.staff.listing import Listed, get_listed
from webapp.staff.models import FeatureUse, SourceFailure
from webapp.tallies import today
from webapp.tenancy.consent_models import AccessRequest, RequestState
from webapp.tenancy.lock import LockedSession

FAILURE_DAYS, USE_DAYS, WEEK = 7, 30, 7
_DAY_MS = 24 * 60 * 60 * 1000
#: What of the words about a mail says only why: an SMTP code, or the name of an error.
_MAIL_CLASS = re.compile(r"\b[245]\d\d\b|\b[A-Z][a-z]+(?:[A-Z][a-z]+)+\b")
_OF_NO_CLASS = "Other"
KIND_WORDS = {
    "import": "Files that could not be read to their end",
    "lines": "Lines of files that could not be read",
    "delivery": "Records sent by a phone system that could not be read",
    "push": "Sendings of a phone system that were refused",
}
FEATURE_WORDS = {
    "calls": "Call log",
    "destinations": "Destinations",
    "organizations": "Organization",
    "people": "People",
    "reports": "Overview",
    "returns": "Calls to return",
    "settings": "Settings",
    "sources": "Phone systems",
    "staff": "What our staff see",
    "who_looked": "Who looked",
}


@dataclass(frozen=True)
class Failure:
    """`kind`: in words. `error_class`: never a text, an address or a line."""

    kind: str
    error_class: str
    failures: int
    last_at: datetime


@dataclass(frozen=True)
class Use:
    """How often a feature was used in the last week and the last 30 days."""

    feature: str
    week: int
    month: int


@dataclass(frozen=True)
class Seen:
    """`by_day`: the days on which anything was used, newest first, each with its features."""

    listed: Listed
    failures: list[Failure]
    uses: list[Use]
    by_day: list[tuple[datetime, list[tuple[str, int]]]]
    requests: Mapping[RequestState, int]

    @property
    def requests_named(self) -> Mapping[str, int]:
        """By the name of the state, for the template."""
        return {state.name: count for state, count in self.requests.items()}

    @property
    def owners(self) -> list[str]:
        return self.listed.usage.owners.split()


def read_seen(session: LockedSession, organization_id: int) -> Seen:
    """Raises NotFound."""
    listed = get_listed(session, organization_id)
    if listed is None:
        raise NotFound
    used = _list_used(session, organization_id)
    return Seen(
        listed,
        [
            *_source_failures(session, organization_id),
            *_dead_jobs(session, organization_id),
            *_refused_mails(session, organization_id),
        ],
        _sum_uses(used),
        _by_day(used),
        _count_requests(session),
    )


def mail_class(error: str | None) -> str:
    """What may be shown of the words about a mail that did not go."""
    found = _MAIL_CLASS.search(error or "")
    if found is None:
        return _OF_NO_CLASS
    return f"SMTP {found[0]}" if found[0].isdigit() else found[0]


def _source_failures(session: LockedSession, organization_id: int) -> list[Failure]:
    newest = today()
    rows = session.execute(
        select(
            SourceFailure.kind,
            SourceFailure.error_class,
            func.sum(SourceFailure.failures),
            func.max(SourceFailure.last_at, type_=Instant()),
        )
        .where(
            SourceFailure.day.in_(range(newest - FAILURE_DAYS + 1, newest + 1)),
            SourceFailure.organization_id == organization_id,
        )
        .group_by(SourceFailure.kind, SourceFailure.error_class)
        .order_by(SourceFailure.kind, SourceFailure.error_class)
    )
    return [Failure(KIND_WORDS.get(kind, kind), name, int(count), last_at) for kind, name, count, last_at in rows]


def _last(ended: type[Job] | type[OutboxMessage]) -> ColumnElement[datetime]:
    return func.max(func.coalesce(ended.ended_at, ended.created_at), type_=Instant())


def _dead_jobs(session: LockedSession, organization_id: int) -> list[Failure]:
    rows = session.execute(
        select(Job.kind, Job.error_class, func.count(Job.id), _last(Job))
        .where(Job.state == JobState.DEAD, Job.organization_id == organization_id)
        .group_by(Job.kind, Job.error_class)
        .order_by(Job.kind, Job.error_class)
    )
    return [Failure(f"Job {kind}", name or _OF_NO_CLASS, count, last_at) for kind, name, count, last_at in rows]


def _refused_mails(session: LockedSession, organization_id: int) -> list[Failure]:
    rows = session.execute(
        select(OutboxMessage.template, OutboxMessage.error, func.count(), _last(OutboxMessage))
        .where(OutboxMessage.state == MailState.REFUSED, OutboxMessage.organization_id == organization_id)
        .group_by(OutboxMessage.template, OutboxMessage.error)
    )
    found: dict[tuple[str, str], Failure] = {}
    for template, error, count, last_at in rows:
        key = (f"Mail {template}", mail_class(error))
        known = found.get(key)
        last = last_at if known is None else max(last_at, known.last_at)
        found[key] = Failure(*key, count + (known.failures if known else 0), last)
    return [found[key] for key in sorted(found)]


def _list_used(session: LockedSession, organization_id: int) -> list[FeatureUse]:
    newest = today()
    days = FeatureUse.day.in_(range(newest - USE_DAYS + 1, newest + 1))  # each day is a place in the key
    wanted = select(FeatureUse).where(days, FeatureUse.organization_id == organization_id)
    return list(session.scalars(wanted.order_by(FeatureUse.day.desc(), FeatureUse.feature)))


def _sum_uses(used: Iterable[FeatureUse]) -> list[Use]:
    week, month, first = Counter[str](), Counter[str](), today() - WEEK + 1
    for row in used:
        month[row.feature] += row.uses
        week[row.feature] += row.uses if row.day >= first else 0
    return [Use(FEATURE_WORDS.get(name, name), week[name], count) for name, count in month.most_common()]


def _by_day(used: Iterable[FeatureUse]) -> list[tuple[datetime, list[tuple[str, int]]]]:
    days: dict[int, list[tuple[str, int]]] = {}
    for row in used:
        days.setdefault(row.day, []).append((FEATURE_WORDS.get(row.feature, row.feature), row.uses))
    return [(from_ms(day * _DAY_MS), features) for day, features in days.items()]


def _count_requests(session: LockedSession) -> dict[RequestState, int]:
    rows = session.execute(select(AccessRequest.state, func.count(AccessRequest.id)).group_by(AccessRequest.state))
    counts: dict[RequestState, int] = dict(rows.all())
    return {state: counts.get(state, 0) for state in RequestState}
