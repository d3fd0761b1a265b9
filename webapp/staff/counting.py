"""Counts one organization for the console: from its totals and its own tables, never from its calls.

What is stored says how much and how often, and what kind of error it was. Called by jobs.py once an hour.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, delete, func, or_, select

from webapp.accounts.models import UserAccount
from webapp.calls.models import CallDay, CallMonth, ImportFile, ImportState, Pbx
from webapp.calls.periods import day_number, local_day
from webapp.clock import to_ms
from webapp.database.types import Instant
from webapp.ingest.models import SpooledDelivery
from webapp.jobs.models import StoredFile
from webapp.organizations.models import OrganizationUsage
from webapp.reports.health import QUIET_AFTER_DAYS
from webapp.staff.models import SourceFailure
from webapp.staff.seen import FAILURE_DAYS, USE_DAYS
from webapp.tenancy.consent_models import AccessOpening
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.models import Membership, Organization, Role

PUSH = "push"  #: the one kind that is not told from tables: feature_use.py tells it as it happens
_USUAL_DAYS = 60  #: whose pauses are usual for a phone system
_DAY_MS = 24 * 60 * 60 * 1000
_ENDED = func.coalesce(ImportFile.ended_at, ImportFile.created_at, type_=Instant())


@dataclass(frozen=True)
class Counted:
    usage: OrganizationUsage
    failures: list[SourceFailure]


def count_organization(session: LockedSession, present: datetime) -> Counted:
    """Of the bound organization, as it is. Stores nothing."""
    assert session.organization_id is not None
    organization = session.get_one(Organization, session.organization_id)
    today = day_number(local_day(present, ZoneInfo(organization.time_zone)))
    failures = _list_failures(session, present)
    systems = set(session.scalars(select(Pbx.id).where(Pbx.closed_at.is_(None))))
    pushes = _failing_pushes(session, present)
    failing = {row.pbx_id for row in failures} | pushes
    recent = select(func.sum(CallDay.calls)).where(CallDay.day > today - USE_DAYS, CallDay.day <= today)
    last_call = select(CallDay.day).where(CallDay.calls > 0, CallDay.day <= today).order_by(CallDay.day.desc()).limit(1)
    opened = AccessOpening.opened_at > present - timedelta(days=USE_DAYS)
    usage = OrganizationUsage(
        organization_id=organization.id,
        counted_at=present,
        owners="\n".join(_list_owners(session, present)),
        people=session.scalar(select(func.count(Membership.user_account_id)).where(_is_in(present))) or 0,
        calls=int(session.scalar(select(func.sum(CallMonth.calls))) or 0),
        recent_calls=int(session.scalar(recent) or 0),
        file_bytes=int(session.scalar(select(func.sum(StoredFile.stored_count))) or 0),
        waiting_bytes=int(session.scalar(select(func.sum(func.length(SpooledDelivery.body)))) or 0),
        sources=len(systems),
        silent_sources=len(systems & _silent(session, today)),
        failing_sources=len(systems & failing),
        openings=session.scalar(select(func.count(AccessOpening.id)).where(opened)) or 0,
        last_call_day=session.scalar(last_call),
        last_sign_in_day=_last_used_day(session),
    )
    return Counted(usage, failures)


def store_counted(session: LockedSession, counted: Counted) -> None:
    """In place of what was counted before. What phone systems were refused stays as it was told."""
    session.execute(
        delete(SourceFailure)
        .where(SourceFailure.organization_id == counted.usage.organization_id, SourceFailure.kind != PUSH)
        .execution_options(synchronize_session=False)
    )
    session.merge(counted.usage)
    session.add_all(counted.failures)
    session.flush()


def _is_in(present: datetime) -> ColumnElement[bool]:
    return or_(Membership.ends_at.is_(None), Membership.ends_at > present)


def _list_owners(session: LockedSession, present: datetime) -> Iterable[str]:
    """Their addresses, in order."""
    return session.scalars(
        select(UserAccount.email)
        .join(Membership, Membership.user_account_id == UserAccount.id)
        .where(Membership.role == Role.OWNER, _is_in(present))
        .order_by(UserAccount.email)
    ).all()


def _last_used_day(session: LockedSession) -> int | None:
    """The day on which any of its people used it last, which is written once a day."""
    last = session.scalar(select(func.max(Membership.last_used_at, type_=Instant())))
    return None if last is None else to_ms(last) // _DAY_MS


def _silent(session: LockedSession, today: int) -> set[int]:
    """Phone systems that have told of no call for longer than their longest pause of late, a long weekend at least."""
    days: dict[int, list[int]] = defaultdict(list)
    told = select(CallDay.pbx_id, CallDay.day).where(CallDay.calls > 0, CallDay.day <= today)
    for pbx_id, day in session.execute(told.where(CallDay.day > today - _USUAL_DAYS).distinct().order_by(CallDay.day)):
        days[pbx_id].append(day)
    ever = set(session.scalars(select(CallMonth.pbx_id).where(CallMonth.calls > 0).distinct()))
    return {pbx_id for pbx_id in ever if _is_silent(days.get(pbx_id, []), today)}


def _is_silent(days: list[int], today: int) -> bool:
    """`days` on which there were calls, in order; none of late is silence too."""
    if not days:
        return True
    longest = max((later - earlier for earlier, later in pairwise(days)), default=0)
    return today - days[-1] > max(longest, QUIET_AFTER_DAYS)


def _list_failures(session: LockedSession, present: datetime) -> list[SourceFailure]:
    """Of the days that are kept: imports that failed, and how many lines could not be read."""
    first = to_ms(present) // _DAY_MS - FAILURE_DAYS + 1
    files = session.execute(
        select(ImportFile.pbx_id, ImportFile.state, ImportFile.refused_count, ImportFile.delivered_on, _ENDED).where(
            present - timedelta(days=FAILURE_DAYS) < _ENDED,
            or_(ImportFile.state == ImportState.FAILED, ImportFile.refused_count > 0),
        )
    )
    counts: Counter[tuple[int, int, str, str]] = Counter()
    last: dict[tuple[int, int, str, str], datetime] = {}
    for pbx_id, state, refused, delivered_on, ended_at in files:
        day = max(to_ms(ended_at) // _DAY_MS, first)
        for kind, name, count in _failures_of(state, refused, delivered_on is not None):
            key = (day, pbx_id, kind, name)
            counts[key] += count
            last[key] = max(ended_at, last.get(key, ended_at))
    return [
        SourceFailure(
            day=day,
            organization_id=session.organization_id,
            pbx_id=pbx_id,
            kind=kind,
            error_class=name,
            failures=count,
            last_at=last[day, pbx_id, kind, name],
        )
        for (day, pbx_id, kind, name), count in counts.items()
    ]


def _failures_of(state: ImportState, refused: int, delivered: bool) -> Iterable[tuple[str, str, int]]:
    """Kind, class and number of what went wrong with a file, or with what came on a day."""
    if state == ImportState.FAILED:
        yield "import", "ImportFailed", 1
    if refused:
        yield ("delivery", "RefusedRecord", refused) if delivered else ("lines", "RefusedLine", refused)


def _failing_pushes(session: LockedSession, present: datetime) -> set[int]:
    newest = to_ms(present) // _DAY_MS
    days = SourceFailure.day.in_(range(newest - FAILURE_DAYS + 1, newest + 1))
    its_own = SourceFailure.organization_id == session.organization_id
    return set(session.scalars(select(SourceFailure.pbx_id).where(days, its_own, SourceFailure.kind == PUSH)))
